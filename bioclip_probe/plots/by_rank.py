"""Numbers by rank: all models as lines with their intervals, chance in grey."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots import style
from bioclip_probe.plots.selection import check_one_each, listed, metric_label, select
from bioclip_probe.tables import RANKS

_LEGEND_COLUMNS = 4


@style.styled
def by_rank(
    measurements: pd.DataFrame,
    metrics: Iterable[str],
    models: Iterable[str] | None = None,
    space: str | None = "raw",
    title: str = "",
    simulated: bool = False,
) -> Figure:
    """Draw metrics by rank, a panel for each: lines for models, bars for 95 % intervals, grey for chance.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table with ``rank``.
    metrics : iterable of str
        One panel each, side by side up to three.
    models : iterable of str, optional
        Encoders to draw, in this order; all if not given. Controls come last, in grey.
    space : str or None
        ``raw`` or ``centred``.
    title : str
        Heading; made from the metrics if not given.
    simulated : bool
        Print the word on the figure; so does a table that says it.

    Returns
    -------
    matplotlib.figure.Figure
        An undefined value is left out, and the line has a gap there.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.
    """
    metrics = list(metrics)
    table = select(measurements, metrics, space)
    encoders = style.pick(table, models)
    table = table[table["encoder"].isin(encoders)]
    check_one_each(table, ["metric", "encoder", "rank"])
    ranks = [rank for rank in RANKS if rank in set(table["rank"])]
    styles = style.model_styles(encoders)

    columns = min(len(metrics), 3)
    rows = -(-len(metrics) // columns)
    legend_rows = -(-(len(encoders) + 2) // _LEGEND_COLUMNS)
    width = style.TEXT_WIDTH if columns > 1 else 4.6
    height = 0.35 + 2.35 * rows + 0.17 * legend_rows
    title = title or f"{listed(metrics)} by rank"
    figure = style.new_figure(width, height, title, style.is_simulated(table, simulated))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(metrics) :]:
        axes.remove()
    for axes, metric in zip(grid, metrics, strict=False):
        part = table[table["metric"] == metric]
        _draw(axes, part, ranks, encoders, styles)
        axes.set_title(metric_label(metric), loc="left")
    _legend(figure, [styles[encoder] for encoder in encoders], table, 3 if columns == 1 else _LEGEND_COLUMNS)
    return figure


def _legend(figure: Figure, looks: list[style.ModelStyle], table: pd.DataFrame, columns: int) -> None:
    entries = [(Line2D([], [], **_line(look)), look.label) for look in looks]
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


def _draw(axes: Axes, part: pd.DataFrame, ranks: list[str], encoders: list[str], styles: dict) -> None:
    """One metric: x is the rank, each model a little beside the next so that intervals do not hide one another."""
    places = np.arange(len(ranks))
    shift = np.linspace(-0.5, 0.5, len(encoders)) * min(0.08 * (len(encoders) - 1), 0.5)
    defined = part[np.isfinite(part["value"])]
    chance = defined.groupby("rank")["chance"].agg(["min", "max"]).reindex(ranks)
    _chance(axes, places, chance)
    for offset, encoder in reversed(list(zip(shift, encoders, strict=True))):
        own = part[part["encoder"] == encoder].set_index("rank").reindex(ranks)
        look = styles[encoder]
        x = places + offset
        axes.plot(x, own["value"], **_line(look), zorder=2 if look.control else 3)
        known = np.isfinite(own["ci_low"]) & np.isfinite(own["ci_high"]) & np.isfinite(own["value"])
        axes.vlines(x[known], own["ci_low"][known], own["ci_high"][known], color=look.colour, linewidth=0.8,
                    zorder=1.9 if look.control else 2.9)  # fmt: skip
    axes.set_xticks(places, ranks, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(ranks) - 0.5)
    low, high = _limits(part)
    axes.set_ylim(low, high)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)


def _chance(axes: Axes, places: np.ndarray, chance: pd.DataFrame) -> None:
    """A short grey line at each rank; where models have chance levels of their own, a band from least to most."""
    known = np.isfinite(chance["min"]).to_numpy()
    low, high = chance["min"].to_numpy()[known], chance["max"].to_numpy()[known]
    axes.plot(places[known], (low + high) / 2, color=style.FAINT, linewidth=0.8, zorder=1)
    axes.hlines(
        (low + high) / 2, places[known] - 0.28, places[known] + 0.28, color=style.MUTED, linewidth=0.8, zorder=1.5
    )
    wide = high - low > 0.005
    axes.bar(places[known][wide], (high - low)[wide], 0.56, low[wide], color=style.FAINT, zorder=1)


def _limits(part: pd.DataFrame) -> tuple[float, float]:
    """From 0 (or the least value, if negative) to a little over the largest, never far over 1."""
    numbers = part[["value", "ci_low", "ci_high", "chance"]].to_numpy(float)
    numbers = numbers[np.isfinite(numbers)]
    low, high = min(numbers.min(initial=0), 0.0), max(numbers.max(initial=0), 0.0)
    span = (high - low) or 1.0
    top = high + 0.06 * span
    return low - 0.04 * span * (low < 0), 1.02 if 0.85 < high <= 1 else top


def _line(look: style.ModelStyle) -> dict:
    return {
        "color": look.colour,
        "linestyle": look.dashes,
        "linewidth": 0.9 if look.control else 1.3,
        "marker": look.marker,
        "markersize": 2.2 if look.control else 3.6,
        "markeredgewidth": 0,
    }
