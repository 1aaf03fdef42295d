r"""Text tables (CSV, TSV) as the world writes them: only the columns needed, every row, all of it text.

A row with too many or too few fields, a stray quote, bytes of another encoding, a column that occurs twice: each
becomes one clear message with the number of the line, because the rest of such a table is shifted or lost. Arrow reads
the tables, because pandas pads or cuts such rows as soon as it reads only some columns.

Fields are quoted as CSV has it. Tab-separated text is mostly written without quoting, and then a quote is text: where
each of its lines has as many fields as its header, every line is a row, and quotes count only around a whole field.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bioclip_probe.datasets.readers.quotes import describe_wrong_rows, records, unquote
from bioclip_probe.datasets.readers.table_formats import TableFormat, find_format, first_row, lines_of
from bioclip_probe.datasets.readers.text_files import BLOCK_BYTES, TextFile, text_file
from bioclip_probe.errors import DataError, one_line, printable, shorten, some

# Each column costs memory and time; a vector of the largest size, with a column for each number, has fewer.
_MAX_COLUMNS = 70_000
# Added below the last line, and expected back: a quote that is never closed swallows it with everything before it.
_LAST_LINE = "the last line"
# Control characters except blanks, and other line breaks. Names and paths hold none; terminals obey them.
_CONTROL_CHARACTERS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"
#: The values that a column must have for a row to be kept.
Only = Mapping[str, Collection[str]]
_UNREADABLE = "is not a table that can be read:"


def read_columns(
    path: Path,
    table_format: TableFormat,
    required: Sequence[str],
    optional: Sequence[str] = (),
    only: Only | None = None,
) -> pd.DataFrame:
    r"""Return columns of a table with a header.

    Parameters
    ----------
    path : Path
        It may be compressed, see `text_file`.
    table_format : TableFormat
        If another separator gives more of the columns, that one is used.
    required : sequence of str
        Columns that the table must have.
    optional : sequence of str
        Columns that are read if the table has them.
    only : mapping from str to collection of str, optional
        Values of some required columns: other rows are not kept, so that a table may be larger than the memory.

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
    ...     read_columns(path, TableFormat(), ["genus"], ["note", "order"]).iloc[0].tolist()
    ['Pica', nan]
    """
    file = text_file(path)
    wanted = {*required, *optional}
    table_format = find_format(file, table_format, lambda names: sum(name in wanted for name in names))
    header = read_column_names(file, table_format)
    original_names = {name.strip(): name for name in header}
    chosen = [name for name in (*required, *optional) if name in original_names]
    absent = [name for name in required if name not in original_names]
    if absent:
        raise DataError(f"{path} lacks the columns {some(absent)}; it has: {some(original_names, 20)}")
    stripped = [name.strip() for name in header]
    repeated = [name for name in chosen if stripped.count(name) > 1]
    if repeated:
        raise DataError(f"{path} has more than one column called {some(repeated)}")
    only = {original_names[name]: values for name, values in (only or {}).items()}
    table = read_table(file, table_format, [original_names[name] for name in chosen], only)
    return table.set_axis(chosen, axis=1)


def read_column_names(file: TextFile, table_format: TableFormat) -> list[str]:
    r"""Return the columns of a table.

    Parameters
    ----------
    file : TextFile
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
    >>> file = TextFile("birds.csv", lambda: io.BytesIO(b"genus,year\nPica,1823\n"))
    >>> read_column_names(file, TableFormat())
    ['genus', 'year']
    """
    file.head()
    row = first_row(file, table_format)
    if not row and not table_format.header:
        return []
    n_columns = row.count(table_format.separator.encode()) + 1
    if n_columns > _MAX_COLUMNS:
        raise DataError(f"{file.name} has {n_columns:,} columns in its first row; expected {_MAX_COLUMNS:,} at most")
    try:
        options = _arrow_options(replace(table_format, skip=0), file.name)
        return csv.read_csv(io.BytesIO(row), *options).column_names
    except (pa.ArrowException, ValueError) as error:
        raise _unreadable(file, table_format, error, None) from error


def read_table(
    file: TextFile, table_format: TableFormat, columns: Sequence[str], only: Only | None = None
) -> pd.DataFrame:
    r"""Return columns of a table by the names that stand in it.

    Parameters
    ----------
    file : TextFile
    table_format : TableFormat
    columns : sequence of str
    only : mapping from str to collection of str, optional
        Values of some of the columns: other rows are not kept, so that a table may be larger than the memory.

    Returns
    -------
    DataFrame, dtype str
        Values have no blanks around them; empty values are missing.

    Raises
    ------
    DataError
        If the table cannot be read, lacks one of the columns, has a stray quote, or control characters in the columns.

    Examples
    --------
    >>> file = TextFile("birds.csv", lambda: io.BytesIO(b"genus,year\nPica,1823\n"))
    >>> read_table(file, TableFormat(), ["year"])["year"].tolist()
    ['1823']
    """
    names = read_column_names(file, table_format)
    if not names:
        return pd.DataFrame(columns=columns, dtype="str")
    absent = [column for column in columns if column not in names]
    quoting = _find_quoting(file, table_format, names)
    if absent:
        if not table_format.header:  # its first row may be a short one
            _check_records(file, table_format, quoting, n_described=1 + max(int(name[1:]) for name in absent))
        raise DataError(f"{file.name} has {len(names)} columns in a row; {some(absent)} is none of them")
    table, n_rows = _read_arrow(file, table_format, columns, quoting, only)
    if quoting.quote and n_rows + table_format.header != quoting.n_lines:
        _check_records(file, table_format, quoting)
    for column in columns:
        odd = table[column].filter(pc.match_substring_regex(table[column], _CONTROL_CHARACTERS))
        if len(odd):
            examples = some([*odd.slice(0, 5).to_pylist()])
            raise DataError(f"{file.name} has control characters in {len(odd)} values of column '{column}': {examples}")
    frame = pd.DataFrame({column: table[column].to_pandas().astype("str") for column in columns}, dtype="str")
    for column in columns if quoting.is_text else ():
        enclosed = frame[column].str.startswith(table_format.quote, na=False)
        frame.loc[enclosed, column] = frame.loc[enclosed, column].map(unquote)
    return frame.apply(lambda values: values.str.strip().replace("", None))


def read_numbers(file: TextFile, table_format: TableFormat, columns: Sequence[str]) -> Iterator[np.ndarray]:
    r"""Yield the numbers in columns of a table, block by block.

    Parameters
    ----------
    file : TextFile
    table_format : TableFormat
    columns : sequence of str, d names

    Yields
    ------
    ndarray, shape (rows of the block, d), float32
        NaN for empty fields.

    Raises
    ------
    DataError
        If the table cannot be read, or a value is no number.

    Examples
    --------
    >>> file = TextFile("a.csv", lambda: io.BytesIO(b"id,x0,x1\n1,0.5,-2\n"))
    >>> next(read_numbers(file, TableFormat(), ["x0", "x1"])).tolist()
    [[0.5, -2.0]]
    """
    quoting = _find_quoting(file, table_format, read_column_names(file, table_format))
    table_format = replace(table_format, quote=quoting.quote)
    written = [quoting.written.get(column, column) for column in columns]
    with file.open() as stream:
        try:
            with csv.open_csv(stream, *_arrow_options(table_format, file.name, written, pa.float32())) as reader:
                for batch in reader:
                    arrays = [batch[column].to_numpy(zero_copy_only=False) for column in written]
                    yield np.stack(arrays, axis=1).astype(np.float32, copy=False)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _unreadable(file, table_format, error, quoting) from error


@dataclass(frozen=True)
class _Quoting:
    """The rules by which the quotes of a table are read.

    `n_lines` are its lines that are not empty, without skipped ones; `is_text` is True if quotes count only around a
    whole field; `encloses_all` if the header is quoted throughout. `written` are the columns as the header writes them,
    where it has quotes that are text.
    """

    quote: str
    n_fields: int
    n_lines: int
    is_text: bool = False
    encloses_all: bool = False
    written: Mapping[str, str] = field(default_factory=dict)


def _find_quoting(file: TextFile, table_format: TableFormat, names: Sequence[str]) -> _Quoting:
    """Return how the quotes of a table are read; see `TableFormat.by_lines`."""
    quote, separator = table_format.quote.encode(), table_format.separator.encode()
    n_fields, n_lines, n_whole, n_quoted, first = len(names), 0, 0, 0, b""
    for line in lines_of(file, table_format):
        if line:
            n_lines += 1
            first = first or line
            n_whole += line.count(separator) + 1 == n_fields
            n_quoted += bool(quote) and quote in line
    if not n_quoted:
        return _Quoting("", n_fields, n_lines)
    fields = first.split(separator)
    encloses_all = table_format.header and all(name[:1] == name[-1:] == quote for name in fields)
    if table_format.by_lines and n_whole == n_lines:
        rows = records(lines_of(file, table_format), separator, quote) if encloses_all else ()
        if not encloses_all or any(
            row.n_fields != n_fields or row.n_bare or row.describe_stray_quote(n_fields, encloses_all) for row in rows
        ):
            texts = [name.decode(table_format.encoding, "replace") for name in fields]
            written = dict(zip(names, texts, strict=True)) if table_format.header and quote in first else {}
            return _Quoting("", n_fields, n_lines, is_text=True, written=written)
    return _Quoting(table_format.quote, n_fields, n_lines, encloses_all=encloses_all)


def _read_arrow(
    file: TextFile, table_format: TableFormat, columns: Sequence[str], quoting: _Quoting, only: Only | None
) -> tuple[pa.Table, int]:
    """Return the rows that are kept, and the number of all rows."""
    last_line = "\n" + table_format.separator.join([_LAST_LINE] * quoting.n_fields) + "\n"
    written = [quoting.written.get(column, column) for column in columns]
    options = _arrow_options(replace(table_format, quote=quoting.quote), file.name, written)
    batches, n_rows, last = [], 0, None
    with file.open() as stream:
        try:
            with csv.open_csv(_WithMoreBytes(stream, last_line.encode(table_format.encoding)), *options) as reader:
                for batch in reader:
                    batch = batch.rename_columns(list(columns))
                    n_rows += len(batch)
                    last = batch.slice(len(batch) - 1) if len(batch) else last
                    for column, values in (only or {}).items():
                        batch = batch.filter(pc.is_in(batch[column], pa.array([*values, _LAST_LINE], pa.string())))
                    batches.append(batch)
                table = pa.Table.from_batches(batches) if batches else None
        except (pa.ArrowException, ValueError, OSError) as error:
            raise _unreadable(file, table_format, error, quoting) from error
    if table is None or last is None or any(last[column][0].as_py() != _LAST_LINE for column in columns):
        _check_records(file, table_format, quoting)
        raise DataError(f"{file.name} {_UNREADABLE} a quote in it is never closed")
    return table.slice(0, len(table) - 1), n_rows - 1


def _arrow_options(
    table_format: TableFormat, name: str, columns: Sequence[str] = (), kind: pa.DataType | None = None
) -> tuple[csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]:
    try:
        keeps_ascii = "\n,".encode(table_format.encoding) == b"\n,"
    except (LookupError, ValueError):  # unknown, or no encoding of text: zlib, base64
        keeps_ascii = False
    if not keeps_ascii:
        raise DataError(
            f"{name} is written in {printable(shorten(table_format.encoding))}, which is not supported; "
            "save it as UTF-8"
        )
    try:
        parse_options = csv.ParseOptions(
            delimiter=table_format.separator,
            quote_char=table_format.quote or False,
            newlines_in_values=bool(table_format.quote),
        )
        parse_options.validate()
    except (ValueError, pa.ArrowException) as error:
        raise DataError(f"{name} {_UNREADABLE} {printable(one_line(error))}") from error
    return (
        csv.ReadOptions(
            encoding=table_format.encoding,
            autogenerate_column_names=not table_format.header,
            skip_rows=table_format.skip,
            block_size=BLOCK_BYTES,
        ),
        parse_options,
        csv.ConvertOptions(
            include_columns=list(columns) or None,
            column_types=dict.fromkeys(columns, kind or pa.string()),
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


def _unreadable(file: TextFile, table_format: TableFormat, error: Exception, quoting: _Quoting | None) -> DataError:
    """Return the error to raise in place of Arrow's, which does not tell the line."""
    reason = printable(one_line(error))  # cut, because Arrow quotes the whole row
    if "Empty CSV" in reason:
        reason = "it is empty"
    if quoting and re.search(r"Expected \d+ columns, got \d+", reason):
        _check_records(file, table_format, quoting)
    if "UTF8" in reason or isinstance(error, UnicodeError):
        number = next((n for n, line in enumerate(file.lines(), 1) if not _decodes(line, table_format.encoding)), None)
        where = f"in line {number}" if number else reason
        reason = f"it is not {table_format.encoding.upper()}; save it as UTF-8 ({where})"
    return DataError(f"{file.name} {_UNREADABLE} {reason}")


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeError:
        return False
    return True


def _check_records(file: TextFile, table_format: TableFormat, quoting: _Quoting, n_described: int = 0) -> None:
    """Raise `DataError` for the first stray quote, or for the rows that have too many or too few fields.

    `n_described` are the fields that a table without a header should have.
    """
    lines_of_width: dict[int, list[int]] = {}
    for record in records(lines_of(file, table_format), table_format.separator.encode(), quoting.quote.encode()):
        stray = record.describe_stray_quote(quoting.n_fields, quoting.encloses_all)
        if stray and table_format.by_lines and not quoting.encloses_all:
            # Its quotes are text, and some of its lines are no rows.
            _check_records(file, table_format, replace(quoting, quote=""))
        if stray:
            raise DataError(f"{file.name} {_UNREADABLE} {stray}; remove it, or double it and quote the whole field")
        lines_of_width.setdefault(record.n_fields, []).append(record.line)
    if table_format.header:
        wrong = describe_wrong_rows(lines_of_width, quoting.n_fields)
    else:
        n_fields = n_described if n_described in lines_of_width else None
        wrong = describe_wrong_rows(lines_of_width, n_fields, "its description")
    if wrong:
        raise DataError(f"{file.name} {_UNREADABLE} {wrong}")
