"""The maps of the explorer: all pictures in one plane, and the refitted panels that the study has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from bioclip_probe.projections.projection import projection_obstacle
from bioclip_probe.projections.registry import REGISTRY
from bioclip_probe.study.sample import Sample


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


def map_of_all(vectors: np.ndarray, method: str, mode: str, seed: int) -> np.ndarray:
    """Return all pictures in the plane, as `projections.project` projects its panels.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    method, mode : str
        See `projections.ProjectionSettings`.
    seed : int

    Returns
    -------
    ndarray, shape (n, 2), float64
        NaN if they cannot be projected.

    Examples
    --------
    >>> map_of_all(np.eye(6, dtype=np.float32), "pca", "corrected", 0).shape
    (6, 2)
    """
    if projection_obstacle(vectors):
        return np.full((len(vectors), 2), np.nan)
    return REGISTRY[method].function(vectors, np.random.default_rng([seed, 0]), mode)


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
