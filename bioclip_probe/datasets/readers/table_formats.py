"""Formats of text tables: separators, quotes and encodings, and how the format of a file is found."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bioclip_probe.datasets.readers.quotes import records
from bioclip_probe.datasets.readers.text_files import BLOCK_BYTES, TextFile

_MAX_HEADER_BYTES, _MAX_HEADER_LINES = 1 << 20, 100
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
    by_lines : bool
        True if quotes are text wherever every line has as many fields as the first.

    Examples
    --------
    >>> TableFormat("\t", by_lines=True) == TSV
    True
    """

    separator: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0
    by_lines: bool = False


CSV = TableFormat()
TSV = TableFormat("\t", by_lines=True)
#: The formats of a table whose ending does not tell how it is written: GBIF's ``.csv`` has tabs, some countries' ``;``.
FORMATS = (CSV, TSV, TableFormat(";"), TableFormat("|"))


def find_format(file: TextFile, table_format: TableFormat, count_known: Callable[[list[str]], int]) -> TableFormat:
    r"""Return the format that gives a table the most columns that are known by name.

    Parameters
    ----------
    file : TextFile
    table_format : TableFormat
        The format that the file's name tells. It is kept unless another one is better.
    count_known : callable
        Function of the names of the columns that returns how many of them are known.

    Returns
    -------
    TableFormat

    Raises
    ------
    DataError
        If the file is no text.

    Examples
    --------
    >>> file = TextFile("0012345.csv", lambda: io.BytesIO(b"gbifID\tgenus\n1\tPica\n"))
    >>> find_format(file, CSV, lambda names: "genus" in names).separator
    '\t'
    """
    text = file.head(_MAX_HEADER_BYTES).decode("utf-8-sig", "replace")
    hint = re.match(r"sep=([,;|\t])\r?\n", text)  # a line that Excel reads and hides
    candidates = [table_format, *FORMATS]
    if hint:
        candidates = [replace(each, skip=1) for each in FORMATS if each.separator == hint[1]]
        text = text[hint.end() :]

    def n_known(candidate: TableFormat) -> int:
        rows = csv.reader(io.StringIO(text), delimiter=candidate.separator, quotechar=candidate.quote)
        try:
            return count_known([name.strip() for name in next(rows, [])])
        except csv.Error:
            return 0

    return max(candidates, key=n_known)  # the first of the best


def lines_of(file: TextFile, table_format: TableFormat) -> Iterator[bytes]:
    r"""Yield the lines of a table; skipped ones are empty, so that the others keep their numbers.

    Parameters
    ----------
    file : TextFile
    table_format : TableFormat

    Yields
    ------
    bytes
        Without line end and byte order mark.

    Examples
    --------
    >>> list(lines_of(TextFile("a.txt", lambda: io.BytesIO(b"about\ngenus\nPica\n")), TableFormat(skip=1)))
    [b'', b'genus', b'Pica']
    """
    for number, line in enumerate(file.lines()):
        text = line if number else line.removeprefix(_BYTE_ORDER_MARK)
        yield text if number >= table_format.skip else b""


def first_row(file: TextFile, table_format: TableFormat) -> bytes:
    r"""Return the bytes of the header, or of the first row of a table without one.

    Parameters
    ----------
    file : TextFile
    table_format : TableFormat

    Returns
    -------
    bytes
        With the ends of its lines; empty if there is none.

    Examples
    --------
    >>> first_row(TextFile("a.csv", lambda: io.BytesIO(b'"genus\nname",year\nPica\n')), TableFormat())
    b'"genus\nname",year\n'
    """
    with file.open() as stream:
        content = stream.read(BLOCK_BYTES).removeprefix(_BYTE_ORDER_MARK)
    lines: list[bytes] = []
    begin = start = 0
    for number, line_end in enumerate(re.finditer(rb"\r\n|\n|\r|\Z", content)):
        line = content[start : line_end.start()]
        start = line_end.end()
        if number < table_format.skip or not (line or lines):
            begin = start
            continue
        lines.append(line)
        record = next(records(lines, table_format.separator.encode(), table_format.quote.encode()))
        if not record.is_open or len(lines) == _MAX_HEADER_LINES:
            return content[begin:start]
    return content[begin:]
