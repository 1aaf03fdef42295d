"""Inner loops of the sweep over pairs: find the level and the bin of each pair, and count them.

The functions are compiled by numba and release the interpreter's lock, so that threads share the rows of a tile.
Pairs may be counted on another device (`points.DevicePoints.count`); `scoring` reduces the counts of an anchor to its
scores, always on the processor.

An anchor is a row whose distances to all other rows are looked at. A level is a class of equal tree distance, from 0
(nearest) on; a bin is a class of nearly equal embedding distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.scoring import reduce_row


class Binning(NamedTuple):
    """A table that turns distances into bins: a distance is rounded to a cell, and each cell belongs to a bin.

    Attributes
    ----------
    bins : ndarray, shape (n_cells,)
        The bin of each cell.
    scale : numpy.float32
        Cells per unit of distance.

    Examples
    --------
    >>> Binning(np.array([0, 0, 1]), np.float32(2.0)).scale
    np.float32(2.0)
    """

    bins: np.ndarray
    scale: np.float32


class JackknifeGroups(NamedTuple):
    """The jackknife group of each row, and the rows of each group g: ``members[starts[g] : starts[g + 1]]``.

    Attributes
    ----------
    group : ndarray, shape (n,), int64
    members : ndarray, shape (n,), int64
    starts : ndarray, shape (G + 1,), int64

    Examples
    --------
    >>> JackknifeGroups.of(np.array([1, 0, 1])).members.tolist()
    [1, 0, 2]
    """

    group: np.ndarray
    members: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, group: np.ndarray) -> JackknifeGroups:
        """Sort rows by their jackknife group.

        Parameters
        ----------
        group : ndarray, shape (n,), int64
            From 0.

        Returns
        -------
        JackknifeGroups
        """
        members = np.argsort(group, kind="stable")
        starts = np.searchsorted(group[members], np.arange(int(group.max(initial=-1)) + 2))
        return cls(group.astype(np.int64), members, starts)


class Totals(NamedTuple):
    """Arrays to which a sweep adds, and the harmonic numbers that it needs.

    Attributes
    ----------
    by_group : ndarray, shape (G, L, B), int64
        Ordered pairs by jackknife group of the anchor, level and bin.
    within_group : ndarray, shape (G, L, B), int64
        The pairs of them whose other row is in the same group.
    harmonic : ndarray, shape (n + 1,), float64
        Harmonic numbers 0, 1, 1 + 1/2, …
    scores : ndarray, shape (n, N_SCORES, L), float64
        Scores of each anchor, see `scoring`; of shape (0, …) if anchors are not scored.

    Examples
    --------
    >>> Totals(*np.zeros((2, 1, 2, 3), dtype=int), np.zeros(4), np.zeros((0, 7, 2))).by_group.shape
    (1, 2, 3)
    """

    by_group: np.ndarray
    within_group: np.ndarray
    harmonic: np.ndarray
    scores: np.ndarray


@njit(cache=True, nogil=True)
def bin_of(value: float, bins: np.ndarray, scale: np.float32) -> int:
    """Return the bin of the nearest cell; distances beyond either end belong to the end.

    Parameters
    ----------
    value : float
        A distance.
    bins, scale
        See `Binning`.

    Returns
    -------
    int

    Examples
    --------
    >>> int(bin_of(np.float32(0.9), np.array([0, 0, 1]), np.float32(2.0)))
    1
    """
    return bins[min(max(int(value * scale + np.float32(0.5)), 0), len(bins) - 1)]


@njit(cache=True, nogil=True)
def fill_levels(
    start: int, between: np.ndarray, depth: np.ndarray, bins: np.ndarray, scale: np.float32, levels: np.ndarray
) -> None:
    """Write the level of the tree distance of some rows and all rows, by the running minimum of `tree.distances`.

    Parameters
    ----------
    start : int
        The first of the rows, which follow one another.
    between : ndarray, shape (n - 1,), float64
        Depth of the common ancestor of each row and the next one.
    depth : ndarray, shape (n,), float64
        Depth of each row.
    bins, scale
        See `Binning`.
    levels : ndarray, shape (b, n)
        Filled with the levels of the rows from `start` to ``start + b``.

    Examples
    --------
    >>> levels = np.zeros((1, 3), dtype=np.uint8)
    >>> bins = np.array([0, 0, 1, 1, 2], dtype=np.uint8)
    >>> fill_levels(0, np.array([1.0, 0.0]), np.array([2.0, 2.0, 2.0]), bins, np.float32(1.0), levels)
    >>> levels.tolist()
    [[0, 1, 2]]
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
def fill_levels_from_clades(start: int, first: np.ndarray, last: np.ndarray, levels: np.ndarray) -> None:
    """Write the level of the tree distance of some rows and all rows, where all rows are equally deep.

    Parameters
    ----------
    start : int
        The first of the rows, which follow one another.
    first, last : ndarray, shape (L, n), int64
        Clade l of row i is the slice of rows from ``first[l, i]`` to ``last[l, i]``.
    levels : ndarray, shape (b, n)
        Filled with the levels of the rows from `start` to ``start + b``.

    Examples
    --------
    >>> levels = np.zeros((1, 3), dtype=np.uint8)
    >>> fill_levels_from_clades(0, np.array([[0, 1, 2], [0, 0, 0]]), np.array([[1, 2, 3], [3, 3, 3]]), levels)
    >>> levels.tolist()
    [[0, 1, 1]]
    """
    for a in range(len(levels)):
        i = start + a
        row = levels[a]
        left = right = i
        for level in range(len(first)):
            row[first[level, i] : left] = level
            row[right : last[level, i]] = level
            left, right = first[level, i], last[level, i]


@njit(cache=True, nogil=True)
def count_row(
    distances: np.ndarray, levels: np.ndarray, own: int, bins: np.ndarray, scale: np.float32, histogram: np.ndarray
) -> None:
    """Count a row of distances by level and bin, without the anchor itself.

    Parameters
    ----------
    distances : ndarray, shape (n,), float32
    levels : ndarray, shape (n,), uint8
    own : int
        The row of the anchor.
    bins, scale
        See `Binning`.
    histogram : ndarray, shape (L, B)
        Overwritten with the counts.

    Examples
    --------
    >>> histogram = np.zeros((2, 2), dtype=np.int32)
    >>> distances, levels = np.array([0.0, 0.1, 1.0], dtype=np.float32), np.array([0, 1, 1], dtype=np.uint8)
    >>> count_row(distances, levels, 0, np.array([0, 1]), np.float32(1.0), histogram)
    >>> histogram.tolist()
    [[0, 0], [1, 1]]
    """
    histogram[:] = 0
    for j in range(len(distances)):
        histogram[levels[j], bin_of(distances[j], bins, scale)] += 1
    histogram[levels[own], bin_of(distances[own], bins, scale)] -= 1


@njit(cache=True, nogil=True)
def _count_group(
    distances: np.ndarray,
    levels: np.ndarray,
    own: int,
    members: np.ndarray,
    binning: Binning,
    within_group: np.ndarray,
) -> None:
    """Add to `within_group` the pairs of an anchor with the members of its own jackknife group."""
    bins, scale = binning.bins, binning.scale  # outside the loop, which runs for every pair
    for j in members:
        if j != own:
            within_group[levels[j], bin_of(distances[j], bins, scale)] += 1


@njit(cache=True, nogil=True)
def tally(
    tile: np.ndarray, levels: np.ndarray, start: int, binning: Binning, groups: JackknifeGroups, totals: Totals
) -> None:
    """Count the pairs of a tile of rows by jackknife group of the anchor, and score the anchors.

    Parameters
    ----------
    tile : ndarray, shape (b, n), float32
        Distances of the rows from `start` on and all rows.
    levels : ndarray, shape (b, n), uint8
        Levels of the same pairs.
    start : int
    binning : Binning
        Of embedding distance.
    groups : JackknifeGroups
    totals : Totals
        The counts are added to it, and the scores are written into it.

    Examples
    --------
    >>> totals = Totals(*np.zeros((2, 1, 2, 2), dtype=int), np.array([0, 1, 1.5]), np.zeros((0, 7, 2)))
    >>> tile, levels = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), np.array([[0, 1], [1, 0]], np.uint8)
    >>> tally(tile, levels, 0, Binning(np.array([0, 1]), np.float32(1)), JackknifeGroups.of(np.zeros(2, int)), totals)
    >>> totals.by_group.tolist()
    [[[0, 0], [0, 2]]]
    """
    histogram = np.zeros(totals.by_group.shape[1:], dtype=np.int32)
    for a in range(len(tile)):
        own, g = start + a, groups.group[start + a]
        count_row(tile[a], levels[a], own, binning.bins, binning.scale, histogram)
        members = groups.members[groups.starts[g] : groups.starts[g + 1]]
        _count_group(tile[a], levels[a], own, members, binning, totals.within_group[g])
        totals.by_group[g] += histogram
        if len(totals.scores):
            reduce_row(histogram, totals.harmonic, totals.scores[own])


@njit(cache=True, nogil=True)
def tally_histograms(histograms: np.ndarray, start: int, groups: JackknifeGroups, totals: Totals) -> None:
    """Do the rest of `tally` where the rows of a tile were counted on another device.

    Parameters
    ----------
    histograms : ndarray, shape (b, L, B), int32
        Counts of each row of the tile.
    start : int
    groups : JackknifeGroups
    totals : Totals
        All but `within_group` is updated.

    Examples
    --------
    >>> totals = Totals(*np.zeros((2, 1, 1, 1), dtype=int), np.array([0, 1, 1.5]), np.zeros((0, 7, 1)))
    >>> tally_histograms(np.ones((2, 1, 1), np.int32), 0, JackknifeGroups.of(np.zeros(2, int)), totals)
    >>> totals.by_group.tolist()
    [[[2]]]
    """
    for a in range(len(histograms)):
        totals.by_group[groups.group[start + a]] += histograms[a]
        if len(totals.scores):
            reduce_row(histograms[a], totals.harmonic, totals.scores[start + a])
