"""The nearest images of every image at each level of kinship, which stay exact when a group of species is left out.

A *level* says where two images meet in the taxonomy: 0 is one species, 1 one genus, …, 6 one kingdom, 7 the root.
Every score of nearest neighbours follows from the levels of the nearest images: their purity at a rank, their purity
among other species, the depth of their common ancestors. For each image and level the lists hold the k nearest images,
and as many more as are needed so that k remain whichever jackknife group is left out. So the neighbours without a group
are those that a new search among the remaining images would find, without any search.

Images at exactly one distance tie. They share the places that are left for them, which is the mean over random orders
of tied images. So no result depends on the order of the images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bioclip_probe.stats.sweep.cells import N_LEVELS, Cells
from bioclip_probe.stats.sweep.cores import on_all_cores
from bioclip_probe.stats.sweep.entries import Entries, linked_weights, neighbor_weights, shares_by_level

#: Labellings of which the links are added up at once; the labels of all taxa in them stay in the cache of a processor.
LABELLINGS = 128


@dataclass(frozen=True, eq=False)
class NeighborLists:
    """The nearest images of every image at each level of kinship.

    Images that nothing tells apart (the same vector, species and photographer) are one *cell*, and have the same
    neighbours. Cells stand in tree order.

    Attributes
    ----------
    rows : ndarray, shape (r,), int64
        The images that have neighbours and are neighbours.
    cell : ndarray, shape (r,), int64
        The cell of each of them.
    cells : Cells
    entries : Entries
        Candidates of each cell, nearest first.
    k : int
        Number of nearest images for which the lists suffice.
    memo : dict
        Results about these lists that are kept for later questions.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> from bioclip_probe.stats.sweep.cells import level_of
    >>> from bioclip_probe.stats.sweep.search import neighbor_lists
    >>> lists = neighbor_lists(vectors, placement, np.arange(3), k=1)
    >>> lists.shares(1).shape, lists.shares(1)[:, level_of("genus")].tolist()  # cells in tree order: the raven is first
    ((3, 8), [0.0, 1.0, 1.0])
    """

    rows: np.ndarray
    cell: np.ndarray
    cells: Cells
    entries: Entries
    k: int
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def n_groups(self) -> int:
        """Number of jackknife groups among the images."""
        return int(self.cells.left_out.max(initial=-1)) + 1

    def kept(self, left_out: int = -1) -> np.ndarray:
        """Return the number of images of each cell without a jackknife group.

        Parameters
        ----------
        left_out : int
            Number of the group; -1 leaves out none.

        Returns
        -------
        ndarray, shape (c,), int64
        """
        return np.where(self.cells.left_out == left_out, 0, self.cells.size)

    def weights(self, k: int, least: int = 0, left_out: int = -1) -> np.ndarray:
        """Return the share of each entry among the k nearest images of its cell.

        Parameters
        ----------
        k : int
        least : int
            Only candidates that meet the image at this level or above it are neighbours: 1 leaves out its own species.
        left_out : int
            Jackknife group that is left out, as images and as candidates; -1 for none.

        Returns
        -------
        ndarray, shape (e,), float64
            The weights of a cell add up to 1, or to 0 if it is left out or has no candidate.

        Raises
        ------
        ValueError
            If the lists do not suffice for k.
        """
        self._check(k)
        weight = np.empty(len(self.entries.neighbor))
        neighbor_weights(self.entries, self.cells, k, least, left_out, weight)
        return weight

    def _check(self, k: int) -> None:
        """Raise an error if the lists do not suffice for k."""
        if not 1 <= k <= self.k:
            raise ValueError(f"the lists suffice for 1 to {self.k} neighbours, not for {k}")

    def shares(self, k: int, least: int = 0, left_out: int = -1) -> np.ndarray:
        """Return the share of the k nearest images that meet each cell at each level.

        Parameters
        ----------
        k, least, left_out
            As for `weights`.

        Returns
        -------
        ndarray, shape (c, L), float64
        """
        self._check(k)
        by_level = np.empty((N_LEVELS, len(self.cells.size)))
        shares_by_level(self.entries, self.cells, k, least, left_out, by_level)
        return by_level.T

    def without_each(self, statistic: Callable[[int], Any]) -> list:
        """Return a statistic of all images, and without each jackknife group in turn, on all cores.

        Parameters
        ----------
        statistic : callable
            Takes the number of the group that is left out; -1 for none.

        Returns
        -------
        list
            G + 1 results; the first is that of all images.
        """
        work = (self.n_groups + 1) * len(self.entries.neighbor)
        return on_all_cores(statistic, range(-1, self.n_groups), work)

    def shares_up_to(self, k: int, least: int = 0) -> np.ndarray:
        """Return the share of the k nearest images that meet each cell at each level or below it.

        Parameters
        ----------
        k, least
            As for `weights`.

        Returns
        -------
        ndarray, shape (L, G + 1, c), float64
            First of all images, then without each jackknife group. The latest are kept for the next call.
        """
        if self.memo.get("shares of", None) != (k, least):
            shares = np.empty((N_LEVELS, self.n_groups + 1, len(self.cells.size)))
            self._check(k)
            self.without_each(lambda one: shares_by_level(self.entries, self.cells, k, least, one, shares[:, one + 1]))
            self.memo.update({"shares of": (k, least), "shares": np.cumsum(shares, axis=0, out=shares)})
        return self.memo["shares"]

    @cached_property
    def candidates_up_to(self) -> np.ndarray:
        """The `candidates` at each level or below, of all and without each group, shape (L, G + 1, c), int32."""
        each = self.without_each(lambda left_out: self.candidates(left_out).T.cumsum(axis=0, dtype=np.int32))
        return np.stack(each, axis=1)

    @cached_property
    def kept_without_each(self) -> np.ndarray:
        """The number of images of each cell that are `kept`: of all and without each group, shape (G + 1, c), int64."""
        return np.stack([self.kept(left_out) for left_out in range(-1, self.n_groups)])

    def candidates(self, left_out: int = -1) -> np.ndarray:
        """Return how many images are candidates of an image of each cell, by the level where they meet.

        Parameters
        ----------
        left_out : int
            Jackknife group that is left out; -1 for none.

        Returns
        -------
        ndarray, shape (c, L), int64
        """
        cells, size = self.cells, self.kept(left_out)
        within = _sums(size, cells.first, cells.last) - (cells.left_out != left_out)
        grouped = np.flatnonzero(cells.group >= 0)
        if len(grouped):  # images of one photographer are no candidates of each other
            order = grouped[np.argsort(cells.group[grouped], kind="stable")]
            keys, n = cells.group[order] * len(size) + order, len(size)
            first, last = (
                np.searchsorted(keys, cells.group[grouped] * n + ends[:, grouped]) for ends in (cells.first, cells.last)
            )
            own = (cells.left_out[grouped] != left_out).astype(np.int64)
            within[:, grouped] -= _sums(size[order], first, last) - own
        return np.diff(within, axis=0, prepend=0).T

    def taxa(self, level: int) -> np.ndarray:
        """Return the taxon of each cell at a level, numbered from 0 in tree order.

        Parameters
        ----------
        level : int

        Returns
        -------
        ndarray, shape (c,), int64
        """
        return np.unique(self.cells.first[level], return_inverse=True)[1]

    def meeting_levels(self, left_out: int = -1) -> np.ndarray:
        """Return how often two different species that are drawn at random meet at each level.

        Parameters
        ----------
        left_out : int
            Jackknife group that is left out; -1 for none.

        Returns
        -------
        ndarray, shape (L,), float64
            Shares of the pairs of species; NaN with fewer than two species.
        """
        cells, kept = self.cells, self.kept(left_out) > 0
        is_first = np.flatnonzero(kept & (cells.first[0] == np.arange(len(kept))))
        one_each = np.zeros(len(kept), dtype=np.int64)
        one_each[is_first] = 1
        others = _sums(one_each, cells.first[:, is_first], cells.last[:, is_first]) - 1
        n = len(is_first)
        at_level = np.diff(others.sum(axis=1), prepend=0)
        return at_level / (n * (n - 1)) if n > 1 else np.full(len(at_level), np.nan)

    def links(self, k: int, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return how many of the k nearest images of each taxon are of each other taxon, at the level below `least`.

        Parameters
        ----------
        k : int
        least : int
            At least 1: neighbours of the own taxon are left out. With 1 the taxa are species.

        Returns
        -------
        left, right : ndarray, shape (l,), int64
            Taxa, numbered as by `taxa`; each pair once.
        weight : ndarray, shape (l,), float64
            Images of the left taxon, each with the share of the right taxon among its neighbours.
        """
        taxon = self.taxa(least - 1)
        anchor = np.repeat(np.arange(len(taxon)), np.diff(self.entries.start))
        weight = self.weights(k, least) * self.cells.size[anchor]
        used = np.flatnonzero(weight)
        pair = taxon[anchor[used]] * (taxon.max(initial=0) + 1) + taxon[self.entries.neighbor[used]]
        pairs, link = np.unique(pair, return_inverse=True)
        left, right = np.divmod(pairs, taxon.max(initial=0) + 1)
        return left, right, np.bincount(link, weights=weight[used], minlength=len(pairs))

    def occurrences(self, k: int, left_out: int = -1) -> np.ndarray:
        """Return how many images have an image of each cell among their k nearest: its k-occurrence.

        Parameters
        ----------
        k : int
        left_out : int
            Jackknife group that is left out; -1 for none.

        Returns
        -------
        ndarray, shape (c,), float64
            Their mean over images is at most k; less only where images have fewer candidates. Images that are left out
            have none.
        """
        size = self.kept(left_out)
        anchor = np.repeat(np.arange(len(size)), np.diff(self.entries.start))
        present = np.minimum(self.candidates(left_out).sum(axis=1), k)
        weight = self.weights(k, 0, left_out) * (size * present)[anchor]
        total = np.bincount(self.entries.neighbor, weights=weight, minlength=len(size))
        return np.divide(total, size, out=np.zeros(len(size)), where=size > 0)


def matching_weight(links: tuple[np.ndarray, np.ndarray, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Return the weight of links between taxa of the same label, for several labellings of the taxa.

    Parameters
    ----------
    links : tuple of ndarray
        From ``lists.links``.
    labels : ndarray, shape (p, u)
        The label of each taxon in each labelling.

    Returns
    -------
    ndarray, shape (p,), float64

    Examples
    --------
    >>> links = np.array([0, 1]), np.array([1, 2]), np.array([3.0, 1.0])
    >>> matching_weight(links, np.array([[5, 5, 6], [6, 5, 5]])).tolist()
    [3.0, 1.0]
    """
    totals = np.zeros(len(labels))

    def add_up(start: int) -> None:
        """Add up the links of some labellings."""
        some = slice(start, start + LABELLINGS)
        linked_weights(*links, np.ascontiguousarray(labels[some].T, dtype=np.int32), totals[some])

    on_all_cores(add_up, range(0, len(labels), LABELLINGS), len(labels) * len(links[0]))
    return totals


def _sums(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the sums of slices of values."""
    below = np.concatenate([[0], np.cumsum(values)])
    return below[last] - below[first]
