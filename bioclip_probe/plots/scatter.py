"""Parts of figures of points: intervals in both directions, and names beside the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from bioclip_probe.plots import style


def crosses(axes: Axes, x: pd.DataFrame, y: pd.DataFrame, colors: Sequence[str]) -> None:
    """Draw the intervals of points, horizontal and vertical; an undefined one is left out.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    x, y : DataFrame, n rows
        With value, ci_low and ci_high of the same models.
    colors : sequence of str, n

    Examples
    --------
    >>> axes = style.new_figure(style.FigureSettings(), 3, "").subplots()
    >>> numbers = pd.DataFrame({"value": [0.5], "ci_low": [0.4], "ci_high": [0.6]})
    >>> crosses(axes, numbers, numbers.assign(ci_low=np.nan), ["black"])
    >>> len(axes.collections)
    1
    """
    for (_, across), (_, along), color in zip(x.iterrows(), y.iterrows(), colors, strict=True):
        if np.isfinite(across["ci_low"]):
            axes.hlines(along["value"], across["ci_low"], across["ci_high"], color=color, linewidth=0.8, zorder=2)
        if np.isfinite(along["ci_low"]):
            axes.vlines(across["value"], along["ci_low"], along["ci_high"], color=color, linewidth=0.8, zorder=2)


def label_points(axes: Axes, x: pd.DataFrame, y: pd.DataFrame, looks: Sequence[style.ModelStyle]) -> None:
    """Write the name of each model beside its point, where it covers no other point, name or interval if it can.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Its limits are final.
    x, y : DataFrame, n rows
        With value, ci_low and ci_high of the models.
    looks : sequence of ModelStyle, n

    Examples
    --------
    >>> axes = style.new_figure(style.FigureSettings(), 3, "").subplots()
    >>> numbers = pd.DataFrame({"value": [0.5], "ci_low": [0.4], "ci_high": [0.6]})
    >>> label_points(axes, numbers, numbers, [style.model_styles(["clip"])["clip"]])
    >>> axes.texts[0].get_text()
    'CLIP'
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    inches = figure.get_size_inches() * axes.get_position().size
    em = style.FONT_SIZE * getattr(figure, "scale", 1.0) / 72

    def place(x: pd.Series, y: pd.Series) -> np.ndarray:
        return axes.transAxes.inverted().transform(axes.transData.transform(np.column_stack([x, y]))) * inches

    points = place(x["value"], y["value"])
    taken = [(px - 0.5 * em, py - 0.5 * em, px + 0.5 * em, py + 0.5 * em) for px, py in points]
    for low, high in ((place(x["ci_low"], y["value"]), place(x["ci_high"], y["value"])),
                      (place(x["value"], y["ci_low"]), place(x["value"], y["ci_high"]))):  # fmt: skip
        taken += [(*start, *end) for start, end in zip(low, high, strict=True)]
    for (px, py), across, along, look in zip(points, x["value"], y["value"], looks, strict=True):
        wide, best = 0.52 * em * len(look.label), None
        for dx, dy, ha, va in _PLACES:
            left = px + dx * em - {"left": 0.0, "center": 0.5, "right": 1.0}[ha] * wide
            bottom = py + dy * em - {"bottom": 0.0, "center": 0.5, "top": 1.0}[va] * em
            box = (left, bottom, left + wide, bottom + em)
            outside = box[0] < 0 or box[2] > inches[0] or box[1] < 0 or box[3] > inches[1]
            cost = 3 * outside + sum(_overlap(box, other) for other in taken)
            if best is None or cost < best[0]:
                best = (cost, dx, dy, ha, va, box)
        assert best is not None
        _, dx, dy, ha, va, box = best
        taken.append(box)
        offset = (dx * em * 72, dy * em * 72)
        text: dict[str, Any] = {"ha": ha, "va": va, "fontsize": "small", "color": look.text_color, "zorder": 5}
        halo = [withStroke(linewidth=2, foreground="white")]
        axes.annotate(look.label, (across, along), offset, textcoords="offset points", path_effects=halo, **text)


#: Places of a name beside its point, best first: offset in ems, alignment.
_PLACES = (
    (0.7, 0.0, "left", "center"),
    (-0.7, 0.0, "right", "center"),
    (0.5, 0.5, "left", "bottom"),
    (0.5, -0.5, "left", "top"),
    (-0.5, 0.5, "right", "bottom"),
    (-0.5, -0.5, "right", "top"),
    (0.0, 0.8, "center", "bottom"),
    (0.0, -0.8, "center", "top"),
    (0.7, 1.3, "left", "bottom"),
    (0.7, -1.3, "left", "top"),
)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Return True if two boxes overlap."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
