"""Tree signal against effective dimension, with CPCC as colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.labels import counts_label, metric_label
from bioclip_probe.plots.scatter import crosses, label_points
from bioclip_probe.plots.selection import FigureRows, Tables, endpoint_tree, measured
from bioclip_probe.plots.settings import FigureSettings

DIMENSION, SIGNAL, CPCC = "effective_dimension", "pagel_lambda", "cophenetic_correlation"
_COLORS = "viridis_r"


def signal_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return tree signal, effective dimension and CPCC at species, on the tree of the primary endpoints.

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
        If one of the two axes is not there.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models("species").assign(tree="taxonomy", split="all", metric="pagel_lambda")
    >>> signal_rows({"measurements": table}, FigureSettings())
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: there is no value of effective_dimension to draw
    """
    settings = endpoint_tree(tables, settings)
    where = {"rank": "species", "split": "all", "probe": None}
    for metric in (DIMENSION, SIGNAL):
        measured(tables, (metric,), where, settings)
    return measured(tables, (DIMENSION, SIGNAL, CPCC), where, settings)


@style.styled
def draw_signal(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a point for each model: right is more directions, up is more signal, dark is a higher CPCC.

    Parameters
    ----------
    rows : DataFrame
        As `signal_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure
        A model of which one of the two numbers is undefined has no point.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> rows = pd.concat([two_models("species").assign(metric=metric) for metric in (DIMENSION, SIGNAL, CPCC)])
    >>> [text.get_text() for text in draw_signal(rows, FigureSettings()).axes[0].texts]
    ['BioCLIP', 'CLIP']
    """
    drawn = FigureRows.of(rows, ["encoder", "metric"], settings)
    parts = {
        metric: part.set_index("encoder").reindex(drawn.encoders) for metric, part in drawn.table.groupby("metric")
    }
    x, y = parts[DIMENSION], parts[SIGNAL]
    known = [name for name in drawn.encoders if np.isfinite(x.loc[name, "value"]) and np.isfinite(y.loc[name, "value"])]
    if not known:
        raise DataError("no model has both a tree signal and an effective dimension")
    figure = style.new_figure(settings, 2.75, "One heritable trait or the tree?", drawn.simulated, 5.0)
    axes = figure.subplots()
    crosses(axes, x.loc[known], y.loc[known], [style.MUTED] * len(known))
    colors = parts[CPCC].loc[known, "value"].to_numpy(float) if CPCC in parts else np.full(len(known), np.nan)
    _draw_points(figure, axes, (x.loc[known, "value"].to_numpy(), y.loc[known, "value"].to_numpy()), colors)
    _draw_axes(axes, [*x["value"], *x["ci_low"], *x["ci_high"]], drawn.table[drawn.table["metric"] == SIGNAL])
    label_points(axes, x.loc[known], y.loc[known], [drawn.styles[name] for name in known])
    return figure


def _draw_points(figure: Figure, axes: Axes, at: tuple[np.ndarray, np.ndarray], values: np.ndarray) -> None:
    """Draw the points in the colour of their values; without values they are grey."""
    known = np.isfinite(values)
    edge: dict[str, Any] = {"linewidths": 0.6, "edgecolors": style.INK, "zorder": 3, "s": 34}
    axes.scatter(at[0][~known], at[1][~known], color=style.FAINT, **edge)
    if known.any():
        low, high = min(values[known].min(), 0.0), max(values[known].max(), 0.1)
        points = axes.scatter(at[0][known], at[1][known], c=values[known], cmap=_COLORS, vmin=low, vmax=high, **edge)
        bar = figure.colorbar(points, ax=axes, fraction=0.05, pad=0.02, label="CPCC")
        bar.outline.set_visible(False)


def _draw_axes(axes: Axes, dimensions: Sequence[float], signal: pd.DataFrame) -> None:
    """Draw a logarithmic axis of dimensions, and one of signal from 0 to 1."""
    known = np.array([value for value in dimensions if np.isfinite(value) and value > 0])
    axes.set_xscale("log")
    axes.set_xlim(max(known.min() / 1.25, 0.5), known.max() * 1.6)
    candidates = [factor * 10**power for power in range(5) for factor in (1, 2, 3, 5)]
    axes.set_xticks([tick for tick in candidates if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]])
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.set_ylim(-0.03, 1.05)
    axes.set_xlabel(f"effective dimension of species (directions)\n{counts_label(signal)}")
    axes.set_ylabel(metric_label(SIGNAL))
    axes.grid(color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)


ENTRY = FigureEntry(
    "signal",
    "One heritable trait or the tree?",
    "Tree signal (Pagel's λ) against the effective dimension: an embedding that knows one heritable trait, such as "
    "size, has a high λ in one direction; one that knows the tree has a high λ in many directions and a high CPCC "
    "(colour). Bars: 95 % intervals, cut at the edge of the axes.",
    draw_signal,
    signal_rows,
)
