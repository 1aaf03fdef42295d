"""Many measures at one look: a panel for each, a dot and its interval for each model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.plots import style
from bioclip_probe.plots.labels import counts_label, metric_label, metric_list, number
from bioclip_probe.plots.lines import draw_interval, has_cut_intervals, value_limits
from bioclip_probe.plots.selection import FigureRows, select
from bioclip_probe.plots.settings import FigureSettings

DEFAULTS = FigureSettings()
MOST_COLUMNS, NARROWEST = 3, 2.2  # inches of a panel


@style.styled
def dots(
    measurements: pd.DataFrame,
    metrics: Iterable[str],
    settings: FigureSettings = DEFAULTS,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Draw several metrics, each in a panel of its own scale, with 95 % intervals and chance levels.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows; one for each metric and encoder.
    metrics : iterable of str
        One panel each, three in a row. A metric that the table does not have is left out.
    settings : FigureSettings
    titles : mapping from metric to str, optional
        Titles of panels; by default those of the registry of metrics.

    Returns
    -------
    matplotlib.figure.Figure
        Each dot has its number beside it; an undefined one is a dash. A grey line is the mean chance level.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> figure = dots(two_models("species"), ["cluster_purity"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['0.60', '0.30']
    """
    wanted = list(metrics)
    table = select(measurements, wanted, settings.space)
    metrics = [metric for metric in wanted if metric in set(table["metric"])]
    rows = FigureRows.of(table, ["metric", "encoder"], settings)

    n_columns = min(MOST_COLUMNS, len(metrics), int(settings.page // NARROWEST))
    n_rows = -(-len(metrics) // n_columns)
    width = settings.page if n_columns > 1 else min(settings.page, 3.6)
    height = 0.1 + n_rows * (0.62 + 0.15 * len(rows.encoders))
    figure = style.new_figure(settings, height, metric_list(metrics), rows.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes in grid.ravel()[len(metrics) :]:
        axes.remove()
    for place, (axes, metric) in enumerate(zip(grid.ravel(), metrics, strict=False)):
        _draw_panel(axes, rows.table[rows.table["metric"] == metric].set_index("encoder"), rows)
        axes.set_title((titles or {}).get(metric) or metric_label(metric), loc="left")
        counts = counts_label(rows.table[rows.table["metric"] == metric])
        axes.set_xlabel(counts, fontsize="small", color=style.MUTED)
        axes.tick_params(labelleft=place % n_columns == 0)
    if has_cut_intervals(figure):
        figure.supxlabel("an arrow marks an interval that goes on beyond the axis", fontsize="small", color=style.MUTED)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, rows: FigureRows) -> None:
    """Draw one metric: a line for each model, from the top down."""
    panel = panel.reindex(rows.encoders)
    low, high = value_limits(panel, from_zero=False)
    axes.set_xlim(low, high + 0.3 * (high - low))
    axes.set_ylim(len(rows.encoders) - 0.4, -0.6)
    if np.isfinite(panel["chance"]).any():
        axes.axvline(panel["chance"].mean(), color=style.FAINT, linewidth=0.8, zorder=1)
    for y, encoder in enumerate(rows.encoders):
        look, row = rows.styles[encoder], panel.loc[encoder]
        known = np.isfinite(row["value"])
        draw_interval(axes, y, row, look.color, (low, high))
        if known:
            axes.plot([row["value"]], [y], look.marker, color=look.color, markersize=3.4, markeredgewidth=0)
        axes.text(
            high + 0.06 * (high - low), y, number(row["value"]), va="center", fontsize="small", color=look.text_color
        )
    axes.set_yticks(range(len(rows.encoders)), [rows.styles[encoder].label for encoder in rows.encoders])
    for tick, encoder in zip(axes.get_yticklabels(), rows.encoders, strict=False):
        tick.set_color(rows.styles[encoder].text_color)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
