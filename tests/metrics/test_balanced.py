import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.metrics.balanced import balanced_image_tree_correlation as metric_of_images
from bioclip_probe.metrics.balanced import balanced_tree_correlation as metric_of_taxa
from bioclip_probe.metrics.balanced import estimate_balanced_correlation, reason_undefined
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import Placement
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import random_taxonomy, unit_rows, vectors_on_trees
from tests.support.taxa import DEFAULT, cophenetic_correlation, jackknife_of, made_up, random_phylogeny, rng

FEW_DRAWS = MeasureSettings(n_permutations=9)


def balanced_tree_correlation(vectors, placement, rng, settings=DEFAULT):
    return balanced(Rows.taxa(vectors, placement), rng, settings)


def balanced_image_tree_correlation(vectors, placement, rng, settings=DEFAULT):
    return balanced(Rows.images(vectors, placement), rng, settings)


def balanced(rows, rng, settings):
    jackknife = jackknife_of(rows, settings.n_groups)
    sums = [] if reason_undefined(rows) else rows.node_sums(jackknife.of_tips(rows), jackknife.n_groups)
    return estimate_balanced_correlation(rows, sums, jackknife, rng, settings)


BALANCED = {
    balanced_tree_correlation: definitions.taxa_by_rank,
    balanced_image_tree_correlation: definitions.images_by_rank,
}


@pytest.mark.slow
@pytest.mark.parametrize("metric", BALANCED)
def test_balanced_correlations_are_their_definition(metric):
    @settings(max_examples=60)
    @given(vectors_on_trees())
    def check(made):
        vectors, placement = made
        taxa = definitions.images_of_taxa(placement)
        found = metric(vectors, placement, rng(), FEW_DRAWS)
        assert (found.n_images, found.n_taxa) == (sum(map(len, taxa.values())), len(taxa))
        ranks = {int(placement.tree.rank[tip]) for tip in taxa}
        if len(taxa) < 3 or len(ranks) > 1 or ranks == {-1}:
            assert math.isnan(found.value) and found.note
            return
        try:
            expected = definitions.balanced_pearson(BALANCED[metric](vectors, placement))
        except ZeroDivisionError:  # a centroid without direction
            expected = math.nan
        assert found.value == pytest.approx(expected, abs=1e-7, nan_ok=True)
        assert found.note or not math.isnan(found.value)
        if not math.isnan(found.value):
            assert -1 <= found.value <= 1 and 0 < found.p_value <= 1

    check()


@pytest.mark.slow
@pytest.mark.parametrize("metric", BALANCED)
def test_the_balanced_interval_leaves_out_species(metric):
    vectors, placement = made_up(14, 40)
    found = metric(vectors, placement, rng(2))
    group = jackknife_of(Rows.images(vectors, placement)).group
    deleted = [
        definitions.balanced_pearson(BALANCED[metric](vectors[kept], placement.take(np.flatnonzero(kept))))
        for kept in (group != number for number in range(14))
    ]
    np.testing.assert_allclose(found.replicates, deleted, atol=1e-7)
    expected = jackknife_interval(found.value, np.array(deleted), (-1, 1))
    np.testing.assert_allclose((found.ci_low, found.ci_high), expected, atol=1e-6)
    assert found.resampled == "species" and "jackknife" in found.ci_method


@pytest.mark.slow
def test_balance_sees_what_the_deepest_splits_hide():
    """Kingdoms apart and nothing below: nearly all pairs agree with the tree, most ranks do not."""
    placement = random_taxonomy(120, 120, rng(1))
    kingdom = rng(2).standard_normal((len(placement.tree), 16))[placement.at("kingdom")]
    vectors = unit_rows(3 * kingdom + rng(3).standard_normal((120, 16)))
    deep = cophenetic_correlation(vectors, placement, rng())
    assert balanced_tree_correlation(vectors, placement, rng()).value < deep.value
    evolved, placement = made_up(120, 120)
    assert balanced_tree_correlation(evolved, placement, rng()).value > 0.5


def test_a_phylogeny_has_no_ranks_to_balance():
    tree = random_phylogeny(12)
    placement = Placement(tree, tree.tips)
    for metric in BALANCED:
        found = metric(unit_rows(rng().standard_normal((12, 4))), placement, rng())
        assert math.isnan(found.value) and found.note == "needs a taxonomy whose tips are of one rank"


@pytest.mark.slow
def test_balanced_p_is_uniform_for_independent_tips():
    from scipy.stats import kstest

    settings = MeasureSettings(n_permutations=49, n_groups=3)  # the interval is not looked at
    draw = rng(4)
    placement = random_taxonomy(20, 45, rng(5))
    for metric in BALANCED:
        p = []
        for _ in range(80):
            species = draw.standard_normal((len(placement.tree), 8))[placement.node]
            p.append(metric(unit_rows(species + draw.standard_normal((45, 8))), placement, draw, settings).p_value)
        assert kstest(np.array(p) - draw.random(80) / 50, "uniform").pvalue > 0.001


@pytest.mark.parametrize("metric", BALANCED)
def test_row_order_and_rotation_leave_the_balanced(metric):
    vectors, placement = made_up(30, 80)
    vectors = vectors.astype(float)
    order, rotation = rng().permutation(80), np.linalg.qr(rng().standard_normal((16, 16)))[0]
    found = metric(vectors, placement, rng(), FEW_DRAWS)
    other = metric((vectors @ rotation)[order], placement.take(order), rng(), FEW_DRAWS)
    for a, b in zip(astuple(found), astuple(other), strict=True):
        assert a == b if isinstance(a, str) else a == pytest.approx(b, abs=1e-8, nan_ok=True)


@pytest.mark.parametrize("metric", [metric_of_taxa, metric_of_images])
def test_the_unit_that_is_asked_for_is_left_out_and_the_null_is_named(metric):
    vectors, placement = made_up(60, 120)
    settings = MeasureSettings(n_permutations=9, resample="genus")
    [row] = metric(vectors, placement, settings)
    jackknife = SharedResults(vectors, placement, settings).jackknife()
    assert (row.estimate.resampled, row.estimate.n_units) == ("genus", len(np.unique(placement.at("genus"))))
    assert row.estimate.null == "species"
    kept = jackknife.group != 3
    [without] = metric(vectors[kept], placement.take(kept), settings)
    assert row.estimate.replicates[3] == pytest.approx(without.value, abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("metric", BALANCED)
def test_a_memoriser_of_species_is_at_chance(metric):
    placement = random_taxonomy(40, 160, rng(6))
    beyond = []
    for seed in range(40):
        species = rng(seed).standard_normal((len(placement.tree), 12))[placement.node]
        vectors = unit_rows(1 + species + 0.3 * rng(seed).standard_normal(species.shape))
        found = metric(vectors, placement, rng(seed), MeasureSettings(n_permutations=49, n_groups=3))
        beyond.append(found.value - found.chance)
        assert found.chance > 0.2 or metric is balanced_tree_correlation
    assert abs(np.mean(beyond)) < 4 * np.std(beyond) / math.sqrt(40)


def test_inputs_stay():
    vectors, placement = made_up(10, 20)
    before = vectors.copy()
    vectors.flags.writeable = False
    for metric in BALANCED:
        metric(vectors, placement, rng(), FEW_DRAWS)
    assert np.array_equal(vectors, before)
