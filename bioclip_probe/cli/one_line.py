"""A parser whose errors are one line, with the nearest names, as those of the rest of the program."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from bioclip_probe.errors import printable, shorten_words


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that tells an error in one line and names the flags or commands that are nearest.

    Examples
    --------
    >>> parser = OneLineParser(prog="toy")
    >>> _ = parser.add_argument("--seed", type=int)
    >>> parser.parse_args(["--seed", "3"]).seed
    3
    """

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Return the options, or tell in one line which argument is unknown."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            parser = self._commands().get(getattr(options, "command", ""), self)
            flags = [flag for flag in parser._option_string_actions if flag.startswith("--")]
            parser.error(f"unknown argument {unknown[0]}{_nearest(unknown[0].partition('=')[0], flags)}")
        return options

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with status 2."""
        wrong = re.fullmatch(r"argument (?P<name>\S+): invalid choice: '(?P<value>[^']*)' \(choose from .*", message)
        if wrong and wrong["value"] and wrong["name"] == "COMMAND":
            message = f"no command '{wrong['value']}'{_nearest(wrong['value'], list(self._commands()))}"
        self.exit_with(f"{message}; see `{self.prog} --help`")

    def exit_with(self, message: str) -> NoReturn:
        """Print a line on standard error and exit with status 2."""
        print(f"bioclip-probe: {shorten_words(printable(' '.join(message.split())))}", file=sys.stderr)
        raise SystemExit(2)

    def _commands(self) -> dict[str, argparse.ArgumentParser]:
        """Return the parsers of the commands."""
        groups = (action for action in self._actions if isinstance(action, argparse._SubParsersAction))
        return {name: parser for group in groups for name, parser in group.choices.items()}


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return a question that names the nearest known name, if one is near."""
    near = get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
