"""Dendrograms of embeddings, and how far they agree with a tree: over all pairs, all triplets, and all clades.

A dendrogram is a `Tree` like any other, so that a clade is a slice of its tips and agreement is a matter of counting,
for each node u of one tree and each node v of the other, the N_uv tips below both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import linkage

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.tree.distances import patristic_rows
from bioclip_probe.tree.tree import NO_RANK, Tree

#: Inner branches shorter than this share of a tree's height are none: they resolve nothing.
SHORTEST = 1e-9
#: A cosine distance below this is none: rounding of equal unit vectors.
SAME = 1e-12
BLOCK = 512


@dataclass(frozen=True, eq=False)
class Dendrogram:
    """A tree of k leaves.

    Attributes
    ----------
    tree : Tree
        The patristic distance of two tips is the height at which they join.
    leaves : ndarray, shape (k,), int64
        The row that is at each tip, in the order of ``tree.tips``.
    """

    tree: Tree
    leaves: np.ndarray

    @classmethod
    def average_linkage(cls, vectors: np.ndarray) -> Dendrogram:
        """Average linkage (UPGMA) of k ≥ 2 unit vectors (k, d) by cosine distance.

        O(k²) time; memory 8 k² bytes, which is 800 MB for 10,000.
        """
        k = len(vectors)
        condensed, filled = np.empty(k * (k - 1) // 2), 0
        for start in range(0, k, BLOCK):
            rows = 1 - vectors[start : start + BLOCK] @ vectors[start:].T
            for a in range(len(rows)):
                part = rows[a, a + 1 :]
                condensed[filled : filled + len(part)] = np.where(part > SAME, part, 0.0)
                filled += len(part)
        return cls.of_merges(linkage(condensed, "average"))

    @classmethod
    def of_merges(cls, merges: np.ndarray) -> Dendrogram:
        """From the merges of `scipy.cluster.hierarchy.linkage`, shape (k - 1, 4)."""
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
        node = np.argsort(place)
        parent = np.where(above[node] >= 0, place[above[node]], -1)
        length = np.where(parent >= 0, height[above[node]] - height[node], 0.0)
        tree = Tree(parent, length, node.astype(object), np.full(len(node), NO_RANK))
        return cls(tree, node[node < k])

    def pruned(self, keep: np.ndarray) -> Dendrogram:
        """Without some of its rows, which `keep` (k,) does not mark; the others are numbered anew, in their order."""
        if keep.all():
            return self
        kept = keep[self.leaves]
        number = np.cumsum(keep) - 1
        return Dendrogram(self.tree.subset(self.tree.tips[kept])[0], number[self.leaves[kept]])


def resolved(tree: Tree) -> Tree:
    """The tree without inner branches of no length, which leave open how their ends are joined; its tips stay."""
    keep = tree.length > SHORTEST * tree.depth.max()
    keep[0] = True
    keep[tree.tips] = True
    new, nearest = np.cumsum(keep) - 1, np.arange(len(tree))
    for node in np.flatnonzero(~keep):
        nearest[node] = nearest[tree.parent[node]]
    parent = np.where(tree.parent >= 0, new[nearest[tree.parent]], -1)
    return Tree(parent[keep], tree.length[keep], tree.name[keep], tree.rank[keep], tree.unit)


def tip_spans(tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """First tip below each node and last plus one, both shape (m,), among the tips in preorder."""
    before = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
    return before[:-1], before[tree.stop]


def cophenetic_agreement(tree: Tree, dendrogram: Dendrogram) -> float:
    """Pearson correlation of tree distance and joining height over all pairs; row i of the dendrogram is tip i.

    O(k²) time, no k × k matrix. NaN where one of them does not vary.
    """
    k = len(tree.tips)
    place = np.argsort(dendrogram.leaves)
    depth = dendrogram.tree.depth
    other = dendrogram.tree.tips
    between = depth[dendrogram.tree.parent[other[:-1] + 1]]  # of the common ancestors of neighbours
    top = depth[other]
    sums = np.zeros(5)
    for start in range(0, k, BLOCK):
        stop = min(start + BLOCK, k)
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
    """Share of the triplets resolved by the tree that the dendrogram resolves alike; row i is tip i.

    A triplet of tips is resolved where two of them are closer to each other than both are to the third. One that the
    dendrogram leaves open counts a third, what a guess would. NaN where the tree resolves none.

    Notes
    -----
    Over all triplets, in O(k · inner nodes) time and O(k) memory. Two tips that meet at node u of the tree and, from
    the child w of node v, at v of the dendrogram make k - |A_u| - |B_v| + N_uv triplets that agree, and as many that
    the dendrogram leaves open as there are tips in B_v outside A_u and outside both children.
    """
    tree, other = resolved(tree), resolved(dendrogram.tree)
    k = len(tree.tips)
    first, last = tip_spans(tree)
    first_w, last_w = tip_spans(other)
    size, size_w, above = last - first, last_w - first_w, other.parent
    place = np.argsort(dendrogram.leaves)
    inner = np.flatnonzero((size > 1) & (size < k))
    score = resolvable = 0.0

    def below_both(node: int) -> np.ndarray:
        within = np.zeros(k + 1)
        within[1 + place[first[node] : last[node]]] = 1
        np.cumsum(within, out=within)
        return within[last_w] - within[first_w]

    def worth(node: int, n: np.ndarray) -> np.ndarray:
        """What a pair with its first tip in w and its second beside w counts, halved: each is met twice."""
        outside = size_w - n
        return (k - size[node] - outside[above]) / 2 + (outside[above] / 2 - outside) / 3

    for node in inner:
        n = below_both(node)
        pairs = n * (n[above] - n)
        pairs[0] = 0  # above the root of the dendrogram is nothing
        value, outer = worth(node, n), tree.parent[node]
        resolvable += size[node] * (size[node] - 1) / 2 * (k - size[node])
        score += pairs @ value
        if size[outer] < k:  # these pairs meet here, not at the node above, which is to count those that meet there
            resolvable -= size[node] * (size[node] - 1) / 2 * (k - size[outer])
            score -= pairs @ worth(outer, below_both(outer))
    return score / resolvable if resolvable else np.nan


def clade_purity(dendrogram: Dendrogram, labels: np.ndarray) -> tuple[float, float]:
    """Dendrogram purity of labels, and what it is on average with the labels shuffled.

    Parameters
    ----------
    dendrogram : Dendrogram
    labels : ndarray, shape (k,), int64
        Of each row.

    Returns
    -------
    purity, chance : float
        Over all pairs of rows with one label, the mean share of that label in the smallest clade that holds both; NaN
        where no two rows share a label. Where joining heights tie, the clade holds all that join there.

    Notes
    -----
    Chance needs no shuffle: in a clade of B rows of k that is the smallest for two of the n of a label, 2 and the
    expected (B - 2)(n - 2)/(k - 2) others are of it, and which clade that is does not hang on the label.

    References
    ----------
    Heller & Ghahramani 2005, ICML, 297.
    """
    tree = resolved(dendrogram.tree)
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
    met = np.bincount(above[1:], size[1:] * (size[above[1:]] - size[1:]) / 2, len(tree))
    inner = size > 1
    chance = met[inner] @ ((2 + (size[inner] - 2) * others) / size[inner]) / met.sum()
    return float(purity / pairs), float(chance)
