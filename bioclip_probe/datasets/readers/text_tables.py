"""Text tables (CSV, TSV) as large published ones are written: only the columns needed, every row, all of it text.

A row with too many or too few fields, a quote that is never closed, bytes of another encoding, a column that occurs
twice: each becomes one clear message, because the rest of such a table is shifted or lost. Arrow reads the tables,
because pandas pads or cuts such rows as soon as it reads only some columns.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bioclip_probe.datasets.readers.pictures import stays_inside
from bioclip_probe.errors import DataError, one_line, printable, some

# Bytes read at a time; no field may be longer.
_BLOCK_BYTES = 1 << 24
# Added below the last line, and expected back: a quote that is never closed swallows it with everything before it.
_LAST_LINE = "the last line"
# Control characters except blanks, and other line breaks. Names and paths hold none; terminals obey them.
_CONTROL_CHARACTERS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"

#: The beginning of a web address; a path does not begin so.
WEB_ADDRESS = r"[A-Za-z][A-Za-z0-9+.-]+://"

#: Opens a table for reading in bytes.
OpenTable = Callable[[], BinaryIO]


@dataclass(frozen=True)
class TableFormat:
    r"""The way a text table is written.

    Attributes
    ----------
    separator : str
        One character between fields.
    quote : str
        The character around fields that hold a separator; empty if there is none.
    encoding : str
        An encoding that writes ASCII as ASCII.
    header : bool
        True if the first line names the columns; otherwise they are called ``f0``, ``f1`` …
    skip : int
        Number of lines above the first line that is read.

    Examples
    --------
    >>> TableFormat("\t").separator == TSV.separator
    True
    """

    separator: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0


CSV = TableFormat()
TSV = TableFormat("\t")


def read_columns(
    path: Path, table_format: TableFormat, required: Sequence[str], optional: Sequence[str] = ()
) -> pd.DataFrame:
    r"""Return columns of a table with a header.

    Parameters
    ----------
    path : Path
    table_format : TableFormat
    required : sequence of str
        Columns that the table must have.
    optional : sequence of str
        Columns that are read if the table has them.

    Returns
    -------
    DataFrame, dtype str
        Values have no blanks around them; empty values are missing.

    Raises
    ------
    DataError
        If the table cannot be read, lacks a required column, or has one of the columns twice.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "birds.csv")
    ...     _ = path.write_text("genus,year,note\nPica,1823,\n")
    ...     read_columns(path, CSV, ["genus"], ["note", "order"]).iloc[0].tolist()
    ['Pica', nan]
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")

    def open_table() -> BinaryIO:
        return path.open("rb")

    header = read_column_names(open_table, path, table_format)
    original_names = {name.strip(): name for name in header}
    chosen = [name for name in (*required, *optional) if name in original_names]
    absent = [name for name in required if name not in original_names]
    if absent:
        raise DataError(f"{path} lacks the columns {some(absent)}; it has: {some(original_names, 20)}")
    stripped = [name.strip() for name in header]
    repeated = [name for name in chosen if stripped.count(name) > 1]
    if repeated:
        raise DataError(f"{path} has more than one column called {some(repeated)}")
    table = read_table(open_table, path, table_format, [original_names[name] for name in chosen])
    return table.set_axis(chosen, axis=1)


def read_column_names(open_table: OpenTable, name: object, table_format: TableFormat) -> list[str]:
    r"""Return the columns of a table.

    Parameters
    ----------
    open_table : callable
        Function that opens the table for reading in bytes.
    name : object
        Name of the table, for messages.
    table_format : TableFormat

    Returns
    -------
    list of str
        Empty if the table has no header and no row.

    Raises
    ------
    DataError
        If the table cannot be read.

    Examples
    --------
    >>> read_column_names(lambda: io.BytesIO(b"genus,year\nPica,1823\n"), "birds.csv", CSV)
    ['genus', 'year']
    """
    with open_table() as stream:
        try:
            with csv.open_csv(stream, *_arrow_options(table_format, name)) as reader:
                return reader.schema.names
        except pa.ArrowInvalid as error:
            if not table_format.header and "Empty CSV file" in str(error):  # no row below the skipped lines
                return []
            raise _unreadable(name, error) from error
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _unreadable(name, error) from error


def read_table(open_table: OpenTable, name: object, table_format: TableFormat, columns: Sequence[str]) -> pd.DataFrame:
    r"""Return columns of a table by the names that stand in it.

    Parameters
    ----------
    open_table : callable
        Function that opens the table for reading in bytes. It is called twice.
    name : object
        Name of the table, for messages.
    table_format : TableFormat
    columns : sequence of str

    Returns
    -------
    DataFrame, dtype str
        Values have no blanks around them; empty values are missing.

    Raises
    ------
    DataError
        If the table cannot be read, lacks one of the columns, or has control characters in them.

    Examples
    --------
    >>> read_table(lambda: io.BytesIO(b"genus,year\nPica,1823\n"), "birds.csv", CSV, ["year"])["year"].tolist()
    ['1823']
    """
    names = read_column_names(open_table, name, table_format)
    if not names:
        return pd.DataFrame(columns=columns, dtype="str")
    absent = [column for column in columns if column not in names]
    if absent:
        raise DataError(f"{name} has {len(names)} columns in a row; {some(absent)} is none of them")
    last_line = "\n" + table_format.separator.join([_LAST_LINE] * len(names)) + "\n"
    with open_table() as stream:
        try:
            table = csv.read_csv(
                _WithMoreBytes(stream, last_line.encode(table_format.encoding)),
                *_arrow_options(table_format, name, columns),
            )
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _unreadable(name, error) from error
    if any(table[column][-1].as_py() != _LAST_LINE for column in columns):
        raise DataError(f"{name} is not a table that can be read: a quote in it is never closed")
    table = table.slice(0, len(table) - 1)
    for column in columns:
        odd = table[column].filter(pc.match_substring_regex(table[column], _CONTROL_CHARACTERS))
        if len(odd):
            examples = some([*odd.slice(0, 5).to_pylist()])
            raise DataError(f"{name} has control characters in {len(odd)} values of column '{column}': {examples}")
    frame = pd.DataFrame({column: table[column].to_pandas().astype("str") for column in columns}, dtype="str")
    return frame.apply(lambda values: values.str.strip().replace("", None))


def _arrow_options(
    table_format: TableFormat, name: object, columns: Sequence[str] | None = None
) -> tuple[csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]:
    try:
        keeps_ascii = codecs.encode("\n,", table_format.encoding) == b"\n,"
    except LookupError:
        keeps_ascii = False
    if not keeps_ascii:
        raise DataError(
            f"{name} is written in {printable(table_format.encoding)}, which is not supported; save it as UTF-8"
        )
    return (
        csv.ReadOptions(
            encoding=table_format.encoding,
            autogenerate_column_names=not table_format.header,
            skip_rows=table_format.skip,
            block_size=_BLOCK_BYTES,
        ),
        csv.ParseOptions(
            delimiter=table_format.separator,
            quote_char=table_format.quote or False,
            newlines_in_values=bool(table_format.quote),
        ),
        csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns or (), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


class _WithMoreBytes(io.RawIOBase):
    """A stream, followed by some more bytes."""

    def __init__(self, stream: BinaryIO, more: bytes) -> None:
        self._streams: list[BinaryIO] = [stream, io.BytesIO(more)]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._streams:
            content = self._streams[0].read(len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)
            self._streams.pop(0)
        return 0


def _unreadable(name: object, error: Exception) -> DataError:
    reason = printable(one_line(error))  # cut, because Arrow quotes the whole row
    fields = re.search(r"Expected (\d+) columns, got (\d+)", reason)
    if fields:
        amount = "more" if int(fields[2]) > int(fields[1]) else "fewer"
        reason = f"a row has {amount} fields than its header; quote fields that hold a separator ({reason})"
    if "UTF8" in reason:
        reason = f"it is not UTF-8; save it as UTF-8 ({reason})"
    return DataError(f"{name} is not a table that can be read: {reason}")


def check_picture_paths(paths: pd.Series, name: object) -> pd.Series:
    r"""Return the paths of pictures that a table gives, with ``/`` between folders.

    Parameters
    ----------
    paths : Series, dtype str
        Paths relative to the table's folder; missing values stay missing.
    name : object
        Name of the table, for messages.

    Returns
    -------
    Series, dtype str

    Raises
    ------
    DataError
        If one is a web address, is absolute, leads out of the folder or is no single line.

    Examples
    --------
    >>> check_picture_paths(pd.Series(["birds\\1.jpg", "./2.jpg"], dtype="str"), "birds.csv").tolist()
    ['birds/1.jpg', '2.jpg']
    """
    paths = paths.str.replace("\\", "/")
    known = paths.dropna()
    web = known[known.str.match(WEB_ADDRESS)]
    if len(web):
        raise DataError(f"{name} gives {len(web)} web addresses, not files; download the pictures first: {some(web)}")
    # Only these paths, of maybe millions, can lead out of the folder or have an empty piece.
    irregular = known[known.str.contains(r"(?:^|/)\.{0,2}(?:/|$)")]
    outside = irregular[[path.startswith("/") or not stays_inside(path) for path in irregular]]
    if len(outside):
        raise DataError(f"{name} names pictures outside its folder: {some(outside)}")
    broken = known[known.str.contains(r"[\t\n\r]")]
    if len(broken):
        raise DataError(f"{name} names pictures by more than one line: {some(broken)}")
    paths.loc[irregular.index] = [PurePosixPath(path).as_posix() for path in irregular]
    return paths


def collapse_whitespace(names: pd.Series) -> pd.Series:
    r"""Return names with one blank in place of any whitespace inside them.

    Parameters
    ----------
    names : Series, dtype str

    Returns
    -------
    Series, dtype str

    Examples
    --------
    >>> collapse_whitespace(pd.Series(["Pica\t hudsonia"], dtype="str")).tolist()
    ['Pica hudsonia']
    """
    return names.str.replace(r"\s+", " ", regex=True)
