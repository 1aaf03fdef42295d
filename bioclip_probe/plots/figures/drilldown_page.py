"""The layout of the drill-down: where its panels and legends stand, and how high they are."""

from __future__ import annotations

from collections.abc import Sequence

from bioclip_probe.plots.settings import FigureSettings

#: Inches: one line of type, the models' names, between panels, around the page.
_LINE, _SIDE, _GAP, _EDGE = 0.115, 0.26, 0.07, 0.09
_NARROWEST, _WIDEST, _HIGHEST, _LOWEST = 0.95, 2.25, 1.6, 0.42  # a panel


def n_columns(settings: FigureSettings, wanted: int) -> int:
    """Return how many panels stand side by side.

    Parameters
    ----------
    settings : FigureSettings
    wanted : int

    Examples
    --------
    >>> n_columns(FigureSettings(), 6), n_columns(FigureSettings(width="single"), 6)
    (6, 3)
    """
    return min(wanted, int((settings.page - _SIDE - 2 * _EDGE) // _NARROWEST))


def page_width(settings: FigureSettings, columns: int) -> float:
    """Return the width of a page of so many panels, in inches.

    Parameters
    ----------
    settings : FigureSettings
    columns : int

    Examples
    --------
    >>> page_width(FigureSettings(), 1)
    3.4
    """
    return settings.page if columns > 1 else min(settings.page, 3.4)


class Page:
    """The positions of panels and legends, as fractions of a page as wide as the settings say, or half of it.

    Parameters
    ----------
    settings : FigureSettings
    n_taxa : sequence of sequence of int
        Number of taxa in the legend of each panel, block by block.
    n_models : int
        Rows of each block.
    captioned : bool
        There are numbers below the panels. They are short where they would make the page too high.
    heading : float
        Height of the heading, in inches.

    Examples
    --------
    >>> page, slide = (Page(FigureSettings(width=width), [[6] * 6], 3, True, 0.33) for width in ("double", "slide"))
    >>> page.short, slide.short
    (False, True)
    """

    def __init__(
        self,
        settings: FigureSettings,
        n_taxa: Sequence[Sequence[int]],
        n_models: int,
        captioned: bool,
        heading: float,
    ) -> None:
        columns = len(n_taxa[0])
        self.page, self._heading = page_width(settings, columns), heading
        self.width = min((self.page - _SIDE - 2 * _EDGE - (columns - 1) * _GAP) / columns, _WIDEST)
        self.height = min(self.width, _HIGHEST)
        self.title_size = "small" if self.width < 1.3 else "medium"
        self.title_width = int(self.width * 72 / (0.57 * (6.05 if self.width < 1.3 else 7.25)))  # in characters
        self.legend_columns = 2 if self.width > 1.9 else 1
        self._title = 3 * _LINE + 0.05
        self._legends = [1.16 * _LINE * -(-max(block) // self.legend_columns) for block in n_taxa]
        self._n_models, self._key = n_models, 0.0
        self._caption = (2 if self.width > 1.3 else 4) * _LINE + 0.07 if captioned else _GAP
        self.short = False
        room = settings.tallest - heading
        if self.height_below > room:
            self.short = captioned
            if captioned:
                self._caption, self._key = _LINE + 0.07, _LINE + 0.05
            excess = (self.height_below - room) / (n_models * len(n_taxa))
            self.height = max(self.height - max(excess, 0), _LOWEST)

    @property
    def height_below(self) -> float:
        """Height below the heading, in inches."""
        return sum(self._block(number) for number in range(len(self._legends))) + self._key + _EDGE

    @property
    def total(self) -> float:
        """Height of the figure, in inches."""
        return self.height_below + self._heading

    def panel(self, block: int, row: int, column: int) -> tuple[float, float, float, float]:
        """Return the box of a panel: left, bottom, width, height."""
        return self._box(column, self._top(block) + self._title + row * self._row, self.height)

    def legend(self, block: int, column: int) -> tuple[float, float, float, float]:
        """Return the box of a legend."""
        high = self._legends[block]
        return self._box(column, self._top(block + 1) - high - 0.08, high)

    @property
    def _row(self) -> float:
        return self.height + self._caption

    def _block(self, number: int) -> float:
        return self._title + self._n_models * self._row + self._legends[number] + 0.08

    def _top(self, block: int) -> float:
        return sum(self._block(number) for number in range(block))

    def _box(self, column: int, top: float, height: float) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of a box whose top is so many inches below the heading."""
        left, total = _EDGE + _SIDE + column * (self.width + _GAP), self.total
        return left / self.page, 1 - (self._heading + top + height) / total, self.width / self.page, height / total
