"""Scores: means and accuracies, the correction for chance, calibration, swaps of two sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, kstest
from sklearn import metrics as peer

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.scores import (
    adjusted,
    bootstrap_method,
    constant_accuracy,
    estimate_calibration_error,
    estimate_macro_accuracy,
    estimate_top1_accuracy,
    interval,
    jackknife_method,
    mean_score,
    swap_p,
)
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import bootstrap_weights, jackknife_interval
from tests.definitions import probes as definition
from tests.definitions import scores

DEFAULTS = MeasureSettings()


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@st.composite
def answers(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_taxa = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    truth = random.integers(-1, n_taxa, n)
    predicted = np.where(random.random(n) < 0.5, truth, random.integers(-1, n_taxa, n))
    return truth, predicted, random.integers(0, 8, n), random.integers(0, n_taxa, 30)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(answers())
def test_accuracies_equal_their_definitions_and_scikit_learn(case):
    truth, predicted, species, train = case
    top1 = estimate_top1_accuracy(truth, predicted, species, rng(), DEFAULTS, train)
    macro = estimate_macro_accuracy(truth, predicted, species, rng(), DEFAULTS)
    assert top1.n_excluded == macro.n_excluded == np.sum(truth < 0)
    if (truth < 0).all():
        assert np.isnan(top1.value) and np.isnan(macro.value) and top1.note == macro.note != ""
        return
    assert top1.value == pytest.approx(definition.top1_accuracy(truth, predicted))
    assert top1.chance == pytest.approx(definition.most_frequent_accuracy(truth, train))
    assert macro.value == pytest.approx(definition.macro_accuracy(truth, predicted))
    known = truth >= 0
    named, answered = truth[known].astype(str), predicted[known].astype(str)
    assert top1.value == pytest.approx(peer.accuracy_score(named, answered))
    recall = peer.recall_score(named, answered, labels=np.unique(named), average="macro", zero_division=0)
    assert macro.value == pytest.approx(recall)
    assert macro.chance == pytest.approx(1 / len(np.unique(named)))
    for found in (top1, macro):
        assert np.isnan(found.ci_low) or 0 <= found.ci_low <= found.ci_high <= 1


def test_the_macro_interval_equals_its_definition():
    random = rng()
    truth = np.repeat(np.arange(3), 12)
    species = np.arange(36) // 3
    predicted = np.where(random.random(36) < 0.6, truth, 0)
    found = estimate_macro_accuracy(truth, predicted, species, np.random.default_rng(1), DEFAULTS)
    draws = bootstrap_weights(12, 999, np.random.default_rng(1))
    means = []
    for weights in draws:
        weight = weights[species]
        recalls = [
            np.sum(weight * (truth == t) * (predicted == t)) / np.sum(weight * (truth == t))
            for t in range(3)
            if np.sum(weight * (truth == t))
        ]
        means.append(np.mean(recalls))
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_the_macro_average_gives_taxa_equal_weights():
    truth = np.array([0] * 9 + [1])
    constant = np.zeros(10, dtype=np.int64)
    top1, macro = (
        estimate(truth, constant, np.arange(10), rng(), DEFAULTS)
        for estimate in (estimate_top1_accuracy, estimate_macro_accuracy)
    )
    assert (top1.value, macro.value) == (0.9, 0.5)
    assert (top1.chance, macro.chance) == (0.9, 0.5)
    assert adjusted(top1).value == adjusted(macro).value == 0


def test_the_order_of_rows_changes_nothing():
    random = rng()
    truth, predicted, species = (random.integers(0, 4, 50) for _ in range(3))
    order = random.permutation(50)
    for estimate in (estimate_top1_accuracy, estimate_macro_accuracy):
        one = estimate(truth, predicted, species, rng(), DEFAULTS)
        other = estimate(truth[order], predicted[order], species[order], rng(), DEFAULTS)
        assert (one.value, one.ci_low, one.ci_high) == pytest.approx((other.value, other.ci_low, other.ci_high))


def test_the_interval_of_an_accuracy_covers():
    """Forty species, each with its own accuracy: the interval holds the true mean about 19 times in 20."""
    random = np.random.default_rng(3)
    species = np.repeat(np.arange(40), 5)
    covered = 0
    for _ in range(300):
        right = random.random(200) < random.beta(2, 1, 40)[species]
        predicted = np.where(right, 0, 1)
        found = estimate_top1_accuracy(np.zeros(200, dtype=np.int64), predicted, species, random, DEFAULTS)
        covered += found.ci_low <= 2 / 3 <= found.ci_high
    assert 0.88 < covered / 300 < 0.99


def test_the_correction_for_chance_is_linear_and_keeps_the_other_fields():
    estimate = Estimate(0.6, chance=0.2, ci_low=0.4, ci_high=1.0, ci_method="m", n_images=7, note="n")
    found = adjusted(estimate)
    assert (found.value, found.ci_low, found.ci_high, found.chance) == pytest.approx((0.5, 0.25, 1.0, 0.0))
    assert (found.ci_method, found.n_images, found.note) == ("m", 7, "n")
    assert adjusted(Estimate(1.0, chance=1.0)).note == "chance alone is perfect"
    assert adjusted(Estimate(1.0)).note == "it has no chance level"
    undefined = Estimate.undefined("why", 3)
    assert adjusted(undefined) is undefined


def test_the_corrected_interval_recomputes_chance_without_each_group():
    jackknife = Jackknife.of("species", np.arange(40), rng())
    values, chances = rng().normal([[0.6], [0.2]], 0.02, (2, jackknife.n_groups))
    estimate = with_interval(Estimate(0.6, chance=0.2, note="n"), values, jackknife, DEFAULTS, (0.0, 1.0))
    found = adjusted(estimate, chances, jackknife, DEFAULTS)
    deleted = [(value - chance) / (1 - chance) for value, chance in zip(values, chances, strict=True)]
    assert found.replicates.tolist() == pytest.approx(deleted)
    assert (found.ci_low, found.ci_high) == pytest.approx(jackknife_interval(0.5, np.array(deleted)))
    assert (found.value, found.chance, found.note) == (pytest.approx(0.5), 0.0, "n")
    # With a chance level that depends on no species both ways agree.
    fixed = adjusted(estimate, np.full(jackknife.n_groups, 0.2), jackknife, DEFAULTS)
    assert (fixed.ci_low, fixed.ci_high) == pytest.approx((adjusted(estimate).ci_low, adjusted(estimate).ci_high))
    assert fixed.replicates.tolist() == pytest.approx(adjusted(estimate).replicates.tolist())


def test_a_corrected_number_without_its_own_interval_has_none_and_says_why_once():
    jackknife = Jackknife.of("species", np.arange(9), rng())
    estimate = with_interval(Estimate(0.6, chance=0.2), np.linspace(0.5, 0.7, 9), jackknife, DEFAULTS)
    found = adjusted(estimate, np.full(9, 0.2), jackknife, DEFAULTS)
    assert np.isnan(found.ci_low) and found.note == estimate.note != ""
    jackknife = Jackknife.of("species", np.arange(40), rng())
    estimate = with_interval(Estimate(0.6, chance=0.2), np.linspace(0.5, 0.7, 20), jackknife, DEFAULTS)
    found = adjusted(estimate, np.r_[1.0, np.full(19, 0.2)], jackknife, DEFAULTS)
    assert np.isnan(found.ci_low) and "does not exist without some" in found.note
    perfect = with_interval(Estimate(1.0, chance=0.2), np.ones(20), jackknife, DEFAULTS, (0.0, 1.0))
    found = adjusted(perfect, np.full(20, 0.2), jackknife, DEFAULTS)
    assert found.value == found.ci_high == 1 and found.ci_low == pytest.approx((perfect.ci_low - 0.2) / 0.8)


def test_settings_decide_replicates_groups_and_level():
    scores, species = rng().random(60), np.arange(60) // 3
    few = MeasureSettings(n_bootstrap=9, n_groups=5, level=0.5)
    wide, narrow = (mean_score(scores, species, rng(), chosen) for chosen in (DEFAULTS, few))
    assert narrow.ci_method == bootstrap_method(few) == "percentile bootstrap, 9 replicates"
    assert narrow.ci_high - narrow.ci_low < wide.ci_high - wide.ci_low
    calibration = estimate_calibration_error(np.full(60, 0.5), scores > 0.5, species, rng(), few)
    assert calibration.ci_method == jackknife_method(few) == "delete-group jackknife, at most 5 groups"


def test_an_undefined_interval_has_no_fields():
    assert interval(np.nan, np.nan, "m") == {}
    assert interval(0.25, 0.5, "m", "genus") == {"ci_low": 0.25, "ci_high": 0.5, "ci_method": "m", "resampled": "genus"}


def test_mean_score_of_one_species_has_no_interval():
    found = mean_score(np.ones(3), np.zeros(3, dtype=np.int64), rng(), DEFAULTS, chance=0.5)
    assert (found.value, found.chance, found.ci_method) == (1, 0.5, "")
    assert np.isnan(found.ci_low)


@settings(max_examples=60)
@given(
    st.lists(st.integers(-1, 4), min_size=1, max_size=12), st.lists(st.integers(-1, 4), max_size=12), st.integers(1, 6)
)
def test_constant_accuracy_is_the_mean_over_all_ways_to_choose_among_equally_frequent_taxa(truth, train, k):
    truth, train = np.array([t for t in truth if t >= 0] or [0]), np.array(train, dtype=np.int64)
    expected = np.mean(scores.most_frequent_accuracies(truth.tolist(), train.tolist(), k))
    assert constant_accuracy(truth, train, k) == pytest.approx(expected)


# Calibration.


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_calibration_error_equals_its_definition(seed, n):
    random = np.random.default_rng(seed)
    confidence, right = random.integers(1, 9, n) / 8, random.random(n) < 0.6
    found = estimate_calibration_error(confidence, right, random.integers(0, 9, n), rng(), DEFAULTS)
    assert found.value == pytest.approx(scores.calibration_error(confidence, right))
    assert 0 <= found.value <= 1 and 0 <= found.chance <= 1
    assert np.isnan(found.ci_low) or 0 <= found.ci_low <= found.value <= found.ci_high <= 1


def test_the_calibration_error_equals_that_of_scikit_learns_bins():
    """Where no confidences tie, scikit-learn's quantile bins hold the same answers."""
    from sklearn.calibration import calibration_curve

    confidence = rng().permutation(np.linspace(0.05, 0.95, 150))
    right = rng().random(150) < confidence**2
    shares, means = calibration_curve(right, confidence, n_bins=15, strategy="quantile")
    found = estimate_calibration_error(confidence, right, np.arange(150), rng(), DEFAULTS)
    assert found.value == pytest.approx(np.mean(np.abs(shares - means)), abs=0.01)


def test_a_calibrated_probe_is_at_its_chance_and_an_overconfident_one_above_it():
    random, calibrated = np.random.default_rng(2), []
    for _ in range(30):
        confidence = random.beta(3, 1, 300)
        found = estimate_calibration_error(
            confidence, random.random(300) < confidence, np.arange(300) // 5, random, DEFAULTS
        )
        calibrated.append(found.value - found.chance)
    assert abs(np.mean(calibrated)) < 0.01
    overconfident = estimate_calibration_error(
        np.full(300, 0.9), np.arange(300) % 2 == 0, np.arange(300) // 5, random, DEFAULTS
    )
    assert overconfident.value == pytest.approx(0.4) and overconfident.chance < 0.1 and overconfident.ci_low > 0.3


@pytest.mark.slow
def test_the_interval_of_the_calibration_error_covers():
    """Forty species of five images, confidences too high by a share: the interval holds the true error."""
    random = np.random.default_rng(4)

    def world(n_species):
        confidence = random.beta(3, 1, 5 * n_species)
        return confidence, random.random(5 * n_species) < 0.7 * confidence, np.arange(5 * n_species) // 5

    truth = estimate_calibration_error(*world(20_000), random, DEFAULTS).value
    found = [estimate_calibration_error(*world(40), random, DEFAULTS) for _ in range(150)]
    covered = np.mean([one.ci_low <= truth <= one.ci_high for one in found])
    assert 0.88 < covered <= 1


def test_the_calibration_error_does_not_depend_on_the_order_of_answers():
    random = rng()
    confidence, right, units = random.integers(1, 5, 80) / 5, random.random(80) < 0.5, random.integers(0, 9, 80)
    order = random.permutation(80)
    one = estimate_calibration_error(confidence, right, units, rng(), DEFAULTS)
    other = estimate_calibration_error(confidence[order], right[order], units[order], rng(), DEFAULTS)
    assert (one.value, one.ci_low, one.ci_high) == pytest.approx((other.value, other.ci_low, other.ci_high))


# Swapping two sides.


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_swap_p_is_near_that_of_all_swaps(seed, n_units):
    random = np.random.default_rng(seed)
    differences, units = random.integers(-1, 2, 20), random.integers(0, n_units, 20)
    expected = scores.swap_p(differences.tolist(), units.tolist())
    assert swap_p(differences, units, rng(), DEFAULTS.n_swaps) == pytest.approx(expected, abs=0.07)


def test_swap_p_is_mcnemars_exact_test_where_images_are_species():
    for a, b in ((15, 4), (9, 9), (3, 0), (40, 20)):
        differences = np.concatenate([np.ones(a), -np.ones(b), np.zeros(30)])
        expected = binomtest(a, a + b, 0.5).pvalue
        assert swap_p(differences, np.arange(len(differences)), rng(), DEFAULTS.n_swaps) == pytest.approx(
            expected, abs=0.04
        )


@pytest.mark.slow
def test_swap_p_is_uniform_where_neither_is_better():
    """Two models of equal skill whose images of a species succeed and fail together."""
    random = np.random.default_rng(7)
    species = np.repeat(np.arange(40), 5)
    p = []
    for _ in range(150):
        skill = random.beta(2, 2, (2, 40))[:, species]
        a, b = random.random((2, 200)) < skill
        p.append(swap_p(a.astype(float) - b, species, random, DEFAULTS.n_swaps))
    assert kstest(p, "uniform").pvalue > 0.001


def test_swap_p_without_any_difference_is_one():
    assert swap_p(np.zeros(9), np.arange(9), rng(), DEFAULTS.n_swaps) == 1
    assert swap_p(np.array([1.0, 1.0, -1.0, -1.0]), np.array([0, 1, 0, 1]), rng(), DEFAULTS.n_swaps) == 1
