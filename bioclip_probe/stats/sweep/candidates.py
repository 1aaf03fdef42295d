"""Compiled search of a tile of distances for the rows that may be among the nearest of each anchor.

A tile is float32 and says which rows may be the nearest ones; `exact_distances` then compares these in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

#: Binary digits of a distance. Sums of the same terms in another order agree in them, so that equal distances tie.
DIGITS = 40


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


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def exact_distance(a: np.ndarray, b: np.ndarray, scale_a: float, scale_b: float) -> float:
    """Return the cosine distance of two vectors in float64, rounded to 40 binary digits.

    It is half the squared distance of the two vectors at norm 1. Unlike 1 − a·b it keeps its digits where the vectors
    nearly coincide: its relative error is about 1e-16 over the distance of the vectors.

    Parameters
    ----------
    a, b : ndarray, shape (d,), float32
    scale_a, scale_b : float
        One over the norm of each.

    Returns
    -------
    float
        In [0, 2]. Exchanging the two vectors changes nothing.

    Examples
    --------
    >>> exact_distance(np.array([2.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32), 0.5, 1.0)
    1.0
    """
    total = 0.0
    for i in range(len(a)):
        difference = np.float64(a[i]) * scale_a - np.float64(b[i]) * scale_b
        total += difference * difference
    mantissa, exponent = math.frexp(total / 2)
    return math.ldexp(float(round(mantissa * 2.0**DIGITS)), exponent - DIGITS)


@njit(cache=True, nogil=True)
def exact_distances(vectors: np.ndarray, scale: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the cosine distance of pairs of rows in float64, see `exact_distance`.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
    scale : ndarray, shape (n,), float64
        One over the norm of each row, from `inverse_norms`.
    left, right : ndarray, shape (p,), int64
        Row numbers.

    Returns
    -------
    ndarray, shape (p,), float64

    Examples
    --------
    >>> rows = np.eye(2, dtype=np.float32)
    >>> exact_distances(rows, inverse_norms(rows), np.array([0, 0]), np.array([0, 1])).tolist()
    [0.0, 1.0]
    """
    distances = np.empty(len(left))
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        distances[pair] = exact_distance(vectors[a], vectors[b], scale[a], scale[b])
    return distances


@njit(cache=True, nogil=True)
def inverse_norms(vectors: np.ndarray) -> np.ndarray:
    """Return one over the norm of each row, in float64; equal rows have equal results.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        No row is zero.

    Returns
    -------
    ndarray, shape (n,), float64

    Examples
    --------
    >>> inverse_norms(np.array([[0.0, 4.0]], dtype=np.float32)).tolist()
    [0.25]
    """
    scale = np.empty(len(vectors))
    for row in range(len(vectors)):
        total = 0.0
        for value in vectors[row]:
            total += np.float64(value) * np.float64(value)
        scale[row] = 1 / math.sqrt(total)
    return scale
