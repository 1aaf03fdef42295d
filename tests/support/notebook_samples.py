"""Small samples for the tests of the notebook: vectors of a few birds, and pictures with a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.arrays import from_arrays
from bioclip_probe.study.sample import Sample
from tests.support.pictures import paint

SPECIES = ("Pica pica", "Pica nuttalli", "Corvus corax", "Corvus cornix", "Parus major", "Parus ater")
METRICS = ("cophenetic_correlation", "silhouette")
#: Settings of a study of a second.
SMALL: dict[str, Any] = {
    "measure": MeasureSettings(
        metrics=(*METRICS, *(f"{metric}_difference" for metric in METRICS)),
        n_permutations=9,
        n_primary_permutations=9,
        n_bootstrap=9,
    ),
    "probe": ProbeSettings(probes=("lda",), protocols=("seen",)),
    "projection": ProjectionSettings(methods=("pca",)),
    "progress": False,
}


def lineages(each: int = 4) -> pd.DataFrame:
    """Return the lineages of some images of six birds."""
    species = np.repeat(SPECIES, each)
    return pd.DataFrame({"class": "Aves", "genus": [name.split()[0] for name in species], "species": species})


def vectors(encoder: int, each: int = 4) -> np.ndarray:
    """Return vectors that follow the genera of the birds."""
    rng = np.random.default_rng(encoder)
    means = {name: rng.normal(size=8) for bird in SPECIES for name in (bird, bird.split()[0])}
    return np.stack([means[name.split()[0]] + means[name] + rng.normal(0, 0.7, 8) for name in np.repeat(SPECIES, each)])


def array_sample() -> Sample:
    """Return a sample of two encoders without pictures."""
    return from_arrays({"one": vectors(0), "two": vectors(1)}, lineages(), name="birds")


def picture_frame(folder: Path, each: int = 2) -> pd.DataFrame:
    """Paint a picture for each row of the lineages, and return them with the paths in the column ``filepath``."""
    frame = lineages(each)
    frame["filepath"] = [str(folder / f"{number:02d}.png") for number in range(len(frame))]
    for number, path in enumerate(frame["filepath"]):
        paint(Path(path), (20 * (number % 12), 250 - 20 * (number % 12), 10 * (number // 2)))
    return frame
