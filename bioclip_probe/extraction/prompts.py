"""The names of taxa as text: BioCLIP's five text types, at every rank, and the prompt they stand in.

Spelling is that of BioCLIP's evaluation: one space between names, the epithet after its genus and in lower case, and
no ``with common name`` where there is none. (Its training captions repeat the scientific name there.)
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bioclip_probe.store.text_embeddings import TEXT_TYPES
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from bioclip_probe.tree.tree import SEPARATOR

MAIN_TYPE = "taxonomic_common"  # all that is known of a taxon
PLAIN_TYPE = "scientific"  # the taxon's own name, which spells out none of its relatives
NESTED_TYPE = "taxonomic"  # each name holds that of the taxon above
PROMPT = "a photo of {}."
ROOT = "Eukarya"  # the name of all life, from which arXiv 2506.21476 measures distances


def taxon_names(images: pd.DataFrame) -> pd.DataFrame:
    """The name of every taxon of a table of images, in each of the five text types.

    =====================  =============================================================================
    ``scientific``         *Pica hudsonia*; above species the taxon's own name, *Corvidae*
    ``common``             black-billed magpie; known for species only, elsewhere the scientific name
    ``taxonomic``          the names from the kingdom down to the taxon, holes dropped
    ``scientific_common``  *Pica hudsonia* with common name black-billed magpie
    ``taxonomic_common``   *Animalia Chordata ... Pica hudsonia* with common name black-billed magpie
    =====================  =============================================================================

    Parameters
    ----------
    images : DataFrame
        With any of the rank columns, as `clean_lineages` takes them, and `common` where it is known.

    Returns
    -------
    DataFrame, five rows a taxon: columns rank, taxon, type, name
        `taxon` is the whole path from the root, so that homonyms stay apart. Taxa are in the tree's order. Of several
        common names of a species its images' most frequent is taken, on a tie the alphabetically first.

    References
    ----------
    Imageomics/bioclip, src/imageomics/naming_eval.py and scripts/evobio10m/make_wds.py.
    """
    place = taxonomy(images)
    common = _common_names(images, place.at("species"))
    rows = []
    for node in range(1, len(place.tree)):
        taxon = place.tree.path(node)
        rank = RANKS[place.tree.rank[node]]
        rows += [(rank, taxon, kind, name) for kind, name in _names(taxon.split(SEPARATOR), common.get(node)).items()]
    return pd.DataFrame(rows, columns=["rank", "taxon", "type", "name"], dtype="str")


def prompts(names: Iterable[str], template: str = PROMPT) -> list[str]:
    """Each name in its prompt."""
    return [template.format(name) for name in names]


def zero_shot_templates() -> list[str]:
    """The 81 prompts of BioCLIP's zero-shot evaluation: `a photo of {}.`, then the 80 that CLIP used on ImageNet.

    References
    ----------
    Imageomics/bioclip, src/training/imagenet_zeroshot_data.py; Radford et al. 2021, ICML, Section 3.1.4.
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return [PROMPT, *(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)]


def _names(lineage: list[str], common: str | None) -> dict[str, str]:
    """The five texts of one taxon; `lineage` is its path, a name a rank, "" for a hole."""
    *above, name = lineage
    steps = [*filter(None, above), name]
    if len(lineage) == len(RANKS):
        genus = above[-1]
        epithet = name[len(genus) + 1 :]
        if genus and epithet and name[: len(genus) + 1].lower() == f"{genus} ".lower():
            steps[-1] = epithet.lower()
            name = f"{genus} {epithet.lower()}"
    taxonomic = " ".join(steps)
    with_common = f" with common name {common}" if common else ""
    return dict(
        zip(TEXT_TYPES, (name, common or name, taxonomic, name + with_common, taxonomic + with_common), strict=True)
    )


def _common_names(images: pd.DataFrame, species: np.ndarray) -> dict[int, str]:
    """The common name of each species (a node of the tree) that has one."""
    if "common" not in images:
        return {}
    given = pd.DataFrame({"species": species, "common": images["common"].to_numpy()}).dropna()
    given["common"] = given["common"].astype("str").str.split().str.join(" ")
    given = given[(given["species"] >= 0) & (given["common"] != "")]
    counts = given.groupby(["species", "common"], as_index=False).size()
    best = counts.sort_values(["species", "size", "common"], ascending=[True, False, True]).drop_duplicates("species")
    return dict(zip(best["species"].tolist(), best["common"], strict=True))
