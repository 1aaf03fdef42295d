"""Moments along a tree whose tips are their groups: sums over all pairs of images, and their correlation.

With the names of `moments`, and an edge e of length ℓ_e that cuts off n_e images with sums s_e and Q_e::

    Σ t    = Σ_e ℓ_e n_e (n - n_e)
    Σ t c  = Σ_e ℓ_e [(Q_e (n - n_e) + n_e (Q - Q_e))/2 - s_e·(s - s_e)]
    Σ t²   = Σ_v over the pairs that meet at v (see `clades`)

So the exact Pearson correlation of tree distance and embedding distance over all pairs costs O(n d² + nodes·d), on any
tree, and a permutation of the groups O(nodes·d).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bioclip_probe.stats.all_pairs.clades import TreeAggregator
from bioclip_probe.stats.all_pairs.moments import Moments, pearson
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.distances import neighbour_mrca_depths
from bioclip_probe.tree.tree import Tree

#: Numbers held at once where permutations are summed together: 8 MiB, which stays in cache.
MOST_NUMBERS = 2**20


@dataclass(frozen=True, eq=False)
class TreeSums:
    """Sums over pairs of images along a tree whose k tips are the groups of a `Moments`, in the order of its tips.

    ``orders`` say which group stands at which tip, so that a permutation of the groups only re-sums.
    """

    tree: Tree
    moments: Moments
    aggregator: TreeAggregator | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(self.tree.tips) != len(self.moments.counts):
            raise ValueError(f"{len(self.tree.tips)} tips need as many groups, not {len(self.moments.counts)}")
        if self.aggregator is None:
            object.__setattr__(self, "aggregator", TreeAggregator(self.tree))

    @property
    def identity_order(self) -> np.ndarray:
        """The one order in which each group stands at its own tip, shape (1, k)."""
        return np.arange(len(self.tree.tips))[None]

    @cached_property
    def _values(self) -> np.ndarray:
        """Sum, count and Σ‖x‖² of each group, the sums in no more dimensions than there are groups.

        Only products of sums matter, and a rotation keeps them.
        """
        moments, sums = self.moments, self.moments.sums
        if len(sums) < sums.shape[1]:
            sums = np.linalg.qr(sums.T, mode="r").T
        return np.concatenate([sums, moments.counts[:, None], moments.norms[:, None]], axis=1)

    @cached_property
    def _own(self) -> np.ndarray:
        """Σ c over the pairs inside each group."""
        return _distances_within(self._values)

    def clade_sums(self, orders: np.ndarray) -> np.ndarray:
        """Σ c over the pairs inside each clade for P orders of the groups (P, k), shape (m, P), in the order of nodes.

        O(nodes·d) an order.
        """

        inner = _distances_within(self.aggregator.inner_sums(self._values, orders))
        return np.concatenate([self._own[orders].T, inner])[self.aggregator.position]

    def cross_sums(self, orders: np.ndarray) -> np.ndarray:
        """Σ t c over pairs, for P orders of the groups, shape (P, k), at once.

        What an edge cuts off is at its distance from everything less from itself: the first part is a sum over tips.
        """
        moments, tree = self.moments, self.tree
        from_all = (moments.norms * moments.n + moments.counts * moments.squares) / 2
        from_all -= moments.sums @ moments.sums.sum(axis=0)
        return from_all[orders] @ tree.depth[tree.tips] - 2 * (tree.length @ self.clade_sums(orders))

    def distance_sums(self, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Σ t and Σ t² over pairs, for P orders of the groups, shape (P, k)."""
        return tree_distance_sums(self.tree, self.aggregator, self.moments.counts[orders])

    def correlation(self) -> float:
        """Pearson correlation of tree distance and cosine distance over all pairs of images.

        NaN where either distance does not vary.
        """
        return float(self.correlations(self.identity_order)[0])

    def correlations(self, orders: np.ndarray) -> np.ndarray:
        """The same for P orders of the groups, shape (P, k): group ``orders[p, i]`` stands at tip i."""
        moments = self.moments
        alike = np.ptp(moments.counts) == 0  # then the tree's own sums do not hang on the order
        t, tt = self.distance_sums(orders[:1] if alike else orders)
        c, cc = moments.distance_sum, moments.distance_square_sum
        if (
            moments.n > 1
            and cc - c**2 / moments.n_pairs <= 1e-12 * moments.n_pairs * (moments.squares / moments.n) ** 2
        ):
            return np.full(len(orders), np.nan)  # rounding, as far from the origin as these vectors are
        return pearson(moments.n_pairs, t, c, tt, cc, self.cross_sums(orders))


def _distances_within(at: np.ndarray) -> np.ndarray:
    """Σ c over the pairs of sets of images, from their Σx, n and Σ‖x‖² along the last axis."""
    return (at[..., -2] * at[..., -1] - np.einsum("...i,...i->...", at[..., :-2], at[..., :-2])) / 2


def depths_below_first_split(tree: Tree) -> np.ndarray:
    """Depth of each node below where the first paths part, shape (m,): a stem that all share would cost digits."""
    return np.maximum(tree.depth - neighbour_mrca_depths(tree).min(initial=tree.depth.max()), 0)


def tree_distance_sums(tree: Tree, aggregator: TreeAggregator, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ t and Σ t² over pairs of images, for P times k counts of images at the tips; weights as well as counts.

    Returns
    -------
    t, tt : ndarray, shape (P,), float64
        Images at one tip are at distance 0.
    """
    own = 2 * depths_below_first_split(tree)
    depth = own[tree.tips] / 2
    own[tree.tips] = 0.0
    moved = np.stack([counts, counts * depth, counts * depth**2]).transpose(2, 1, 0).reshape(counts.shape[1], -1)
    n, a, aa = np.moveaxis(aggregator.clade_sums(moved).reshape(len(tree), len(counts), 3), 2, 0)
    clades = (n * (n - 1) / 2, (n - 1) * a, (n - 2) * aa + a * a)
    inner = (tree.stop > np.arange(len(tree)) + 1).astype(np.float64)

    def where_they_meet(factor: np.ndarray) -> np.ndarray:
        """The factor of a clade's sum, if each pair has that of the node where it meets."""
        return factor - np.concatenate([[0.0], factor[tree.parent[1:]]])

    pairs, once, twice = clades
    t = where_they_meet(inner) @ once - where_they_meet(own) @ pairs
    tt = where_they_meet(inner) @ twice - 2 * where_they_meet(own) @ once + where_they_meet(own**2) @ pairs
    none = tt <= 1e-14 * depth.max(initial=0) ** 2 * pairs[0]  # rounding, where all images are at one place
    return np.where(none, 0, t), np.where(none, 0, tt)


def permuted_orders(
    sums: TreeSums, n_permutations: int, rng: np.random.Generator, within: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Random orders of the groups at the tips, as many at a time as are summed together, each of shape (P, k).

    Parameters
    ----------
    sums : TreeSums
    n_permutations : int
    rng : numpy.random.Generator
    within : ndarray, shape (k,), int64, optional
        A label per tip, e.g. its order: groups are exchanged within a label only, so that separation above it cannot
        carry the test. A group at a tip labelled -1 (no name at that rank) stays where it is.
    """
    k = len(sums.tree.tips)
    within = np.zeros(k, dtype=np.int64) if within is None else within
    strata = [np.flatnonzero(within == label) for label in np.unique(within[within >= 0])]
    at_once = max(1, MOST_NUMBERS // (len(sums.tree) * sums.moments.sums.shape[1]))
    for start in range(0, n_permutations, at_once):
        orders = np.tile(np.arange(k), (min(at_once, n_permutations - start), 1))
        for order in orders:
            for stratum in strata:
                order[stratum] = rng.permutation(stratum)
        yield orders


def permuted_correlations(
    sums: TreeSums, n_permutations: int, rng: np.random.Generator, within: np.ndarray | None = None
) -> np.ndarray:
    """Correlations after permuting which group stands at which tip, shape (n_permutations,); see `permuted_orders`."""
    with matched_threads(0):
        values = [sums.correlations(orders) for orders in permuted_orders(sums, n_permutations, rng, within)]
    return np.concatenate(values) if values else np.empty(0)
