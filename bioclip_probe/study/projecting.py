"""The drill-down of Section 4.6 of a sample: coordinates of its encoders, and what the panels keep."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from bioclip_probe import metrics, projections
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.processors import available_processors
from bioclip_probe.projections.drilldown import Panel, drill_down
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content, with_progress
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.stored_measurements import rows_of_sample
from bioclip_probe.tables import COORDINATES, MEASUREMENTS

#: Numbers of a panel that depend on the method that drew it.
IN_THE_PLANE = (
    "panel_purity_2d",
    "panel_purity_2d_adjusted",
    "panel_purity_2d_seeds",
    "panel_purity_2d_seeds_sd",
    "panel_trustworthiness",
    "panel_trustworthiness_seeds",
    "panel_trustworthiness_seeds_sd",
)
#: Columns of panels that were projected again: the seed, 0 for the control, and positions in the order of the images.
_REPEATS = {"encoder": "str", "method": "str", "rank": "str", "seed": "int64", "x": "float64", "y": "float64"}
#: Work of a panel, and of its repeats, that does not depend on its number of images, as a share of that of all images.
_PANEL_WEIGHT, _REPEAT_WEIGHT = 0.05, 0.01


@dataclass(frozen=True, eq=False)
class DrillDown:
    """The panels of some encoders.

    Attributes
    ----------
    coordinates : DataFrame
        A `COORDINATES` table.
    panels : dict from encoder name to list of dict
        Focus, plotted taxa, counts, settings and notes of each panel, JSON-able.
    repeats : DataFrame
        Small panels by further seeds: encoder, method, rank, seed, x, y, one row for each image of the panel in its
        order. Seed 0 stands for vectors without structure, see `projections.project_again`.
    """

    coordinates: pd.DataFrame
    panels: dict[str, list[dict]]
    repeats: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_REPEATS)).astype(_REPEATS))


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

    def again(name: str, method: str, panel: Panel) -> Content:
        return Content(_repeats(sample.embeddings[name].vectors[panel.rows], method, panel.rank, settings))

    names = list(sample.embeddings) if models is None else list(models)
    drill = drill_down(sample.placement, projections.FIGURE_RANKS)
    small = [panel for panel in drill if settings.n_seeds > 1 and panel.n_images <= settings.repeat_up_to]
    contents: dict[tuple[str, str], list[Content]] = defaultdict(list)
    repeats = [DrillDown(pd.DataFrame(), {}).repeats]
    for method in settings.methods:
        drawn, repeated = (list(itertools.product(names, panels)) for panels in (drill, small))
        work = [
            (_piece(sample, settings, name, method, panel), partial(content, name, method, panel.rank))
            for name, panel in drawn
        ]
        work += [
            (_piece(sample, settings, name, method, panel, again=True), partial(again, name, method, panel))
            for name, panel in repeated
        ]
        threads = available_processors() if projections.REGISTRY[method].in_threads else 1
        stored = checkpoints.contents(work, threads)
        for (name, _), one in zip(drawn, stored, strict=False):
            contents[name, method].append(one)
        for (name, panel), one in zip(repeated, stored[len(drawn) :], strict=True):
            if len(one.table):
                repeats.append(one.table.assign(encoder=name, method=method, rank=panel.rank)[list(_REPEATS)])
    by_encoder = [(name, one) for name in names for method in settings.methods for one in contents[name, method]]
    tables = [COORDINATES.frame(), *(COORDINATES.frame(one.table) for _, one in by_encoder)]
    coordinates = pd.concat(tables, ignore_index=True).assign(run=sample.run, dataset=sample.dataset)
    panels: dict[str, list[dict]] = {name: [] for name in names}
    for name, one in by_encoder:
        panels[name] += one.facts.get("panels", [])
    return DrillDown(COORDINATES.frame(coordinates), panels, pd.concat(repeats, ignore_index=True).astype(_REPEATS))


def _repeats(vectors: np.ndarray, method: str, rank: str, settings: ProjectionSettings) -> pd.DataFrame:
    """Return the positions of one panel by each further seed, and of the control as seed 0; none without a plane."""
    if projections.projection_obstacle(vectors):
        return pd.DataFrame({"seed": np.zeros(0, np.int64), "x": np.zeros(0), "y": np.zeros(0)})
    planes, control = projections.project_again(vectors, method, rank, settings)
    points = np.concatenate([control[None], planes])
    seed = np.repeat(np.arange(len(points)), len(vectors))
    return pd.DataFrame({"seed": seed, "x": points[..., 0].ravel(), "y": points[..., 1].ravel()})


def _piece(
    sample: Sample, settings: ProjectionSettings, name: str, method: str, panel: Panel, again: bool = False
) -> Piece:
    """Return the piece of one panel of an encoder by one method, once or by all further seeds and the control."""
    inputs, asked = (("images", ""), ("vectors", name)), {"mode": settings.mode, "seed": settings.seed}
    share = panel.n_images / max(len(sample.images), 1)
    if again:
        subject, asked = f"repeats of {name}, {method}, {panel.rank}", {**asked, "n_seeds": settings.n_seeds}
        return Piece("project", subject, inputs, asked, _REPEAT_WEIGHT + settings.n_seeds * share)
    return Piece("project", f"{name}, {method}, {panel.rank}", inputs, asked, _PANEL_WEIGHT + share)


def measure_panels(
    sample: Sample, drawn: DrillDown | pd.DataFrame, settings: MeasureSettings | None = None
) -> pd.DataFrame:
    """Return what each panel of the drill-down keeps: cluster purity in full dimension and in the plane, neighbours.

    Parameters
    ----------
    sample : Sample
    drawn : DrillDown or DataFrame
        What `project` returns, or a `COORDINATES` table of its encoders, which has no spread over seeds.
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
    >>> measure_panels(sample, drawn)["metric"].unique()[0]
    'panel_purity'
    """
    drawn = drawn if isinstance(drawn, DrillDown) else DrillDown(drawn, {})
    methods = drawn.coordinates.groupby("encoder", sort=False)["method"].unique()
    return panel_measurements(sample, drawn, {name: tuple(own) for name, own in methods.items()}, settings)


def panel_measurements(
    sample: Sample,
    drawn: DrillDown,
    methods: Mapping[str, Sequence[str]],
    settings: MeasureSettings | None = None,
    projection: ProjectionSettings | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> pd.DataFrame:
    """Return what `measure_panels` returns, of given encoders and methods, piece by piece.

    Parameters
    ----------
    sample : Sample
    drawn : DrillDown
        With these encoders and methods.
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
    >>> panel_measurements(sample, drawn, {"toy": ["pca"]})["protocol"].dropna().unique().tolist()
    ['pca']
    """
    settings = settings or MeasureSettings()
    panels = drill_down(sample.placement, projections.FIGURE_RANKS)

    def content(name: str, method: str, wanted: MeasureSettings) -> Content:
        points, repeats = (
            table[(table["encoder"] == name) & (table["method"] == method)]
            for table in (drawn.coordinates, drawn.repeats)
        )
        return Content(_measured(sample, name, panels, DrillDown(points, drawn.panels, repeats), wanted))

    tables = [MEASUREMENTS.frame()]
    for name, own in methods.items():
        for number, method in enumerate(own):
            # Numbers in full dimension are the same for all methods.
            wanted = replace(settings, metrics=IN_THE_PLANE if number else ())
            inputs = (("images", ""), ("vectors", name))
            asked = {**asdict(wanted), "projection": projection and asdict(replace(projection, methods=(method,)))}
            piece = Piece("project", f"purity of {name}, {method}", inputs, asked, weight=0.5, dependent=True)
            stored = checkpoints.content(piece, partial(content, name, method, wanted))
            tables.append(rows_of_sample(sample, stored.table, wanted.metrics))
    return pd.concat(tables, ignore_index=True)


def _measured(
    sample: Sample, name: str, panels: Sequence[Panel], drawn: DrillDown, settings: MeasureSettings
) -> pd.DataFrame:
    """Return the numbers of the panels of one encoder, drawn by one method."""
    placement, vectors = sample.placement, sample.embeddings[name].vectors
    by_rank, again = (dict(list(table.groupby("rank", sort=False))) for table in (drawn.coordinates, drawn.repeats))
    inside = []
    for panel in panels:
        labels = np.where(np.isin(panel.taxon, panel.plotted), panel.taxon, -1)
        images = metrics.LabelledImages(labels, placement.node[panel.rows])
        plane = by_rank[panel.rank][["x", "y"]].to_numpy()
        focus, own, repeats = placement.tree.path(panel.focus), vectors[panel.rows], None
        if panel.rank in again:
            control, *planes = again[panel.rank][["x", "y"]].to_numpy().reshape(-1, len(own), 2)
            shuffled = projections.shuffled_panel(own, panel.rank, drawn.panels[name][0]["seed"])
            repeats = metrics.Repeats(np.array(planes), shuffled, control)
        inside.append(metrics.Panel(panel.rank, focus, own, plane, images, repeats))
    method = drawn.coordinates["method"].iloc[0]
    rows = [
        row.as_row(tree="taxonomy", protocol=method if row.metric in IN_THE_PLANE else None)
        for row in metrics.measure(metrics.Panels(inside, placement, settings))
    ]
    return sample.table(rows, encoder=name, space="raw")
