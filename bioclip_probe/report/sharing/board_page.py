"""The page of a board: one file of HTML without scripts, that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bioclip_probe.errors import printable
from bioclip_probe.files import write_atomically
from bioclip_probe.report.sharing import wording
from bioclip_probe.report.sharing.boards import BoardRow, BoardSection, BoardTable, Submitted, board_sections
from bioclip_probe.report.sharing.submissions import Refused, Verify, collect_submissions

FILE = "board.html"
#: Width of the drawing of an interval, in its own units.
WIDTH = 200
COLUMNS = (
    "section", "protocol", "instance", "endpoint", "metric", "place", "model", "control", "value", "ci_low", "ci_high",
    "p_adjusted", "n_units", "n_images", "status", "submitted_by",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Board:
    """Submissions that were compared where they may be.

    Attributes
    ----------
    sections : list of BoardSection
    apart : list of (Submitted, str)
        Valid submissions that stand in no table, with the reason.
    refused : list of Refused
        Files that are not valid submissions.
    """

    sections: list[BoardSection]
    apart: list[tuple[Submitted, str]]
    refused: list[Refused]

    def table(self) -> pd.DataFrame:
        """Return every number of the board, a row each.

        Returns
        -------
        DataFrame
            Columns `COLUMNS`.
        """
        rows = [
            _flat(number, section, table, row)
            for number, section in enumerate(self.sections, 1)
            for table in section.tables
            for row in table.rows
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def write(self, path: str | Path) -> Path:
        """Write the board as a page.

        Parameters
        ----------
        path : str or Path
            Its folder is made if missing.

        Returns
        -------
        Path
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        page = _page(self)
        write_atomically(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))
        return path


def read_board(folder: str | Path, verify: Verify | None = None) -> Board:
    """Return the board of all submissions in a folder and below: files, results folders and zips.

    Parameters
    ----------
    folder : str or Path
    verify : callable, optional
        Recomputes the numbers of a results folder, see `collect_submissions`.

    Returns
    -------
    Board

    Raises
    ------
    DataError
        If there is no such folder, or no submission in it.

    Examples
    --------
    >>> read_board("no/such/folder")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: there is no folder no/such/folder
    """
    submitted, refused = collect_submissions(folder, verify)
    sections, apart = board_sections(submitted)
    return Board(sections, apart, refused)


def status_in_words(recomputed: bool) -> str:
    """Return the status of a number: recomputed from vectors, or reported by its laboratory.

    Examples
    --------
    >>> status_in_words(True), status_in_words(False)
    ('recomputed', 'reported')
    """
    return "recomputed" if recomputed else "reported"


def _flat(number: int, section: BoardSection, table: BoardTable, row: BoardRow) -> dict[str, Any]:
    """Return a row of the board for a table."""
    low, high = row.number["interval"] or (None, None)
    return {
        "section": number,
        "protocol": section.protocol["id"],
        "instance": section.protocol["instance"],
        "endpoint": table.title,
        "metric": table.metric,
        "place": row.place,
        "model": row.model["name"],
        "control": row.model["control"],
        "value": row.number["value"],
        "ci_low": low,
        "ci_high": high,
        "p_adjusted": row.number["p_adjusted"],
        "n_units": row.number["n_units"],
        "n_images": row.number["n_images"],
        "status": status_in_words(row.recomputed),
        "submitted_by": "; ".join(dict.fromkeys(section.submissions[index].who for index, _ in row.holders)),
    }


def _page(board: Board) -> str:
    """Return the text of the page."""
    import jinja2

    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("bioclip_probe.report.sharing", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    functions = {"status": status_in_words, "axis": axis_of, "submitters": submitters_of, "notes": notes_of}
    return pages.get_template("board.html").render(board=board, words=wording, WIDTH=WIDTH, **functions)


def _printable(value: Any) -> Any:
    """Return what the page shows of a value: a text without characters that turn or break its line."""
    return printable(value) if type(value) is str else value


def submitters_of(row: BoardRow, section: BoardSection) -> list[int]:
    """Return the numbers of the submissions that hold a row, from 1, each once."""
    return list(dict.fromkeys(index + 1 for index, _ in row.holders if index < len(section.submissions)))


def notes_of(table: BoardTable) -> list[tuple[str, str]]:
    """Return the notes on the numbers of a table, each once, and the models that each is about.

    Parameters
    ----------
    table : BoardTable

    Returns
    -------
    list of (str, str)
        Note, and names of models; ``All`` where it is about every row.
    """
    names: dict[str, list[str]] = {}
    for row in table.rows:
        if row.number["note"]:
            names.setdefault(row.number["note"], []).append(row.model["name"])
    return [(note, "All" if len(own) == len(table.rows) else ", ".join(own)) for note, own in names.items()]


@dataclass(frozen=True)
class Axis:
    """The axis on which the intervals of a table are drawn.

    Attributes
    ----------
    low, high : float
        Its ends, as values.

    Examples
    --------
    >>> Axis(0.0, 1.0).x(0.25)
    50.0
    """

    low: float
    high: float

    def x(self, value: float) -> float:
        """Return the place of a value in the drawing, from 0 to `WIDTH`."""
        return round(WIDTH * (value - self.low) / (self.high - self.low), 1)


def axis_of(rows: Sequence[BoardRow]) -> Axis:
    """Return an axis that shows zero, all values, intervals and levels of chance of some rows.

    Parameters
    ----------
    rows : sequence of BoardRow

    Returns
    -------
    Axis
        A little longer than what it shows, so that nothing touches its ends.
    """
    numbers = [row.number for row in rows]
    shown = [0.0, *_defined(number["value"] for number in numbers), *_defined(number["chance"] for number in numbers)]
    shown += [end for number in numbers for end in number["interval"] or ()]
    low, high = min(shown), max(shown)
    margin = 0.04 * (high - low) or 1.0
    return Axis(low - margin, high + margin)


def _defined(values: Iterable[float | None]) -> list[float]:
    """Return the values that are defined."""
    return [value for value in values if value is not None]
