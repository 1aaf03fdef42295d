"""Correlation of two embeddings' cosine distances over pairs of taxa, whole and without each part of the taxa.

Both widths are free. With c_i, e_i the unit vectors about an origin each, p_i = ‖c_i‖², q_i = ‖e_i‖², D and E the two
distances (see `distance_sums`), over all ordered pairs of n taxa::

    Σ D   = n Σp - ‖Σc‖²
    Σ D E = (n Σpq + Σp Σq)/2 - Σp e·Σe - Σq c·Σc + ‖Σ c eᵀ‖_F²

Each is made of sums over taxa, and those of a part subtract: O(k d₁ d₂) for all parts together.
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.stats.all_pairs.distance_sums import centred_points
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.threads import matched_threads

#: A variance of distances below this share of the squared mean ‖x‖² is none.
NOISE = 1e-12


def jackknifed_cross_correlations(vectors_a: np.ndarray, vectors_b: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Pearson correlation of the cosine distances of two embeddings of the same k taxa, over all pairs.

    Parameters
    ----------
    vectors_a, vectors_b : ndarray, shape (k, d₁), (k, d₂)
        Unit vectors.
    part : ndarray, shape (k,), int64
        From 0 to P - 1.

    Returns
    -------
    ndarray, shape (1 + P,), float64
        Of all taxa, then without each part; NaN where either distance does not vary.
    """
    a, b = centred_points(vectors_a), centred_points(vectors_b)
    n_pairs, d, e, product = _sums(a, b, part)
    own = [_sums(points, points, part)[3] for points in (a, b)]
    correlations = pearson(n_pairs, d, e, *own, product)
    for points, sums, squares in ((a, d, own[0]), (b, e, own[1])):
        # What is left of much larger sums once a part is subtracted may be rounding.
        noise = NOISE * np.mean(np.einsum("ij,ij->i", points, points)) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            correlations[~(squares - sums**2 / n_pairs > noise * n_pairs)] = np.nan
    return correlations


def _sums(c: np.ndarray, e: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Σ1, ΣD, ΣE, ΣDE over ordered pairs, shape (4, 1 + P)."""
    members = _members(part)
    with matched_threads(len(c) * c.shape[1] * e.shape[1] / len(members)):
        each = [_of_part(c[own], e[own]) for own in members]
    linear = np.stack([sums for sums, _ in each])
    cross = np.sum([products for _, products in each], axis=0)
    left = linear.sum(axis=0) - np.concatenate([np.zeros((1, linear.shape[1])), linear])
    squares = np.array([_squared(cross), *(_squared(cross - products) for _, products in each)])
    n, p, q, pq = left[:, :4].T
    s, t, pe, qc = np.split(left[:, 4:], np.cumsum([c.shape[1], e.shape[1], e.shape[1]]), axis=1)
    product = (n * pq + p * q) / 2 - np.einsum("ij,ij->i", pe, t) - np.einsum("ij,ij->i", qc, s) + squares
    return np.stack([n * (n - 1), n * p - np.einsum("ij,ij->i", s, s), n * q - np.einsum("ij,ij->i", t, t), product])


def _members(part: np.ndarray) -> list[np.ndarray]:
    """The taxa of each part."""
    return np.split(np.argsort(part, kind="stable"), np.cumsum(np.bincount(part))[:-1])


def _of_part(c: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ1, Σp, Σq, Σpq, Σc, Σe, Σp e, Σq c one after the other, and Σ c eᵀ."""
    p, q = np.einsum("ij,ij->i", c, c), np.einsum("ij,ij->i", e, e)
    scalars = [len(c), p.sum(), q.sum(), p @ q]
    return np.concatenate([scalars, c.sum(axis=0), e.sum(axis=0), p @ e, q @ c]), c.T @ e


def _squared(matrix: np.ndarray) -> float:
    return float(np.vdot(matrix, matrix))
