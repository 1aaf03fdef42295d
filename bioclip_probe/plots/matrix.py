"""A matrix of models: how alike any two of them are, a panel for each measure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError, some
from bioclip_probe.plots import style
from bioclip_probe.plots.labels import metric_label
from bioclip_probe.plots.selection import FigureRows
from bioclip_probe.plots.settings import FigureSettings

DEFAULTS = FigureSettings()
_CELL, _LABELS = 0.36, 1.25  # inches
_COLORS = "Greens"


@style.styled
def matrix(
    measurements: pd.DataFrame, metrics: Iterable[str], settings: FigureSettings = DEFAULTS, space: str = "raw"
) -> Figure:
    """Draw measures between two encoders as half a matrix, a panel for each, with the numbers in print.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows with ``encoder`` and ``encoder_b``, in either order.
    metrics : iterable of str
        One panel each, up to three.
    settings : FigureSettings
        Models, controls, heading, and the mark on simulated data.
    space : str
        ``raw`` or ``centred``.

    Returns
    -------
    matplotlib.figure.Figure
        Colour runs from 0 to 1 in every panel; an undefined number is printed as a dash.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one cell.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> pair = two_models("species").head(1).assign(metric="cka", encoder_b="clip")
    >>> [text.get_text() for text in matrix(pair, ["cka"]).axes[0].texts]
    ['0.60']
    """
    metrics = list(metrics)
    table = measurements[measurements["metric"].isin(metrics) & (measurements["space"] == space)]
    table = table[table["encoder_b"].fillna("") != ""].reset_index(drop=True)
    if table.empty:
        raise DataError(f"no rows between two encoders to draw for {some(metrics)}")
    both = ("encoder", "encoder_b")
    rows = FigureRows.of(table, ["metric", *both], settings, both)

    side = max(_CELL * (len(rows.encoders) - 1), 1.0)
    width = max(_LABELS + len(metrics) * (side + 0.25), 3.6)
    height = 0.32 + 0.25 + side + 0.75
    figure = style.new_figure(width, height, settings.title or "How alike two models are", rows.simulated)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _draw_panel(axes, rows.table[rows.table["metric"] == metric], rows)
        axes.tick_params(labelleft=axes is panels[0])
        axes.set_title(metric_label(metric), loc="left", fontsize=7)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, rows: FigureRows) -> None:
    """Draw the lower triangle without its diagonal: rows from the second encoder on, columns up to the last but one."""
    number = {encoder: position for position, encoder in enumerate(rows.encoders)}
    values = np.full((len(number),) * 2, np.nan)
    for row in panel.itertuples():
        low, high = sorted((number[row.encoder], number[row.encoder_b]))
        values[high, low] = row.value
    half = values[1:, :-1]
    axes.imshow(half, cmap=_COLORS, vmin=0, vmax=1, aspect="equal")
    for i, j in zip(*np.tril_indices(len(half)), strict=True):
        known = np.isfinite(half[i, j])
        text = f"{half[i, j]:.2f}".replace("-", "−") if known else "–"
        color = "white" if known and half[i, j] > 0.6 else style.INK
        axes.text(int(j), int(i), text, ha="center", va="center", fontsize=6, color=color)
    columns, lines = ([rows.styles[name] for name in names] for names in (rows.encoders[:-1], rows.encoders[1:]))
    labels = [look.label for look in columns]
    axes.set_xticks(range(len(half)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(half)), [look.label for look in lines])
    for axis, looks in ((axes.xaxis, columns), (axes.yaxis, lines)):
        for tick, look in zip(axis.get_majorticklabels(), looks, strict=False):
            tick.set_color(look.text_color)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
