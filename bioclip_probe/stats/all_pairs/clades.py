"""Sums over pairs of images by the node where they meet, for correlations inside a clade or at a rank.

Two images meet at the most recent common ancestor of their tips. With x the vectors minus their mean and q = ‖x‖², half
the squared distance of two unit vectors, their cosine distance, is c = (q_i + q_j)/2 - x_i·x_j. Over all pairs of a
clade of n images, with Q = Σq, F = Σq², s = Σx, D = Σqx, G = Σxxᵀ and a the depth of their tips::

    Σ c              = (nQ - ‖s‖²)/2
    Σ c²             = (nF + Q²)/4 + ‖G‖_F²/2 - D·s
    Σ (a_i + a_j)    = (n - 1) Σa
    Σ (a_i + a_j)²   = (n - 2) Σa² + (Σa)²
    Σ (a_i + a_j) c  = (n Σaq + Q Σa)/2 - Σax·s

The sum over the pairs that meet at a node is the sum over its clade minus the sums over the clades of its children.
Distances do not change when all vectors are shifted; with their mean subtracted, no digits cancel even where embeddings
nearly coincide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.all_pairs.gram_squares import DEFAULT_SIZES, BlockSizes, CladeRows, gram_squares
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.tree.tree import Tree, read_only


@dataclass(frozen=True, eq=False)
class NodeSums:
    """Σ1, Σt, Σc, Σt², Σc², Σtc over the pairs of rows that meet at each node: tree distance t, cosine distance c.

    The columns are the arguments of `moments.pearson`: ``pearson(*sums.by_node.sum(axis=0))`` is the correlation over
    all pairs, and ``pearson(*sums.by_clade.T)`` that inside each clade. Sums over any set of nodes are sums over the
    pairs that meet there.

    Attributes
    ----------
    tree : Tree
        With m nodes.
    by_node : ndarray, shape (m, 6), float64
        Sums over the pairs whose most recent common ancestor is the node; at a tip, the pairs of rows that share it
        (t = 0).

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> sums = NodeSums.of(np.eye(3), np.arange(3), tree)
    >>> sums.by_node[:2, :2].tolist()
    [[2.0, 8.0], [1.0, 2.0]]
    """

    tree: Tree
    by_node: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_node", read_only(self.by_node))

    @classmethod
    def of(cls, vectors: np.ndarray, groups: np.ndarray, tree: Tree, sizes: BlockSizes = DEFAULT_SIZES) -> NodeSums:
        """Return the sums over all pairs of n rows.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Unit vectors.
        groups : ndarray, shape (n,), int64
            The tip position of each row; rows of -1 are left out. A tip may have any number of rows, or none.
        tree : Tree
            Of any shape and depth.
        sizes : BlockSizes
            Numbers of rows that are processed together.

        Returns
        -------
        NodeSums

        Notes
        -----
        O(n d² + nodes·d). Memory: a copy of the rows, seven numbers per tip and dimension, and a few d × d matrices.
        """
        return cls.with_jackknife(vectors, groups, tree, np.zeros(len(tree.tips), dtype=np.int64), 0, sizes)[0]

    @classmethod
    def with_jackknife(
        cls,
        vectors: np.ndarray,
        groups: np.ndarray,
        tree: Tree,
        jackknife_group: np.ndarray,
        n_groups: int,
        sizes: BlockSizes = DEFAULT_SIZES,
    ) -> list[NodeSums]:
        """Return the sums over all pairs of rows, then those without each jackknife group of tips.

        Parameters
        ----------
        vectors, groups, tree, sizes
            See `of`.
        jackknife_group : ndarray, shape (k,), int64
            The jackknife group of each tip, from 0 to ``n_groups - 1``.
        n_groups : int
            Number of jackknife groups.

        Returns
        -------
        list of NodeSums
            Of length 1 + n_groups.

        Notes
        -----
        All groups together cost about n_groups · O(nodes·d), and one more O(n d²) for each level of large clades.
        """
        order = np.argsort(groups, kind="stable")
        order = order[np.searchsorted(groups[order], 0) :]
        tip = groups[order]
        clades = CladeRows.of(tree, np.asarray(vectors)[order], tip, jackknife_group, n_groups)
        squares = gram_squares(clades, sizes)
        aggregator, at_tips = TreeAggregator.of(tree), _tip_sums(clades, tip, sizes.rows)
        at_inner = aggregator.inner_sums_of_tips(at_tips, np.arange(len(at_tips)))
        pairs = _pair_sums(np.concatenate([at_tips, at_inner]))
        sums = [cls._of_clades(tree, pairs[aggregator.position], squares[0])]
        for number, second in enumerate(squares[1:]):
            left_out = np.flatnonzero(jackknife_group == number)
            others = pairs.copy()
            others[left_out] = 0.0
            lost = aggregator.inner_sums_of_tips(at_tips[left_out], left_out)
            changed = np.flatnonzero(lost[:, 0])
            others[len(at_tips) + changed] = _pair_sums(at_inner[changed] - lost[changed])
            sums.append(cls._of_clades(tree, others[aggregator.position], second))
        return sums

    @classmethod
    def _of_clades(cls, tree: Tree, pairs: np.ndarray, squares: np.ndarray) -> NodeSums:
        """Return the sums by node, from the sums over all pairs of each clade and their ‖G‖²."""
        pairs[:, 4] += squares / 2
        by_node = pairs.copy()
        np.subtract.at(by_node, tree.parent[1:], pairs[1:])
        by_node[by_node[:, 0] < 0.5] = 0.0  # where no pairs meet, rounding would leave traces
        return cls(tree, _by_tree_distance(by_node, tree))

    @property
    def by_clade(self) -> np.ndarray:
        """The same sums over all pairs inside each clade, shape (m, 6): those of its nodes ``v:stop[v]``."""
        below = self.by_node.copy()
        for node in range(len(below) - 1, 0, -1):
            below[self.tree.parent[node]] += below[node]
        return below


def _tip_sums(clades: CladeRows, tip: np.ndarray, block: int) -> np.ndarray:
    """Return n, Σa, Σq, Σa², Σq², Σaq, then Σx, Σqx and Σax of the rows at each tip, shape (k, 6 + 3d)."""
    d, depth = len(clades.mean), clades.tree.depth[clades.tree.tips]
    sums = np.zeros((len(depth), 6 + 3 * d))
    for start in range(0, len(clades.rows), block):
        x, at = clades.rows[start : start + block] - clades.mean, tip[start : start + block]
        q, a = np.einsum("ij,ij->i", x, x), depth[at]
        tips = slice(at[0], at[-1] + 1)
        pick = csr_array((np.ones(len(at)), (at - at[0], np.arange(len(at)))), shape=(at[-1] + 1 - at[0], len(at)))
        sums[tips, :6] += pick @ np.stack([np.ones(len(at)), a, q, a * a, q * q, a * q], axis=1)
        for place, weight in enumerate((1.0, q[:, None], a[:, None])):
            sums[tips, 6 + place * d : 6 + (place + 1) * d] += pick @ (x * weight)
    return sums


def _pair_sums(sums: np.ndarray) -> np.ndarray:
    """Return Σ1, Σ(a_i + a_j), Σc, Σ(a_i + a_j)², Σc² without its ‖G‖²/2, Σ(a_i + a_j)c over the pairs of clades.

    `sums` are the sums over the rows of each clade, as `_tip_sums` returns them; the result has shape (…, 6).
    """
    n, a, q, aa, qq, aq = sums[:, :6].T
    s, qx, ax = np.split(sums[:, 6:], 3, axis=1)
    s_s, qx_s, ax_s = (np.einsum("ij,ij->i", other, s) for other in (s, qx, ax))
    return np.stack(
        [
            n * (n - 1) / 2,
            (n - 1) * a,
            (n * q - s_s) / 2,
            (n - 2) * aa + a * a,
            (n * qq + q * q) / 4 - qx_s,
            (n * aq + q * a) / 2 - ax_s,
        ],
        axis=1,
    )


def _by_tree_distance(sums: np.ndarray, tree: Tree) -> np.ndarray:
    """Return sums of tree distance t from sums of a_i + a_j: t is that minus twice the depth of the common ancestor."""
    n, a, c, aa, cc, ac = sums.T
    twice = 2 * tree.depth
    t, tt, tc = a - twice * n, aa - 2 * twice * a + twice**2 * n, ac - twice * c
    for column in (t, tt, tc):
        column[tree.tips] = 0.0  # exactly, whatever rounding left
    return np.stack([n, t, c, tt, cc, tc], axis=1)
