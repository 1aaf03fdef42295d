"""Lineages: the cleaned names of the seven ranks, and the taxonomy that they form."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree.lineage_reading import read_lineages
from bioclip_probe.tree.tree import NO_RANK, Placement, Tree

ROOT_NAME = "life"
#: The path between two tips crosses each rank below their common ancestor twice: half a rank each way.
_RANK_LENGTH = 0.5


def clean_lineages(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the seven ranks of a table, with holes in place of what names no taxon, and species as binomials.

    `naming` says how names are read: placeholders such as ``not_classified`` are holes, authors and subgenera are
    dropped, subspecies go to their species. The source may write a species as its binomial or as its epithet. An
    epithet without a genus is missing, because it names no species; a missing genus is taken from a binomial.

    Parameters
    ----------
    frame : DataFrame, n rows
        At least one of the columns kingdom … species. Other columns are ignored.

    Returns
    -------
    DataFrame, n rows, columns `RANKS`, dtype str
        The index is that of `frame`.

    Raises
    ------
    DataError
        If there is no rank column, or if a name contains ``|``, which stands between the names of a path.

    Examples
    --------
    >>> frame = pd.DataFrame({"genus": ["Pica", "Pica"], "species": ["hudsonia", "sp."]})
    >>> clean_lineages(frame)[["genus", "species"]].fillna("").values.tolist()
    [['Pica', 'Pica hudsonia'], ['Pica', '']]
    """
    return read_lineages(frame).lineages


def taxonomy(lineages: pd.DataFrame) -> Placement:
    """Return the taxonomy that a table of lineages forms, and the placement of every row in it.

    A taxon is its whole path from the root, not its name alone. If a lineage has no name at a rank, the taxon below
    hangs from its nearest known ancestor by a longer branch, so that all species are equally deep. A branch is half a
    rank long for each rank, so that the path between two species is the number of ranks below their lowest common
    ancestor: 1 within a genus, 7 across kingdoms.

    Parameters
    ----------
    lineages : DataFrame, n rows
        One row per image, one column per rank, as `clean_lineages` takes it.

    Returns
    -------
    Placement
        Its tree has the unit ``rank``, and siblings in alphabetical order. A row without a name at any rank is at the
        root.

    Examples
    --------
    >>> placement = taxonomy(pd.DataFrame({"genus": ["Pica", "Pica", "Corvus"], "species": ["pica", None, "corax"]}))
    >>> [placement.tree.name[node] for node in placement.node]
    ['Pica pica', 'Pica', 'Corvus corax']
    """
    clean = clean_lineages(lineages)
    factorized = [pd.factorize(clean[rank], sort=True) for rank in RANKS]
    codes = np.stack([code for code, _ in factorized], axis=1) + 1  # 0 stands for a missing name
    lineage_of_row = pd.DataFrame(codes).groupby(list(range(len(RANKS))), sort=False).ngroup().to_numpy()
    _, first = np.unique(lineage_of_row, return_index=True)

    distinct = [tuple(key) for key in codes[first].tolist()]
    root = (0,) * len(RANKS)
    parent_of: dict[tuple[int, ...], tuple[int, ...]] = {root: root}
    deepest = [_add_path(key, parent_of) for key in distinct]
    keys = sorted(parent_of)
    index = {key: number for number, key in enumerate(keys)}

    parent = np.array([-1] + [index[parent_of[key]] for key in keys[1:]], dtype=np.int64)
    rank = np.array([_deepest_rank(key) for key in keys], dtype=np.int8)
    name = [ROOT_NAME] + [str(factorized[r][1][key[r] - 1]) for key, r in zip(keys[1:], rank[1:], strict=True)]
    # The root has rank -1, one step above the kingdoms, so this holds for them too.
    length = np.where(parent >= 0, _RANK_LENGTH * (rank.astype(float) - rank[parent]), 0.0)
    tree = Tree(parent, length, np.array(name, dtype=object), rank, unit="rank")
    return Placement(tree, np.array([index[key] for key in deepest], dtype=np.int64)[lineage_of_row])


def _add_path(key: tuple[int, ...], parent_of: dict[tuple[int, ...], tuple[int, ...]]) -> tuple[int, ...]:
    """Add the taxa of one lineage, each with its nearest known ancestor, and return the deepest one."""
    above = (0,) * len(key)
    for rank, code in enumerate(key):
        if code:
            taxon = key[: rank + 1] + (0,) * (len(key) - rank - 1)
            parent_of[taxon] = above
            above = taxon
    return above


def _deepest_rank(key: tuple[int, ...]) -> int:
    """Return the deepest rank at which a taxon has a name."""
    return max((rank for rank, code in enumerate(key) if code), default=NO_RANK)
