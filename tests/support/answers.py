"""Made-up answers of probes, for tests of the metrics of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.suite import measure
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tables import MEASUREMENTS
from bioclip_probe.tree import taxonomy
from tests.support.settings import FEW


def made_answers(
    truth: np.ndarray | list,
    predicted: np.ndarray | list,
    split: np.ndarray | str = "test",
    units: np.ndarray | None = None,
    **columns: object,
) -> Answers:
    """Return answers at genus; each column that is not given is as simple as possible.

    `units` are those of the rows, by default of each image its own.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    n = len(truth)
    image = np.asarray(columns.get("image", np.arange(n)))
    unit = np.arange(int(image.max(initial=-1)) + 1)
    if units is not None:
        unit[image] = units
    simple = {
        "image": image,
        "place": (truth == predicted).astype(np.int64),
        "confidence": np.full(n, np.nan),
        "split": np.full(n, split) if isinstance(split, str) else np.asarray(split),
        "fold": np.zeros(n, dtype=np.int64),
        "n_choices": np.zeros(n, dtype=np.int64),
        "jackknife": Jackknife.of("species", unit, np.random.default_rng(0)),
        "rank": "genus",
    }
    return Answers(truth=truth, predicted=predicted, **{**simple, **columns})


@st.composite
def answers_in_folds(draw, n_images: int = 25) -> Answers:
    """Answers over folds: some images in no fold, unnamed or not answered; a fold may be without any answer."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_folds, n_taxa = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    own, species = random.integers(-1, n_taxa, n_images), random.integers(0, 6, n_images)
    image, fold = np.tile(np.arange(n_images), n_folds), np.repeat(np.arange(n_folds), n_images)
    truth = own[image]
    predicted = np.where(random.random(len(image)) < 0.5, truth, random.integers(0, n_taxa, len(image)))
    predicted[fold == draw(st.integers(0, 5))] = -1
    place = np.where(predicted == truth, 1, random.integers(0, 12, len(image)) + 1)
    split = random.choice(["test", "test", "train", ""], len(image))
    kept = random.random(len(image)) < draw(st.sampled_from([0.6, 1.0]))
    confidence = random.uniform(0.1, 1, len(image))
    columns = {"image": image, "place": place, "confidence": confidence, "fold": fold, "settings": FEW}
    return made_answers(truth, predicted, split, species[image], **columns).take(kept)


def in_families(answers: Answers, family_of: Callable[[int], int]) -> Answers:
    """Return the same answers as genera ``G<number>`` of a taxonomy with families ``F<number>``, -1 for none."""
    n_images = int(answers.image.max(initial=-1)) + 1
    own = np.full(n_images, -1)
    own[answers.image] = answers.truth
    family = [family_of(taxon) if taxon >= 0 else -1 for taxon in own.tolist()]
    frame = pd.DataFrame(
        {
            "family": [f"F{number}" if number >= 0 else None for number in family],
            "genus": [f"G{taxon}" if taxon >= 0 else None for taxon in own],
        }
    )
    placement = taxonomy(frame)
    node = dict(zip(own.tolist(), placement.at("genus").tolist(), strict=True))
    # A genus that no image has is no node of the tree; the root is as wrong as it.
    predicted = [node.get(taxon, 0) if taxon >= 0 else -1 for taxon in answers.predicted.tolist()]
    truth = np.array([node[taxon] for taxon in answers.truth.tolist()], dtype=np.int64)
    return replace(answers, truth=truth, predicted=np.array(predicted, dtype=np.int64), placement=placement)


def as_rows(measurements: Iterable[Measurement]) -> list[dict]:
    """Return measurements as rows that fit the `MEASUREMENTS` table."""
    rows = [row.as_row() for row in measurements]
    MEASUREMENTS.frame([{"simulated": False, **row} for row in rows])
    return rows


def scores(answers: Answers) -> dict[str, dict]:
    """Return the rows of all metrics of answers about all taxa, by metric."""
    rows = as_rows(measure(replace(answers, placement=None)))
    assert len({row["metric"] for row in rows}) == len(rows)
    return {row["metric"]: row for row in rows}
