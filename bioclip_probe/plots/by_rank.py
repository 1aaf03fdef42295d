"""Numbers by rank: all models as lines with their intervals, chance in grey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.plots import style
from bioclip_probe.plots.labels import metric_label, metric_list, rank_labels, tree_label, unit_label
from bioclip_probe.plots.lines import draw_legend, draw_line, label_below, value_limits
from bioclip_probe.plots.selection import FigureRows, defined_ranks, select
from bioclip_probe.plots.settings import FigureSettings

DEFAULTS = FigureSettings()
#: Inches: the narrowest panel, the height of a panel with its labels, a row of the legend.
NARROWEST, PANEL_HEIGHT, LEGEND_ROW = 1.9, 2.2, 0.17


@style.styled
def by_rank(
    measurements: pd.DataFrame,
    metrics: Iterable[str],
    settings: FigureSettings = DEFAULTS,
    panels: Mapping[str, str] | None = None,
    by: str = "protocol",
) -> Figure:
    """Draw metrics by rank, a panel for each: lines for models, bars for 95 % intervals, grey for chance.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table with ``rank``.
    metrics : iterable of str
        One panel each. All panels share one scale.
    settings : FigureSettings
    panels : mapping from str to str, optional
        Instead of one panel for each metric, draw one for each of these values of the column `by`. They map to the
        titles of the panels.
    by : str
        ``protocol`` or ``probe``.

    Returns
    -------
    matplotlib.figure.Figure
        An undefined value is left out, and the line has a gap there; ranks above the first and below the last value are
        left out. The number of taxa stands beside each rank. An interval that would flatten the panels is cut, and
        marked.

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
    table = select(measurements, metrics, settings.space)
    column = by if panels else "metric"
    titles = dict(panels) if panels else {metric: metric_label(metric) for metric in metrics}
    titles = {name: title for name, title in titles.items() if name in set(table[column])}
    rows = FigureRows.of(table[table[column].isin(list(titles))], [column, "encoder", "rank"], settings)
    table = rows.table

    n_columns = min(2 if len(titles) == 4 else 3, len(titles), int(settings.page // NARROWEST))
    n_rows = -(-len(titles) // n_columns)
    width = settings.page if n_columns > 1 else min(settings.page, 4.2)
    height = PANEL_HEIGHT * n_rows + LEGEND_ROW * -(-(len(rows.encoders) + 2) // int(width // 1.3))
    figure = style.new_figure(settings, height, f"{metric_list(metrics)} by rank", rows.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes in grid.ravel()[len(titles) :]:
        axes.remove()
    limits = value_limits(table)
    for axes, (name, title) in zip(grid.ravel(), titles.items(), strict=False):
        panel = table[table[column] == name]
        _draw_panel(axes, panel, rows, limits)
        axes.set_title(title, loc="left")
    for axes in grid[:, 0]:
        axes.set_ylabel(unit_label(metrics) if len(titles) > 1 or panels else metric_label(metrics[0]))
    label_below(grid, f"rank (number of taxa){tree_label(table)}")
    draw_legend(figure, [rows.styles[encoder] for encoder in rows.encoders], table)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, rows: FigureRows, limits: tuple[float, float]) -> None:
    """Draw one metric: x is the rank; models stand side by side so that their intervals do not hide one another."""
    ranks = defined_ranks(panel)
    x, n = np.arange(len(ranks)), len(rows.encoders)
    shift = np.linspace(-0.5, 0.5, n) * min(0.08 * (n - 1), 0.5)
    defined = panel[np.isfinite(panel["value"])]
    _draw_chance(axes, x, defined.groupby("rank")["chance"].agg(["min", "max"]).reindex(ranks))
    for offset, encoder in reversed(list(zip(shift, rows.encoders, strict=True))):
        own = panel[panel["encoder"] == encoder].set_index("rank").reindex(ranks)
        draw_line(axes, x + offset, own, rows.styles[encoder], limits)
    axes.set_xticks(x, rank_labels(panel, ranks), rotation=35, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(ranks) - 0.5)
    axes.set_ylim(*limits)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_chance(axes: Axes, x: np.ndarray, chance: pd.DataFrame) -> None:
    """Draw a short grey line at each rank; where the chance levels of models differ, a band from least to most."""
    known = np.isfinite(chance["min"]).to_numpy()
    low, high = chance["min"].to_numpy()[known], chance["max"].to_numpy()[known]
    middle = (low + high) / 2
    axes.plot(x[known], middle, color=style.FAINT, linewidth=0.8, zorder=1)
    axes.hlines(middle, x[known] - 0.28, x[known] + 0.28, color=style.MUTED, linewidth=0.8, zorder=1.5)
    wide = high - low > 0.005
    axes.bar(x[known][wide], (high - low)[wide], 0.56, low[wide], color=style.FAINT, zorder=1)
