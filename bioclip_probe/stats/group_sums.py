"""Sums of rows by group, in double precision, on all cores and without a copy of the rows."""

from __future__ import annotations

import numpy as np
from numba import njit

from bioclip_probe.stats.threads import in_threads, n_threads

#: Groups that one thread adds up at a time.
GROUPS = 256


def group_sums(
    rows: np.ndarray, order: np.ndarray, starts: np.ndarray, origin: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum, and the sum of squared norms, of the rows of each group.

    Parameters
    ----------
    rows : ndarray, shape (n, d), float
    order : ndarray, shape (r,), int64
        Row numbers, group by group.
    starts : ndarray, shape (g + 1,), int64
        Where the rows of each group start in `order`; the last number is r.
    origin : ndarray, shape (d,), optional
        It is subtracted from every row; zero by default.

    Returns
    -------
    sums : ndarray, shape (g, d), float64
    squares : ndarray, shape (g,), float64
        A group is added up in its order by one thread, so that the number of threads changes nothing.

    Examples
    --------
    >>> group_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 2, 1]), np.array([0, 2, 3]))
    (array([[5.], [2.]]), array([17., 4.]))
    """
    rows = rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float32)
    n_groups, d = len(starts) - 1, rows.shape[1]
    center = np.zeros(d) if origin is None else np.asarray(origin, dtype=np.float64)
    sums, squares = np.zeros((n_groups, d)), np.zeros(n_groups)

    def add(first: int) -> None:
        own = slice(first, first + GROUPS)
        _add_rows(rows, order, starts[first : first + GROUPS + 1], center, sums[own], squares[own])

    for _ in in_threads(add, range(0, n_groups, GROUPS), n_threads(len(order) * d)):
        pass
    return sums, squares


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _add_rows(
    rows: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    origin: np.ndarray,
    sums: np.ndarray,
    squares: np.ndarray,
) -> None:
    for group in range(len(sums)):
        for place in range(starts[group], starts[group + 1]):
            row, square = order[place], 0.0
            for j in range(len(origin)):
                x = rows[row, j] - origin[j]
                sums[group, j] += x
                square += x * x
            squares[group] += square
