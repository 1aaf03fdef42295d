"""Sums over pairs of images by the jackknife groups of their taxa, from which leave-one-group-out correlations follow.

Every sum of the linear pass is bilinear in the moments of two sets of images. One J × J matrix for each of the six sums
holds the correlation and its values without each of the J groups. The sum of c over the pairs of an image of group g
and one of group h is B(g, h) = (n_g Q_h + n_h Q_g)/2 - s_g·s_h. With g_e the images of g
below edge e, Σ t c over the same pairs is Σ_e ℓ_e [B(g_e, h) + B(g, h_e) - 2 B(g_e, h_e)]. The products s_ge·s_he of
all inner edges come from pairs of taxa: Σ_e ℓ_e s_ge·s_he is Σ m_ij s_i·s_j over the taxa i of g and j of h, with m_ij
the depth at which they meet. That takes k²/2 products of vectors in place of one for each edge and pair of groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.all_pairs.tree_sums import depths_below_first_split
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.tree import Tree, read_only

#: Numbers in memory for the products of taxa: 4 MiB.
MOST_NUMBERS = 2**19


@dataclass(frozen=True, eq=False)
class JackknifeSums:
    """Σ1, Σt, Σc, Σt², Σc², Σtc over ordered pairs of an image of one jackknife group and one of another or the same.

    Attributes
    ----------
    between : ndarray, shape (J, J, 6), float64
        Symmetric. The pair of an image with itself is left out.
    noise : tuple of float
        Variances of t and of c below these are rounding.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
    >>> moments = JackknifeMoments.of([(vectors, np.array([0, 1, 2, 2]))], np.array([0, 1, 2]))
    >>> sums = JackknifeSums.of(tree, moments)
    >>> sums.between[:, :, 0].tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 2.0]]
    >>> sums.without_each_group().shape
    (3,)
    """

    between: np.ndarray
    noise: tuple[float, float]

    @classmethod
    def of(cls, tree: Tree, moments: JackknifeMoments, most_numbers: int = MOST_NUMBERS) -> JackknifeSums:
        """Return the sums over all pairs of images at the tips of a tree.

        Parameters
        ----------
        tree : Tree
            With k tips.
        moments : JackknifeMoments
            Of the images at the k tips.
        most_numbers : int
            Numbers in memory for the products of taxa.

        Returns
        -------
        JackknifeSums

        Notes
        -----
        O(k²·(d + J) + d²J²).
        """
        by_group = moments.by_group
        n, q, fourths = (np.array([getattr(group, key) for group in by_group]) for key in ("n", "squares", "fourths"))
        s = np.stack([group.sums.sum(axis=0) for group in by_group])
        third = np.stack([group.third for group in by_group])
        second = np.stack([group.second.ravel() for group in by_group])
        cross = third @ s.T
        cc = _symmetric_product(n, fourths) / 4 + np.outer(q, q) / 2 + second @ second.T - cross - cross.T
        with matched_threads(len(tree) * s.size * len(by_group)):
            along = _AlongTree(tree, moments, n, q, s)
            t, tt = along.tree_distances()
            tc = along.cross_products(most_numbers)
        c = _symmetric_product(n, q) / 2 - s @ s.T
        between = np.stack([np.outer(n, n) - np.diag(n), t, c, tt, cc, tc], axis=2)
        highest = float(depths_below_first_split(tree).max())
        return cls(read_only(between), (1e-14 * highest**2, 1e-12 * float(q.sum() / n.sum()) ** 2))

    def correlation(self) -> float:
        """Return the correlation of tree distance and cosine distance over all pairs of images.

        Returns
        -------
        float
            In [-1, 1]; NaN where either distance does not vary.
        """
        return float(self._pearson(self._total))

    def without_each_group(self) -> np.ndarray:
        """Return the correlation without each jackknife group in turn.

        Returns
        -------
        ndarray, shape (J,), float64
            In [-1, 1]; NaN where either distance does not vary.
        """
        others = ~np.eye(len(self.between), dtype=bool)
        return self._pearson(np.einsum("pg,ghs,ph->ps", others, self.between, others, optimize=True))

    @cached_property
    def _total(self) -> np.ndarray:
        return self.between.sum(axis=(0, 1))

    def _pearson(self, ordered: np.ndarray) -> np.ndarray:
        n, t, c, tt, cc, tc = ordered.T / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            flat = ~(tt - t * t / n > self.noise[0] * n) | ~(cc - c * c / n > self.noise[1] * n)
        return np.where(flat, np.nan, pearson(n, t, c, tt, cc, tc))


def _symmetric_product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return x_g y_h + x_h y_g."""
    product = np.outer(x, y)
    return product + product.T


class _AlongTree:
    """Sums over the pairs of images of each two jackknife groups that involve tree distance.

    `n`, `q` and `s` are Σ1, Σ‖x‖² and Σx of each group, shapes (J,), (J,) and (J, d).
    """

    def __init__(self, tree: Tree, moments: JackknifeMoments, n: np.ndarray, q: np.ndarray, s: np.ndarray) -> None:
        self.tree, self.group, self.n, self.q, self.s = tree, moments.jackknife_group, n, q, s
        self.n_groups, self.aggregator = len(moments.by_group), TreeAggregator.of(tree)
        total = moments.total
        self.counts, self.norms, self.sums = total.counts, total.norms, total.sums
        self.node_depth = depths_below_first_split(tree)
        self.depth = self.node_depth[tree.tips]
        self.inner = self.aggregator.nodes[len(self.group) :]
        counts, depth = self.counts, self.depth
        values = np.stack([counts, counts * depth, counts * depth**2, self.norms], axis=1)
        below = self.aggregator.inner_sums_by_group(values, self.group, self.n_groups)
        # Σ1, Σa, Σa² and Σ‖x‖² of each group below each inner node, shape (nodes, J) each.
        self.n_below, self.a_below, self.aa_below, self.q_below = np.moveaxis(below, 2, 0)

    def tree_distances(self) -> tuple[np.ndarray, np.ndarray]:
        """Return Σ t and Σ t², shape (J, J) each."""
        inside = np.where(self.tree.stop > np.arange(len(self.tree)) + 1, 1.0, 0.0)
        twice = 2 * self.node_depth * inside
        t = self._depth_powers(inside, 1) - self._depth_powers(twice, 0)
        tt = self._depth_powers(inside, 2) - 2 * self._depth_powers(twice, 1) + self._depth_powers(twice**2, 0)
        return t, tt

    def cross_products(self, most_numbers: int) -> np.ndarray:
        """Return Σ t c, shape (J, J)."""
        n, q, s, depth = self.n, self.q, self.s, self.depth
        length = self.node_depth - self.node_depth[np.maximum(self.tree.parent, 0)]
        n_by_depth, q_by_depth = (
            np.bincount(self.group, weights=values * depth, minlength=self.n_groups)
            for values in (self.counts, self.norms)
        )
        s_by_depth = np.zeros((self.n_groups, self.sums.shape[1]))
        np.add.at(s_by_depth, self.group, self.sums * depth[:, None])
        to_all = (np.outer(n_by_depth, q) + np.outer(q_by_depth, n)) / 2 - s_by_depth @ s.T
        at_tips = self.counts * self.norms - np.einsum("ij,ij->i", self.sums, self.sums)
        below = (length[self.inner, None] * self.n_below).T @ self.q_below
        below = (
            (below + below.T) / 2 - self._sum_products(most_numbers) + self._of_tips(length[self.tree.tips] * at_tips)
        )
        return to_all + to_all.T - 2 * below

    def _depth_powers(self, factor: np.ndarray, power: int) -> np.ndarray:
        """Return Σ (a_i + a_j)^power over pairs, each times the factor of the node where it meets; a tip counts 0."""
        change = factor - np.concatenate([[0.0], factor[self.tree.parent[1:]]])
        at_inner = change[self.inner, None]
        if power == 0:
            sums = (at_inner * self.n_below).T @ self.n_below
        elif power == 1:
            sums = (at_inner * self.n_below).T @ self.a_below
            sums = sums + sums.T
        else:
            sums = (at_inner * self.n_below).T @ self.aa_below
            sums = sums + sums.T + 2 * (at_inner * self.a_below).T @ self.a_below
        counts, depth = self.counts, self.depth
        pairs = (counts**2, 2 * counts**2 * depth, 4 * counts**2 * depth**2)[power]
        return sums + self._of_tips(change[self.tree.tips] * pairs)

    def _of_tips(self, values: np.ndarray) -> np.ndarray:
        """Return sums over the pairs at each tip, both of whose images are in one group."""
        return np.diag(np.bincount(self.group, weights=values, minlength=self.n_groups))

    def _sum_products(self, most_numbers: int) -> np.ndarray:
        """Return Σ_e ℓ_e s_ge·s_he over the edges above inner nodes, shape (J, J), some taxa at a time."""
        k, total = len(self.group), np.zeros((self.n_groups, self.n_groups))
        of_group = np.zeros((k, self.n_groups))
        of_group[np.arange(k), self.group] = 1.0
        parent, tips = np.maximum(self.tree.parent, 0), self.tree.tips
        own, between = self.node_depth[parent[tips]], self.node_depth[parent[tips[:-1] + 1]]
        step = max(1, most_numbers // max(k, 1))
        for start in range(0, k, step):
            stop = min(start + step, k)
            products = self.sums[start:stop] @ self.sums[start:].T
            products *= _depths_of_meeting(own[start:], between[start:], stop - start)
            of_block = of_group[start:stop].T @ products @ of_group[start:]
            total += of_block + of_block.T
        squares = np.einsum("ij,ij->i", self.sums, self.sums)
        return total - self._of_tips(own * squares)


def _depths_of_meeting(own: np.ndarray, between: np.ndarray, n: int) -> np.ndarray:
    """Return at which depth each of the first n tips meets itself and those after it; 0 for those before it.

    `own` is the depth at which the inner edges above each tip end, and `between` that of the common ancestor of each
    tip and the next one.
    """
    after = np.arange(len(own)) > np.arange(n)[:, None]
    depths = np.minimum.accumulate(np.where(after, np.append(np.inf, between), np.inf), axis=1)
    depths[~after] = 0.0
    np.fill_diagonal(depths, own[:n])
    return depths
