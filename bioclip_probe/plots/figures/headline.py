"""The headline: one number for each model with its interval, raw and centred beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import counts_label, metric_label, number
from bioclip_probe.plots.lines import place_legend
from bioclip_probe.plots.selection import FigureRows, Tables, endpoint_tree, measured, select
from bioclip_probe.plots.settings import FigureSettings

DEFAULTS = FigureSettings()
METRIC = "cophenetic_correlation"
#: Spaces, how far their dots stand above the line of their model, and their meaning.
_SPACES = {"raw": (0.14, "embeddings as they are"), "centred": (-0.14, "mean removed")}


def headline_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return CPCC of every model, raw and centred, on the tree of the primary endpoints.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    settings : FigureSettings

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If none is defined.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models("species").assign(metric=METRIC, tree="taxonomy", split="all")
    >>> len(headline_rows({"measurements": table}, FigureSettings()))
    2
    """
    where = {"rank": "species", "split": "all", "space": list(_SPACES)}
    return measured(tables, (METRIC,), where, endpoint_tree(tables, settings))


@style.styled
def draw_headline(measurements: pd.DataFrame, settings: FigureSettings = DEFAULTS, metric: str = METRIC) -> Figure:
    """Return one metric as a row of dots for each model, with 95 % intervals and the numbers in print.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows; one for each encoder and space.
    settings : FigureSettings
    metric : str
        Name of a metric.

    Returns
    -------
    matplotlib.figure.Figure
        An undefined number is printed as "undefined" and has no dot. In one column the numbers are printed without
        their intervals.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> figure = draw_headline(two_models("species"), metric="cluster_purity")
    >>> [text.get_text() for text in figure.axes[1].texts]
    ['0.60  [0.50, 0.70]', '0.30  [0.20, 0.40]', 'raw']
    """
    table = select(measurements, [metric])
    table = table.assign(space=table["space"].fillna("raw") if "space" in table else "raw")
    rows = FigureRows.of(table, ["encoder", "space"], settings)
    spaces = [space for space in _SPACES if space in set(rows.table["space"])]

    height = 0.95 + 0.26 * len(rows.encoders)
    title = f"{metric_label(metric)} with the tree of life"
    figure = style.new_figure(settings, height, title, rows.simulated)
    narrow = settings.page < 4
    ratios = (3.2, (0.55 if narrow else 1.15) * len(spaces))
    axes, text = figure.subplots(1, 2, width_ratios=ratios, sharey=True)
    text.axis("off")
    text.set_xlim(0, len(spaces))
    y_of = _vertical_positions(rows)
    for column, space in enumerate(spaces):
        for encoder, y in y_of.items():
            look = rows.styles[encoder]
            row = rows.table[(rows.table["encoder"] == encoder) & (rows.table["space"] == space)]
            _draw_dot(axes, row, y + _SPACES[space][0] * (len(spaces) > 1), look)
            text.text(column + 0.05, y, _number(row, not narrow), va="center", fontsize="small", color=look.text_color)
        text.text(column + 0.05, 0.85, space, va="center", fontsize="small", fontweight="bold")
    _draw_axis(axes, metric, y_of, rows)
    if len(spaces) > 1:
        _draw_key(figure, spaces)
    return figure


def _vertical_positions(rows: FigureRows) -> dict[str, float]:
    """Return the y of each encoder, from the top down, with a gap above the controls."""
    y_of, y = {}, 0.0
    for place, encoder in enumerate(rows.encoders):
        if place and rows.styles[encoder].control and not rows.styles[rows.encoders[place - 1]].control:
            y -= 0.35
        y_of[encoder] = y
        y -= 1
    return y_of


def _draw_axis(axes: Axes, metric: str, y_of: dict[str, float], rows: FigureRows) -> None:
    """Draw the names of models, the zero line and the label."""
    axes.set_yticks(list(y_of.values()), [rows.styles[encoder].label for encoder in y_of])
    for tick, encoder in zip(axes.get_yticklabels(), y_of, strict=True):
        tick.set_color(rows.styles[encoder].text_color)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(min(y_of.values()) - 0.6, 1.2)
    table = rows.table
    numbers = table[["value", "ci_low", "ci_high"]].to_numpy(float)
    numbers = numbers[np.isfinite(numbers)]
    low, high = min(numbers.min(initial=0), 0.0), max(numbers.max(initial=0), 0.0)
    pad = 0.06 * ((high - low) or 1.0)
    axes.set_xlim(low - pad, high + pad)
    axes.axvline(0, color=style.MUTED, linewidth=0.6, zorder=0)
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    bars = "; bars: 95 % intervals" if np.isfinite(table["ci_low"]).any() else ""
    units = list(table["resampled"].dropna().unique()) if bars and "resampled" in table else []
    over = f" over {units[0]}" if len(units) == 1 and units[0] else ""
    counts = counts_label(table)
    axes.set_xlabel(metric_label(metric) + f"{bars}{over}" * (len(bars) > 0) + (f"\n{counts}" if counts else ""))


def _draw_dot(axes: Axes, row: pd.DataFrame, y: float, look: style.ModelStyle) -> None:
    """Draw the value and interval of one row at most: a full dot for raw embeddings, an open one for centred ones."""
    if row.empty or not np.isfinite(row["value"].iloc[0]):
        return
    value, low, high = row[["value", "ci_low", "ci_high"]].iloc[0].astype(float)
    if np.isfinite(low) and np.isfinite(high):
        axes.hlines(y, low, high, color=look.color, linewidth=1.1)
    face = look.color if row["space"].iloc[0] == "raw" else "white"
    edge: dict[str, Any] = {"markeredgecolor": look.color, "markeredgewidth": 1.0}
    axes.plot([value], [y], marker="o", markersize=4.2, color=face, linestyle="", **edge)


def _number(row: pd.DataFrame, with_interval: bool) -> str:
    """Return the value, and the interval, of one row at most, in print."""
    if row.empty:
        return "–"
    value, low, high = row[["value", "ci_low", "ci_high"]].iloc[0].astype(float)
    if not np.isfinite(value):
        return "undefined"
    interval = f"  [{number(low)}, {number(high)}]" if with_interval and np.isfinite([low, high]).all() else ""
    return number(value) + interval


def _draw_key(figure: Figure, spaces: list[str]) -> None:
    """Draw the legend of the spaces."""
    edge: dict[str, Any] = {"markeredgecolor": style.INK, "markeredgewidth": 1.0}
    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=4.2, color=style.INK if space == "raw" else "white", **edge)
        for space in spaces
    ]
    place_legend(
        figure, [(handle, f"{space}: {_SPACES[space][1]}") for handle, space in zip(handles, spaces, strict=True)]
    )


ENTRY = FigureEntry(
    "headline",
    "Cophenetic correlation (CPCC) with the tree of life",
    "Cophenetic correlation (CPCC): Pearson correlation, over all pairs of species, of the distance between two "
    "species' mean embeddings and their distance in the tree (in the taxonomy: the number of ranks below their lowest "
    "common ancestor). Embeddings as they are, and with their common mean removed. Bars: 95 % intervals, species "
    "resampled.",
    draw_headline,
    headline_rows,
)
