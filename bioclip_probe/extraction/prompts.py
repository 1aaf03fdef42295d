"""The names of taxa as text: BioCLIP's five text types at every rank, and the prompts that names stand in.

The spelling is that of BioCLIP's evaluation: one space between names, the epithet after its genus and in lower case,
and no ``with common name`` if there is none. (The captions of its training repeat the scientific name there.)
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bioclip_probe.store.text_embeddings import TEXT_TYPES
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from bioclip_probe.tree.spelling import clean, is_placeholder
from bioclip_probe.tree.tree import SEPARATOR

#: The text type that tells most about a taxon.
MAIN_TYPE = "taxonomic_common"
#: The text type that names a taxon without any of its relatives.
PLAIN_TYPE = "scientific"
#: The text type in which the name of a taxon begins with that of the taxon above it.
NESTED_TYPE = "taxonomic"
PROMPT = "a photo of {}."
#: The name of all life, from which arXiv 2506.21476 measures distances.
ROOT = "Eukarya"


def taxon_names(images: pd.DataFrame) -> pd.DataFrame:
    """Return the name of every taxon of a table of images, in each of the five text types.

    =====================  =============================================================================
    ``scientific``         *Pica hudsonia*; above species the taxon's own name, *Corvidae*
    ``common``             black-billed magpie; the scientific name if there is none, and above species
    ``taxonomic``          the names from the kingdom down to the taxon, without the missing ones
    ``scientific_common``  *Pica hudsonia* with common name black-billed magpie
    ``taxonomic_common``   *Animalia Chordata ... Pica hudsonia* with common name black-billed magpie
    =====================  =============================================================================

    Parameters
    ----------
    images : DataFrame
        Any of the rank columns, as `clean_lineages` takes them, and optionally `common`, whose placeholders such as
        'unknown' are no names.

    Returns
    -------
    DataFrame, five rows per taxon: columns rank, taxon, type, name
        `taxon` is the whole path from the root, so that homonyms stay apart. Taxa are in the order of the tree. If the
        images of a species have several common names, the most frequent one counts, and on a tie the alphabetically
        first.

    References
    ----------
    Imageomics/bioclip, src/imageomics/naming_eval.py and scripts/evobio10m/make_wds.py.

    Examples
    --------
    >>> images = pd.DataFrame({"genus": ["Pica"], "species": ["hudsonia"], "common": ["black-billed magpie"]})
    >>> names = taxon_names(images)
    >>> names.loc[names["rank"] == "species", "name"].tolist()[:3]
    ['Pica hudsonia', 'black-billed magpie', 'Pica hudsonia']
    """
    placement = taxonomy(images)
    common = _common_names(images, placement.at("species"))
    rows = []
    for node in range(1, len(placement.tree)):
        taxon = placement.tree.path(node)
        rank = RANKS[placement.tree.rank[node]]
        texts = _names_by_type(taxon.split(SEPARATOR), common.get(node))
        rows += [(rank, taxon, text_type, name) for text_type, name in texts.items()]
    return pd.DataFrame(rows, columns=["rank", "taxon", "type", "name"], dtype="str")


def name_prompts(names: Iterable[str], template: str = PROMPT) -> list[str]:
    """Return each name in its prompt.

    Parameters
    ----------
    names : iterable of str
    template : str
        The prompt, with ``{}`` in the place of the name.

    Returns
    -------
    list of str

    Examples
    --------
    >>> name_prompts(["Pica hudsonia"])
    ['a photo of Pica hudsonia.']
    """
    return [template.format(name) for name in names]


def zero_shot_templates() -> list[str]:
    """Return the 81 prompts of BioCLIP's zero-shot evaluation, with ``{}`` in the place of the name.

    The first is `a photo of {}.`, and the others are the 80 that CLIP used on ImageNet.

    Returns
    -------
    list of str

    References
    ----------
    Imageomics/bioclip, src/training/imagenet_zeroshot_data.py; Radford et al. 2021, ICML, Section 3.1.4.

    Examples
    --------
    >>> len(zero_shot_templates()), zero_shot_templates()[1]
    (81, 'a bad photo of a {}.')
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return [PROMPT, *(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)]


def _names_by_type(lineage: list[str], common: str | None) -> dict[str, str]:
    """Return the five texts of one taxon. `lineage` is its path, one name per rank, "" for a missing one."""
    *above, name = lineage
    steps = [*filter(None, above), name]
    if len(lineage) == len(RANKS) and name.startswith(f"{above[-1]} "):
        steps[-1] = name.removeprefix(f"{above[-1]} ")
    taxonomic = " ".join(steps)
    with_common = f" with common name {common}" if common else ""
    texts = (name, common or name, taxonomic, name + with_common, taxonomic + with_common)
    return dict(zip(TEXT_TYPES, texts, strict=True))


def _common_names(images: pd.DataFrame, species: np.ndarray) -> dict[int, str]:
    """Return the common name of each species that has one; a species is a node of the tree."""
    if "common" not in images:
        return {}
    names = pd.DataFrame({"species": species, "common": images["common"].to_numpy()}).dropna()
    spelling = {text: None if is_placeholder(text) else clean(text) for text in names["common"].unique()}
    names["common"] = names["common"].map(spelling).astype("str")
    names = names[names["species"] >= 0].dropna()
    counts = names.groupby(["species", "common"], as_index=False).size()
    best = counts.sort_values(["species", "size", "common"], ascending=[True, False, True]).drop_duplicates("species")
    return dict(zip(best["species"].tolist(), best["common"], strict=True))
