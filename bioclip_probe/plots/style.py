"""The look of all figures: type, colours, the order of models, the mark on simulated data.

Sizes are those of the printed page. A figure is as wide as the text of a journal (7.2 in) and its smallest type is
5.5 pt, so that it is printed as it is drawn, without scaling. The typeface comes with matplotlib, so that a figure is
the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bioclip_probe.plots.labels import plain, short_names

TEXT_WIDTH = 7.2  # inches
INK, MUTED, FAINT, GRID = "#222222", "#777777", "#cccccc", "#eeeeee"
SIMULATED = "#b3541e"
SMALL = 5.5  # points

RC: Any = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
}

#: The first six colours of the authors' list, as their figure uses them. A reader with deuteranopia sees the second and
#: the fifth as nearly one colour (ΔE 7).
PAPER_COLORS = ("#7f3c8d", "#11a579", "#3969ac", "#f2b701", "#e73f74", "#80ba5a")
#: Every two of these stay apart (ΔE ≥ 20) for the three common colour-vision deficiencies; from P. Tol's "muted" list.
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

    Examples
    --------
    >>> ModelStyle("pixels", "#8a8a8a", "o", "-", control=True).text_color
    '#777777'
    """

    label: str
    color: str
    marker: str
    dashes: str | tuple
    control: bool

    @property
    def text_color(self) -> str:
        """Colour of its name: controls are muted."""
        return MUTED if self.control else INK


class PrintedFigure(Figure):
    """A figure whose text stays text in a PDF, however it is saved.

    matplotlib reads the kind of font when a figure is saved, and by default draws glyphs as shapes (Type 3), which many
    journals refuse.

    Examples
    --------
    >>> import io
    >>> with io.BytesIO() as file:
    ...     PrintedFigure(figsize=(1, 1)).savefig(file, format="pdf")
    ...     file.getvalue()[:4]
    b'%PDF'
    """

    def savefig(self, *arguments: Any, **options: Any) -> None:
        """Save the figure as `matplotlib.figure.Figure.savefig` does, with TrueType fonts."""
        with matplotlib.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
            super().savefig(*arguments, **options)


def styled(draw: Draw) -> Draw:
    """Return a figure function that draws in this style, whatever the settings of the caller are.

    Parameters
    ----------
    draw : callable
        Returns a matplotlib Figure.

    Examples
    --------
    >>> styled(lambda: matplotlib.rcParams["axes.spines.top"])()
    False
    """
    return matplotlib.rc_context(RC)(draw)


def model_styles(encoders: Iterable[str], controls: Collection[str] = ()) -> dict[str, ModelStyle]:
    """Return a style for each encoder: models in the order given, then controls.

    A colour belongs to the role of a model, then to its position, so that figures of the same encoders agree. Eight
    models have colours of their own; a ninth shares its colour with the first and differs in its marker.

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
    numbers: dict[str, int] = {}
    for name in models:
        if name in _ROLES and _ROLES[name] not in numbers.values():
            numbers[name] = _ROLES[name]
    free = [number for number in range(len(models) + len(_MODEL_COLORS)) if number not in numbers.values()]
    for name in models:
        if name not in numbers:
            numbers[name] = free.pop(0)
    styles = {}
    for name in models:
        number = numbers[name]
        color = _MODEL_COLORS[number % len(_MODEL_COLORS)]
        marker = _MODEL_MARKERS[(number + number // len(_MODEL_COLORS)) % len(_MODEL_MARKERS)]
        styles[name] = ModelStyle(label[name], color, marker, "-", control=False)
    for number, name in enumerate(name for name in encoders if name in controls):
        color = _CONTROL_COLORS[number % len(_CONTROL_COLORS)]
        dashes = _CONTROL_DASHES[number % len(_CONTROL_DASHES)]
        styles[name] = ModelStyle(label[name], color, "o", dashes, control=True)
    return styles


def new_figure(
    width: float, height: float, title: str, simulated: bool, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return a figure with its title at the upper left and, if it shows simulated data, those words at the upper right.

    Parameters
    ----------
    width, height : float
        In inches; the topmost 0.32 in are the heading.
    title : str
    simulated : bool
    layout : "constrained" or None
        Layout engine of matplotlib; None if the caller positions all axes itself.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> [text.get_text() for text in new_figure(4, 3, "Purity", simulated=True).texts]
    ['Purity', 'simulated data']
    """
    figure = PrintedFigure(figsize=(width, height), layout=layout, facecolor="white")
    top = 1 - 0.09 / height
    figure.text(0.09 / width, top, title, fontsize=8.5, fontweight="bold", va="top", ha="left")
    if simulated:
        badge = {"boxstyle": "round,pad=0.3", "facecolor": "#fdf1ea", "edgecolor": SIMULATED, "linewidth": 0.6}
        figure.text(
            1 - 0.14 / width,
            top - 0.01 / height,
            "simulated data",
            fontsize=6.5,
            color=SIMULATED,
            va="top",
            ha="right",
            bbox=badge,
        )
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - 0.32 / height), w_pad=0.06, h_pad=0.05)
    return figure
