"""Completion scripts name every command and every flag, and bash runs its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bioclip_probe.cli.completion import SHELLS, completion_script
from bioclip_probe.cli.main import main
from bioclip_probe.cli.parser import build_parser
from tests.support.command_line import command_names


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_completed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", shell])
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert all(command in out for command in command_names())


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["mea"], "measure"),
        (["measure", "--n-boo"], "--n-bootstrap"),
        (["measure", "--resample", "gen"], "genus"),
        (["measure", "--models", "colo"], "color-histogram"),
        (["measure", "--data", "worl"], "world"),
        (["probe", "--probes", "lin"], "linear"),
        (["run", "stu"], "study.toml"),
        (["status", "sto"], "store"),
    ],
)
def test_bash_completes_commands_flags_choices_files_and_folders(words: list[str], answer: str, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    (tmp_path / "store").mkdir()
    (tmp_path / "study.toml").touch()
    (tmp_path / "completion.bash").write_text(completion_script(build_parser(), "bash"))
    typed = f"COMP_WORDS=(bioclip-probe {' '.join(words)}); COMP_CWORD={len(words)}; COMP_TYPE=9"
    ask = f"source ./completion.bash; {typed}; _shtab_bioclip_probe; echo ${{COMPREPLY[@]}}"
    done = subprocess.run([bash, "--norc", "-c", ask], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == answer
