"""Pass two: sums over pairs of taxa that no linear sum holds, in blocks that never store the whole matrix.

The taxa stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`) and a block of
rows of both distances costs one matrix product and one sweep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.moments import pearson
from bioclip_probe.tree.distances import patristic_rows
from bioclip_probe.tree.tree import Tree

BLOCK = 512
#: Bins of cosine distance for quantiles by step of tree distance: from 0 to `widest`, so at most 3.1e-5 wide.
N_BINS = 65_536
#: Bins of either distance for ranks: a millionth of `widest`, and a millionth of the largest tree distance.
N_RANK_BINS = 2**20
#: No bins are narrower than float64 can tell cosine distances apart.
NARROWEST = 1e-7


def pair_blocks(vectors: np.ndarray, tree: Tree, block: int = BLOCK) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Tree distance and cosine distance of all pairs of taxa, each pair once.

    Parameters
    ----------
    vectors : ndarray, shape (k, d)
        Unit vectors in the order of ``tree.tips``.
    tree : Tree
        With k tips.
    block : int
        Rows at a time; memory is O(block·k).

    Yields
    ------
    rows : slice
        The rows of this block; its columns run from ``rows.start`` to k.
    distance : ndarray, shape (b, k - rows.start), float64
        Cosine distance, in [0, 2]; 0 on and below the diagonal.
    tree_distance : ndarray, the same shape, float64
        Tree distance; 0 on and below the diagonal.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    k = len(vectors)
    for start in range(0, k, block):
        rows = slice(start, min(start + block, k))
        distance = np.triu(np.clip(1 - vectors[rows] @ vectors[start:].T, 0, 2), 1)
        yield rows, distance, patristic_rows(tree, rows.start, rows.stop)


def widest(vectors: np.ndarray) -> float:
    """A bound on the cosine distance of any two of these (k, d) unit vectors: 2, 1, 1/2 …, at most 8 times too wide.

    Bins over [0, 2] would be all the same to an untrained network, whose vectors nearly coincide (distances of 1e-5).
    The distance of two unit vectors is ‖u − v‖²/2, and both lie within the reach of their mean; powers of two, so that
    rounding does not move the bins.
    """
    if not len(vectors):
        return 2.0
    reach = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1).max()
    return float(np.clip(2.0 ** np.ceil(np.log2(max(2 * reach**2, NARROWEST))), NARROWEST, 2.0))


def weighted_correlations(vectors: np.ndarray, tree: Tree, weights: np.ndarray) -> np.ndarray:
    """Pearson correlation of tree distance and cosine distance over pairs of taxa, for many weightings of the taxa.

    Parameters
    ----------
    vectors : ndarray, shape (k, d)
        Unit vectors in the order of ``tree.tips``.
    tree : Tree
    weights : ndarray, shape (B, k)
        A pair weighs the product of its taxa's weights; pairs of a taxon with itself never enter.

    Returns
    -------
    ndarray, shape (B,), float64
        NaN where either distance does not vary.

    Notes
    -----
    With `weights` from `bootstrap_weights` these are the bootstrap replicates of the correlation, taxa resampled.
    Two models get the same weights where their difference is wanted. O(B·k²), in matrix products.
    """
    pairs = (weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)) / 2
    totals = np.zeros((5, len(weights)))
    for rows, c, t in pair_blocks(vectors, tree):
        left, right = weights[:, rows], weights[:, rows.start :]
        for total, values in zip(totals, (t, c, t * t, c * c, t * c), strict=True):
            total += np.einsum("bj,bj->b", left @ values, right)
    return pearson(pairs, *totals)


def spearman_correlation(vectors: np.ndarray, tree: Tree) -> float:
    """Spearman correlation of tree distance and cosine distance over pairs of taxa, ties at their mean rank.

    Parameters
    ----------
    vectors : ndarray, shape (k, d)
        Unit vectors in the order of ``tree.tips``.
    tree : Tree

    Returns
    -------
    float
        In [-1, 1]; NaN where either distance does not vary.

    Notes
    -----
    Two sweeps: one counts each distance in `N_RANK_BINS` bins, the other sums products of ranks. Pairs in one bin are
    tied, which also keeps the rounding of a published tree from ranking pairs that share their common ancestor.
    """
    highest, farthest = 2 * float(tree.depth.max()), widest(vectors)
    if not highest:
        return np.nan

    def binned() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _, c, t in pair_blocks(vectors, tree):
            upper = np.triu_indices(c.shape[0], 1, c.shape[1])
            yield _bins(t[upper], highest), _bins(c[upper], farthest)

    t_counts, c_counts = np.zeros((2, N_RANK_BINS), dtype=np.int64)
    for t, c in binned():
        t_counts += np.bincount(t, minlength=N_RANK_BINS)
        c_counts += np.bincount(c, minlength=N_RANK_BINS)
    t_rank, c_rank = mid_ranks(t_counts), mid_ranks(c_counts)
    cross = sum(float(t_rank[t] @ c_rank[c]) for t, c in binned())
    return pearson(t_counts.sum(), 0.0, 0.0, t_counts @ t_rank**2, c_counts @ c_rank**2, cross)


def _bins(values: np.ndarray, highest: float) -> np.ndarray:
    return np.minimum(np.rint(values * ((N_RANK_BINS - 1) / highest)).astype(np.int64), N_RANK_BINS - 1)


def mid_ranks(counts: np.ndarray) -> np.ndarray:
    """Mean rank of the members of each bin, less the mean of all ranks, so that the ranks sum to 0."""
    upper = np.cumsum(counts)
    return upper - (counts - 1) / 2 - (upper[-1] + 1) / 2


@dataclass(frozen=True, eq=False)
class JointHistogram:
    """Counts of pairs of taxa by tree distance and by bin of cosine distance.

    Attributes
    ----------
    steps : ndarray, shape (s,), float64
        The distinct tree distances, ascending (on a taxonomy: at most 7).
    counts : ndarray, shape (s, N_BINS), int64
    sums : ndarray, shape (s,), float64
        Sum of the cosine distances at each step, not binned.
    highest : float
        The upper end of the last bin.
    """

    steps: np.ndarray
    counts: np.ndarray
    sums: np.ndarray
    highest: float

    def mean(self) -> np.ndarray:
        """Mean cosine distance at each step, exact."""
        return self.sums / self.counts.sum(axis=1)

    def quantiles(self, q: list[float]) -> np.ndarray:
        """Quantiles of the cosine distance at each step, shape (s, len(q)), to half a bin."""
        below = np.cumsum(self.counts, axis=1)
        wanted = np.ceil(np.outer(below[:, -1], q)).clip(1)
        found = [np.searchsorted(row, target) for row, target in zip(below, wanted, strict=True)]
        return (np.array(found) + 0.5) * (self.highest / N_BINS)


def joint_histogram(vectors: np.ndarray, tree: Tree, steps: np.ndarray | None = None) -> JointHistogram:
    """Count all pairs of taxa by tree distance and cosine distance.

    Parameters
    ----------
    vectors : ndarray, shape (k, d)
        Unit vectors in the order of ``tree.tips``.
    tree : Tree
    steps : ndarray, shape (s,), optional
        The values tree distance can take, ascending; by default 1 … 7, the ranks of a taxonomy. On a phylogeny give
        values to which distances are rounded.
    """
    steps = np.arange(1.0, 8.0) if steps is None else np.asarray(steps, dtype=np.float64)
    middle = (steps[1:] + steps[:-1]) / 2
    counts, sums = np.zeros(len(steps) * N_BINS, dtype=np.int64), np.zeros(len(steps))
    highest = widest(vectors)
    for _, c, t in pair_blocks(vectors, tree):
        upper = np.triu_indices(c.shape[0], 1, c.shape[1])
        step = np.searchsorted(middle, t[upper])
        distance = c[upper]
        place = step * N_BINS + np.minimum(distance * (N_BINS / highest), N_BINS - 1).astype(np.int64)
        counts += np.bincount(place, minlength=len(counts))
        sums += np.bincount(step, weights=distance, minlength=len(steps))
    counts = counts.reshape(len(steps), N_BINS)
    met = counts.sum(axis=1) > 0
    return JointHistogram(steps[met], counts[met], sums[met], highest)


def weighted_image_correlations(
    vectors: np.ndarray, groups: np.ndarray, tree: Tree, weights: np.ndarray, block: int = BLOCK
) -> np.ndarray:
    """As `weighted_correlations`, over pairs of images whose taxa are weighted.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of images.
    groups : ndarray, shape (n,), int64
        Tip position of each image; -1 leaves it out. Every tip has images.
    tree : Tree
        With k tips.
    weights : ndarray, shape (B, k)
        A pair of images of two taxa weighs the product of their weights; a pair within a taxon weighs that taxon's
        weight, since a taxon drawn twice brings its own pairs twice but none between its two copies.
    block : int
        About so many images at a time; memory is O(block·n).

    Returns
    -------
    ndarray, shape (B,), float64
    """
    order = np.argsort(groups, kind="stable")
    order = order[np.searchsorted(groups[order], 0) :]
    rows = np.asarray(vectors)[order].astype(np.float64, copy=False)
    counts = np.bincount(groups[order], minlength=len(tree.tips))
    starts = np.concatenate([[0], np.cumsum(counts)])
    totals = np.zeros((6, len(weights)))
    first = 0
    while first < len(counts):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + block, side="right")) - 1)
        distance = rows[starts[first] : starts[last]] @ rows[starts[first] :].T
        np.clip(np.subtract(1, distance, out=distance), 0, 2, out=distance)
        np.fill_diagonal(distance, 0.0)  # an image with itself is no pair
        edges = starts[first:-1] - starts[first]

        def by_taxon(values: np.ndarray, edges=edges, n=last - first) -> np.ndarray:
            return np.add.reduceat(np.add.reduceat(values, edges[:n], axis=0), edges, axis=1)

        n = np.outer(counts[first:last], counts[first:]).astype(np.float64)
        c, t = by_taxon(distance), patristic_rows(tree, first, last)
        cc = by_taxon(np.square(distance, out=distance))
        left, right = weights[:, first:last], weights[:, first:]
        for total, values in zip(totals, (n, n * t, c, n * t * t, cc, t * c), strict=True):
            total += np.einsum("bj,bj->b", left @ np.triu(values, 1), right)
        own = np.arange(last - first)
        # Within a taxon tree distance is 0, and each pair stands twice in the block.
        totals[0] += left @ (counts[first:last] * (counts[first:last] - 1) / 2)
        totals[2] += left @ (c[own, own] / 2)
        totals[4] += left @ (cc[own, own] / 2)
        first = last
    return pearson(*totals)
