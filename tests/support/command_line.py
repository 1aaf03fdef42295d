"""The command line as tests see it."""

from __future__ import annotations

import argparse

from bioclip_probe.cli.parser import build_parser


def command_names() -> tuple[str, ...]:
    """Return the names of all commands."""
    (commands,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return tuple(commands.choices)
