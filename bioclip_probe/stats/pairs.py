"""Pass two: sums over pairs of taxa that no linear sum holds, in blocks that never store the whole matrix.

The taxa stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`) and a block of
rows of both distances costs one matrix product and one sweep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.moments import pearson
from bioclip_probe.stats.reweighting import pair_blocks
from bioclip_probe.tree.tree import Tree

#: Bins of cosine distance for quantiles by step of tree distance: from 0 to `widest`, so at most 3.1e-5 wide.
N_BINS = 65_536
#: Bins of either distance for ranks: a millionth of `widest`, and a millionth of the largest tree distance.
N_RANK_BINS = 2**20
#: No bins are narrower than float64 can tell cosine distances apart.
NARROWEST = 1e-7


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
