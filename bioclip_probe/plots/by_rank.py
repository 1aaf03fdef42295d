"""Numbers by rank: all models as lines with their intervals, chance in grey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.plots import style
from bioclip_probe.plots.labels import metric_label, metric_list
from bioclip_probe.plots.lines import LEGEND_COLUMNS, draw_legend, draw_line, value_limits
from bioclip_probe.plots.selection import FigureRows, select
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

DEFAULTS = FigureSettings()


@style.styled
def by_rank(
    measurements: pd.DataFrame,
    metrics: Iterable[str],
    settings: FigureSettings = DEFAULTS,
    space: str | None = "raw",
    panels: Mapping[str, str] | None = None,
    by: str = "protocol",
) -> Figure:
    """Draw metrics by rank, a panel for each: lines for models, bars for 95 % intervals, grey for chance.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table with ``rank``.
    metrics : iterable of str
        One panel each, side by side up to three; four stand in two rows.
    settings : FigureSettings
        Models, controls, heading, and the mark on simulated data.
    space : str or None
        ``raw`` or ``centred``.
    panels : mapping from str to str, optional
        Instead of one panel for each metric, draw one for each of these values of the column `by`. They map to the
        titles of the panels, which share one scale.
    by : str
        ``protocol`` or ``probe``.

    Returns
    -------
    matplotlib.figure.Figure
        An undefined value is left out, and the line has a gap there. The number of taxa stands beside each rank.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> figure = by_rank(two_models(), ["cluster_purity"])
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['family', 'species']
    """
    metrics = list(metrics)
    table = select(measurements, metrics, space)
    column = by if panels else "metric"
    titles = dict(panels) if panels else {metric: metric_label(metric) for metric in metrics}
    titles = {name: title for name, title in titles.items() if name in set(table[column]) or not panels}
    rows = FigureRows.of(table[table[column].isin(list(titles))], [column, "encoder", "rank"], settings)
    table = rows.table
    ranks = [rank for rank in RANKS if rank in set(table["rank"])]

    n_columns = 2 if len(titles) == 4 else min(len(titles), 3)
    n_rows = -(-len(titles) // n_columns)
    legend_rows = -(-(len(rows.encoders) + 2) // LEGEND_COLUMNS)
    width = style.TEXT_WIDTH if n_columns > 1 else 4.6
    height = 0.35 + 2.35 * n_rows + 0.17 * legend_rows
    heading = settings.title or f"{metric_list(metrics)} by rank"
    figure = style.new_figure(width, height, heading, rows.simulated)
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in grid[len(titles) :]:
        axes.remove()
    for axes, (name, title) in zip(grid, titles.items(), strict=False):
        panel = table[table[column] == name]
        _draw_panel(axes, panel, ranks, rows)
        axes.set_ylim(*value_limits(panel if panels is None else table))
        axes.set_title(title, loc="left")
    looks = [rows.styles[encoder] for encoder in rows.encoders]
    draw_legend(figure, looks, table, 3 if n_columns == 1 else LEGEND_COLUMNS)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, ranks: list[str], rows: FigureRows) -> None:
    """Draw one metric: x is the rank; models stand side by side so that their intervals do not hide one another."""
    x, n = np.arange(len(ranks)), len(rows.encoders)
    shift = np.linspace(-0.5, 0.5, n) * min(0.08 * (n - 1), 0.5)
    defined = panel[np.isfinite(panel["value"])]
    _draw_chance(axes, x, defined.groupby("rank")["chance"].agg(["min", "max"]).reindex(ranks))
    for offset, encoder in reversed(list(zip(shift, rows.encoders, strict=True))):
        own = panel[panel["encoder"] == encoder].set_index("rank").reindex(ranks)
        draw_line(axes, x + offset, own, rows.styles[encoder])
    axes.set_xticks(x, _rank_labels(panel, ranks), rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(ranks) - 0.5)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _rank_labels(panel: pd.DataFrame, ranks: list[str]) -> list[str]:
    """Return the names of ranks, each with its number of taxa where the table says it."""
    n_taxa = panel.groupby("rank")["n_taxa"].max() if "n_taxa" in panel else pd.Series(dtype="Int64")
    counts = {rank: int(n) for rank, n in n_taxa.dropna().items() if n > 0}
    return [f"{rank} ({counts[rank]:,})" if rank in counts else rank for rank in ranks]


def _draw_chance(axes: Axes, x: np.ndarray, chance: pd.DataFrame) -> None:
    """Draw a short grey line at each rank; where the chance levels of models differ, a band from least to most."""
    known = np.isfinite(chance["min"]).to_numpy()
    low, high = chance["min"].to_numpy()[known], chance["max"].to_numpy()[known]
    middle = (low + high) / 2
    axes.plot(x[known], middle, color=style.FAINT, linewidth=0.8, zorder=1)
    axes.hlines(middle, x[known] - 0.28, x[known] + 0.28, color=style.MUTED, linewidth=0.8, zorder=1.5)
    wide = high - low > 0.005
    axes.bar(x[known][wide], (high - low)[wide], 0.56, low[wide], color=style.FAINT, zorder=1)
