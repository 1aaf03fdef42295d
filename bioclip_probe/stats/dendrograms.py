"""Dendrograms of embeddings. A dendrogram is a `Tree`, so a clade is a slice of its tips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.cluster.hierarchy import linkage

from bioclip_probe.tree.tree import NO_RANK, Tree

#: Inner branches shorter than this share of the height of a tree count as zero: they resolve nothing.
SHORTEST = 1e-9
#: Smaller cosine distances count as zero: rounding leaves as much of equal unit vectors.
SMALLEST_DISTANCE = 1e-12
#: Default number of rows that are compared with all others at once.
BLOCK = 512


@dataclass(frozen=True, eq=False)
class Dendrogram:
    """A tree of k leaves that hierarchical clustering made.

    Attributes
    ----------
    tree : Tree
        The patristic distance of two tips is the height at which they join.
    leaves : ndarray, shape (k,), int64
        The row that is at each tip, in the order of ``tree.tips``.

    Examples
    --------
    >>> dendrogram = Dendrogram.average_linkage(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    >>> dendrogram.leaves.tolist(), dendrogram.tree.depth[dendrogram.tree.tips].round(3).tolist()
    ([0, 1, 2], [0.35, 0.35, 0.35])
    """

    tree: Tree
    leaves: np.ndarray

    @cached_property
    def collapsed(self) -> Tree:
        """The tree with a polytomy where branches join at one height, see `collapse_short_branches`."""
        return collapse_short_branches(self.tree)

    @cached_property
    def spans(self) -> tuple[np.ndarray, np.ndarray]:
        """The `tip_spans` of the nodes of `collapsed`."""
        return tip_spans(self.collapsed)

    @classmethod
    def average_linkage(cls, vectors: np.ndarray, block: int = BLOCK) -> Dendrogram:
        """Return the dendrogram of average linkage (UPGMA) by cosine distance.

        Parameters
        ----------
        vectors : ndarray, shape (k, d)
            Unit vectors, at least two.
        block : int
            Rows that are compared with all others at once.

        Returns
        -------
        Dendrogram

        Notes
        -----
        O(k²) time; memory 8 k² bytes, which is 800 MB for 10,000 vectors.
        """
        k = len(vectors)
        condensed, filled = np.empty(k * (k - 1) // 2), 0
        for start in range(0, k, block):
            distances = 1 - vectors[start : start + block] @ vectors[start:].T
            for a in range(len(distances)):
                row = distances[a, a + 1 :]
                condensed[filled : filled + len(row)] = np.where(row > SMALLEST_DISTANCE, row, 0.0)
                filled += len(row)
        return cls.from_linkage(linkage(condensed, "average"))

    @classmethod
    def from_linkage(cls, merges: np.ndarray) -> Dendrogram:
        """Return the dendrogram of the merges that `scipy.cluster.hierarchy.linkage` returns.

        Parameters
        ----------
        merges : ndarray, shape (k - 1, 4)

        Returns
        -------
        Dendrogram
        """
        k = len(merges) + 1
        join = merges[:, :2].astype(np.int64)
        size = np.concatenate([np.ones(k), 2 * merges[:, 3] - 1]).astype(np.int64)  # nodes of a clade
        height = np.concatenate([np.zeros(k), np.maximum.accumulate(merges[:, 2]) / 2])
        place, above = np.zeros(2 * k - 1, dtype=np.int64), np.full(2 * k - 1, -1)
        for node in range(2 * k - 2, k - 1, -1):
            left, right = join[node - k]
            place[left] = place[node] + 1
            place[right] = place[left] + size[left]
            above[left] = above[right] = node
        nodes = np.argsort(place)
        parent = np.where(above[nodes] >= 0, place[above[nodes]], -1)
        length = np.where(parent >= 0, height[above[nodes]] - height[nodes], 0.0)
        tree = Tree(parent, length, nodes.astype(object), np.full(len(nodes), NO_RANK))
        return cls(tree, nodes[nodes < k])

    def subset(self, keep: np.ndarray) -> Dendrogram:
        """Return the dendrogram of some of its rows, which are numbered again in their order.

        Parameters
        ----------
        keep : ndarray, shape (k,), bool
            The rows that are kept.

        Returns
        -------
        Dendrogram
        """
        if keep.all():
            return self
        kept = keep[self.leaves]
        number = np.cumsum(keep) - 1
        return Dendrogram(self.tree.subset(self.tree.tips[kept])[0], number[self.leaves[kept]])


def collapse_short_branches(tree: Tree) -> Tree:
    """Return the tree with a polytomy in place of each inner branch of no length; its tips stay.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    Tree

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 0, 2, 2, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> collapse_short_branches(tree).parent.tolist()
    [-1, 0, 0, 0]
    """
    keep = tree.length > SHORTEST * tree.depth.max()
    keep[0] = True
    keep[tree.tips] = True
    new, nearest = np.cumsum(keep) - 1, np.arange(len(tree))
    for node in np.flatnonzero(~keep):
        nearest[node] = nearest[tree.parent[node]]
    parent = np.where(tree.parent >= 0, new[nearest[tree.parent]], -1)
    return Tree(parent[keep], tree.length[keep], tree.name[keep], tree.rank[keep], tree.unit)


def tip_spans(tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """Return the span of the tips below each node, among the tips in preorder.

    Parameters
    ----------
    tree : Tree
        With m nodes.

    Returns
    -------
    first, last : ndarray, shape (m,), int64
        The first tip, and one after the last.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> [span.tolist() for span in tip_spans(tree)]
    [[0, 0, 0, 1, 2], [3, 2, 1, 2, 3]]
    """
    before = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
    return before[:-1], before[tree.stop]
