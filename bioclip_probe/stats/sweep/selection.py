"""Compiled search for the nearest candidates of an anchor at each level of kinship, and walks along what was found.

Candidates stand in tree order, so those that meet an anchor at a level or below are a slice of the candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.candidates import exact_distance
from bioclip_probe.stats.sweep.cells import Cells


@njit(cache=True, nogil=True)
def nearest_by_level(
    tile: np.ndarray, start: int, cells: Cells, k: int, slack: np.float32
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest candidates of some cells at each level: enough that k remain without any jackknife group.

    Parameters
    ----------
    tile : ndarray, shape (b, c), float32
        Distances of the cells from `start` on and all cells.
    start : int
    cells : Cells
    k : int
        Number of images that must remain at each level where there are as many. All that tie with the last are kept.
    slack : numpy.float32
        Twice the error of the distances of the tile.

    Returns
    -------
    counts : ndarray, shape (b,), int64
        Number of candidates of each cell of the tile.
    neighbor : ndarray, int32
        The candidates of one cell after the other, nearest first.
    distance : ndarray, float64
        Their exact distances.
    level : ndarray, uint8
        The level at which they meet the cell.
    """
    counts = np.zeros(len(tile), dtype=np.int64)
    room = len(tile) * (2 * k + 8)
    neighbor, distance, level = np.empty(room, np.int32), np.empty(room), np.empty(room, np.uint8)
    near, place = np.empty(tile.shape[1], np.float32), np.empty(tile.shape[1], np.int64)
    in_group = np.zeros(cells.left_out.max() + 1, dtype=np.int64)
    n = 0
    for a in range(len(tile)):
        own, begin = start + a, n
        for one in range(len(cells.first)):
            n_near = _candidates_at(tile[a], own, one, cells, near, place)
            if not n_near:
                continue
            limit = _limit(near[:n_near], place[:n_near], own, cells, k, in_group) + slack
            inside = place[:n_near][near[:n_near] <= limit]
            exact = np.empty(len(inside))
            for i in range(len(inside)):
                other = inside[i]
                exact[i] = exact_distance(
                    cells.vectors[own], cells.vectors[other], cells.scale[own], cells.scale[other]
                )
            order = np.argsort(exact)
            stop = _enough(inside[order], exact[order], own, cells, k, in_group)
            while n + stop > len(neighbor):
                neighbor, distance, level = _doubled(neighbor), _doubled(distance), _doubled(level)
            neighbor[n : n + stop] = inside[order[:stop]]
            distance[n : n + stop] = exact[order[:stop]]
            level[n : n + stop] = one
            n += stop
        order = np.argsort(distance[begin:n], kind="mergesort")
        neighbor[begin:n] = neighbor[begin:n][order]
        distance[begin:n] = distance[begin:n][order]
        level[begin:n] = level[begin:n][order]
        counts[a] = n - begin
    return counts, neighbor[:n].copy(), distance[:n].copy(), level[:n].copy()


@njit(cache=True, nogil=True)
def _doubled(array: np.ndarray) -> np.ndarray:
    """Return the array with as much room again."""
    larger = np.empty(2 * len(array), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@njit(cache=True, nogil=True)
def _candidates_at(row: np.ndarray, own: int, one: int, cells: Cells, near: np.ndarray, place: np.ndarray) -> int:
    """Write the distances and the places of the candidates at a level, and return how many there are."""
    first, last = cells.first[one, own], cells.last[one, own]
    inner_first, inner_last = (cells.first[one - 1, own], cells.last[one - 1, own]) if one else (first, first)
    group, n = cells.group[own], 0
    for part in range(2):
        for j in range(first if part == 0 else inner_last, inner_first if part == 0 else last):
            if (group >= 0 and cells.group[j] == group) or (j == own and cells.size[own] == 1):
                continue
            near[n], place[n] = row[j], j
            n += 1
    return n


@njit(cache=True, nogil=True)
def _limit(near: np.ndarray, place: np.ndarray, own: int, cells: Cells, k: int, in_group: np.ndarray) -> np.float32:
    """Return a distance within which k images remain without any jackknife group; infinite if all are needed."""
    wanted = 2 * k
    while wanted < len(near):
        limit = np.partition(near, wanted - 1)[wanted - 1]
        inside = place[near <= limit]
        if _remaining(inside, own, cells, in_group) >= k:
            return limit
        wanted *= 4
    return np.float32(np.inf)


@njit(cache=True, nogil=True)
def _remaining(inside: np.ndarray, own: int, cells: Cells, in_group: np.ndarray) -> int:
    """Return how many images remain of some candidates without the jackknife group that holds most of them.

    Without its own group, the anchor itself is left out, so that this group does not count.
    """
    total, most = 0, 0
    in_group[:] = 0
    for j in inside:
        size = cells.size[j] - (j == own)
        total += size
        if cells.left_out[j] != cells.left_out[own]:
            in_group[cells.left_out[j]] += size
            most = max(most, in_group[cells.left_out[j]])
    return total - most


@njit(cache=True, nogil=True)
def _enough(inside: np.ndarray, exact: np.ndarray, own: int, cells: Cells, k: int, in_group: np.ndarray) -> int:
    """Return how many of some sorted candidates are needed, so that k images remain and no tie is cut."""
    total, most = 0, 0
    in_group[:] = 0
    for i in range(len(inside)):
        if i and exact[i] > exact[i - 1] and total - most >= k:
            return i
        j = inside[i]
        size = cells.size[j] - (j == own)
        total += size
        if cells.left_out[j] != cells.left_out[own]:
            in_group[cells.left_out[j]] += size
            most = max(most, in_group[cells.left_out[j]])
    return len(inside)


class Entries(NamedTuple):
    """The nearest candidates of all cells, nearest first: those of cell i are ``start[i]:start[i + 1]``.

    Attributes
    ----------
    start : ndarray, shape (c + 1,), int64
    neighbor : ndarray, shape (e,), int32
    distance : ndarray, shape (e,), float64
    level : ndarray, shape (e,), uint8

    Examples
    --------
    >>> Entries(np.array([0, 1]), np.array([0]), np.array([0.0]), np.array([0])).neighbor
    array([0])
    """

    start: np.ndarray
    neighbor: np.ndarray
    distance: np.ndarray
    level: np.ndarray


@njit(cache=True, nogil=True)
def neighbor_weights(entries: Entries, cells: Cells, k: int, least: int, left_out: int, weight: np.ndarray) -> None:
    """Write the share of each candidate among the k nearest images of its anchor.

    Candidates at exactly one distance share the places that are left for them: the weights are the mean over random
    orders of such candidates.

    Parameters
    ----------
    entries : Entries
    cells : Cells
    k : int
        At most that of `nearest_by_level`.
    least : int
        Candidates that meet the anchor below this level are passed over.
    left_out : int
        Jackknife group that is left out, as anchors and as candidates; -1 for none.
    weight : ndarray, shape (e,), float64
        Filled. The weights of an anchor add up to 1, also where it has fewer than k candidates; all are 0 where it has
        none or is left out.
    """
    for own in range(len(entries.start) - 1):
        i, stop, found = entries.start[own], entries.start[own + 1], 0
        weight[i:stop] = 0.0
        if cells.left_out[own] == left_out:
            continue
        begin = i
        while i < stop and found < k:
            end, tied = i, 0
            while end < stop and entries.distance[end] == entries.distance[i]:
                tied += _images(entries, cells, own, end, least, left_out)
                end += 1
            if tied:
                share = min(1.0, (k - found) / tied)
                for j in range(i, end):
                    weight[j] = share * _images(entries, cells, own, j, least, left_out)
                found += tied
            i = end
        if found:
            weight[begin:i] /= min(found, k)


@njit(cache=True, nogil=True)
def _images(entries: Entries, cells: Cells, own: int, entry: int, least: int, left_out: int) -> int:
    """Return how many images of an entry are candidates."""
    j = entries.neighbor[entry]
    if entries.level[entry] < least or cells.left_out[j] == left_out:
        return 0
    return cells.size[j] - (j == own)


@njit(cache=True, nogil=True)
def weights_by_level(entries: Entries, weight: np.ndarray, by_level: np.ndarray) -> None:
    """Add up the weights of the candidates of each cell by level.

    Parameters
    ----------
    entries : Entries
    weight : ndarray, shape (e,), float64
    by_level : ndarray, shape (c, L), float64
        Filled.
    """
    by_level[:] = 0.0
    for own in range(len(entries.start) - 1):
        for entry in range(entries.start[own], entries.start[own + 1]):
            by_level[own, entries.level[entry]] += weight[entry]


@njit(cache=True, nogil=True)
def linked_weights(
    left: np.ndarray, right: np.ndarray, weight: np.ndarray, labels: np.ndarray, totals: np.ndarray
) -> None:
    """Add up the weights of the links between units of the same label, for several labellings.

    Parameters
    ----------
    left, right : ndarray, shape (l,), int64
        The units that each link joins.
    weight : ndarray, shape (l,), float64
    labels : ndarray, shape (p, u), int64
        The labels of the units in each labelling.
    totals : ndarray, shape (p,), float64
        Filled.
    """
    for one in range(len(labels)):
        total = 0.0
        for link in range(len(left)):
            if labels[one, left[link]] == labels[one, right[link]]:
                total += weight[link]
        totals[one] = total
