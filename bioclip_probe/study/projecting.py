"""The drill-down of Section 4.6 of a sample: coordinates of its encoders, and the purity of the panels."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from bioclip_probe import metrics, projections
from bioclip_probe.executors import available_processors
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.projections.drilldown import Panel, drill_down
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content, with_progress
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.stored_measurements import rows_of_sample
from bioclip_probe.tables import COORDINATES, MEASUREMENTS

#: Numbers of a panel that depend on the method that drew it.
IN_THE_PLANE = ("panel_purity_2d", "panel_purity_2d_adjusted")
#: Work of a panel that does not depend on its number of images, as a share of that of all images.
_PANEL_WEIGHT = 0.05


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
    sample: Sample,
    settings: ProjectionSettings | None = None,
    models: Sequence[str] | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> DrillDown:
    """Return the drill-down of Section 4.6 for some of the encoders.

    Parameters
    ----------
    sample : Sample
    settings : ProjectionSettings, optional
    models : sequence of str, optional
        Names of encoders; all of the sample by default.
    checkpoints : Checkpoints
        Where finished panels are stored. By default nowhere.

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
    if checkpoints is NOWHERE:
        return with_progress("projecting", partial(project, sample, settings, models))

    def content(name: str, method: str, rank: str) -> Content:
        own = replace(settings, methods=(method,))
        drawn = projections.project(sample.embeddings[name].vectors, sample.placement, own, ranks=(rank,))
        ids = sample.images["image_id"].to_numpy(dtype=object)[drawn.coordinates["row"]]
        columns = {"encoder": name, "image_id": ids}
        table = COORDINATES.frame(drawn.coordinates.drop(columns="row").assign(**columns))
        return Content(table, {"panels": drawn.panels})

    names = list(sample.embeddings) if models is None else list(models)
    drill = drill_down(sample.placement, projections.FIGURE_RANKS)
    contents: dict[tuple[str, str], list[Content]] = defaultdict(list)
    for method in settings.methods:
        subjects = list(itertools.product(names, drill))
        work = [
            (_piece(sample, settings, name, method, panel), partial(content, name, method, panel.rank))
            for name, panel in subjects
        ]
        threads = available_processors() if projections.REGISTRY[method].in_threads else 1
        for (name, _), stored in zip(subjects, checkpoints.contents(work, threads), strict=True):
            contents[name, method].append(stored)
    by_encoder = [(name, one) for name in names for method in settings.methods for one in contents[name, method]]
    tables = [COORDINATES.frame(), *(COORDINATES.frame(one.table) for _, one in by_encoder)]
    coordinates = pd.concat(tables, ignore_index=True).assign(run=sample.run, dataset=sample.dataset)
    panels: dict[str, list[dict]] = {name: [] for name in names}
    for name, one in by_encoder:
        panels[name] += one.facts.get("panels", [])
    return DrillDown(COORDINATES.frame(coordinates), panels)


def _piece(sample: Sample, settings: ProjectionSettings, name: str, method: str, panel: Panel) -> Piece:
    """Return the piece of one panel of an encoder by one method."""
    inputs, asked = (("images", ""), ("vectors", name)), {"mode": settings.mode, "seed": settings.seed}
    weight = _PANEL_WEIGHT + panel.n_images / max(len(sample.images), 1)
    return Piece("project", f"{name}, {method}, {panel.rank}", inputs, asked, weight)


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
    methods = coordinates.groupby("encoder", sort=False)["method"].unique()
    return purities(sample, coordinates, {name: tuple(own) for name, own in methods.items()}, settings)


def purities(
    sample: Sample,
    coordinates: pd.DataFrame,
    methods: Mapping[str, Sequence[str]],
    settings: MeasureSettings | None = None,
    projection: ProjectionSettings | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> pd.DataFrame:
    """Return what `measure_panels` returns, of given encoders and methods, piece by piece.

    Parameters
    ----------
    sample : Sample
    coordinates : DataFrame
        A `COORDINATES` table with these encoders and methods.
    methods : mapping from encoder to sequence of str
    settings : MeasureSettings, optional
    projection : ProjectionSettings, optional
        The settings that the coordinates were made with; needed with checkpoints.
    checkpoints : Checkpoints
        Where finished measurements are stored; a piece is one encoder and method. By default nowhere.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> drawn = project(sample, ProjectionSettings(methods=("pca",)))
    >>> purities(sample, drawn.coordinates, {"toy": ["pca"]})["protocol"].dropna().unique().tolist()
    ['pca']
    """
    settings = settings or MeasureSettings()
    panels = drill_down(sample.placement, projections.FIGURE_RANKS)

    def content(name: str, method: str, wanted: MeasureSettings) -> Content:
        rows = coordinates[(coordinates["encoder"] == name) & (coordinates["method"] == method)]
        return Content(_purity(sample, name, panels, rows, wanted))

    tables = [MEASUREMENTS.frame()]
    for name, own in methods.items():
        for number, method in enumerate(own):
            # Numbers in full dimension are the same for all methods.
            wanted = replace(settings, metrics=IN_THE_PLANE if number else ())
            inputs = (("images", ""), ("vectors", name))
            asked = {**asdict(wanted), "projection": projection and {"mode": projection.mode, "seed": projection.seed}}
            piece = Piece("project", f"purity of {name}, {method}", inputs, asked, weight=0.5, dependent=True)
            stored = checkpoints.content(piece, partial(content, name, method, wanted))
            tables.append(rows_of_sample(sample, stored.table, wanted.metrics))
    return pd.concat(tables, ignore_index=True)


def _purity(
    sample: Sample, name: str, panels: Sequence[Panel], drawn: pd.DataFrame, settings: MeasureSettings
) -> pd.DataFrame:
    """Return the purity of the panels of one encoder, drawn by one method."""
    placement, vectors = sample.placement, sample.embeddings[name].vectors
    by_rank = dict(list(drawn.groupby("rank", sort=False)))
    inside = []
    for panel in panels:
        labels = np.where(np.isin(panel.taxon, panel.plotted), panel.taxon, -1)
        images = metrics.LabelledImages(labels, placement.node[panel.rows])
        plane = by_rank[panel.rank][["x", "y"]].to_numpy()
        focus = placement.tree.path(panel.focus)
        inside.append(metrics.Panel(panel.rank, focus, vectors[panel.rows], plane, images))
    method = drawn["method"].iloc[0]
    rows = [
        row.as_row(tree="taxonomy", protocol=method if row.metric in IN_THE_PLANE else None)
        for row in metrics.measure(metrics.Panels(inside, placement, settings))
    ]
    return sample.table(rows, encoder=name, space="raw")
