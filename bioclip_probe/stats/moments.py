"""Pass one: everything about all pairs of images that linear sums already hold.

With unit vectors u, cosine distance 1 - u·v, and a tree whose edge e of length ℓ_e cuts off the set A_e (count n_e,
sum s_e), the sums over all pairs of images are algebra::

    Σ_{i<j} u_i·u_j        = (‖s‖² - q)/2
    Σ_{i<j} (u_i·u_j)²     = (‖G‖_F² - Σ‖u_i‖⁴)/2
    Σ_{i<j} t_ij           = Σ_e ℓ_e n_e (n - n_e)
    Σ_{i<j} t_ij (u_i·u_j) = Σ_e ℓ_e s_e·(s - s_e)
    Σ_{i<j} t_ij²          = Σ_v P(A_v, depth of v) - P(A_v, depth of v's parent)

where P(A, m) = Σ_{i<j in A} (a_i + a_j)² with a_i the depth of tip i below m. So the exact Pearson correlation of tree
distance and embedding distance over all pairs costs O(n d² + nodes·d), on any tree.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.tree.tree import Tree, read_only

#: Numbers held at once where permutations are summed together: 8 MiB, which stays in cache.
MOST_NUMBERS = 2**20


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the images of each of k groups, and over all images; they add, so shards and ranks merge.

    Attributes
    ----------
    counts : ndarray, shape (k,), float64
        Images per group.
    sums : ndarray, shape (k, d), float64
        Sum of the vectors of each group.
    second : ndarray, shape (d, d), float64
        Second moment Σ u uᵀ over all images.
    squares : float
        Σ ‖u‖² over all images.
    fourths : float
        Σ ‖u‖⁴ over all images.
    """

    counts: np.ndarray
    sums: np.ndarray
    second: np.ndarray
    squares: float
    fourths: float

    def __post_init__(self) -> None:
        for key in ("counts", "sums", "second"):
            object.__setattr__(self, key, read_only(getattr(self, key)))

    @classmethod
    def of(cls, vectors: np.ndarray, groups: np.ndarray, n_groups: int, block: int = 8192) -> Moments:
        """Moments of vectors of shape (n, d); `groups` (n,) from 0 to ``n_groups - 1``, -1 leaves an image out."""
        d = vectors.shape[1]
        counts = np.bincount(groups[groups >= 0], minlength=n_groups).astype(np.float64)
        sums, second = np.zeros((n_groups, d)), np.zeros((d, d))
        squares = fourths = 0.0
        for start in range(0, len(vectors), block):
            group = groups[start : start + block]
            rows = np.asarray(vectors[start : start + block][group >= 0], dtype=np.float64)
            sums += _indicator(group[group >= 0], n_groups) @ rows
            second += rows.T @ rows
            norms = np.einsum("ij,ij->i", rows, rows)
            squares += float(norms.sum())
            fourths += float(norms @ norms)
        return cls(counts, sums, second, squares, fourths)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.counts + other.counts,
            self.sums + other.sums,
            self.second + other.second,
            self.squares + other.squares,
            self.fourths + other.fourths,
        )

    def coarsen(self, into: np.ndarray, n_groups: int) -> Moments:
        """The same images in fewer groups: group g becomes part of group ``into[g]``."""
        merge = _indicator(into, n_groups)
        return Moments(merge @ self.counts, merge @ self.sums, self.second, self.squares, self.fourths)

    @property
    def n(self) -> float:
        """Images in all groups."""
        return float(self.counts.sum())

    @property
    def n_pairs(self) -> float:
        return self.n * (self.n - 1) / 2

    @cached_property
    def similarity_sum(self) -> float:
        """Σ u_i·u_j over pairs."""
        total = self.sums.sum(axis=0)
        return float(total @ total - self.squares) / 2

    @cached_property
    def similarity_square_sum(self) -> float:
        """Σ (u_i·u_j)² over pairs."""
        return float(np.sum(self.second**2) - self.fourths) / 2


def _indicator(groups: np.ndarray, n_groups: int) -> csr_array:
    """The sparse (n_groups, n) matrix whose product with rows sums them by group."""
    n = len(groups)
    return csr_array((np.ones(n), (groups, np.arange(n))), shape=(n_groups, n))


@dataclass(frozen=True, eq=False)
class TreeSums:
    """Sums over pairs of images along a tree whose k tips are the groups of a `Moments`, in the order of its tips.

    ``order`` says which group stands at which tip, so that a permutation of the groups only re-sums.
    """

    tree: Tree
    moments: Moments

    def __post_init__(self) -> None:
        if len(self.tree.tips) != len(self.moments.counts):
            raise ValueError(f"{len(self.tree.tips)} tips need as many groups, not {len(self.moments.counts)}")

    @cached_property
    def _clades(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First and last-plus-one tip position of each internal node but the root, and the node's index."""
        tree = self.tree
        position = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
        inner = np.flatnonzero(tree.stop > np.arange(len(tree)) + 1)[1:]
        return position[inner], position[tree.stop[inner]], inner

    def distance_sum(self, order: np.ndarray) -> float:
        """Σ t_ij over pairs."""
        first, last, inner = self._clades
        counts = self.moments.counts[order]
        running = np.concatenate([[0.0], np.cumsum(counts)])
        n, clade = running[-1], running[last] - running[first]
        length = self.tree.length
        return float(length[self.tree.tips] @ (counts * (n - counts)) + length[inner] @ (clade * (n - clade)))

    @cached_property
    def _rotated(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums of the groups in no more dimensions than there are groups, with the products that hold for any order.

        Only products of sums matter, and a rotation keeps them. The second array is s_g·s, the third ‖s_g‖².
        """
        sums = self.moments.sums
        if len(sums) < sums.shape[1]:
            sums = np.linalg.qr(sums.T, mode="r").T
        return sums, sums @ sums.sum(axis=0), np.einsum("ij,ij->i", sums, sums)

    @cached_property
    def _rises(self) -> tuple[np.ndarray, list[csr_array]]:
        """How clades add up, from the tips: the nodes by height, and a matrix per height that sums children.

        O(nodes·d) on a tree of any shape, and several times faster than a running sum over the tips.
        """
        parent, m = self.tree.parent, len(self.tree)
        height = [0] * m
        for node, above in zip(range(m - 1, 0, -1), parent[:0:-1].tolist(), strict=True):
            height[above] = max(height[above], height[node] + 1)
        by_height = np.argsort(height, kind="stable")  # the tips first, in preorder; the root last
        place = np.argsort(by_height)
        children = csr_array((np.ones(m - 1), (place[parent[1:]], place[1:])), shape=(m, m))
        stops = np.cumsum(np.bincount(height)).tolist()
        return by_height, [children[low:high, :low] for low, high in itertools.pairwise(stops)]

    def cross_sums(self, orders: np.ndarray) -> np.ndarray:
        """Σ t_ij (u_i·u_j) over pairs, for P orders of the groups, shape (P, k), at once.

        Σ_e ℓ_e s_e·s is Σ_g a_g s_g·s, with a_g the depth of tip g; what is left is Σ_e ℓ_e ‖s_e‖².
        """
        sums, towards_all, squares = self._rotated
        by_height, rises = self._rises
        tips, length = self.tree.tips, self.tree.length
        n_orders, d = len(orders), sums.shape[1]
        at = np.empty((len(by_height), n_orders * d))
        at[: len(tips)] = sums[orders.T].reshape(len(tips), -1)
        for children in rises:
            low = children.shape[1]
            at[low : low + children.shape[0]] = children @ at[:low]
        inner = np.square(at[len(tips) :]).reshape(-1, n_orders, d).sum(axis=2)
        within = squares[orders] @ length[tips] + length[by_height[len(tips) :]] @ inner
        return towards_all[orders] @ self.tree.depth[tips] - within

    def distance_square_sum(self, order: np.ndarray) -> float:
        """Σ t_ij² over pairs: a pair counts at its common ancestor, all pairs below it less those below a child."""
        first, last, inner = self._clades
        tree = self.tree
        counts, depth = self.moments.counts[order], tree.depth[tree.tips]

        def clade_sums(per_tip: np.ndarray) -> np.ndarray:
            running = np.concatenate([[0.0], np.cumsum(per_tip)])
            inside = running[last] - running[first]
            # In this order: the root, the other internal nodes, the tips.
            return np.concatenate([[running[-1]], inside, per_tip])

        nodes = np.concatenate([[0], inner, tree.tips])
        n, once, twice = (clade_sums(counts * depth**power) for power in (0, 1, 2))

        def pairs_below(reference: np.ndarray) -> np.ndarray:
            """P(A, m) = (n - 2) Σ a² + (Σ a)², with a = depth - m."""
            offset = once - reference * n
            square = twice - 2 * reference * once + reference**2 * n
            return (n - 2) * square + offset**2

        above = tree.depth[np.maximum(tree.parent[nodes], 0)]
        own, lifted = pairs_below(tree.depth[nodes]), pairs_below(above)
        lifted[0] = 0.0  # nothing lies above the root
        if len(tree) > 1:
            own[1 + len(inner) :] = 0.0  # images at one tip are at distance 0; written out, lest rounding say otherwise
        return float(own.sum() - lifted.sum())

    def correlation(self) -> float:
        """Pearson correlation of tree distance and cosine distance over all pairs of images.

        NaN where either distance does not vary.
        """
        return float(self.correlations(np.arange(len(self.tree.tips))[None])[0])

    def correlations(self, orders: np.ndarray) -> np.ndarray:
        """The same for P orders of the groups, shape (P, k): group ``orders[p, i]`` stands at tip i."""
        moments = self.moments
        alike = np.ptp(moments.counts) == 0  # then the tree's own sums do not hang on the order
        distances = [
            (self.distance_sum(order), self.distance_square_sum(order)) for order in (orders[:1] if alike else orders)
        ]
        t, tt = np.array(distances).T
        c, cc = moments.similarity_sum, moments.similarity_square_sum
        # Distance is 1 - similarity: the sign of the covariance turns.
        return -pearson(moments.n_pairs, t, c, tt, cc, self.cross_sums(orders))


def pearson(n, x, y, xx, yy, xy):
    """Pearson correlation from Σ1, Σx, Σy, Σx², Σy², Σxy (floats or arrays); NaN where x or y does not vary.

    A variance below 1e-12 of the mean square is taken as none: that is what rounding leaves of a constant.
    """
    n, x, y, xx, yy, xy = (np.asarray(value, dtype=np.float64) for value in (n, x, y, xx, yy, xy))
    with np.errstate(invalid="ignore", divide="ignore"):
        var_x, var_y = xx - x * x / n, yy - y * y / n
        flat = ~(n > 1) | (var_x <= 1e-12 * xx) | (var_y <= 1e-12 * yy)
        value = np.clip((xy - x * y / n) / np.sqrt(var_x * var_y), -1, 1)
    result = np.where(flat, np.nan, value)
    return float(result) if result.ndim == 0 else result


def permuted_correlations(
    sums: TreeSums, n_permutations: int, rng: np.random.Generator, within: np.ndarray | None = None
) -> np.ndarray:
    """Correlations after permuting which group stands at which tip.

    Parameters
    ----------
    sums : TreeSums
    n_permutations : int
    rng : numpy.random.Generator
    within : ndarray, shape (k,), int64, optional
        A label per tip, e.g. its order: groups are exchanged within a label only, so that separation above it cannot
        carry the test. A group at a tip labelled -1 (no name at that rank) stays where it is.

    Returns
    -------
    ndarray, shape (n_permutations,), float64
    """
    k = len(sums.tree.tips)
    within = np.zeros(k, dtype=np.int64) if within is None else within
    strata = [np.flatnonzero(within == label) for label in np.unique(within[within >= 0])]
    at_once = max(1, MOST_NUMBERS // (len(sums.tree) * sums.moments.sums.shape[1]))
    values = []
    for start in range(0, n_permutations, at_once):
        orders = np.tile(np.arange(k), (min(at_once, n_permutations - start), 1))
        for order in orders:
            for stratum in strata:
                order[stratum] = rng.permutation(stratum)
        values.append(sums.correlations(orders))
    return np.concatenate(values) if values else np.empty(0)
