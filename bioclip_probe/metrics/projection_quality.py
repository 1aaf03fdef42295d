"""Quality of projections: neighbours that the plane keeps, spread over seeds, and a control without structure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from bioclip_probe.metrics.clusters import PURITY, estimate_index
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.panels import NO_PLANE, Panel, Panels
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.kept_neighbors import trustworthiness
from bioclip_probe.tree.tree import Placement

#: Neighbours of each image that are compared; fewer in panels of ten images or less.
N_NEIGHBORS = 5
#: Images whose neighbours are compared; with fewer, all are.
MOST_ANCHORS = 2_000
ONCE = "the panel was projected once"
#: The null of a plane without structure.
AXES = "axes"


def panel_trustworthiness(
    panels: Panels, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how far the nearest images in the plane of each panel are neighbours in full dimension.

    Parameters
    ----------
    panels : Panels
    placement : Placement, optional
        Not used: the panels know the taxa of their images.
    settings : MeasureSettings, optional
        By default those of the panels; `seed` is used.

    Returns
    -------
    list of Measurement
        ``panel_trustworthiness`` for each panel, see `trustworthiness`: five neighbours, fewer in panels of ten images
        or less; of at most 2,000 images drawn at random. All images of the panel count, whether their taxon is plotted
        or not. There is no interval, as for `panel_purity_2d`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> panel_trustworthiness(corvid_panels())[0].estimate.note
    'the panel could not be projected'
    """
    panels = replace(panels, settings=settings) if settings else panels
    rows = []
    for panel in panels.panels:
        estimate = Estimate.undefined(NO_PLANE, n_images=len(panel.vectors))
        if np.isfinite(panel.coordinates).all():
            value = _trust(panels, panel, panel.vectors, panel.coordinates)
            estimate = Estimate(value, n_images=len(panel.vectors), note=f"{_n_neighbors(panel)} neighbours")
        rows.append(Measurement("panel_trustworthiness", panel.rank, estimate, taxon=panel.focus))
    return rows


def panel_trustworthiness_seeds(
    panels: Panels, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return mean and standard deviation of `panel_trustworthiness` over the seeds of the projection.

    Parameters
    ----------
    panels, placement, settings
        As for `panel_trustworthiness`.

    Returns
    -------
    list of Measurement
        ``panel_trustworthiness_seeds`` and ``panel_trustworthiness_seeds_sd`` (of the sample, n − 1) for each panel;
        undefined where it was projected once. Chance of the mean is the trustworthiness of vectors without structure in
        a plane of their own (null: axes, see `shuffled_axes`): any cloud of points can be drawn that well.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> panel_trustworthiness_seeds(corvid_panels())[0].estimate.note
    'the panel was projected once'
    """
    return _over_seeds("panel_trustworthiness", panels, settings, _trust_of_planes)


def panel_purity_2d_seeds(
    panels: Panels, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return mean and standard deviation of `panel_purity_2d` over the seeds of the projection.

    Parameters
    ----------
    panels, placement, settings
        As for `panel_purity_2d`.

    Returns
    -------
    list of Measurement
        ``panel_purity_2d_seeds`` and ``panel_purity_2d_seeds_sd`` (of the sample, n − 1) for each panel; undefined
        where it was projected once. Chance of the mean is the purity of the clusters that are seen in vectors without
        structure (null: axes, see `shuffled_axes`), the mean over labels permuted over images.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_panels
    >>> [row.metric for row in panel_purity_2d_seeds(corvid_panels())]
    ['panel_purity_2d_seeds', 'panel_purity_2d_seeds_sd']
    """
    return _over_seeds("panel_purity_2d", panels, settings, _purity_of_planes)


def _over_seeds(
    name: str,
    panels: Panels,
    settings: MeasureSettings | None,
    measure: Callable[[Panels, Panel], tuple[list[Estimate], float]],
) -> list[Measurement]:
    """Return the mean and the spread over seeds of a number of each panel.

    `measure` returns the number in the plane of each seed, and in that of the control.
    """
    panels = replace(panels, settings=settings) if settings else panels
    rows = []
    for panel in panels.panels:
        if panel.repeats is None:
            both = [Estimate.undefined(ONCE, n_images=len(panel.vectors))] * 2
        else:
            estimates, chance = measure(panels, panel)
            values = np.array([estimate.value for estimate in estimates])
            note = f"{len(values)} seeds"
            known = replace(estimates[0], chance=np.nan, null="", note=note)
            mean = replace(known, value=float(values.mean()), chance=chance, null=AXES)
            both = [mean, replace(known, value=float(values.std(ddof=1)))]
            if np.isnan(values).any():
                both = [Estimate.undefined(estimates[0].note, n_images=len(panel.vectors))] * 2
        for metric, estimate in zip((f"{name}_seeds", f"{name}_seeds_sd"), both, strict=True):
            rows.append(Measurement(metric, panel.rank, estimate, taxon=panel.focus))
    return rows


def _trust_of_planes(panels: Panels, panel: Panel) -> tuple[list[Estimate], float]:
    """Return the trustworthiness of the plane of each seed, and of the control's."""
    assert panel.repeats is not None
    planes = [panel.coordinates, *panel.repeats.planes]
    values = [_trust(panels, panel, panel.vectors, plane) for plane in planes]
    control = _trust(panels, panel, panel.repeats.shuffled, panel.repeats.control)
    return [Estimate(value, n_images=len(panel.vectors)) for value in values], control


def _purity_of_planes(panels: Panels, panel: Panel) -> tuple[list[Estimate], float]:
    """Return the purity in the plane of each seed, and in the control's for labels permuted over images."""
    assert panel.repeats is not None
    of_plane = partial(panels.clustered, panel, again=False)
    planes = [panel.coordinates, *panel.repeats.planes]
    estimates = [estimate_index(PURITY, of_plane(points=plane), panels.settings)[PURITY.names[0]] for plane in planes]
    control = replace(of_plane(points=panel.repeats.control), permuted=None)
    return estimates, estimate_index(PURITY, control, panels.settings)[PURITY.names[0]].chance


def _trust(panels: Panels, panel: Panel, vectors: np.ndarray, plane: np.ndarray) -> float:
    """Return the trustworthiness of a plane, about the same images for every seed and encoder."""
    anchors, n = None, len(vectors)
    if n > MOST_ANCHORS:
        rng = random_stream(panels.settings.seed, "trustworthiness", panel.rank)
        anchors = np.sort(rng.choice(n, MOST_ANCHORS, replace=False))
    return trustworthiness(vectors, plane, _n_neighbors(panel), anchors)


def _n_neighbors(panel: Panel) -> int:
    """Return the number of neighbours that a panel is asked about."""
    return min(N_NEIGHBORS, (len(panel.vectors) - 1) // 2)
