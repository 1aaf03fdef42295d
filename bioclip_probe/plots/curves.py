"""Curves of sample efficiency: how a number grows with the images a taxon that a probe learnt from."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.lines import LEGEND_COLUMNS, draw_line, legend, limits
from bioclip_probe.plots.selection import check_one_each, metric_label, select
from bioclip_probe.tables import RANKS


@style.styled
def curves(
    measurements: pd.DataFrame,
    metric: str = "top1_accuracy",
    models: Iterable[str] | None = None,
    title: str = "",
    simulated: bool = False,
    controls: Collection[str] = (),
) -> Figure:
    """Draw one metric against the images of a taxon that the probe learnt from, a panel for each rank.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows of one probe and protocol; those without `shots` (learnt from all images) are the right
        end of each curve.
    metric : str
    models : iterable of str, optional
        Encoders to draw; all if not given. Controls come last, in grey.
    title : str
    simulated : bool
        Print the word on the figure; so does a table that says it.
    controls : collection of str
        Encoders that are controls, as a results folder's record has them; they come last, muted.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If no rank has a curve, or two rows fall on one point.
    """
    table = select(measurements, [metric], "raw")
    known = table[table["shots"].notna() & table["value"].notna()]
    ranks = [rank for rank in RANKS if rank in set(known["rank"])]
    if not ranks:
        raise DataError(f"no {metric_label(metric)} after a number of images a taxon; ask a probe with shots")
    encoders = style.pick(table, models, controls)
    table = table[table["encoder"].isin(encoders) & table["rank"].isin(ranks)]
    check_one_each(table.assign(shots=table["shots"].fillna(0)), ["encoder", "rank", "shots"])
    styles = style.model_styles(encoders, controls)

    columns = min(len(ranks), 4)
    rows = -(-len(ranks) // columns)
    legend_rows = -(-(len(encoders) + 2) // LEGEND_COLUMNS)
    title = title or f"{metric_label(metric)} by images a taxon"
    size = (style.TEXT_WIDTH, 0.5 + 1.9 * rows + 0.17 * legend_rows)
    figure = style.new_figure(*size, title, style.is_simulated(table, simulated))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(ranks) :]:
        axes.remove()
    for axes, rank in zip(grid, ranks, strict=False):
        part = table[table["rank"] == rank]
        shots = sorted(part["shots"].dropna().unique())
        places = {**{k: np.log2(k) for k in shots}, 0: np.log2(shots[-1]) + 1.0}
        if np.isfinite(part["chance"]).any():
            axes.axhline(part["chance"].mean(), color=style.MUTED, linewidth=0.8, zorder=1)
        for encoder in reversed(encoders):
            own = part[part["encoder"] == encoder]
            own = own.assign(place=own["shots"].fillna(0).map(places)).sort_values("place")
            draw_line(axes, own["place"].to_numpy(float), own, styles[encoder])
        axes.set_xticks(list(places.values()), [*(f"{k}" for k in shots), "all"])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(*limits(part))
        axes.grid(axis="y", color="#eeeeee", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_title(style.plural(rank), loc="left")
        axes.set_xlabel("images a taxon", fontsize=6.5)
    legend(figure, [styles[encoder] for encoder in encoders], table, LEGEND_COLUMNS)
    return figure
