"""Lineages: cleaning the names of the seven ranks, the taxonomy they make, and what is odd about it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import NO_RANK, SEPARATOR, Placement, Tree

ROOT_NAME = "life"
#: What sources write where a name is not known, lower case, with "_" for " ".
PLACEHOLDERS = frozenset(
    "- -- ? na n/a nan none null unknown unidentified undefined unclassified unassigned not_classified "
    "not_available no_data missing sp sp. spp spp. indet indet.".split()
)
#: The path between two tips crosses each rank below their common ancestor twice: half a rank each way.
_RANK_LENGTH = 0.5


def clean_lineages(frame: pd.DataFrame) -> pd.DataFrame:
    """The seven ranks of a table, with holes as missing values and species as binomials.

    Parameters
    ----------
    frame : DataFrame, n rows
        With at least one of the columns kingdom … species; other columns are ignored.

    Returns
    -------
    DataFrame, n rows, columns `RANKS`, dtype str
        A placeholder (``not_classified``, ``incertae sedis``, ``nan``, ``unknown``, empty …) is a hole: missing. A
        species is the binomial, whether the source writes the binomial or the epithet; an epithet without a genus
        names nothing and is a hole. The index of `frame` is kept.

    Raises
    ------
    DataError
        If no rank column is there, or a name holds ``|``, which parts the names of a path.
    """
    present = [rank for rank in RANKS if rank in frame.columns]
    if not present:
        raise DataError(f"expected at least one rank column ({', '.join(RANKS)}); found: {', '.join(map(str, frame))}")
    clean = pd.DataFrame(
        {rank: _cleaned(frame[rank]) if rank in present else pd.NA for rank in RANKS}, index=frame.index, dtype="str"
    )
    parted = {name for rank in RANKS for name in clean[rank].dropna().unique() if SEPARATOR in name}
    if parted:
        raise DataError(
            f"a name may not hold '{SEPARATOR}', which parts the taxa of a path; rename: {some(sorted(parted))}"
        )
    clean["species"] = _binomials(clean["genus"], clean["species"])
    return clean


def _cleaned(names: pd.Series) -> pd.Series:
    names = names.astype("str").str.replace(r"\s+", " ", regex=True).str.strip()
    key = names.str.lower().str.replace(" ", "_")
    hole = names.isna() | key.isin(PLACEHOLDERS | {""}) | key.str.contains("incertae_sedis", na=False)
    return names.mask(hole)


def _binomials(genus: pd.Series, species: pd.Series) -> pd.Series:
    """Genus + epithet; a hole where there is no genus or the epithet is a placeholder (``Homo sp.``).

    A name that begins with its genus is a binomial already, as is one whose first word is capitalised: its genus may
    be missing or spelled otherwise.
    """
    species = species.str.replace(r"[_\s]+", " ", regex=True).str.strip()
    names = []
    for above, name in zip(genus, species, strict=True):
        if pd.isna(name) or (pd.notna(above) and name.lower().startswith(above.lower() + " ")):
            names.append(name if pd.isna(name) or name[0].isupper() else above + name[len(above) :])
        elif name[0].isupper() and " " in name:
            names.append(name)
        else:
            names.append(np.nan if pd.isna(above) else f"{above} {name}")
    binomial = pd.Series(names, index=species.index, dtype="str")
    epithet = binomial.str.lower().str.replace(r"^\S+ ?", "", regex=True).str.replace(" ", "_")
    return binomial.mask(epithet.isin(PLACEHOLDERS))


def taxonomy(lineages: pd.DataFrame) -> Placement:
    """The taxonomy that a table of lineages makes, and the place of every row in it.

    Parameters
    ----------
    lineages : DataFrame, n rows
        As `clean_lineages` takes it: one row an image, a column a rank.

    Returns
    -------
    Placement
        A taxon is its whole path from the root, never its bare name. Siblings are in alphabetical order. Below a hole
        a taxon hangs from its nearest known ancestor by a longer branch, so that all species are at one height. Branch
        lengths count half a rank per rank, so the path between two species is the number of ranks below their lowest
        common ancestor: 1 within a genus, 7 across kingdoms (unit ``rank``).
    """
    clean = clean_lineages(lineages)
    factorized = [pd.factorize(clean[rank], sort=True) for rank in RANKS]
    codes = np.stack([code for code, _ in factorized], axis=1) + 1  # 0 is a hole
    rows = pd.DataFrame(codes).groupby(list(range(len(RANKS))), sort=False).ngroup().to_numpy()
    _, first = np.unique(rows, return_index=True)

    distinct = [tuple(key) for key in codes[first].tolist()]
    nodes: dict[tuple[int, ...], tuple[int, ...] | None] = {(0,) * len(RANKS): None}
    deepest = [_add_path(key, nodes) for key in distinct]
    order = {key: index for index, key in enumerate(sorted(nodes))}

    keys = sorted(nodes)
    parent = np.array([-1] + [order[nodes[key]] for key in keys[1:]], dtype=np.int64)
    rank = np.array([_last(key) for key in keys], dtype=np.int8)
    name = [ROOT_NAME] + [str(factorized[r][1][key[r] - 1]) for key, r in zip(keys[1:], rank[1:], strict=True)]
    # The root has rank -1, one step above the kingdoms, so this holds for them too.
    length = np.where(parent >= 0, _RANK_LENGTH * (rank.astype(float) - rank[parent]), 0.0)
    tree = Tree(parent, length, np.array(name, dtype=object), rank, unit="rank")
    return Placement(tree, np.array([order[key] for key in deepest], dtype=np.int64)[rows])


def _add_path(key: tuple[int, ...], nodes: dict) -> tuple[int, ...]:
    """Add the taxa along one lineage, each with its nearest known ancestor; return the deepest."""
    above = (0,) * len(key)
    for rank, code in enumerate(key):
        if code:
            taxon = key[: rank + 1] + (0,) * (len(key) - rank - 1)
            nodes[taxon] = above
            above = taxon
    return above


def _last(key: tuple[int, ...]) -> int:
    return max((rank for rank, code in enumerate(key) if code), default=NO_RANK)


AUDIT_COLUMNS = ("finding", "rank", "name", "count", "detail")


def audit(lineages: pd.DataFrame) -> pd.DataFrame:
    """What is odd about a table of lineages.

    Returns
    -------
    DataFrame with columns finding, rank, name, count, detail
        ``two parents``: one name at one rank under more than one parent (count: parents). ``homonym``: one name at
        more than one rank (count: ranks). ``hole``: rows without a name at a rank (count: rows). ``unplaced``: rows
        with no name at any rank. ``singletons``: taxa of a rank with a single row (count: taxa).
    """
    place = taxonomy(lineages)
    tree = place.tree
    taxa = pd.DataFrame({"name": tree.name[1:], "rank": tree.rank[1:], "path": tree.paths[1:]})
    found = []
    for (rank, name), group in taxa.groupby(["rank", "name"], sort=True):
        if len(group) > 1:
            found.append(("two parents", RANKS[rank], name, len(group), "; ".join(group["path"])))
    for name, group in taxa.groupby("name", sort=True):
        at = sorted(group["rank"].unique())
        if len(at) > 1:
            found.append(("homonym", "", name, len(at), "; ".join(group["path"])))
    for rank in RANKS:
        taxon = place.at(rank)
        holes = int(np.sum(taxon < 0))
        if holes:
            found.append(("hole", rank, "", holes, f"{holes} of {len(taxon)} rows have no name at rank {rank}"))
    unplaced = int(np.sum(place.node == 0))
    if unplaced:
        found.append(("unplaced", "", "", unplaced, "rows without a name at any rank"))
    for rank in RANKS:
        _, counts = np.unique(place.at(rank)[place.at(rank) >= 0], return_counts=True)
        singles = int(np.sum(counts == 1))
        if singles:
            found.append(("singletons", rank, "", singles, f"{singles} of {len(counts)} taxa have a single row"))
    return pd.DataFrame(found, columns=AUDIT_COLUMNS)
