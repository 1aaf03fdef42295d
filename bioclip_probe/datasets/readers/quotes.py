r"""Quotes in text tables: where they enclose fields, where they are text, and where one is stray.

A quote that opens a field and is never closed swallows everything up to the next quote, often some rows below: one row
is then built of two, without any error. The rows by quoting are therefore compared with the lines. A field that
swallows a line end is truly quoted if its lines are no rows by themselves; where every one of its lines has as many
fields as a row, its quote is taken as stray, unless the table encloses all its texts in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bioclip_probe.errors import some

#: Values that a table writes without quotes although it encloses its texts: numbers, truth values, nothing.
_NO_TEXT = re.compile(rb"[-+]?[\d.]*(?:[eE][-+]?\d+)?|NA|NaN|nan|NULL|null|inf|true|false|TRUE|FALSE|True|False")


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
        Fields of each of its lines, if the quote that swallows its end is text.
    n_bare : int
        Fields that are texts, and not enclosed in quotes.
    is_open : bool
        True if the table ends before the quote of its last field is closed.
    stray_line : int
        Number of the first line with a quote that encloses a separator or a line end, and is followed by text in place
        of a separator; 0 if there is none.

    Examples
    --------
    >>> record = next(records([b'1.jpg,"two', b'lines"'], b",", b'"'))
    >>> record.n_fields, record.fields_of_lines, record.n_bare
    (2, [2, 1], 1)
    """

    line: int
    n_fields: int = 1
    fields_of_lines: list[int] = field(default_factory=list)
    n_bare: int = 0
    is_open: bool = False
    stray_line: int = 0

    def describe_stray_quote(self, n_fields: int, encloses_all: bool) -> str | None:
        """Return what is wrong with the quotes of the record, if anything is.

        Parameters
        ----------
        n_fields : int
            Fields of a row. A record of several lines, each with as many fields as a row, is taken as several rows.
        encloses_all : bool
            True if the header of the table is quoted throughout: then such a record is one row if all its texts are.

        Returns
        -------
        str or None
        """
        if self.is_open:
            return f"a quote in it is never closed: that in line {self.stray_line}"
        if self.stray_line:
            return f"line {self.stray_line} has a stray quote, which swallows what follows it"
        n_lines = len(self.fields_of_lines)
        if n_lines > 1 and all(n == n_fields for n in self.fields_of_lines) and (self.n_bare or not encloses_all):
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
        if not record.is_open and (not quote or quote not in line):
            fields = line.split(separator)
            record.fields_of_lines.append(len(fields))
            record.n_fields += len(fields) - 1
            record.n_bare += sum(map(_is_text, fields))
        else:
            opened_at = _read_line(line, number, separator, quote, record, opened_at)
        if not record.is_open:
            yield record
            record = None
    if record is not None:
        record.stray_line = opened_at
        yield record


def _is_text(content: bytes) -> bool:
    return _NO_TEXT.fullmatch(content) is None


def _read_line(line: bytes, number: int, separator: bytes, quote: bytes, record: Record, opened_at: int) -> int:
    """Add a line to a record, and return the number of the line where its last quote was opened."""
    position, n_in_line = 0, 1
    while True:
        if not record.is_open:
            if line[position : position + 1] != quote:  # no quote encloses this field
                end = line.find(separator, position)
                record.n_bare += _is_text(line[position : end if end >= 0 else len(line)])
                if end < 0:
                    break
                record.n_fields += 1
                n_in_line += 1
                position = end + 1
                continue
            record.is_open, opened_at = True, number
            position += 1
        end = line.find(quote, position)
        while end >= 0 and line[end + 1 : end + 2] == quote:
            end = line.find(quote, end + 2)
        n_swallowed = line.count(separator, position, end if end >= 0 else len(line))
        if opened_at < number or end < 0:  # the field has several lines: what it swallows may be fields
            n_in_line += n_swallowed
        if end < 0:
            break
        record.is_open = False
        position = end + 1
        if position == len(line):
            break
        if line[position : position + 1] != separator and (n_swallowed or opened_at < number):
            record.stray_line = record.stray_line or opened_at
        end = line.find(separator, position)
        if end < 0:
            break
        record.n_fields += 1
        n_in_line += 1
        position = end + 1
    record.fields_of_lines.append(n_in_line)
    return opened_at


def describe_wrong_rows(
    lines_of_width: Mapping[int, Sequence[int]], n_fields: int | None, above: str = "its header"
) -> str | None:
    """Return which rows have too many or too few fields, if any have.

    Parameters
    ----------
    lines_of_width : mapping from int to sequence of int
        The numbers of the lines of the rows with each number of fields, in order.
    n_fields : int or None
        Fields of a row; None if nothing tells it, and most rows are taken as right.
    above : str
        What tells it.

    Returns
    -------
    str or None

    Examples
    --------
    >>> describe_wrong_rows({3: [2, 4], 2: [3]}, 3)
    'line 3 has fewer fields than its header, 2 in place of 3; write the separators of empty fields too, and quote \
fields that hold a line end'
    """
    right = n_fields if n_fields is not None else max(lines_of_width, key=lambda width: len(lines_of_width[width]))
    wrong = sorted((line, width) for width, lines in lines_of_width.items() if width != right for line in lines)
    if not wrong:
        return None
    line, width = wrong[0]
    amount, hint = "more", "quote fields that hold a separator"
    if {width for _, width in wrong} == {right + 1} and len(lines_of_width.get(right, ())) < 2 < len(wrong) + 1:
        hint = "name every column (R leaves out that of the names of rows), or end no row with a separator"
    if width < right:
        amount, hint = "fewer", "write the separators of empty fields too, and quote fields that hold a line end"
    others = f" ({len(wrong)} such rows, in lines {some(line for line, _ in wrong)})" if len(wrong) > 1 else ""
    above = "most rows" if n_fields is None else above
    return f"line {line} has {amount} fields than {above}, {width} in place of {right}{others}; {hint}"


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
