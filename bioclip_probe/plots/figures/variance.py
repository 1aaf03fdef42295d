"""At which rank the differences between species arise: variance components, with negative estimates shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import rank_labels, shorten
from bioclip_probe.plots.lines import draw_line, has_cut_intervals, label_below, place_legend, value_limits
from bioclip_probe.plots.selection import FigureRows, defined_ranks, measured
from bioclip_probe.plots.settings import FigureSettings

METRIC = "variance_component_between_species"
#: Lightness of the bars: what relatives share is dark, what is the species' own is light.
SHARED, OWN = 0.75, 0.3


@style.styled
def draw_variance(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a panel of bars for each model, one for each rank.

    Parameters
    ----------
    rows : DataFrame
        Variance components of the ranks; one row for each encoder and rank.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure
        All panels share one scale. A component that was estimated below zero is a bar below zero.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one bar.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> figure = draw_variance(two_models(), FigureSettings())
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['family', 'species']
    """
    drawn = FigureRows.of(rows, ["encoder", "rank"], settings)
    n = len(drawn.encoders)
    n_rows = -(-n // (4 if settings.page > 4 else 2))
    n_columns = -(-n // n_rows)
    width = min(settings.page, max(0.7 + 2.1 * n_columns, 3.4))
    title = "At which rank species differ"
    figure = style.new_figure(settings, 0.95 + max(1.45 * n_rows, 2.0), title, drawn.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for axes in grid.ravel()[n:]:
        axes.remove()
    ranks = defined_ranks(drawn.table)
    limits = value_limits(drawn.table)
    for number, (axes, encoder) in enumerate(zip(grid.ravel(), drawn.encoders, strict=False)):
        look = drawn.styles[encoder]
        own = drawn.table[drawn.table["encoder"] == encoder].set_index("rank").reindex(ranks)
        _draw_panel(axes, own, look, limits)
        label = shorten(look.label, 18 if width / n_columns < 1.8 else 26)
        axes.set_title(label, loc="left", fontweight="normal" if look.control else "bold", color=look.text_color)
        labels = rank_labels(drawn.table, ranks) if number + n_columns >= n else [""] * len(ranks)
        axes.set_xticks(range(len(ranks)), labels, rotation=40, ha="right", rotation_mode="anchor")
    label_below(grid, "rank (number of taxa)")
    figure.supylabel("share of the variance between species", fontsize="medium")
    entries: list[tuple[object, str]] = [
        (Patch(color=style.INK, alpha=SHARED, linewidth=0), "what relatives share"),
        (Patch(color=style.INK, alpha=OWN, linewidth=0), "the species' own"),
    ]
    if np.isfinite(drawn.table["ci_low"]).any():
        bar = Line2D([], [], linestyle="", marker="|", markersize=6, markeredgewidth=0.8, color=style.INK)
        entries.append((bar, "95 % interval" + (" (arrow: goes on)" if has_cut_intervals(figure) else "")))
    place_legend(figure, entries)
    return figure


def _draw_panel(axes: Axes, own: pd.DataFrame, look: style.ModelStyle, limits: tuple[float, float]) -> None:
    """Draw the bars of one model."""
    x = np.arange(len(own))
    for place, (rank, value) in enumerate(own["value"].items()):
        if np.isfinite(value):
            axes.bar(place, value, 0.74, color=look.color, alpha=OWN if rank == "species" else SHARED, linewidth=0)
    plain = style.ModelStyle("", style.INK, "", "", control=False)
    draw_line(axes, x, own, plain, limits)
    for line in axes.lines:
        if line.get_linestyle() == "-":
            line.set_visible(False)
    axes.axhline(0, color=style.MUTED, linewidth=0.6)
    axes.set_xlim(-0.6, len(own) - 0.4)
    axes.set_ylim(*limits)
    axes.grid(axis="y", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


ENTRY = FigureEntry(
    "variance",
    "At which rank species differ",
    "Shares of the variance between species that arise at each rank, by nested random effects, estimated without bias: "
    "a share may come out below zero. A model that only recognises species has all of it at species; what relatives "
    "share arises above. Bars: 95 % intervals.",
    draw_variance,
    lambda tables, settings: measured(tables, (METRIC,), {"split": "all"}, settings),
)
