"""Plain loops over small tables, for compiled functions.

Numba takes many times as long to compile the same as expressions of NumPy, again for every function that uses them.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def clear_table(table: np.ndarray) -> None:
    """Write zeros.

    Parameters
    ----------
    table : ndarray, shape (a, b)

    Examples
    --------
    >>> table = np.ones((1, 2))
    >>> clear_table(table)
    >>> table.tolist()
    [[0.0, 0.0]]
    """
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            table[i, j] = 0


@njit(cache=True, nogil=True)
def add_table(total: np.ndarray, part: np.ndarray) -> None:
    """Add a table to another one.

    Parameters
    ----------
    total, part : ndarray, shape (a, b)

    Examples
    --------
    >>> total = np.ones((1, 2))
    >>> add_table(total, np.array([[1, 2]]))
    >>> total.tolist()
    [[2.0, 3.0]]
    """
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += part[i, j]


@njit(cache=True, nogil=True)
def fill_difference(table: np.ndarray, part: np.ndarray, difference: np.ndarray) -> None:
    """Write the difference of two tables.

    Parameters
    ----------
    table, part, difference : ndarray, shape (a, b)

    Examples
    --------
    >>> difference = np.zeros((1, 2))
    >>> fill_difference(np.array([[3, 3]]), np.array([[1, 2]]), difference)
    >>> difference.tolist()
    [[2.0, 1.0]]
    """
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            difference[i, j] = table[i, j] - part[i, j]


@njit(cache=True, nogil=True)
def fill(values: np.ndarray, value: float) -> None:
    """Write one number everywhere.

    Parameters
    ----------
    values : ndarray, shape (n,)
    value : float

    Examples
    --------
    >>> values = np.zeros(2)
    >>> fill(values, 0.5)
    >>> values.tolist()
    [0.5, 0.5]
    """
    for i in range(len(values)):
        values[i] = value


@njit(cache=True, nogil=True)
def copy_to(values: np.ndarray, target: np.ndarray) -> None:
    """Write values to the beginning of another array.

    Parameters
    ----------
    values : ndarray, shape (n,)
    target : ndarray, shape (m,), m ≥ n

    Examples
    --------
    >>> target = np.zeros(3)
    >>> copy_to(np.array([1, 2]), target)
    >>> target.tolist()
    [1.0, 2.0, 0.0]
    """
    for i in range(len(values)):
        target[i] = values[i]


@njit(cache=True, nogil=True)
def stable_order(values: np.ndarray) -> np.ndarray:
    """Return the places of values from the smallest to the largest; equal values stay in order.

    A merge sort, from runs that are sorted by insertion. Numba takes seconds to compile ``np.argsort``.

    Parameters
    ----------
    values : ndarray, shape (n,)
        None is NaN.

    Returns
    -------
    ndarray, shape (n,), int64

    Examples
    --------
    >>> stable_order(np.array([2.0, 1.0, 2.0, 0.0])).tolist()
    [3, 1, 0, 2]
    """
    n, width = len(values), 16
    order, merged = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(n):
        place = i
        while place % width and values[order[place - 1]] > values[i]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i
    while width < n:
        for first in range(0, n, 2 * width):
            left, right = first, min(first + width, n)
            middle, last = right, min(first + 2 * width, n)
            for place in range(first, last):
                if left < middle and (right == last or values[order[left]] <= values[order[right]]):
                    merged[place] = order[left]
                    left += 1
                else:
                    merged[place] = order[right]
                    right += 1
        order, merged = merged, order
        width *= 2
    return order
