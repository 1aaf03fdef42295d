"""Scores of an anchor from its counts of other rows by level and bin.

An anchor is a row whose distances to all other rows are looked at. A level is a class of equal tree distance, from 0
(nearest) on; a bin is a class of nearly equal embedding distance. The functions are compiled by numba and release the
interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Rows of `scores`: triplets in order, half of those tied in a bin, AP, R-precision, hierarchical AP (in column 0),
#: numbers of rows at each level.
RIGHT, TIED, AP, R_PRECISION, HIERARCHICAL_AP, SIZE, N_SCORES = range(7)


@njit(cache=True, nogil=True)
def score_sizes(sizes: np.ndarray, harmonic: np.ndarray, scores: np.ndarray) -> None:
    """Score anchors as if all other rows were at one distance, which gives the chance level of each score.

    Parameters
    ----------
    sizes : ndarray, shape (n, L), int64
        Numbers of rows at each level.
    harmonic : ndarray, shape (n + 1,), float64
        Harmonic numbers.
    scores : ndarray, shape (n, N_SCORES, L), float64
        Filled with the scores.

    Examples
    --------
    >>> scores = np.zeros((1, N_SCORES, 2))
    >>> score_sizes(np.array([[1, 3]]), np.append(0, np.cumsum(1 / np.arange(1, 5))), scores)
    >>> scores[0, R_PRECISION].tolist()
    [0.25, 1.0]
    """
    for a in range(len(sizes)):
        reduce_row(sizes[a].reshape(-1, 1), harmonic, scores[a])


@njit(cache=True, nogil=True)
def reduce_row(histogram: np.ndarray, harmonic: np.ndarray, scores: np.ndarray) -> None:
    """Write the scores of one anchor from its histogram.

    Parameters
    ----------
    histogram : ndarray, shape (L, B), int
        Numbers of other rows by level and bin.
    harmonic : ndarray, shape (n + 1,), float64
        Harmonic numbers.
    scores : ndarray, shape (N_SCORES, L), float64
        Filled with the scores, see `RIGHT` and the names that follow it.

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
    scores[SIZE] = sizes
    seen = 0
    for b in range(n_bins):
        m = 0
        for level in range(n_levels):
            m += histogram[level, b]
        if not m:
            continue
        slope = harmonic[seen + m] - harmonic[seen]
        farther = tied = 0
        for level in range(n_levels - 1, -1, -1):
            count = histogram[level, b]
            scores[RIGHT, level] += count * (farther + 0.5 * tied)
            scores[TIED, level] += 0.5 * count * tied
            tied += count
            farther += sizes[level] - before[level] - count
        share_of, step_of = 1 / m, 1 / max(m - 1, 1)
        relevant = hits = total = 0
        for level in range(n_levels - 1):
            relevant += histogram[level, b]
            hits += before[level]
            total += sizes[level]
            if relevant:
                share = (relevant - 1) * step_of
                expected = m * share + (hits + 1 - share * (seen + 1)) * slope
                scores[AP, level] += relevant * share_of * expected
                if seen < total:
                    scores[R_PRECISION, level] += relevant * share_of * min(m, total - seen)
        if relevant:
            scores[HIERARCHICAL_AP, 0] += _hierarchical_ap(histogram[:, b], before, relevance, m, seen, slope)
        seen += m
        for level in range(n_levels):
            before[level] += histogram[level, b]
    total, best = 0, 0.0
    for level in range(n_levels):
        total += sizes[level]
        best += relevance[level] * sizes[level]
        if level == n_levels - 1:  # all rows are relevant
            scores[AP, level] = scores[R_PRECISION, level] = total
        scores[AP, level] /= max(total, 1)
        scores[R_PRECISION, level] /= max(total, 1)
    scores[HIERARCHICAL_AP, 0] = scores[HIERARCHICAL_AP, 0] / best if best > 0 else np.nan


@njit(cache=True, nogil=True)
def _hierarchical_ap(
    counts: np.ndarray, before: np.ndarray, relevance: np.ndarray, m: int, seen: int, slope: float
) -> float:
    """Return the contribution of one bin to hierarchical AP, before division by Σ relevance.

    It is as for AP, with min(relevance_k, relevance_j) in place of 1 for a hit. By level, `counts` are the numbers of
    rows in the bin and `before` those in nearer bins; `m` and `seen` are their sums over levels. `slope` is the sum of
    1/rank over the rows in the bin.
    """
    total = 0.0
    for level in range(len(counts) - 1):
        if counts[level]:
            earlier, in_bin = relevance[level], -relevance[level]
            for other in range(len(counts) - 1):
                weight = min(relevance[level], relevance[other])
                earlier += before[other] * weight
                in_bin += counts[other] * weight
            share = in_bin / max(m - 1, 1)
            total += counts[level] / m * (m * share + (earlier - share * (seen + 1)) * slope)
    return total
