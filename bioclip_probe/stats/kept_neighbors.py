"""Trustworthiness of a map into the plane, and vectors without structure to compare with."""

from __future__ import annotations

import numpy as np

#: The most distances in memory at once.
MOST_DISTANCES = 4_000_000


def trustworthiness(vectors: np.ndarray, points: np.ndarray, k: int = 5, anchors: np.ndarray | None = None) -> float:
    """Return how far the nearest points in the plane are also neighbours in full dimension.

    For an anchor i let U_i be those of its k nearest points that are not among its k nearest vectors, and r(i, j) the
    rank of vector j among the neighbours of vector i (1 is the nearest). With m anchors out of n images, the value is
    1 − 2 / (m k (2n − 3k − 1)) · Σ_i Σ_{j ∈ U_i} (r(i, j) − k).

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        Positions in full dimension; distances are Euclidean, which order pairs of unit rows as cosine distance does.
    points : ndarray, shape (n, 2), float
        The same images in the plane.
    k : int
        Neighbours of each image; below n / 2.
    anchors : ndarray, shape (m,), int64, optional
        Images whose neighbours are compared; all by default. The value is then an estimate without bias.

    Returns
    -------
    float
        In [0, 1], higher is better. A random map has about 0.5; a good map of very many images is near 1, and so is one
        that merely keeps what is far apart. Its value needs a control of the same n.

    Raises
    ------
    ValueError
        If k is not between 1 and n / 2.

    References
    ----------
    J. Venna, S. Kaski. Neighborhood preservation in nonlinear projection methods: an experimental study. ICANN 2001.

    Examples
    --------
    >>> line = np.arange(8.0)[:, None] * np.ones((1, 3))
    >>> trustworthiness(line, line[:, :2], k=2)
    1.0
    """
    n = len(vectors)
    if not 1 <= k < n / 2:
        raise ValueError(f"{k} neighbours of {n} images: expected between 1 and half of the images")
    anchors = np.arange(n) if anchors is None else np.asarray(anchors)
    full, plane = (_centred(positions) for positions in (vectors, points))
    step, excess = max(MOST_DISTANCES // n, 1), 0
    for start in range(0, len(anchors), step):
        rows = anchors[start : start + step]
        nearest = np.argpartition(_squared_distances(plane, rows), k - 1, axis=1)[:, :k]
        distances = _squared_distances(full, rows)
        for column in nearest.T:
            own = np.take_along_axis(distances, column[:, None], axis=1)
            rank = (distances < own).sum(axis=1) + 1
            excess += int(np.maximum(rank - k, 0).sum())
    return 1 - 2 * excess / (len(anchors) * k * (2 * n - 3 * k - 1))


def shuffled_axes(vectors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return vectors of the same spectrum without structure: coordinates on each principal axis, shuffled over images.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, min(n, d)), float32
        Coordinates on the principal axes. Each axis keeps its values, so that the variance along it, and the number of
        effective dimensions, are those of the vectors; but the axes are independent, and an image has nothing to do
        with its taxon. It is the control of Horn's parallel analysis, on principal axes.

    References
    ----------
    J. L. Horn. A rationale and test for the number of factors in factor analysis. Psychometrika 30, 1965.

    Examples
    --------
    >>> vectors = np.random.default_rng(0).normal(size=(50, 3)) * [3, 2, 1]
    >>> shuffled = shuffled_axes(vectors, np.random.default_rng(1))
    >>> bool(np.allclose(shuffled.var(0).sum(), vectors.var(0).sum()))
    True
    """
    left, singular, _ = np.linalg.svd(_centred(vectors), full_matrices=False)
    return rng.permuted(left * singular, axis=0).astype(np.float32)


def _centred(positions: np.ndarray) -> np.ndarray:
    """Return positions about their mean, in float64."""
    positions = np.asarray(positions, np.float64)
    return positions - positions.mean(axis=0)


def _squared_distances(positions: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the squared distances of some rows from all, infinite from themselves."""
    norms = (positions**2).sum(axis=1)
    distances = norms[rows, None] + norms[None, :] - 2 * positions[rows] @ positions.T
    distances[np.arange(len(rows)), rows] = np.inf
    return distances
