"""Curves of sample efficiency: how a number grows with the images per taxon that a probe learnt from."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.labels import metric_label, plural
from bioclip_probe.plots.lines import LEGEND_COLUMNS, draw_legend, draw_line, value_limits
from bioclip_probe.plots.selection import FigureRows, select
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

DEFAULTS = FigureSettings()


@style.styled
def curves(measurements: pd.DataFrame, settings: FigureSettings = DEFAULTS, metric: str = "top1_accuracy") -> Figure:
    """Draw one metric against the images per taxon that the probe learnt from, a panel for each rank.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows of one probe and protocol. Rows without `shots`, whose probe learnt from all images, are
        the right end of each curve.
    settings : FigureSettings
        Models, controls, heading, and the mark on simulated data.
    metric : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If no rank has a curve, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models()
    >>> shots = pd.concat([table.assign(shots=k) for k in (1, 5, None)], ignore_index=True)
    >>> [label.get_text() for label in curves(shots, metric="cluster_purity").axes[0].get_xticklabels()]
    ['1', '5', 'all']
    """
    table = select(measurements, [metric], "raw")
    known = table[table["shots"].notna() & table["value"].notna()]
    ranks = [rank for rank in RANKS if rank in set(known["rank"])]
    if not ranks:
        raise DataError(f"no {metric_label(metric)} after a number of images a taxon; ask a probe with shots")
    table = table[table["rank"].isin(ranks)]
    rows = FigureRows.of(table.assign(shots=table["shots"].fillna(0)), ["encoder", "rank", "shots"], settings)

    n_columns = min(len(ranks), 4)
    n_rows = -(-len(ranks) // n_columns)
    legend_rows = -(-(len(rows.encoders) + 2) // LEGEND_COLUMNS)
    title = settings.title or f"{metric_label(metric)} by images a taxon"
    figure = style.new_figure(style.TEXT_WIDTH, 0.5 + 1.9 * n_rows + 0.17 * legend_rows, title, rows.simulated)
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in grid[len(ranks) :]:
        axes.remove()
    for axes, rank in zip(grid, ranks, strict=False):
        _draw_panel(axes, rows.table[rows.table["rank"] == rank], rows)
        axes.set_title(plural(rank), loc="left")
    draw_legend(figure, [rows.styles[encoder] for encoder in rows.encoders], rows.table, LEGEND_COLUMNS)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, rows: FigureRows) -> None:
    """Draw one rank: x is the logarithm of the number of images; 0 shots stand for all images, at the right end."""
    shots = [number for number in sorted(panel["shots"].unique()) if number]
    x_of = {**{number: np.log2(number) for number in shots}, 0: np.log2(shots[-1]) + 1.0}
    if np.isfinite(panel["chance"]).any():
        axes.axhline(panel["chance"].mean(), color=style.MUTED, linewidth=0.8, zorder=1)
    for encoder in reversed(rows.encoders):
        own = panel[panel["encoder"] == encoder]
        own = own.assign(x=own["shots"].map(x_of)).sort_values("x")
        draw_line(axes, own["x"].to_numpy(float), own, rows.styles[encoder])
    axes.set_xticks(list(x_of.values()), [*(f"{number}" for number in shots), "all"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(*value_limits(panel))
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("images a taxon", fontsize=6.5)
