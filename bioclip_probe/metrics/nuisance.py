"""Columns of the images that embeddings may follow instead of the tree: photographer, place or kind of picture.

Pictures of one species often come from one place, and a museum photographs a family against one background. An
embedding that knows the background then seems to know the family. Three numbers tell how far that goes: how often
neighbours agree in the column, how well neighbours agree in their taxon when they must agree in the column, and whether
the tree correlation survives a permutation of species inside the values of the column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np

from bioclip_probe.metrics.hierarchy import estimate_within
from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.neighborhoods import Question
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.sweep.cells import level_of
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists
from bioclip_probe.stats.sweep.search import NeighborSearch, search_spaces, search_together
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, Tree

SHARE = (0.0, 1.0)


@dataclass(frozen=True, eq=False)
class ImageColumn:
    """A column of the images of one embedding.

    Attributes
    ----------
    shared : SharedResults
        The embedding in a taxonomy.
    name : str
        Name of the column.
    values : ndarray, shape (n,), int64
        Value of each image as a number from 0; -1 where it is not known.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> column = ImageColumn(SharedResults(*corvids()), "place", np.array([0, 0, 1]))
    >>> column.species.tolist(), column.has_ranks  # the raven comes first
    ([1, 0, 0], True)
    """

    subject: ClassVar[str] = "column of the images"

    shared: SharedResults
    name: str
    values: np.ndarray

    @property
    def placement(self) -> Placement:
        """The placement of the images."""
        return self.shared.placement

    @property
    def settings(self) -> MeasureSettings:
        """The settings of the embedding."""
        return self.shared.settings

    @property
    def has_ranks(self) -> bool:
        """True in a taxonomy."""
        return self.shared.has_ranks

    @cached_property
    def species(self) -> np.ndarray:
        """The most frequent value of each species in tree order, shape (k,); the lowest of several, -1 for none."""
        groups, k = self.shared.taxa("species").groups, len(self.shared.taxa("species").tree.tips)
        known = (groups >= 0) & (self.values >= 0)
        counts = np.zeros((k, int(self.values.max(initial=0)) + 1), dtype=np.int64)
        np.add.at(counts, (groups[known], self.values[known]), 1)
        return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)

    def nearest(self, groups: np.ndarray | None) -> NeighborLists:
        """Return the nearest of the images with a value in a tree whose kingdoms are values.

        Parameters
        ----------
        groups : ndarray, shape (n,), int64, or None
            Images of one group are no candidates of each other; -1 is no group. The lists whose groups are copies of
            pictures, and those whose groups are species, come from the same products.

        Returns
        -------
        NeighborLists
        """
        if groups is self.shared.copies or groups is self.placement.node:
            return self._nearest[0 if groups is self.shared.copies else 1]
        return search_together([self._search(groups)], self.shared.vectors, self.settings.device)[0]

    @cached_property
    def _nearest(self) -> list[NeighborLists]:
        """The nearest images that are no copies, and the nearest among those of other species."""
        searches = [self._search(groups) for groups in (self.shared.copies, self.placement.node)]
        return search_together(searches, self.shared.vectors, self.settings.device)

    def _search(self, groups: np.ndarray | None) -> NeighborSearch:
        """Return the search for the nearest of the images with a value."""
        known = (self.values >= 0) & (self.placement.node >= 0)
        tree = _tree_of_values(np.where(known, self.values, -1), self.placement.node)
        return NeighborSearch.of(self.shared.vectors, tree, self.shared.jackknife().group, 1, groups, known)

    @cached_property
    def n_species_with_several(self) -> int:
        """Number of species whose images have different values."""
        groups = self.shared.taxa("species").groups
        known = (groups >= 0) & (self.values >= 0)
        return int(np.sum(np.bincount(np.unique(np.stack([groups[known], self.values[known]]), axis=1)[0]) > 1))


def column_agreement(
    column: ImageColumn, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how often the nearest image has the same value of a column.

    Parameters
    ----------
    column : ImageColumn
    placement : Placement, optional
        Every metric takes one; it changes nothing here.
    settings : MeasureSettings, optional
        Not used: the embedding has its settings.

    Returns
    -------
    list of Measurement
        ``column_agreement``: share of images whose nearest image has their value; ``column_agreement_other_species``:
        the nearest among images of other species. In [0, 1]; a low number is better, since taxa and not the column
        should decide who is near. Chance is the share of candidates that have the value of the image (null: images,
        values permuted over images). Images without a value are left out and counted. An image whose value no candidate
        has is scored 0. The interval leaves out groups of species.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> column = ImageColumn(SharedResults(*corvids()), "place", np.array([0, 0, 1]))
    >>> [round(row.value, 2) for row in column_agreement(column)]
    [0.67, 0.67]
    """
    names = {"column_agreement": column.shared.copies, "column_agreement_other_species": column.placement.node}
    return [
        Measurement(name, RANKS[-1], estimate_column_agreement(column, groups), column=column.name)
        for name, groups in names.items()
    ]


def estimate_column_agreement(column: ImageColumn, groups: np.ndarray | None = None) -> Estimate:
    """Return `column_agreement` with or without candidates of some groups.

    Parameters
    ----------
    column : ImageColumn
    groups : ndarray, shape (n,), int64, optional
        Images of one group are no candidates of each other; -1 is no group.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> estimate_column_agreement(ImageColumn(SharedResults(*corvids()), "place", np.array([0, 0, -1]))).note
    'all images have one value'
    """
    jackknife = column.shared.jackknife()
    known = (column.values >= 0) & (column.placement.node >= 0)
    n, n_values = int(known.sum()), len(np.unique(column.values[known]))
    counts: dict[str, Any] = {
        "n_images": n,
        "n_taxa": len(np.unique(column.placement.node[known])),
        "n_excluded": len(known) - n,
    }
    if n_values < 2:
        return Estimate.undefined("all images have one value" if n_values else "no image has a value", **counts)
    lists = column.nearest(groups)
    agrees = slice(0, level_of(RANKS[0]) + 1)

    def agreement(left_out: int) -> tuple[float, float]:
        """Return the agreement and its chance level without one group of species."""
        candidates = lists.candidates(left_out)
        weight = np.where(candidates.any(axis=1), lists.kept(left_out), 0)
        if not weight.any():
            return np.nan, np.nan
        same = lists.shares(1, 0, left_out)[:, agrees].sum(axis=1)
        chance = candidates[:, agrees].sum(axis=1) / np.maximum(candidates.sum(axis=1), 1)
        return float(same @ weight / weight.sum()), float(chance @ weight / weight.sum())

    results = np.array(lists.without_each(agreement))
    if not np.isfinite(results[0, 0]):
        return Estimate.undefined("no image has a candidate of another species", **counts)
    estimate = Estimate(float(results[0, 0]), chance=float(results[0, 1]), null="images", **counts)
    deleted = jackknife.padded(float(results[0, 0]), results[1:, 0])
    return with_interval(estimate, deleted, jackknife.take(known), column.settings, SHARE)


def knn_purity_within_values(
    column: ImageColumn, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how often the nearest image of another species is of the same taxon, among images of one value only.

    Parameters
    ----------
    column, placement, settings
        As for `column_agreement`.

    Returns
    -------
    list of Measurement
        ``knn_purity_1_within_values`` at the ranks kingdom to genus, in [0, 1]; higher is better. As
        `knn_purity_1_other_species`, but the candidates of an image are those that have its value of the column, so
        that the column cannot help. Chance is exact with species permuted inside each value (null: within COLUMN).
        Images without a value, those that have no candidate of their taxon, and those of a value with a single taxon,
        which cannot be wrong, are left out and counted.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> column = ImageColumn(SharedResults(*corvids()), "place", np.array([0, 0, 0]))
    >>> [(row.rank, row.value) for row in knn_purity_within_values(column)][-1]
    ('genus', 1.0)
    """
    shared, jackknife = column.shared, column.shared.jackknife()
    rows = []

    @cache
    def lists_among(images: bytes) -> NeighborLists:
        """Return the nearest of some images, which are the same ones at several ranks."""
        among = np.frombuffer(images, dtype=bool)
        of_images = shared.vectors, shared.placement, jackknife.group, 1, shared.groups, among
        return search_spaces(NeighborSearch.of(*of_images), [shared.vectors], column.settings.device)[0]

    for rank in RANKS[:-1]:
        known = (column.values >= 0) & (shared.placement.at(rank) >= 0)
        questions = [
            Question(lists_among(of_value.tobytes()), 1, level_of(rank), least=1)
            for of_value in _values_of_several_taxa(column.values, shared.placement.at(rank), known)
        ]
        scored = [question.lists.rows[question.scored()[question.lists.cell] > 0] for question in questions]
        images = np.concatenate([np.empty(0, dtype=np.int64), *scored])
        counts: dict[str, Any] = {"n_images": len(images), "n_excluded": len(known) - len(images)}
        counts["n_taxa"] = len(np.unique(shared.placement.at(rank)[images]))
        if not len(images):
            estimate = Estimate.undefined(
                "no image has a candidate of its taxon and value among other species", **counts
            )
        else:
            scores = np.array([_mean_score(questions, left_out) for left_out in range(-1, jackknife.n_groups)])
            estimate = Estimate(float(scores[0, 0]), chance=float(scores[0, 1]), null=f"within {column.name}", **counts)
            estimate = with_interval(estimate, scores[1:, 0], jackknife.take(images), column.settings, SHARE)
        rows.append(Measurement("knn_purity_1_within_values", rank, estimate, column=column.name))
    return rows


def _values_of_several_taxa(values: np.ndarray, taxa: np.ndarray, known: np.ndarray) -> list[np.ndarray]:
    """Return the images of each value that images of several taxa have, shape (n,), bool; others tell nothing."""
    pairs = np.unique(np.stack([values[known], taxa[known]]), axis=1)
    several, n_taxa = np.unique(pairs[0], return_counts=True)
    return [known & (values == value) for value in several[n_taxa > 1]]


def _mean_score(questions: list[Question], left_out: int) -> np.ndarray:
    """Return purity and chance over the images of all values, without one group of species."""
    # A value that no species of the group has keeps all its images.
    left = [left_out if left_out < question.lists.n_groups else -1 for question in questions]
    weights = np.array([question.scored(group).sum() for question, group in zip(questions, left, strict=True)])
    scores = np.array([question.scores(group)[:2] for question, group in zip(questions, left, strict=True)])
    defined = np.isfinite(scores[:, 0])
    total = weights[defined].sum()
    return weights[defined] @ scores[defined] / total if total else np.full(2, np.nan)


def cophenetic_correlation_within_values(
    column: ImageColumn, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return CPCC beside a null that permutes species inside the values of a column only.

    Parameters
    ----------
    column, placement, settings
        As for `column_agreement`.

    Returns
    -------
    list of Measurement
        ``cophenetic_correlation_within_values``, at species: the value is CPCC itself. Chance is the mean of the
        permuted values, which is how high CPCC is if only the column is known (null: within COLUMN). `p_value` is
        one-sided. A
        species has the most frequent value of its images, and the note says how many species have several. A species
        without a value stays where it is.

    References
    ----------
    Mantel 1967, Cancer Research 27, 209 (stratified permutation).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> column = ImageColumn(SharedResults(*corvids()), "place", np.array([0, 1, 2]))
    >>> cophenetic_correlation_within_values(column)[0].estimate.note
    'no two taxa share a place: none can be exchanged'
    """
    name = "cophenetic_correlation_within_values"
    rng = column.shared.stream(name, column.name)
    estimate = estimate_within(column.shared.taxa("species"), {column.name: column.species}, rng, column.settings)
    within = estimate[column.name]
    if column.n_species_with_several:
        several = f"{column.n_species_with_several} species have several values: their most frequent one is taken"
        within = replace(within, note="; ".join(filter(None, (within.note, several))))
    within = replace(within, null=f"within {column.name}")
    return [Measurement(name, RANKS[-1], within, column=column.name)]


def _tree_of_values(values: np.ndarray, species: np.ndarray) -> Placement:
    """Return the images in a tree whose kingdoms are values and whose species are species of one value."""
    known = values >= 0
    pairs, pair = np.unique(np.stack([values[known], species[known]]), axis=1, return_inverse=True)
    kinds, kind = np.unique(pairs[0], return_inverse=True)
    above = np.flatnonzero(np.diff(kind, prepend=-1)) + np.arange(len(kinds)) + 1  # nodes of the values, in preorder
    below = np.arange(pairs.shape[1]) + kind + 2
    size = 1 + len(kinds) + pairs.shape[1]
    parent, rank, length = np.full(size, -1), np.full(size, -1, dtype=np.int8), np.zeros(size)
    parent[above], rank[above], length[above] = 0, 0, 0.5
    parent[below], rank[below], length[below] = above[kind], len(RANKS) - 1, (len(RANKS) - 1) / 2
    name = np.array([str(number) for number in range(size)], dtype=object)
    node = np.full(len(values), -1)
    node[known] = below[pair.ravel()]
    return Placement(Tree(parent, length, name, rank, unit="rank"), node)
