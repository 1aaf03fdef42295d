"""Rotation of vectors into the fewest dimensions that hold them."""

from __future__ import annotations

import numpy as np


def rotate_into_span(vectors: np.ndarray) -> np.ndarray:
    """Return vectors in no more dimensions than there are vectors; a rotation keeps all their products.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float64

    Returns
    -------
    ndarray, shape (n, min(n, d)), float64
        The vectors unchanged if n ≥ d.

    Examples
    --------
    >>> vectors = np.array([[3.0, 0.0, 4.0], [0.0, 1.0, 0.0]])
    >>> rotated = rotate_into_span(vectors)
    >>> rotated.shape, np.allclose(rotated @ rotated.T, vectors @ vectors.T)
    ((2, 2), True)
    """
    if len(vectors) >= vectors.shape[1]:
        return vectors
    return np.asarray(np.linalg.qr(vectors.T, mode="r")).T
