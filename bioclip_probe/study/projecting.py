"""The drill-down of Section 4.6 of a sample: coordinates of its encoders, and the purity of the panels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bioclip_probe import metrics, projections
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.projections.drilldown import drill_down
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import COORDINATES, MEASUREMENTS

log = logging.getLogger(__name__)

#: Numbers of a panel that depend on the method that drew it.
IN_THE_PLANE = ("panel_purity_2d", "panel_purity_2d_adjusted")


@dataclass(frozen=True, eq=False)
class DrillDown:
    """The panels of some encoders.

    Attributes
    ----------
    coordinates : DataFrame
        A `COORDINATES` table.
    panels : dict from encoder name to list of dict
        Focus, plotted taxa, counts, settings and notes of each panel, JSON-able.
    """

    coordinates: pd.DataFrame
    panels: dict[str, list[dict]]


def project(
    sample: Sample, settings: ProjectionSettings | None = None, models: Sequence[str] | None = None
) -> DrillDown:
    """Return the drill-down of Section 4.6 for some of the encoders.

    Parameters
    ----------
    sample : Sample
    settings : ProjectionSettings, optional
    models : sequence of str, optional
        Names of encoders; all of the sample by default.

    Returns
    -------
    DrillDown

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> drawn = project(corvid_sample(), ProjectionSettings(methods=("pca",)))
    >>> [panel["rank"] for panel in drawn.panels["toy"]][-1]
    'species'
    """
    settings = settings or ProjectionSettings()
    tables, panels = [COORDINATES.frame()], {}
    for name in sample.embeddings if models is None else models:
        log.info("projecting %s (%s)", name, ", ".join(settings.methods))
        vectors = sample.embeddings[name].vectors
        drawn = projections.project(vectors, sample.placement, settings)
        panels[name] = drawn.panels
        ids = sample.images["image_id"].to_numpy(dtype=object)[drawn.coordinates["row"]]
        columns = {"run": sample.run, "encoder": name, "dataset": sample.dataset, "image_id": ids}
        tables.append(COORDINATES.frame(drawn.coordinates.drop(columns="row").assign(**columns)))
    return DrillDown(pd.concat(tables, ignore_index=True), panels)


def measure_panels(sample: Sample, coordinates: pd.DataFrame, settings: MeasureSettings | None = None) -> pd.DataFrame:
    """Return the cluster purity of each panel of the drill-down, in full dimension and in the plane of each method.

    Parameters
    ----------
    sample : Sample
    coordinates : DataFrame
        A `COORDINATES` table of its encoders.
    settings : MeasureSettings, optional

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table; the `protocol` of a number about the plane is the method that drew it.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> drawn = project(sample, ProjectionSettings(methods=("pca",)))
    >>> measure_panels(sample, drawn.coordinates)["metric"].unique()[0]
    'panel_purity'
    """
    settings = settings or MeasureSettings()
    placement = sample.placement
    panels = drill_down(placement, projections.FIGURE_RANKS)
    labels = [np.where(np.isin(panel.taxon, panel.plotted), panel.taxon, -1) for panel in panels]
    images = [
        metrics.LabelledImages(label, placement.node[panel.rows]) for panel, label in zip(panels, labels, strict=True)
    ]
    tables, measured_encoders = [MEASUREMENTS.frame()], set()
    for (name, method), drawn in coordinates.groupby(["encoder", "method"], sort=False):
        vectors = sample.embeddings[name].vectors
        by_rank = dict(list(drawn.groupby("rank", sort=False)))
        plane = [by_rank[panel.rank][["x", "y"]].to_numpy() for panel in panels]
        inside = [
            metrics.Panel(panel.rank, placement.tree.path(panel.focus), vectors[panel.rows], positions, labelled)
            for panel, positions, labelled in zip(panels, plane, images, strict=True)
        ]
        is_first = name not in measured_encoders
        measured_encoders.add(name)
        wanted = replace(settings, metrics=() if is_first else IN_THE_PLANE)
        rows = [
            row.as_row(tree="taxonomy", protocol=method if row.metric in IN_THE_PLANE else None)
            for row in metrics.measure(metrics.Panels(inside, placement, wanted))
        ]
        tables.append(sample.table(rows, encoder=name, space="raw"))
    return pd.concat(tables, ignore_index=True)
