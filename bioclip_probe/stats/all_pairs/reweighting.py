"""Correlations of pairs under many weightings of their taxa: the bootstrap that draws species, never pairs.

Of the six sums that a correlation needs, four are linear in what is known of each taxon and cost next to nothing. Σ c²
and Σ t c are quadratic forms of the weights, two matrix products in one sweep over the pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean, pearson
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.all_pairs.tree_sums import tree_distance_sums
from bioclip_probe.tree.distances import patristic_rows
from bioclip_probe.tree.tree import Tree

BLOCK = 512
#: Numbers that an array over pairs or over replicates may hold: 128 MiB.
MOST_NUMBERS = 2**24


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


def weighted_correlations(
    vectors: np.ndarray, tree: Tree, weights: np.ndarray, units: np.ndarray | None = None
) -> np.ndarray:
    """Pearson correlation of tree distance and cosine distance over pairs of taxa, for many weightings of the taxa.

    Parameters
    ----------
    vectors : ndarray, shape (k, d)
        Unit vectors in the order of ``tree.tips``.
    tree : Tree
    weights : ndarray, shape (B, u)
        Of the units; with `bootstrap_weights` these are bootstrap replicates, units resampled. Two models get the same
        weights where their difference is wanted.
    units : ndarray, shape (k,), int64, optional
        The unit of each taxon, from 0 to u - 1; each taxon on its own if not given. A pair of taxa of two units weighs
        the product of their weights; a pair within a unit weighs that unit's weight, since a unit drawn twice brings
        its own pairs twice but none between its two copies.

    Returns
    -------
    ndarray, shape (B,), float64
        NaN where either distance does not vary.

    Notes
    -----
    O(k²·(d + B)), in matrix products; memory does not grow with k².
    """
    return weighted_image_correlations(vectors, np.arange(len(vectors)), tree, weights, units)


def weighted_image_correlations(
    vectors: np.ndarray, groups: np.ndarray, tree: Tree, weights: np.ndarray, units: np.ndarray | None = None
) -> np.ndarray:
    """As `weighted_correlations`, over pairs of images; those of one taxon are pairs within its unit.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of images.
    groups : ndarray, shape (n,), int64
        Tip position of each image; -1 leaves it out. Every tip has images.
    tree, weights, units
        As there.

    Notes
    -----
    O(n²·d + k²·B): for many images the delete-group jackknife by moments costs O(n·d²) only.
    """
    order = np.argsort(groups, kind="stable")
    order = order[np.searchsorted(groups[order], 0) :]
    rows, tips = np.asarray(vectors)[order], groups[order]
    k = len(tree.tips)
    unit = np.arange(k) if units is None else units
    moments = Moments.of(rows, tips, k, origin=approximate_mean(rows)) if len(rows) else Moments.of(rows, tips, k)
    counts, at_once = moments.counts, max(1, MOST_NUMBERS // (4 * len(tree)))
    own = np.zeros((6, k))  # over the pairs of images of one taxon
    own[0] = counts * (counts - 1) / 2
    own[2] = (counts * moments.norms - np.einsum("ij,ij->i", moments.sums, moments.sums)) / 2
    together = np.zeros((6, weights.shape[1]))  # over the pairs of taxa of one unit
    batches = [slice(start, start + at_once) for start in range(0, len(weights), at_once)]
    totals = np.zeros((6, len(weights)))
    aggregator = TreeAggregator(tree)
    for batch in batches:
        totals[:4, batch] = _linear_sums(tree, aggregator, moments, weights[batch][:, unit])
    for first, last, c, cc in _taxon_pairs(rows - moments.origin, tips, k):
        t = patristic_rows(tree, first, last)
        places = np.arange(last - first)
        own[4, first:last] = cc[places, places] / 2  # each pair stands twice in the block
        sums = [np.triu(cc, 1), np.triu(t * c, 1)]
        for batch in batches:
            left, right = weights[batch][:, unit[first:last]], weights[batch][:, unit[first:]]
            for total, values in zip(totals[4:], sums, strict=True):
                total[batch] += np.einsum("bj,bj->b", left @ values, right)
        if units is not None:
            a, b = np.nonzero(np.triu(unit[first:last, None] == unit[first:], 1))
            n = counts[first + a] * counts[first + b]
            t, c, cc = t[a, b], c[a, b], cc[a, b]
            for total, values in zip(together, (n, n * t, c, n * t * t, cc, t * c), strict=True):
                total += np.bincount(unit[first + a], weights=values, minlength=len(total))
    totals += together @ (weights - weights**2).T
    totals += _by_unit(own, unit, weights.shape[1]) @ weights.T
    return pearson(*totals)


def _linear_sums(tree: Tree, aggregator: TreeAggregator, moments: Moments, weights: np.ndarray) -> np.ndarray:
    """Σ1, Σt, Σc, Σt² over pairs of images of two taxa, each at the product of its taxa's weights, shape (4, B)."""
    counts, norms, sums = moments.counts, moments.norms, moments.sums
    squares = weights**2
    n, q, s = weights @ counts, weights @ norms, weights @ sums
    own = counts * norms - np.einsum("ij,ij->i", sums, sums)
    t, tt = tree_distance_sums(tree, aggregator, weights * counts)
    return np.stack(
        [(n**2 - squares @ counts**2) / 2, t, (n * q - np.einsum("ij,ij->i", s, s) - squares @ own) / 2, tt]
    )


def _taxon_pairs(x: np.ndarray, tips: np.ndarray, k: int) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Σ c and Σ c² over the images of each two taxa, some taxa against all that follow.

    Yields
    ------
    first, last : int
    c, cc : ndarray, shape (last - first, k - first), float64
        Of taxon ``first + a`` and taxon ``first + b``; for one and the same, each pair of images twice.
    """
    starts = np.searchsorted(tips, np.arange(k + 1))
    most = max(1, min(BLOCK, MOST_NUMBERS // max(len(x), 1)))
    q = np.einsum("ij,ij->i", x, x)
    first = 0
    while first < k:
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + most, side="right")) - 1)
        low, high = starts[first], starts[last]
        c = x[low:high] @ x[low:].T
        c *= -1
        c += (q[low:high, None] + q[low:]) / 2
        np.maximum(c, 0, out=c)
        np.fill_diagonal(c, 0.0)  # an image with itself is no pair
        edges = starts[first:-1] - low

        def by_taxon(values: np.ndarray, edges=edges, n=last - first) -> np.ndarray:
            if len(values) == n and values.shape[1] == len(edges):
                return values.copy()
            return np.add.reduceat(np.add.reduceat(values, edges[:n], axis=0), edges, axis=1)

        yield first, last, by_taxon(c), by_taxon(np.square(c))
        first = last


def _by_unit(values: np.ndarray, unit: np.ndarray, n_units: int) -> np.ndarray:
    """Sums of (r, k) over the taxa of each unit, shape (r, n_units)."""
    sums = np.zeros((len(values), n_units))
    np.add.at(sums.T, unit, values.T)
    return sums
