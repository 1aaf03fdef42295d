"""Principal component analysis: the plane of largest variance."""

from __future__ import annotations

import numpy as np

SMALLEST_VARIANCE = 1e-12  # share of the largest variance below which an axis holds nothing but rounding


def pca_settings(n: int, mode: str = "corrected") -> dict[str, object]:
    """Return the settings for n images: PCA has none except the number of components.

    Parameters
    ----------
    n : int
        It changes nothing; the argument is that of the other methods.
    mode : str
        Likewise.

    Returns
    -------
    dict

    Examples
    --------
    >>> pca_settings(100)
    {'n_components': 2}
    """
    return {"n_components": 2}


def pca(vectors: np.ndarray, rng: np.random.Generator | None = None, mode: str = "corrected") -> np.ndarray:
    """Project vectors onto their first two principal components.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
    rng : numpy.random.Generator, optional
        Not used, since PCA is exact; the argument is that of the other methods.
    mode : str
        Likewise.

    Returns
    -------
    ndarray, shape (n, 2), float64
        Coordinates in the unit of the vectors. The sign of an axis makes its largest loading positive, so that equal
        vectors give equal pictures. The second column is zero where the vectors lie on a line.

    References
    ----------
    K. Pearson. On lines and planes of closest fit to systems of points in space. Philosophical Magazine 2, 1901.

    Examples
    --------
    >>> pca(np.array([[0.0, 0.0, 1.0], [3.0, 4.0, 1.0]])).round(6).tolist()
    [[-2.5, 0.0], [2.5, 0.0]]
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
    axes = axes[:, : max(1, int((values > SMALLEST_VARIANCE * values[0]).sum()))]
    axes = axes / np.maximum(np.linalg.norm(axes, axis=0), np.finfo(float).tiny)
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
    plane = np.zeros((n, 2))
    plane[:, : axes.shape[1]] = centred @ axes
    return plane
