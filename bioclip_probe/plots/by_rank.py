"""Numbers by rank: all models as lines with their intervals, chance in grey."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.plots import style
from bioclip_probe.plots.lines import LEGEND_COLUMNS, draw_line, legend, limits
from bioclip_probe.plots.selection import check_one_each, listed, metric_label, select
from bioclip_probe.tables import RANKS


@style.styled
def by_rank(
    measurements: pd.DataFrame,
    metrics: Iterable[str],
    models: Iterable[str] | None = None,
    space: str | None = "raw",
    title: str = "",
    simulated: bool = False,
    controls: Collection[str] = (),
    panels: dict[str, str] | None = None,
    by: str = "protocol",
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
    controls : collection of str
        Encoders that are controls, as a results folder's record has them; they come last, muted.
    panels : dict from str to str, optional
        Instead of one panel for each metric, one for each of these values of the column `by`, with its title, all on
        one scale.
    by : str
        ``protocol``, ``probe``.

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
    by, titles = by if panels else "metric", panels or {metric: metric_label(metric) for metric in metrics}
    titles = {name: heading for name, heading in titles.items() if name in set(table[by]) or not panels}
    table = table[table[by].isin(list(titles))]
    encoders = style.pick(table, models, controls)
    table = table[table["encoder"].isin(encoders)]
    check_one_each(table, [by, "encoder", "rank"])
    ranks = [rank for rank in RANKS if rank in set(table["rank"])]
    styles = style.model_styles(encoders, controls)

    columns = min(len(titles), 3)
    rows = -(-len(titles) // columns)
    legend_rows = -(-(len(encoders) + 2) // LEGEND_COLUMNS)
    width = style.TEXT_WIDTH if columns > 1 else 4.6
    height = 0.35 + 2.35 * rows + 0.17 * legend_rows
    title = title or f"{listed(metrics)} by rank"
    figure = style.new_figure(width, height, title, style.is_simulated(table, simulated))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(titles) :]:
        axes.remove()
    for axes, (name, heading) in zip(grid, titles.items(), strict=False):
        part = table[table[by] == name]
        _draw(axes, part, ranks, encoders, styles)
        axes.set_ylim(*limits(part if panels is None else table))
        axes.set_title(heading, loc="left")
    legend(figure, [styles[encoder] for encoder in encoders], table, 3 if columns == 1 else LEGEND_COLUMNS)
    return figure


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
        draw_line(axes, x, own, look)
    axes.set_xticks(places, ranks, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(ranks) - 0.5)
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
