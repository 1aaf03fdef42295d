"""Lineages: the cleaned names of the seven ranks, the taxonomy that they form, and what is odd about them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import NO_RANK, SEPARATOR, Placement, Tree

ROOT_NAME = "life"
#: What sources write instead of a name that is not known, in lower case, with "_" for a blank.
PLACEHOLDERS = frozenset(
    "- -- ? na n/a nan none null unknown unidentified undefined unclassified unassigned not_classified "
    "not_available no_data missing sp sp. spp spp. indet indet.".split()
)
AUDIT_COLUMNS = ("finding", "rank", "name", "count", "detail")
#: The path between two tips crosses each rank below their common ancestor twice: half a rank each way.
_RANK_LENGTH = 0.5


def clean_lineages(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the seven ranks of a table, with placeholders as missing values and species as binomials.

    A placeholder is ``not_classified``, ``incertae sedis``, ``nan``, ``unknown``, an empty text and so on. The source
    may write a species as its binomial or as its epithet. An epithet without a genus is missing, because it names no
    species.

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
    present = [rank for rank in RANKS if rank in frame.columns]
    if not present:
        raise DataError(f"expected at least one rank column ({', '.join(RANKS)}); found: {', '.join(map(str, frame))}")
    columns = {rank: _without_placeholders(frame[rank]) if rank in present else pd.NA for rank in RANKS}
    clean = pd.DataFrame(columns, index=frame.index, dtype="str")
    wrong = {name for rank in RANKS for name in clean[rank].dropna().unique() if SEPARATOR in name}
    if wrong:
        raise DataError(
            f"a name may not hold '{SEPARATOR}', which stands between the names of a path; "
            f"rename: {some(sorted(wrong))}"
        )
    clean["species"] = _binomials(clean["genus"], clean["species"])
    return clean


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


def _without_placeholders(names: pd.Series) -> pd.Series:
    """Return names with single blanks, and missing values for placeholders."""
    names = names.astype("str").str.replace(r"\s+", " ", regex=True).str.strip()
    key = names.str.lower().str.replace(" ", "_")
    is_placeholder = names.isna() | key.isin(PLACEHOLDERS | {""}) | key.str.contains("incertae_sedis", na=False)
    return names.mask(is_placeholder)


def _binomials(genus: pd.Series, species: pd.Series) -> pd.Series:
    """Return genus and epithet; missing if there is no genus or the epithet is a placeholder (``Homo sp.``).

    A name that begins with its genus is a binomial already, and so is one whose first word has a capital letter: its
    genus may be missing or spelt in another way.
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
