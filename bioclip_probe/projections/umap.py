"""UMAP, with umap-learn's library defaults."""

from __future__ import annotations

import warnings

import numpy as np


def settings(n: int) -> dict:
    """The settings for n images: the library's, save that fewer than 16 images cannot have 15 neighbours each.

    `n_jobs` is one because a seeded UMAP runs on one core; the library warns when asked otherwise. The start is
    random below 16 images: the library's spectral start has no meaning, and warns, on so small a graph.
    """
    return {
        "n_components": 2,
        "n_neighbors": min(15, n - 1),
        "min_dist": 0.1,
        "metric": "euclidean",
        "init": "spectral" if n > 15 else "random",
        "n_jobs": 1,
    }


def umap(vectors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Embed vectors in the plane by UMAP.

    Parameters
    ----------
    vectors : (n, d) float
        Rows to embed, n ≥ 5. Distances are Euclidean; between unit rows they order pairs as cosine distance does.
    rng : numpy.random.Generator
        Seeds the library.

    Returns
    -------
    (n, 2) float64
        Coordinates without unit.

    References
    ----------
    L. McInnes, J. Healy, J. Melville. UMAP: Uniform Manifold Approximation and Projection. arXiv 1802.03426, 2018.
    """
    with warnings.catch_warnings():
        # Without TensorFlow the library warns, at import, that its parametric variant is missing; it is not used here.
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP

    seed = int(rng.integers(2**32))
    return UMAP(**settings(len(vectors)), random_state=seed).fit_transform(vectors).astype(np.float64)
