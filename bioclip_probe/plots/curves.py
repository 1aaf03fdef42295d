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
from bioclip_probe.plots.lines import draw_legend, draw_line, label_below, value_limits
from bioclip_probe.plots.selection import FigureRows, select
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

DEFAULTS = FigureSettings()
NARROWEST = 1.5  # inches of a panel


@style.styled
def curves(measurements: pd.DataFrame, settings: FigureSettings = DEFAULTS, metric: str = "top1_accuracy") -> Figure:
    """Draw one metric against the images per taxon that the probe learnt from, a panel for each rank.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows of one probe and protocol. Rows without `shots`, whose probe learnt from all images, are
        the right end of each curve.
    settings : FigureSettings
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
    table = select(measurements, [metric], settings.space)
    known = table[table["shots"].notna() & table["value"].notna()]
    ranks = [rank for rank in RANKS if rank in set(known["rank"])]
    if not ranks:
        raise DataError(f"no {metric_label(metric)} after a number of images a taxon; ask a probe with shots")
    table = table[table["rank"].isin(ranks)]
    rows = FigureRows.of(table.assign(shots=table["shots"].fillna(0)), ["encoder", "rank", "shots"], settings)

    n_columns = min(len(ranks), 4 if len(ranks) > 3 else 3, int(settings.page // NARROWEST))
    n_rows = -(-len(ranks) // n_columns)
    legend = 0.17 * -(-(len(rows.encoders) + 2) // int(settings.page // 1.3))
    width = min(settings.page, 0.5 + 2.2 * n_columns)
    title = f"{metric_label(metric)} by images a taxon"
    figure = style.new_figure(settings, 0.2 + 1.6 * n_rows + legend, title, rows.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes in grid.ravel()[len(ranks) :]:
        axes.remove()
    limits = value_limits(rows.table)
    for axes, rank in zip(grid.ravel(), ranks, strict=False):
        panel = rows.table[rows.table["rank"] == rank]
        _draw_panel(axes, panel, rows, limits)
        n_taxa = panel["n_taxa"].max()
        axes.set_title(plural(rank) + (f" ({n_taxa:,})" if pd.notna(n_taxa) and n_taxa else ""), loc="left")
    for axes in grid[:, 0]:
        axes.set_ylabel(metric_label(metric).lower())
    label_below(grid, "training images a taxon")
    draw_legend(figure, [rows.styles[encoder] for encoder in rows.encoders], rows.table)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, rows: FigureRows, limits: tuple[float, float]) -> None:
    """Draw one rank: x is the logarithm of the number of images; 0 shots stand for all images, at the right end."""
    shots = [number for number in sorted(panel["shots"].unique()) if number]
    x_of = {**{number: np.log2(number) for number in shots}, 0: np.log2(shots[-1]) + 1.0}
    if np.isfinite(panel["chance"]).any():
        axes.axhline(panel["chance"].mean(), color=style.MUTED, linewidth=0.8, zorder=1)
    for encoder in reversed(rows.encoders):
        own = panel[panel["encoder"] == encoder]
        own = own.assign(x=own["shots"].map(x_of)).sort_values("x")
        draw_line(axes, own["x"].to_numpy(float), own, rows.styles[encoder], limits)
    axes.set_xticks(list(x_of.values()), [*(f"{number}" for number in shots), "all"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(*limits)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
