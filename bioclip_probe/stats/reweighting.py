"""Correlations of pairs under many weightings of their taxa: the bootstrap that draws species, never pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bioclip_probe.stats.moments import pearson
from bioclip_probe.tree.distances import patristic_rows
from bioclip_probe.tree.tree import Tree

BLOCK = 512


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
