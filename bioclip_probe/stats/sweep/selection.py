"""Compiled search for the nearest candidates of an anchor at each level of kinship.

Candidates stand in tree order, so those that meet an anchor at a level or below are a slice of the candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.candidates import exact_distance
from bioclip_probe.stats.sweep.cells import Cells
from bioclip_probe.stats.sweep.counting import fill_distances
from bioclip_probe.stats.sweep.points import Space
from bioclip_probe.stats.table_loops import copy_to, fill, stable_order

#: Cells of which one least distance is kept.
RUN = 32
#: Up to this many nearest distances are kept in order; more are selected from all.
MOST_KEPT = 128
#: No distance is larger.
LARGEST = np.float32(3e38)
#: The result of `nearest_by_level`.
Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Search(NamedTuple):
    """A search for the nearest candidates of cells, on products of rows.

    Attributes
    ----------
    cells : Cells
    space : Space
        Of the rows.
    row : ndarray, shape (c,), int64
        A row that holds each cell, ascending.
    cell : ndarray, shape (n,), int64
        The cell that each row stands for; -1 for a further row of a cell.
    members, starts : ndarray, shape (c,) and (g + 1,), int64
        The cells by photographer: those of g are ``members[starts[g]:starts[g + 1]]``.
    k : int
        Number of images that must remain at each level where there are as many, without any jackknife group.
    slack : numpy.float32
        Twice the error of a distance.

    Examples
    --------
    >>> Search._fields[-2:]
    ('k', 'slack')
    """

    cells: Cells
    space: Space
    row: np.ndarray
    cell: np.ndarray
    members: np.ndarray
    starts: np.ndarray
    k: int
    slack: np.float32


@njit(cache=True, nogil=True)
def nearest_by_level(
    products: np.ndarray, start: int, search: Search
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest candidates of the cells of a block of rows at each level.

    Parameters
    ----------
    products : ndarray, shape (b, n), float32
        From ``points.products``, of the rows from `start` on.
    start : int
    search : Search

    Returns
    -------
    counts : ndarray, shape (b,), int64
        Number of candidates of the cell of each row; -1 for a further row of a cell.
    neighbor : ndarray, int32
        The candidates of one cell after the other, nearest first. All that tie with the last are kept.
    distance : ndarray, float64
        Their exact distances.
    level : ndarray, uint8
        The level at which they meet the cell.

    Notes
    -----
    Distances from the products say which candidates may be among the nearest; those are compared in float64. The least
    distance of every `RUN` cells tells which of them need not be looked at.
    """
    cells = search.cells
    n_cells = len(cells.size)
    counts = np.zeros(len(products), dtype=np.int64)
    neighbor, distance = np.empty(len(products) * 16 * search.k, np.int32), np.empty(len(products) * 16 * search.k)
    level = np.empty(len(neighbor), np.uint8)
    near, least = np.empty(n_cells, np.float32), np.empty(n_cells // RUN + 1, np.float32)
    in_group = np.zeros(_most(cells.left_out) + 1, dtype=np.int64)
    n = 0
    for a in range(len(products)):
        own, begin = search.cell[start + a], n
        if own < 0:
            counts[a] = -1
            continue
        _fill_near(products[a], start + a, search, near)
        _fill_least(near, least)
        for one in range(len(cells.first)):
            inside = _candidates_at(near, least, own, one, search, in_group)
            if not len(inside):
                continue
            inside, exact = _enough(inside, own, search, in_group)
            while n + len(inside) > len(neighbor):
                neighbor, distance, level = _doubled(neighbor), _doubled(distance), _doubled(level)
            for i in range(len(inside)):
                neighbor[n + i], distance[n + i], level[n + i] = inside[i], exact[i], one
            n += len(inside)
        _sort_entries(neighbor[begin:n], distance[begin:n], level[begin:n])
        counts[a] = n - begin
    return counts, neighbor[:n].copy(), distance[:n].copy(), level[:n].copy()


@njit(cache=True, nogil=True)
def select_nearest(
    start: int, first: np.ndarray, other: np.ndarray, level: np.ndarray, limit: np.ndarray, search: Search
) -> tuple[bool, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest of some candidates of a block of rows at each level.

    Parameters
    ----------
    start : int
        The first row.
    first : ndarray, shape (b + 1,), int64
        The candidates of row a are ``other[first[a]:first[a + 1]]``.
    other : ndarray, int32
        Rows that may be among the nearest: all that are no farther than the limit and the slack.
    level : ndarray, int
        The level at which each meets its row.
    limit : ndarray, shape (b, L), float32
        The limit of each row at each level; infinite where all rows are given.
    search : Search

    Returns
    -------
    suffice : bool
        False if the candidates of a row do not suffice; then the rest has no meaning.
    counts, neighbor, distance, level : ndarray
        As `nearest_by_level` returns them.
    """
    cells, n_levels = search.cells, limit.shape[1]
    counts, n, suffice = np.zeros(len(limit), dtype=np.int64), 0, True
    neighbor, distance = np.empty(len(other), np.int32), np.empty(len(other))
    levels, in_group = np.empty(len(other), np.uint8), np.zeros(_most(cells.left_out) + 1, dtype=np.int64)
    inside = np.empty(len(other), np.int32)
    for a in range(len(limit)):
        own, begin = search.cell[start + a], n
        if own < 0:
            counts[a] = -1
            continue
        for one in range(n_levels):
            m = 0
            for pair in range(first[a], first[a + 1]):
                cell = search.cell[other[pair]]
                if level[pair] == one and cell >= 0 and _is_candidate(own, cell, cells):
                    inside[m] = cell
                    m += 1
            if m or limit[a, one] < np.inf:
                nearest, exact = _enough(inside[:m], own, search, in_group)
                cut = len(nearest) < m and exact[-1] <= limit[a, one] + search.slack / 2
                suffice &= cut or limit[a, one] == np.inf
                for i in range(len(nearest)):
                    neighbor[n + i], distance[n + i], levels[n + i] = nearest[i], exact[i], one
                n += len(nearest)
        _sort_entries(neighbor[begin:n], distance[begin:n], levels[begin:n])
        counts[a] = n - begin
    return suffice, counts, neighbor[:n].copy(), distance[:n].copy(), levels[:n].copy()


@njit(cache=True, nogil=True)
def _is_candidate(own: int, cell: int, cells: Cells) -> bool:
    """Return False for the own image and for images of the same photographer."""
    is_self = cell == own and cells.size[own] == 1
    return not is_self and not (cells.group[own] >= 0 and cells.group[cell] == cells.group[own])


@njit(cache=True, nogil=True)
def _sort_entries(neighbor: np.ndarray, distance: np.ndarray, level: np.ndarray) -> None:
    """Sort entries by their distance."""
    order = stable_order(distance)
    old_neighbor, old_distance, old_level = neighbor.copy(), distance.copy(), level.copy()
    for i in range(len(order)):
        neighbor[i], distance[i], level[i] = old_neighbor[order[i]], old_distance[order[i]], old_level[order[i]]


@njit(cache=True, nogil=True)
def _most(numbers: np.ndarray) -> int:
    """Return the largest of some numbers, at least 0."""
    most = 0
    for number in numbers:
        most = max(most, number)
    return most


@njit(cache=True, nogil=True)
def _doubled(array: np.ndarray) -> np.ndarray:
    """Return the array with as much room again."""
    larger = np.empty(2 * len(array), dtype=array.dtype)
    copy_to(array, larger)
    return larger


@njit(cache=True, nogil=True)
def _fill_near(products: np.ndarray, row: int, search: Search, near: np.ndarray) -> None:
    """Write the distances of a row and all cells; infinite to those that are no candidates."""
    space, own = search.space, search.cell[row]
    if len(near) == len(products):
        fill_distances(products, row, space, near)
    else:
        for j in range(len(near)):
            other = search.row[j]
            weight = space.weight[row] * space.weight[other]
            near[j] = space.half[row] + space.half[other] - weight * products[other]
    if search.cells.size[own] == 1:
        near[own] = np.inf
    group = search.cells.group[own]
    if group >= 0:
        for j in search.members[search.starts[group] : search.starts[group + 1]]:
            near[j] = np.inf


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc"})
def _fill_least(near: np.ndarray, least: np.ndarray) -> None:
    """Write the least distance of every `RUN` cells."""
    for run in range(len(near) // RUN):
        lowest = near[run * RUN]
        for j in range(run * RUN, run * RUN + RUN):
            lowest = min(lowest, near[j])
        least[run] = lowest


@njit(cache=True, nogil=True)
def _candidates_at(
    near: np.ndarray, least: np.ndarray, own: int, one: int, search: Search, in_group: np.ndarray
) -> np.ndarray:
    """Return the cells at a level that may be among those needed: k images remain without any jackknife group."""
    cells = search.cells
    first, last = cells.first[one, own], cells.last[one, own]
    inner_first, inner_last = (cells.first[one - 1, own], cells.last[one - 1, own]) if one else (last, last)
    wanted, n_cells = search.k + search.k // 2, last - first - (inner_last - inner_first)
    slices = (first, inner_first, inner_last, last)
    while wanted < n_cells:
        limit = _limit(near, least, slices, wanted)
        if limit == np.inf:
            break  # candidates are fewer than cells
        inside = _within(near, least, slices, limit + search.slack)
        if _remaining(inside, near, limit, own, cells, in_group) >= search.k:
            return inside
        wanted *= 4
    return _within(near, least, slices, LARGEST)


@njit(cache=True, nogil=True)
def _limit(near: np.ndarray, least: np.ndarray, slices: tuple[int, int, int, int], wanted: int) -> np.float32:
    """Return the distance of the last of the nearest cells of two slices, as many as are wanted."""
    if wanted > MOST_KEPT:
        values, middle = np.empty(slices[1] - slices[0] + slices[3] - slices[2]), slices[1] - slices[0]
        copy_to(near[slices[0] : slices[1]], values)
        copy_to(near[slices[2] : slices[3]], values[middle:])
        return np.float32(values[stable_order(values)[wanted - 1]])
    kept = np.empty(wanted, dtype=np.float32)  # ascending
    fill(kept, np.inf)
    for part in range(2):
        j, stop = (slices[0], slices[1]) if part == 0 else (slices[2], slices[3])
        while j < stop:
            end = min(stop, j - j % RUN + RUN)
            if end - j == RUN and least[j // RUN] >= kept[-1]:
                j = end
            while j < end:
                if near[j] < kept[-1]:
                    place = wanted - 1
                    while place > 0 and kept[place - 1] > near[j]:
                        kept[place] = kept[place - 1]
                        place -= 1
                    kept[place] = near[j]
                j += 1
    return kept[-1]


@njit(cache=True, nogil=True)
def _within(near: np.ndarray, least: np.ndarray, slices: tuple[int, int, int, int], limit: np.float32) -> np.ndarray:
    """Return the cells of two slices that are no farther than a limit, ascending."""
    inside, n = np.empty(64, dtype=np.int32), 0
    for part in range(2):
        j, stop = (slices[0], slices[1]) if part == 0 else (slices[2], slices[3])
        while j < stop:
            end = min(stop, j - j % RUN + RUN)
            if end - j == RUN and least[j // RUN] > limit:
                j = end
            while j < end:
                if near[j] <= limit:
                    if n == len(inside):
                        inside = _doubled(inside)
                    inside[n] = j
                    n += 1
                j += 1
    return inside[:n]


@njit(cache=True, nogil=True)
def _remaining(
    inside: np.ndarray, near: np.ndarray, limit: np.float32, own: int, cells: Cells, in_group: np.ndarray
) -> int:
    """Return how many images within a limit remain without the jackknife group that holds most of them.

    Without its own group, the anchor itself is left out, so that this group does not count.
    """
    total, most = 0, 0
    fill(in_group, 0)
    for j in inside:
        if near[j] <= limit:
            size = cells.size[j] - (j == own)
            total += size
            if cells.left_out[j] != cells.left_out[own]:
                in_group[cells.left_out[j]] += size
                most = max(most, in_group[cells.left_out[j]])
    return total - most


@njit(cache=True, nogil=True)
def _enough(inside: np.ndarray, own: int, search: Search, in_group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest of some candidates and their exact distances: k images remain and no tie is cut."""
    cells = search.cells
    distance, exact, nearest = np.empty(len(inside)), np.empty(len(inside)), np.empty_like(inside)
    for i in range(len(inside)):
        other = inside[i]
        distance[i] = exact_distance(cells.vectors[own], cells.vectors[other], cells.scale[own], cells.scale[other])
    order = stable_order(distance)
    for i in range(len(inside)):
        nearest[i], exact[i] = inside[order[i]], distance[order[i]]
    total, most = 0, 0
    fill(in_group, 0)
    for i in range(len(inside)):
        if i and exact[i] > exact[i - 1] and total - most >= search.k:
            return nearest[:i], exact[:i]
        j = nearest[i]
        size = cells.size[j] - (j == own)
        total += size
        if cells.left_out[j] != cells.left_out[own]:
            in_group[cells.left_out[j]] += size
            most = max(most, in_group[cells.left_out[j]])
    return nearest, exact
