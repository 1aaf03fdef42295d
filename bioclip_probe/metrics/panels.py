"""Cluster purity inside the panels of the drill-down, in full dimension and in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np

from bioclip_probe.metrics.clusters import PURITY, ClusteredImages, estimate_index
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.kmeans import Clusters, Images
from bioclip_probe.stats.permutation import PermutedLabels
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

NO_PLANE = "the panel could not be projected"
FIXED_PLANE = "no interval: the plane would have to be drawn again without each group of species"


@dataclass(frozen=True, eq=False)
class Repeats:
    """The same panel in the plane by further seeds, and vectors without structure in a plane of their own.

    Attributes
    ----------
    planes : ndarray, shape (s, n, 2)
        Positions of the images by each further seed.
    shuffled : ndarray, shape (n, any)
        The vectors with their coordinates on each principal axis shuffled over images.
    control : ndarray, shape (n, 2)
        The plane of those.

    Examples
    --------
    >>> Repeats(np.zeros((2, 3, 2)), np.eye(3), np.zeros((3, 2))).n_seeds
    3
    """

    planes: np.ndarray
    shuffled: np.ndarray
    control: np.ndarray

    @property
    def n_seeds(self) -> int:
        """Number of seeds, with the one that is drawn."""
        return len(self.planes) + 1


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
    repeats : Repeats, optional
        None if the panel was projected once.

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
    repeats: Repeats | None = None


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

    def clustered(self, panel: Panel, points: np.ndarray, again: bool) -> ClusteredImages:
        """Return the images of a panel with their clusters.

        Parameters
        ----------
        panel : Panel
        points : ndarray, shape (n, any)
            Positions of the images of the panel.
        again : bool
            Cluster them again without each group of species, for the interval.

        Returns
        -------
        ClusteredImages
            The units of the jackknife are the species of the panel that are plotted, or their taxa of
            ``settings.resample``.
        """
        images, settings = panel.images, self.settings
        stream = partial(random_stream, settings.seed)
        jackknife = self._jackknife(panel)
        group, n_groups = (jackknife.group, jackknife.n_groups) if again else (None, None)
        rng, vectors = stream("kmeans", panel.rank), Images(points, settings.device)
        clusters = Clusters.of(vectors, images.labels, rng, group, n_groups)
        permuted = None
        if panel.rank != RANKS[-1]:
            rng, n_permutations = stream("species null", "panel", panel.rank), settings.n_null_permutations
            permuted = PermutedLabels.of(images.labels, images.species, n_permutations, rng)
        return ClusteredImages(images, clusters, jackknife, permuted, partial(stream, "cluster labels", panel.rank))

    def _jackknife(self, panel: Panel) -> Jackknife:
        """Return the groups of the plotted units of a panel."""
        images, rank = panel.images, self.settings.resample
        units = images.species
        if rank != RANKS[-1]:
            above = self.placement.tree.ancestor_at(rank)[units]
            units = np.where(above >= 0, above, len(self.placement.tree) + units)
        units = np.where(images.named, units, -1)
        return Jackknife.of(rank, units, random_stream(self.settings.seed, "jackknife", rank), self.settings.n_groups)


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
        plotted taxa; `taxon` is the path of the taxon in focus. Above species, chance permutes the species of the panel
        over its plotted taxa (null: species). The interval clusters the images of the panel again without each group of
        its species; there is none with fewer than ten of them.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> [row.value for row in panel_purity(corvid_panels())]
    [1.0, 1.0]
    """
    panels = replace(panels, settings=settings) if settings else panels
    rows = []
    for panel in panels.panels:
        size = panel.images.named.sum() * panel.images.n_taxa
        clustered = panels.clustered(panel, panel.vectors, again=size <= panels.settings.max_recluster)
        estimates = estimate_index(PURITY, clustered, panels.settings)
        rows += _measurements("panel_purity", panel, list(estimates.values()))
    return rows


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
        ``panel_purity_2d`` and ``panel_purity_2d_adjusted``, as in `panel_purity`, but without an interval, since the
        plane would have to be drawn again without each group of species; undefined where the panel could not be
        projected.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> panel_purity_2d(corvid_panels())[0].estimate.note
    'the panel could not be projected'
    """
    panels = replace(panels, settings=settings) if settings else panels
    rows = []
    for panel in panels.panels:
        if np.isfinite(panel.coordinates).all():
            clustered = panels.clustered(panel, panel.coordinates, again=False)
            estimates = list(estimate_index(PURITY, clustered, panels.settings, FIXED_PLANE).values())
        else:
            reason = NO_PLANE
            estimates = [Estimate.undefined(reason, n_images=int(panel.images.named.sum()))] * 2
        rows += _measurements("panel_purity_2d", panel, estimates)
    return rows


def _measurements(metric: str, panel: Panel, estimates: Sequence[Estimate]) -> list[Measurement]:
    """Return the plain and the adjusted number of a panel."""
    names = (metric, f"{metric}_adjusted")
    return [
        Measurement(name, panel.rank, estimate, taxon=panel.focus)
        for name, estimate in zip(names, estimates, strict=True)
    ]
