"""The figure of what a projection keeps: purity of each panel of Section 4.6 in full dimension and in the plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import rank_labels, shorten
from bioclip_probe.plots.lines import draw_line, label_below, place_legend, value_limits
from bioclip_probe.plots.selection import FigureRows, Tables
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

FULL, PLANE = "panel_purity", "panel_purity_2d"
#: Names of projections, and their marks.
METHODS = {"tsne": ("t-SNE", "^"), "umap": ("UMAP", "s"), "pca": ("PCA", "D")}


def projection_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return the purity of the panels of Section 4.6 in full dimension and in the plane.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    settings : FigureSettings

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If no panel was measured in the plane.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> projection_rows({"measurements": two_models()}, FigureSettings())
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no panel of a projection was measured; run `bioclip-probe project`
    """
    table = tables["measurements"]
    rows = table[table["metric"].isin([FULL, PLANE])]
    if not rows.loc[rows["metric"].eq(PLANE), "value"].notna().any():
        raise DataError("no panel of a projection was measured; run `bioclip-probe project`")
    return rows.assign(protocol=rows["protocol"].fillna("")).reset_index(drop=True)


@style.styled
def draw_projection(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a panel for each model, with the purity by rank in full dimension and in each plane.

    Parameters
    ----------
    rows : DataFrame
        As `projection_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> rows = two_models().assign(metric=FULL, protocol="")
    >>> len(draw_projection(rows, FigureSettings()).axes)
    2
    """
    drawn = FigureRows.of(rows, ["encoder", "rank", "metric", "protocol"], settings)
    ranks = [rank for rank in RANKS if rank in set(drawn.table["rank"])]
    n = len(drawn.encoders)
    n_rows = -(-n // (4 if settings.page > 4 else 1))
    n_columns = -(-n // n_rows)
    width = min(settings.page, 0.7 + 2.4 * n_columns)
    title = "What the plane keeps of the clusters"
    figure = style.new_figure(settings, 1.7 * n_rows + 0.75, title, drawn.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes in grid.ravel()[n:]:
        axes.remove()
    limits = value_limits(drawn.table)
    for number, (axes, encoder) in enumerate(zip(grid.ravel(), drawn.encoders, strict=False)):
        own, look = drawn.table[drawn.table["encoder"] == encoder], drawn.styles[encoder]
        _draw_panel(axes, own, ranks, look.color, limits)
        axes.set_title(shorten(look.label, 20), loc="left", fontweight="bold", color=look.text_color)
        labels = rank_labels(own, ranks, "n_images") if number + n_columns >= n else [""] * len(ranks)
        axes.set_xticks(range(len(ranks)), labels, rotation=35, ha="right", rotation_mode="anchor")
    figure.supylabel("k-means purity of the panel", fontsize="medium")
    label_below(grid, "rank of the taxa (images in the panel)")
    _draw_key(figure, set(drawn.table["protocol"]), bool(drawn.table["ci_low"].notna().any()))
    return figure


def _draw_panel(axes: Axes, own: pd.DataFrame, ranks: list[str], color: str, limits: tuple[float, float]) -> None:
    """Draw one model."""
    x = np.arange(len(ranks))
    full = own[own["metric"] == FULL].set_index("rank").reindex(ranks)
    axes.hlines(full["chance"], x - 0.35, x + 0.35, color=style.MUTED, linewidth=0.8, zorder=1)
    draw_line(axes, x, full, style.ModelStyle("", color, "o", "-", control=False), limits)
    for number, (method, (_, marker)) in enumerate(METHODS.items()):
        plane = own[(own["metric"] == PLANE) & (own["protocol"] == method)].set_index("rank").reindex(ranks)
        edge: dict[str, Any] = {"markeredgecolor": style.INK, "markeredgewidth": 0.7, "zorder": 4}
        axes.plot(x + 0.16 * (number + 1), plane["value"], marker, color="white", markersize=3.4, **edge)
    axes.set_xlim(-0.5, len(ranks) - 0.3)
    axes.set_ylim(*limits)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_key(figure: Figure, methods: set[str], intervals: bool) -> None:
    """Draw the legend of full dimension, with or without intervals, of methods and chance."""
    full = "full dimension, 95 % interval" if intervals else "full dimension"
    entries = [(Line2D([], [], color=style.INK, marker="o", markersize=3.6, linewidth=1.3), full)]
    edge: dict[str, Any] = {"markeredgecolor": style.INK, "markeredgewidth": 0.7}
    for method, (name, marker) in METHODS.items():
        if method in methods:
            line = Line2D([], [], linestyle="", color="white", marker=marker, markersize=3.6, **edge)
            entries.append((line, f"in the plane: {name}"))
    entries.append((Line2D([], [], color=style.MUTED, linewidth=0.8), "chance"))
    place_legend(figure, entries)


ENTRY = FigureEntry(
    "projection",
    "What the plane keeps of the clusters",
    "Purity of k-means clusters (k = plotted taxa) in each panel of Section 4.6, in full dimension and in the plane "
    "that is drawn. Grey: what a model reaches that recognises species and knows no tree. The study has one seed of "
    "each projection, so no spread over seeds is shown.",
    draw_projection,
    projection_rows,
)
