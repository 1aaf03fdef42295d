"""The correlation of taxa of a higher rank with whole species permuted over the tips of the tree: the species null.

A permutation gives each taxon as many species as it has, with all their images, so that its centroid is a new one. What
a memoriser of species without a tree reaches at a rank is the mean over such permutations: not 0, since taxa of many
species have centroids near the common mean, and their sizes are not spread at random over the tree.

The centroids of all permutations of a batch come from one sparse product, and the sums over pairs from the formulas of
`moments` and `tree_sums`.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.all_pairs.tree_sums import MOST_NUMBERS, tree_distance_sums
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.tree import Tree


def permuted_taxon_correlations(
    tree: Tree,
    sums: np.ndarray,
    taxon: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
    most_numbers: int = MOST_NUMBERS,
) -> np.ndarray:
    """Return the correlation of tree distance and centroid distance over pairs of taxa, after permuting their species.

    Parameters
    ----------
    tree : Tree
        Its k tips are the taxa.
    sums : ndarray, shape (s, d)
        Σ of the unit vectors of the images of each species.
    taxon : ndarray, shape (s,), int64
        The tip position of the taxon of each species; each taxon has one at least.
    n_permutations : int
    rng : numpy.random.Generator
    most_numbers : int
        Numbers in memory for the permutations that are summed together.

    Returns
    -------
    ndarray, shape (n_permutations,), float64
        In [-1, 1]; NaN where a distance does not vary, or where the images of a taxon cancel out.

    Notes
    -----
    O(s·d + k·d·min(k, d)) for each permutation.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), [*"rxabc"], [-1] * 5)
    >>> sums = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> null = permuted_taxon_correlations(tree, sums, np.arange(3), 99, np.random.default_rng(0))
    >>> null.shape, round(float(null.max()), 3)
    ((99,), 0.693)
    """
    sums, aggregator, k = rotate_into_span(np.asarray(sums, dtype=np.float64)), TreeAggregator(tree), len(tree.tips)
    origin = _directions(csr_array((np.ones(len(taxon)), (taxon, np.arange(len(taxon))))) @ sums)
    origin = np.nan_to_num(origin).mean(axis=0)
    t, tt = tree_distance_sums(tree, aggregator, np.ones((1, k)))
    at_once = max(1, most_numbers // max(len(tree) * sums.shape[1], 1))
    values = []
    with matched_threads(at_once * k * sums.shape[1] * min(k, sums.shape[1])):
        for start in range(0, n_permutations, at_once):
            size = min(at_once, n_permutations - start)
            orders = np.array([rng.permutation(len(sums)) for _ in range(size)])
            rows = (taxon + k * np.arange(size)[:, None]).ravel()
            moved = csr_array((np.ones(rows.size), (rows, orders.ravel())), shape=(size * k, len(sums))) @ sums
            x = _directions(moved).reshape(size, k, -1) - origin
            c, cc, tc = _distance_sums(x, tree, aggregator)
            values.append(np.asarray(pearson(np.full(size, k * (k - 1) / 2), t, c, tt, cc, tc)))
    return np.concatenate(values) if values else np.empty(0)


def _directions(sums: np.ndarray) -> np.ndarray:
    """Return the rows on the unit sphere; NaN where the images of a taxon cancel out."""
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, norms, out=np.full_like(sums, np.nan), where=norms > 1e-6)


def _distance_sums(x: np.ndarray, tree: Tree, aggregator: TreeAggregator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Σc, Σc² and Σtc over the pairs of tips, for P embeddings x, shape (P, k, d)."""
    n_permutations, k, d = x.shape
    q, s = np.einsum("pij,pij->pi", x, x), x.sum(axis=1)
    total = q.sum(axis=1)
    c = (k * total - np.einsum("pi,pi->p", s, s)) / 2
    gram = x @ x.transpose(0, 2, 1) if k < d else x.transpose(0, 2, 1) @ x
    along = np.einsum("pi,pij,pj->p", q, x, s, optimize=True)
    cc = (k * np.sum(q**2, axis=1) + total**2) / 4 + np.einsum("pij,pij->p", gram, gram) / 2 - along
    values = np.concatenate([x, q[:, :, None], np.ones((n_permutations, k, 1))], axis=2).transpose(1, 0, 2)
    in_clade = aggregator.clade_sums(values.reshape(k, -1)).reshape(len(tree), n_permutations, d + 2)
    inside = (
        in_clade[:, :, -1] * in_clade[:, :, -2] - np.einsum("mpi,mpi->mp", in_clade[..., :d], in_clade[..., :d])
    ) / 2
    to_all = (q * k + total[:, None]) / 2 - np.einsum("pij,pj->pi", x, s)
    return c, cc, to_all @ tree.depth[tree.tips] - 2 * (tree.length @ inside)
