"""The contents of the explorer as arrays: pictures in tree order, and what each model makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bioclip_probe.plots.labels import short_names
from bioclip_probe.plots.style import model_styles
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
    total = len(names) * (1 + len(methods))
    with weighted_bar("exploring", (0, total), (0.0, float(total)), progress) as bar:
        checkpoints = Checkpoints(results.folder, Inputs(sample), bar)
        for name in names:
            pieces = _Pieces(checkpoints, sample, name, settings["seed"])
            panels = list(refits(coordinates[coordinates["encoder"] == name], ordered))
            maps = {refit.method: refit.points for refit in panels if len(refit.points) == len(order)}
            maps |= {method: pieces.map_of_all(method)[order] for method in methods if method not in maps}
            neighbors = pieces.neighbors().reordered(order)
            clades = tuple(refit for refit in panels if len(refit.points) < len(order))
            correlations = _correlations(results.measurements, name, ordered.placement)
            models.append(ModelContents(name, labels[name], styles[name].color, neighbors, maps, clades, correlations))
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


@dataclass(frozen=True, eq=False)
class _Pieces:
    """The pieces of one encoder that the explorer computes itself, in the order of the sample."""

    checkpoints: Checkpoints
    sample: Sample
    encoder: str
    seed: int

    @cached_property
    def near(self) -> Near:
        """The nearest images of each image, which all pieces of the encoder are made from."""
        return Near.of(self.sample.embeddings[self.encoder].vectors)

    def neighbors(self) -> Neighbors:
        """Return the neighbours of the images."""

        def compute() -> Content:
            vectors, species = self.sample.embeddings[self.encoder].vectors, self.sample.placement.at("species")
            return Content(Neighbors.of(vectors, species, self.sample.groups, near=self.near).as_table())

        return Neighbors.from_table(self._table(f"neighbors of {self.encoder}", {}, compute))

    def map_of_all(self, method: str) -> np.ndarray:
        """Return the images in the plane."""

        def compute() -> Content:
            points = map_of_all(self.sample.embeddings[self.encoder].vectors, method, self.seed, self.near)
            return Content(pd.DataFrame(points, columns=["x", "y"]))

        return self._table(f"{method} of {self.encoder}", {"seed": self.seed}, compute)[["x", "y"]].to_numpy()

    def _table(self, subject: str, asked: dict, compute: Callable[[], Content]) -> pd.DataFrame:
        """Return the table of a piece, from the results folder if it is there."""
        piece = Piece(_STEP, subject, (("images", ""), ("vectors", self.encoder)), asked)
        return self.checkpoints.content(piece, compute).table


def _correlations(measurements: pd.DataFrame | None, name: str, placement: Placement) -> np.ndarray:
    """Return the value of `CLADE_METRIC` of each taxon on the taxonomy, for raw embeddings."""
    values = np.full(len(placement.tree), np.nan)
    if measurements is None:
        return values
    rows = measurements[(measurements["metric"] == CLADE_METRIC) & (measurements["encoder"] == name)]
    rows = rows[(rows["space"] == "raw") & (rows["tree"] == "taxonomy") & (rows["split"] == WHOLE)]
    by_path = dict(zip(rows["taxon"], rows["value"], strict=True))
    return np.array([by_path.get(path, np.nan) for path in placement.tree.paths], np.float64)
