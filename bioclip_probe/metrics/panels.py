"""Cluster purity inside the panels of the drill-down, in full dimension and in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from bioclip_probe.metrics.clusters import estimate_cluster_purity
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.scores import adjusted
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.kmeans import kmeans
from bioclip_probe.tree.tree import Placement


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel of the drill-down.

    Attributes
    ----------
    rank : str
        Rank of the plotted taxa.
    focus : str
        Path of the taxon in focus, whose images are in the panel.
    vectors : ndarray, shape (n, d)
        Embeddings of the images.
    coordinates : ndarray, shape (n, 2)
        Their positions in the plane; NaN if the panel could not be projected.
    images : LabelledImages
        Their taxa at the rank, -1 for taxa that are not plotted, and their species.

    Examples
    --------
    >>> images = LabelledImages(np.array([0, 0, 1]), np.arange(3))
    >>> Panel("genus", "Corvidae", np.eye(3), np.zeros((3, 2)), images).images.n_taxa
    2
    """

    rank: str
    focus: str
    vectors: np.ndarray
    coordinates: np.ndarray
    images: LabelledImages


@dataclass(frozen=True, eq=False)
class Panels:
    """The panels of the drill-down of one embedding.

    Attributes
    ----------
    panels : sequence of Panel
    placement : Placement
        The images of the whole embedding in a taxonomy.
    settings : MeasureSettings

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> [panel.rank for panel in corvid_panels().panels]
    ['genus']
    """

    subject: ClassVar[str] = "panels"

    panels: Sequence[Panel]
    placement: Placement
    settings: MeasureSettings = field(default_factory=MeasureSettings)

    @property
    def has_ranks(self) -> bool:
        """True in a taxonomy."""
        return self.placement.tree.unit == "rank"


def panel_purity(
    panels: Panels, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return cluster purity inside each panel among the plotted taxa, in full dimension.

    Parameters
    ----------
    panels : Panels
    placement : Placement, optional
        Not used: the panels know the taxa of their images.
    settings : MeasureSettings, optional
        By default those of the panels.

    Returns
    -------
    list of Measurement
        ``panel_purity`` and ``panel_purity_adjusted`` for each panel, as `cluster_purity` with as many clusters as
        plotted taxa; `taxon` is the path of the taxon in focus.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> [row.value for row in panel_purity(corvid_panels())]
    [1.0, 1.0]
    """
    points = [panel.vectors for panel in panels.panels]
    return _purities("panel_purity", panels.panels, points, settings or panels.settings)


def panel_purity_2d(
    panels: Panels, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return cluster purity inside each panel among the plotted taxa, in the plane.

    Parameters
    ----------
    panels, placement, settings
        As for `panel_purity`.

    Returns
    -------
    list of Measurement
        ``panel_purity_2d`` and ``panel_purity_2d_adjusted``, as in `panel_purity`; undefined where the panel could not
        be projected.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> panel_purity_2d(corvid_panels())[0].estimate.note
    'the panel could not be projected'
    """
    points = [panel.coordinates for panel in panels.panels]
    return _purities("panel_purity_2d", panels.panels, points, settings or panels.settings)


def _purities(
    metric: str, panels: Sequence[Panel], points: Sequence[np.ndarray], settings: MeasureSettings
) -> list[Measurement]:
    """Return the purity of each panel with its points, plain and adjusted."""
    rows = []
    for panel, of_panel in zip(panels, points, strict=True):
        images = panel.images
        if np.isfinite(of_panel).all():
            clusters = kmeans(of_panel, images.labels, random_stream(settings.seed, "kmeans", panel.rank))
            rng = random_stream(settings.seed, metric, panel.rank)
            purity = estimate_cluster_purity(clusters, images, rng, settings)
        else:
            purity = Estimate.undefined("the panel could not be projected", n_images=int(images.named.sum()))
        rows.append(Measurement(metric, panel.rank, purity, taxon=panel.focus))
        rows.append(Measurement(f"{metric}_adjusted", panel.rank, adjusted(purity), taxon=panel.focus))
    return rows
