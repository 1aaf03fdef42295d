"""A matrix of models: how alike any two of them are, a panel for each measure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError, some
from bioclip_probe.plots import style
from bioclip_probe.plots.selection import check_one_each, metric_label

_CELL = 0.36  # inches
_COLOURS = "Greens"


@style.styled
def matrix(
    measurements: pd.DataFrame,
    metrics: Iterable[str],
    models: Iterable[str] | None = None,
    space: str = "raw",
    title: str = "",
    simulated: bool = False,
    controls: Collection[str] = (),
) -> Figure:
    """Draw measures between two encoders as half a matrix, a panel for each, the numbers in print.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows with ``encoder`` and ``encoder_b``; either order of the two will do.
    metrics : iterable of str
        One panel each, up to three.
    models : iterable of str, optional
        Encoders to draw, in this order; all if not given. Controls come last, muted.
    space : str
        ``raw`` or ``centred``.
    title : str
        Heading.
    simulated : bool
        Print the word on the figure; so does a table that says it.
    controls : collection of str
        Encoders that are controls, as a results folder's record has them; they come last, muted.

    Returns
    -------
    matplotlib.figure.Figure
        Colour runs from 0 to 1 in every panel; an undefined number is printed as a dash.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one cell.
    """
    metrics = list(metrics)
    table = measurements[measurements["metric"].isin(metrics) & (measurements["space"] == space)]
    table = table[table["encoder_b"].fillna("") != ""].reset_index(drop=True)
    if table.empty:
        raise DataError(f"no rows between two encoders to draw for {some(metrics)}")
    both = pd.concat([table[["encoder", "simulated"]], table[["encoder_b"]].set_axis(["encoder"], axis=1)])
    encoders = style.pick(both, models, controls)
    table = table[table["encoder"].isin(encoders) & table["encoder_b"].isin(encoders)]
    check_one_each(table, ["metric", "encoder", "encoder_b"])
    styles = style.model_styles(encoders, controls)

    side = max(_CELL * (len(encoders) - 1), 1.0)
    labels = 1.25
    width = max(labels + len(metrics) * (side + 0.25), 3.6)
    height = 0.32 + 0.25 + side + 0.75
    figure = style.new_figure(width, height, title or "How alike two models are", style.is_simulated(table, simulated))
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _draw(axes, table[table["metric"] == metric], encoders, styles)
        axes.tick_params(labelleft=axes is panels[0])
        axes.set_title(metric_label(metric), loc="left", fontsize=7)
    return figure


def _draw(axes: Axes, part: pd.DataFrame, encoders: list[str], styles: dict[str, style.ModelStyle]) -> None:
    """The lower triangle without its diagonal: rows from the second encoder on, columns up to the last but one."""
    place = {encoder: number for number, encoder in enumerate(encoders)}
    values = np.full((len(encoders),) * 2, np.nan)
    for row in part.itertuples():
        low, high = sorted((place[row.encoder], place[row.encoder_b]))
        values[high, low] = row.value
    half = values[1:, :-1]
    axes.imshow(half, cmap=_COLOURS, vmin=0, vmax=1, aspect="equal")
    for i, j in zip(*np.tril_indices(len(half)), strict=True):
        known = np.isfinite(half[i, j])
        axes.text(j, i, f"{half[i, j]:.2f}".replace("-", "−") if known else "–", ha="center", va="center",
                  fontsize=6, color="white" if known and half[i, j] > 0.6 else style.INK)  # fmt: skip
    axes.set_xticks(range(len(half)), [styles[name].label for name in encoders[:-1]], rotation=40, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(range(len(half)), [styles[name].label for name in encoders[1:]])
    for axis, names in ((axes.xaxis, encoders[:-1]), (axes.yaxis, encoders[1:])):
        for tick, name in zip(axis.get_majorticklabels(), names, strict=False):
            tick.set_color(style.MUTED if styles[name].control else style.INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
