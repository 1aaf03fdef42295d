"""p-values adjusted for the number of tests in a family: Holm's method, and that of Benjamini and Hochberg."""

from __future__ import annotations

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Holm's method, which controls the probability of any false rejection.

    The i-th smallest of m p-values becomes ``max_{j ≤ i} min(1, (m - j + 1) p_(j))``.

    Parameters
    ----------
    p_values : ndarray, shape (m,)
        In [0, 1]. NaN stands for a test that was not made: it does not count, and stays NaN.

    Returns
    -------
    ndarray, shape (m,), float64
        In [0, 1], never below the p-value itself. Rejecting where they are at most α makes any false rejection at most
        α likely, whatever the dependence between the tests.

    References
    ----------
    Holm 1979, Scand. J. Stat. 6, 65.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    adjusted = np.asarray(p_values, dtype=np.float64).copy()
    made = np.flatnonzero(~np.isnan(adjusted))
    order = made[np.argsort(adjusted[made], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1.0)
    return adjusted


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted by the method of Benjamini and Hochberg, which controls the false discovery rate.

    The i-th smallest of m p-values becomes ``min_{j ≥ i} min(1, m p_(j) / j)``.

    Parameters
    ----------
    p_values : ndarray, shape (m,)
        In [0, 1]. NaN stands for a test that was not made: it does not count, and stays NaN.

    Returns
    -------
    ndarray, shape (m,), float64
        In [0, 1], never below the p-value itself. Among those that are at most α, the expected share of false
        rejections is at most α where the tests are independent or positively dependent, as tests of the same images
        at several ranks are.

    References
    ----------
    Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57, 289; Benjamini & Yekutieli 2001, Ann. Stat. 29, 1165 (positive
    dependence).

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    adjusted = np.asarray(p_values, dtype=np.float64).copy()
    made = np.flatnonzero(~np.isnan(adjusted))
    order = made[np.argsort(-adjusted[made], kind="stable")]
    factors = len(order) / np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.minimum.accumulate(adjusted[order] * factors), 1.0)
    return adjusted
