"""How a run of the command line ends: interrupted, on a full disk, through a process of its own."""

from __future__ import annotations

import pytest

from bioclip_probe import __version__
from bioclip_probe.limits import DEFAULT_BYTES, max_memory
from tests.support.command_line import process, refused, run


def test_interrupted(monkeypatch, capsys, here):
    monkeypatch.setattr(
        "bioclip_probe.study.run.datasets.load", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    status, _, err = run(capsys, "measure", "--data", "inat21:x")
    assert status == 130
    assert err == (
        "bioclip-probe: interrupted; finished shards and pieces are kept, and the same command goes on from there\n"
    )


def test_where_nothing_is_kept_nothing_is_promised(monkeypatch, capsys, here):
    monkeypatch.setattr("bioclip_probe.datasets.load", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(capsys, "audit", "--data", "inat21:x")[::2] == (130, "bioclip-probe: interrupted\n")


def test_a_full_disk_is_one_line(monkeypatch, capsys, here):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "/big")

    monkeypatch.setattr("bioclip_probe.study.run.datasets.load", full)
    assert refused(capsys, "measure", "--data", "inat21:x") == (
        "bioclip-probe: No space left on device: /big; "
        "finished shards and pieces are kept, and the same command goes on from there"
    )


def test_a_lack_of_memory_is_one_line(monkeypatch, capsys, here):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr("bioclip_probe.datasets.load", exhausted)
    line = "bioclip-probe: not enough memory (MemoryError); fewer --workers and a smaller --batch-size take less"
    assert refused(capsys, "audit", "--data", "inat21:x") == line


@pytest.mark.parametrize(("flags", "allowed"), [((), DEFAULT_BYTES), (("--max-memory", "4GB"), 4 << 30)])
def test_the_memory_of_a_file_is_limited_while_a_command_runs(monkeypatch, capsys, here, flags, allowed):
    monkeypatch.setattr("bioclip_probe.datasets.load", lambda *_: pytest.exit(str(max_memory())))
    with pytest.raises(pytest.exit.Exception, match=str(allowed)):
        run(capsys, "audit", "--data", "world", *flags)
    assert max_memory() == DEFAULT_BYTES


def test_a_size_that_is_none_is_refused(capsys, here):
    with pytest.raises(SystemExit):
        run(capsys, "audit", "--max-memory", "much")
    assert "argument --max-memory: expected a size such as 4GB, came 'much'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "code",
    [
        "import bioclip_probe.cli.main",
        "import bioclip_probe.cli.main as cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
        "import bioclip_probe.cli.main as cli\ntry: cli.main(['reproduce', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_help_waits_for_no_library(code):
    """`--help` takes no longer than Python itself: it imports nothing that is large."""
    heavy = (
        "torch torchvision open_clip timm sklearn scipy matplotlib umap ete3 pandas numpy pyarrow PIL jinja2".split()
    )
    done = process("-c", f"{code}\nimport sys\nprint(*sorted(set(sys.modules) & set({heavy})), file=sys.stderr)")
    assert (done.returncode, done.stderr.strip()) == (0, "")


@pytest.mark.slow
def test_models_are_listed_without_torch():
    listing = "from bioclip_probe.cli.main import main; main(['models'])"
    code = f"{listing}\nimport sys; print('torch' in sys.modules, file=sys.stderr)"
    assert process("-c", code).stderr.strip() == "False"


def test_version():
    assert process("-m", "bioclip_probe", "--version").stdout == f"bioclip-probe {__version__}\n"


@pytest.mark.slow
def test_bad_input_through_a_process(tmp_path):
    done = process(
        "-m", "bioclip_probe", "reproduce", "--data", f"inat21:{tmp_path / 'no'}", "--out", f"{tmp_path / 'o'}"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"bioclip-probe: {tmp_path / 'no'}: no such folder\n"
    assert not list(tmp_path.iterdir())
