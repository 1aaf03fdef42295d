"""Scores of an anchor from its counts of other rows by level and bin.

An anchor is a row whose distances to all other rows are looked at. A level is a class of equal tree distance, from 0
(nearest, rows at the anchor's own tip) on; a bin is a class of nearly equal embedding distance. The functions are
compiled by numba and release the interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bioclip_probe.stats.table_loops import add_table, clear_table

#: Rows of `scores`. Triplets whose nearer relative is at the level: those in order, half of those tied in a bin, all of
#: them. Where all rows up to the level are relevant: AP, R-precision, and 1 if the anchor has a relevant row and
#: therefore a score. The same three without the rows at the anchor's own tip. Hierarchical AP, and 1 if it exists (both
#: in column 0). The number of rows at the level. The copies of an anchor are none of its rows.
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
    scores, histogram = np.zeros(sums.shape), np.empty((sizes.shape[1], 1), dtype=np.int32)
    for a in range(len(sizes)):
        for level in range(sizes.shape[1]):
            histogram[level, 0] = sizes[a, level]
        reduce_row(histogram, harmonic, scores)
        add_table(sums, scores)


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
        Filled with the scores, see `RIGHT` and the names that follow it. A score that does not exist is 0.

    Notes
    -----
    The order within a bin is unknown, so each score is its mean over all orders of the members of each bin. The t-th of
    m members after P others then has rank P + t, and s = Σ_t 1/(P + t) is a difference of harmonic numbers. If r of the
    m are relevant, and h of the P, the precisions of the r add up to r ((r − 1) a + (h + 1) b), with b = s/m and
    a = (1 − (P + 1) b)/(m − 1).

    In hierarchical AP, min(rel_k, rel_j) is the sum of the steps between relevances that both rel_k and rel_j reach. So
    it is a sum of such precisions, one for each relevance, whose relevant rows are those that reach it.

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
    clear_table(scores)
    counts = _occupied_bins(histogram)
    n_bins = counts.shape[1]
    members, before = np.zeros((2, n_bins)), np.empty((2, n_bins))  # of all rows, and of those from level 1 on
    weights = np.empty((4, n_bins))
    for level in range(len(counts) - 1, -1, -1):
        for b in range(n_bins):
            members[0, b] += counts[level, b]
            members[1, b] += counts[level, b] if level else 0
    for of in range(2):
        _fill_before(members[of], before[of])
        _fill_weights(members[of], before[of], harmonic, weights[2 * of : 2 * of + 2])
    _add_levels(counts, members, before, weights, scores)
    _finish(scores)
    _add_hierarchical_ap(counts, weights, scores)


@njit(cache=True, nogil=True)
def _occupied_bins(histogram: np.ndarray) -> np.ndarray:
    """Return the counts of the bins that are not empty; of all bins where few are, and of one where all are."""
    n_levels, n_bins = histogram.shape
    members = np.zeros(n_bins, dtype=histogram.dtype)
    for level in range(n_levels):
        for b in range(n_bins):
            members[b] += histogram[level, b]
    n_occupied = 0
    for b in range(n_bins):
        if members[b]:
            members[n_occupied] = b
            n_occupied += 1
    n_occupied = max(n_occupied, 1)
    if n_occupied > n_bins // 2:
        return histogram
    counts = np.empty((n_levels, n_occupied), dtype=histogram.dtype)
    for level in range(n_levels):
        for b in range(n_occupied):
            counts[level, b] = histogram[level, members[b]]
    return counts


@njit(cache=True, nogil=True)
def _sum(values: np.ndarray) -> float:
    """Return the sum of some whole numbers."""
    total = 0.0
    for value in values:
        total += value
    return total


@njit(cache=True, nogil=True)
def _fill_before(members: np.ndarray, before: np.ndarray) -> float:
    """Write how many rows are in nearer bins than each bin, and return the number of all rows."""
    total = 0
    for b in range(len(members)):
        before[b] = total
        total += int(members[b])
    return float(total)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_weights(members: np.ndarray, before: np.ndarray, harmonic: np.ndarray, weights: np.ndarray) -> None:
    """Write the weights a and b of each bin, see `reduce_row`; 0 for an empty bin."""
    for b in range(len(members)):
        m, first = members[b], int(before[b])
        slope = harmonic[first + int(m)] - harmonic[first]
        share = 1 / max(m, 1.0)
        weights[0, b] = share / max(m - 1, 1.0) * (m - (before[b] + 1) * slope)
        weights[1, b] = share * slope


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def _add_levels(
    counts: np.ndarray, members: np.ndarray, before: np.ndarray, weights: np.ndarray, scores: np.ndarray
) -> None:
    """Write sizes, triplets, and the sums of precisions and the hits where all rows up to a level are relevant.

    The latter two also among the rows from level 1 on, which members, rows before and weights are of in the second
    place.
    """
    n_levels, n_bins = counts.shape
    relevant, hits, own_hits = np.zeros(n_bins), np.zeros(n_bins), np.empty(n_bins)
    own_size = _fill_before(counts[0], own_hits)
    n, total = before[0, -1] + members[0, -1], 0.0
    for level in range(n_levels):
        for b in range(n_bins):
            relevant[b] += counts[level, b]
        size = -total
        total = _fill_before(relevant, hits)
        size += total
        scores[SIZE, level], scores[TRIPLETS, level] = size, size * (n - total)
        if not size:
            if level:
                for score in (AP, R_PRECISION, AP_OTHER, R_PRECISION_OTHER):
                    scores[score, level] = scores[score, level - 1]
            continue
        right = tied = precisions = others = 0.0
        for b in range(n_bins):
            count, r, h, farther = float(counts[level, b]), relevant[b], hits[b], members[0, b] - relevant[b]
            precisions += r * ((r - 1) * weights[0, b] + (h + 1) * weights[1, b])
            right += count * ((n - total) - (before[0, b] - h) - 0.5 * farther)
            tied += 0.5 * count * farther
            r -= counts[0, b]
            h -= own_hits[b]
            others += r * ((r - 1) * weights[2, b] + (h + 1) * weights[3, b])
        scores[RIGHT, level], scores[TIED, level] = right, tied
        scores[AP, level], scores[AP_OTHER, level] = precisions, others
        last, part = _last_bin(members[0], before[0], total)
        scores[R_PRECISION, level] = hits[last] + relevant[last] * part
        if total > own_size:
            last, part = _last_bin(members[1], before[1], total - own_size)
            of_last = (relevant[last] - counts[0, last]) * part
            scores[R_PRECISION_OTHER, level] = hits[last] - own_hits[last] + of_last


@njit(cache=True, nogil=True, error_model="numpy")
def _last_bin(members: np.ndarray, before: np.ndarray, n: float) -> tuple[int, float]:
    """Return the bin that holds the last of the n nearest rows, and the share of its members that are among them."""
    last, stop = 0, len(before)  # the last bin that begins before n, by bisection
    while stop - last > 1:
        middle = (last + stop) // 2
        if before[middle] < n:
            last = middle
        else:
            stop = middle
    return last, min(members[last], n - before[last]) / members[last]


@njit(cache=True, nogil=True, error_model="numpy")
def _finish(scores: np.ndarray) -> None:
    """Divide the sums over relevant rows by their number, and tell which scores exist."""
    last = scores.shape[1] - 1
    total = 0.0
    for level in range(last + 1):
        total += scores[SIZE, level]
        for ap, number in ((AP, total), (AP_OTHER, total - scores[SIZE, 0])):  # R-precision and the mark follow AP
            if number:
                scores[ap + 2, level] = 1.0
                scores[ap, level] = 1.0 if level == last else scores[ap, level] / number
                scores[ap + 1, level] = 1.0 if level == last else scores[ap + 1, level] / number


@njit(cache=True, nogil=True, error_model="numpy")
def _add_hierarchical_ap(counts: np.ndarray, weights: np.ndarray, scores: np.ndarray) -> None:
    """Write hierarchical AP, from AP where the rows of the highest relevances are those of the nearest levels."""
    last = len(counts) - 1
    relevance, total, best = np.zeros(last + 1), 0.0, 0.0
    for level in range(last):
        if scores[SIZE, level]:
            relevance[level] = (last - level) / last / scores[SIZE, level]
            best += relevance[level] * scores[SIZE, level]
    if not best:
        return
    order = _falling(relevance)
    deepest, n_rows = -1, 0.0
    for number in range(last):
        least = relevance[order[number]]
        step = least - relevance[order[number + 1]]
        deepest = max(deepest, order[number])
        n_rows += scores[SIZE, order[number]]
        if step and n_rows == _sum(scores[SIZE, : deepest + 1]):
            total += step * scores[AP, deepest] * n_rows
        elif step:
            total += step * _precisions(counts, order[: number + 1], weights)
    scores[HIERARCHICAL_AP, 0] = total / best
    scores[SCORED_HIERARCHICAL, 0] = 1.0


@njit(cache=True, nogil=True)
def _falling(values: np.ndarray) -> np.ndarray:
    """Return the places of a few values from the largest to the smallest; ties stay in order."""
    order = np.empty(len(values), dtype=np.int64)
    for i in range(len(values)):
        place = i
        while place and values[order[place - 1]] < values[i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i
    return order


@njit(cache=True, nogil=True, error_model="numpy")
def _precisions(counts: np.ndarray, levels: np.ndarray, weights: np.ndarray) -> float:
    """Return the sum of the precisions of the rows at some levels."""
    total = hits = 0.0
    for b in range(counts.shape[1]):
        r = 0.0
        for level in levels:
            r += counts[level, b]
        total += r * ((r - 1) * weights[0, b] + (hits + 1) * weights[1, b])
        hits += r
    return total
