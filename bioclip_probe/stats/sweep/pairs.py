"""Spearman correlation of tree distance and cosine distance over pairs of taxa, in blocks of the matrix of pairs.

The taxa stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`), and a block of
rows of both distances costs one matrix product and one pass.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.all_pairs.reweighting import DEFAULT_SIZES, pair_blocks
from bioclip_probe.stats.sweep.histograms import mid_ranks
from bioclip_probe.stats.sweep.points import distance_bound
from bioclip_probe.stats.sweep.ties import distance_rounding, with_tied_heights
from bioclip_probe.tree.tree import Tree

#: Bins of either distance, at most: a millionth of `points.distance_bound`, or of the largest tree distance, each.
N_RANK_BINS = 2**20


def spearman_correlation(vectors: np.ndarray, tree: Tree, block: int = DEFAULT_SIZES.rows) -> float:
    """Return the Spearman correlation of tree distance and cosine distance over pairs of taxa.

    Ties have their mean rank. Tree distances that differ by the rounding of the tree only are ties.

    Parameters
    ----------
    vectors : ndarray, shape (k, d)
        Unit vectors in the order of ``tree.tips``.
    tree : Tree
        With k tips.
    block : int
        Rows at a time; memory is O(block·k).

    Returns
    -------
    float
        In [-1, 1]; NaN where either distance does not vary.

    Notes
    -----
    Two passes over the pairs: the first counts each distance in `N_RANK_BINS` bins, the second sums products of ranks.
    Pairs in one bin are tied. On an ultrametric tree heights are replaced by their ranks first, see
    `with_tied_heights`; elsewhere a bin of tree distance is no narrower than the rounding of the branch lengths.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> round(spearman_correlation(vectors, tree), 3)
    0.866
    """
    tree = with_tied_heights(tree)
    highest = max(2 * float(tree.depth.max()), distance_rounding(tree) * (N_RANK_BINS - 1))
    if not tree.depth.max():
        return np.nan
    about_mean = vectors - vectors.mean(axis=0)
    farthest = distance_bound(np.einsum("ij,ij->i", about_mean, about_mean) / 2)

    def binned_pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the bins of tree distance and of cosine distance of a block of pairs."""
        for _, c, t in pair_blocks(vectors, tree, block):
            upper = np.triu_indices(c.shape[0], 1, c.shape[1])
            yield _bins(t[upper], highest), _bins(c[upper], farthest)

    t_counts, c_counts = np.zeros((2, N_RANK_BINS), dtype=np.int64)
    for t, c in binned_pairs():
        t_counts += np.bincount(t, minlength=N_RANK_BINS)
        c_counts += np.bincount(c, minlength=N_RANK_BINS)
    t_rank, c_rank = mid_ranks(t_counts), mid_ranks(c_counts)
    cross = sum(float(t_rank[t] @ c_rank[c]) for t, c in binned_pairs())
    return float(pearson(t_counts.sum(), 0.0, 0.0, t_counts @ t_rank**2, c_counts @ c_rank**2, cross))


def _bins(values: np.ndarray, highest: float) -> np.ndarray:
    return np.minimum(np.rint(values * ((N_RANK_BINS - 1) / highest)).astype(np.int64), N_RANK_BINS - 1)
