"""Sums over all pairs of images that combine `Moments` with distances along a tree, and their correlation.

With the names of `moments`, and an edge e of length ℓ_e below which there are n_e images with sums s_e and Q_e::

    Σ t    = Σ_e ℓ_e n_e (n - n_e)
    Σ t c  = Σ_e ℓ_e [(Q_e (n - n_e) + n_e (Q - Q_e))/2 - s_e·(s - s_e)]
    Σ t²   = Σ_v over the pairs whose most recent common ancestor is v (see `clades`)

So the exact Pearson correlation of tree distance and embedding distance over all pairs costs O(n d² + nodes·d) on any
tree, and a permutation of the tips costs O(nodes·d).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.all_pairs.clade_forms import CladeForms, CladePlan
from bioclip_probe.stats.all_pairs.moments import Moments, pearson
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.devices import CPU
from bioclip_probe.stats.permuted_loops import shuffle_within
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.tree.distances import neighbour_mrca_depths
from bioclip_probe.tree.tree import Tree


@dataclass(frozen=True, eq=False)
class TreeSums:
    """Sums over pairs of images at the k tips of a tree.

    Group i of the moments holds the images at tip i. Most methods take P orders, an array of shape (P, k): in order p,
    group ``orders[p, i]`` stands at tip i. So a permutation of the groups only sums again.

    Attributes
    ----------
    tree : Tree
        With k tips.
    moments : Moments
        With k groups, in the order of the tips.

    Raises
    ------
    ValueError
        If the numbers of tips and groups differ.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> sums = TreeSums(tree, Moments.of(vectors, np.arange(3), n_groups=3))
    >>> round(sums.correlation(), 3)
    0.693
    """

    tree: Tree
    moments: Moments

    def __post_init__(self) -> None:
        if len(self.tree.tips) != len(self.moments.counts):
            raise ValueError(f"{len(self.tree.tips)} tips need as many groups, not {len(self.moments.counts)}")

    @cached_property
    def aggregator(self) -> TreeAggregator:
        """Sums of values over the tips of every clade."""
        return TreeAggregator.of(self.tree)

    @property
    def identity_order(self) -> np.ndarray:
        """The order in which each group stands at its own tip, shape (1, k)."""
        return np.arange(len(self.tree.tips))[None]

    @cached_property
    def _plan(self) -> CladePlan:
        """The clades of the tree."""
        return CladePlan.of(self.tree)

    @cached_property
    def _values(self) -> tuple[np.ndarray, np.ndarray]:
        """Values of the groups, and their signs, whose form is n Σ‖x‖² - ‖Σx‖², twice the sum of c over pairs.

        The sums have no more dimensions than there are groups: only their products matter, and a rotation keeps them.
        """
        moments = self.moments
        scale = np.sqrt(moments.squares / moments.n) if moments.squares > 0 else 1.0
        n, q, sums = moments.counts * scale, moments.norms / scale, rotate_into_span(moments.sums)
        values = np.concatenate([sums, (n + q)[:, None] / 2, (n - q)[:, None] / 2], axis=1)
        return values, np.append(np.full(sums.shape[1], -1.0), (1.0, -1.0))

    def forms(self, device: str = CPU) -> CladeForms:
        """Return twice Σ c over the pairs of images inside each clade, as a form for many permutations of the groups.

        Sums of vectors are in float32, which changes correlations by about 1e-7, where there are many groups.

        Parameters
        ----------
        device : str
            Where clades are summed.

        Returns
        -------
        CladeForms
        """
        values, signs = self._values
        return CladeForms(self._plan, values, signs, device, n_rounded=values.shape[1] - 2)

    @cached_property
    def _own_forms(self) -> CladeForms:
        return CladeForms(self._plan, *self._values)

    def clade_sums(self, orders: np.ndarray) -> np.ndarray:
        """Return Σ c over the pairs of images inside each clade.

        Parameters
        ----------
        orders : ndarray, shape (P, k), int64
            Orders of the groups at the tips.

        Returns
        -------
        ndarray, shape (m, P), float64
            In the order of the m nodes.

        Notes
        -----
        O(nodes·d) for each order.
        """
        forms = self._own_forms
        return np.concatenate([forms.of_groups[orders], forms.of_clades(orders)], axis=1).T[self._plan.clade] / 2

    def cross_sums(self, orders: np.ndarray, forms: CladeForms | None = None) -> np.ndarray:
        """Return Σ t c over pairs of images.

        Parameters
        ----------
        orders : ndarray, shape (P, k), int64
            Orders of the groups at the tips.
        forms : CladeForms, optional
            From `forms`, on the device that sums; by default on the processor.

        Returns
        -------
        ndarray, shape (P,), float64
        """
        # The distance sum across an edge is that from its clade to all images, minus twice that inside the clade.
        # The first term, added up over edges, is a sum over tips.
        moments, tree, forms = self.moments, self.tree, forms or self._own_forms
        to_all = (moments.norms * moments.n + moments.counts * moments.squares) / 2
        to_all -= moments.sums @ moments.sums.sum(axis=0)
        return (
            to_all[orders] @ tree.depth[tree.tips]
            - forms.weighted(orders, self._plan.per_clade(tree.length[None]))[:, 0]
        )

    def distance_sums(self, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Σ t and Σ t² over pairs of images.

        Parameters
        ----------
        orders : ndarray, shape (P, k), int64
            Orders of the groups at the tips.

        Returns
        -------
        t, tt : ndarray, shape (P,), float64
        """
        return tree_distance_sums(self.tree, self.aggregator, self.moments.counts[orders])

    def correlation(self) -> float:
        """Return the Pearson correlation of tree distance and cosine distance over all pairs of images.

        Returns
        -------
        float
            In [-1, 1]; NaN where either distance does not vary.
        """
        return self._correlation

    @cached_property
    def _correlation(self) -> float:
        return float(self.correlations(self.identity_order)[0])

    def correlations(self, orders: np.ndarray, forms: CladeForms | None = None) -> np.ndarray:
        """Return the Pearson correlation of tree distance and cosine distance for each order of the groups.

        Parameters
        ----------
        orders : ndarray, shape (P, k), int64
            Orders of the groups at the tips.
        forms : CladeForms, optional
            As for `cross_sums`.

        Returns
        -------
        ndarray, shape (P,), float64
            In [-1, 1]; NaN where either distance does not vary.
        """
        moments = self.moments
        t, tt = self._unpermuted_distances if np.ptp(moments.counts) == 0 else self.distance_sums(orders)
        c, cc = moments.distance_sum, moments.distance_square_sum
        if (
            moments.n > 1
            and cc - c**2 / moments.n_pairs <= 1e-12 * moments.n_pairs * (moments.squares / moments.n) ** 2
        ):
            return np.full(len(orders), np.nan)  # no more than rounding, for vectors as far from the origin as these
        return np.asarray(pearson(moments.n_pairs, t, c, tt, cc, self.cross_sums(orders, forms)))

    @cached_property
    def _unpermuted_distances(self) -> tuple[np.ndarray, np.ndarray]:
        """Σ t and Σ t² of the groups at their own tips; with equal counts they are the same in every order."""
        return self.distance_sums(self.identity_order)


def depths_below_first_split(tree: Tree) -> np.ndarray:
    """Return the depth of each node below the first split; dropping the stem that all paths share avoids cancellation.

    Parameters
    ----------
    tree : Tree
        With m nodes.

    Returns
    -------
    ndarray, shape (m,), float64
        At least 0.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1]), np.array([0.0, 9, 1, 2]), np.array([*"rxab"], object), [-1] * 4)
    >>> depths_below_first_split(tree).tolist()
    [0.0, 0.0, 1.0, 2.0]
    """
    return np.maximum(tree.depth - neighbour_mrca_depths(tree).min(initial=tree.depth.max()), 0)


def tree_distance_sums(tree: Tree, aggregator: TreeAggregator, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Σ t and Σ t² over pairs of images, for P sets of counts of images at the tips.

    Parameters
    ----------
    tree : Tree
        With k tips.
    aggregator : TreeAggregator
        Of the same tree.
    counts : ndarray, shape (P, k), float64
        Numbers of images at each tip, or weights.

    Returns
    -------
    t, tt : ndarray, shape (P,), float64
        Images at one tip are at distance 0.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 2]), np.array([*"rab"], object), [-1] * 3)
    >>> tree_distance_sums(tree, TreeAggregator(tree), np.array([[1.0, 2.0]]))
    (array([6.]), array([18.]))
    """
    twice_depth = 2 * depths_below_first_split(tree)
    depth = twice_depth[tree.tips] / 2
    twice_depth[tree.tips] = 0.0
    powers = np.stack([counts, counts * depth, counts * depth**2]).transpose(2, 1, 0).reshape(counts.shape[1], -1)
    n, a, aa = np.moveaxis(aggregator.clade_sums(powers).reshape(len(tree), len(counts), 3), 2, 0)
    # Over the pairs of each clade: Σ 1, Σ (a_i + a_j) and Σ (a_i + a_j)².
    pairs, first_power, second_power = n * (n - 1) / 2, (n - 1) * a, (n - 2) * aa + a * a
    inner = (tree.stop > np.arange(len(tree)) + 1).astype(np.float64)

    def at_mrca(factor: np.ndarray) -> np.ndarray:
        """Return factors of the sums of clades that multiply each pair by the factor of its common ancestor."""
        return factor - np.concatenate([[0.0], factor[tree.parent[1:]]])

    t = at_mrca(inner) @ first_power - at_mrca(twice_depth) @ pairs
    tt = at_mrca(inner) @ second_power - 2 * at_mrca(twice_depth) @ first_power + at_mrca(twice_depth**2) @ pairs
    none = tt <= 1e-14 * depth.max(initial=0) ** 2 * pairs[0]  # no more than rounding: all images are at one place
    return np.where(none, 0, t), np.where(none, 0, tt)


def permuted_orders(
    k: int,
    n_permutations: int,
    rng: np.random.Generator,
    within: np.ndarray | None = None,
    at_once: int = 1,
) -> Iterator[np.ndarray]:
    """Yield random orders of the groups at the tips, some at a time.

    Parameters
    ----------
    k : int
        Number of tips.
    n_permutations : int
        Number of orders in total.
    rng : numpy.random.Generator
    within : ndarray, shape (k,), int64, optional
        A label for each tip, e.g. its order. Groups are exchanged only within a label, so that separation above it
        cannot influence the test. A group at a tip labelled -1 (no name at that rank) stays in its place.
    at_once : int
        Orders that are yielded together.

    Yields
    ------
    ndarray, shape (P, k), int64

    Examples
    --------
    >>> [orders.shape for orders in permuted_orders(2, 5, np.random.default_rng(0), at_once=4)]
    [(4, 2), (1, 2)]
    """
    if within is not None:
        members = np.argsort(within, kind="stable")
        members = members[np.searchsorted(within[members], 0) :]
        _, size = np.unique(within[members], return_counts=True)
        starts = np.concatenate([[0], np.cumsum(size)])
    for start in range(0, n_permutations, at_once):
        orders = np.tile(np.arange(k), (min(at_once, n_permutations - start), 1))
        if within is None:
            rng.permuted(orders, axis=1, out=orders)
        else:
            shuffle_within(orders, members, starts, rng.random((len(orders), len(members))))
        yield orders


def permuted_correlations(
    sums: TreeSums,
    n_permutations: int,
    rng: np.random.Generator,
    within: np.ndarray | None = None,
    device: str = CPU,
    most_numbers: int | None = None,
) -> np.ndarray:
    """Return the correlations of tree distance and cosine distance after permuting the groups at the tips.

    Parameters
    ----------
    sums : TreeSums
    n_permutations, rng, within
        See `permuted_orders`.
    device : str
        Where clades are summed.
    most_numbers : int, optional
        Numbers that one thread looks at for the orders that it sums together.

    Returns
    -------
    ndarray, shape (n_permutations,), float64

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> sums = TreeSums(tree, Moments.of(vectors, np.arange(3), n_groups=3))
    >>> permuted_correlations(sums, 9, np.random.default_rng(0)).shape
    (9,)
    """
    forms = sums.forms(device)
    orders = permuted_orders(len(sums.tree.tips), n_permutations, rng, within, forms.orders_at_once(most_numbers))
    return np.concatenate([np.empty(0), *forms.each(lambda each: sums.correlations(each, forms), orders)])
