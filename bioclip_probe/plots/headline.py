"""The headline: one number for each model with its interval, raw and centred beside each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.plots import style
from bioclip_probe.plots.selection import check_one_each, metric_label, select

_SPACES = {"raw": ("o", 0.14, "embeddings as they are"), "centred": ("o", -0.14, "mean removed")}


@style.styled
def headline(
    measurements: pd.DataFrame,
    metric: str = "cophenetic_correlation",
    models: Iterable[str] | None = None,
    title: str = "",
    simulated: bool = False,
    controls: Collection[str] = (),
) -> Figure:
    """Draw one metric as a row of dots for each model, with 95 % intervals and the numbers in print.

    Parameters
    ----------
    measurements : DataFrame
        `MEASUREMENTS` rows; one for each encoder and space.
    metric : str
        Name of a metric.
    models : iterable of str, optional
        Encoders to draw, from the top down; all if not given. Controls come last, muted.
    title : str
        Heading.
    simulated : bool
        Print the word on the figure; so does a table that says it.
    controls : collection of str
        Encoders that are controls, as a results folder's record has them; they come last, muted.

    Returns
    -------
    matplotlib.figure.Figure
        An undefined number is printed as “undefined” and has no dot.

    Raises
    ------
    DataError
        If there is nothing to draw, or two rows fall on one point.
    """
    table = select(measurements, [metric])
    table = table.assign(space=table["space"].fillna("raw") if "space" in table else "raw")
    encoders = style.pick(table, models, controls)
    table = table[table["encoder"].isin(encoders)]
    check_one_each(table, ["encoder", "space"])
    spaces = [space for space in _SPACES if space in set(table["space"])]
    styles = style.model_styles(encoders, controls)

    height = 1.25 + 0.28 * len(encoders)
    title = title or f"{metric_label(metric)} with the tree of life"
    figure = style.new_figure(style.TEXT_WIDTH, height, title, style.is_simulated(table, simulated))
    axes, text = figure.subplots(1, 2, width_ratios=(3.2, 1.15 * len(spaces)), sharey=True)
    text.axis("off")
    text.set_xlim(0, len(spaces))
    places = _places(encoders, styles)
    for space in spaces:
        for encoder, place in places.items():
            row = table[(table["encoder"] == encoder) & (table["space"] == space)]
            _dot(axes, row, place + _SPACES[space][1] * (len(spaces) > 1), styles[encoder], space)
            text.text(spaces.index(space) + 0.05, place, _words(row), va="center", fontsize=6.5,
                      color=style.MUTED if styles[encoder].control else style.INK)  # fmt: skip
        text.text(spaces.index(space) + 0.05, 0.85, space, va="center", fontsize=6.5, fontweight="bold")
    _axis(axes, table, metric, places, styles)
    if len(spaces) > 1:
        _key(figure, spaces)
    return figure


def _places(encoders: list[str], styles: dict) -> dict[str, float]:
    """Rows from the top down, with a gap above the controls."""
    places, y = {}, 0.0
    for number, encoder in enumerate(encoders):
        if number and styles[encoder].control and not styles[encoders[number - 1]].control:
            y -= 0.35
        places[encoder] = y
        y -= 1
    return places


def _axis(axes: Axes, table: pd.DataFrame, metric: str, places: dict[str, float], styles: dict) -> None:
    axes.set_yticks(list(places.values()), [styles[encoder].label for encoder in places])
    for tick, encoder in zip(axes.get_yticklabels(), places, strict=True):
        tick.set_color(style.MUTED if styles[encoder].control else style.INK)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(min(places.values()) - 0.6, 1.2)
    numbers = table[["value", "ci_low", "ci_high"]].to_numpy(float)
    numbers = numbers[np.isfinite(numbers)]
    low, high = min(numbers.min(initial=0), 0.0), max(numbers.max(initial=0), 0.0)
    pad = 0.06 * ((high - low) or 1.0)
    axes.set_xlim(low - pad, high + pad)
    axes.axvline(0, color=style.MUTED, linewidth=0.6, zorder=0)
    axes.grid(axis="x", color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)
    bars = "; bars: 95 % intervals" if np.isfinite(table["ci_low"]).any() else ""
    unit = table["resampled"].dropna().unique() if bars and "resampled" in table else ()
    axes.set_xlabel(metric_label(metric) + bars + (f" over {unit[0]}" if len(unit) == 1 and unit[0] else ""))


def _dot(axes: Axes, row: pd.DataFrame, y: float, look: style.ModelStyle, space: str) -> None:
    if row.empty or not np.isfinite(row["value"].iloc[0]):
        return
    value, low, high = row[["value", "ci_low", "ci_high"]].iloc[0].astype(float)
    if np.isfinite(low) and np.isfinite(high):
        axes.hlines(y, low, high, color=look.colour, linewidth=1.1)
    axes.plot([value], [y], marker=_SPACES[space][0], markersize=4.2, color=look.colour if space == "raw" else "white",
              markeredgecolor=look.colour, markeredgewidth=1.0, linestyle="")  # fmt: skip


def _words(row: pd.DataFrame) -> str:
    if row.empty:
        return "–"
    value, low, high = row[["value", "ci_low", "ci_high"]].iloc[0].astype(float)
    if not np.isfinite(value):
        return "undefined"
    interval = f"  [{low:.2f}, {high:.2f}]" if np.isfinite(low) and np.isfinite(high) else ""
    return f"{value:.2f}{interval}".replace("-", "−")


def _key(figure: Figure, spaces: list[str]) -> None:
    handles = [
        Line2D([], [], marker=_SPACES[space][0], linestyle="", markersize=4.2, markeredgecolor=style.INK,
               color=style.INK if space == "raw" else "white", markeredgewidth=1.0)
        for space in spaces
    ]  # fmt: skip
    labels = [f"{space}: {_SPACES[space][2]}" for space in spaces]
    figure.legend(handles, labels, loc="outside lower right", ncols=len(spaces), fontsize=6.5)
