"""What figures of lines share: a line for each model, their legend, and how high the axis reaches."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots import style

LEGEND_COLUMNS = 4


def legend(figure: Figure, looks: list[style.ModelStyle], table: pd.DataFrame, columns: int) -> None:
    """Models, then chance and intervals where the table has them, below the panels."""
    entries = [(Line2D([], [], **line(look)), look.label) for look in looks]
    if np.isfinite(table["chance"]).any():
        entries.append((Line2D([], [], color=style.MUTED, linewidth=0.8), "chance"))
    if np.isfinite(table["ci_low"]).any():
        bar = Line2D([], [], linestyle="", marker="|", markersize=6, markeredgewidth=0.8, color=style.MUTED)
        entries.append((bar, "95 % interval"))
    # The library fills a legend down its columns; a reader goes along its rows.
    columns = min(columns, len(entries))
    entries = [entries[at] for column in range(columns) for at in range(column, len(entries), columns)]
    handles, labels = zip(*entries, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.6)


def draw_line(axes: Axes, x: np.ndarray, own: pd.DataFrame, look: style.ModelStyle) -> None:
    """One model: its values, and a bar for each interval; undefined ones leave a gap."""
    axes.plot(x, own["value"], **line(look), zorder=2 if look.control else 3)
    known = (np.isfinite(own["ci_low"]) & np.isfinite(own["ci_high"]) & np.isfinite(own["value"])).to_numpy()
    axes.vlines(x[known], own["ci_low"][known], own["ci_high"][known], color=look.colour, linewidth=0.8,
                zorder=1.9 if look.control else 2.9)  # fmt: skip


def limits(part: pd.DataFrame) -> tuple[float, float]:
    """From 0 (or the least value, if negative) to a little over the largest, never far over 1."""
    numbers = part[["value", "ci_low", "ci_high", "chance"]].to_numpy(float)
    numbers = numbers[np.isfinite(numbers)]
    low, high = min(numbers.min(initial=0), 0.0), max(numbers.max(initial=0), 0.0)
    span = (high - low) or 1.0
    top = high + 0.06 * span
    return low - 0.04 * span * (low < 0), 1.02 if 0.85 < high <= 1 else top


def line(look: style.ModelStyle) -> dict:
    return {
        "color": look.colour,
        "linestyle": look.dashes,
        "linewidth": 0.9 if look.control else 1.3,
        "marker": look.marker,
        "markersize": 2.2 if look.control else 3.6,
        "markeredgewidth": 0,
    }
