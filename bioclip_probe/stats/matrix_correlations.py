"""Correlations of two matrices of distances over all pairs: weighted, and after permutations of the taxa."""

from __future__ import annotations

import numpy as np
from numba import njit

#: Permutations whose orders are held at once.
BLOCK = 256


def upper_triangle(matrix: np.ndarray) -> np.ndarray:
    """Return the entries of a square matrix above its diagonal, row by row.

    Parameters
    ----------
    matrix : ndarray, shape (k, k)

    Returns
    -------
    ndarray, shape (k (k - 1) / 2,)

    Examples
    --------
    >>> upper_triangle(np.arange(9).reshape(3, 3)).tolist()
    [1, 2, 5]
    """
    return matrix[np.triu_indices(len(matrix), 1)]


def permuted_matrix_correlations(
    first: np.ndarray, second: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the Pearson correlations of two symmetric matrices after permuting rows and columns of the first together.

    Parameters
    ----------
    first, second : ndarray, shape (k, k)
        Distances that vary.
    n_permutations : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_permutations,), float64

    References
    ----------
    Mantel 1967, Cancer Research 27, 209.

    Examples
    --------
    >>> distance = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    >>> bool(np.all(permuted_matrix_correlations(distance, distance, 9, np.random.default_rng(0)) <= 1))
    True
    """
    a, b = (_standardised(matrix) for matrix in (first, second))
    k, found = len(a), []
    for start in range(0, n_permutations, BLOCK):
        n = min(BLOCK, n_permutations - start)
        orders = rng.permuted(np.tile(np.arange(k), (n, 1)), axis=1)
        found.append(_products(a, b, orders))
    return np.concatenate([np.empty(0), *found]) / (k * (k - 1) / 2)


def _standardised(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix whose entries above the diagonal have mean 0 and variance 1."""
    entries = upper_triangle(matrix)
    return np.ascontiguousarray((matrix - entries.mean()) / entries.std())


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _products(first: np.ndarray, second: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Return the sum over pairs of the products of the entries of two matrices, the first one permuted."""
    n, k = orders.shape
    sums = np.empty(n)
    for p in range(n):
        total = 0.0
        for i in range(1, k):
            row = first[orders[p, i]]
            for j in range(i):
                total += row[orders[p, j]] * second[i, j]
        sums[p] = total
    return sums


def weighted_matrix_correlations(
    first: np.ndarray, second: np.ndarray, weights: np.ndarray, units: np.ndarray
) -> np.ndarray:
    """Return the Pearson correlation of two matrices over pairs of taxa, for many weightings.

    Parameters
    ----------
    first, second : ndarray, shape (k, k)
        Symmetric.
    weights : ndarray, shape (B, u)
        B weightings of the u resampling units.
    units : ndarray, shape (k,), int64
        The unit of each taxon. A pair of taxa of two units has the product of their weights, a pair within a unit that
        unit's weight.

    Returns
    -------
    ndarray, shape (B,), float64
        NaN where either distance does not vary.

    Examples
    --------
    >>> distance = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    >>> weighted_matrix_correlations(distance, distance**2, np.ones((1, 4)), np.arange(4)).round(3).tolist()
    [0.988]
    """
    a, b = (matrix - upper_triangle(matrix).mean() for matrix in (first, second))
    own = weights[:, units].astype(np.float64)
    between = units[:, None] != units
    within = ~between & ~np.eye(len(units), dtype=bool)

    def total(matrix: np.ndarray) -> np.ndarray:
        return np.einsum("bi,bi->b", own @ (matrix * between), own) + own @ (matrix * within).sum(axis=1)

    n, sum_a, sum_b, aa, bb, ab = (total(matrix) for matrix in (np.ones_like(a), a, b, a * a, b * b, a * b))
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = ab - sum_a * sum_b / n
        variance_a, variance_b = aa - sum_a**2 / n, bb - sum_b**2 / n
        found = covariance / np.sqrt(variance_a * variance_b)
    varies = (variance_a > 1e-12 * aa) & (variance_b > 1e-12 * bb)
    return np.where(varies, np.clip(found, -1, 1), np.nan)
