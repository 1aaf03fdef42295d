"""Cluster purity inside the panels of the drill-down."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bioclip_probe.metrics.measurement import random_stream as stream
from bioclip_probe.metrics.measurement import row
from bioclip_probe.metrics.scores import adjusted
from bioclip_probe.metrics.separation import cluster_purity
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.kmeans import kmeans


def measure_panels(
    panels: Iterable[tuple[str, str, np.ndarray, np.ndarray]], units: np.ndarray, metric: str, seed: int = 0
) -> list[dict]:
    """Cluster purity inside each panel of the drill-down, among the plotted taxa.

    Parameters
    ----------
    panels : iterable of (rank, taxon, points, labels)
        The rank plotted, the path of the taxon in focus, points of shape (n, d), and labels of shape (n,) that are -1
        for images of taxa that are not plotted.
    units : sequence of ndarray
        The species of each image of each panel.
    metric : str
        ``panel_purity`` or ``panel_purity_2d``.
    """
    rows = []
    for (rank, taxon, points, labels), unit in zip(panels, units, strict=True):
        if np.isfinite(points).all():
            clusters = kmeans(points, labels, stream(seed, "kmeans", rank))
            purity = cluster_purity(clusters, labels, unit, stream(seed, metric, rank))
        else:
            purity = Estimate.undefined("the panel could not be projected", n_images=int(np.sum(labels >= 0)))
        rows.append(row(metric, rank, purity, taxon=taxon, tree="taxonomy"))
        rows.append(row(f"{metric}_adjusted", rank, adjusted(purity), taxon=taxon, tree="taxonomy"))
    return rows
