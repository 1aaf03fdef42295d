import numpy as np
import pytest

from bioclip_probe.metrics.clusters import PURITY, estimate_index
from bioclip_probe.metrics.panels import Panel, Panels, panel_purity, panel_purity_2d
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.suite import measure
from bioclip_probe.stats.kmeans import kmeans
from tests.support.made_up_vectors import random_taxonomy, unit_rows
from tests.support.settings import FEW
from tests.support.taxa import made_up, star


def one_panel(coordinates: np.ndarray, rank: str = "order") -> Panels:
    vectors, placement = made_up(6, 24)
    species = np.unique(placement.node, return_inverse=True)[1]
    labels = np.where(species == 5, -1, species % 3)
    images = LabelledImages(labels, placement.node)
    return Panels([Panel(rank, "Animalia", vectors, coordinates, images)], placement, FEW)


def memoriser(seed: int, resample: str = "species") -> Panels:
    """A panel of orders of a model that recognises species and knows no tree."""
    random = np.random.default_rng(seed)
    placement = random_taxonomy(90, 360, random)
    of_node = random.standard_normal((len(placement.tree), 32))
    vectors = unit_rows(of_node[placement.node] + 0.1 * random.standard_normal((360, 32))).astype(np.float32)
    images = LabelledImages(placement.at("order"), placement.node)
    panel = Panel("order", "Animalia", vectors, vectors[:, :2], images)
    return Panels([panel], placement, MeasureSettings(seed=seed, resample=resample))


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
    clustered = panels.clustered(panel, points, again=False)
    np.testing.assert_array_equal(
        clustered.clusters.starts, kmeans(points, panel.images.labels, _stream(panels, "kmeans"))
    )
    expected = list(estimate_index(PURITY, clustered, FEW).values())
    plain, corrected = metric(panels)
    assert (plain.metric, plain.rank, plain.taxon) == (name, "order", "Animalia")
    assert corrected.metric == f"{name}_adjusted"
    for row, other in zip((plain, corrected), expected, strict=True):
        assert (row.value, row.estimate.chance, row.estimate.null) == (other.value, other.chance, "species")
        assert row.estimate.n_images + row.estimate.n_excluded == 24 and row.estimate.n_taxa == 3


def _stream(panels: Panels, name: str) -> np.random.Generator:
    from bioclip_probe.metrics.measurement import random_stream

    return random_stream(panels.settings.seed, name, panels.panels[0].rank)


def test_few_species_and_points_in_a_plane_have_no_interval_and_say_why():
    panels = one_panel(np.random.default_rng(1).standard_normal((24, 2)))
    for row in panel_purity(panels):
        assert np.isnan(row.estimate.ci_low) and "no interval: 5 units (species)" in row.estimate.note
    for row in panel_purity_2d(panels):
        assert np.isnan(row.estimate.ci_low) and "the plane would have to be drawn again" in row.estimate.note


@pytest.mark.slow
def test_a_memoriser_of_species_without_a_tree_is_at_chance():
    beyond = []
    for seed in range(8):
        plain, corrected = panel_purity(memoriser(seed))
        assert plain.estimate.null == "species" and plain.estimate.n_units == 90
        assert corrected.estimate.ci_low <= 0 <= corrected.estimate.ci_high
        beyond.append(corrected.value)
    assert abs(np.mean(beyond)) < 0.03


def test_units_are_the_taxa_that_are_asked_for():
    panels = memoriser(0, "genus")
    found = panel_purity(panels)[0].estimate
    assert found.resampled == "genus" and found.n_units == len(np.unique(panels.placement.at("genus")))


def test_the_suite_measures_panels_in_full_dimension_and_in_the_plane():
    panels = one_panel(np.zeros((24, 2)))
    names = ["panel_purity", "panel_purity_adjusted", "panel_purity_2d", "panel_purity_2d_adjusted"]
    names += ["panel_purity_2d_seeds", "panel_purity_2d_seeds_sd"]
    names += [f"panel_trustworthiness{end}" for end in ("", "_seeds", "_seeds_sd")]
    assert [row.metric for row in measure(panels)] == names
    assert panels.has_ranks
    assert not Panels([], star(2)).panels
