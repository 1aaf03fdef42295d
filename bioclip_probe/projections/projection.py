"""The coordinates of every image in every panel of the drill-down, with the record of each panel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.drilldown import FIGURE_RANKS, Panel, drill_down
from bioclip_probe.projections.outliers import cut_outliers
from bioclip_probe.projections.registry import REGISTRY
from bioclip_probe.projections.repeats import panel_stream
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.tables import COORDINATES
from bioclip_probe.tree import Placement, Tree

MINIMUM = 5  # fewer points have no neighbourhoods that a projection could keep
COLUMNS = [name for name in COORDINATES.names if name not in ("run", "encoder", "dataset", "image_id")]
DEFAULT_SETTINGS = ProjectionSettings()


@dataclass(frozen=True, eq=False)
class Projection:
    """The drill-down of one encoder.

    Attributes
    ----------
    coordinates : DataFrame
        The `COORDINATES` columns without ``run``, ``encoder``, ``dataset`` and ``image_id``, and ``row``, the image's
        row in the vectors. One row for each image of each panel, by method and in panel order. That includes the images
        of taxa that are not plotted, and those without a name at the rank (``taxon`` missing). In a panel that cannot
        be projected, coordinates are NaN.
    panels : list of dict
        The JSON-able record of each panel: ``rank``, ``focus``, ``n_images``, ``n_taxa``, ``n_unnamed``, ``plotted``
        (taxon to number of images), ``method``, ``mode``, ``seed``, ``settings`` (used for that many images), and
        ``note``, the reason why a panel was not projected.
    """

    coordinates: pd.DataFrame
    panels: list[dict[str, object]]


def project(
    vectors: np.ndarray,
    placement: Placement,
    settings: ProjectionSettings = DEFAULT_SETTINGS,
    ranks: tuple[str, ...] = FIGURE_RANKS,
) -> Projection:
    """Return the coordinates of every image in every panel of the drill-down, by each method; each panel on its own.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        One finite row for each image of `placement`, usually of unit length.
    placement : Placement
        Position of each image in the taxonomy.
    settings : ProjectionSettings
        Methods, mode and seed. The authors' script set no seed. Here there is always one, in both modes, so that
        the picture can be repeated. Each panel draws from its own stream, so leaving a rank out changes no other panel.
    ranks : tuple of str
        The panels to project.

    Returns
    -------
    Projection

    Raises
    ------
    ProbeError
        If the rows do not match, or values are not finite.

    Examples
    --------
    >>> from bioclip_probe.tables import RANKS
    >>> from bioclip_probe.tree import taxonomy
    >>> lineages = pd.DataFrame([["Animalia"] * 6 + [f"Pica {k}"] for k in range(6)], columns=RANKS)
    >>> settings = ProjectionSettings(methods=("pca",))
    >>> projection = project(np.eye(6), taxonomy(lineages), settings, ranks=("species",))
    >>> projection.coordinates.shape, projection.panels[0]["settings"]
    ((6, 10), {'n_components': 2})
    """
    _check_vectors(vectors, placement)
    frames, records = [], []
    for method, panel in itertools.product(settings.methods, drill_down(placement, ranks)):
        own = vectors[panel.rows]
        obstacle = projection_obstacle(own)
        points = np.full((panel.n_images, 2), np.nan)
        if not obstacle:
            rng = panel_stream(settings.seed, panel.rank)
            points = REGISTRY[method].function(own, rng, settings.mode)
        frames.append(_frame(panel, placement.tree, points).assign(method=method))
        records.append(_record(panel, placement.tree, method, settings, obstacle))
    types = dict.fromkeys(("method", "rank", "focus", "taxon"), "str")
    coordinates = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["plotted", "row", "x", "y"])
    coordinates = cut_outliers(coordinates.reindex(columns=[*COLUMNS, "row"]).astype(types), settings.mode)
    return Projection(
        coordinates.astype({"plotted": bool, "row": "int64", "x": "float64", "y": "float64"}),
        records,
    )


def projection_obstacle(vectors: np.ndarray) -> str:
    """Return the reason why vectors cannot be projected, or an empty string if they can.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float

    Returns
    -------
    str
        Empty if there are at least `MINIMUM` rows of at least two dimensions that are not all the same.

    Examples
    --------
    >>> projection_obstacle(np.eye(3))
    '3 images; an embedding needs 5'
    """
    if len(vectors) < MINIMUM:
        return f"{len(vectors)} images; an embedding needs {MINIMUM}"
    if vectors.shape[1] < 2:
        return "the embedding has one dimension"
    if (vectors == vectors[0]).all():
        return "all embeddings are the same"
    return ""


def _record(panel: Panel, tree: Tree, method: str, settings: ProjectionSettings, obstacle: str) -> dict[str, object]:
    """Return the record of one panel."""
    return {
        "rank": panel.rank,
        "focus": tree.path(panel.focus),
        "n_images": panel.n_images,
        "n_taxa": panel.n_taxa,
        "n_unnamed": panel.n_unnamed,
        "plotted": dict(zip([tree.path(node) for node in panel.plotted], panel.n_plotted, strict=True)),
        "method": method,
        "mode": settings.mode,
        "seed": settings.seed,
        "settings": {} if obstacle else REGISTRY[method].settings(panel.n_images, settings.mode),
        "note": obstacle,
    }


def _frame(panel: Panel, tree: Tree, points: np.ndarray) -> pd.DataFrame:
    """Return the rows of one panel."""
    nodes, position = np.unique(panel.taxon, return_inverse=True)
    paths = np.array([tree.path(node) if node >= 0 else None for node in nodes.tolist()], object)
    return pd.DataFrame(
        {
            "rank": panel.rank,
            "focus": tree.path(panel.focus),
            "taxon": pd.Series(paths[position], dtype="str"),
            "plotted": np.isin(panel.taxon, panel.plotted),
            "row": panel.rows,
            "x": points[:, 0],
            "y": points[:, 1],
        }
    )


def _check_vectors(vectors: np.ndarray, placement: Placement) -> None:
    """Raise an error if rows do not match or are not finite; unlike for metrics, any length is fine."""
    if vectors.ndim != 2 or len(vectors) != len(placement.node):
        raise ProbeError(f"expected one vector for each of {len(placement.node)} images, got shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        n_bad = int((~np.isfinite(vectors).all(1)).sum())
        raise ProbeError(f"{n_bad} vectors have values that are not finite; embed their images again")
