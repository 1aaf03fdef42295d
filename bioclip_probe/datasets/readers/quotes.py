r"""Quotes in text tables: where they enclose fields, where they are text, and where one is stray.

A quote that opens a field and is never closed swallows everything up to the next quote, often some rows below: one row
is then built of two, without any error. The rows by quoting are therefore compared with the lines. A field that
swallows a line end is truly quoted if its lines are no rows by themselves; where every one of its lines has as many
fields as a row, its quote is taken as stray.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class Record:
    """One row of a text table, by quoting.

    Attributes
    ----------
    line : int
        Number of its first line, counted from 1.
    n_fields : int
        Its fields, by quoting.
    fields_of_lines : list of int
        Fields of each of its lines, if quotes are text.
    is_open : bool
        True if the table ends before the quote of its last field is closed.
    stray_line : int
        Number of the first line with a quote that encloses a separator or a line end, and is followed by text in place
        of a separator; 0 if there is none.

    Examples
    --------
    >>> record = next(records([b'1.jpg,"two', b'lines"'], b",", b'"'))
    >>> record.n_fields, record.fields_of_lines
    (2, [2, 1])
    """

    line: int
    n_fields: int = 1
    fields_of_lines: list[int] = field(default_factory=list)
    is_open: bool = False
    stray_line: int = 0

    def describe_stray_quote(self, n_fields: int) -> str | None:
        """Return what is wrong with the quotes of the record, if anything is.

        Parameters
        ----------
        n_fields : int
            Fields of a row. A record of several lines, each with as many fields as a row, is taken as several rows.
            0 if no line of the table can be a row without quotes.

        Returns
        -------
        str or None
        """
        if self.is_open:
            return f"a quote in it is never closed: that in line {self.stray_line}"
        if self.stray_line:
            return f"line {self.stray_line} has a stray quote, which swallows what follows it"
        n_lines = len(self.fields_of_lines)
        if n_lines > 1 and all(n == n_fields for n in self.fields_of_lines):
            last = self.line + n_lines - 1
            return f"line {self.line} has a stray quote, which makes one row of the lines {self.line} to {last}"
        return None


def records(lines: Iterable[bytes], separator: bytes, quote: bytes) -> Iterator[Record]:
    """Yield the rows of a table by quoting. Lines without any character are skipped, except inside a quoted field.

    A quote opens a field if it is its first character. Two of them inside are one quote that is text. A quote inside a
    field that was not opened by one is text.

    Parameters
    ----------
    lines : iterable of bytes
        Without their ends.
    separator : bytes
        One character.
    quote : bytes
        One character; empty if no field is quoted.

    Yields
    ------
    Record

    Examples
    --------
    >>> [record.n_fields for record in records([b'1.jpg,"Pica, pica"', b"2.jpg,Corvus"], b",", b'"')]
    [2, 2]
    """
    record: Record | None = None
    opened_at = 0
    for number, line in enumerate(lines, 1):
        if record is None:
            if not line:
                continue
            record = Record(number)
        n_separators = line.count(separator)
        record.fields_of_lines.append(n_separators + 1)
        if not record.is_open and (not quote or quote not in line):
            record.n_fields += n_separators
        else:
            opened_at = _read_line(line, number, separator, quote, record, opened_at)
        if not record.is_open:
            yield record
            record = None
    if record is not None:
        record.stray_line = opened_at
        yield record


def _read_line(line: bytes, number: int, separator: bytes, quote: bytes, record: Record, opened_at: int) -> int:
    """Add a line to a record, and return the number of the line where its last quote was opened."""
    position, swallows = 0, record.is_open
    while True:
        if not record.is_open:
            if line[position : position + 1] != quote:  # no quote encloses this field
                end = line.find(separator, position)
                if end < 0:
                    return opened_at
                record.n_fields += 1
                position = end + 1
                continue
            record.is_open, opened_at, swallows = True, number, False
            position += 1
        end = line.find(quote, position)
        while end >= 0 and line[end + 1 : end + 2] == quote:
            end = line.find(quote, end + 2)
        if end < 0:
            return opened_at
        record.is_open = False
        swallows |= line.find(separator, position, end) >= 0
        position = end + 1
        if position == len(line):
            return opened_at
        if line[position : position + 1] != separator and swallows:
            record.stray_line = record.stray_line or opened_at
        end = line.find(separator, position)
        if end < 0:
            return opened_at
        record.n_fields += 1
        position = end + 1


def unquote(text: str, quote: str = '"') -> str:
    r"""Return a field without the quotes around it; a field with a stray quote is returned as it is.

    Parameters
    ----------
    text : str
    quote : str

    Returns
    -------
    str

    Examples
    --------
    >>> unquote('"A. ""Al"" Bird"'), unquote('"Falk'), unquote('"Al" Bird')
    ('A. "Al" Bird', '"Falk', '"Al" Bird')
    """
    if len(text) < 2 or not (text.startswith(quote) and text.endswith(quote)):
        return text
    inner = text[1:-1]
    return text if quote in inner.replace(quote * 2, "") else inner.replace(quote * 2, quote)
