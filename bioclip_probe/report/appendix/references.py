"""The works that an appendix cites, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from bioclip_probe import __version__
from bioclip_probe.report.appendix.models_and_data import dataset_name, encoder_name
from bioclip_probe.report.appendix.source_code import repository
from bioclip_probe.study.results import Results

FILE = Path(__file__).with_name("references.bib")
SOFTWARE, PAPER = "bioclipprobe", "stevens2024bioclip"
#: The work that describes a model or a dataset of the registries.
OF_ENCODER = {
    "bioclip": PAPER,
    "bioclip-quickgelu": PAPER,
    "inat21-only": PAPER,
    "clip": "radford2021learning",
    "openclip": "cherti2023reproducible",
    "openclip-laion400m": "cherti2023reproducible",
    "bioclip-2": "gu2025bioclip",
    "biocap": "zhang2025biocap",
    "rcme": "sastry2025global",
    "siglip2": "tschannen2025siglip",
    "dinov2": "oquab2023dinov2",
    "dinov3": "simeoni2025dinov3",
}
OF_DATASET = {
    "inat21": "vanhorn2021benchmarking",
    "rare-species": "rarespecies2023",
    "tree-of-life-10m": "treeoflife10m2023",
    "tree-of-life-200m": "gu2025bioclip",
    "bioscan-1m": "gharaee2023step",
    "bioscan-5m": "gharaee2024bioscan",
    "meta-album": "ullah2022meta",
}


def citations_of(results: Results) -> dict[str, str]:
    """Return the key of the work that describes each model of a study, and its data.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict from str to str
        By the name of the encoder or of the dataset; without those that no work is known for.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> citations_of(two_models_measured())  # their identifiers are those of no known model
    {}
    """
    keys = {encoder["name"]: OF_ENCODER.get(encoder_name(encoder), "") for encoder in results.record["encoders"]}
    keys[str(results.record["dataset"]["name"])] = OF_DATASET.get(dataset_name(results), "")
    return {name: key for name, key in keys.items() if key}


@cache
def entries() -> dict[str, str]:
    """Return all entries that there are, by key.

    Returns
    -------
    dict from str to str

    Examples
    --------
    >>> print(entries()["pagel1999inferring"].splitlines()[0])
    @article{pagel1999inferring,
    """
    texts = [text.strip() for text in FILE.read_text(encoding="utf-8").split("\n\n") if text.strip()]
    return dict(_keyed([*texts, _software()]))


def _keyed(texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield entries with their keys."""
    for text in texts:
        yield text[text.index("{") + 1 : text.index(",")], text


def _software() -> str:
    """Return the entry of this package."""
    return "\n".join(
        [
            f"@misc{{{SOFTWARE},",
            "  title = {bioclip\\_probe: how well do vision models' embeddings follow the tree of life?},",
            "  author = {{The bioclip\\_probe developers}},",
            "  year = {2026},",
            f"  note = {{Version {__version__}, \\url{{{repository()}}}}},",
            "}",
        ]
    )


def bibliography(keys: Collection[str]) -> str:
    """Return the entries of some works as BibTeX.

    Parameters
    ----------
    keys : collection of str

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If there is no such entry.

    Examples
    --------
    >>> bibliography(["holm1979simple"]).count("@")
    1
    """
    return "\n\n".join(entries()[key] for key in sorted(set(keys))) + "\n"


def cited_keys(tex: str) -> set[str]:
    r"""Return the keys that a text of LaTeX cites.

    Parameters
    ----------
    tex : str

    Returns
    -------
    set of str

    Examples
    --------
    >>> sorted(cited_keys(r"as \cite{b,a} say"))
    ['a', 'b']
    """
    return {key for keys in re.findall(r"\\cite\{([a-z0-9,]+)\}", tex) for key in keys.split(",")}
