"""t-SNE: scikit-learn with its defaults as in the paper's figure, or openTSNE, which is much faster for many images."""

from __future__ import annotations

import numpy as np

from bioclip_probe.projections.modes import check_mode

PAPER = "paper"


def tsne_settings(n: int, mode: str = "corrected") -> dict[str, object]:
    """Return the settings for n images: the library's defaults, and the largest valid perplexity for few images.

    Parameters
    ----------
    n : int
        Number of images.
    mode : str
        ``paper``: keyword arguments of scikit-learn's ``TSNE``, ``corrected``: of openTSNE's.

    Returns
    -------
    dict
        The perplexity is the default of both libraries, 30, for n above 90; otherwise it is (n − 1)/3, the largest for
        which three times as many neighbours exist. scikit-learn, in ``paper`` mode, uses 30 as soon as n is above 30.
        openTSNE searches the nearest neighbours exactly, on one thread, so that its result depends on the seed only.

    Raises
    ------
    ProbeError
        If there is no such mode.

    Examples
    --------
    >>> tsne_settings(10)["perplexity"], tsne_settings(10_000)["perplexity"]
    (3.0, 30.0)
    """
    check_mode(mode)
    if mode == PAPER:
        perplexity = 30.0 if n > 30 else (n - 1) / 3
        return {"n_components": 2, "perplexity": perplexity, "init": "pca", "learning_rate": "auto", "max_iter": 1000}
    return {
        "n_components": 2,
        "perplexity": min(30.0, (n - 1) / 3),
        "initialization": "pca",
        "learning_rate": "auto",
        "early_exaggeration_iter": 250,
        "n_iter": 500,
        "neighbors": "exact",
        "n_jobs": 1,
    }


def tsne(vectors: np.ndarray, rng: np.random.Generator, mode: str = "corrected") -> np.ndarray:
    """Embed vectors in the plane by t-SNE.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        Rows to embed, n ≥ 5. Distances are Euclidean; between unit rows they order pairs as cosine distance does.
    rng : numpy.random.Generator
        Draws the seed of the library.
    mode : str
        ``paper`` asks scikit-learn, as the authors did, ``corrected`` openTSNE. Memory is O(90 n) beside the vectors;
        time grows as n log n for scikit-learn, and from 10,000 images on as n for openTSNE, beside the search of
        neighbours, O(n² d).

    Returns
    -------
    ndarray, shape (n, 2), float64
        Coordinates without unit. Only the neighbours of a point have a meaning; the distances between groups, and their
        sizes, have none.

    Raises
    ------
    ProbeError
        If there is no such mode.

    References
    ----------
    L. van der Maaten, G. Hinton. Visualizing Data using t-SNE. JMLR 9, 2008.
    P. G. Poličar, M. Stražar, B. Zupan. openTSNE: a modular Python library for t-SNE dimensionality reduction and
    embedding. Journal of Statistical Software 109, 2024.

    Examples
    --------
    >>> tsne(np.eye(6, dtype=np.float32), np.random.default_rng(0)).shape
    (6, 2)
    """
    settings, seed = tsne_settings(len(vectors), mode), int(rng.integers(2**31))
    if mode == PAPER:
        from sklearn.manifold import TSNE

        return TSNE(**settings, random_state=seed).fit_transform(vectors).astype(np.float64)
    import openTSNE

    return np.array(openTSNE.TSNE(**settings, random_state=seed).fit(np.ascontiguousarray(vectors)), dtype=np.float64)
