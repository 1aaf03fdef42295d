"""Dendrograms of embeddings, and their agreement with a tree over all pairs, all triplets and all clades.

A dendrogram is a `Tree`, so a clade is a slice of its tips. Agreement follows from the number N_uv of tips below both
node u of one tree and node v of the other, for all u and v.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import linkage

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.tree.distances import patristic_rows
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


def cophenetic_agreement(tree: Tree, dendrogram: Dendrogram, block: int = BLOCK) -> float:
    """Return the Pearson correlation of tree distance and joining height over all pairs of tips.

    Parameters
    ----------
    tree : Tree
        With k tips.
    dendrogram : Dendrogram
        Its row i is tip i of the tree.
    block : int
        Tips that are compared with all others at once.

    Returns
    -------
    float
        In [-1, 1]; NaN where one of them does not vary.

    Notes
    -----
    O(k²) time, without a k × k matrix.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> dendrogram = Dendrogram.average_linkage(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    >>> round(cophenetic_agreement(tree, dendrogram), 6)
    1.0
    """
    k = len(tree.tips)
    place = np.argsort(dendrogram.leaves)
    depth = dendrogram.tree.depth
    leaf = dendrogram.tree.tips
    between = depth[dendrogram.tree.parent[leaf[:-1] + 1]]  # of the common ancestors of neighbours
    top = depth[leaf]
    sums = np.zeros(5)
    for start in range(0, k, block):
        stop = min(start + block, k)
        t_rows = patristic_rows(tree, start, stop)
        for a in range(stop - start):
            t = t_rows[a, a + 1 :]
            at = place[start + a]
            shared = np.concatenate(
                [np.minimum.accumulate(between[:at][::-1])[::-1], top[at : at + 1], np.minimum.accumulate(between[at:])]
            )
            h = (top[at] + top - 2 * shared)[place[start + a + 1 :]]
            sums += t.sum(), h.sum(), t @ t, h @ h, t @ h
    return float(pearson(k * (k - 1) / 2, *sums))


def triplet_agreement(tree: Tree, dendrogram: Dendrogram) -> float:
    """Return the share of the triplets resolved by a tree that a dendrogram resolves in the same way.

    A triplet of tips is resolved if two of them are closer to each other than both are to the third. A triplet that the
    dendrogram does not resolve counts one third, as a guess would.

    Parameters
    ----------
    tree : Tree
        With k tips.
    dendrogram : Dendrogram
        Its row i is tip i of the tree.

    Returns
    -------
    float
        In [0, 1]; NaN if the tree resolves no triplet.

    Notes
    -----
    Over all triplets, in O(k · inner nodes) time and O(k) memory. Take two tips that meet at node u of the tree and at
    node v of the dendrogram, one of them below child w of v, and let A_u and B_v be the sets of tips below u and v.
    They make k - |A_u| - |B_v| + N_uv triplets that agree; the tips in B_v outside A_u and outside both children make
    triplets that the dendrogram does not resolve.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> triplet_agreement(tree, Dendrogram.average_linkage(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])))
    1.0
    """
    tree, other = collapse_short_branches(tree), collapse_short_branches(dendrogram.tree)
    k = len(tree.tips)
    first, last = tip_spans(tree)
    first_w, last_w = tip_spans(other)
    size, size_w, above = last - first, last_w - first_w, other.parent
    place = np.argsort(dendrogram.leaves)
    inner = np.flatnonzero((size > 1) & (size < k))
    score = resolvable = 0.0

    def count_common_tips(node: int) -> np.ndarray:
        """Count the tips below a node of the tree that are below each node of the dendrogram."""
        within = np.zeros(k + 1)
        within[1 + place[first[node] : last[node]]] = 1
        np.cumsum(within, out=within)
        return within[last_w] - within[first_w]

    def pair_scores(node: int, n: np.ndarray) -> np.ndarray:
        """Return the score of a pair with one tip in w and one outside it; halved, since each pair occurs twice."""
        outside = size_w - n
        return (k - size[node] - outside[above]) / 2 + (outside[above] / 2 - outside) / 3

    for node in inner.tolist():
        n = count_common_tips(node)
        pairs = n * (n[above] - n)
        pairs[0] = 0  # the root of the dendrogram has no parent
        scores, outer = pair_scores(node, n), int(tree.parent[node])
        resolvable += size[node] * (size[node] - 1) / 2 * (k - size[node])
        score += pairs @ scores
        if size[outer] < k:  # these pairs meet here, not at the parent, where they would be counted again
            resolvable -= size[node] * (size[node] - 1) / 2 * (k - size[outer])
            score -= pairs @ pair_scores(outer, count_common_tips(outer))
    return float(score / resolvable) if resolvable else np.nan


def clade_purity(dendrogram: Dendrogram, labels: np.ndarray) -> tuple[float, float]:
    """Return the dendrogram purity of labels, and its mean when the labels are shuffled.

    Parameters
    ----------
    dendrogram : Dendrogram
    labels : ndarray, shape (k,), int64
        The label of each row.

    Returns
    -------
    purity, chance : float
        In [0, 1]: over all pairs of rows with one label, the mean share of that label in the smallest clade that holds
        both; NaN if no two rows share a label. Where joining heights tie, the clade holds all rows that join there.

    Notes
    -----
    Chance needs no shuffle. Take a clade of B rows out of k that is the smallest for two of the n rows of a label. Of
    the others in it, (B - 2)(n - 2)/(k - 2) have the label on average, and which clade it is does not depend on the
    label.

    References
    ----------
    Heller & Ghahramani 2005, ICML, 297.

    Examples
    --------
    >>> dendrogram = Dendrogram.average_linkage(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    >>> purity, chance = clade_purity(dendrogram, np.array([0, 0, 1]))
    >>> purity, round(chance, 3)
    (1.0, 0.778)
    """
    tree = collapse_short_branches(dendrogram.tree)
    k, above = len(labels), tree.parent
    first, last = tip_spans(tree)
    size = (last - first).astype(np.float64)
    _, label = np.unique(labels[dendrogram.leaves], return_inverse=True)
    counts = np.bincount(label)
    members = np.split(np.argsort(label, kind="stable"), np.cumsum(counts)[:-1])
    pairs = (counts * (counts - 1) / 2).sum()
    if not pairs:
        return np.nan, np.nan
    purity = 0.0
    for own in members:
        if len(own) > 1:
            n = (np.searchsorted(own, last) - np.searchsorted(own, first)).astype(np.float64)
            purity += (n[1:] * (n[above[1:]] - n[1:]) / 2) @ (n[above[1:]] / size[above[1:]])
    others = (counts * (counts - 1) / 2) @ (counts - 2) / pairs / max(k - 2, 1)
    pairs_at_node = np.bincount(above[1:], size[1:] * (size[above[1:]] - size[1:]) / 2, len(tree))
    inner = size > 1
    chance = pairs_at_node[inner] @ ((2 + (size[inner] - 2) * others) / size[inner]) / pairs_at_node.sum()
    return float(purity / pairs), float(chance)
