"""Many measures at one look: a panel for each, a dot and its interval for each model."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioclip_probe.plots import style
from bioclip_probe.plots.selection import check_one_each, listed, metric_label, select

_COLUMNS = 3


@style.styled
def dots(
    measurements: pd.DataFrame,
    metrics: Iterable[str],
    models: Iterable[str] | None = None,
    space: str = "raw",
    title: str = "",
    simulated: bool = False,
    controls: Collection[str] = (),
) -> Figure:
    """Draw several metrics, each in a panel of its own scale, with 95 % intervals and chance levels.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows; one for each metric and encoder.
    metrics : iterable of str
        One panel each, three in a row. One that the table does not have is left out.
    models : iterable of str, optional
        Encoders to draw, from the top down; all if not given. Controls come last, muted.
    space : str
        ``raw`` or ``centred``.
    title : str
        Heading; made from the metrics if not given.
    simulated : bool
        Print the word on the figure; so does a table that says it.
    controls : collection of str
        Encoders that are controls, as a results folder's record has them; they come last, muted.

    Returns
    -------
    matplotlib.figure.Figure
        Beside the dot stands its number; an undefined one is a dash. A grey line is the mean chance level.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.
    """
    table = select(measurements, metrics := list(metrics), space)
    metrics = [metric for metric in metrics if metric in set(table["metric"])]
    encoders = style.pick(table, models, controls)
    table = table[table["encoder"].isin(encoders)]
    check_one_each(table, ["metric", "encoder"])
    styles = style.model_styles(encoders, controls)

    columns = min(_COLUMNS, len(metrics))
    rows = -(-len(metrics) // columns)
    width = style.TEXT_WIDTH if columns > 1 else 3.6
    height = 0.4 + rows * (0.5 + 0.155 * len(encoders))
    title = title or listed(metrics)
    figure = style.new_figure(width, height, title, style.is_simulated(table, simulated))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel()[len(metrics) :]:
        axes.remove()
    for place, (axes, metric) in enumerate(zip(grid.ravel(), metrics, strict=False)):
        _draw(axes, table[table["metric"] == metric].set_index("encoder"), encoders, styles)
        axes.set_title(metric_label(metric), loc="left", fontsize=7)
        axes.tick_params(labelleft=place % columns == 0)
    return figure


def _draw(axes: Axes, part: pd.DataFrame, encoders: list[str], styles: dict[str, style.ModelStyle]) -> None:
    ends = part[["value", "ci_low", "ci_high", "chance"]].to_numpy(float)
    ends = ends[np.isfinite(ends)]
    low, high = (ends.min(), ends.max()) if len(ends) else (0.0, 1.0)
    reach = (high - low) or 1.0
    axes.set_xlim(low - 0.06 * reach, high + 0.34 * reach)
    axes.set_ylim(len(encoders) - 0.4, -0.6)
    if np.isfinite(part["chance"]).any():
        axes.axvline(part["chance"].mean(), color=style.FAINT, linewidth=0.8, zorder=1)
    for y, encoder in enumerate(encoders):
        look = styles[encoder]
        row = part.loc[encoder] if encoder in part.index else None
        known = row is not None and np.isfinite(row["value"])
        if known and np.isfinite(row["ci_low"]):
            axes.hlines(y, row["ci_low"], row["ci_high"], color=look.colour, linewidth=1.0)
        if known:
            axes.plot([row["value"]], [y], look.marker, color=look.colour, markersize=3.4, markeredgewidth=0)
        text = f"{row['value']:.2f}".replace("-", "−") if known else "–"
        axes.text(
            high + 0.08 * reach, y, text, va="center", fontsize=6, color=style.MUTED if look.control else style.INK
        )
    axes.set_yticks(range(len(encoders)), [styles[encoder].label for encoder in encoders])
    for tick, encoder in zip(axes.get_yticklabels(), encoders, strict=False):
        tick.set_color(style.MUTED if styles[encoder].control else style.INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)
