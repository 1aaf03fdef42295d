"""One entry of the registry of figures: the rows that a figure needs, and the function that draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError
from bioclip_probe.plots.selection import Tables
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import Entry

NAMES = ("measurements", "predictions", "coordinates")


@dataclass(frozen=True)
class FigureEntry(Entry):
    """One figure of a study; call it with results to draw it.

    Attributes
    ----------
    name : str
        Its name on the command line and in `bioclip_probe.plots`, and the stem of its files.
    title : str
        Its heading.
    notes : str
        Its caption.
    function : callable
        ``function(rows, settings) -> matplotlib Figure``.
    select : callable
        ``select(tables, settings) -> DataFrame``, the rows that the figure draws. It raises `DataError` if there are
        none.
    table : str
        The table that it selects from.

    Examples
    --------
    >>> from bioclip_probe.plots.registry import REGISTRY
    >>> REGISTRY["headline"].table
    'measurements'
    """

    select: Callable[[Tables, FigureSettings], pd.DataFrame] | None = None
    table: str = "measurements"

    def draw(self, tables: Tables, settings: FigureSettings) -> tuple[pd.DataFrame, Figure]:
        """Return the rows that the figure draws, and the figure.

        Parameters
        ----------
        tables : mapping from str to DataFrame
        settings : FigureSettings

        Raises
        ------
        DataError
            If the tables do not hold what the figure draws.
        """
        if self.select is None or self.function is None:
            raise ValueError(f"figure '{self.name}' has no function that draws it")
        if self.table not in tables:
            raise DataError(f"figure '{self.name}' draws a table of {self.table}, and there is none")
        rows = self.select(tables, settings)
        return rows, self.function(rows, replace(settings, title=settings.title or self.title))

    def __call__(self, results: Any, settings: FigureSettings | None = None) -> Figure:
        """Return the figure of the rows that it picks from results.

        Parameters
        ----------
        results : Results, mapping from str to DataFrame, or DataFrame
            What `bioclip_probe.results.read` returns, or tables by name, or the one table that the figure needs.
        settings : FigureSettings, optional
            The controls, and the mark on simulated data, are those of the results if it does not name any.

        Raises
        ------
        DataError
            If the tables do not hold what the figure draws.

        Examples
        --------
        >>> from bioclip_probe.plots.examples import two_models
        >>> from bioclip_probe.plots.registry import REGISTRY
        >>> table = two_models("species").assign(metric="cophenetic_correlation", tree="taxonomy", split="all")
        >>> float(REGISTRY["headline"](table, FigureSettings(width="single")).get_figwidth())
        3.4
        """
        settings = settings or FigureSettings()
        if not isinstance(results, pd.DataFrame | Mapping):
            simulated = settings.simulated or results.simulated
            settings = replace(settings, controls=settings.controls or results.controls, simulated=simulated)
        return self.draw(self._tables(results), settings)[1]

    def _tables(self, results: Any) -> Tables:
        """Return the tables that results hold."""
        if isinstance(results, pd.DataFrame):
            return {self.table: results}
        if isinstance(results, Mapping):
            return results
        tables = {name: getattr(results, name) for name in NAMES}
        return {name: table for name, table in tables.items() if table is not None}
