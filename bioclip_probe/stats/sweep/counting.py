"""The inner loops of the pair sweep: place each pair in a bin, and reduce what one anchor sees of all others.

They are compiled by numba and let go of the interpreter's lock, so that threads share the rows of a tile. Counting
may be done on another device (`points.DevicePoints.count`); reducing is done here on every machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

#: Rows of `scores`: triplets in order, half of those tied within a bin, AP, R-precision, hierarchical AP (column 0).
RIGHT, TIED, AP, R_PRECISION, HIERARCHICAL_AP, SIZE, N_SCORES = range(7)


class Binning(NamedTuple):
    """A distance is rounded to a cell; the bin of each cell, and cells per unit of distance."""

    bins: np.ndarray
    scale: np.float32


class JackknifeGroups(NamedTuple):
    """The part of each row, and the rows of part g: ``members[starts[g] : starts[g + 1]]``."""

    part: np.ndarray
    members: np.ndarray
    starts: np.ndarray


class Totals(NamedTuple):
    """What a sweep adds up: ordered pairs by part of the anchor, level and bin, and the scores of each anchor."""

    by_group: np.ndarray
    within_group: np.ndarray
    harmonic: np.ndarray
    scores: np.ndarray


@njit(cache=True, nogil=True)
def bin_of(value, bins, scale):
    """The bin of the nearest cell; distances beyond either end go into the end."""
    return bins[min(max(int(value * scale + np.float32(0.5)), 0), len(bins) - 1)]


@njit(cache=True, nogil=True)
def fill_levels(start, between, depth, bins, scale, levels):
    """Level of the tree distance of rows `start`, `start + 1` … and each row: the running minimum of `tree.distances`.

    `between` is the depth of the common ancestor of each row and the next one, `depth` that of the rows themselves.
    """
    n = len(depth)
    for a in range(len(levels)):
        i = start + a
        row = levels[a]
        row[i] = bins[0]
        mrca = depth[i]
        for j in range(i + 1, n):
            mrca = min(mrca, between[j - 1])
            row[j] = bin_of(depth[i] + depth[j] - 2 * mrca, bins, scale)
        mrca = depth[i]
        for j in range(i - 1, -1, -1):
            mrca = min(mrca, between[j])
            row[j] = bin_of(depth[i] + depth[j] - 2 * mrca, bins, scale)


@njit(cache=True, nogil=True)
def fill_slices(start, first, last, levels):
    """The same where all rows are equally deep: clade l of a row is the slice from `first[l]` to `last[l]`."""
    for a in range(len(levels)):
        i = start + a
        row = levels[a]
        left = right = i
        for level in range(len(first)):
            row[first[level, i] : left] = level
            row[right : last[level, i]] = level
            left, right = first[level, i], last[level, i]


@njit(cache=True, nogil=True)
def count_row(distances, levels, own, bins, scale, histogram):
    """Count a row of distances by level and bin, shape (L, B), the anchor itself left out."""
    histogram[:] = 0
    for j in range(len(distances)):
        histogram[levels[j], bin_of(distances[j], bins, scale)] += 1
    histogram[levels[own], bin_of(distances[own], bins, scale)] -= 1


@njit(cache=True, nogil=True)
def count_part(distances, levels, own, members, bins, scale, within):
    """Add to `within` the pairs of an anchor with the members of its own part."""
    for j in members:
        if j != own:
            within[levels[j], bin_of(distances[j], bins, scale)] += 1


@njit(cache=True, nogil=True)
def tally(tile, levels, start, binning, parts, totals):
    """Count the pairs of a tile of rows by part of the anchor, all and those within the part, and score the anchors."""
    histogram = np.zeros(totals.by_group.shape[1:], dtype=np.int32)
    for a in range(len(tile)):
        own, g = start + a, parts.part[start + a]
        count_row(tile[a], levels[a], own, binning.bins, binning.scale, histogram)
        members = parts.members[parts.starts[g] : parts.starts[g + 1]]
        count_part(tile[a], levels[a], own, members, binning.bins, binning.scale, totals.within_group[g])
        totals.by_group[g] += histogram
        if len(totals.scores):
            reduce_row(histogram, totals.harmonic, totals.scores[own])


@njit(cache=True, nogil=True)
def tally_counted(histograms, start, parts, totals):
    """What is left of `tally` where the rows of a tile were counted elsewhere, shape (b, L, B)."""
    for a in range(len(histograms)):
        totals.by_group[parts.part[start + a]] += histograms[a]
        if len(totals.scores):
            reduce_row(histograms[a], totals.harmonic, totals.scores[start + a])


@njit(cache=True, nogil=True)
def score_sizes(sizes, harmonic, scores):
    """Scores of anchors that see so many at each level, shape (n, L), all at one distance: their chance level."""
    for a in range(len(sizes)):
        reduce_row(sizes[a].reshape(-1, 1), harmonic, scores[a])


@njit(cache=True, nogil=True)
def reduce_row(histogram, harmonic, scores):
    """Scores of one anchor from its histogram, shape (N_SCORES, L).

    Within a bin the order is unknown: each score is its mean over all orders of the bin's members (McSherry & Najork
    2008, ECIR). The t-th of m members after P others is then at place P + t, and Σ_t 1/(P + t) is a difference of
    harmonic numbers.
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
            here = histogram[level, b]
            scores[RIGHT, level] += here * (farther + 0.5 * tied)
            scores[TIED, level] += 0.5 * here * tied
            tied += here
            farther += sizes[level] - before[level] - here
        share_of, step_of = 1 / m, 1 / max(m - 1, 1)
        relevant = found = total = 0
        for level in range(n_levels - 1):
            relevant += histogram[level, b]
            found += before[level]
            total += sizes[level]
            if relevant:
                share = (relevant - 1) * step_of
                expected = m * share + (found + 1 - share * (seen + 1)) * slope
                scores[AP, level] += relevant * share_of * expected
                if seen < total:
                    scores[R_PRECISION, level] += relevant * share_of * min(m, total - seen)
        if relevant:
            scores[HIERARCHICAL_AP, 0] += hierarchical(histogram[:, b], before, relevance, m, seen, slope)
        seen += m
        for level in range(n_levels):
            before[level] += histogram[level, b]
    total, whole = 0, 0.0
    for level in range(n_levels):
        total += sizes[level]
        whole += relevance[level] * sizes[level]
        if level == n_levels - 1:  # all are relevant
            scores[AP, level] = scores[R_PRECISION, level] = total
        scores[AP, level] /= max(total, 1)
        scores[R_PRECISION, level] /= max(total, 1)
    scores[HIERARCHICAL_AP, 0] = scores[HIERARCHICAL_AP, 0] / whole if whole > 0 else np.nan


@njit(cache=True, nogil=True)
def hierarchical(here, before, relevance, m, seen, slope):
    """The part of one bin in hierarchical AP, not yet over Σ rel: as for AP, with min(rel_k, rel_j) for a hit."""
    found = 0.0
    for level in range(len(here) - 1):
        if here[level]:
            earlier, beside = relevance[level], -relevance[level]
            for other in range(len(here) - 1):
                weight = min(relevance[level], relevance[other])
                earlier += before[other] * weight
                beside += here[other] * weight
            share = beside / max(m - 1, 1)
            found += here[level] / m * (m * share + (earlier - share * (seen + 1)) * slope)
    return found


@njit(cache=True, nogil=True)
def reach(tile, start, groups, k, slack, limit, count):
    """How far candidates for the k nearest of each row may lie, and how many they are; the row's group left out."""
    for a in range(len(tile)):
        row, own = tile[a], start + a
        nearest = np.full(k, np.inf, dtype=np.float32)
        for j in range(len(row)):
            if row[j] < nearest[k - 1] and j != own and (groups[own] < 0 or groups[j] != groups[own]):
                place = k - 1
                while place > 0 and nearest[place - 1] > row[j]:
                    nearest[place] = nearest[place - 1]
                    place -= 1
                nearest[place] = row[j]
        limit[a] = nearest[k - 1] + slack
        for j in range(len(row)):
            if row[j] <= limit[a] and j != own and (groups[own] < 0 or groups[j] != groups[own]):
                count[a] += 1


@njit(cache=True, nogil=True)
def gather(tile, start, groups, limit, first, neighbour):
    """The candidates that `reach` counted, those of row a from `first[a]` on."""
    for a in range(len(tile)):
        row, own, place = tile[a], start + a, first[a]
        for j in range(len(row)):
            if row[j] <= limit[a] and j != own and (groups[own] < 0 or groups[j] != groups[own]):
                neighbour[place] = j
                place += 1
