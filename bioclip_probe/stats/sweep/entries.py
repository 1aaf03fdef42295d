"""The nearest candidates of cells as entries, and compiled walks along them: weights, sums by level, links."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.cells import Cells
from bioclip_probe.stats.table_loops import clear_table, fill


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
        fill(weight[i:stop], 0.0)
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
            for j in range(begin, i):
                weight[j] /= min(found, k)


@njit(cache=True, nogil=True)
def _images(entries: Entries, cells: Cells, own: int, entry: int, least: int, left_out: int) -> int:
    """Return how many images of an entry are candidates."""
    j = entries.neighbor[entry]
    if entries.level[entry] < least or cells.left_out[j] == left_out:
        return 0
    return cells.size[j] - (j == own)


@njit(cache=True, nogil=True)
def shares_by_level(entries: Entries, cells: Cells, k: int, least: int, left_out: int, shares: np.ndarray) -> None:
    """Write the share of the k nearest images of each cell that meet it at each level.

    Parameters
    ----------
    entries, cells, k, least, left_out
        As for `neighbor_weights`, whose weights add up to the shares.
    shares : ndarray, shape (L, c), float64
        Filled.
    """
    clear_table(shares)
    for own in range(len(entries.start) - 1):
        i, stop, found = entries.start[own], entries.start[own + 1], 0
        if cells.left_out[own] == left_out:
            continue
        while i < stop and found < k:
            end, tied = i, 0
            while end < stop and entries.distance[end] == entries.distance[i]:
                tied += _images(entries, cells, own, end, least, left_out)
                end += 1
            if tied:
                share = min(1.0, (k - found) / tied)
                for j in range(i, end):
                    shares[entries.level[j], own] += share * _images(entries, cells, own, j, least, left_out)
                found += tied
            i = end
        if found:
            for level in range(len(shares)):
                shares[level, own] /= min(found, k)


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
    labels : ndarray, shape (u, p), int32
        The labels of the units in each labelling. Those of one unit stand together, to compare many at once.
    totals : ndarray, shape (p,), float64
        The weights are added to it.
    """
    for link in range(len(left)):
        of_left, of_right, own = labels[left[link]], labels[right[link]], weight[link]
        for one in range(len(totals)):
            totals[one] += own if of_left[one] == of_right[one] else 0.0
