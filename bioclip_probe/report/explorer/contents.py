"""The contents of the explorer as arrays: pictures in tree order, and what each model makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from bioclip_probe.plots.labels import short_names
from bioclip_probe.plots.style import model_styles
from bioclip_probe.processors import available_processors
from bioclip_probe.progress import weighted_bar
from bioclip_probe.report.explorer.maps import Refit, map_of_all, refits
from bioclip_probe.report.explorer.neighbors import Near, Neighbors
from bioclip_probe.study.checkpoints import Checkpoints, Content
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import WHOLE, Sample
from bioclip_probe.tree import Placement

#: The metric that tints a clade: the correlation of tree distance and embedding distance among its species.
CLADE_METRIC = "clade_correlation"
_STEP = "explore"


@dataclass(frozen=True, eq=False)
class ModelContents:
    """One model.

    Attributes
    ----------
    name, label, color : str
        Its name, as it is printed, and its colour in the figures of the study.
    neighbors : Neighbors
        Nearest pictures in full dimension.
    maps : dict from method to ndarray, shape (n, 2), float64
        All pictures in the plane; NaN where they could not be projected.
    refits : tuple of Refit
        Clades that the study projected on their own.
    correlations : ndarray, shape (m,), float64
        `CLADE_METRIC` of each taxon; NaN where it is not defined or was not measured.
    """

    name: str
    label: str
    color: str
    neighbors: Neighbors
    maps: dict[str, np.ndarray]
    refits: tuple[Refit, ...]
    correlations: np.ndarray


@dataclass(frozen=True, eq=False)
class Contents:
    """The contents of the page but for its thumbnails.

    Attributes
    ----------
    title : str
        Name of the dataset.
    run : str
        Digits that identify the run.
    simulated : bool
        True if the pictures come from the built-in world.
    images : DataFrame, n rows
        An `IMAGES` table in the order of the taxonomy, so that each clade is a slice of rows.
    placement : Placement
        The images in their taxonomy.
    methods : tuple of str
        Names of projections, in the order of the study.
    models : tuple of ModelContents

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> Contents("corvids", "", False, sample.images, sample.placement, (), ()).methods
    ()
    """

    title: str
    run: str
    simulated: bool
    images: pd.DataFrame
    placement: Placement
    methods: tuple[str, ...]
    models: tuple[ModelContents, ...]


def contents_of(results: Results, sample: Sample, progress: bool = True) -> Contents:
    """Return what the explorer shows of a study.

    Neighbours and maps of all pictures are computed where the results folder does not hold them, and stored there.

    Parameters
    ----------
    results : Results
        With coordinates; the models are those that the study projected.
    sample : Sample
        The images of the study with their vectors.
    progress : bool

    Returns
    -------
    Contents

    Raises
    ------
    DataError
        If the results folder holds no coordinates.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study import results
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> contents_of(results.Results(Path("out"), {}), corvid_sample())
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: out holds no coordinates yet; run `bioclip-probe project --out out` first
    """
    coordinates = results.table("coordinates")
    settings = next(reversed(results.record["steps"].values()))["plan"]["projection"]
    coordinates = coordinates[coordinates["mode"] == settings["mode"]]
    methods, names = coordinates["method"].unique().tolist(), coordinates["encoder"].unique().tolist()
    labels, styles = short_names(names), model_styles(names, results.controls)
    order = np.argsort(sample.placement.node, kind="stable")
    ordered, models = sample.take(order), []
    panels = {name: list(refits(coordinates[coordinates["encoder"] == name], ordered)) for name in names}
    whole = {name: {own.method: own.points for own in panels[name] if len(own.points) == len(order)} for name in names}
    total = len(names) * (1 + len(methods)) - sum(map(len, whole.values()))
    with weighted_bar("exploring", (0, total), (0.0, float(total)), progress) as bar:
        checkpoints = Checkpoints(results.folder, Inputs(sample), bar)
        pieces = _Pieces(checkpoints, sample, settings["seed"])
        neighbors = pieces.neighbors(names)
        maps = pieces.maps([(name, method) for method in methods for name in names if method not in whole[name]])
        for name in names:
            own = whole[name] | {method: maps[name, method][order] for method in methods if (name, method) in maps}
            clades = tuple(refit for refit in panels[name] if len(refit.points) < len(order))
            correlations = _correlations(results.measurements, name, ordered.placement)
            look = (name, labels[name], styles[name].color)
            models.append(ModelContents(*look, neighbors[name].reordered(order), own, clades, correlations))
        checkpoints.remove_others(_STEP)
    return Contents(
        results.record["dataset"]["name"],
        results.record["run"],
        results.simulated,
        ordered.images,
        ordered.placement,
        tuple(methods),
        tuple(models),
    )


class _Pieces:
    """The pieces that the explorer computes itself, side by side, with images in the order of the sample.

    Parameters
    ----------
    checkpoints : Checkpoints
        Where they are stored.
    sample : Sample
    seed : int
        Seed of the maps.
    """

    def __init__(self, checkpoints: Checkpoints, sample: Sample, seed: int) -> None:
        self.checkpoints, self.sample, self.seed = checkpoints, sample, seed
        self._near: dict[str, Near] = {}

    def neighbors(self, names: Sequence[str]) -> dict[str, Neighbors]:
        """Return the neighbours of the images by each encoder."""
        species = self.sample.placement.at("species")

        def compute(name: str) -> Content:
            near = self._near_of(name)
            return Content(Neighbors.of(self._vectors(name), species, self.sample.groups, near=near).as_table())

        work = [(self._piece(f"neighbors of {name}", name, {}), partial(compute, name)) for name in names]
        return {name: Neighbors.from_table(table) for name, table in zip(names, self._tables(work), strict=True)}

    def maps(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], np.ndarray]:
        """Return the images in the plane, by encoder and method."""

        def compute(name: str, method: str) -> Content:
            points = map_of_all(self._vectors(name), method, self.seed, self._near_of(name))
            return Content(pd.DataFrame(points, columns=["x", "y"]))

        asked = {"seed": self.seed}
        work = [
            (self._piece(f"{method} of {name}", name, asked), partial(compute, name, method)) for name, method in wanted
        ]
        return {one: table[["x", "y"]].to_numpy() for one, table in zip(wanted, self._tables(work), strict=True)}

    def _vectors(self, name: str) -> np.ndarray:
        return self.sample.embeddings[name].vectors

    def _near_of(self, name: str) -> Near:
        """Return the nearest images of each image, which all pieces of an encoder are made from."""
        if name not in self._near:  # two threads may both search, and find the same
            self._near[name] = Near.of(self._vectors(name))
        return self._near[name]

    def _piece(self, subject: str, name: str, asked: dict[str, int]) -> Piece:
        return Piece(_STEP, subject, (("images", ""), ("vectors", name)), asked)

    def _tables(self, work: Sequence[tuple[Piece, Callable[[], Content]]]) -> list[pd.DataFrame]:
        """Return the tables of pieces, from the results folder if they are there."""
        return [content.table for content in self.checkpoints.contents(work, available_processors())]


def _correlations(measurements: pd.DataFrame | None, name: str, placement: Placement) -> np.ndarray:
    """Return the value of `CLADE_METRIC` of each taxon on the taxonomy, for raw embeddings."""
    values = np.full(len(placement.tree), np.nan)
    if measurements is None:
        return values
    rows = measurements[(measurements["metric"] == CLADE_METRIC) & (measurements["encoder"] == name)]
    rows = rows[(rows["space"] == "raw") & (rows["tree"] == "taxonomy") & (rows["split"] == WHOLE)]
    by_path = dict(zip(rows["taxon"], rows["value"], strict=True))
    return np.array([by_path.get(path, np.nan) for path in placement.tree.paths], np.float64)
