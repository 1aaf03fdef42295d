"""Pass two: sums over pairs of taxa that no linear sum holds, in blocks that never store the whole matrix.

The taxa stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`) and a block of
rows of both distances costs one matrix product and one sweep.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.all_pairs.reweighting import pair_blocks
from bioclip_probe.stats.sweep.histograms import mid_ranks
from bioclip_probe.stats.sweep.points import widest
from bioclip_probe.tree.tree import Tree

#: Bins of either distance for ranks: a millionth of `points.widest`, and a millionth of the largest tree distance.
N_RANK_BINS = 2**20


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
    highest = 2 * float(tree.depth.max())
    if not highest:
        return np.nan
    about_mean = vectors - vectors.mean(axis=0)
    farthest = widest(np.einsum("ij,ij->i", about_mean, about_mean) / 2)

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
