"""UMAP with umap-learn's defaults."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from umap import UMAP


def umap_settings(n: int, mode: str = "corrected") -> dict[str, object]:
    """Return the settings for n images: the library's defaults, with fewer neighbours below 16 images.

    Parameters
    ----------
    n : int
        Number of images.
    mode : str
        It changes nothing; the argument is that of the other methods.

    Returns
    -------
    dict
        Keyword arguments of umap-learn's ``UMAP``. `n_jobs` is one because a seeded UMAP runs on one core; otherwise
        the library warns. Below 16 images the start is random: the library's spectral start has no meaning on so small
        a graph, and warns.

    Examples
    --------
    >>> umap_settings(10)["n_neighbors"], umap_settings(10_000)["n_neighbors"]
    (9, 15)
    """
    return {
        "n_components": 2,
        "n_neighbors": min(15, n - 1),
        "min_dist": 0.1,
        "metric": "euclidean",
        "init": "spectral" if n > 15 else "random",
        "n_jobs": 1,
    }


def umap(vectors: np.ndarray, rng: np.random.Generator, mode: str = "corrected") -> np.ndarray:
    """Embed vectors in the plane by UMAP.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        Rows to embed, n ≥ 5. Distances are Euclidean; between unit rows they order pairs as cosine distance does.
    rng : numpy.random.Generator
        Draws the seed of the library.
    mode : str
        It changes nothing; the argument is that of the other methods.

    Returns
    -------
    ndarray, shape (n, 2), float64
        Coordinates without unit.

    References
    ----------
    L. McInnes, J. Healy, J. Melville. UMAP: Uniform Manifold Approximation and Projection. arXiv 1802.03426, 2018.

    Examples
    --------
    The first call compiles the library, which takes seconds::

        umap(vectors, np.random.default_rng(0))
    """
    seed = int(rng.integers(2**32))
    return compiled_umap()(**umap_settings(len(vectors)), random_state=seed).fit_transform(vectors).astype(np.float64)


def compiled_umap() -> type[UMAP]:
    """Return umap-learn's class; the machine keeps its compiled loops, which otherwise cost 10 s in each process.

    Examples
    --------
    >>> compiled_umap().__name__
    'UMAP'
    """
    with warnings.catch_warnings():
        # Without TensorFlow the library warns, at import, that its parametric variant is missing; it is not used here.
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP, distances, layouts, umap_, utils

    loops = (
        distances.euclidean,
        utils.fast_knn_indices,
        utils.tau_rand_int,
        umap_.smooth_knn_dist,
        umap_.compute_membership_strengths,
        layouts.rdist,
        layouts.clip,
        layouts._nb_optimize_layout_euclidean_single_epoch,
    )
    for loop in loops:
        with suppress(RuntimeError):  # no folder that it may write to
            loop.enable_caching()
    return UMAP
