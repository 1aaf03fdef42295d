"""Rank-balanced correlation: every rank at which pairs meet weighs the same, and within a rank all pairs do.

Otherwise the deepest splits, where nearly all pairs meet, decide alone. With the mean over the R ranks that occur in
place of the mean over pairs, covariance and variances are as ever. On a taxonomy tree distance is a matter of the rank,
so the balanced covariance is linear in the sums of clades and costs a permutation no more than the plain one does.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_orders
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.tree import Tree


def balanced_correlation(sums: NodeSums) -> float:
    """Pearson correlation of tree distance and cosine distance with every rank of a common ancestor at one weight.

    NaN where either distance does not vary.
    """
    return pearson(*_rank_means(sums).sum(axis=0))  # each rank counts as one pair


def permuted_balanced_correlations(
    sums: TreeSums, observed: NodeSums, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Balanced covariances after permuting which group stands at which tip, over the observed standard deviations.

    For the test only covariances matter; so divided they are on the scale of the observed correlation.

    Parameters
    ----------
    sums : TreeSums
        Its tips at one height and of one rank: a taxonomy.
    observed : NodeSums
        Of the same images.
    n_permutations : int
    rng : numpy.random.Generator
    """
    means = _rank_means(observed)
    _, t, c, tt, cc, _ = means.mean(axis=0)
    scale = np.sqrt((tt - t**2) * (cc - c**2))
    away = (means[:, 1] - t) / len(means)  # how far each rank is from the mean tree distance
    occurring = np.unique(sums.tree.rank[observed.by_node[:, 0] > 0.5])
    meet = _meetings(sums.tree)[occurring.astype(np.int64) + 1]
    values = []
    with matched_threads(0):
        for orders in permuted_orders(sums, n_permutations, rng):
            counts = sums.aggregator.clade_sums(sums.moments.counts[orders].T)
            rank_means = (meet @ sums.clade_sums(orders)) / (meet @ (counts * (counts - 1) / 2))
            values.append(away @ rank_means / scale)
    return np.concatenate(values) if values else np.empty(0)


def _rank_means(sums: NodeSums) -> np.ndarray:
    """Means of 1, t, c, t², c², tc over the pairs that meet at each rank that occurs, shape (R, 6)."""
    met = sums.by_node[:, 0] > 0.5
    _, rank = np.unique(sums.tree.rank[met], return_inverse=True)
    totals = np.zeros((int(rank.max(initial=-1)) + 1, 6))
    np.add.at(totals, rank, sums.by_node[met])
    return totals / totals[:, :1]


def _meetings(tree: Tree) -> csr_array:
    """The matrix whose product with sums over the pairs of clades sums the pairs that meet at each rank, none first."""
    m, rank = len(tree), tree.rank.astype(np.int64) + 1
    rows = np.concatenate([rank, rank[tree.parent[1:]]])
    columns = np.concatenate([np.arange(m), np.arange(1, m)])
    return csr_array((np.repeat([1.0, -1.0], [m, m - 1]), (rows, columns)), shape=(rank.max() + 1, m))
