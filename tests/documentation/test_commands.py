"""Every command in the README and the documentation is one of the program, and cheap ones are run."""

import doctest

import pytest

from bioclip_probe.cli.parser import build_parser
from tests.support.command_line import run
from tests.support.documents import blocks

CONSOLE = blocks("console", "bash")
COMMANDS = [(block, *command) for block in CONSOLE for command in block.commands()]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def names(commands):
    return [f"{block.name}-{arguments[0]}-{i}" for i, (block, arguments, _) in enumerate(commands)]


@pytest.mark.parametrize(("block", "arguments", "output"), COMMANDS, ids=names(COMMANDS))
def test_the_parser_takes_every_command(block, arguments, output):
    build_parser().parse_args(arguments)


RUN = [command for command in COMMANDS if command[0].mark == "run"]


@pytest.mark.parametrize(("block", "arguments", "output"), RUN, ids=names(RUN))
def test_cheap_commands_run_and_print_what_the_page_shows(block, arguments, output, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, printed, _ = run(capsys, *arguments)
    assert status == 0
    assert printed.strip()
    if output:
        assert doctest.OutputChecker().check_output(f"{output}\n", f"{printed.strip()}\n", FLAGS), printed


#: Each command once, wherever it stands.
DRY = [*{" ".join(command[1]): command for command in COMMANDS if command[0].mark == "dry-run"}.values()]


@pytest.mark.slow
@pytest.mark.parametrize(("block", "arguments", "output"), DRY, ids=names(DRY))
def test_costly_commands_would_run(block, arguments, output, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, printed, _ = run(capsys, *arguments, "--dry-run")
    assert status == 0
    assert printed.strip()


def test_marks_are_known_and_stand_at_blocks_with_commands():
    assert {block.mark for block in CONSOLE} == {"", "run", "dry-run"}
    assert all(list(block.commands()) for block in CONSOLE if block.mark)
