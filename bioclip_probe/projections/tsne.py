"""t-SNE, as the paper's figure uses it: scikit-learn's library defaults."""

from __future__ import annotations

import numpy as np


def settings(n: int) -> dict:
    """The settings for n images: the library's, save a perplexity that n images cannot have.

    scikit-learn refuses a perplexity of n or more. Its default, 30, is kept for every n above 30; below, it is
    (n − 1)/3, the largest for which three times as many neighbours exist.
    """
    perplexity = 30.0 if n > 30 else (n - 1) / 3
    return {"n_components": 2, "perplexity": perplexity, "init": "pca", "learning_rate": "auto", "max_iter": 1000}


def tsne(vectors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Embed vectors in the plane by t-SNE.

    Parameters
    ----------
    vectors : (n, d) float
        Rows to embed, n ≥ 5. Distances are Euclidean; between unit rows they order pairs as cosine distance does.
    rng : numpy.random.Generator
        Seeds the library.

    Returns
    -------
    (n, 2) float64
        Coordinates without unit; only who is near whom has meaning, not distances between groups or their size.

    References
    ----------
    L. van der Maaten, G. Hinton. Visualizing Data using t-SNE. JMLR 9, 2008.
    """
    from sklearn.manifold import TSNE

    seed = int(rng.integers(2**32))
    return TSNE(**settings(len(vectors)), random_state=seed).fit_transform(vectors).astype(np.float64)
