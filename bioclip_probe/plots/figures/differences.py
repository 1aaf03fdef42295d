"""The paired difference of every two models in the primary endpoints, with its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.endpoints import PRIMARY, TAXONOMY
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import counts_label, number
from bioclip_probe.plots.lines import draw_interval, value_limits
from bioclip_probe.plots.selection import FigureRows, Tables, endpoint_tree
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.tables import agrees

DEFAULTS = FigureSettings()
#: Titles of panels that stand side by side.
_SHORT = {"1-NN among other species": "1-NN, other species"}
TITLE = "How much better one model is than another"


def difference_rows(tables: Tables, settings: FigureSettings = DEFAULTS) -> pd.DataFrame:
    """Return the differences of every two encoders in the primary endpoints, which `draw_differences` draws.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    settings : FigureSettings
        Its `tree` is used.

    Returns
    -------
    DataFrame
        Rows of the measurements with the column ``endpoint``, the heading of their panel.

    Raises
    ------
    DataError
        If there is none.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> difference_rows({"measurements": two_models()})
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no two models were compared in a primary endpoint
    """
    table, found = tables["measurements"], []
    phylogeny = endpoint_tree(tables, settings).tree
    for endpoint in PRIMARY:
        where = {
            "metric": f"{endpoint.metric}{DIFFERENCE}",
            "rank": endpoint.rank,
            "space": "raw",
            "tree": phylogeny if endpoint.on_phylogeny else TAXONOMY,
            "split": endpoint.split,
            "probe": endpoint.probe,
            "protocol": endpoint.protocol,
            **dict.fromkeys(("taxon", "column", "shots")),
        }
        found.append(table[agrees(table, where)].assign(endpoint=endpoint.title))
    rows = pd.concat(found, ignore_index=True)
    if not rows["value"].notna().any():
        raise DataError("no two models were compared in a primary endpoint")
    return rows


@style.styled
def draw_differences(rows: pd.DataFrame, settings: FigureSettings = DEFAULTS) -> Figure:
    """Return the paired difference of every two models, and of the first model and each control.

    Parameters
    ----------
    rows : DataFrame
        As `difference_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each endpoint, a line for each pair, with the difference of the first less the second in print. A
        full dot is a difference with p < 0.05, adjusted for all pairs and endpoints. A pair without an interval has no
        line.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> rows = two_models("species").head(1).assign(encoder_b="clip", endpoint="CPCC", p_adjusted=0.01)
    >>> [text.get_text() for text in draw_differences(rows).axes[0].texts]
    ['0.60']
    """
    drawn = FigureRows.of(rows, ["endpoint", "encoder", "encoder_b"], settings, ("encoder", "encoder_b"))
    pairs = _pairs(drawn)
    if not pairs:
        raise DataError("only controls were compared; give a model beside them")
    endpoints = list(dict.fromkeys(drawn.table["endpoint"]))
    n_columns = len(endpoints) if settings.page > 4 else 1
    n_rows = -(-len(endpoints) // n_columns)
    height = 0.1 + n_rows * (0.55 + 0.16 * len(pairs))
    figure = style.new_figure(settings, height, TITLE, drawn.simulated)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for place, (axes, endpoint) in enumerate(zip(panels, endpoints, strict=True)):
        panel = drawn.table[drawn.table["endpoint"] == endpoint]
        _draw_panel(axes, panel.set_index(["encoder", "encoder_b"]), pairs, drawn)
        axes.set_title(_SHORT.get(endpoint, endpoint) if n_columns > 1 else endpoint, loc="left")
        counts = counts_label(panel)
        axes.set_xlabel(counts.replace("; ", "\n") if n_columns > 1 else counts, fontsize="small", color=style.MUTED)
        axes.tick_params(labelleft=place % n_columns == 0)
    return figure


def _pairs(rows: FigureRows) -> list[tuple[str, str]]:
    """Return the pairs to draw, as they were measured: of models, then of the first model and each control."""
    measured = list(dict.fromkeys(zip(rows.table["encoder"], rows.table["encoder_b"], strict=True)))
    of_models = [pair for pair in measured if not any(rows.styles[name].control for name in pair)]
    first = rows.encoders[0]
    with_controls = [
        pair for pair in measured if first in pair and sum(rows.styles[name].control for name in pair) == 1
    ]
    return of_models + with_controls


def _draw_panel(axes: Axes, panel: pd.DataFrame, pairs: list[tuple[str, str]], rows: FigureRows) -> None:
    """Draw the differences in one endpoint."""
    panel = panel.reindex(pd.MultiIndex.from_tuples(pairs))
    low, high = value_limits(panel.assign(chance=0.0))
    low = min(low, -0.04 * (high - low))
    axes.set_xlim(low, high + 0.36 * (high - low))
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.axvline(0, color=style.MUTED, linewidth=0.6, zorder=1)
    for y, pair in enumerate(pairs):
        row = panel.loc[pair]
        controlled = any(rows.styles[name].control for name in pair)
        color = style.MUTED if controlled else style.INK
        known = np.isfinite(row["value"])
        draw_interval(axes, y, row, color, (low, high))
        if known:
            face = color if row["p_adjusted"] < 0.05 else "white"
            axes.plot([row["value"]], [y], "o", color=face, markersize=3.4, markeredgecolor=color, markeredgewidth=0.8)
        axes.text(high + 0.06 * (high - low), y, number(row["value"]), va="center", fontsize="small", color=color)
    labels = [f"{rows.styles[first].label} − {rows.styles[second].label}" for first, second in pairs]
    axes.set_yticks(range(len(pairs)), labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


ENTRY = FigureEntry(
    "differences",
    TITLE,
    "The first model's number less the second's, in the four primary endpoints, on the same species. Bars: 95 % "
    "intervals. Full dots: p < 0.05, adjusted by Holm's method for all pairs of models and all four endpoints. "
    "Grey: differences from controls, which do not count among these.",
    draw_differences,
    difference_rows,
)
