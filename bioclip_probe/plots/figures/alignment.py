"""Accuracy of the linear probe against alignment with the tree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import counts_label, tree_label
from bioclip_probe.plots.lines import label_below, value_limits
from bioclip_probe.plots.scatter import crosses, label_points
from bioclip_probe.plots.selection import FigureRows, Tables, endpoint_tree, measured
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.probes import SEEN_CHILDREN, UNSEEN

CPCC, ACCURACY, RANK = "cophenetic_correlation", "macro_accuracy", "family"
PANELS = {SEEN_CHILDREN: "Genera seen in training", UNSEEN: "The same images, genera never seen"}


def alignment_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return CPCC at species, and the accuracy of the linear probe at family for genera seen and never seen.

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
        If one of the two numbers is not there.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> alignment_rows({"measurements": two_models().assign(tree="taxonomy")}, FigureSettings())
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: there is no value of cophenetic_correlation to draw
    """
    settings = endpoint_tree(tables, settings)
    aligned = measured(tables, (CPCC,), {"rank": "species", "split": "all"}, settings)
    probe = {"probe": "linear", "split": "test", "rank": RANK, "shots": None, "protocol": list(PANELS)}
    return pd.concat([aligned, measured(tables, (ACCURACY,), {**probe, "space": ["raw"]}, settings)], ignore_index=True)


@style.styled
def draw_alignment(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a panel for each protocol, with a point for each model.

    Parameters
    ----------
    rows : DataFrame
        As `alignment_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure
        Both panels share their axes. A model of which one of the two numbers is undefined has no point.

    Raises
    ------
    DataError
        If no model has both numbers, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> aligned = two_models("species").assign(metric=CPCC)
    >>> probed = two_models("family").assign(metric=ACCURACY, protocol=UNSEEN)
    >>> figure = draw_alignment(pd.concat([aligned, probed]), FigureSettings())
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['BioCLIP', 'CLIP']
    """
    drawn = FigureRows.of(rows, ["metric", "encoder", "protocol"], settings)
    x = drawn.table[drawn.table["metric"] == CPCC].set_index("encoder").reindex(drawn.encoders)
    of_probe = drawn.table[drawn.table["metric"] == ACCURACY]
    protocols = [name for name in PANELS if of_probe.loc[of_probe["protocol"] == name, "value"].notna().any()]
    pairs = {
        name: of_probe[of_probe["protocol"] == name].set_index("encoder").reindex(drawn.encoders) for name in protocols
    }
    if not any((x["value"].notna() & y["value"].notna()).any() for y in pairs.values()):
        raise DataError("no model has both a CPCC and an accuracy")
    n_columns = len(protocols) if settings.page > 4 else 1
    n_rows = -(-len(protocols) // n_columns)
    width = min(settings.page, 0.6 + 3.4 * n_columns)
    title = "Accuracy against alignment with the tree"
    figure = style.new_figure(settings, 2.35 * n_rows + 0.3, title, drawn.simulated, width)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    (left, right), heights = value_limits(x), value_limits(of_probe)
    for axes, protocol in zip(grid.ravel(), protocols, strict=True):
        axes.set_xlim(min(left, -0.02), right)
        axes.set_ylim(*heights)
        axes.set_title(PANELS[protocol], loc="left")
    label_below(grid, f"CPCC at species (correlation){tree_label(x)}")
    counts = counts_label(of_probe)
    figure.supylabel(f"macro accuracy at {RANK}" + (f"\n{counts}" if counts else ""), fontsize="medium")
    for axes, protocol in zip(grid.ravel(), protocols, strict=True):
        _draw_panel(axes, x, pairs[protocol], drawn)
    return figure


def _draw_panel(axes: Axes, x: pd.DataFrame, y: pd.DataFrame, rows: FigureRows) -> None:
    """Draw the models, their intervals and the chance level."""
    known = [name for name in rows.encoders if np.isfinite(x.loc[name, "value"]) and np.isfinite(y.loc[name, "value"])]
    looks = [rows.styles[name] for name in known]
    if np.isfinite(y["chance"]).any():
        axes.axhline(y["chance"].mean(), color=style.MUTED, linewidth=0.8, zorder=1)
        axes.annotate("chance", (1, y["chance"].mean()), (0, 1.5), axes.get_yaxis_transform(), "offset points",
                      ha="right", va="bottom", fontsize="small", color=style.MUTED)  # fmt: skip
    crosses(axes, x.loc[known], y.loc[known], [look.color for look in looks])
    for name, look in zip(known, looks, strict=True):
        at = (x.loc[name, "value"], y.loc[name, "value"])
        axes.plot(*at, look.marker, color=look.color, markersize=4.5, markeredgewidth=0, zorder=3)
    label_points(axes, x.loc[known], y.loc[known], looks)
    axes.grid(color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


ENTRY = FigureEntry(
    "alignment",
    "Accuracy against alignment with the tree",
    "Macro accuracy of the linear probe at family against CPCC at species. The same images are asked about with their "
    "genera in training (left) and with their genera held out (right): what follows the tree should help more where "
    "genera are new. Bars: 95 % intervals. Grey: chance.",
    draw_alignment,
    alignment_rows,
)
