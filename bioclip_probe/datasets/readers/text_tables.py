"""Tables of text, as large published ones are written: only the columns needed, every row of them, all of it text.

A row with a field too many or too few, a quote that is never closed, bytes of another encoding, a column twice: each
is one clear line, for what follows in such a table is shifted or lost. pandas pads or cuts such rows once it reads
chosen columns only, which is why Arrow reads here.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bioclip_probe.datasets.readers.pictures import stays_inside
from bioclip_probe.errors import DataError, one_line, printable, some

#: No field is longer, and this much is read at a time.
_BLOCK = 1 << 24
# Written below the last line, and looked for again: a quote that is never closed swallows it with all before it.
_LAST = "the last line"
# Control characters but for blanks, and what breaks a line elsewhere: no name or path holds them, terminals obey them.
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"

#: How an address begins that is no path.
WEB = r"[A-Za-z][A-Za-z0-9+.-]+://"


@dataclass(frozen=True)
class Form:
    """How a table is written.

    Attributes
    ----------
    separator : str
        One character between fields.
    quote : str
        The character around fields that hold a separator; empty if there is none.
    encoding : str
        One that writes ASCII as ASCII.
    header : bool
        The first line names the columns; else they are called ``f0``, ``f1`` …
    skip : int
        Lines above the first one that is read.
    """

    separator: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0


CSV = Form()
TSV = Form("\t")


def read_columns(path: Path, form: Form, needed: Sequence[str], welcome: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of a table with a header: all of `needed`, those of `welcome` that are there.

    Returns
    -------
    DataFrame, dtype str
        Without blanks around values; what is empty is missing.

    Raises
    ------
    DataError
        If the table cannot be read, or lacks a column of `needed`.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    opened = partial(path.open, "rb")
    header = column_names(opened, path, form)
    named = {name.strip(): name for name in header}
    chosen = [name for name in (*needed, *welcome) if name in named]
    absent = [name for name in needed if name not in named]
    if absent:
        raise DataError(f"{path} lacks the columns {some(absent)}; it has: {some(map(printable, named), 20)}")
    stripped = [name.strip() for name in header]
    twice = [name for name in chosen if stripped.count(name) > 1]
    if twice:
        raise DataError(f"{path} has more than one column called {some(twice)}")
    table = read_table(opened, path, form, [named[name] for name in chosen])
    return table.set_axis(chosen, axis=1)


def column_names(opened: Callable[[], BinaryIO], name: object, form: Form) -> list[str]:
    """The columns of the table that `opened` opens; `name` is what messages call it."""
    with opened() as stream:
        try:
            with csv.open_csv(stream, *_options(form, name)) as reader:
                return reader.schema.names
        except pa.ArrowInvalid as error:
            if not form.header and "Empty CSV file" in str(error):  # no row below those that are skipped
                return []
            raise _unreadable(name, error) from error
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _unreadable(name, error) from error


def read_table(opened: Callable[[], BinaryIO], name: object, form: Form, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of the table that `opened` opens, by their names in it; see `read_columns`.

    Raises
    ------
    DataError
        Its line begins with `name`.
    """
    names = column_names(opened, name, form)
    if not names:
        return pd.DataFrame(columns=columns, dtype="str")
    absent = [column for column in columns if column not in names]
    if absent:
        raise DataError(f"{name} has {len(names)} columns in a row; {some(map(printable, absent))} is none of them")
    last = "\n" + form.separator.join([_LAST] * len(names)) + "\n"
    with opened() as stream:
        try:
            table = csv.read_csv(_Followed(stream, last.encode(form.encoding)), *_options(form, name, columns))
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _unreadable(name, error) from error
    if any(table[column][-1].as_py() != _LAST for column in columns):
        raise DataError(f"{name} is not a table that can be read: a quote in it is never closed")
    table = table.slice(0, len(table) - 1)
    for column in columns:
        odd = table[column].filter(pc.match_substring_regex(table[column], _CONTROL))
        if len(odd):
            found = some(printable(value) for value in odd.slice(0, 5).to_pylist())
            raise DataError(f"{name} has control characters in {len(odd)} values of column '{column}': {found}")
    frame = pd.DataFrame({column: table[column].to_pandas().astype("str") for column in columns}, dtype="str")
    return frame.apply(lambda values: values.str.strip().replace("", None))


def _options(form: Form, name: object, columns: Sequence[str] | None = None) -> tuple:
    try:
        ascii_stays = codecs.encode("\n,", form.encoding) == b"\n,"
    except LookupError:
        ascii_stays = False
    if not ascii_stays:
        raise DataError(f"{name} is written in {printable(form.encoding)}, which is not read; save it as UTF-8")
    return (
        csv.ReadOptions(
            encoding=form.encoding,
            autogenerate_column_names=not form.header,
            skip_rows=form.skip,
            block_size=_BLOCK,
        ),
        csv.ParseOptions(delimiter=form.separator, quote_char=form.quote or False, newlines_in_values=bool(form.quote)),
        csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns or (), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


class _Followed(io.RawIOBase):
    """A stream, and after its end some more bytes."""

    def __init__(self, stream: BinaryIO, more: bytes) -> None:
        self._streams = [stream, io.BytesIO(more)]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        while self._streams:
            content = self._streams[0].read(len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)
            self._streams.pop(0)
        return 0


def _unreadable(name: object, error: Exception) -> DataError:
    reason = printable(one_line(error))  # Arrow quotes the whole row
    fields = re.search(r"Expected (\d+) columns, got (\d+)", reason)
    if fields:
        what = "more" if int(fields[2]) > int(fields[1]) else "fewer"
        reason = f"a row has {what} fields than its header; quote fields that hold a separator ({reason})"
    if "UTF8" in reason:
        reason = f"it is not UTF-8; save it so ({reason})"
    return DataError(f"{name} is not a table that can be read: {reason}")


def checked_sources(sources: pd.Series, name: object) -> pd.Series:
    """Paths of pictures that a table gives, with ``/``, if they stay below its folder.

    Raises
    ------
    DataError
        If one is a web address, is absolute, leads out of the folder or is no single line. `name` is the table.
    """
    sources = sources.str.replace("\\", "/")
    known = sources.dropna()
    web = known[known.str.match(WEB)]
    if len(web):
        found = some(map(printable, web))
        raise DataError(f"{name} gives {len(web)} web addresses, not files; download the pictures first: {found}")
    winding = known[known.str.contains(r"(?:^|/)\.{0,2}(?:/|$)")]  # no other path, of millions, needs a second look
    outside = winding[[source.startswith("/") or not stays_inside(source) for source in winding]]
    if len(outside):
        raise DataError(f"{name} names pictures outside its folder: {some(map(printable, outside))}")
    broken = known[known.str.contains(r"[\t\n\r]")]
    if len(broken):
        raise DataError(f"{name} names pictures by more than one line: {some(map(printable, broken))}")
    sources.loc[winding.index] = [PurePosixPath(source).as_posix() for source in winding]
    return sources


def collapse_whitespace(names: pd.Series) -> pd.Series:
    """Return the names with one blank in place of each run of whitespace."""
    return names.str.replace(r"\s+", " ", regex=True)
