"""t-SNE with scikit-learn's defaults, as in the paper's figure."""

from __future__ import annotations

import numpy as np


def tsne_settings(n: int) -> dict[str, object]:
    """Return the settings for n images: the library's defaults, and the largest valid perplexity for few images.

    Parameters
    ----------
    n : int
        Number of images.

    Returns
    -------
    dict
        Keyword arguments of scikit-learn's ``TSNE``. scikit-learn refuses a perplexity of n or more. For n above 30 it
        is the default, 30; otherwise it is (n − 1)/3, the largest for which three times as many neighbours exist.

    Examples
    --------
    >>> tsne_settings(10)["perplexity"], tsne_settings(10_000)["perplexity"]
    (3.0, 30.0)
    """
    perplexity = 30.0 if n > 30 else (n - 1) / 3
    return {"n_components": 2, "perplexity": perplexity, "init": "pca", "learning_rate": "auto", "max_iter": 1000}


def tsne(vectors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Embed vectors in the plane by t-SNE.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        Rows to embed, n ≥ 5. Distances are Euclidean; between unit rows they order pairs as cosine distance does.
    rng : numpy.random.Generator
        Draws the seed of the library.

    Returns
    -------
    ndarray, shape (n, 2), float64
        Coordinates without unit. Only the neighbours of a point have a meaning; the distances between groups, and their
        sizes, have none.

    References
    ----------
    L. van der Maaten, G. Hinton. Visualizing Data using t-SNE. JMLR 9, 2008.

    Examples
    --------
    >>> tsne(np.eye(6, dtype=np.float32), np.random.default_rng(0)).shape
    (6, 2)
    """
    from sklearn.manifold import TSNE

    seed = int(rng.integers(2**32))
    return TSNE(**tsne_settings(len(vectors)), random_state=seed).fit_transform(vectors).astype(np.float64)
