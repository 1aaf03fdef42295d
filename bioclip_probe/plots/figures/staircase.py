"""The staircase: the embedding distance of two species, by the lowest rank that they share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import shorten
from bioclip_probe.plots.lines import label_below, place_legend
from bioclip_probe.plots.selection import FigureRows, measured, select
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import RANKS

DEFAULTS = FigureSettings()
STEPS = ("root", *RANKS)
SUMMARIES = ("mean", "q05", "q25", "q50", "q75", "q95")
METRICS = tuple(f"lca_distance_{summary}" for summary in SUMMARIES)


@style.styled
def draw_staircase(measurements: pd.DataFrame, settings: FigureSettings = DEFAULTS, share_y: bool = True) -> Figure:
    """Return the distribution of embedding distance by the rank of the lowest common ancestor, a panel for each model.

    A model that follows the tree of life has stairs that fall to the right and do not overlap.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows with the metric ``lca_distance_q50`` and, if there are any, ``…_mean``, ``…_q05``,
        ``…_q25``, ``…_q75``, ``…_q95``. ``rank`` is that of the lowest common ancestor, ``root`` between kingdoms.
    settings : FigureSettings
    share_y : bool
        Draw all models on one scale. False gives each a scale of its own, to compare the shape of the stairs of models
        whose distances differ in size.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there is no median to draw, a rank is unknown, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> figure = draw_staircase(two_models("genus", "order").assign(metric="lca_distance_q50"))
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['order', 'genus']
    """
    rows = FigureRows.of(select(measurements, METRICS, settings.space), ["encoder", "rank", "metric"], settings)
    table, encoders = rows.table, rows.encoders
    unknown = set(table["rank"].fillna("")) - set(STEPS)
    if unknown:
        raise DataError(f"unknown rank of a common ancestor: {sorted(unknown)}; expected one of: {', '.join(STEPS)}")
    if "lca_distance_q50" not in set(table["metric"]):
        raise DataError("the staircase needs the metric lca_distance_q50, the median")
    steps = [step for step in STEPS if step in set(table["rank"])]

    most = 4 if settings.page > 4 else 2
    n_rows = -(-len(encoders) // most)
    n_columns = -(-len(encoders) // n_rows)
    width = min(settings.page, 0.7 + 2.2 * n_columns)
    figure = style.new_figure(
        settings, 1.75 * n_rows + 0.5, "Distance in the embedding by kinship", rows.simulated, width
    )
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=share_y)
    for axes in grid.ravel()[len(encoders) :]:
        axes.remove()
    names = ["none" if step == "root" else step for step in steps]
    for number, (axes, encoder) in enumerate(zip(grid.ravel(), encoders, strict=False)):
        look = rows.styles[encoder]
        _draw_panel(axes, table[table["encoder"] == encoder], steps, look)
        label = shorten(look.label, 20 if n_columns > 3 or width < 4 else 26)
        axes.set_title(label, loc="left", fontweight="normal" if look.control else "bold", color=look.text_color)
        is_last = number + n_columns >= len(encoders)
        labels = names if is_last else [""] * len(steps)
        axes.set_xticks(np.arange(len(steps)), labels, rotation=40, ha="right", rotation_mode="anchor")
    for axes in figure.axes:  # after all are drawn, because it ends the search for a common scale
        axes.set_ylim(bottom=0)
    figure.supylabel("cosine distance of two species", fontsize="medium")
    label_below(grid, "lowest rank that both share")
    place_legend(figure, _key(set(table["metric"])))
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, steps: list[str], look: style.ModelStyle) -> None:
    """Draw one model: a box for each step, like a boxplot without whisker caps."""
    values = rows.pivot_table(index="rank", columns="metric", values="value", aggfunc="first").reindex(index=steps)
    missing = pd.Series(np.nan, index=steps)
    at = {name: values.get(f"lca_distance_{name}", missing).to_numpy(float) for name in SUMMARIES}
    x = np.arange(len(steps))
    axes.vlines(x, at["q05"], at["q95"], color=look.color, linewidth=0.7, alpha=0.7)
    axes.bar(x, at["q75"] - at["q25"], 0.74, at["q25"], color=look.color, alpha=0.28, linewidth=0)
    axes.hlines(at["q50"], x - 0.37, x + 0.37, color=look.color, linewidth=1.6)
    marker: dict[str, Any] = {"marker": "o", "markersize": 2.2, "markeredgecolor": look.color, "markeredgewidth": 0.7}
    axes.plot(x, at["mean"], linestyle="", color="white", zorder=4, **marker)
    axes.set_xlim(-0.6, len(steps) - 0.4)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _key(metrics: set[str]) -> list[tuple[Artist, str]]:
    """Return the handles and labels of the legend, for the metrics that the table has."""
    marker: dict[str, Any] = {"marker": "o", "markersize": 2.4, "markeredgecolor": style.INK, "markeredgewidth": 0.7}
    entries: list[tuple[str, Artist, str]] = [
        ("lca_distance_q50", Line2D([], [], color=style.INK, linewidth=1.6), "median"),
        ("lca_distance_q25", Patch(color=style.INK, alpha=0.28, linewidth=0), "middle half"),
        ("lca_distance_q05", Line2D([], [], color=style.INK, linewidth=0.7), "5 to 95 %"),
        ("lca_distance_mean", Line2D([], [], linestyle="", color="white", **marker), "mean"),
    ]
    return [(handle, label) for metric, handle, label in entries if metric in metrics]


ENTRY = FigureEntry(
    "staircase",
    "Distance in the embedding by kinship",
    "Cosine distance of two species' mean embeddings, by the lowest rank that they share. In an embedding that follows "
    "the tree it falls from step to step.",
    draw_staircase,
    lambda tables, settings: measured(tables, METRICS, {}, settings),
)
