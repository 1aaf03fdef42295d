"""A parser whose errors are one line, with the nearest names, as those of the rest of the program."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from bioclip_probe.errors import printable, shorten_words

#: The metavar of lists whose values may hold commas: names of columns.
COLUMN = "COLUMN"


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

    def changed(self, options: argparse.Namespace) -> set[str]:
        """Return the names of the options of a command that are not as they are by default."""
        parser = self._commands().get(getattr(options, "command", ""), self)
        known = {action.dest for action in parser._actions if action.option_strings}
        return {name for name in known & vars(options).keys() if getattr(options, name) != parser.get_default(name)}

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Return the values of an argument; those of a list may be separated by commas too, `--models clip,pixels`."""
        if action.option_strings and action.nargs in ("+", "*") and action.metavar != COLUMN:
            arg_strings = [part for text in arg_strings for part in _split_at_commas(text)]
        return super()._get_values(action, arg_strings)  # type: ignore[misc]

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


def _split_at_commas(text: str) -> list[str]:
    """Return the parts of a text; one that names a file, as `vectors:FILE` does too, is kept whole."""
    file = text.rpartition(":")[2].partition("#")[0]
    parts = [part for part in (part.strip() for part in text.split(",")) if part]
    return [text] if not parts or os.path.exists(file) else parts


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return a question that names the nearest known name, if one is near."""
    near = get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
