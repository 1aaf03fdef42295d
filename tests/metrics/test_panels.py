import numpy as np
import pytest

from bioclip_probe.metrics.clusters import estimate_cluster_purity
from bioclip_probe.metrics.measurement import random_stream
from bioclip_probe.metrics.panels import Panel, Panels, panel_purity, panel_purity_2d
from bioclip_probe.metrics.scores import adjusted
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.suite import measure
from bioclip_probe.stats.kmeans import kmeans
from tests.support.settings import FEW
from tests.support.taxa import made_up, star


def one_panel(coordinates: np.ndarray, rank: str = "order") -> Panels:
    vectors, placement = made_up(6, 24)
    labels = np.where(np.arange(24) % 7 == 6, -1, np.arange(24) % 3)
    images = LabelledImages(labels, placement.node)
    return Panels([Panel(rank, "Animalia", vectors, coordinates, images)], placement, FEW)


def test_a_panel_that_could_not_be_projected_says_so():
    panels = one_panel(np.full((24, 2), np.nan))
    rows = panel_purity_2d(panels)
    assert [row.estimate.note for row in rows] == ["the panel could not be projected"] * 2
    assert all(np.isnan(row.value) for row in rows)
    assert all(np.isfinite(row.value) for row in panel_purity(panels))


@pytest.mark.parametrize(("metric", "name"), [(panel_purity, "panel_purity"), (panel_purity_2d, "panel_purity_2d")])
def test_purity_in_a_panel_is_cluster_purity_of_its_points(metric, name):
    panels = one_panel(np.random.default_rng(1).standard_normal((24, 2)))
    panel = panels.panels[0]
    points = panel.vectors if metric is panel_purity else panel.coordinates
    clusters = kmeans(points, panel.images.labels, random_stream(FEW.seed, "kmeans", "order"))
    expected = estimate_cluster_purity(clusters, panel.images, random_stream(FEW.seed, name, "order"), FEW)
    plain, corrected = metric(panels)
    assert (plain.metric, plain.rank, plain.taxon, plain.estimate) == (name, "order", "Animalia", expected)
    assert (corrected.metric, corrected.estimate) == (f"{name}_adjusted", adjusted(expected))


def test_the_suite_measures_panels_in_full_dimension_and_in_the_plane():
    panels = one_panel(np.zeros((24, 2)))
    names = ["panel_purity", "panel_purity_adjusted", "panel_purity_2d", "panel_purity_2d_adjusted"]
    assert [row.metric for row in measure(panels)] == names
    assert panels.has_ranks
    assert not Panels([], star(2)).panels
