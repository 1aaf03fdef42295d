"""Tree correlations of data for which they do not exist, or barely do: the note of the estimate says why."""

import math

import numpy as np
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.tree import Placement
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.taxa import (
    cophenetic_correlation,
    distance_by_lca,
    image_tree_correlation,
    made_up,
    rng,
    spearman,
    star,
)

CORRELATIONS = (cophenetic_correlation, image_tree_correlation)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("metric", CORRELATIONS)
def test_vectors_that_are_not_finite_are_named(metric, wrong):
    vectors, placement = made_up()
    vectors[[3, 11]] = wrong
    with pytest.raises(DataError, match="2 are not, in rows 3, 11"):
        metric(vectors, placement, rng())


def all_correlations(vectors, placement):
    yield from (metric(vectors, placement, rng()) for metric in CORRELATIONS)
    yield spearman(vectors, placement)


@pytest.mark.parametrize("n_taxa", [1, 2])
@pytest.mark.parametrize("n_images", [2, 6])
def test_one_or_two_taxa(n_taxa, n_images):
    placement = star(n_taxa)
    rows = np.resize(np.arange(n_taxa), n_images)
    vectors = unit_rows(rng().standard_normal((n_images, 3)))
    for found in all_correlations(vectors, placement.take(rows)):
        assert math.isnan(found.value) and found.note == f"needs at least 3 taxa, found {n_taxa}"
        assert (found.n_images, found.n_taxa) == (n_images, n_taxa)


def test_no_rows_and_one_row():
    for n in (0, 1):
        placement = star(3).take(np.arange(n))
        for found in all_correlations(np.eye(3)[:n], placement):
            assert found.note == f"needs at least 3 taxa, found {n}"
        assert distance_by_lca(np.eye(3)[:n], placement) == {}


def test_a_star_has_no_correlation_between_taxa():
    vectors = unit_rows(rng().standard_normal((8, 3)))
    found = cophenetic_correlation(vectors, star(8), rng())
    assert math.isnan(found.value) and math.isnan(found.p_value) and math.isnan(found.ci_low)
    assert found.note == spearman(vectors, star(8)).note == "tree distance or embedding distance does not vary"
    # Of images it has: they are together or apart.
    twice = np.repeat(np.arange(8), 2)
    apart = image_tree_correlation(vectors[twice], star(8).take(twice), rng())
    assert apart.value > 0 and apart.note == "no interval: 8 units (kingdom), needs at least 40"


@pytest.mark.slow
def test_equal_vectors_have_no_correlation():
    _, placement = made_up()
    vectors = np.tile(unit_rows(rng().standard_normal((1, 512))), (len(placement), 1)).astype(np.float32)
    for found in all_correlations(vectors, placement):
        assert found.note == "tree distance or embedding distance does not vary"


@pytest.mark.slow
def test_nearly_equal_vectors_have_one():
    """Networks before centring can have all cosines at 0.999: that is still an order."""
    placement = random_taxonomy(40, 160, rng())
    spread_out = signal_vectors(placement, 16, 1.0, 0.3, rng(1)).astype(float)
    common = np.zeros(17)
    common[0] = 30.0
    vectors = unit_rows(np.pad(spread_out, ((0, 0), (1, 0))) + common).astype(np.float32)
    assert np.min(vectors @ vectors.T) > 0.995
    for found, whole in zip(all_correlations(vectors, placement), all_correlations(spread_out, placement), strict=True):
        assert found.value == pytest.approx(whole.value, abs=0.02)


def test_all_images_left_out():
    placement = Placement(star(4).tree, np.array([-1, -1, 0]))
    for found in all_correlations(np.eye(3), placement):
        assert math.isnan(found.value) and (found.n_images, found.n_taxa, found.n_excluded) == (0, 0, 3)
    assert distance_by_lca(np.eye(3), placement) == {}


@pytest.mark.slow
def test_images_without_a_name_at_the_rank_are_left_out_and_counted():
    vectors, placement = made_up()
    lost = placement.node.copy()
    lost[::4] = placement.tree.parent[lost[::4]]  # known to the genus only
    lost[1] = -1
    some = Placement(placement.tree, lost)
    kept = np.isin(lost, placement.tree.tips)
    for found, alone in zip(
        all_correlations(vectors, some), all_correlations(vectors[kept], placement.take(kept)), strict=True
    ):
        assert found.value == pytest.approx(alone.value, abs=1e-12)
        assert (found.n_images, found.n_excluded) == (kept.sum(), (~kept).sum())


@pytest.mark.slow
def test_a_centroid_that_cancels_out_makes_all_undefined_and_says_so():
    vectors, placement = made_up(n_images=40)
    vectors = np.concatenate([vectors, -vectors[:1]])
    placement = placement.take(np.r_[np.arange(40), 0])
    reason = "the images of 1 taxa cancel out: their centroid has no direction"
    assert cophenetic_correlation(vectors, placement, rng()).note == spearman(vectors, placement).note == reason
    assert math.isfinite(image_tree_correlation(vectors, placement, rng()).value)
    rows = distance_by_lca(vectors, placement)
    assert set(rows) == set(distance_by_lca(vectors[:40], placement.take(np.arange(40))))
    for row in rows.values():
        assert {estimate.note for estimate in row.values()} == {reason}
        assert all(math.isnan(estimate.value) and estimate.n_images == 41 for estimate in row.values())
