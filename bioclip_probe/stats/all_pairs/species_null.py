"""The correlation of taxa of a higher rank with whole species permuted over the tips of the tree: the species null.

A permutation gives each taxon as many species as it has, with all their images, so that its centroid is a new one. What
a memoriser of species without a tree reaches at a rank is the mean over such permutations: not 0, since taxa of many
species have centroids near the common mean, and their sizes are not spread at random over the tree.

The centroids of all permutations of a batch come from one sparse product, and the sums over pairs from the formulas of
`moments` and `tree_sums`. A test needs only the covariance, O(s·d) for s species in d dimensions. The variance of the
distances, which the chance level needs too, costs O(k·d·min(k, d)) more for k taxa.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.all_pairs.clade_forms import FEWEST_ROUNDED, CladePlan
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.all_pairs.tree_sums import tree_distance_sums
from bioclip_probe.stats.devices import CPU, free_bytes, tensor, uses_torch
from bioclip_probe.stats.permuted_loops import direction_square_pass
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.stats.threads import in_threads, matched_threads, n_threads
from bioclip_probe.tree.tree import Tree

#: Numbers in memory for the permutations that are summed together.
MOST_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class SpeciesNull:
    """Species that are permuted over the tips of a tree, and the taxa that they are grouped in.

    Attributes
    ----------
    tree : Tree
        Its k tips are the taxa.
    sums : ndarray, shape (s, d)
        Σ of the unit vectors of the images of each species.
    taxon : ndarray, shape (s,), int64
        The tip position of the taxon of each species; each taxon has one at least.
    device : str
        Where the sums of permuted species are computed.
    most_numbers : int
        Numbers in memory for the permutations that are summed together.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), [*"rxabc"], [-1] * 5)
    >>> sums = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> null = SpeciesNull(tree, sums, np.arange(3))
    >>> round(float(null.correlations(99, np.random.default_rng(0)).max()), 3)
    0.693
    """

    tree: Tree
    sums: np.ndarray
    taxon: np.ndarray
    device: str = CPU
    most_numbers: int = MOST_NUMBERS

    def __post_init__(self) -> None:
        object.__setattr__(self, "sums", rotate_into_span(np.asarray(self.sums, dtype=np.float64)))

    def correlations(self, n_permutations: int, rng: np.random.Generator) -> np.ndarray:
        """Return the correlation of tree distance and centroid distance over pairs of taxa, for permuted species.

        Parameters
        ----------
        n_permutations : int
        rng : numpy.random.Generator

        Returns
        -------
        ndarray, shape (n_permutations,), float64
            In [-1, 1]; NaN where a distance does not vary, or where the images of a taxon cancel out.
        """
        k, d = len(self.tree.tips), self.sums.shape[1]
        t, tt = self._tree_distances
        values = [np.empty(0)]
        with matched_threads(k * d * min(k, d)):
            for x in self._permuted(n_permutations, rng):
                c, tc = self._distance_sums(x)
                values.append(np.asarray(pearson(k * (k - 1) / 2, t, c, tt, _square_sums(x), tc)))
        return np.concatenate(values)

    def covariances(self, n_permutations: int, rng: np.random.Generator) -> np.ndarray:
        """Return the covariance of tree distance and centroid distance over pairs of taxa, for permuted species.

        Parameters
        ----------
        n_permutations : int
        rng : numpy.random.Generator

        Returns
        -------
        ndarray, shape (n_permutations,), float64
            Not divided by the number of pairs; NaN where the images of a taxon cancel out.
        """
        k, (t, _) = len(self.tree.tips), self._tree_distances
        plan, depth = self._plan, self.tree.depth[self.tree.tips]
        length, (low, high) = plan.per_clade(self.tree.length[None])[0, k:], plan.spans.T
        # Σ ℓ n Σq over clades: each taxon has q times the Σ ℓ n of the clades above it.
        ends = np.bincount(low, length * (high - low), k + 1) - np.bincount(high, length * (high - low), k + 1)
        above = np.cumsum(ends)[:k]

        def of_orders(orders: np.ndarray) -> np.ndarray:
            q, squares, along = self._squares(orders)
            total = q.sum(axis=1)
            c = (k * total - squares[:, -1]) / 2
            to_all = (k * (q @ depth) + total * depth.sum()) / 2 - along
            tc = to_all - (q @ above - squares @ length)
            return np.asarray(tc - t * c / (k * (k - 1) / 2))

        _ = self._members, self._loop_inputs  # once, not in every thread
        threads = 2 if uses_torch(self.device) else n_threads(self.sums.size * n_permutations)
        return np.concatenate([np.empty(0), *in_threads(of_orders, self._orders(n_permutations, rng), threads)])

    @cached_property
    def _plan(self) -> CladePlan:
        return CladePlan.of(self.tree)

    @cached_property
    def _members(self) -> tuple[np.ndarray, np.ndarray]:
        """The places of all taxa, taxon by taxon, and where those of each start."""
        places = np.argsort(self.taxon, kind="stable")
        return places, np.searchsorted(self.taxon[places], np.arange(len(self.tree.tips) + 1))

    def _squares(self, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return squared norms of taxa and clades for some orders, see `direction_square_pass`."""
        if uses_torch(self.device):
            return self._squares_on_device(orders, self.tree.depth[self.tree.tips])
        sums, origin, depth = self._loop_inputs
        return direction_square_pass(sums, orders, self._members, self._plan.loop, origin, depth)

    @cached_property
    def _loop_inputs(self) -> tuple[np.ndarray, ...]:
        """Sums, origin and depths; in float32 unless species are so few that permutations repeat and must tie."""
        dtype = np.float32 if len(self.sums) >= FEWEST_ROUNDED else np.float64
        return tuple(array.astype(dtype) for array in (self.sums, self._origin, self.tree.depth[self.tree.tips]))

    def _squares_on_device(self, orders: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the same by torch, from running sums over the species and over the taxa."""
        places, firsts = self._members
        sums, origin, depths = (tensor(array, self.device) for array in (self.sums, self._origin, depth))
        taxa = _differences(sums[tensor(orders[:, places], self.device)].cumsum(dim=1), firsts[:-1], firsts[1:])
        norms = taxa.norm(dim=2, keepdim=True)
        x = taxa / norms.where(norms > 1e-6, norms * float("nan")) - origin
        clades = _differences(x.cumsum(dim=1), *self._plan.spans.T)
        along = ((depths @ x) * x.sum(dim=1)).sum(dim=1)
        return tuple(each.cpu().numpy() for each in (x.square().sum(dim=2), clades.square().sum(dim=2), along))

    @cached_property
    def _aggregator(self) -> TreeAggregator:
        return TreeAggregator.of(self.tree)

    @cached_property
    def _tree_distances(self) -> tuple[np.ndarray, np.ndarray]:
        """Σt and Σt², shape (1,) each."""
        return tree_distance_sums(self.tree, self._aggregator, np.ones((1, len(self.tree.tips))))

    @cached_property
    def _origin(self) -> np.ndarray:
        """The mean direction of the taxa as they are; about it no digits cancel."""
        pick = csr_array((np.ones(len(self.taxon)), (self.taxon, np.arange(len(self.taxon)))))
        return np.nan_to_num(_directions(pick @ self.sums)).mean(axis=0)

    def _orders(self, n_permutations: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield permutations of the species, some at a time, shape (P, s)."""
        most_numbers = self.most_numbers
        if uses_torch(self.device):
            most_numbers = max(most_numbers, free_bytes(self.device) // 128)
        at_once = max(1, most_numbers // max((len(self.tree) + len(self.sums)) * self.sums.shape[1], 1))
        for start in range(0, n_permutations, at_once):
            size = min(at_once, n_permutations - start)
            yield np.array([rng.permutation(len(self.sums)) for _ in range(size)])

    def _permuted(self, n_permutations: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield the centroids of the taxa about the origin, of some permutations at a time, shape (P, k, d)."""
        k, n_species = len(self.tree.tips), len(self.sums)
        for orders in self._orders(n_permutations, rng):
            rows = (self.taxon + k * np.arange(len(orders))[:, None]).ravel()
            pick = csr_array((np.ones(rows.size), (rows, orders.ravel())), shape=(len(orders) * k, n_species))
            yield _directions(pick @ self.sums).reshape(len(orders), k, -1) - self._origin

    def _distance_sums(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Σc and Σtc over the pairs of tips, for P embeddings x, shape (P, k, d)."""
        size, k, d = x.shape
        tree, q, s = self.tree, np.einsum("pij,pij->pi", x, x), x.sum(axis=1)
        total = q.sum(axis=1)
        values = np.concatenate([x, q[:, :, None], np.ones((size, k, 1))], axis=2).transpose(1, 0, 2)
        in_clade = self._aggregator.clade_sums(values.reshape(k, -1)).reshape(len(tree), size, d + 2)
        x_clade, q_clade, n_clade = in_clade[..., :d], in_clade[..., d], in_clade[..., d + 1]
        inside = (n_clade * q_clade - np.einsum("mpi,mpi->mp", x_clade, x_clade)) / 2
        to_all = (q * k + total[:, None]) / 2 - np.einsum("pij,pj->pi", x, s)
        return inside[0], to_all @ tree.depth[tree.tips] - 2 * (tree.length @ inside)


def _differences(running: Any, low: np.ndarray, high: np.ndarray) -> Any:
    """Return sums over ranges of the second dimension of a tensor, from its running sums."""
    first, last = (tensor(ends, str(running.device)) for ends in (low, high))
    return running[:, last - 1] - running[:, (first - 1).clamp(min=0)] * (first > 0)[:, None]


def _directions(sums: np.ndarray) -> np.ndarray:
    """Return the rows on the unit sphere; NaN where the images of a taxon cancel out."""
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, norms, out=np.full_like(sums, np.nan), where=norms > 1e-6)


def _square_sums(x: np.ndarray) -> np.ndarray:
    """Return Σc² over the pairs of tips, for P embeddings x, shape (P, k, d)."""
    k, q, s = x.shape[1], np.einsum("pij,pij->pi", x, x), x.sum(axis=1)
    gram = x @ x.transpose(0, 2, 1) if k < x.shape[2] else x.transpose(0, 2, 1) @ x
    along = np.einsum("pi,pij,pj->p", q, x, s, optimize=True)
    return (k * np.sum(q**2, axis=1) + q.sum(axis=1) ** 2) / 4 + np.einsum("pij,pij->p", gram, gram) / 2 - along
