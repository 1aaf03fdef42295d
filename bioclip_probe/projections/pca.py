"""The plane of largest variance."""

from __future__ import annotations

import numpy as np


def settings(n: int) -> dict:
    """The settings for n images: PCA has none beside the two components."""
    return {"n_components": 2}


def pca(vectors: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Project vectors onto their first two principal components.

    Parameters
    ----------
    vectors : (n, d) float
    rng : ignored
        PCA is exact; the argument makes it interchangeable with the others.

    Returns
    -------
    (n, 2) float64
        Coordinates in the unit of the vectors. An axis points to where its largest loading is positive, so that
        equal vectors give equal pictures. The second column is zero where the vectors lie on a line.
    """
    centred = np.asarray(vectors, np.float64)
    centred = centred - centred.mean(0)
    n, d = centred.shape
    # The eigenvectors of the smaller of the two Gram matrices give the same plane.
    if n < d:
        values, left = np.linalg.eigh(centred @ centred.T)
        axes = centred.T @ left[:, ::-1][:, :2]
    else:
        values, right = np.linalg.eigh(centred.T @ centred)
        axes = right[:, ::-1][:, :2]
    values = values[::-1][:2]
    axes = axes[:, : max(1, int((values > 1e-12 * values[0]).sum()))]
    axes = axes / np.maximum(np.linalg.norm(axes, axis=0), np.finfo(float).tiny)
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
    plane = np.zeros((n, 2))
    plane[:, : axes.shape[1]] = centred @ axes
    return plane
