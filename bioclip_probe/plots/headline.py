"""The headline: one number for each model with its interval, raw and centred beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots import style
from bioclip_probe.plots.labels import counts_label, metric_label
from bioclip_probe.plots.selection import FigureRows, select
from bioclip_probe.plots.settings import FigureSettings

DEFAULTS = FigureSettings()
#: Spaces, how far their dots stand above the line of their model, and their meaning.
_SPACES = {"raw": (0.14, "embeddings as they are"), "centred": (-0.14, "mean removed")}


@style.styled
def headline(
    measurements: pd.DataFrame, settings: FigureSettings = DEFAULTS, metric: str = "cophenetic_correlation"
) -> Figure:
    """Draw one metric as a row of dots for each model, with 95 % intervals and the numbers in print.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows; one for each encoder and space.
    settings : FigureSettings
        Models, controls, heading, and the mark on simulated data.
    metric : str
        Name of a metric.

    Returns
    -------
    matplotlib.figure.Figure
        An undefined number is printed as "undefined" and has no dot.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> figure = headline(two_models("species"), metric="cluster_purity")
    >>> [text.get_text() for text in figure.axes[1].texts]
    ['0.60  [0.50, 0.70]', '0.30  [0.20, 0.40]', 'raw']
    """
    table = select(measurements, [metric])
    table = table.assign(space=table["space"].fillna("raw") if "space" in table else "raw")
    rows = FigureRows.of(table, ["encoder", "space"], settings)
    spaces = [space for space in _SPACES if space in set(rows.table["space"])]

    height = 1.35 + 0.28 * len(rows.encoders)
    title = settings.title or f"{metric_label(metric)} with the tree of life"
    figure = style.new_figure(style.TEXT_WIDTH, height, title, rows.simulated)
    axes, text = figure.subplots(1, 2, width_ratios=(3.2, 1.15 * len(spaces)), sharey=True)
    text.axis("off")
    text.set_xlim(0, len(spaces))
    y_of = _vertical_positions(rows)
    for column, space in enumerate(spaces):
        for encoder, y in y_of.items():
            look = rows.styles[encoder]
            row = rows.table[(rows.table["encoder"] == encoder) & (rows.table["space"] == space)]
            _draw_dot(axes, row, y + _SPACES[space][0] * (len(spaces) > 1), look)
            text.text(column + 0.05, y, _number(row), va="center", fontsize=6.5, color=look.text_color)
        text.text(column + 0.05, 0.85, space, va="center", fontsize=6.5, fontweight="bold")
    _draw_axis(axes, metric, y_of, rows)
    if len(spaces) > 1:
        _draw_key(figure, spaces)
    return figure


def _vertical_positions(rows: FigureRows) -> dict[str, float]:
    """Return the y of each encoder, from the top down, with a gap above the controls."""
    y_of, y = {}, 0.0
    for number, encoder in enumerate(rows.encoders):
        if number and rows.styles[encoder].control and not rows.styles[rows.encoders[number - 1]].control:
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
    axes.set_xlabel(metric_label(metric) + bars + over + (f"\n{counts}" if counts else ""))


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


def _number(row: pd.DataFrame) -> str:
    """Return the value and interval of one row at most, in print."""
    if row.empty:
        return "–"
    value, low, high = row[["value", "ci_low", "ci_high"]].iloc[0].astype(float)
    if not np.isfinite(value):
        return "undefined"
    interval = f"  [{low:.2f}, {high:.2f}]" if np.isfinite(low) and np.isfinite(high) else ""
    return f"{value:.2f}{interval}".replace("-", "−")


def _draw_key(figure: Figure, spaces: list[str]) -> None:
    """Draw the legend of the spaces."""
    edge: dict[str, Any] = {"markeredgecolor": style.INK, "markeredgewidth": 1.0}
    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=4.2, color=style.INK if space == "raw" else "white", **edge)
        for space in spaces
    ]
    labels = [f"{space}: {_SPACES[space][1]}" for space in spaces]
    figure.legend(handles, labels, loc="outside lower right", ncols=len(spaces), fontsize=6.5)
