"""Compiled search of a tile of distances for the rows that may be among the nearest of each anchor."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def candidate_limits(
    tile: np.ndarray, start: int, groups: np.ndarray, k: int, slack: np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far candidates for the k nearest of each row may lie, and how many candidates there are.

    Parameters
    ----------
    tile : ndarray, shape (b, n), float32
        Distances of the rows from `start` on and all rows.
    start : int
    groups : ndarray, shape (n,), int64
        Rows of one group are no candidates of each other; -1 is no group.
    k : int
        At least 1.
    slack : numpy.float32
        Added to the k-th smallest distance.

    Returns
    -------
    limit : ndarray, shape (b,), float32
    count : ndarray, shape (b,), int64

    Examples
    --------
    >>> tile = np.array([[0.0, 0.5, 0.25]], dtype=np.float32)
    >>> candidate_limits(tile, 0, np.full(3, -1), 1, np.float32(0.125))
    (array([0.375], dtype=float32), array([1]))
    """
    limit, count = np.empty(len(tile), dtype=np.float32), np.zeros(len(tile), dtype=np.int64)
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
    return limit, count


@njit(cache=True, nogil=True)
def gather_candidates(
    tile: np.ndarray, start: int, groups: np.ndarray, limit: np.ndarray, first: np.ndarray, neighbour: np.ndarray
) -> None:
    """Write the candidates that `candidate_limits` counted.

    Parameters
    ----------
    tile : ndarray, shape (b, n), float32
        Distances of the rows from `start` on and all rows.
    start : int
    groups : ndarray, shape (n,), int64
        Rows of one group are no candidates of each other; -1 is no group.
    limit : ndarray, shape (b,), float32
        Largest distance of the candidates of each row.
    first : ndarray, shape (b + 1,), int64
        Where the candidates of each row begin in `neighbour`.
    neighbour : ndarray, int64
        Filled with row numbers.

    Examples
    --------
    >>> neighbour, tile = np.zeros(1, dtype=np.int64), np.array([[0.0, 0.5, 0.1]], dtype=np.float32)
    >>> gather_candidates(tile, 0, np.full(3, -1), np.array([0.2], np.float32), np.array([0, 1]), neighbour)
    >>> neighbour.tolist()
    [2]
    """
    for a in range(len(tile)):
        row, own, place = tile[a], start + a, first[a]
        for j in range(len(row)):
            if row[j] <= limit[a] and j != own and (groups[own] < 0 or groups[j] != groups[own]):
                neighbour[place] = j
                place += 1
