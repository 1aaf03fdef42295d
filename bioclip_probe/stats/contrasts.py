"""Phylogenetically independent contrasts of many traits at once, on any tree with branch lengths.

Under Brownian motion the best estimate of the traits at a node is the mean of its children's estimates, weighted by
their precision p = 1/(v + ℓ). Here ℓ is the branch to the child and v the variance of the child's own estimate, 0 at a
tip. From the tips to the root::

    x_v = Σ_c p_c x_c / Σ_c p_c        v_v = 1/Σ_c p_c        SS = Σ_v Σ_c p_c ‖x_c - x_v‖²

At the root x is the phylogenetic mean, v is 1/(1ᵀC⁻¹1), and SS is tr((X - x)ᵀC⁻¹(X - x)), where C holds the depths of
common ancestors. This costs O(nodes·d) instead of the inverse of a k × k matrix. Polytomies need no resolution, and a
node with one child passes its estimate on. The weights depend on the tree only, so a permutation of the tips only sums
again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.tree.tree import Tree

#: Branches shorter than this share of the height of the tree count as zero.
SHORTEST = 1e-12
#: Numbers in memory for the permutations that are summed together.
MOST_NUMBERS = 2**22


class Edges:
    """The edges of a tree, sorted by the height of the node above them.

    Parameters
    ----------
    tree : Tree
        With m nodes, of which k are tips.

    Attributes
    ----------
    tree : Tree
    length : ndarray, shape (m,), float64
        Length of the branch above each node, with the nodes by height: first the k tips in preorder, the root last.
        Lengths that count as zero are 0.
    below, above : ndarray, shape (m - 1,), int64
        Positions by height of the nodes at the two ends of each edge; `above` ascends.
    levels : list of tuple of int
        For each height: first and last plus one of its nodes, then of the edges below them.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> edges = Edges(tree)
    >>> edges.below.tolist(), edges.above.tolist()
    ([0, 1, 3, 2], [3, 3, 4, 4])
    """

    def __init__(self, tree: Tree) -> None:
        self.tree, parent, height = tree, tree.parent.tolist(), [0] * len(tree)
        for node in range(len(tree) - 1, 0, -1):
            height[parent[node]] = max(height[parent[node]], height[node] + 1)
        nodes = np.argsort(height, kind="stable")
        position = np.argsort(nodes)
        self.length = np.where(tree.length > SHORTEST * tree.depth.max(), tree.length, 0.0)[nodes]
        above = position[tree.parent[1:]]
        order = np.argsort(above, kind="stable")
        self.below, self.above = position[1:][order], above[order]
        stops = np.cumsum(np.bincount(height)).tolist()
        edges = np.searchsorted(self.above, stops).tolist()
        self.levels = list(zip(stops[:-1], stops[1:], edges[:-1], edges[1:], strict=True))


@dataclass(frozen=True, eq=False)
class Contrasts:
    """The weights of the independent contrasts of some tips of a tree.

    Attributes
    ----------
    edges : Edges
    kept : ndarray, shape (k,), bool
        The tips that enter.
    share : ndarray, shape (m - 1,), float64
        Weight of the lower end of each edge in the estimate at its upper end.
    precision : ndarray, shape (m - 1,), float64
        p of each edge; 0 where no tip is below it, or where both ends are one point.
    root_variance : float
        1/(1ᵀC⁻¹1).
    coinciding : int
        Number of tips, or of nodes at one point with a tip, beyond the first at each point of the tree. If it is not
        zero, C is singular.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> contrasts = Contrasts.of(Edges(tree))
    >>> contrasts.share.round(3).tolist(), round(contrasts.root_variance, 3)
    ([0.5, 0.5, 0.571, 0.429], 0.857)
    """

    edges: Edges
    kept: np.ndarray
    share: np.ndarray
    precision: np.ndarray
    root_variance: float
    coinciding: int

    @classmethod
    def of(cls, edges: Edges, kept: np.ndarray | None = None) -> Contrasts:
        """Return the weights of the contrasts.

        Parameters
        ----------
        edges : Edges
        kept : ndarray, shape (k,), bool, optional
            The tips that enter; all by default.

        Returns
        -------
        Contrasts
        """
        k, m = len(edges.tree.tips), len(edges.length)
        kept = np.ones(k, dtype=bool) if kept is None else kept
        variance = np.full(m, np.inf)  # infinite without any tip below
        variance[:k][kept] = 0.0
        share, precision, coinciding = np.zeros(m - 1), np.zeros(m - 1), 0
        for low, high, first, last in edges.levels:
            own, into = slice(first, last), edges.above[first:last] - low
            below = edges.below[own]
            total_variance = variance[below] + edges.length[below]
            one_point = total_variance == 0
            p = np.divide(1.0, total_variance, out=np.zeros_like(total_variance), where=~one_point)
            n_one_point = np.bincount(into, one_point, high - low)
            coinciding += int(np.maximum(n_one_point - 1, 0).sum())
            weight = np.where(n_one_point[into] > 0, one_point, p)
            total = np.bincount(into, weight, high - low)
            share[own] = np.divide(weight, total[into], out=np.zeros_like(weight), where=total[into] > 0)
            precision[own] = p
            with np.errstate(divide="ignore"):
                variance[low:high] = np.where(n_one_point > 0, 0.0, 1 / total)
        return cls(edges, kept, share, precision, float(variance[-1]), coinciding)

    def fit(self, traits: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the phylogenetic mean and SS for P orders of the traits at the tips.

        Parameters
        ----------
        traits : ndarray, shape (k, d)
        orders : ndarray, shape (P, k), int64
            In order p, ``traits[orders[p, i]]`` stand at tip i.

        Returns
        -------
        mean : ndarray, shape (P, d), float64
        squares : ndarray, shape (P,), float64
        """
        edges, (n_orders, k), d = self.edges, orders.shape, traits.shape[1]
        estimates = np.empty((len(edges.length), n_orders * d))
        estimates[:k] = traits[orders.T].reshape(k, -1)
        squares = np.zeros(n_orders)
        for low, high, first, last in edges.levels:
            own = slice(first, last)
            starts = np.searchsorted(edges.above[own], np.arange(low, high + 1))
            up = csr_array((self.share[own], edges.below[own], starts), shape=(high - low, low))
            estimates[low:high] = up @ estimates[:low]
            step = estimates[edges.below[own]]
            step -= estimates[edges.above[own]]
            step *= np.sqrt(self.precision[own])[:, None]
            squares += np.einsum("epd,epd->p", *[step.reshape(-1, n_orders, d)] * 2)
        return estimates[-1].reshape(n_orders, d), squares

    def expected_ratio(self) -> float:
        """Return the ratio of squares about the phylogenetic mean to SS that Brownian motion gives on average.

        Returns
        -------
        float
            (tr C - n/(1ᵀC⁻¹1))/(n - 1), for n tips.
        """
        n = int(self.kept.sum())
        depth = self.edges.tree.depth[self.edges.tree.tips]
        return float((depth[self.kept] - self.root_variance).sum() / (n - 1))

    def signal(self, traits: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """Return the phylogenetic signal K_mult for P orders of the traits at the tips.

        Parameters
        ----------
        traits : ndarray, shape (k, d)
        orders : ndarray, shape (P, k), int64
            See `fit`.

        Returns
        -------
        ndarray, shape (P,), float64
            At least 0, 1 under Brownian motion; NaN where the traits do not vary.

        References
        ----------
        Adams 2014, Syst. Biol. 63, 685.
        """
        mean, squares = self.fit(traits, orders)
        scatter = np.array(
            [np.square(traits[order[self.kept]] - a).sum() for order, a in zip(orders, mean, strict=True)]
        )
        ratio = np.divide(scatter, squares, out=np.full(len(orders), np.nan), where=squares > 0)
        return ratio / self.expected_ratio()


def centred_traits(traits: np.ndarray) -> np.ndarray:
    """Return traits minus their mean, in no more dimensions than there are tips; a rotation does not change K_mult.

    Parameters
    ----------
    traits : ndarray, shape (k, d)

    Returns
    -------
    ndarray, shape (k, min(k, d)), float64

    Examples
    --------
    >>> centred_traits(np.array([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """
    return rotate_into_span(traits - traits.mean(axis=0))


def permuted_signal(
    contrasts: Contrasts,
    traits: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
    most_numbers: int = MOST_NUMBERS,
) -> np.ndarray:
    """Return K_mult after random permutations of the tips.

    Parameters
    ----------
    contrasts : Contrasts
        Of all tips.
    traits : ndarray, shape (k, d)
        As `centred_traits` returns them.
    n_permutations : int
    rng : numpy.random.Generator
    most_numbers : int
        Numbers in memory for the permutations that are summed together.

    Returns
    -------
    ndarray, shape (n_permutations,), float64

    Notes
    -----
    O(nodes·d) for each permutation.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> permuted_signal(Contrasts.of(Edges(tree)), np.eye(3), 4, np.random.default_rng(0)).round(3).tolist()
    [0.833, 0.833, 0.833, 0.833]
    """
    batch = max(1, most_numbers // (len(contrasts.edges.length) * max(traits.shape[1], 1)))
    null = np.empty(n_permutations)
    for start in range(0, n_permutations, batch):
        size = min(batch, n_permutations - start)
        orders = np.stack([rng.permutation(len(traits)) for _ in range(size)])
        null[start : start + size] = contrasts.signal(traits, orders)
    return null
