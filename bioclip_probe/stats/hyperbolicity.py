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
    return _largest_gap(np.ascontiguousarray(distances, dtype=np.float64)) / 2


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _largest_gap(distances: np.ndarray) -> float:
    """Return the largest difference of the two largest sums of distances of four points."""
    largest, m = 0.0, len(distances)
    for i in range(m):
        for j in range(i + 1, m):
            for k in range(j + 1, m):
                for far in range(k + 1, m):
                    first = distances[i, j] + distances[k, far]
                    second = distances[i, k] + distances[j, far]
                    third = distances[j, k] + distances[i, far]
                    high, low = max(second, third), min(second, third)
                    largest = max(largest, max(first, high) - max(min(first, high), low))
    return largest
