"""The parser: every command has help, and what it refuses."""

from __future__ import annotations

import pytest

from bioclip_probe.cli import main as cli
from bioclip_probe.cli.parser import build_parser
from tests.support.command_line import command_names, process

COMMANDS = command_names()


REFUSED = {
    "no command": ([], "required: COMMAND; see `bioclip-probe --help`"),
    "unknown command": (["nonsense"], "no command 'nonsense'; see `bioclip-probe --help`"),
    "misspelt command": (["mesure"], "no command 'mesure'; did you mean measure?; see `bioclip-probe --help`"),
    "wrong type": (["measure", "--seed", "x"], "--seed: invalid int value: 'x'; see `bioclip-probe measure --help`"),
    "wrong choice": (["taxa", "--rank", "tribe"], "--rank: invalid choice: 'tribe' (choose from"),
    "misspelt flag": (["measure", "--n-bootstap=3"], "unknown argument --n-bootstap=3; did you mean --n-bootstrap?"),
    "unknown flag": (["datasets", "--colour"], "unknown argument --colour; see `bioclip-probe datasets --help`"),
    "flag of another command": (["models", "--out", "x"], "unknown argument --out"),
    "unknown shell": (["--print-completion", "cmd"], "invalid choice: 'cmd'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_parser_refuses_is_told_in_one_line(case, capsys):
    arguments, line = REFUSED[case]
    with pytest.raises(SystemExit) as told:
        cli.main(arguments)
    assert told.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bioclip-probe: ")
    assert len(err.splitlines()) == 1
    assert line in err


def test_help():
    done = process("-m", "bioclip_probe", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n    {command}" in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as told:
        cli.main([command, "--help"])
    assert told.value.code == 0
    assert "--quiet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "name", "values"),
    [
        ("measure --models clip,pixels", "models", ["clip", "pixels"]),
        ("measure --models clip, pixels", "models", ["clip", "pixels"]),
        ("measure --models=hf-hub:imageomics/bioclip,clip", "models", ["hf-hub:imageomics/bioclip", "clip"]),
        ("probe --shots 1,5 10", "shots", [1, 5, 10]),
        ("project --methods tsne,umap", "methods", ["tsne", "umap"]),
        ("measure --confound lat,lon", "confound", ["lat,lon"]),
        ("measure --models ,", "models", [","]),
    ],
)
def test_lists_may_be_separated_by_commas(line, name, values):
    assert getattr(build_parser().parse_args(line.split()), name) == values


def test_a_comma_in_the_name_of_a_file_separates_nothing(tmp_path):
    file = tmp_path / "a,b.npz"
    file.touch()
    for model in (f"mine=vectors:{file}", f"vectors:{file}#emb", str(file)):
        assert build_parser().parse_args(["measure", "--models", model]).models == [model]


def test_what_is_too_long_to_read_is_cut(capsys):
    with pytest.raises(SystemExit):
        cli.main(["measure", "--seed", "A" * 40_000])
    assert len(capsys.readouterr().err) < 800
