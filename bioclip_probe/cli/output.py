"""The output of a command: lines and tables for a reader, or one JSON object for a program."""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from bioclip_probe.errors import LONGEST_WORD, shorten_words

if TYPE_CHECKING:
    import pandas as pd

#: Version of the JSON object. It grows when a key changes its meaning or is taken away, not when one is added.
SCHEMA = 1
NOTHING = "no number of the summary is defined here; the notes in measurements.csv say why"


class Output:
    """The output of one command, for a reader or for a program.

    A reader gets lines and tables as they come. A program gets one object when the command has ended: ``schema``,
    ``command``, the facts, and under ``tables`` each table as a list of rows. The JSON has full precision, and null
    where a number is missing, undefined or infinite.

    Parameters
    ----------
    command : str
    as_json : bool

    Examples
    --------
    >>> output = Output("models", as_json=True)
    >>> output.line("only for readers")
    >>> output.fact("folder", "results")
    >>> output.close()
    {"schema": 1, "command": "models", "folder": "results", "tables": {}}
    """

    def __init__(self, command: str, as_json: bool = False) -> None:
        self.as_json = as_json
        self._object: dict[str, Any] = {"schema": SCHEMA, "command": command}
        self._tables: dict[str, Any] = {}

    def line(self, text: str = "") -> None:
        """Print a line for a reader; a program does not get it."""
        if not self.as_json:
            print(shorten_words(text))

    def entry(self, name: str, *lines: str) -> None:
        """Print a name for a reader, and beside it some lines, as wide as the terminal."""
        width = max(min(shutil.get_terminal_size().columns, 120), 60)
        beside = [part for line in lines for part in textwrap.wrap(line, width - 28, break_on_hyphens=False)]
        for first, part in zip((name, *[""] * len(beside)), beside, strict=False):
            self.line(f"{first:<28}{part}")

    def fact(self, name: str, value: Any) -> None:
        """Add a value to the object of a program; a reader does not see it."""
        self._object[name] = json_value(value)

    def rows(self, name: str, table: pd.DataFrame) -> None:
        """Add a table to the object of a program; a reader does not see it."""
        if self.as_json:
            named = table if table.index.name is None else table.reset_index()
            self._tables[name] = json_value(named.to_dict("records"))

    def table(self, name: str, table: pd.DataFrame, shown: pd.DataFrame | None = None, empty: str = NOTHING) -> None:
        """Print a table, or one line if it has no rows.

        Parameters
        ----------
        name : str
            Its name among the tables of the object.
        table : DataFrame
        shown : DataFrame, optional
            The form for a reader, with fewer columns and digits.
        empty : str
            The line for a reader if there is no row.
        """
        self.rows(name, table)
        shown = table if shown is None else shown
        if shown.empty:
            self.line(empty)
        elif not self.as_json:
            index = shown.index.name is not None
            print(shown.to_string(index=index, na_rep="-", float_format="{:.3f}".format, max_colwidth=LONGEST_WORD))

    def part(self) -> Output:
        """Return the output of a part of the command, such as one study of several; see `content`."""
        return Output(self._object["command"], self.as_json)

    def content(self) -> dict[str, Any]:
        """Return the facts and the tables of a part, for a fact of the whole."""
        facts = {name: value for name, value in self._object.items() if name not in ("schema", "command")}
        return {**facts, "tables": self._tables}

    def close(self) -> None:
        """Print the object, if the output is for a program."""
        if self.as_json:
            print(json.dumps({**self._object, "tables": self._tables}, ensure_ascii=False, allow_nan=False))

    @contextmanager
    def only_json(self) -> Iterator[None]:
        """Send to standard error whatever the block prints, if the output is for a program."""
        if not self.as_json:
            yield
            return
        with redirect_stdout(sys.stderr):
            yield


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: null for what is missing, undefined or infinite, text for a path.

    Examples
    --------
    >>> json_value({"value": float("nan"), "n": 3})
    {'value': None, 'n': 3}
    """
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if hasattr(value, "tolist"):  # a number or an array of NumPy
        return json_value(value.tolist())
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    text = str(value)
    return None if text in ("<NA>", "NaT") else text
