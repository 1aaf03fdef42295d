"""Holes in lineages that other rows of the same taxon fill: the order of a genus, where half of its rows give it.

A taxon is its whole path, so that a rank which only some rows give makes two taxa of one. A hole is filled if all rows
of the same species that give the rank agree; else of the same genus, the same family, and so on up. Rows that differ in
a rank that both give are of another taxon of the same name. Where rows contradict each other nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioclip_probe.errors import some
from bioclip_probe.tables import RANKS

_SPECIES = RANKS.index("species")


@dataclass(frozen=True, eq=False)
class Filling:
    """The holes of lineages that were filled, and those that stay because rows contradict each other.

    Attributes
    ----------
    rows : dict from rank to ndarray of int
        The rows whose name at a rank was filled.
    names : dict from rank to list of str
        The names that they have now, the most frequent first.
    contradictions : dict from rank to dict
        For each rank, the taxa whose rows contradict each other: the name of the species, genus …, and the number of
        rows whose hole stays.
    n_split : int
        Species that count as more than one before the holes are filled, and as fewer after.
    several : list of str
        Species that count as more than one after the holes are filled, because rows disagree about a rank above them.

    Examples
    --------
    >>> rows = pd.DataFrame({"family": ["Corvidae", None], "genus": ["Pica", "Pica"]})
    >>> lineages, filling = fill_lineages(rows.reindex(columns=RANKS).astype("str"))
    >>> lineages["family"].tolist(), filling.notes
    (['Corvidae', 'Corvidae'], ['the family of 1 images was filled, all others of their taxon agree: Corvidae'])
    """

    rows: dict[str, np.ndarray]
    names: dict[str, list[str]]
    contradictions: dict[str, dict[str, int]]
    n_split: int
    several: list[str]

    @property
    def notes(self) -> list[str]:
        """One line for each rank that was filled, and for each where rows contradict each other."""
        notes = [
            f"the {rank} of {len(rows)} images was filled, all others of their taxon agree: {some(self.names[rank])}"
            for rank, rows in self.rows.items()
        ]
        return notes + self._notes_on_contradictions()

    @property
    def notes_as_given(self) -> list[str]:
        """One line for each rank that could be filled, for lineages that stay as they are given."""
        notes = [
            f"the {rank} of {len(rows)} images is missing and stays so; all others of their taxon agree on it"
            for rank, rows in self.rows.items()
        ]
        if self.n_split:
            notes.append(f"{self.n_split} species count as more than one taxon, as some of their images lack a rank")
        return notes + self._notes_on_contradictions()

    def _notes_on_contradictions(self) -> list[str]:
        notes = [
            f"the {rank} of {sum(taxa.values())} images stays missing, other images of their taxon contradict each "
            f"other: {some(taxa)}"
            for rank, taxa in self.contradictions.items()
        ]
        if self.several:
            notes.append(
                f"{len(self.several)} species count as more than one taxon, as their images disagree about a rank "
                f"above the species: {some(self.several)}"
            )
        return notes


def fill_lineages(lineages: pd.DataFrame) -> tuple[pd.DataFrame, Filling]:
    """Fill the holes of lineages from other rows of the same taxa.

    Parameters
    ----------
    lineages : DataFrame, n rows, columns `RANKS`
        As `clean_lineages` returns them. Rows that were filled serve to fill others, until nothing changes.

    Returns
    -------
    filled : DataFrame, n rows, columns `RANKS`, dtype str
    filling : Filling

    Examples
    --------
    >>> rows = [["Sulidae", "Morus", "Morus bassanus"], ["Moraceae", "Morus", "Morus alba"], [None, "Morus", None]]
    >>> rows = pd.DataFrame(rows, columns=RANKS[4:]).reindex(columns=RANKS).astype("str")
    >>> filled, filling = fill_lineages(rows)
    >>> filled["family"].tolist(), filling.contradictions
    (['Sulidae', 'Moraceae', nan], {'family': {'Morus': 1}})
    """
    columns = [pd.factorize(lineages[rank], sort=True) for rank in RANKS]
    codes = np.stack([code + 1 for code, _ in columns], axis=1)  # 0 is a hole
    lineage_of_row = pd.DataFrame(codes).groupby(list(range(len(RANKS)))).ngroup().to_numpy()
    _, first, n_rows = np.unique(lineage_of_row, return_index=True, return_counts=True)
    given = codes[first]
    distinct = given.copy()
    while True:
        changes, contradicted = _one_round(distinct)
        if not changes:
            break
        for hole, name in changes.items():
            distinct[hole] = name

    rows: dict[str, np.ndarray] = {}
    names: dict[str, list[str]] = {}
    filled = lineages.copy(deep=False)
    for number in np.flatnonzero((distinct != given).any(axis=0)).tolist():
        rank, own = RANKS[number], np.array([None, *columns[number][1]], dtype=object)
        filled[rank] = pd.Series(own[distinct[lineage_of_row, number]], index=lineages.index, dtype="str")
        rows[rank] = np.flatnonzero((distinct != given)[lineage_of_row, number])
        names[rank] = filled[rank].iloc[rows[rank]].value_counts().index.tolist()
    contradictions: dict[str, dict[str, int]] = {}
    for (lineage, number), anchor in sorted(contradicted.items(), key=lambda item: item[0][::-1]):
        taxa = contradictions.setdefault(RANKS[number], {})
        taxon = str(columns[anchor][1][distinct[lineage, anchor] - 1])
        taxa[taxon] = taxa.get(taxon, 0) + int(n_rows[lineage])
    n_paths = _paths_of_species(distinct)
    n_split = int(np.sum(_paths_of_species(given) > n_paths))
    several = [str(name) for name in columns[_SPECIES][1][n_paths > 1]]
    return filled, Filling(rows, names, contradictions, n_split, several)


def _one_round(lineages: np.ndarray) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """Return the names of the holes that others fill, and the rank of the taxon where others contradict each other.

    `lineages` has a number for each name, 0 for a hole. The keys are lineage and rank.
    """
    changes, contradicted = {}, {}
    for rank in range(_SPECIES):
        holes = np.flatnonzero((lineages[:, rank] == 0) & lineages[:, rank + 1 :].any(axis=1))
        if not len(holes):
            continue
        evidence = {anchor: _Evidence(lineages, holes, rank, anchor) for anchor in range(_SPECIES, rank, -1)}
        parents = _Parents(lineages, rank)
        for hole in holes.tolist():
            names_by_anchor = {anchor: known.names(lineages[hole]) for anchor, known in evidence.items()}
            names_by_anchor = {anchor: names for anchor, names in names_by_anchor.items() if names}
            if not names_by_anchor:
                continue
            deepest = next(iter(names_by_anchor))
            names = names_by_anchor[deepest]
            others = set.intersection(*names_by_anchor.values())
            name = next(iter(names))
            if len(names) == 1 and name in others and parents.allow(name, lineages[hole]):
                changes[hole, rank] = name
            else:
                contradicted[hole, rank] = deepest
    return changes, contradicted


class _Evidence:
    """The names of a rank that lineages of the same taxon give; the taxon is of the rank `anchor`."""

    def __init__(self, lineages: np.ndarray, holes: np.ndarray, rank: int, anchor: int) -> None:
        self._rank, self._anchor = rank, anchor
        self._names: dict[tuple[int, ...], set[int]] = {}
        relevant = np.isin(lineages[:, anchor], lineages[holes, anchor]) & (lineages[:, anchor] > 0)
        known = np.unique(lineages[relevant & (lineages[:, rank] > 0), : anchor + 1], axis=0)
        order = known[:, anchor].argsort(kind="stable")
        taxa, starts = np.unique(known[order, anchor], return_index=True)
        self._known = dict(zip(taxa.tolist(), np.split(known[order], starts[1:]), strict=True)) if len(taxa) else {}

    def names(self, lineage: np.ndarray) -> set[int]:
        """Return the names that others of the taxon of a lineage give; those of another path do not count."""
        lineage = lineage[: self._anchor + 1]
        key = tuple(lineage.tolist())
        if key not in self._names:
            others = self._known.get(key[-1])
            if others is None:
                return set()
            agree = ((others == lineage) | (others == 0) | (lineage == 0)).all(axis=1)
            self._names[key] = set(others[agree, self._rank].tolist())
        return self._names[key]


class _Parents:
    """The names above each taxon of a rank, as far as lineages give them."""

    def __init__(self, lineages: np.ndarray, rank: int) -> None:
        self._rank = rank
        self._order = np.argsort(lineages[:, rank], kind="stable")
        self._lineages = lineages
        self._sorted = lineages[self._order, rank]
        self._above: dict[int, list[set[int]]] = {}

    def allow(self, name: int, lineage: np.ndarray) -> bool:
        """Return whether a lineage may have a name: no name above it is one that lineages with the name never have."""
        if name not in self._above:
            start, stop = np.searchsorted(self._sorted, [name, name + 1])
            known = self._lineages[self._order[start:stop], : self._rank]
            self._above[name] = [set(names.tolist()) - {0} for names in known.T]
        above = lineage[: self._rank].tolist()
        return all(not own or not names or own in names for own, names in zip(above, self._above[name], strict=True))


def _paths_of_species(lineages: np.ndarray) -> np.ndarray:
    """Return the number of distinct lineages of each species."""
    distinct = np.unique(lineages, axis=0)
    return np.bincount(distinct[:, _SPECIES], minlength=lineages[:, _SPECIES].max(initial=0) + 1)[1:]
