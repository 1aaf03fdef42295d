"""What tree signal and effective dimension mean: by the covariance matrix of the species and its inverse."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.optimize import minimize

from tests.definitions.signal import shared_depths


def covariance(tree, tips, signal, variance, errors) -> np.ndarray:
    """V = g·C_λ + diag(e)."""
    c = shared_depths(tree, tips)
    v = signal * c
    for i in range(len(tips)):
        v[i, i] = c[i, i]
    return variance * v + np.diag(errors)


def log_likelihood(means, v) -> float:
    """-½ [log|V| + log(1ᵀV⁻¹1) + Σ_j (m_j - a_j)ᵀV⁻¹(m_j - a_j)], a the phylogenetic mean of each trait."""
    inverse, one = np.linalg.inv(v), np.ones(len(v))
    total = float(one @ inverse @ one)
    squares = 0.0
    for trait in np.asarray(means).T:
        centred = trait - one @ inverse @ trait / total
        squares += float(centred @ inverse @ centred)
    return -0.5 * (np.linalg.slogdet(v)[1] + math.log(total) + squares)


def best_fit(tree, tips, means, errors) -> tuple[float, float, float]:
    """λ, g and the log-likelihood that no other λ in [0, 1] and g exceed: a grid, then a simplex."""
    scale = float(np.var(means, axis=0).sum()) / max(float(np.mean(tree.depth[tips])), 1e-9)

    def loss(point) -> float:
        signal, variance = float(np.clip(point[0], 0, 1)), scale * math.exp(float(np.clip(point[1], -16, 4.6)))
        return -log_likelihood(means, covariance(tree, tips, signal, variance, errors))

    grid = itertools.product(np.linspace(0.02, 0.98, 9), np.linspace(-3, 2, 6))
    starts = sorted(grid, key=loss)[:2]
    found = min(
        (
            minimize(loss, x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 2000})
            for x in starts
        ),
        key=lambda one: one.fun,
    )
    return float(np.clip(found.x[0], 0, 1)), scale * math.exp(found.x[1]), -float(found.fun)


def tree_score(tree, tips, means, center, order) -> float:
    """Σ_{i≠j} C_ij y_i·y_j of unit vectors from a center, with species `order[i]` at tip i, C below the first split."""
    c = shared_depths(tree, tips)
    c = c - c.min()
    y = [(m - center) / np.linalg.norm(m - center) for m in means]
    k = len(tips)
    return sum(c[i, j] * float(y[order[i]] @ y[order[j]]) for i in range(k) for j in range(k) if i != j)


def spatial_median(means) -> np.ndarray:
    """The point with the least sum of distances to the species."""

    def total(center) -> float:
        return sum(math.dist(center, m) for m in means)

    options = {"xatol": 1e-12, "fatol": 1e-14, "maxiter": 20_000, "maxfev": 20_000}
    return minimize(total, np.mean(means, axis=0), method="Nelder-Mead", options=options).x


def contrasts(tree, tips, v_lengths) -> np.ndarray:
    """Felsenstein's contrasts as weights of the tips, shape (k - 1, k); `v_lengths` is the variance above each node.

    The children of a node are merged one after the other, the last one first.
    """
    rows, position = [], {tip: i for i, tip in enumerate(tips)}

    def estimate(node) -> tuple[np.ndarray, float]:
        if node in position:
            weights = np.zeros(len(tips))
            weights[position[node]] = 1.0
            return weights, 0.0
        children = [child for child in range(len(tree)) if tree.parent[child] == node]
        merged = None
        for child in reversed(children):
            weights, variance = estimate(child)
            variance += v_lengths[child]
            if merged is None:
                merged = weights, variance
                continue
            total = merged[1] + variance
            rows.append((weights - merged[0]) / math.sqrt(total))
            merged = (merged[0] * variance + weights * merged[1]) / total, merged[1] * variance / total
        return merged

    estimate(0)
    return np.array(rows)


def trace_of_square(z, sampling, within, freedom) -> float:
    """tr(R²)/(tr R)², from products of two different contrasts, less what the scatter of images adds."""
    n, tr_w = len(z), float(np.trace(within))
    tr_ww = 0.0
    if freedom > 1:
        raw = float(np.sum(within * within)) - tr_w**2 / freedom
        tr_ww = max(freedom**2 / ((freedom - 1) * (freedom + 2)) * raw, 0.0)
    a = [max(1 - b * tr_w, 0.0) for b in sampling]
    tr_r = (sum(float(row @ row) for row in z) - sum(sampling) * tr_w) / sum(a)
    tr_rw = (sum(float(row @ within @ row) for row in z) - sum(sampling) * tr_ww) / sum(a)
    observed = scale = 0.0
    for i, j in itertools.permutations(range(n), 2):
        observed += float(z[i] @ z[j]) ** 2 - 2 * a[i] * sampling[j] * tr_rw - sampling[i] * sampling[j] * tr_ww
        scale += a[i] * a[j]
    return observed / scale / tr_r**2
