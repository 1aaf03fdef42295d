"""Phylogenetically independent contrasts of many traits at once, on any tree with branch lengths.

Under Brownian motion the best estimate of the traits at a node is the mean of its children's, each weighted by its
precision p = 1/(v + ℓ): ℓ is the branch to the child, v the variance of the child's own estimate, 0 at a tip. Up the
tree::

    x_v = Σ_c p_c x_c / Σ_c p_c        v_v = 1/Σ_c p_c        SS = Σ_v Σ_c p_c ‖x_c - x_v‖²

At the root x is the phylogenetic mean, v is 1/(1ᵀC⁻¹1), and SS is tr((X - x)ᵀC⁻¹(X - x)), with C the depths of common
ancestors: O(nodes·d) instead of the inverse of a k × k matrix. Polytomies need no resolution and a node with one child
passes on what it has. The weights hang on the tree only, so that a permutation of the tips only re-sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.tree.tree import Tree

#: A branch shorter than this share of the tree's height is none.
SHORTEST = 1e-12
#: Numbers held at once where permutations are summed together.
MOST_NUMBERS = 2**22


class Edges:
    """The edges of a tree by the height of the node above them.

    Attributes
    ----------
    tree : Tree
        Of m nodes.
    length : ndarray, shape (m,), float64
        Of the branch above each node, nodes by height: the k tips first, in preorder, the root last; 0 where there is
        as good as none.
    below, above : ndarray, shape (m - 1,), int64
        Where the nodes at the two ends of each edge stand by height; `above` ascends.
    levels : list of tuple of int
        First and last plus one of the nodes of each height, then of the edges below them.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree, parent, height = tree, tree.parent.tolist(), [0] * len(tree)
        for node in range(len(tree) - 1, 0, -1):
            height[parent[node]] = max(height[parent[node]], height[node] + 1)
        nodes = np.argsort(height, kind="stable")
        place = np.argsort(nodes)
        self.length = np.where(tree.length > SHORTEST * tree.depth.max(), tree.length, 0.0)[nodes]
        above = place[tree.parent[1:]]
        order = np.argsort(above, kind="stable")
        self.below, self.above = place[1:][order], above[order]
        stops = np.cumsum(np.bincount(height)).tolist()
        edges = np.searchsorted(self.above, stops).tolist()
        self.levels = list(zip(stops[:-1], stops[1:], edges[:-1], edges[1:], strict=True))


@dataclass(frozen=True, eq=False)
class Contrasts:
    """The weights of the contrasts of some tips of a tree.

    Attributes
    ----------
    edges : Edges
    kept : ndarray, shape (k,), bool
        The tips that take part.
    share : ndarray, shape (m - 1,), float64
        Weight of the lower end of each edge in the estimate at its upper end.
    precision : ndarray, shape (m - 1,), float64
        p of each edge; 0 where nothing is below it, or where both ends are one point.
    root_variance : float
        1/(1ᵀC⁻¹1).
    coinciding : int
        Tips, or nodes that are at one point with a tip, beyond the first at one point of the tree: C is singular
        where there are any.
    """

    edges: Edges
    kept: np.ndarray
    share: np.ndarray
    precision: np.ndarray
    root_variance: float
    coinciding: int

    @classmethod
    def of(cls, edges: Edges, kept: np.ndarray | None = None) -> Contrasts:
        k, m = len(edges.tree.tips), len(edges.length)
        kept = np.ones(k, dtype=bool) if kept is None else kept
        variance = np.full(m, np.inf)  # where nothing is known
        variance[:k][kept] = 0.0
        share, precision, coinciding = np.zeros(m - 1), np.zeros(m - 1), 0
        for low, high, first, last in edges.levels:
            here, into = slice(first, last), edges.above[first:last] - low
            below = edges.below[here]
            reach = variance[below] + edges.length[below]
            at_once = reach == 0
            p = np.divide(1.0, reach, out=np.zeros_like(reach), where=~at_once)
            n_at_once = np.bincount(into, at_once, high - low)
            coinciding += int(np.maximum(n_at_once - 1, 0).sum())
            weight = np.where(n_at_once[into] > 0, at_once, p)
            total = np.bincount(into, weight, high - low)
            share[here] = np.divide(weight, total[into], out=np.zeros_like(weight), where=total[into] > 0)
            precision[here] = p
            with np.errstate(divide="ignore"):
                variance[low:high] = np.where(n_at_once > 0, 0.0, 1 / total)
        return cls(edges, kept, share, precision, float(variance[-1]), coinciding)

    def fit(self, traits: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Phylogenetic mean and SS for P orders of the tips, ``traits[orders[p, i]]`` standing at tip i.

        Parameters
        ----------
        traits : ndarray, shape (k, d)
        orders : ndarray, shape (P, k), int64

        Returns
        -------
        mean : ndarray, shape (P, d), float64
        squares : ndarray, shape (P,), float64
        """
        edges, (n_orders, k), d = self.edges, orders.shape, traits.shape[1]
        at = np.empty((len(edges.length), n_orders * d))
        at[:k] = traits[orders.T].reshape(k, -1)
        squares = np.zeros(n_orders)
        for low, high, first, last in edges.levels:
            here = slice(first, last)
            starts = np.searchsorted(edges.above[here], np.arange(low, high + 1))
            up = csr_array((self.share[here], edges.below[here], starts), shape=(high - low, low))
            at[low:high] = up @ at[:low]
            step = at[edges.below[here]]
            step -= at[edges.above[here]]
            step *= np.sqrt(self.precision[here])[:, None]
            squares += np.einsum("epd,epd->p", *[step.reshape(-1, n_orders, d)] * 2)
        return at[-1].reshape(n_orders, d), squares

    def expected_ratio(self) -> float:
        """(tr C - n/(1ᵀC⁻¹1))/(n - 1): squares about the phylogenetic mean over SS, as Brownian motion has them."""
        n = int(self.kept.sum())
        depth = self.edges.tree.depth[self.edges.tree.tips]
        return float((depth[self.kept] - self.root_variance).sum() / (n - 1))

    def signal(self, traits: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """K_mult for P orders of the tips, shape (P,); NaN where the traits do not vary."""
        mean, squares = self.fit(traits, orders)
        scatter = np.array(
            [np.square(traits[order[self.kept]] - a).sum() for order, a in zip(orders, mean, strict=True)]
        )
        ratio = np.divide(scatter, squares, out=np.full(len(orders), np.nan), where=squares > 0)
        return ratio / self.expected_ratio()


def centred_traits(traits: np.ndarray) -> np.ndarray:
    """Traits less their mean, in no more dimensions than there are tips: a rotation keeps all that is asked of them."""
    traits = traits - traits.mean(axis=0)
    return np.linalg.qr(traits.T, mode="r").T if len(traits) < traits.shape[1] else traits


def permuted_signal(
    contrasts: Contrasts, traits: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """K_mult with the tips permuted, shape (n_permutations,); O(nodes·d) each.

    Parameters
    ----------
    contrasts : Contrasts
        Of all tips.
    traits : ndarray, shape (k, d)
        As `centred_traits` gives them.
    n_permutations : int
    rng : numpy.random.Generator
    """
    batch = max(1, MOST_NUMBERS // (len(contrasts.edges.length) * max(traits.shape[1], 1)))
    null = np.empty(n_permutations)
    for start in range(0, n_permutations, batch):
        size = min(batch, n_permutations - start)
        orders = np.stack([rng.permutation(len(traits)) for _ in range(size)])
        null[start : start + size] = contrasts.signal(traits, orders)
    return null
