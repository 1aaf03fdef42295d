"""The figure of what a projection keeps of the panels of Section 4.6: clusters and neighbours, over seeds."""

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
from bioclip_probe.plots.selection import FigureRows, Tables, defined_ranks
from bioclip_probe.plots.settings import FigureSettings

FULL, PLANE, TRUST = "panel_purity", "panel_purity_2d", "panel_trustworthiness"
#: The quantities that are drawn, and the labels of their axes.
QUANTITIES = {FULL: "k-means purity", TRUST: "trustworthiness"}
#: Names of projections, and their marks.
METHODS = {"tsne": ("t-SNE", "^"), "umap": ("UMAP", "s"), "pca": ("PCA", "D")}


def projection_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return purity and trustworthiness of the panels of Section 4.6, with what they are over seeds.

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
    names = [FULL, *(f"{name}{end}" for name in (PLANE, TRUST) for end in ("", "_seeds", "_seeds_sd"))]
    rows = table[table["metric"].isin(names) & (table["value"].notna() | table["metric"].isin([FULL, PLANE]))]
    if not rows.loc[rows["metric"].eq(PLANE), "value"].notna().any():
        raise DataError("no panel of a projection was measured; run `bioclip-probe project`")
    return rows.assign(protocol=rows["protocol"].fillna("")).reset_index(drop=True)


@style.styled
def draw_projection(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return two panels for each model: purity by rank in full dimension and in each plane, and trustworthiness.

    Parameters
    ----------
    rows : DataFrame
        As `projection_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure
        The second panel is there if trustworthiness was measured. Panels that were projected by several seeds have a
        bar of mean ± standard deviation, and a cross for vectors without structure.

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
    ranks = defined_ranks(drawn.table[drawn.table["metric"].isin([FULL, PLANE])])
    quantities = [name for name in QUANTITIES if name in set(drawn.table["metric"])]
    wide, n, n_quantities = settings.page > 4, len(drawn.encoders), len(quantities)
    n_columns = min(n, 4) if wide else n_quantities
    n_blocks = -(-n // n_columns) if wide else n
    n_rows = n_blocks * (n_quantities if wide else 1)
    width = min(settings.page, 0.7 + 2.4 * n_columns) if wide else settings.page
    title = "What the plane keeps of the panels"
    height = (1.25 if n_quantities > 1 else 1.7) * n_rows + 0.45 * n_blocks + 0.5
    figure = style.new_figure(settings, height, title, drawn.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for number, encoder in enumerate(drawn.encoders):
        own, look = drawn.table[drawn.table["encoder"] == encoder], drawn.styles[encoder]
        block, column = divmod(number, n_columns)
        for place, quantity in enumerate(quantities):
            at = (block * n_quantities + place, column) if wide else (number, place)
            axes, first = grid[at], at[1] == 0
            _draw_panel(axes, own, ranks, look.color, quantity)
            axes.set_ylim(*_limits(drawn.table, quantity))
            axes.tick_params(labelleft=first or not wide)
            if (place == 0) if wide else first:
                name = shorten(look.label, 20)
                axes.set_title(name, loc="left", fontweight="bold", color=look.text_color)
            if first or not wide:
                axes.set_ylabel(QUANTITIES[quantity])
            last = place == n_quantities - 1 if wide else number == n - 1
            labels = rank_labels(own, ranks, "n_images") if last else [""] * len(ranks)
            axes.set_xticks(range(len(ranks)), labels, rotation=35, ha="right", rotation_mode="anchor")
    for axes in [axes for axes in grid.ravel() if not axes.has_data()]:
        axes.remove()
    label_below(grid, "rank of the taxa (images in the panel)" if wide else "rank (images)")
    _draw_key(figure, drawn.table)
    return figure


def _limits(table: pd.DataFrame, quantity: str) -> tuple[float, float]:
    """Return the limits of the axis of a quantity: from 0 for purity, around the values for trustworthiness."""
    own = table[table["metric"].isin([quantity, *_of_planes(quantity)])]
    if quantity == FULL:
        return value_limits(own)
    return value_limits(own, from_zero=False)[0], 1 + 0.06 * (1 - own[["value", "chance"]].min(axis=None))


def _of_planes(quantity: str) -> tuple[str, str]:
    """Return the metric of a quantity in the plane that is drawn, and of its mean over seeds."""
    plane = PLANE if quantity == FULL else quantity
    return plane, f"{plane}_seeds"


def _draw_panel(axes: Axes, own: pd.DataFrame, ranks: list[str], color: str, quantity: str) -> None:
    """Draw one quantity of one model."""
    x = np.arange(len(ranks))
    if quantity == FULL:
        full = own[own["metric"] == FULL].set_index("rank").reindex(ranks)
        axes.hlines(full["chance"], x - 0.35, x + 0.35, color=style.MUTED, linewidth=0.8, zorder=1)
        draw_line(axes, x, full, style.ModelStyle("", color, "o", "-", control=False), _limits(own, quantity))
    plane, seeds = _of_planes(quantity)
    for number, (method, (_, marker)) in enumerate(METHODS.items()):
        by_metric = {
            name: own[own["metric"].eq(name) & own["protocol"].eq(method)].set_index("rank").reindex(ranks)
            for name in (plane, seeds, f"{seeds}_sd")
        }
        at = x + 0.2 * (number + (1 if quantity == FULL else -0.5))
        mean, sd = by_metric[seeds]["value"], by_metric[f"{seeds}_sd"]["value"]
        axes.vlines(at, mean - sd, mean + sd, color=style.INK, linewidth=0.8, zorder=3)
        axes.plot(
            at,
            by_metric[seeds]["chance"],
            "x",
            color=style.INK,
            markersize=3,
            markeredgewidth=0.7,
            zorder=2,
            clip_on=False,
        )
        axes.plot(at, by_metric[plane]["value"], marker, markersize=3.2, zorder=4, clip_on=False, **_mark(color))
    axes.set_xlim(-0.5, len(ranks) - 0.3)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _mark(color: str) -> dict[str, Any]:
    """Return the look of a mark of a plane: open, with the edge of the model's colour."""
    return {"color": "white", "markeredgecolor": color, "markeredgewidth": 0.8}


def _draw_key(figure: Figure, table: pd.DataFrame) -> None:
    """Draw the legend of full dimension, with or without intervals, of methods, seeds, control and chance."""
    full = "full dimension, 95 % interval" if table["ci_low"].notna().any() else "full dimension"
    entries = [(Line2D([], [], color=style.INK, marker="o", markersize=3.6, linewidth=1.3), full)]
    for method, (name, marker) in METHODS.items():
        if method in set(table["protocol"]):
            line = Line2D([], [], linestyle="", marker=marker, markersize=3.6, **_mark(style.INK))
            entries.append((line, f"in the plane: {name}"))
    if table["metric"].str.endswith("_seeds").any():
        bar = Line2D([], [], linestyle="", marker="|", markersize=6, markeredgewidth=0.8, color=style.INK)
        cross = Line2D([], [], linestyle="", marker="x", markersize=3.4, markeredgewidth=0.7, color=style.INK)
        entries += [(bar, "mean ± sd over seeds"), (cross, "control: no structure")]
    entries.append((Line2D([], [], color=style.MUTED, linewidth=0.8), "chance"))
    place_legend(figure, entries)


ENTRY = FigureEntry(
    "projection",
    "What the plane keeps of the panels",
    "Above: purity of k-means clusters (k = plotted taxa) in each panel of Section 4.6, in full dimension and in the "
    "plane that is drawn. Grey: what a model reaches that recognises species and knows no tree. Below: "
    "trustworthiness, how far the five nearest images in the plane are neighbours in full dimension. Bars: mean ± "
    "standard deviation over the seeds of the projection, in the panels that were projected again. Crosses: vectors of "
    "the same spectrum without structure (coordinates on each principal axis shuffled over images), projected alike: "
    "what lies near a cross is seen in any cloud of points.",
    draw_projection,
    projection_rows,
)
