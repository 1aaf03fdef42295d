"""Names as figures print them: of encoders, taxa, ranks and metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import pandas as pd

from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.metrics.registry import CORRELATION, SHARE
from bioclip_probe.metrics.registry import REGISTRY as METRICS
from bioclip_probe.plots.layered import Layer

_UNITS = {SHARE: "share", CORRELATION: "correlation"}

_ADDRESS = re.compile(r"^(local-dir|hf-hub|custom):(.*/)?")  # all of an address but its last part
_ENCODERS = {
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


def short_names(encoders: Iterable[str], width: int = 26) -> dict[str, str]:
    """Return a name to print for each encoder; no two are alike.

    Models of the registry have their published names. Of a path only the last part is kept.

    Parameters
    ----------
    encoders : iterable of str
    width : int
        Number of characters that a name has at most.

    Returns
    -------
    dict from encoder to str

    Examples
    --------
    >>> short_names(["bioclip", "hf-hub:imageomics/rcme"])
    {'bioclip': 'BioCLIP', 'hf-hub:imageomics/rcme': 'rcme'}
    >>> list(short_names(["layer:6:bioclip", "layer:6:mean:bioclip", "bioclip (mean)"]).values())
    ['BioCLIP, layer 6', 'BioCLIP (mean), layer 6', 'BioCLIP (mean)']
    """
    names: dict[str, str] = {}
    for encoder in encoders:
        name = shorten(_name(encoder), width)
        if name in names.values():
            number = sum(other.startswith(name[: width - 4]) for other in names.values()) + 1
            name = f"{name[: width - 4]} ({number})"
        names[encoder] = name
    return names


def _name(encoder: str) -> str:
    """Return the published name of an encoder, with its layer, or the last part of its address."""
    if layer := Layer.of(encoder):
        return f"{_name(layer.series)}, layer {layer.number}"
    for pooling in (" (cls)", " (mean)"):
        if encoder.endswith(pooling):
            return _name(encoder.removesuffix(pooling)) + pooling
    return _ENCODERS.get(encoder, _ADDRESS.sub("", encoder.rstrip("/")))


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` characters; a long text loses its middle.

    Parameters
    ----------
    text : str
    width : int

    Returns
    -------
    str

    Examples
    --------
    >>> shorten("Coleoptera", 7)
    'Cole…ra'
    """
    if len(text) <= width:
        return text
    head = (width - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def plural(rank: str) -> str:
    """Return the plural of a rank, as a heading.

    Parameters
    ----------
    rank : str

    Returns
    -------
    str

    Examples
    --------
    >>> plural("phylum")
    'Phyla'
    """
    return _PLURALS.get(rank, rank.capitalize())


def taxon_name(path: str, rank: str, width: int = 22) -> str:
    """Return the name to print for a taxon: the last part of its path.

    Parameters
    ----------
    path : str
        Names from the kingdom down, separated by ``|``.
    rank : str
        For a species, the genus is given by its initial.
    width : int
        Number of characters that the name has at most.

    Returns
    -------
    str

    Examples
    --------
    >>> taxon_name("Animalia||||||Pica hudsonia", "species")
    'P. hudsonia'
    """
    name = path.split("|")[-1]
    genus, _, epithet = name.partition(" ")
    if rank == "species" and epithet:
        name = f"{genus[0]}. {epithet}"
    return shorten(name, width)


def italic(name: str) -> str:
    r"""Return mathematical markup that prints a plain name in italics; any other name is printed as it is.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> print(italic("Pica"))
    $\it{Pica}$
    """
    if re.fullmatch(r"[A-Za-z. …-]+", name):
        marks = {".": "{.}", " ": r"\:", "-": r"{\text{-}}", "…": r"{\text{…}}"}
        return r"$\it{" + "".join(marks.get(letter, letter) for letter in name) + "}$"
    return plain(name)


def plain(text: str) -> str:
    r"""Return markup that prints `text` as it is: matplotlib reads text between two dollar signs as mathematics.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> print(plain("US$"))
    US\$
    """
    return text.replace("$", r"\$")


def taxon_text(name: str, rank: str) -> str:
    r"""Return the markup of a taxon's name: genera and species are printed in italics.

    Parameters
    ----------
    name, rank : str

    Returns
    -------
    str

    Examples
    --------
    >>> taxon_text("Insecta", "class")
    'Insecta'
    """
    return italic(name) if rank in ("genus", "species") else plain(name)


def metric_label(metric: str) -> str:
    """Return the name of a metric as an axis prints it: its title in the registry of metrics.

    Parameters
    ----------
    metric : str
        For a name that the registry does not have, underscores become spaces.

    Returns
    -------
    str

    Examples
    --------
    >>> metric_label("cka")
    'Debiased CKA'
    """
    if metric in METRICS:
        return METRICS[metric].title
    words = metric.replace("_", " ")
    return words[:1].upper() + words[1:]


def metric_list(metrics: Iterable[str]) -> str:
    """Return the names of metrics as a list in words.

    Parameters
    ----------
    metrics : iterable of str

    Returns
    -------
    str

    Examples
    --------
    >>> metric_list(["cluster_purity", "top1_accuracy"])
    'k-means purity and accuracy'
    """
    first, *rest = (metric_label(metric) for metric in metrics)
    words = [first, *(label[0].lower() + label[1:] if label[1:2].islower() else label for label in rest)]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def number(value: float, digits: int = 2, sign: bool = False) -> str:
    """Return a number in print: with a true minus sign, and never a negative zero.

    Parameters
    ----------
    value : float
    digits : int
        After the decimal point.
    sign : bool
        Print the sign of positive numbers, too.

    Returns
    -------
    str
        A dash for an undefined number.

    Examples
    --------
    >>> number(-0.5), number(-0.001), number(float("nan")), number(0.5, sign=True)
    ('−0.50', '0.00', '–', '+0.50')
    """
    if not math.isfinite(value):
        return "–"
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return (text.lstrip("+-") if float(text) == 0 else text).replace("-", "−")


def unit_label(metrics: Iterable[str]) -> str:
    """Return what the axis of some metrics measures, if it is the same for all.

    Parameters
    ----------
    metrics : iterable of str

    Returns
    -------
    str
        Empty if the metrics differ in kind.

    Examples
    --------
    >>> unit_label(["cophenetic_correlation"]), unit_label(["top1_accuracy", "triplet_accuracy"])
    ('correlation', 'share')
    """
    kinds = {_UNITS.get(METRICS[metric].bounds, "") if metric in METRICS else "" for metric in metrics}
    return kinds.pop() if len(kinds) == 1 else ""


def rank_labels(rows: pd.DataFrame, ranks: Iterable[str], counted: str = "n_taxa") -> list[str]:
    """Return the names of ranks, each with its number of taxa, or of images, where the table says it.

    Parameters
    ----------
    rows : DataFrame
    ranks : iterable of str
    counted : str
        ``n_taxa`` or ``n_images``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> rank_labels(pd.DataFrame({"rank": ["order", "genus"], "n_taxa": [1200, 0]}), ["order", "genus"])
    ['order (1,200)', 'genus']
    """
    n = rows.groupby("rank")[counted].max() if counted in rows else pd.Series(dtype="Int64")
    counts = {rank: int(number) for rank, number in n.dropna().items() if number > 0}
    return [f"{rank} ({counts[rank]:,})" if rank in counts else rank for rank in ranks]


def tree_label(rows: pd.DataFrame) -> str:
    """Return the name of the tree that some rows of measurements are about, unless it is the taxonomy.

    Parameters
    ----------
    rows : DataFrame

    Returns
    -------
    str

    Examples
    --------
    >>> tree_label(pd.DataFrame({"tree": ["birds", "birds"]})), tree_label(pd.DataFrame({"tree": ["taxonomy"]}))
    ('; tree: birds', '')
    """
    trees = rows["tree"].dropna().unique() if "tree" in rows else ()
    others = [tree for tree in trees if tree and tree != TAXONOMY]
    return f"; tree: {plain(', '.join(others))}" if others else ""


def counts_label(rows: pd.DataFrame) -> str:
    """Return how many taxa and images some rows of measurements are about, and the tree if it is not the taxonomy.

    Parameters
    ----------
    rows : DataFrame
        Rows of a `MEASUREMENTS` table; undefined values do not count.

    Returns
    -------
    str
        With a range where the rows differ; empty where the table does not say it.

    Examples
    --------
    >>> counts_label(pd.DataFrame({"value": [0.1, 0.2], "n_taxa": [60, 60], "n_images": [940, 960]}))
    '60 taxa, 940–960 images'
    """
    defined = rows[rows["value"].notna()]
    parts = []
    for column, noun in (("n_taxa", "taxa"), ("n_images", "images")):
        counts = defined[column].dropna().astype(int) if column in defined else ()
        if len(counts) and max(counts) > 0:
            low, high = min(counts), max(counts)
            parts.append(f"{low:,} {noun}" if low == high else f"{low:,}–{high:,} {noun}")
    return ", ".join(parts) + tree_label(rows)
