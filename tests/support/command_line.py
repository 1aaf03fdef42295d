"""The command line as tests see it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from bioclip_probe.cli.main import main
from bioclip_probe.cli.parser import build_parser


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run one command in this process; return its status and what it printed on both streams."""
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the one line with which a command is refused."""
    status, out, err = run(capsys, *arguments, "--quiet")
    assert status == 2
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("bioclip-probe: ")
    return lines[0]


def command_names() -> tuple[str, ...]:
    """Return the names of all commands."""
    (commands,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return tuple(commands.choices)


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )
