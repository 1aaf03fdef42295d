"""A table of the appendix: what it holds, and how wide its columns are in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("text", "number", "code")
#: Width in em that fits on a line of LaTeX's own article in `\footnotesize`, less the gaps between columns.
FITTING = 36.0
#: Columns of text up to this width in em keep it; the share of a column in a line grows up to the other.
SHORT, LONG = 12.0, 34.0
#: A group of up to so many lines stays on a page; a line of a cell holds so many characters or more.
KEPT_LINES, SHORTEST_LINE = 40, 12
#: A heading of more characters may break at its blanks.
UNBROKEN = 8
#: The last character that fonts of LaTeX may have, before Unicode's punctuation.
MOST_IN_FONTS = 0x2030


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    heading : str
    kind : str
        ``text``, ``number`` (set flush right, never broken) or ``code`` (typewriter letters).

    Examples
    --------
    >>> Column("images", "number").kind
    'number'
    """

    heading: str
    kind: str = "text"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no kind of column '{self.kind}'; expected one of: {', '.join(KINDS)}")


@dataclass(frozen=True)
class PaperTable:
    """A table that runs over as many pages as it needs.

    Attributes
    ----------
    name : str
        Stem of its file, and its label.
    caption : str
    columns : sequence of Column
    rows : sequence of sequence of str
        As many cells as there are columns.
    grouped : bool
        A first cell that repeats the one above it is left empty, and a little space stands above each new one.

    Examples
    --------
    >>> table = PaperTable("ranks", "Taxa", (Column("rank"), Column("taxa", "number")), (("genus", "96"),))
    >>> table.groups
    [[['genus', '96']]]
    >>> table.widths
    ['2.80em', '2.00em']
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    grouped: bool = False

    @property
    def groups(self) -> list[list[list[str]]]:
        """Rows in groups: those that follow each other and share their first cell, if the table is grouped."""
        groups: list[list[list[str]]] = []
        first = None
        for row in self.rows:
            cells = [str(cell) for cell in row]
            if not groups or (self.grouped and cells[0] != first):
                groups.append([cells])
            else:
                groups[-1].append(["", *cells[1:]] if self.grouped else cells)
            first = cells[0]
        return groups

    @property
    def widths(self) -> list[str]:
        r"""The width of each column as LaTeX has it.

        A column is as wide as its widest entry if that is a number or short, or if all columns fit on a line. The
        others share the rest of the line, by the lengths of their widest entries.
        """
        natural = [self._natural(place) for place in range(len(self.columns))]
        if sum(natural) <= FITTING:
            return [f"{width:.2f}em" for width in natural]
        flexible = [
            column.kind != "number" and width > SHORT for column, width in zip(self.columns, natural, strict=True)
        ]
        fixed = sum(width for width, is_flexible in zip(natural, flexible, strict=True) if not is_flexible)
        weights = [min(width, LONG) * is_flexible for width, is_flexible in zip(natural, flexible, strict=True)]
        rest = rf"\linewidth-{fixed:.2f}em-{2 * (len(self.columns) - 1)}\tabcolsep"
        shares = [int(1000 * weight / max(sum(weights), 1)) for weight in weights]
        return [
            rf"\dimexpr({rest})*{share}/1000\relax" if share else f"{width:.2f}em"
            for width, share in zip(natural, shares, strict=True)
        ]

    @staticmethod
    def stays_on_a_page(group: Sequence[Sequence[str]]) -> bool:
        """Return True if a group of rows is so short that no page should end within it.

        Parameters
        ----------
        group : sequence of sequence of str

        Returns
        -------
        bool

        Examples
        --------
        >>> PaperTable.stays_on_a_page([["genus", "96"]]), PaperTable.stays_on_a_page([["genus", "96"]] * 50)
        (True, False)
        """
        return sum(1 + max(map(len, row)) // SHORTEST_LINE for row in group) <= KEPT_LINES

    @property
    def wraps(self) -> bool:
        """True if entries may run over several lines."""
        return not all(width[0].isdigit() for width in self.widths)

    def _natural(self, place: int) -> float:
        """Return the width of the widest entry of a column in em; a heading may break at its blanks."""
        heading = self.columns[place].heading
        words = heading.split() if len(heading) > UNBROKEN else [heading]
        entries = [*words, *(str(row[place]) for row in self.rows)]
        return max(width_of(entry, self.columns[place].kind) for entry in (*entries, "0"))


def width_of(text: str, kind: str = "text") -> float:
    """Return about how wide a text is in LaTeX, in em, rather too wide than too narrow.

    Parameters
    ----------
    text : str
    kind : str
        That of its column.

    Returns
    -------
    float

    Examples
    --------
    >>> width_of("0.351", "number"), width_of("genus")
    (2.5, 2.8)
    """
    return round(sum(_letter_width(letter, kind) for letter in text), 2)


def _letter_width(letter: str, kind: str) -> float:
    """Return the width of a character in em; one that no font has is printed as its number."""
    if ord(letter) > MOST_IN_FONTS:
        return 3.6
    if kind == "code":
        return 0.56
    if kind == "number":
        return 0.8 if letter in "-–−<" else 0.5
    return 1.05 if letter in "MWmw@%—" else 0.78 if letter.isupper() else 0.56
