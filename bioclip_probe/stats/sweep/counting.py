"""Inner loops of the sweep over pairs: find the level and the bin of each pair, and count the pairs.

The functions are compiled by numba and release the interpreter's lock, so that threads share the blocks of rows. On a
device of torch, `device` does the same.

An anchor is a row whose distances to all other rows are looked at. A level is a class of equal tree distance, from 0
(nearest) on; a bin is a class of nearly equal embedding distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.points import Space


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


class LevelTable(NamedTuple):
    """The inputs of `fill_levels` and of `fill_levels_from_clades`.

    Attributes
    ----------
    between : ndarray, shape (n - 1,), float64
        Depth of the common ancestor of each row and the next one.
    depth : ndarray, shape (n,), float64
        Depth of each row.
    bins, scale
        The level of each cell of tree distance, see `Binning`.
    first, last : ndarray, shape (L, n), int64
        Clade l of row i is the slice of rows from ``first[l, i]`` to ``last[l, i]``. L is 0 unless all rows are equally
        deep.

    Examples
    --------
    >>> LevelTable(np.zeros(0), np.ones(1), np.zeros(1), np.float32(1), *np.zeros((2, 0, 1), dtype=int)).first.shape
    (0, 1)
    """

    between: np.ndarray
    depth: np.ndarray
    bins: np.ndarray
    scale: np.float32
    first: np.ndarray
    last: np.ndarray


class JackknifeGroups(NamedTuple):
    """The jackknife group of each row, and the rows of each group g: ``members[starts[g] : starts[g + 1]]``.

    Attributes
    ----------
    group : ndarray, shape (n,), int64
    members : ndarray, shape (n,), int64
    starts : ndarray, shape (G + 1,), int64

    Examples
    --------
    >>> JackknifeGroups.of(np.array([1, 0, 1]), 2).members.tolist()
    [1, 0, 2]
    """

    group: np.ndarray
    members: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, group: np.ndarray, n_groups: int) -> JackknifeGroups:
        """Sort rows by their jackknife group.

        Parameters
        ----------
        group : ndarray, shape (n,), int64
            From 0.
        n_groups : int
            Number of groups, some of which may have no row.

        Returns
        -------
        JackknifeGroups
        """
        members = np.argsort(group, kind="stable")
        return cls(group.astype(np.int64), members, np.searchsorted(group[members], np.arange(n_groups + 1)))


class Totals(NamedTuple):
    """Arrays to which a sweep adds.

    Attributes
    ----------
    by_group : ndarray, shape (G, L, B), int64
        Ordered pairs by jackknife group of the anchor, level and bin.
    within_group : ndarray, shape (G, L, B), int64
        The pairs of them whose other row is in the same group.
    permuted : ndarray, shape (P, L, b), int64
        Ordered pairs on each permuted tree by level and coarse bin; their anchors are those of `PermutedTips`.

    Examples
    --------
    >>> Totals(*np.zeros((2, 1, 2, 3), dtype=int), np.zeros((0, 2, 3), dtype=int)).by_group.shape
    (1, 2, 3)
    """

    by_group: np.ndarray
    within_group: np.ndarray
    permuted: np.ndarray


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
            for j in range(first[level, i], left):
                row[j] = level
            for j in range(right, last[level, i]):
                row[j] = level
            left, right = first[level, i], last[level, i]


@njit(cache=True, nogil=True)
def fill_distances(products: np.ndarray, row: int, space: Space, result: np.ndarray) -> None:
    """Write the distances of a row and all rows from its products.

    Parameters
    ----------
    products : ndarray, shape (n,), float32
        From ``points.products``.
    row : int
    space : Space
    result : ndarray, shape (n,), float32
        Filled with the distances.

    Examples
    --------
    >>> result, ones = np.zeros(2, dtype=np.float32), np.ones(2, dtype=np.float32)
    >>> fill_distances(np.array([1, 0.25], dtype=np.float32), 0, Space(ones / 2, ones), result)
    >>> result.tolist()
    [0.0, 0.75]
    """
    half, weight = space.half[row], space.weight[row]
    for j in range(len(result)):
        result[j] = half + space.half[j] - weight * space.weight[j] * products[j]


@njit(cache=True, nogil=True)
def fill_bins(distances: np.ndarray, bins: np.ndarray, scale: np.float32, result: np.ndarray) -> None:
    """Write the bins of distances.

    Parameters
    ----------
    distances : ndarray, shape (n,), float32
    bins, scale
        See `Binning`.
    result : ndarray, shape (n,), uint16
        Filled with the bins.

    Examples
    --------
    >>> result = np.zeros(2, dtype=np.uint16)
    >>> fill_bins(np.array([0.1, 1.0], dtype=np.float32), np.array([0, 1], dtype=np.uint16), np.float32(1), result)
    >>> result.tolist()
    [0, 1]
    """
    for j in range(len(distances)):
        result[j] = bin_of(distances[j], bins, scale)


@njit(cache=True, nogil=True)
def count_cells(products: np.ndarray, rows: np.ndarray, space: Space, scale: np.float32, counts: np.ndarray) -> None:
    """Count the distances of some rows and all others by cell.

    Parameters
    ----------
    products : ndarray, shape (b, n), float32
        From ``points.products``.
    rows : ndarray, shape (b,), int64
        The row of each anchor; a row and itself are no pair.
    space : Space
    scale
        See `Binning`.
    counts : ndarray, shape (n_cells,), int64
        The counts are added to it.

    Examples
    --------
    >>> counts, space = np.zeros(3, dtype=np.int64), Space(*np.ones((2, 3), dtype=np.float32))
    >>> count_cells(np.array([[2, 1, -7]], dtype=np.float32), np.array([0]), space, np.float32(1), counts)
    >>> counts.tolist()
    [0, 1, 1]
    """
    last = len(counts) - 1
    distances = np.empty(products.shape[1], dtype=np.float32)
    for a in range(len(rows)):
        fill_distances(products[a], rows[a], space, distances)
        for j in range(len(distances)):
            if j != rows[a]:
                counts[min(max(int(distances[j] * scale + np.float32(0.5)), 0), last)] += 1


@njit(cache=True, nogil=True)
def count_pairs(bins: np.ndarray, levels: np.ndarray, start: int, groups: JackknifeGroups, totals: Totals) -> None:
    """Count the pairs of a block of rows by jackknife group of the anchor, level and bin.

    Parameters
    ----------
    bins : ndarray, shape (b, n), uint16
        Bins of the distances of the rows from `start` on and all rows.
    levels : ndarray, shape (b, n), uint8
        Levels of the same pairs.
    start : int
    groups : JackknifeGroups
    totals : Totals
        The counts are added to it.

    Examples
    --------
    >>> totals = Totals(*np.zeros((2, 1, 2, 2), dtype=int), np.zeros((0, 2, 2), dtype=int))
    >>> bins, levels = np.array([[0, 1], [1, 0]], np.uint16), np.array([[0, 1], [1, 0]], np.uint8)
    >>> count_pairs(bins, levels, 0, JackknifeGroups.of(np.zeros(2, int), 1), totals)
    >>> totals.by_group.tolist()
    [[[0, 0], [0, 2]]]
    """
    for a in range(len(bins)):
        own, g = start + a, groups.group[start + a]
        for j in range(bins.shape[1]):
            totals.by_group[g, levels[a, j], bins[a, j]] += 1
        totals.by_group[g, levels[a, own], bins[a, own]] -= 1
    count_within_groups(bins, levels, start, groups, totals)


@njit(cache=True, nogil=True)
def count_within_groups(
    bins: np.ndarray, levels: np.ndarray, start: int, groups: JackknifeGroups, totals: Totals
) -> None:
    """Count the pairs of a block of rows whose other row is in the same jackknife group.

    Parameters
    ----------
    bins, levels, start, groups, totals
        As for `count_pairs`.

    Examples
    --------
    >>> totals = Totals(*np.zeros((2, 1, 2, 2), dtype=int), np.zeros((0, 2, 2), dtype=int))
    >>> bins, levels = np.array([[0, 1], [1, 0]], np.uint16), np.array([[0, 1], [1, 0]], np.uint8)
    >>> count_within_groups(bins, levels, 0, JackknifeGroups.of(np.zeros(2, int), 1), totals)
    >>> totals.within_group.tolist()
    [[[0, 0], [0, 2]]]
    """
    for a in range(len(bins)):
        own, g = start + a, groups.group[start + a]
        for j in groups.members[groups.starts[g] : groups.starts[g + 1]]:
            if j != own:
                totals.within_group[g, levels[a, j], bins[a, j]] += 1
