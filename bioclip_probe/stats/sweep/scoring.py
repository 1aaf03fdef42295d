"""Scores of an anchor from its counts of other rows by level and bin.

An anchor is a row whose distances to all other rows are looked at. A level is a class of equal tree distance, from 0
(nearest, rows at the anchor's own tip) on; a bin is a class of nearly equal embedding distance. The functions are
compiled by numba and release the interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Rows of `scores`. Triplets whose nearer relative is at the level: those in order, half of those tied in a bin, all of
#: them. Where all rows up to the level are relevant: AP, R-precision, and 1 if the anchor has a relevant row and
#: therefore a score. The same three without the rows at the anchor's own tip. Hierarchical AP, and 1 if it exists (both
#: in column 0). The number of rows at the level.
(
    RIGHT,
    TIED,
    TRIPLETS,
    AP,
    R_PRECISION,
    SCORED,
    AP_OTHER,
    R_PRECISION_OTHER,
    SCORED_OTHER,
    HIERARCHICAL_AP,
    SCORED_HIERARCHICAL,
    SIZE,
    N_SCORES,
) = range(13)


@njit(cache=True, nogil=True)
def score_sizes(sizes: np.ndarray, harmonic: np.ndarray, sums: np.ndarray) -> None:
    """Add up the scores of anchors as if all other rows were at one distance: what they are if labels say nothing.

    Parameters
    ----------
    sizes : ndarray, shape (n, L), int64
        Numbers of rows at each level from each anchor.
    harmonic : ndarray, shape (n + 1,), float64
        Harmonic numbers.
    sums : ndarray, shape (N_SCORES, L), float64
        The mean scores of each anchor over all orders of the other rows are added to it.

    Examples
    --------
    >>> sums = np.zeros((N_SCORES, 2))
    >>> score_sizes(np.array([[1, 3]]), np.append(0, np.cumsum(1 / np.arange(1, 5))), sums)
    >>> sums[R_PRECISION].tolist()
    [0.25, 1.0]
    """
    scores = np.zeros(sums.shape)
    for a in range(len(sizes)):
        reduce_row(sizes[a].reshape(-1, 1), harmonic, scores)
        sums += scores


@njit(cache=True, nogil=True, error_model="numpy")
def reduce_row(histogram: np.ndarray, harmonic: np.ndarray, scores: np.ndarray) -> None:
    """Write the scores of one anchor from its histogram.

    Parameters
    ----------
    histogram : ndarray, shape (L, B), int
        Numbers of other rows by level and bin.
    harmonic : ndarray, shape (n + 1,), float64
        Harmonic numbers.
    scores : ndarray, shape (N_SCORES, L), float64
        Filled with the scores, see `RIGHT` and the names that follow it. A score that does not exist is 0.

    Notes
    -----
    The order within a bin is unknown, so each score is its mean over all orders of the members of each bin. The t-th of
    m members after P others then has rank P + t, and Σ_t 1/(P + t) is a difference of harmonic numbers.

    References
    ----------
    McSherry & Najork 2008, ECIR, 414.

    Examples
    --------
    >>> scores = np.zeros((N_SCORES, 2))
    >>> reduce_row(np.array([[1, 0], [0, 2]]), np.array([0, 1, 1.5, 1.5 + 1 / 3]), scores)
    >>> scores[AP].tolist(), scores[RIGHT].tolist()
    ([1.0, 1.0], [2.0, 0.0])
    """
    n_levels, n_bins = histogram.shape
    sizes, before = np.zeros(n_levels, dtype=np.int64), np.zeros(n_levels, dtype=np.int64)
    for level in range(n_levels):
        sizes[level] = histogram[level].sum()
    relevance = np.zeros(n_levels)
    for level in range(n_levels - 1):
        if sizes[level]:
            relevance[level] = (n_levels - 1 - level) / (n_levels - 1) / sizes[level]
    scores[:] = 0.0
    for b in range(n_bins):
        m = relevant = 0
        for level in range(n_levels):
            m += histogram[level, b]
            relevant += histogram[level, b] if level < n_levels - 1 else 0
        if not m:
            continue
        _add_triplets(histogram, b, before, sizes, scores)
        if relevant:
            _add_precisions(histogram, b, before, sizes, 0, harmonic, scores[AP], scores[R_PRECISION])
            _add_precisions(histogram, b, before, sizes, 1, harmonic, scores[AP_OTHER], scores[R_PRECISION_OTHER])
            scores[HIERARCHICAL_AP, 0] += _hierarchical_ap(histogram, b, before, relevance, harmonic)
        for level in range(n_levels):
            before[level] += histogram[level, b]
    _finish(sizes, relevance, scores)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_triplets(histogram: np.ndarray, b: int, before: np.ndarray, sizes: np.ndarray, scores: np.ndarray) -> None:
    """Add the triplets whose nearer relative is in one bin; `before` counts the rows of nearer bins by level."""
    farther = tied = 0
    for level in range(len(histogram) - 1, -1, -1):
        count = histogram[level, b]
        scores[RIGHT, level] += count * (farther + 0.5 * tied)
        scores[TIED, level] += 0.5 * count * tied
        tied += count
        farther += sizes[level] - before[level] - count


@njit(cache=True, nogil=True, error_model="numpy")
def _add_precisions(
    histogram: np.ndarray,
    b: int,
    before: np.ndarray,
    sizes: np.ndarray,
    first: int,
    harmonic: np.ndarray,
    ap: np.ndarray,
    r_precision: np.ndarray,
) -> None:
    """Add what the relevant rows of one bin contribute to AP and R-precision among the rows from a level on."""
    n_levels = len(histogram)
    m = seen = 0
    for level in range(first, n_levels):
        m += histogram[level, b]
        seen += before[level]
    if not m:
        return
    slope = harmonic[seen + m] - harmonic[seen]
    share_of, step_of = 1 / m, 1 / max(m - 1, 1)
    relevant = hits = total = 0
    for level in range(first, n_levels - 1):
        relevant += histogram[level, b]
        hits += before[level]
        total += sizes[level]
        if relevant:
            share = (relevant - 1) * step_of
            expected = m * share + (hits + 1 - share * (seen + 1)) * slope
            ap[level] += relevant * share_of * expected
            if seen < total:
                r_precision[level] += relevant * share_of * min(m, total - seen)


@njit(cache=True, nogil=True, error_model="numpy")
def _hierarchical_ap(
    histogram: np.ndarray, b: int, before: np.ndarray, relevance: np.ndarray, harmonic: np.ndarray
) -> float:
    """Return the contribution of one bin to hierarchical AP, before division by Σ relevance.

    It is as for AP, with min(relevance_k, relevance_j) in place of 1 for a hit.
    """
    n_levels = len(histogram)
    m = seen = 0
    for level in range(n_levels):
        m += histogram[level, b]
        seen += before[level]
    slope = harmonic[seen + m] - harmonic[seen]
    share_of, step_of = 1 / m, 1 / max(m - 1, 1)
    total = 0.0
    for level in range(n_levels - 1):
        count = histogram[level, b]
        if count:
            earlier, in_bin = relevance[level], -relevance[level]
            for other in range(n_levels - 1):
                weight = min(relevance[level], relevance[other])
                earlier += before[other] * weight
                in_bin += histogram[other, b] * weight
            share = in_bin * step_of
            total += count * share_of * (m * share + (earlier - share * (seen + 1)) * slope)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _finish(sizes: np.ndarray, relevance: np.ndarray, scores: np.ndarray) -> None:
    """Divide the sums over relevant rows by their number, and tell which scores exist."""
    last = len(sizes) - 1
    best, total = 0.0, 0
    for level in range(last, -1, -1):
        scores[TRIPLETS, level] = sizes[level] * total
        total += sizes[level]
        best += relevance[level] * sizes[level]
    total = 0
    for level in range(last + 1):
        scores[SIZE, level] = sizes[level]
        total += sizes[level]
        others = total - sizes[0]
        for ap, number in ((AP, total), (AP_OTHER, others)):  # R-precision and the mark of a score follow AP
            if number:
                scores[ap + 2, level] = 1.0
                scores[ap, level] = 1.0 if level == last else scores[ap, level] / number
                scores[ap + 1, level] = 1.0 if level == last else scores[ap + 1, level] / number
    if best > 0:
        scores[HIERARCHICAL_AP, 0] /= best
        scores[SCORED_HIERARCHICAL, 0] = 1.0
