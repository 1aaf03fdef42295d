"""Agreement of a dendrogram with a tree or with labels, over all pairs, all triplets and all clades.

Agreement follows from the number N_uv of tips below both node u of one tree and node v of the other, for all u and v.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.dendrograms import BLOCK, Dendrogram, collapse_short_branches, tip_spans
from bioclip_probe.stats.table_loops import fill
from bioclip_probe.stats.threads import in_threads, n_threads
from bioclip_probe.tree.distances import neighbour_mrca_depths
from bioclip_probe.tree.tree import Tree

#: Inner nodes of a tree that a thread looks at in one go.
NODES = 256


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
    of_tree = tree.depth[tree.tips], neighbour_mrca_depths(tree)
    of_dendrogram = dendrogram.tree.depth[dendrogram.tree.tips], neighbour_mrca_depths(dendrogram.tree)

    def add_up(start: int) -> np.ndarray:
        """Return the sums of the pairs of a block of tips with those after them."""
        return _sum_pairs(start, min(start + block, k), of_tree, of_dendrogram, dendrogram.leaves)

    sums = sum(in_threads(add_up, range(0, k, block), n_threads(k**2)), np.zeros(5))
    return float(pearson(k * (k - 1) / 2, *sums))


@njit(cache=True, nogil=True)
def _sum_pairs(
    start: int,
    stop: int,
    of_tree: tuple[np.ndarray, np.ndarray],
    of_dendrogram: tuple[np.ndarray, np.ndarray],
    leaves: np.ndarray,
) -> np.ndarray:
    """Return Σt, Σh, Σt², Σh², Σth over pairs of tips, from depths of tips and of common ancestors of neighbours."""
    (depth, between), (top, joined), k = of_tree, of_dendrogram, len(leaves)
    sums, height, place = np.zeros(5), np.empty(k), np.empty(k, dtype=np.int64)
    for at in range(k):
        place[leaves[at]] = at
    for tip in range(start, stop):
        own = place[tip]
        shared = np.inf
        for at in range(own + 1, k):
            shared = min(shared, joined[at - 1])
            height[leaves[at]] = top[own] + top[at] - 2 * shared
        shared = np.inf
        for at in range(own - 1, -1, -1):
            shared = min(shared, joined[at])
            height[leaves[at]] = top[own] + top[at] - 2 * shared
        shared, sum_t, sum_h, sum_tt, sum_hh, sum_th = np.inf, 0.0, 0.0, 0.0, 0.0, 0.0
        for other in range(tip + 1, k):
            shared = min(shared, between[other - 1])
            t, h = depth[tip] + depth[other] - 2 * shared, height[other]
            sum_t, sum_h = sum_t + t, sum_h + h
            sum_tt, sum_hh, sum_th = sum_tt + t * t, sum_hh + h * h, sum_th + t * h
        sums += np.array((sum_t, sum_h, sum_tt, sum_hh, sum_th))
    return sums


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
    tree = collapse_short_branches(tree)
    k, place = len(tree.tips), np.argsort(dendrogram.leaves)
    spans, above = tip_spans(tree), dendrogram.collapsed.parent
    size = spans[1] - spans[0]
    inner = np.flatnonzero((size > 1) & (size < k))

    def add_up(start: int) -> np.ndarray:
        """Return the sums of a block of inner nodes."""
        nodes = inner[start : start + NODES]
        return _sum_triplets(nodes, spans, tree.parent, place, dendrogram.spans, above)

    threads = n_threads(len(inner) * len(above))
    score, resolvable = sum(in_threads(add_up, range(0, len(inner), NODES), threads), np.zeros(2))
    return float(score / resolvable) if resolvable else np.nan


@njit(cache=True, nogil=True)
def _sum_triplets(
    nodes: np.ndarray,
    spans: tuple[np.ndarray, np.ndarray],
    parent: np.ndarray,
    place: np.ndarray,
    spans_w: tuple[np.ndarray, np.ndarray],
    above: np.ndarray,
) -> np.ndarray:
    """Return the score of the triplets that meet at some nodes of the tree, and their number."""
    (first, last), (first_w, last_w), k, sums = spans, spans_w, len(place), np.zeros(2)
    before = np.empty(k + 1, dtype=np.int64)
    n, n_outer = np.empty(len(above), dtype=np.int64), np.empty(len(above), dtype=np.int64)
    for node in nodes:
        outer, size = parent[node], last[node] - first[node]
        size_outer = last[outer] - first[outer]
        _count_common_tips(place[first[node] : last[node]], first_w, last_w, before, n)
        sums[1] += size * (size - 1) / 2 * (k - size)
        if size_outer < k:  # these pairs meet here, not at the parent, where they would be counted again
            _count_common_tips(place[first[outer] : last[outer]], first_w, last_w, before, n_outer)
            sums[1] -= size * (size - 1) / 2 * (k - size_outer)
        for w in range(1, len(above)):
            v = above[w]
            pairs = n[w] * (n[v] - n[w])
            if pairs:
                size_v, size_w = last_w[v] - first_w[v], last_w[w] - first_w[w]
                sums[0] += pairs * _pair_score(k - size, size_v - n[v], size_w - n[w])
                if size_outer < k:
                    sums[0] -= pairs * _pair_score(k - size_outer, size_v - n_outer[v], size_w - n_outer[w])
    return sums


@njit(cache=True, nogil=True)
def _pair_score(beyond: int, outside_v: int, outside_w: int) -> float:
    """Return the score of a pair with one tip in w and one outside it; halved, since each pair occurs twice."""
    return (beyond - outside_v) / 2 + (outside_v / 2 - outside_w) / 3


@njit(cache=True, nogil=True)
def _count_common_tips(
    places: np.ndarray, first: np.ndarray, last: np.ndarray, before: np.ndarray, n: np.ndarray
) -> None:
    """Fill in how many of some tips, by their places, are below each node; `before` is room for (k + 1) numbers."""
    fill(before, 0)
    for place in places:
        before[place + 1] = 1
    for place in range(1, len(before)):
        before[place] += before[place - 1]
    for node in range(len(n)):
        n[node] = before[last[node]] - before[first[node]]


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
    k, above = len(labels), dendrogram.collapsed.parent
    first, last = dendrogram.spans
    size = (last - first).astype(np.float64)
    _, label = np.unique(labels[dendrogram.leaves], return_inverse=True)
    counts = np.bincount(label)
    pairs = (counts * (counts - 1) / 2).sum()
    if not pairs:
        return np.nan, np.nan
    purity = _sum_purities(np.argsort(label, kind="stable"), counts, first, last, above)
    others = (counts * (counts - 1) / 2) @ (counts - 2) / pairs / max(k - 2, 1)
    pairs_at_node = np.bincount(above[1:], size[1:] * (size[above[1:]] - size[1:]) / 2, len(above))
    inner = size > 1
    chance = pairs_at_node[inner] @ ((2 + (size[inner] - 2) * others) / size[inner]) / pairs_at_node.sum()
    return float(purity / pairs), float(chance)


@njit(cache=True, nogil=True)
def _sum_purities(
    places: np.ndarray, counts: np.ndarray, first: np.ndarray, last: np.ndarray, above: np.ndarray
) -> float:
    """Return the sum over all pairs of one label of its share in their smallest clade; places are sorted by label."""
    before, n = np.empty(len(places) + 1, dtype=np.int64), np.empty(len(above), dtype=np.int64)
    purity, start = 0.0, 0
    for count in counts:
        if count > 1:
            _count_common_tips(places[start : start + count], first, last, before, n)
            for w in range(1, len(above)):
                v = above[w]
                if n[w] and n[w] < n[v]:
                    purity += n[w] * (n[v] - n[w]) / 2 * n[v] / (last[v] - first[v])
        start += count
    return purity
