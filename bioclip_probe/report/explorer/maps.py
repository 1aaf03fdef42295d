"""The maps of the explorer: all pictures in one plane, and the refitted panels that the study has.

A map of all pictures is a means of finding one's way, not a panel of Section 4.6: no number rests on it. It takes the
nearest neighbours that the explorer has searched anyway, and fewer steps than a panel. On the built-in world t-SNE
keeps as many of the ten nearest neighbours after 300 steps as after 750 (.72 of them), and takes a third of the time.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from threading import Lock
from typing import NamedTuple

import numpy as np
import pandas as pd

from bioclip_probe.projections.projection import projection_obstacle
from bioclip_probe.projections.registry import REGISTRY
from bioclip_probe.projections.tsne import tsne_settings
from bioclip_probe.projections.umap import compiled_umap, umap_settings
from bioclip_probe.report.explorer.neighbors import Near
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.study.sample import Sample

#: Steps of t-SNE with early exaggeration, and after it.
TSNE_STEPS = (100, 200)
UMAP_STEPS = 200
#: The compiled loops of UMAP must not be run by two threads at once.
_UMAP_LOCK = Lock()


class Refit(NamedTuple):
    """The coordinates of one clade, projected on its own as in Section 4.6.

    Attributes
    ----------
    method : str
    node : int
        The clade in the taxonomy.
    points : ndarray, shape (n, 2), float64
        Of its images, in the order of the sample; NaN where they could not be projected.
    """

    method: str
    node: int
    points: np.ndarray


def map_of_all(vectors: np.ndarray, method: str, seed: int, near: Near | None = None) -> np.ndarray:
    """Return all pictures in the plane.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit rows.
    method : str
        One of `bioclip_probe.projections.registry`. t-SNE and UMAP begin with `near`; others project as a panel does.
    seed : int
    near : Near, optional
        Nearest rows of the vectors, if they are known.

    Returns
    -------
    ndarray, shape (n, 2), float64
        NaN if they cannot be projected. The map does not depend on the number of threads. Several threads may ask for
        maps at once; each map takes one of them.

    Examples
    --------
    >>> map_of_all(np.eye(6, dtype=np.float32), "pca", 0).shape
    (6, 2)
    """
    if projection_obstacle(vectors):
        return np.full((len(vectors), 2), np.nan)
    with one_thread:  # with more threads sums have other last digits, and a map that begins with them looks otherwise
        if method not in ("tsne", "umap"):
            return REGISTRY[method].function(vectors, np.random.default_rng([seed, 0]), "corrected")
        near = Near.of(vectors) if near is None else near
        distance = np.sqrt(np.maximum(2 - 2 * near.similarity, 0))  # Euclidean, between unit rows
        if method == "tsne":
            return _tsne(vectors, near.rows, distance, seed)
        with _UMAP_LOCK:
            return _umap(vectors, near.rows, distance, seed)


def _tsne(vectors: np.ndarray, rows: np.ndarray, distance: np.ndarray, seed: int) -> np.ndarray:
    """Return a t-SNE from nearest neighbours."""
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.initialization import pca
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    settings = tsne_settings(len(vectors))
    perplexity = min(float(str(settings["perplexity"])), rows.shape[1] / 3)
    affinities = PerplexityBasedNN(knn_index=PrecomputedNeighbors(rows, distance), perplexity=perplexity, n_jobs=1)
    early, late = TSNE_STEPS
    drawn = TSNE(early_exaggeration_iter=early, n_iter=late, learning_rate="auto", n_jobs=1, random_state=seed).fit(
        affinities=affinities, initialization=pca(vectors, random_state=seed)
    )
    return np.array(drawn, np.float64)


def _umap(vectors: np.ndarray, rows: np.ndarray, distance: np.ndarray, seed: int) -> np.ndarray:
    """Return a UMAP from nearest neighbours."""
    settings = umap_settings(len(vectors))
    if settings["init"] == "spectral":
        settings["init"] = "pca"  # as t-SNE begins; a spectral start takes longer than all steps
    others = int(str(settings["n_neighbors"])) - 1  # UMAP counts a row as its own neighbour
    itself = np.arange(len(vectors))[:, None]
    known = (
        np.hstack([itself, rows[:, :others]]).astype(np.int32),
        np.hstack([np.zeros((len(vectors), 1)), distance[:, :others]]).astype(np.float32),
    )
    drawn = compiled_umap()(**settings, n_epochs=UMAP_STEPS, precomputed_knn=known, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn")  # without a search index it cannot add rows; none is added
        return drawn.fit_transform(vectors).astype(np.float64)


def refits(coordinates: pd.DataFrame, sample: Sample) -> Iterator[Refit]:
    """Yield the panels of one encoder.

    Parameters
    ----------
    coordinates : DataFrame
        Rows of a `COORDINATES` table of one encoder and one mode.
    sample : Sample

    Yields
    ------
    Refit
        One a method and clade.

    Examples
    --------
    >>> from bioclip_probe.projections.settings import ProjectionSettings
    >>> from bioclip_probe.study import project
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> panels = project(sample, ProjectionSettings(methods=("pca",))).coordinates
    >>> [sample.placement.tree.path(refit.node) for refit in refits(panels, sample)]
    ['', '|||||Pica']
    """
    tree, node = sample.placement.tree, sample.placement.node
    node_of = {path: number for number, path in enumerate(tree.paths)}
    ids = sample.images["image_id"]
    focus = coordinates["focus"].fillna("")
    for (method, path), rows in coordinates.groupby([coordinates["method"], focus], sort=False):
        root = node_of.get(str(path), -1)
        if root < 0:
            continue
        points = rows.drop_duplicates("image_id").set_index("image_id")[["x", "y"]]
        inside = (node >= root) & (node < tree.stop[root])
        yield Refit(str(method), root, points.reindex(ids[inside]).to_numpy(np.float64))
