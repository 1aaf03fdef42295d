"""Rotation of vectors into the fewest dimensions that hold them, and onto their principal axes."""

from __future__ import annotations

import numpy as np

#: An axis whose sum of squares is below this share of the largest holds rounding only.
ROUNDING = 1e-12
_ROWS = 8192  # that are converted to float64 at a time


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


def principal_axes(vectors: np.ndarray) -> np.ndarray:
    """Return the orthogonal axes that hold vectors, in the order of their sums of squares.

    The coordinates on them are the same for an embedding that was rotated or padded with constant zeros, up to rounding
    and unless two axes have equal sums.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)

    Returns
    -------
    ndarray, shape (d, r), float64
        In columns. The sum of the cubes of the coordinates is at least 0 on each, which fixes its direction. r is the
        number of axes on which the vectors have coordinates beyond rounding; at least 1.

    Examples
    --------
    >>> vectors = np.array([[3.0, 0.0, 4.0], [-0.3, 0.0, -0.4]])
    >>> axes = principal_axes(vectors)
    >>> axes.shape, (vectors @ axes).round(6).ravel().tolist()
    ((3, 1), [5.0, -0.5])
    """
    d = vectors.shape[1]
    products = np.zeros((d, d))
    blocks = [vectors[start : start + _ROWS] for start in range(0, len(vectors), _ROWS)]
    for block in blocks:
        rows = block.astype(np.float64, copy=False)
        products += rows.T @ rows
    squares, axes = np.linalg.eigh(products)
    rank = max(int(np.sum(squares > ROUNDING * squares[-1])), 1)
    axes = axes[:, ::-1][:, :rank]
    coordinates = (block @ axes.astype(np.result_type(block, np.float32)) for block in blocks)
    cubes = sum(((x * x * x).sum(axis=0, dtype=np.float64) for x in coordinates), np.zeros(rank))
    return np.asarray(axes * np.where(cubes < 0, -1.0, 1.0))
