"""How every figure looks: type, colours, the names and order of models, the mark on simulated data.

Sizes are those of the printed page: a figure is made as wide as a journal's text (7.2 in) and its smallest type is
5.5 pt, so that it is read as drawn, not scaled. The typeface is the one that matplotlib carries along, so that a figure
is the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe.errors import DataError, some

TEXT_WIDTH = 7.2  # inches
INK, MUTED, FAINT = "#222222", "#777777", "#cccccc"
SIMULATED = "#b3541e"
SMALL = 5.5  # points

RC = {
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
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}

#: The first six of the authors' list, as their figure uses them. For a reader with deuteranopia the second and the
#: fifth are nearly one colour (ΔE 7).
PAPER_COLOURS = ("#7f3c8d", "#11a579", "#3969ac", "#f2b701", "#e73f74", "#80ba5a")
#: Every two of these stay apart (ΔE ≥ 20) for the three common colour-vision deficiencies; from P. Tol's "muted" list.
SAFE_COLOURS = ("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#882255")

#: Models that do a similar thing have one colour: those trained on the tree of life, on the web, on part of the tree.
_ROLES = {
    "bioclip": 0,
    "world-taxonomic": 0,
    "clip": 1,
    "world-generic": 1,
    "inat21-only": 2,
    "world-subset": 2,
    "openclip": 3,
}
_MODEL_COLOURS = ("#009e73", "#d55e00", "#0072b2", "#e69f00", "#aa4499", "#56b4e9", "#332288", "#882255")
_MODEL_MARKERS = "osD^v<>p"
_CONTROL_COLOURS = ("#8a8a8a", "#a8a8a8", "#6e6e6e", "#bcbcbc")
_CONTROL_DASHES = ((0, (4, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (2, 2)))
_ADDRESS = re.compile(r"^(local-dir|hf-hub|custom):(.*/)?")  # all of an address but its last part
_LABELS = {
    "bioclip": "BioCLIP",
    "bioclip-2": "BioCLIP 2",
    "bioclip-2.5": "BioCLIP 2.5",
    "biocap": "BioCAP",
    "rcme": "RCME",
    "clip": "CLIP",
    "openclip": "OpenCLIP",
    "inat21-only": "iNat21-only",
    "siglip2": "SigLIP 2",
    "openclip-laion400m": "OpenCLIP, LAION-400M",
    "bioclip-quickgelu": "BioCLIP, QuickGELU",
    "dinov2": "DINOv2",
    "dinov3": "DINOv3",
    "color-histogram": "colour histogram",
    "untrained-vit-b-16": "untrained ViT-B/16",
}
_PLURALS = {
    "kingdom": "Kingdoms",
    "phylum": "Phyla",
    "class": "Classes",
    "order": "Orders",
    "family": "Families",
    "genus": "Genera",
    "species": "Species",
}


@dataclass(frozen=True)
class ModelStyle:
    """How one model is drawn in every figure."""

    label: str
    colour: str
    marker: str
    dashes: str | tuple
    control: bool


def styled(make):
    """Make a figure function draw in this style, whatever the caller's own settings are."""
    return matplotlib.rc_context(RC)(make)


def model_styles(encoders: Iterable[str], controls: Collection[str] = ()) -> dict[str, ModelStyle]:
    """Return a style for each encoder, models in the order given and those that are controls after them.

    A colour belongs to a model's role, then to its place in the order: figures of the same encoders agree. Eight models
    have colours of their own; a ninth shares its colour with the first and differs by its marker.
    """
    encoders = list(dict.fromkeys(encoders))
    label = {encoder: plain(name) for encoder, name in short_names(encoders).items()}
    models = [name for name in encoders if name not in controls]
    taken: dict[str, int] = {}
    for name in models:
        if name in _ROLES and _ROLES[name] not in taken.values():
            taken[name] = _ROLES[name]
    free = [place for place in range(len(models) + len(_MODEL_COLOURS)) if place not in taken.values()]
    for name in models:
        if name not in taken:
            taken[name] = free.pop(0)
    styles = {}
    for name in models:
        place = taken[name]
        colour = _MODEL_COLOURS[place % len(_MODEL_COLOURS)]
        marker = _MODEL_MARKERS[(place + place // len(_MODEL_COLOURS)) % len(_MODEL_MARKERS)]
        styles[name] = ModelStyle(label[name], colour, marker, "-", control=False)
    for place, name in enumerate(name for name in encoders if name in controls):
        colour, dashes = (kind[place % len(kind)] for kind in (_CONTROL_COLOURS, _CONTROL_DASHES))
        styles[name] = ModelStyle(label[name], colour, "o", dashes, control=True)
    return styles


def short_names(encoders: Iterable[str], width: int = 26) -> dict[str, str]:
    """A name to print for each encoder, at most `width` characters, no two alike.

    The registry's models have their published names; of a path only the last part is kept.
    """
    names: dict[str, str] = {}
    for encoder in encoders:
        name = shorten(_LABELS.get(encoder, _ADDRESS.sub("", encoder.rstrip("/"))), width)
        if name in names.values():
            number = sum(other.startswith(name[: width - 4]) for other in names.values()) + 1
            name = f"{name[: width - 4]} ({number})"
        names[encoder] = name
    return names


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters: what is too much is left out of its middle."""
    if len(text) <= width:
        return text
    head = (width - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def plural(rank: str) -> str:
    """``order`` → ``Orders``."""
    return _PLURALS.get(rank, rank.capitalize())


def taxon_name(path: str, rank: str, width: int = 22) -> str:
    """The name to print for a taxon given by its path: the last part; a species' genus by its initial."""
    name = path.split("|")[-1]
    genus, _, epithet = name.partition(" ")
    if rank == "species" and epithet:
        name = f"{genus[0]}. {epithet}"
    return shorten(name, width)


def italic(name: str) -> str:
    """Mathematical markup that prints a plain name in italics; any other name is returned with its signs kept."""
    if re.fullmatch(r"[A-Za-z. …-]+", name):
        marks = {".": "{.}", " ": r"\:", "-": r"{\text{-}}", "…": r"{\text{…}}"}
        return r"$\it{" + "".join(marks.get(letter, letter) for letter in name) + "}$"
    return plain(name)


def plain(text: str) -> str:
    """`text` as it is printed: matplotlib takes what stands between two dollar signs for mathematics."""
    return text.replace("$", r"\$")


def taxon_text(name: str, rank: str) -> str:
    """The name of a taxon as it is printed: genera and species in italics."""
    return italic(name) if rank in ("genus", "species") else plain(name)


def rank_of(path: str) -> int:
    """Place of a taxon's rank below life, from its path: 0 for a kingdom; −1 for all life."""
    return path.count("|") if path else -1


def new_figure(width: float, height: float, title: str, simulated: bool, layout: str | None = "constrained") -> Figure:
    """A figure with its title at the upper left and, over simulated data, the word at the upper right.

    Parameters
    ----------
    width, height : float
        In inches; the topmost 0.32 in are the heading.
    layout : str or None
        matplotlib's layout engine; None where the caller places every axes itself.
    """
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    top = 1 - 0.09 / height
    figure.text(0.09 / width, top, title, fontsize=8.5, fontweight="bold", va="top", ha="left")
    if simulated:
        badge = {"boxstyle": "round,pad=0.3", "facecolor": "#fdf1ea", "edgecolor": SIMULATED, "linewidth": 0.6}
        figure.text(1 - 0.14 / width, top - 0.01 / height, "simulated data", fontsize=6.5, color=SIMULATED,
                    va="top", ha="right", bbox=badge)  # fmt: skip
    if layout:
        figure.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.32 / height), w_pad=0.06, h_pad=0.05)
    return figure


def is_simulated(table: pd.DataFrame, simulated: bool) -> bool:
    """Whether a figure of `table` must say so: the caller does, or a row of the table does."""
    return simulated or bool("simulated" in table and table["simulated"].any())


def pick(table: pd.DataFrame, models: Iterable[str] | None, controls: Collection[str] = ()) -> list[str]:
    """Return the encoders to draw, controls last: those that `models` names, or all of the table in its order."""
    present = list(dict.fromkeys(table["encoder"]))
    wanted = present if models is None else list(models)
    absent = [name for name in wanted if name not in present]
    if absent or not wanted:
        raise DataError(f"nothing to draw for the encoder {some(absent)}; the table has: {some(present, 10)}")
    return sorted(wanted, key=lambda name: name in controls)
