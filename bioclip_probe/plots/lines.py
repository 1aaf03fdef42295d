"""Parts of figures of lines and intervals: the line of each model, cut intervals, the legend, the limits of an axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots import style

#: The id of marks at intervals that go on beyond the axis.
CUT = "cut"
#: An interval may make an axis longer by so much of the range of values, at each end.
MOST_BEYOND = 0.35


def draw_legend(figure: Figure, styles: Iterable[style.ModelStyle], table: pd.DataFrame) -> None:
    """Draw the legend below the panels: models, then chance, intervals and cut intervals if the figure has them.

    The layers of one model have one entry.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    styles : iterable of ModelStyle
    table : DataFrame
        The rows drawn.

    Examples
    --------
    >>> figure = style.new_figure(style.FigureSettings(), 3, "")
    >>> looks = style.model_styles(["clip"]).values()
    >>> draw_legend(figure, looks, pd.DataFrame({"chance": [0.1], "ci_low": [np.nan]}))
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['CLIP', 'chance']
    """
    entries: list[tuple[Line2D, str]] = _model_entries(styles)
    if np.isfinite(table["chance"]).any():
        entries.append((Line2D([], [], color=style.MUTED, linewidth=0.8), "chance"))
    if np.isfinite(table["ci_low"]).any():
        bar = Line2D([], [], linestyle="", marker="|", markersize=6, markeredgewidth=0.8, color=style.MUTED)
        entries.append((bar, "95 % interval"))
    if has_cut_intervals(figure):
        arrow = Line2D([], [], linestyle="", marker="^", markersize=3, markeredgewidth=0, color=style.MUTED)
        entries.append((arrow, "goes on"))
    place_legend(figure, entries)


def _model_entries(styles: Iterable[style.ModelStyle]) -> list[tuple[Line2D, str]]:
    """Return the entries of models; three or more layers of one model have the entry of the deepest."""
    styles = list(styles)
    of_layers = Counter(look.layer_of for look in styles if look.layer_of)
    entries, passed = [], Counter[str]()
    for look in styles:
        n = of_layers[look.layer_of] if look.layer_of else 0
        passed[look.layer_of] += 1
        if n > 2 and passed[look.layer_of] < n:
            continue
        label = f"{look.layer_of}: {n} layers, pale to dark" if n > 2 else look.label
        entries.append((Line2D([], [], **line_style(look)), label))
    return entries


def place_legend(figure: Figure, entries: list[tuple[Any, str]]) -> None:
    """Draw a legend below the panels, in rows that are as even as they can be, in the order in which one reads.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    entries : list of (artist, str)

    Examples
    --------
    >>> figure = style.new_figure(style.FigureSettings(), 3, "")
    >>> place_legend(figure, [(Line2D([], []), name) for name in "abcde"])
    >>> figure.legends[0]._ncols
    5
    """
    inches = figure.get_figwidth() / getattr(figure, "scale", 1.0)
    widest = max(len(label) for _, label in entries)
    most = max(int((inches - 0.2) / (0.5 + 0.05 * widest)), 1)
    columns = -(-len(entries) // -(-len(entries) // most))
    # matplotlib fills the columns of a legend one after the other; a reader goes along its rows.
    ordered = [entries[number] for column in range(columns) for number in range(column, len(entries), columns)]
    handles, labels = zip(*ordered, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.6)


def draw_line(
    axes: Axes, x: np.ndarray, rows: pd.DataFrame, look: style.ModelStyle, limits: tuple[float, float] | None = None
) -> None:
    """Draw one model: a line through its values and a bar for each interval. Undefined values leave a gap.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    x : ndarray, shape (n,)
    rows : DataFrame, n rows
        Of one model, in the order of `x`.
    look : ModelStyle
    limits : (float, float), optional
        Of the axis; an interval that goes on beyond them ends in an arrow.

    Examples
    --------
    >>> axes = style.new_figure(style.FigureSettings(), 3, "").subplots()
    >>> rows = pd.DataFrame({"value": [0.2, 0.4], "ci_low": [0.1, np.nan], "ci_high": [0.3, np.nan]})
    >>> draw_line(axes, np.arange(2), rows, style.model_styles(["clip"])["clip"])
    >>> len(axes.lines), len(axes.collections[0].get_segments())
    (1, 1)
    """
    axes.plot(x, rows["value"], **line_style(look), zorder=2 if look.control else 3)
    known = (np.isfinite(rows["ci_low"]) & np.isfinite(rows["ci_high"]) & np.isfinite(rows["value"])).to_numpy()
    low, high = rows["ci_low"].to_numpy(float)[known], rows["ci_high"].to_numpy(float)[known]
    zorder = 1.9 if look.control else 2.9
    axes.vlines(x[known], low, high, color=look.color, linewidth=0.8, zorder=zorder)
    if limits:
        for ends, edge, marker, beyond in (
            (low, limits[0], "v", low < limits[0]),
            (high, limits[1], "^", high > limits[1]),
        ):
            _mark_cut(axes, x[known][beyond], np.full(len(ends), edge)[beyond], marker, look.color)


def draw_interval(axes: Axes, y: float, row: pd.Series, color: str, limits: tuple[float, float]) -> None:
    """Draw a horizontal interval, with an arrow where it goes on beyond the axis.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    y : float
    row : Series
        With value, ci_low and ci_high; nothing is drawn if one is undefined.
    color : str
    limits : (float, float)
        The ends of the part of the axis for values.

    Examples
    --------
    >>> axes = style.new_figure(style.FigureSettings(), 3, "").subplots()
    >>> draw_interval(axes, 0, pd.Series({"value": 0.5, "ci_low": -9.0, "ci_high": 0.7}), "black", (0.0, 1.0))
    >>> axes.collections[0].get_segments()[0][:, 0].tolist(), axes.lines[0].get_marker()
    ([0.0, 0.7], '<')
    """
    low, high = row["ci_low"], row["ci_high"]
    if not (np.isfinite(row["value"]) and np.isfinite(low) and np.isfinite(high)):
        return
    axes.hlines(y, max(low, limits[0]), min(high, limits[1]), color=color, linewidth=1.0)
    for beyond, edge, marker in ((low < limits[0], limits[0], "<"), (high > limits[1], limits[1], ">")):
        if beyond:
            _mark_cut(axes, np.array([edge]), np.array([y]), marker, color)


def _mark_cut(axes: Axes, x: np.ndarray, y: np.ndarray, marker: str, color: str) -> None:
    if len(x):
        axes.plot(x, y, marker, color=color, markersize=3, markeredgewidth=0, clip_on=False, zorder=4, gid=CUT)


def label_below(grid: np.ndarray, text: str) -> None:
    """Write the label of the horizontal axis below the lowest panel of each column.

    Parameters
    ----------
    grid : ndarray of Axes, shape (rows, columns)
        Panels that were removed do not count.
    text : str

    Examples
    --------
    >>> grid = style.new_figure(style.FigureSettings(), 3, "").subplots(2, 2)
    >>> label_below(grid, "rank")
    >>> [axes.get_xlabel() for axes in grid.ravel()]
    ['', '', 'rank', 'rank']
    """
    for column in grid.T:
        lowest = [axes for axes in column if axes.get_figure() is not None]
        if lowest:
            lowest[-1].set_xlabel(text)


def has_cut_intervals(figure: Figure) -> bool:
    """Return True if an interval of the figure goes on beyond its axis.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Examples
    --------
    >>> has_cut_intervals(style.new_figure(style.FigureSettings(), 3, ""))
    False
    """
    return any(line.get_gid() == CUT for axes in figure.axes for line in axes.lines)


def value_limits(rows: pd.DataFrame, from_zero: bool = True) -> tuple[float, float]:
    """Return the limits of an axis of values: from 0, or the least value if it is negative, to just above the largest.

    Parameters
    ----------
    rows : DataFrame
        Columns value, ci_low, ci_high and chance. Intervals that are much longer than the range of values and chance
        do not count in full: they would flatten the panel.
    from_zero : bool
        The axis holds 0.

    Returns
    -------
    low, high : float
        High is 1.02 where the largest value is a share near 1.

    Examples
    --------
    >>> value_limits(pd.DataFrame({"value": [0.9], "ci_low": [0.8], "ci_high": [np.nan], "chance": [0.1]}))
    (0.0, 1.02)
    >>> value_limits(pd.DataFrame({"value": [0.5], "ci_low": [-1.0], "ci_high": [1.0], "chance": [0.0]}))
    (-0.209, 0.726)
    """
    known = np.isfinite(rows["value"])
    numbers = np.concatenate([[0.0] if from_zero else [], *(rows.loc[known, name] for name in ("value", "chance"))])
    numbers = numbers[np.isfinite(numbers)] if np.isfinite(numbers).any() else np.array([0.0, 1.0])
    low, high = numbers.min(), numbers.max()
    most = MOST_BEYOND * ((high - low) or 1.0)
    low = max(min(low, np.nanmin(rows.loc[known, "ci_low"].to_numpy(float), initial=low)), low - most)
    high = min(max(high, np.nanmax(rows.loc[known, "ci_high"].to_numpy(float), initial=high)), high + most)
    span = (high - low) or 1.0
    bottom = low if from_zero and low == 0 else low - 0.04 * span
    top = 1.02 if from_zero and 0.85 < high <= 1 else high + 0.06 * span
    return round(float(bottom), 12), round(float(top), 12)


def line_style(look: style.ModelStyle) -> dict[str, Any]:
    """Return the arguments with which matplotlib draws the line of a model.

    Parameters
    ----------
    look : ModelStyle

    Returns
    -------
    dict

    Examples
    --------
    >>> line_style(style.model_styles(["clip"])["clip"])["linewidth"]
    1.3
    """
    return {
        "color": look.color,
        "linestyle": look.dashes,
        "linewidth": 0.9 if look.control else 1.3,
        "marker": look.marker,
        "markersize": 2.2 if look.control else 3.6,
        "markeredgewidth": 0,
    }
