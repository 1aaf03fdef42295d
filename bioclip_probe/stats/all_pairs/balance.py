"""Rank-balanced correlation: every rank at which pairs meet has the same weight, and so have all pairs of one rank.

In a plain correlation the deepest splits decide alone, because nearly all pairs meet there. Here covariance and
variances are computed from the mean over the R ranks that occur, instead of the mean over pairs. In a taxonomy, the
tree distance of a pair follows from the rank at which it meets. So the balanced covariance is linear in the sums of
clades, and a permutation costs no more than for the plain correlation.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.all_pairs.clade_forms import CladeForms, CladePlan
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_orders
from bioclip_probe.stats.devices import CPU
from bioclip_probe.tree.tree import Tree


def balanced_correlation(sums: NodeSums) -> float:
    """Return the Pearson correlation of tree distance and cosine distance with equal weight for every rank.

    Parameters
    ----------
    sums : NodeSums
        Over the pairs of images in a taxonomy.

    Returns
    -------
    float
        In [-1, 1]; NaN where either distance does not vary.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), [*"rxabc"], [0, 5, 6, 6, 6])
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> round(balanced_correlation(NodeSums.of(vectors, np.arange(3), tree)), 3)
    0.762
    """
    return float(pearson(*_rank_means(sums).sum(axis=0)))  # each rank counts as one pair


def balanced_correlations(
    sums: TreeSums, observed: NodeSums, orders: Iterable[np.ndarray], device: str = CPU
) -> np.ndarray:
    """Return the balanced covariance for orders of the groups at the tips, divided by the observed deviations.

    A permutation test needs only covariances. Divided by the product of the observed standard deviations, they have the
    scale of the observed correlation.

    Parameters
    ----------
    sums : TreeSums
        In a taxonomy, whose tips are at one depth and of one rank.
    observed : NodeSums
        Of the same images.
    orders : iterable of ndarray, shape (P, k), int64
        See `TreeSums`; all orders of an array are summed together.
    device : str
        Where clades are summed.

    Returns
    -------
    ndarray, shape (total number of orders,), float64

    Examples
    --------
    >>> from bioclip_probe.stats.all_pairs.moments import Moments
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), [*"rxabc"], [0, 5, 6, 6, 6])
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> sums, observed = TreeSums(tree, Moments.of(vectors, np.arange(3), 3)), NodeSums.of(vectors, np.arange(3), tree)
    >>> balanced_correlations(sums, observed, [np.array([[0, 1, 2], [1, 2, 0]])]).round(3).tolist()
    [0.762, 0.305]
    """
    means = _rank_means(observed)
    _, t, c, tt, cc, _ = means.mean(axis=0)
    scale = np.sqrt((tt - t**2) * (cc - c**2))
    deviation = (means[:, 1] - t) / len(means)  # of the tree distance of each rank from their mean
    occurring = np.unique(sums.tree.rank[observed.by_node[:, 0] > 0.5])
    plan, counts = CladePlan.of(sums.tree), sums.moments.counts
    at_rank = plan.per_clade(_rank_indicator(sums.tree)[occurring.astype(np.int64) + 1].toarray())
    distances = sums.forms(device)
    # Twice the number of pairs of a clade of n images is n² - n; a clade takes with it the n of the clades below it.
    squares, images = CladeForms(plan, counts[:, None], np.ones(1)), sums.moments.n * (occurring == sums.tree.rank[-1])

    def of_orders(each: np.ndarray) -> np.ndarray:
        n_pairs = squares.weighted(each, at_rank) - images
        return np.asarray((distances.weighted(each, at_rank) / n_pairs) @ deviation / scale)

    return np.concatenate([np.empty(0), *distances.each(of_orders, orders)])


def permuted_balanced_correlations(
    sums: TreeSums, observed: NodeSums, n_permutations: int, rng: np.random.Generator, device: str = CPU
) -> np.ndarray:
    """Return `balanced_correlations` for random permutations of the groups at the tips.

    Parameters
    ----------
    sums : TreeSums
        In a taxonomy, whose tips are at one depth and of one rank.
    observed : NodeSums
        Of the same images.
    n_permutations : int
    rng : numpy.random.Generator
    device : str
        Where clades are summed.

    Returns
    -------
    ndarray, shape (n_permutations,), float64

    Examples
    --------
    >>> from bioclip_probe.stats.all_pairs.moments import Moments
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), [*"rxabc"], [0, 5, 6, 6, 6])
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> sums, observed = TreeSums(tree, Moments.of(vectors, np.arange(3), 3)), NodeSums.of(vectors, np.arange(3), tree)
    >>> permuted_balanced_correlations(sums, observed, 9, np.random.default_rng(0)).shape
    (9,)
    """
    at_once = sums.forms(device).orders_at_once()
    orders = permuted_orders(len(sums.tree.tips), n_permutations, rng, at_once=at_once)
    return balanced_correlations(sums, observed, orders, device)


def _rank_means(sums: NodeSums) -> np.ndarray:
    """Return the means of 1, t, c, t², c², tc over the pairs that meet at each rank that occurs, shape (R, 6)."""
    occurring = sums.by_node[:, 0] > 0.5
    _, rank = np.unique(sums.tree.rank[occurring], return_inverse=True)
    totals = np.zeros((int(rank.max(initial=-1)) + 1, 6))
    np.add.at(totals, rank, sums.by_node[occurring])
    return totals / totals[:, :1]


def _rank_indicator(tree: Tree) -> csr_array:
    """Return the matrix that turns sums over the pairs of clades into sums over the pairs that meet at each rank.

    Its first row is for nodes without rank.
    """
    m, rank = len(tree), tree.rank.astype(np.int64) + 1
    rows = np.concatenate([rank, rank[tree.parent[1:]]])
    columns = np.concatenate([np.arange(m), np.arange(1, m)])
    return csr_array((np.repeat([1.0, -1.0], [m, m - 1]), (rows, columns)), shape=(rank.max() + 1, m))
