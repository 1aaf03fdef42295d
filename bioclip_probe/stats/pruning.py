"""Compiled loops over a tree from its tips to its root, and back: contrasts and their derivatives.

The loops release the interpreter's lock, so that threads can share the traits. A tree is `parent`, the parent of each
of m nodes, which comes before it, and `tip`, the tip position of each node or -1. The children of a node are merged one
after the other, so that a node with c children gives c - 1 contrasts.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bioclip_probe.stats.table_loops import fill


@njit(cache=True, nogil=True)
def variance_pass(
    parent: np.ndarray, length: np.ndarray, present: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Return what the contrasts of a tree need, which does not depend on the traits.

    Parameters
    ----------
    parent, length : ndarray, shape (m,)
        The parents, each before its children, and the variance of each branch.
    present : ndarray, shape (m,), bool
        Nodes with a tip that enters.

    Returns
    -------
    log_det : float
        Σ log T over contrasts; -inf where two tips are at one point.
    share : ndarray, shape (m,), float64
        Weight of each node in the estimate at its parent when it is merged; 1 for the first child.
    precision : ndarray, shape (m,), float64
        1/T of the contrast of each node with its siblings before it; 0 for the first child.
    by_length : ndarray, shape (m - 1,), float64
        Derivative of `log_det` by the length above each node but the root.
    """
    m = len(parent)
    variance = np.full(m, -1.0)  # -1 where no child has been merged
    share, precision = np.zeros(m), np.zeros(m)
    log_det = 0.0
    for node in range(m - 1, 0, -1):
        if not present[node]:
            continue
        above = parent[node]
        own = max(variance[node], 0.0) + length[node]
        if variance[above] < 0:
            variance[above], share[node] = own, 1.0
            continue
        total = variance[above] + own
        if total <= 0:
            return -np.inf, share, precision, np.zeros(m - 1)
        log_det += np.log(total)
        share[node], precision[node] = variance[above] / total, 1 / total
        variance[above] *= own / total
    by_variance, by_length = np.zeros(m), np.zeros(m)
    for node in range(1, m):
        if present[node]:
            above, weight = parent[node], share[node]
            by_variance[node] = by_length[node] = precision[node] + by_variance[above] * weight**2
            by_variance[above] = precision[node] + by_variance[above] * (1 - weight) ** 2
    return log_det, share, precision, by_length[1:].copy()


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def trait_pass(
    traits: np.ndarray,
    parent: np.ndarray,
    tip: np.ndarray,
    present: np.ndarray,
    share: np.ndarray,
    precision: np.ndarray,
) -> np.ndarray:
    """Return the sum of squared contrasts of a block of traits, and minus its derivative by each branch.

    Parameters
    ----------
    traits : ndarray, shape (k, b)
    parent, tip, present : ndarray, shape (m,)
    share, precision : ndarray, shape (m,)
        As `variance_pass` returns them.

    Returns
    -------
    ndarray, shape (m,), float64
        Place 0 holds the sum. Place i holds minus its derivative by the length above node i, which is ‖Σ (V⁻¹m)‖² over
        the tips below.
    """
    m, b = len(parent), traits.shape[1]
    estimate, step = np.zeros((m, b)), np.zeros((m, b))
    result = np.zeros(m)
    for node in range(m - 1, 0, -1):
        if not present[node]:
            continue
        above, weight, squares = estimate[parent[node]], share[node], 0.0
        own, contrast = traits[tip[node]] if tip[node] >= 0 else estimate[node], step[node]
        for j in range(b):
            contrast[j] = own[j] - above[j]
            squares += contrast[j] * contrast[j]
            above[j] += weight * contrast[j]
        result[0] += precision[node] * squares
    fill(estimate[0], 0.0)
    for node in range(1, m):
        if not present[node]:
            continue
        above, own, contrast = estimate[parent[node]], estimate[node], step[node]
        weight, squares = share[node], 0.0
        for j in range(b):
            scaled = precision[node] * contrast[j]
            own[j] = scaled + weight * above[j]
            above[j] = (1 - weight) * above[j] - scaled
            squares += own[j] * own[j]
        result[node] = squares
    return result


@njit(cache=True, nogil=True)
def contrast_pass(
    means: np.ndarray,
    sampling: np.ndarray,
    parent: np.ndarray,
    tip: np.ndarray,
    share: np.ndarray,
    precision: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the standardised contrasts, how much sampling error they hold, and the phylogenetic mean.

    Parameters
    ----------
    means : ndarray, shape (k, d)
    sampling : ndarray, shape (k,)
        Sampling variance of each mean, in any unit.
    parent, tip : ndarray, shape (m,)
    share, precision : ndarray, shape (m,)
        As `variance_pass` returns them.

    Returns
    -------
    contrasts : ndarray, shape (c, d), float64
        Uncorrelated, with a variance of 1 over all d traits together, if the variances of the branches are right.
    sampling : ndarray, shape (c,), float64
        Sampling variance of each contrast, in the unit of the argument.
    mean : ndarray, shape (d,), float64
    """
    m, d = len(parent), means.shape[1]
    estimate, error = np.zeros((m, d)), np.zeros(m)
    n = int(np.sum(precision > 0))
    contrasts, of_contrast = np.empty((n, d)), np.empty(n)
    number = 0
    for node in range(m - 1, 0, -1):
        weight = share[node]
        if weight == 0 and precision[node] == 0:
            continue  # no tip below it enters
        if tip[node] >= 0:
            error[node] = sampling[tip[node]]
        above, own = estimate[parent[node]], means[tip[node]] if tip[node] >= 0 else estimate[node]
        root = np.sqrt(precision[node])
        if precision[node] > 0:
            of_contrast[number] = precision[node] * (error[node] + error[parent[node]])
            for j in range(d):
                contrasts[number, j] = root * (own[j] - above[j])
            number += 1
        for j in range(d):
            above[j] += weight * (own[j] - above[j])
        error[parent[node]] = (1 - weight) ** 2 * error[parent[node]] + weight**2 * error[node]
    return contrasts, of_contrast, estimate[0].copy()


@njit(cache=True, nogil=True)
def add_parents(values: np.ndarray, parent: np.ndarray) -> None:
    """Add to the values of each node those of its parent, from the root down, in place.

    Parameters
    ----------
    values : ndarray, shape (m, d)
    parent : ndarray, shape (m,)
        The parents, each before its children.
    """
    for node in range(1, len(parent)):
        for j in range(values.shape[1]):
            values[node, j] += values[parent[node], j]
