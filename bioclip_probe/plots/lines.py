"""Parts of figures of lines: the line of each model, their legend, and the limits of the axis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots import style

LEGEND_COLUMNS = 4


def draw_legend(figure: Figure, styles: Iterable[style.ModelStyle], table: pd.DataFrame, columns: int) -> None:
    """Draw the legend below the panels: models, then chance and intervals if the table has them.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    styles : iterable of ModelStyle
    table : DataFrame
        The rows drawn.
    columns : int
        Number of columns of the legend, at most.

    Examples
    --------
    >>> figure = style.new_figure(4, 3, "", simulated=False)
    >>> looks = style.model_styles(["clip"]).values()
    >>> draw_legend(figure, looks, pd.DataFrame({"chance": [0.1], "ci_low": [np.nan]}), 4)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['CLIP', 'chance']
    """
    entries: list[tuple[Line2D, str]] = [(Line2D([], [], **line_style(look)), look.label) for look in styles]
    if np.isfinite(table["chance"]).any():
        entries.append((Line2D([], [], color=style.MUTED, linewidth=0.8), "chance"))
    if np.isfinite(table["ci_low"]).any():
        bar = Line2D([], [], linestyle="", marker="|", markersize=6, markeredgewidth=0.8, color=style.MUTED)
        entries.append((bar, "95 % interval"))
    # matplotlib fills the columns of a legend one after the other; a reader goes along its rows.
    columns = min(columns, len(entries))
    entries = [entries[number] for column in range(columns) for number in range(column, len(entries), columns)]
    handles, labels = zip(*entries, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.6)


def draw_line(axes: Axes, x: np.ndarray, rows: pd.DataFrame, look: style.ModelStyle) -> None:
    """Draw one model: a line through its values and a bar for each interval. Undefined values leave a gap.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    x : ndarray, shape (n,)
    rows : DataFrame, n rows
        Of one model, in the order of `x`.
    look : ModelStyle

    Examples
    --------
    >>> axes = style.new_figure(4, 3, "", simulated=False).subplots()
    >>> rows = pd.DataFrame({"value": [0.2, 0.4], "ci_low": [0.1, np.nan], "ci_high": [0.3, np.nan]})
    >>> draw_line(axes, np.arange(2), rows, style.model_styles(["clip"])["clip"])
    >>> len(axes.lines), len(axes.collections[0].get_segments())
    (1, 1)
    """
    axes.plot(x, rows["value"], **line_style(look), zorder=2 if look.control else 3)
    known = (np.isfinite(rows["ci_low"]) & np.isfinite(rows["ci_high"]) & np.isfinite(rows["value"])).to_numpy()
    zorder = 1.9 if look.control else 2.9
    axes.vlines(x[known], rows["ci_low"][known], rows["ci_high"][known], color=look.color, linewidth=0.8, zorder=zorder)


def value_limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the limits of an axis of values: from 0, or the least value if it is negative, to just above the largest.

    Parameters
    ----------
    rows : DataFrame
        Columns value, ci_low, ci_high and chance.

    Returns
    -------
    low, high : float
        High is 1.02 where the largest value is a share near 1.

    Examples
    --------
    >>> value_limits(pd.DataFrame({"value": [0.9], "ci_low": [0.8], "ci_high": [np.nan], "chance": [0.1]}))
    (0.0, 1.02)
    """
    numbers = rows[["value", "ci_low", "ci_high", "chance"]].to_numpy(float)
    numbers = numbers[np.isfinite(numbers)]
    low, high = min(numbers.min(initial=0), 0.0), max(numbers.max(initial=0), 0.0)
    span = (high - low) or 1.0
    top = high + 0.06 * span
    return float(low - 0.04 * span * (low < 0)), 1.02 if 0.85 < high <= 1 else float(top)


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
