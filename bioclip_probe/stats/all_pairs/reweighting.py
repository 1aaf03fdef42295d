"""Correlations over pairs under many weightings of the taxa, for the bootstrap that draws species and never pairs.

A correlation needs six sums. Four of them are linear in what is known of each taxon and cost next to nothing. Σ c² and
Σ t c are quadratic forms of the weights: two matrix products in one pass over the pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean, pearson
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.all_pairs.tree_sums import tree_distance_sums
from bioclip_probe.stats.threads import in_threads, n_threads
from bioclip_probe.tree.distances import patristic_rows
from bioclip_probe.tree.tree import Tree


@dataclass(frozen=True)
class PairBlockSizes:
    """Limits of the memory of a pass over pairs. They change results only by rounding.

    Attributes
    ----------
    rows : int
        Rows that are compared with all others at once.
    numbers : int
        Numbers in an array over pairs or over replicates; 128 MiB by default.

    Examples
    --------
    >>> PairBlockSizes(rows=100).numbers == 2**24
    True
    """

    rows: int = 512
    numbers: int = 2**24


DEFAULT_SIZES = PairBlockSizes()
#: Blocks of pairs that are summed at a time, each of which needs some arrays of `PairBlockSizes.numbers` at most.
MOST_THREADS = 4


def pair_blocks(
    vectors: np.ndarray, tree: Tree, block: int = DEFAULT_SIZES.rows
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield tree distance and cosine distance of all pairs of taxa, each pair once.

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

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 2]), np.array([*"rab"], object), [-1] * 3)
    >>> [(c.tolist(), t.tolist()) for _, c, t in pair_blocks(np.eye(2), tree)]
    [([[0.0, 1.0], [0.0, 0.0]], [[0.0, 3.0], [0.0, 0.0]])]
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    k = len(vectors)
    for start in range(0, k, block):
        rows = slice(start, min(start + block, k))
        distance = np.triu(np.clip(1 - vectors[rows] @ vectors[start:].T, 0, 2), 1)
        yield rows, distance, patristic_rows(tree, rows.start, rows.stop)


def weighted_correlations(
    vectors: np.ndarray,
    tree: Tree,
    weights: np.ndarray,
    units: np.ndarray | None = None,
    sizes: PairBlockSizes = DEFAULT_SIZES,
) -> np.ndarray:
    """Return the Pearson correlation of tree distance and cosine distance over pairs of taxa, for many weightings.

    Parameters
    ----------
    vectors : ndarray, shape (k, d)
        Unit vectors in the order of ``tree.tips``.
    tree : Tree
        With k tips.
    weights : ndarray, shape (B, u)
        B weightings of the u resampling units; with `bootstrap_weights` they are bootstrap replicates. Use the same
        weights for two models to get the difference between them.
    units : ndarray, shape (k,), int64, optional
        The resampling unit of each taxon, from 0 to u - 1; by default each taxon is a unit. A pair of taxa of two units
        has the product of their weights. A pair within a unit has that unit's weight, because a unit that is drawn
        twice brings its own pairs twice but no pairs between its two copies.
    sizes : PairBlockSizes
        Limits of memory.

    Returns
    -------
    ndarray, shape (B,), float64
        In [-1, 1]; NaN where either distance does not vary.

    Notes
    -----
    O(k²·(d + B)), in matrix products; memory does not grow with k².

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> weighted_correlations(vectors, tree, np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]])).round(3).tolist()
    [0.693, nan]
    """
    return weighted_image_correlations(vectors, np.arange(len(vectors)), tree, weights, units, sizes)


def weighted_image_correlations(
    vectors: np.ndarray,
    groups: np.ndarray,
    tree: Tree,
    weights: np.ndarray,
    units: np.ndarray | None = None,
    sizes: PairBlockSizes = DEFAULT_SIZES,
) -> np.ndarray:
    """Return the Pearson correlation of tree distance and cosine distance over pairs of images, for many weightings.

    Pairs of images of one taxon are pairs within its unit.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of images.
    groups : ndarray, shape (n,), int64
        The tip position of each image; images of -1 are left out. Every tip has an image.
    tree, weights, units, sizes
        See `weighted_correlations`.

    Returns
    -------
    ndarray, shape (B,), float64
        In [-1, 1]; NaN where either distance does not vary.

    Notes
    -----
    O(n²·d + k²·B). For many images use the jackknife by moments, which costs O(n·d²) only.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> weighted_image_correlations(vectors, np.array([0, 0, 1]), tree, np.ones((1, 2))).round(3).tolist()
    [0.693]
    """
    order = np.argsort(groups, kind="stable")
    order = order[np.searchsorted(groups[order], 0) :]
    rows, tips = np.asarray(vectors)[order], groups[order]
    k = len(tree.tips)
    unit = np.arange(k) if units is None else units
    moments = Moments.of(rows, tips, k, origin=approximate_mean(rows)) if len(rows) else Moments.of(rows, tips, k)
    counts, at_once = moments.counts, max(1, sizes.numbers // (4 * len(tree)))
    within_taxa = np.zeros((6, k))  # sums over the pairs of images of one taxon
    within_taxa[0] = counts * (counts - 1) / 2
    within_taxa[2] = (counts * moments.norms - np.einsum("ij,ij->i", moments.sums, moments.sums)) / 2
    within_units = np.zeros((6, weights.shape[1]))  # sums over the pairs of taxa of one unit
    batches = [slice(start, start + at_once) for start in range(0, len(weights), at_once)]
    totals = np.zeros((6, len(weights)))
    aggregator = TreeAggregator.of(tree)
    for batch in batches:
        totals[:4, batch] = _linear_sums(tree, aggregator, moments, weights[batch][:, unit])
    images = _TaxonImages(rows - moments.origin, np.searchsorted(tips, np.arange(k + 1)))

    def of_span(span: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return Σc² inside each taxon of a span, Σc² and Σtc of each weighting, and sums over the pairs of units."""
        first, last = span
        (c, cc), t = images.pair_sums(first, last), patristic_rows(tree, first, last)
        weighted = np.zeros((2, len(weights)))
        for total, values in zip(weighted, (np.triu(cc, 1), np.triu(t * c, 1)), strict=True):
            for batch in batches:
                left, right = weights[batch][:, unit[first:last]], weights[batch][:, unit[first:]]
                total[batch] = np.einsum("bj,bj->b", left @ values, right)
        of_units = np.zeros_like(within_units)
        if units is not None:
            a, b = np.nonzero(np.triu(unit[first:last, None] == unit[first:], 1))
            n, (t, c, cc_of_pairs) = counts[first + a] * counts[first + b], (values[a, b] for values in (t, c, cc))
            for total, values in zip(of_units, (n, n * t, c, n * t * t, cc_of_pairs, t * c), strict=True):
                total += np.bincount(unit[first + a], weights=values, minlength=len(total))
        return np.diagonal(cc) / 2, weighted, of_units  # each pair of one taxon occurs twice in the block

    spans = list(images.spans(sizes))
    threads = min(n_threads(len(rows) ** 2), MOST_THREADS)
    for (first, last), (own, weighted, of_units) in zip(spans, in_threads(of_span, spans, threads), strict=True):
        within_taxa[4, first:last] = own
        totals[4:] += weighted
        within_units += of_units
    totals += within_units @ (weights - weights**2).T
    totals += _sums_by_unit(within_taxa, unit, weights.shape[1]) @ weights.T
    return np.asarray(pearson(*totals))


def _linear_sums(tree: Tree, aggregator: TreeAggregator, moments: Moments, weights: np.ndarray) -> np.ndarray:
    """Return Σ1, Σt, Σc, Σt² over pairs of images of two taxa at the product of their weights, shape (4, B)."""
    counts, norms, sums = moments.counts, moments.norms, moments.sums
    squares = weights**2
    n, q, s = weights @ counts, weights @ norms, weights @ sums
    within = counts * norms - np.einsum("ij,ij->i", sums, sums)
    t, tt = tree_distance_sums(tree, aggregator, weights * counts)
    return np.stack(
        [(n**2 - squares @ counts**2) / 2, t, (n * q - np.einsum("ij,ij->i", s, s) - squares @ within) / 2, tt]
    )


@dataclass(frozen=True, eq=False)
class _TaxonImages:
    """Images sorted by taxon, about an origin, shape (n, d), and the first image of each taxon, shape (k + 1,)."""

    x: np.ndarray
    starts: np.ndarray

    @cached_property
    def squares(self) -> np.ndarray:
        return np.einsum("ij,ij->i", self.x, self.x)

    def spans(self, sizes: PairBlockSizes) -> Iterator[tuple[int, int]]:
        """Yield spans of taxa whose pairs are computed together."""
        most = max(1, min(sizes.rows, sizes.numbers // max(len(self.x), 1)))
        first = 0
        while first < len(self.starts) - 1:
            last = max(first + 1, int(np.searchsorted(self.starts, self.starts[first] + most, side="right")) - 1)
            yield first, last
            first = last

    def pair_sums(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Return Σ c and Σ c² over the images of each two taxa, for a span of taxa and all taxa from its first on.

        Where they are the same taxon, each pair of images counts twice.
        """
        low, high = self.starts[first], self.starts[last]
        c = self.x[low:high] @ self.x[low:].T
        c *= -1
        c += (self.squares[low:high, None] + self.squares[low:]) / 2
        np.maximum(c, 0, out=c)
        np.fill_diagonal(c, 0.0)  # an image and itself are no pair
        edges = self.starts[first:-1] - low
        return _sums_by_taxon(c, edges, last - first), _sums_by_taxon(np.square(c), edges, last - first)


def _sums_by_taxon(values: np.ndarray, edges: np.ndarray, n: int) -> np.ndarray:
    """Return the sums of a block over images by taxon; `edges` are the first images of the taxa, n of them in rows."""
    if len(values) == n and values.shape[1] == len(edges):
        return values.copy()
    return np.add.reduceat(np.add.reduceat(values, edges[:n], axis=0), edges, axis=1)


def _sums_by_unit(values: np.ndarray, unit: np.ndarray, n_units: int) -> np.ndarray:
    """Return the sums of values (r, k) over the taxa of each unit, shape (r, n_units)."""
    sums = np.zeros((len(values), n_units))
    np.add.at(sums.T, unit, values.T)
    return sums
