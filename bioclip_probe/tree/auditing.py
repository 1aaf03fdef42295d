"""A table of what is odd about lineages: homonyms, holes, taxa under several parents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree.lineages import taxonomy
from bioclip_probe.tree.placing import PLURALS
from bioclip_probe.tree.tree import Placement

AUDIT_COLUMNS = ("finding", "rank", "name", "count", "detail")


def audit(lineages: pd.DataFrame) -> pd.DataFrame:
    """Return a table of what is odd about lineages.

    ================  ============================================================  =======
    finding           meaning                                                       count
    ================  ============================================================  =======
    ``two parents``   one name at one rank under more than one parent               parents
    ``homonym``       one name at more than one rank                                ranks
    ``hole``          rows without a name at a rank                                 rows
    ``unplaced``      rows without a name at any rank                               rows
    ``singletons``    taxa of a rank that have a single row                         taxa
    ================  ============================================================  =======

    Parameters
    ----------
    lineages : DataFrame
        As `clean_lineages` takes it.

    Returns
    -------
    DataFrame with columns finding, rank, name, count, detail

    Examples
    --------
    >>> table = audit(pd.DataFrame({"kingdom": ["Animalia", "Plantae"], "genus": ["Morus", "Morus"]}))
    >>> table.loc[table["finding"] == "two parents", "detail"].tolist()
    ['Animalia|||||Morus; Plantae|||||Morus']
    """
    placement = taxonomy(lineages)
    tree = placement.tree
    taxa = pd.DataFrame({"name": tree.name[1:], "rank": tree.rank[1:], "path": tree.paths[1:]})
    repeated = taxa[taxa["name"].duplicated(keep=False)]
    findings: list[tuple[str, str, str, int, str]] = []
    for (rank_number, name), group in repeated.groupby(["rank", "name"], sort=True):
        if len(group) > 1:
            findings.append(("two parents", RANKS[rank_number], name, len(group), "; ".join(group["path"])))
    for name, group in repeated.groupby("name", sort=True):
        n_ranks = group["rank"].nunique()
        if n_ranks > 1:
            findings.append(("homonym", "", name, n_ranks, "; ".join(group["path"])))
    for rank in RANKS:
        taxon = placement.at(rank)
        n_holes = int(np.sum(taxon < 0))
        if n_holes:
            findings.append(("hole", rank, "", n_holes, f"{n_holes} of {len(taxon)} rows have no name at rank {rank}"))
    n_unplaced = int(np.sum(placement.node == 0))
    if n_unplaced:
        findings.append(("unplaced", "", "", n_unplaced, "rows without a name at any rank"))
    for rank in RANKS:
        taxon = placement.at(rank)
        _, n_rows = np.unique(taxon[taxon >= 0], return_counts=True)
        n_singletons = int(np.sum(n_rows == 1))
        if n_singletons:
            detail = f"{n_singletons} of {len(n_rows)} taxa have a single row"
            findings.append(("singletons", rank, "", n_singletons, detail))
    return pd.DataFrame(findings, columns=AUDIT_COLUMNS)


def numbers_of_taxa(placement: Placement) -> dict[str, int]:
    """Return the number of taxa of each rank.

    Parameters
    ----------
    placement : Placement
        Images in a taxonomy.

    Returns
    -------
    dict from rank to int

    Examples
    --------
    >>> placement = taxonomy(pd.DataFrame({"species": ["Pica pica", "Pica hudsonia"], "genus": ["Pica", "Pica"]}))
    >>> numbers_of_taxa(placement)["species"]
    2
    """
    return {rank: int(np.sum(np.unique(placement.at(rank)) >= 0)) for rank in RANKS}


def taxa_in_words(placement: Placement) -> str:
    """Return the number of taxa of each rank as a text.

    Parameters
    ----------
    placement : Placement
        Images in a taxonomy.

    Returns
    -------
    str

    Examples
    --------
    >>> taxa_in_words(taxonomy(pd.DataFrame({"species": ["Pica pica", "Pica hudsonia"], "genus": ["Pica", "Pica"]})))
    '1 genus, 2 species'
    """
    numbers = {rank: number for rank, number in numbers_of_taxa(placement).items() if number}
    return ", ".join(f"{number:,} {rank if number == 1 else PLURALS[rank]}" for rank, number in numbers.items())


def holes_in_words(placement: Placement) -> str:
    """Return at which ranks images have no name, as a text; empty where all have one at every rank that is used.

    Parameters
    ----------
    placement : Placement
        Images in a taxonomy.

    Returns
    -------
    str

    Examples
    --------
    >>> holes_in_words(taxonomy(pd.DataFrame({"species": ["Pica pica", None], "genus": ["Pica", "Pica"]})))
    '1 image at species'
    """
    numbers = {rank: int(np.sum(placement.at(rank) < 0)) for rank in RANKS}
    holes = {rank: number for rank, number in numbers.items() if 0 < number < len(placement)}
    return ", ".join(f"{number:,} image{'s' * (number > 1)} at {rank}" for rank, number in holes.items())
