"""Differences of two encoders: values, intervals, p-values, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student_t
from scipy.stats import ttest_rel

from bioclip_probe.metrics.differences import paired_differences
from bioclip_probe.metrics.image_pairs import image_tree_correlation
from bioclip_probe.metrics.intervals import jackknife_error, with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import effective_degrees_of_freedom
from bioclip_probe.tree import brownian
from tests.support.made_up_vectors import random_taxonomy, unit_rows

SETTINGS = MeasureSettings()
CORRELATION, SHARE = (-1.0, 1.0), (0.0, 1.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def number(
    value: float,
    deleted: np.ndarray,
    metric: str = "cophenetic_correlation",
    chance: float = 0.0,
    units: int = 60,
    rank: str = "species",
) -> Measurement:
    """Return a number with its jackknife, each group of which is as many species."""
    jackknife = Jackknife("species", units, np.arange(len(deleted)))
    estimate = Estimate(value, chance=chance, n_images=100, n_taxa=units)
    estimate = with_interval(estimate, deleted, jackknife, SETTINGS, REGISTRY[metric].bounds)
    return Measurement(metric, rank, estimate)


def mean_score(scores: np.ndarray, **columns: object) -> Measurement:
    """Return a mean over species, each of which is a group of its own."""
    n = len(scores)
    return number(scores.mean(), (scores.sum() - scores) / (n - 1), "knn_purity_1", units=n, **columns)


def tree_correlation(rows, shared: SharedResults) -> Measurement:
    """Return the correlation of tree and embedding distance over all pairs of rows, without each group of species."""
    moments = JackknifeMoments.of([(rows.vectors, rows.tips)], shared.jackknife().of_tips(rows))
    sums = JackknifeSums.of(rows.tree, moments)
    estimate = Estimate(sums.correlation(), chance=0.0, **rows.counts)
    estimate = with_interval(estimate, sums.without_each_group(), shared.jackknife(), SETTINGS, CORRELATION)
    return Measurement("cophenetic_correlation", "species", estimate)


def difference(first: Measurement, second: Measurement) -> Estimate:
    (row,) = paired_differences([first], [second])
    return row.estimate


def test_the_difference_of_two_means_is_the_paired_t_test():
    """The outsider: with one species in each group, value over standard error is Student's paired statistic."""
    a, b = 0.6 + 0.1 * rng().standard_normal((2, 30)) + 0.1 * rng(1).standard_normal(30)
    found, expected = difference(mean_score(a), mean_score(b)), ttest_rel(a, b)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.value / jackknife_error(found.replicates) == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)  # degrees of freedom are estimated


def test_a_difference_turns_its_sign_with_the_order_of_the_encoders():
    a, b = (mean_score(0.5 + shift + 0.2 * rng(seed).standard_normal(40)) for seed, shift in ((1, 0.2), (2, 0)))
    found, turned = difference(a, b), difference(b, a)
    assert found.value == -turned.value and found.p_value == pytest.approx(turned.p_value)
    assert (found.ci_low, found.ci_high) == pytest.approx((-turned.ci_high, -turned.ci_low))
    assert (found.n_images, found.n_taxa, found.n_units, found.resampled) == (100, 40, 40, "species")
    assert found.p_value < 0.01 and found.ci_low > 0 and found.chance == 0


def test_p_is_below_a_twentieth_where_the_interval_leaves_out_zero():
    for seed in range(40):
        a, b = (mean_score(0.4 + 0.2 * i + 0.3 * rng(2 * seed + i).standard_normal(25)) for i in (1, 0))
        found = difference(a, b)
        assert (found.p_value < 0.05) == (not found.ci_low <= 0 <= found.ci_high)


def test_every_rank_and_clade_that_both_have_is_compared():
    deleted = 0.5 + 0.01 * rng().standard_normal(20)
    keys = [("species", None), ("family", None), ("family", "Aves"), ("order", None)]
    rows = [replace(number(0.5, deleted, rank=rank), taxon=taxon) for rank, taxon in keys]
    found = paired_differences(rows, rows[1:])
    assert [(row.rank, row.taxon) for row in found] == keys[1:]
    assert {row.metric for row in found} == {"cophenetic_correlation_difference"}


def test_numbers_that_are_not_paired_are_not_compared():
    deleted = 0.5 + 0.01 * rng().standard_normal(20)
    alone = Measurement("cophenetic_correlation", "species", Estimate(0.5))
    assert not paired_differences([alone], [number(0.5, deleted)])
    assert not paired_differences([number(0.5, deleted[:12])], [number(0.5, deleted)])
    cka = Measurement("cka", "species", number(0.5, deleted).estimate)
    assert not paired_differences([cka], [cka]), "it is about two encoders already"


def test_an_encoder_does_not_differ_from_itself():
    row = number(0.5, 0.5 + 0.01 * rng().standard_normal(20))
    found = difference(row, row)
    assert (found.value, found.p_value, found.ci_low, found.ci_high) == (0, 1, 0, 0)


def test_two_shares_of_one_show_nothing():
    """Both are right about all species: the jackknife sees no scatter, which is no proof that they are equal."""
    perfect, nothing = (number(value, np.full(20, value), "knn_purity_1", 0.1) for value in (1.0, 0.0))
    for found in (difference(perfect, perfect), difference(perfect, nothing)):
        assert np.isnan(found.ci_low) and np.isnan(found.p_value)
        assert "neither number changes" in found.note
    scattered = number(0.9, 0.9 + 0.01 * rng().standard_normal(20), "knn_purity_1", 0.1)
    assert difference(perfect, scattered).p_value < 0.05


def test_the_chance_of_a_difference_is_the_difference_of_the_chance_levels():
    """p is that of the difference beyond it, and 1 where the difference is no larger."""
    without = [0.5 + 0.01 * rng(seed).standard_normal(20) for seed in (0, 1)]
    error = jackknife_error(without[0] - without[1])
    for value, chance in ((3 * error, 0.0), (3 * error, error), (3 * error, -error), (error, 2 * error)):
        first = number(0.5 + value, without[0] + value, "knn_purity_1", 0.1 + chance, rank="family")
        found = difference(first, number(0.5, without[1], "knn_purity_1", 0.1, rank="family"))
        assert found.chance == pytest.approx(chance) and found.value == pytest.approx(value)
        freedom = effective_degrees_of_freedom(found.replicates)
        beyond = max(value - abs(chance), 0) / error
        assert found.p_value == pytest.approx(2 * student_t.sf(beyond, freedom))
        assert ("compare knn_purity_1_other_species or knn_purity_1_adjusted" in found.note) == (chance != 0)


@pytest.mark.slow
def test_encoders_without_any_tree_seldom_differ_over_pairs_of_images():
    """Images of one species are alike in one encoder and not in the other: that is not the tree."""
    found = []
    for seed in range(30):
        draw = rng(seed)
        placement = random_taxonomy(40, 120, draw)
        rows = []
        for scatter in (0.3, 2.0):
            species = draw.standard_normal((len(placement.tree), 16))
            vectors = unit_rows(species[placement.node] + scatter * draw.standard_normal((120, 16)))
            shared = SharedResults(vectors.astype(np.float32), placement, MeasureSettings(n_permutations=199))
            rows.append(image_tree_correlation(shared, placement))
        (row,) = paired_differences(*rows)
        found.append(row.estimate)
    assert np.mean([each.ci_low > 0 for each in found]) > 0.5, "the values differ"
    assert np.mean([each.p_value < 0.05 for each in found]) <= 0.07


def test_a_number_without_chance_has_a_p_where_more_of_it_is_better():
    values = [0.5 + 0.01 * rng(seed).standard_normal(20) for seed in (0, 1)]
    better = [number(0.5, deleted, "k_mult", np.nan) for deleted in values]
    neither = [number(0.5, deleted, "lca_distance_mean", np.nan) for deleted in values]
    assert np.isfinite(difference(*better).p_value)
    assert "neither more nor less of it is better" in difference(*neither).note
    assert "only one of the two" in difference(better[0], number(0.5, values[1], "k_mult", 0.1)).note


def test_a_number_without_an_interval_has_a_difference_without_one():
    few = number(0.5, 0.5 + 0.01 * rng().standard_normal(5), units=5)
    found = difference(few, few)
    assert found.value == 0 and np.isnan(found.ci_low) and np.isnan(found.p_value) and "no interval" in found.note


def test_the_undefined_side_is_named():
    row = number(0.5, 0.5 + 0.01 * rng().standard_normal(20))
    nothing = Estimate(np.nan, note="only one taxon", resampled="species", replicates=np.full(20, np.nan))
    undefined = Measurement("cophenetic_correlation", "species", nothing)
    assert difference(row, undefined).note == "second encoder: only one taxon"
    assert difference(undefined, row).note == "first encoder: only one taxon"


def test_few_species_on_a_dated_tree_are_warned_of():
    row = number(0.5, 0.5 + 0.01 * rng().standard_normal(20))
    (found,) = paired_differences([row], [row], dated=True)
    assert "the interval may be too narrow" in found.estimate.note


def test_every_metric_of_one_encoder_has_an_entry_for_its_difference():
    for name, entry in REGISTRY.items():
        other = REGISTRY.get(f"{name}{DIFFERENCE}")
        if entry.subject in ("embeddings", "answers", "answers at all ranks"):
            assert other is not None and (other.better, other.function) == (entry.better, None), name
            low, high = entry.bounds
            assert other.bounds == (low - high, high - low)
        else:
            assert other is None


@pytest.mark.slow
@pytest.mark.parametrize(("knows_the_tree", "noise"), [(True, (1.0, 1.0)), (False, (1.0, 1.0)), (False, (0.5, 3.0))])
def test_encoders_of_equal_alignment_seldom_differ_in_cpcc(knows_the_tree, noise):
    """Two encoders of one alignment, or of none and unequal scatter. 200 draws reject in 0.0 to 3 % of cases."""
    p = []
    for seed in range(60):
        draw = rng(seed)
        placement = random_taxonomy(40, 120, draw)
        species = brownian(placement.tree, 16, draw)
        rows = []
        for scatter in noise:
            own = species if knows_the_tree else draw.standard_normal(species.shape)
            vectors = unit_rows(own[placement.node] + scatter * draw.standard_normal((120, 16)))
            shared = SharedResults(vectors, placement)
            rows.append(tree_correlation(shared.taxa("species"), shared))
        p.append(difference(*rows).p_value)
    assert np.mean(np.array(p) < 0.05) <= 0.07


@pytest.mark.slow
def test_an_encoder_that_knows_more_of_the_tree_is_found():
    p = []
    for seed in range(30):
        draw = rng(seed)
        placement = random_taxonomy(80, 240, draw)
        species, blind = brownian(placement.tree, 16, draw), draw.standard_normal((len(placement.tree), 16))
        rows = []
        for own in (species, blind):
            shared = SharedResults(unit_rows(own[placement.node] + 0.5 * draw.standard_normal((240, 16))), placement)
            rows.append(tree_correlation(shared.taxa("species"), shared))
        p.append(difference(*rows).p_value)
    assert np.mean(np.array(p) < 0.05) > 0.9


def test_inputs_stay():
    row = number(0.5, 0.5 + 0.01 * rng().standard_normal(20))
    row.estimate.replicates.flags.writeable = False
    before = row.estimate.replicates.copy()
    paired_differences([row], [row])
    np.testing.assert_array_equal(row.estimate.replicates, before)
