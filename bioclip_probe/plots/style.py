"""The look of all figures: type, colours, the order of models, the mark on simulated data.

Sizes are those of the printed page: a figure is as wide as a column or a page of a journal and is printed without
scaling. There are three sizes of type, which matplotlib knows by name: ``small`` (6 pt, the least that can be read in
print) for numbers, ticks and notes, ``medium`` (7.2 pt) for labels and panel titles, ``large`` (8.7 pt) for headings.
The typeface comes with matplotlib, so that a figure is the same on every machine.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, TypeVar, cast

import matplotlib
import numpy as np
from matplotlib.collections import Collection as MarkCollection
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.spines import Spine

from bioclip_probe.plots.fonts import truetype_fonts
from bioclip_probe.plots.labels import plain, short_names
from bioclip_probe.plots.layered import Layer, paler
from bioclip_probe.plots.settings import FigureSettings

INK, MUTED, FAINT, GRID = "#222222", "#6f6f6f", "#cccccc", "#eeeeee"
SIMULATED = "#b3541e"
#: Opacity of points that are coloured by taxon.
POINT_ALPHA = 0.85

#: Points of ``medium`` type.
FONT_SIZE = 7.25
#: Sizes that are in points and grow with the figure.
_SIZES: dict[Any, float] = {
    "font.size": FONT_SIZE,
    "axes.linewidth": 0.6,
    "axes.labelpad": 3.0,
    "axes.titlepad": 5.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2.5,
    "ytick.major.pad": 2.5,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "hatch.linewidth": 0.4,
}
RC: Any = {
    **_SIZES,
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
    "legend.fontsize": "small",
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
}

#: The first six colours of the authors' list, as their figure uses them. A reader with deuteranopia sees the second and
#: the fifth as nearly one colour (ΔE 7).
PAPER_COLORS = ("#7f3c8d", "#11a579", "#3969ac", "#f2b701", "#e73f74", "#80ba5a")
#: Every two of these stay apart (ΔE ≥ 20, and ≥ 15 as points at `POINT_ALPHA`) for the three common colour-vision
#: deficiencies; from P. Tol's "muted" list.
SAFE_COLORS = ("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#882255")

#: Models of the same role have one colour: trained on the tree of life, on the web, on a part of the tree.
_ROLES = {
    "bioclip": 0,
    "world-taxonomic": 0,
    "clip": 1,
    "world-generic": 1,
    "inat21-only": 2,
    "world-subset": 2,
    "openclip": 3,
}
_MODEL_COLORS = ("#009e73", "#d55e00", "#0072b2", "#e69f00", "#aa4499", "#56b4e9", "#332288", "#882255")
_MODEL_MARKERS = "osD^v<>p"
_CONTROL_COLORS = ("#8a8a8a", "#a8a8a8", "#6e6e6e", "#bcbcbc")
_CONTROL_MARKERS = "os^D"
_CONTROL_DASHES = ((0, (4, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (2, 2)))

Draw = TypeVar("Draw", bound=Callable[..., Figure])


@dataclass(frozen=True)
class ModelStyle:
    """The look of one model, the same in every figure.

    Attributes
    ----------
    label : str
        Its name as printed.
    color, marker : str
        As matplotlib takes them.
    dashes : str or tuple
        Style of its lines.
    control : bool
        True if it is a control.
    layer_of : str
        Name of the model whose layer it is, as printed; empty for a whole model.

    Examples
    --------
    >>> ModelStyle("pixels", "#8a8a8a", "o", "-", control=True).text_color
    '#6f6f6f'
    """

    label: str
    color: str
    marker: str
    dashes: str | tuple
    control: bool
    layer_of: str = ""

    @property
    def text_color(self) -> str:
        """Colour of its name: controls are muted."""
        return MUTED if self.control else INK


class PrintedFigure(Figure):
    """A figure whose text stays text in a PDF, however it is saved; matplotlib reads the kind of font at that time.

    Examples
    --------
    >>> import io
    >>> with io.BytesIO() as file:
    ...     PrintedFigure(figsize=(1, 1)).savefig(file, format="pdf")
    ...     file.getvalue()[:4]
    b'%PDF'
    """

    #: Factor by which it is larger than the page for which it was laid out.
    scale = 1.0

    def savefig(self, *arguments: Any, **options: Any) -> None:
        """Save the figure as `matplotlib.figure.Figure.savefig` does, with TrueType fonts."""
        with truetype_fonts():
            super().savefig(*arguments, **options)


def styled(draw: Draw) -> Draw:
    """Return a figure function that draws in this style, whatever the settings of the caller are.

    Parameters
    ----------
    draw : callable
        Returns a matplotlib Figure. If one of its arguments is a `FigureSettings`, the figure gets the width that it
        names: a slide is drawn as a page, and its type, lines and marks are enlarged with it.

    Examples
    --------
    >>> styled(lambda: matplotlib.rcParams["axes.spines.top"])()
    False
    """

    @wraps(draw)
    def drawn(*arguments: Any, **options: Any) -> Figure:
        given = [value for value in (*arguments, *options.values()) if isinstance(value, FigureSettings)]
        scale = given[0].scale if given else 1.0
        with matplotlib.rc_context({**RC, **{name: size * scale for name, size in _SIZES.items()}}):
            figure = draw(*arguments, **options)
            if scale != 1.0:
                _enlarge_marks(figure, scale)
            return figure

    return cast("Draw", drawn)


def _enlarge_marks(figure: Figure, scale: float) -> None:
    """Make lines, markers and edges `scale` times as wide; type and ticks were enlarged when they were drawn."""
    axes = [part for panel in figure.axes for part in (panel.xaxis, panel.yaxis)]
    of_ticks = {id(line) for axis in axes for line in axis.findobj(Line2D)}
    for line in [line for line in figure.findobj(Line2D) if id(line) not in of_ticks]:
        line.set_linewidth(line.get_linewidth() * scale)
        line.set_markersize(line.get_markersize() * scale)
        line.set_markeredgewidth(line.get_markeredgewidth() * scale)
    for marks in figure.findobj(MarkCollection):
        marks.set_linewidth((np.asarray(marks.get_linewidth()) * scale).tolist())
        if isinstance(marks, PathCollection):
            marks.set_sizes(marks.get_sizes() * scale**2)
    for patch in [patch for patch in figure.findobj(Patch) if not isinstance(patch, Spine)]:
        patch.set_linewidth(patch.get_linewidth() * scale)


def model_styles(encoders: Iterable[str], controls: Collection[str] = ()) -> dict[str, ModelStyle]:
    """Return a style for each encoder: models in the order given, then controls.

    A colour belongs to the role of a model, then to its position, so that figures of the same encoders agree. Eight
    models have colours of their own; a ninth shares its colour with the first and differs in its marker. The layers of
    a model have its marker, and shades of its colour that grow darker with depth.

    Parameters
    ----------
    encoders : iterable of str
    controls : collection of str
        Names of the encoders that are controls.

    Returns
    -------
    dict from encoder to ModelStyle

    Examples
    --------
    >>> list(model_styles(["pixels", "clip"], controls=["pixels"]))
    ['clip', 'pixels']
    """
    encoders = list(dict.fromkeys(encoders))
    label = {encoder: plain(name) for encoder, name in short_names(encoders).items()}
    models = [name for name in encoders if name not in controls]
    layers = {name: Layer.of(name) for name in models}
    series = {name: layer.series if layer else name for name, layer in layers.items()}
    numbers = _numbers(dict.fromkeys(series.values()))
    depths = {
        one: sorted({layer.number for layer in layers.values() if layer and layer.series == one}) for one in numbers
    }
    styles = {}
    for name in models:
        number, layer = numbers[series[name]], layers[name]
        color = _MODEL_COLORS[number % len(_MODEL_COLORS)]
        marker = _MODEL_MARKERS[(number + number // len(_MODEL_COLORS)) % len(_MODEL_MARKERS)]
        of = ""
        if layer:
            places = depths[layer.series]
            color, of = (
                paler(color, places.index(layer.number), len(places)),
                plain(*short_names([layer.series]).values()),
            )
        styles[name] = ModelStyle(label[name], color, marker, "-", control=False, layer_of=of)
    for number, name in enumerate(name for name in encoders if name in controls):
        color = _CONTROL_COLORS[number % len(_CONTROL_COLORS)]
        dashes = _CONTROL_DASHES[number % len(_CONTROL_DASHES)]
        marker = _CONTROL_MARKERS[number % len(_CONTROL_MARKERS)]
        styles[name] = ModelStyle(label[name], color, marker, dashes, control=True)
    return styles


def _numbers(models: Iterable[str]) -> dict[str, int]:
    """Return the number of the colour of each model: that of its role, or the next that is free."""
    models, numbers = list(models), dict[str, int]()
    for name in models:
        role = _ROLES.get(name.removesuffix(" (cls)").removesuffix(" (mean)"))
        if role is not None and role not in numbers.values():
            numbers[name] = role
    free = [number for number in range(len(models) + len(_MODEL_COLORS)) if number not in numbers.values()]
    return {name: numbers[name] if name in numbers else free.pop(0) for name in models}


def new_figure(
    settings: FigureSettings,
    height: float,
    title: str,
    simulated: bool = False,
    width: float | None = None,
    layout: Literal["constrained"] | None = "constrained",
) -> Figure:
    """Return a figure with its title at the upper left and, if it shows simulated data, those words at the upper right.

    Parameters
    ----------
    settings : FigureSettings
        Its title, if it has one, replaces `title`.
    height : float
        Height below the heading, in inches of the page; with a layout engine it is less where the figure would be
        taller than `FigureSettings.tallest`.
    title : str
    simulated : bool
        The table is of simulated data; the settings can say so, too.
    width : float, optional
        In inches of the page; by default, and at most, all of it.
    layout : "constrained" or None
        Layout engine of matplotlib; None if the caller positions all axes itself.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> figure = new_figure(FigureSettings(simulated=True), 3, "Purity")
    >>> [text.get_text() for text in figure.texts]
    ['Purity', 'simulated data']
    """
    simulated = simulated or settings.simulated
    width = min(width or settings.page, settings.page)
    lines = heading_lines(settings.title or title, width, simulated)
    heading = heading_height(lines)
    if layout:  # constrained layout shrinks the panels, and not the type
        height = min(height, settings.tallest - heading)
    total, scale = height + heading, settings.scale
    figure = PrintedFigure(figsize=(width * scale, total * scale), layout=layout, facecolor="white")
    figure.scale = scale
    figure.text(0.09 / width, 1 - 0.09 / total, "\n".join(lines), fontsize="large", fontweight="bold", va="top")
    if simulated:
        badge = {"boxstyle": "round,pad=0.3", "facecolor": "#fdf1ea", "edgecolor": SIMULATED, "linewidth": 0.6}
        words: dict[str, Any] = {"fontsize": "small", "color": SIMULATED, "va": "top", "ha": "right", "bbox": badge}
        figure.text(1 - 0.12 / width, 1 - 0.1 / total, "simulated data", **words)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - heading / total), w_pad=0.06 * scale, h_pad=0.05 * scale)
    return figure


def heading_lines(title: str, width: float, simulated: bool) -> list[str]:
    """Return the lines of a heading: it is broken where it would be wider than the figure.

    Parameters
    ----------
    title : str
    width : float
        Of the figure, in inches.
    simulated : bool
        The words "simulated data" stand at the right.

    Returns
    -------
    list of str

    Examples
    --------
    >>> heading_lines("Does the embedding follow the tree?", 3.4, True)
    ['Does the embedding follow', 'the tree?']
    """
    room = width - 0.2 - (0.95 if simulated else 0.0)
    return textwrap.wrap(title, max(int(room / 0.078), 10)) or [""]


def heading_height(lines: list[str]) -> float:
    """Return the height of a heading in inches of the page.

    Parameters
    ----------
    lines : list of str
        As `heading_lines` returns them.

    Examples
    --------
    >>> heading_height(["Purity"])
    0.33
    """
    return 0.19 + 0.14 * len(lines)
