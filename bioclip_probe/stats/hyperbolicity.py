"""Gromov's hyperbolicity of a metric space, over all its quadruples of points."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.spatial.distance import pdist, squareform

#: Points that are closer than this are equal.
SAME = 1e-6


def relative_delta(points: np.ndarray) -> float:
    """Return 2δ/diameter of points by Euclidean distance.

    Parameters
    ----------
    points : ndarray, shape (m, d)

    Returns
    -------
    float
        In [0, 1]; 0 where all points are equal.

    Examples
    --------
    >>> round(relative_delta(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])), 3)
    0.586
    """
    distances = squareform(pdist(points))
    diameter = distances.max()
    return float(2 * gromov_delta(distances) / diameter) if diameter > SAME else 0.0


def gromov_delta(distances: np.ndarray) -> float:
    """Return Gromov's δ of a metric space, by its four-point condition.

    Four points form two pairs in three ways. δ is the smallest number such that the two largest of the three sums of
    distances never differ by more than 2δ.

    Parameters
    ----------
    distances : ndarray, shape (m, m)
        Symmetric, with a zero diagonal.

    Returns
    -------
    float
        0 on a tree.

    Notes
    -----
    O(m⁴) time, without the interpreter's lock; O(1) memory.

    Examples
    --------
    >>> gromov_delta(np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]]))
    1.0
    """
    gaps = np.zeros(len(distances))
    _fill_largest_gaps(np.ascontiguousarray(distances, dtype=np.float64), gaps)
    return float(gaps.max(initial=0.0)) / 2


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _fill_largest_gaps(distances: np.ndarray, gaps: np.ndarray) -> None:
    """Write the largest difference of the two largest sums of distances of four points, for each last point of four.

    Unsigned numbers of columns, and one result for each, let the compiler look at several columns at once.
    """
    m = len(distances)
    for i in range(m):
        for j in range(i + 1, m):
            for k in range(j + 1, m):
                of_i, of_j, of_k = distances[i], distances[j], distances[k]
                for last in range(k + 1, m):
                    far = np.uint32(last)
                    first, second, third = of_i[j] + of_k[far], of_i[k] + of_j[far], of_j[k] + of_i[far]
                    high, low = max(second, third), min(second, third)
                    gap = max(first, high) - max(min(first, high), low)
                    gaps[far] = gap if gap > gaps[far] else gaps[far]
