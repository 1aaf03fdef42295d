"""Made-up answers at all ranks, for tests of the metrics across ranks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import strategies as st

from bioclip_probe.metrics.paths import PathAnswers
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.suite import measure
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from tests.support.answers import as_rows
from tests.support.made_up_vectors import random_taxonomy
from tests.support.settings import FEW
from tests.support.strategies import lineage_tables


def rows_by_metric(answers: PathAnswers) -> dict[tuple[str, str], dict]:
    """Return the rows of all metrics of answers at all ranks, by metric and rank."""
    rows = as_rows(measure(answers))
    assert len({(row["metric"], row["rank"]) for row in rows}) == len(rows)
    return {(row["metric"], row["rank"]): row for row in rows}


@st.composite
def path_answers(draw) -> PathAnswers:
    """Answers at all ranks in a taxonomy with holes: right, wrong, missing; maybe a rank without any."""
    placement = taxonomy(draw(lineage_tables(max_rows=14)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = len(placement)
    truth = np.stack([placement.at(rank) for rank in RANKS])
    predicted = truth.copy()
    for r in range(len(RANKS)):
        nodes = np.flatnonzero(placement.tree.rank == r)
        if len(nodes):
            predicted[r] = np.where(random.random(n) < 0.4, random.choice(nodes, n), truth[r])
    predicted[random.random(truth.shape) < draw(st.sampled_from([0, 0.1]))] = -1
    truth[random.random(truth.shape) < 0.1] = -1
    if draw(st.booleans()):
        predicted[draw(st.integers(0, len(RANKS) - 1))] = -1
    return PathAnswers(truth, predicted, placement, FEW)


def all_right(n_species: int = 60, n: int = 400, seed: int = 0) -> PathAnswers:
    """Return answers that are all right, in a taxonomy without holes."""
    placement = random_taxonomy(n_species, n, np.random.default_rng(seed))
    truth = np.stack([placement.at(rank) for rank in RANKS])
    return PathAnswers(truth, truth.copy(), placement)


def images_of(answers: PathAnswers) -> Iterator[tuple[list, list]]:
    """Yield truth and answers of each image as the definitions take them, with None for a hole."""
    for truth, predicted in zip(answers.truth.T.tolist(), answers.predicted.T.tolist(), strict=True):
        yield tuple([None if node < 0 else node for node in side] for side in (truth, predicted))


def check_row(row: dict, expected: list, n_excluded: int) -> None:
    """Assert that a row is the mean of the expected scores and keeps its bounds."""
    assert row["n_excluded"] == n_excluded
    if not expected:
        assert np.isnan(row["value"]) and row["note"]
        return
    low, high = REGISTRY[row["metric"]].bounds
    assert row["value"] == pytest.approx(np.mean(expected))
    assert row["n_images"] == len(expected) and low <= row["value"] <= high
    assert np.isnan(row["chance"]) or low <= row["chance"] <= high
