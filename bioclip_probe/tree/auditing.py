"""A table of what is odd about lineages: homonyms, holes, taxa under several parents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree.lineages import taxonomy

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
    findings: list[tuple[str, str, str, int, str]] = []
    for (rank_number, name), group in taxa.groupby(["rank", "name"], sort=True):
        if len(group) > 1:
            findings.append(("two parents", RANKS[rank_number], name, len(group), "; ".join(group["path"])))
    for name, group in taxa.groupby("name", sort=True):
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
