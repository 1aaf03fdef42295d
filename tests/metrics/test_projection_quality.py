"""Neighbours that the plane keeps, spread over seeds, and the control without structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe.metrics import Panel, Panels, Repeats, panel_purity_2d, panel_trustworthiness
from bioclip_probe.metrics import projection_quality as quality
from bioclip_probe.metrics.projection_quality import panel_purity_2d_seeds, panel_trustworthiness_seeds
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.stats.kept_neighbors import shuffled_axes
from tests.definitions import projections as definition
from tests.support.settings import FEW
from tests.support.taxa import made_up


def panels(n: int = 60, n_planes: int = 3) -> Panels:
    """One panel of three clear clusters, in the plane of several seeds and of a control."""
    vectors, placement = made_up(6, n)
    species = np.unique(placement.node, return_inverse=True)[1]
    labels, rng = species % 3, np.random.default_rng(0)
    vectors = (np.eye(vectors.shape[1])[labels] + 0.1 * rng.normal(size=vectors.shape)).astype(np.float32)
    planes = vectors[None, :, :2] + 0.02 * rng.normal(size=(n_planes, n, 2))
    shuffled = shuffled_axes(vectors, rng)
    repeats = Repeats(planes[1:], shuffled, shuffled[:, :2])
    images = LabelledImages(labels, placement.node)
    return Panels([Panel("order", "Animalia", vectors, planes[0], images, repeats)], placement, FEW)


def test_trustworthiness_of_a_panel_is_its_definition():
    given = panels()
    panel = given.panels[0]
    (row,) = panel_trustworthiness(given)
    assert row.value == pytest.approx(definition.trustworthiness(panel.vectors, panel.coordinates, 5), abs=1e-9)
    assert (row.metric, row.rank, row.taxon, row.estimate.n_images) == (
        "panel_trustworthiness",
        "order",
        "Animalia",
        60,
    )


@pytest.mark.parametrize(
    ("of_seeds", "of_one"),
    [(panel_trustworthiness_seeds, panel_trustworthiness), (panel_purity_2d_seeds, panel_purity_2d)],
)
def test_mean_and_spread_are_those_of_the_planes_measured_one_by_one(of_seeds, of_one):
    given = panels()
    panel = given.panels[0]
    values = [
        of_one(replace(given, panels=[replace(panel, coordinates=plane)]))[0].value
        for plane in (panel.coordinates, *panel.repeats.planes)
    ]
    mean, spread = of_seeds(given)
    assert (mean.value, spread.value) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert mean.estimate.null == "axes" and np.isnan(spread.estimate.chance)
    assert mean.estimate.note == "3 seeds" == f"{panel.repeats.n_seeds} seeds"


def test_vectors_without_structure_are_far_below_clear_clusters():
    mean, _ = panel_purity_2d_seeds(panels())
    assert mean.value > 0.95 and mean.estimate.chance < 0.6
    control = replace(panels().panels[0], coordinates=panels().panels[0].repeats.control)
    control = replace(control, vectors=control.repeats.shuffled)
    trust = panel_trustworthiness(replace(panels(), panels=[control]))[0].value
    assert panel_trustworthiness_seeds(panels())[0].estimate.chance == pytest.approx(trust)


def test_a_panel_that_was_projected_once_says_so():
    given = panels()
    once = replace(given, panels=[replace(given.panels[0], repeats=None)])
    for row in [*panel_purity_2d_seeds(once), *panel_trustworthiness_seeds(once)]:
        assert np.isnan(row.value) and row.estimate.note == "the panel was projected once"


def test_of_many_images_some_are_asked_the_same_for_every_encoder(monkeypatch):
    monkeypatch.setattr(quality, "MOST_ANCHORS", 20)
    first, second = (panel_trustworthiness(panels())[0].value for _ in range(2))
    monkeypatch.undo()
    assert first == second
    assert first == pytest.approx(panel_trustworthiness(panels())[0].value, abs=0.1)
