"""A matrix of models: how alike any two of them are, a panel for each measure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError, some
from bioclip_probe.plots import style
from bioclip_probe.plots.labels import metric_label, number
from bioclip_probe.plots.selection import FigureRows
from bioclip_probe.plots.settings import FigureSettings

DEFAULTS = FigureSettings()
_CELL, _LABELS = 0.36, 1.25  # inches
_COLORS = "Greens"


@style.styled
def matrix(measurements: pd.DataFrame, metrics: Iterable[str], settings: FigureSettings = DEFAULTS) -> Figure:
    """Draw measures between two encoders as half a matrix, a panel for each, with the numbers in print.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows with ``encoder`` and ``encoder_b``, in either order.
    metrics : iterable of str
        One panel each, up to three.
    settings : FigureSettings

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
    table = measurements[measurements["metric"].isin(metrics) & (measurements["space"] == settings.space)]
    table = table[table["encoder_b"].fillna("") != ""].reset_index(drop=True)
    if table.empty:
        raise DataError(f"no rows between two encoders to draw for {some(metrics)}")
    both = ("encoder", "encoder_b")
    rows = FigureRows.of(table, ["metric", *both], settings, both)

    if len(rows.encoders) < 2:
        raise DataError("a matrix compares two models or more; one is asked for")
    n_columns = min(len(metrics), 3 if settings.page > 4 else 1)
    n_rows = -(-len(metrics) // n_columns)
    cell = min(_CELL, (settings.page - _LABELS - 0.25 * n_columns) / n_columns / (len(rows.encoders) - 1))
    side = cell * (len(rows.encoders) - 1)
    width = max(_LABELS + n_columns * (max(side, 1.5) + 0.25), 3.4)
    height = n_rows * (side + 0.25) + 0.75 + (n_rows - 1) * 0.6
    figure = style.new_figure(settings, height, "How alike two models are", rows.simulated, width)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in panels[len(metrics) :]:
        axes.remove()
    for position, (axes, metric) in enumerate(zip(panels, metrics, strict=False)):
        _draw_panel(axes, rows.table[rows.table["metric"] == metric], rows, cell > 0.25)
        axes.tick_params(labelleft=position % n_columns == 0)
        axes.set_title(metric_label(metric), loc="left")
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, rows: FigureRows, wide: bool) -> None:
    """Draw the lower triangle without its diagonal: rows from the second encoder on, columns up to the last but one."""
    place = {encoder: position for position, encoder in enumerate(rows.encoders)}
    values = np.full((len(place),) * 2, np.nan)
    for row in panel.itertuples():
        low, high = sorted((place[row.encoder], place[row.encoder_b]))
        values[high, low] = row.value
    half = values[1:, :-1]
    axes.imshow(half, cmap=_COLORS, vmin=0, vmax=1, aspect="equal")
    for i, j in zip(*np.tril_indices(len(half)), strict=True):
        known = np.isfinite(half[i, j])
        color = "white" if known and half[i, j] > 0.6 else style.INK
        text = number(half[i, j])
        axes.text(
            int(j),
            int(i),
            text if wide else text.replace("0.", ".", 1),
            ha="center",
            va="center",
            fontsize="small",
            color=color,
        )
    columns, lines = ([rows.styles[name] for name in names] for names in (rows.encoders[:-1], rows.encoders[1:]))
    labels = [look.label for look in columns]
    axes.set_xticks(range(len(half)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(half)), [look.label for look in lines])
    for axis, looks in ((axes.xaxis, columns), (axes.yaxis, lines)):
        for tick, look in zip(axis.get_majorticklabels(), looks, strict=False):
            tick.set_color(look.text_color)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
