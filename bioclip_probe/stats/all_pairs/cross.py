"""Correlation of two encoders' cosine distances over pairs of taxa, with and without each jackknife group.

The two embeddings may have different dimensions. With c_i and e_i the unit vectors, each about its own origin,
p_i = ‖c_i‖², q_i = ‖e_i‖², and D and E the two distances (see `distance_sums`), over all ordered pairs of n taxa::

    Σ D   = n Σp - ‖Σc‖²
    Σ D E = (n Σpq + Σp Σq)/2 - Σp e·Σe - Σq c·Σc + ‖Σ c eᵀ‖_F²

Each term but the last is made of sums over taxa, and those of a jackknife group subtract. For the last one, with
X = Σ c eᵀ over all taxa, the pairs of each group g are enough, so that all groups together cost O(k d₁ d₂)::

    ‖X - X_g‖²  =  ‖X‖² - 2 Σ_{i in g} c_i·X e_i + Σ_{i,j in g} (c_i·c_j)(e_i·e_j)
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.stats.all_pairs.distance_sums import centred_points
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.threads import matched_threads

#: A variance of distances below this share of the squared mean ‖x‖² counts as zero.
NOISE = 1e-12


def jackknifed_cross_correlations(
    vectors_a: np.ndarray, vectors_b: np.ndarray, jackknife_group: np.ndarray
) -> np.ndarray:
    """Return the Pearson correlation of two embeddings' cosine distances, over all pairs and without each group.

    Parameters
    ----------
    vectors_a, vectors_b : ndarray, shape (k, d₁), (k, d₂)
        Unit vectors of the same k taxa.
    jackknife_group : ndarray, shape (k,), int64
        The jackknife group of each taxon, from 0 to J - 1. A group without taxa is left out for nothing.

    Returns
    -------
    ndarray, shape (1 + J,), float64
        Of all taxa, then without each group. In [-1, 1]; NaN where either distance does not vary.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
    >>> jackknifed_cross_correlations(vectors, vectors[:, ::-1], np.array([0, 1, 2, 3])).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    a, b = centred_points(vectors_a), centred_points(vectors_b)
    n_pairs, d, e, product = _sums(a, b, jackknife_group)
    squares = [_sums(points, points, jackknife_group)[3] for points in (a, b)]
    correlations = np.asarray(pearson(n_pairs, d, e, squares[0], squares[1], product))
    for points, total, square in ((a, d, squares[0]), (b, e, squares[1])):
        # A small difference of much larger sums may be rounding.
        noise = NOISE * np.mean(np.einsum("ij,ij->i", points, points)) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            correlations[~(square - total**2 / n_pairs > noise * n_pairs)] = np.nan
    return correlations


def _sums(c: np.ndarray, e: np.ndarray, jackknife_group: np.ndarray) -> np.ndarray:
    """Return Σ1, ΣD, ΣE, ΣDE over ordered pairs, shape (4, 1 + J)."""
    p, q = np.einsum("ij,ij->i", c, c), np.einsum("ij,ij->i", e, e)
    with matched_threads(len(c) * c.shape[1] * e.shape[1]):
        cross = c.T @ e
        along = np.einsum("ij,ij->i", c @ cross, e)
    scalars = np.stack([np.ones(len(c)), p, q, p * q, along], axis=1)
    of_taxon = np.concatenate([scalars, c, e, p[:, None] * e, q[:, None] * c], axis=1)
    members = _members(jackknife_group)
    by_group = np.stack([of_taxon[taxa].sum(axis=0) for taxa in members])
    kept = by_group.sum(axis=0) - np.concatenate([np.zeros((1, by_group.shape[1])), by_group])
    own = [np.vdot(c[taxa] @ c[taxa].T, e[taxa] @ e[taxa].T) for taxa in members]
    squares = np.vdot(cross, cross) + np.append(0.0, own - 2 * by_group[:, 4])
    n, p, q, pq = kept[:, :4].T
    s, t, pe, qc = np.split(kept[:, 5:], np.cumsum([c.shape[1], e.shape[1], e.shape[1]]), axis=1)
    product = (n * pq + p * q) / 2 - np.einsum("ij,ij->i", pe, t) - np.einsum("ij,ij->i", qc, s) + squares
    return np.stack([n * (n - 1), n * p - np.einsum("ij,ij->i", s, s), n * q - np.einsum("ij,ij->i", t, t), product])


def _members(jackknife_group: np.ndarray) -> list[np.ndarray]:
    """Return the taxa of each group."""
    return np.split(np.argsort(jackknife_group, kind="stable"), np.cumsum(np.bincount(jackknife_group))[:-1])
