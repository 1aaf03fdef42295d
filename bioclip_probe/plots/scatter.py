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
    taken: list[tuple[_Box, float]] = [
        ((px - 0.5 * em, py - 0.5 * em, px + 0.5 * em, py + 0.5 * em), _OVER_POINT) for px, py in points
    ]
    for low, high in ((place(x["ci_low"], y["value"]), place(x["ci_high"], y["value"])),
                      (place(x["value"], y["ci_low"]), place(x["value"], y["ci_high"]))):  # fmt: skip
        taken += [((*start, *end), _OVER_INTERVAL) for start, end in zip(low, high, strict=True)]
    for point, across, along, look in zip(points, x["value"], y["value"], looks, strict=True):
        names = [_Name(point, spot, 0.52 * em * len(look.label), em) for spot in _SPOTS]
        best = min(names, key=lambda name: name.cost(taken, inches))  # the first of equals
        taken += [(best.box, _OVER_NAME), (best.line, _OVER_POINT)]
        dx, dy, ha, va = best.spot
        text: dict[str, Any] = {"ha": ha, "va": va, "fontsize": "small", "color": look.text_color, "zorder": 5}
        if best.is_far:
            corner = (0.0 if ha == "left" else 1.0, 0.0 if va == "bottom" else 1.0)
            text["arrowprops"] = {"arrowstyle": "-", "color": look.text_color, "linewidth": 0.5, "relpos": corner}
        halo, offset = [withStroke(linewidth=2, foreground="white")], (dx * em * 72, dy * em * 72)
        axes.annotate(look.label, (across, along), offset, textcoords="offset points", path_effects=halo, **text)


#: A box by its left, lower, right and upper ends.
_Box = tuple[float, ...]
#: What it costs a name to leave the axes or to cover something, and its line to cross another name.
_OUTSIDE, _OVER_NAME, _OVER_POINT, _OVER_INTERVAL, _CROSSED = 99.0, 60.0, 6.0, 1.0, 10.0
#: The largest distance of a name in ems that needs no line to its point.
_NEAR = 1.3
#: Places of a name beside its point, best first: offset in ems, alignment.
_SPOTS = (
    (0.7, 0.0, "left", "center"),
    (-0.7, 0.0, "right", "center"),
    (0.5, 0.5, "left", "bottom"),
    (0.5, -0.5, "left", "top"),
    (-0.5, 0.5, "right", "bottom"),
    (-0.5, -0.5, "right", "top"),
    (0.0, 0.8, "center", "bottom"),
    (0.0, -0.8, "center", "top"),
    # Lines to far names are slanted, since upright ones would look like intervals.
    *(
        (side * dx, up * dy, "left" if side > 0 else "right", "bottom" if up > 0 else "top")
        for dx, dy in ((0.7, _NEAR), (1.2, 2.4), (1.8, 3.6), (2.4, 4.8), (3.0, 6.0))
        for side in (1, -1)
        for up in (1, -1)
    ),
)


class _Name:
    """A name at one of the places beside its point; lengths are in inches."""

    def __init__(self, point: np.ndarray, spot: tuple[float, float, str, str], wide: float, em: float) -> None:
        dx, dy, ha, va = self.spot = spot
        x, y = float(point[0]) + dx * em, float(point[1]) + dy * em
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[ha] * wide
        bottom = y - {"bottom": 0.0, "center": 0.5, "top": 1.0}[va] * em
        self.box: _Box = (left, bottom, left + wide, bottom + em)
        self.is_far = abs(dy) > _NEAR
        end = (x, y) if self.is_far else (float(point[0]), float(point[1]))
        self.line: _Box = tuple(pick(pair) for pick in (min, max) for pair in zip(point.tolist(), end, strict=True))

    def cost(self, taken: Sequence[tuple[_Box, float]], inches: np.ndarray) -> float:
        """Return how bad the place is: what it covers, whether it leaves the axes, and how far it is if it is far."""
        left, bottom, right, top = self.box
        outside = left < 0 or right > inches[0] or bottom < 0 or top > inches[1]
        covered = sum(weight for other, weight in taken if _overlap(self.box, other))
        if not self.is_far:
            return _OUTSIDE * outside + covered
        crossed = sum(weight == _OVER_NAME and _overlap(self.line, other) for other, weight in taken)
        return _OUTSIDE * outside + covered + _CROSSED * crossed + abs(self.spot[1])


def _overlap(a: _Box, b: _Box) -> bool:
    """Return True if two boxes overlap."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
