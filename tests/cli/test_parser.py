"""The parser: every command has help, and what it refuses."""

from __future__ import annotations

import pytest

from bioclip_probe.cli import main as cli
from tests.support.command_line import command_names, process

COMMANDS = command_names()


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["measure", "--seed", "x"], ["taxa", "--rank", "tribe"], ["project", "--method", "mds"]],
)
def test_what_the_parser_refuses(arguments, capsys):
    with pytest.raises(SystemExit) as told:
        cli.main(arguments)
    assert told.value.code == 2
    assert "usage: bioclip-probe" in capsys.readouterr().err


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
