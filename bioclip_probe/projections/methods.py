"""The catalogue of projections, and what every one of them asks of its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bioclip_probe.projections import pca, tsne, umap

MINIMUM = 5  # fewer points have no neighbourhoods that a projection could keep


@dataclass(frozen=True)
class Method:
    """One projection.

    Attributes
    ----------
    name, what, source : str
        Its name, what it does in one line, and where it is from.
    embed : callable
        ``embed(vectors (n, d), rng) -> (n, 2) float64``.
    settings : callable
        ``settings(n) -> dict``: every setting that ``embed`` uses for n images, JSON-able.
    """

    name: str
    what: str
    source: str
    embed: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    settings: Callable[[int], dict]


METHODS = {
    method.name: method
    for method in (
        Method("tsne", "t-SNE with scikit-learn's defaults: keeps near neighbours; the paper's figure",
               "van der Maaten & Hinton 2008", tsne.tsne, tsne.settings),
        Method("umap", "UMAP with umap-learn's defaults: keeps near neighbours, and more of what lies between groups",
               "McInnes et al. 2018", umap.umap, umap.settings),
        Method("pca", "the plane of largest variance: linear, distances in it are true distances",
               "Pearson 1901", pca.pca, pca.settings),
    )
}  # fmt: skip


def obstacle(vectors: np.ndarray) -> str:
    """Why these vectors cannot be embedded, or nothing.

    Parameters
    ----------
    vectors : (n, d) float

    Returns
    -------
    str
        Empty if there are at least `MINIMUM` rows of at least two dimensions and they are not all the same.
    """
    if len(vectors) < MINIMUM:
        return f"{len(vectors)} images; an embedding needs {MINIMUM}"
    if vectors.shape[1] < 2:
        return "the embedding has one dimension"
    if (vectors == vectors[0]).all():
        return "all embeddings are the same"
    return ""
