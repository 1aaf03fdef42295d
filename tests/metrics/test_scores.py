"""Scores: means and accuracies, the correction for chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.scores import (
    adjusted,
    constant_accuracy,
    estimate_macro_accuracy,
    estimate_mean,
)
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import jackknife_interval
from tests.definitions import probes as definition
from tests.definitions import scores

DEFAULTS = MeasureSettings()


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@st.composite
def answers(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_taxa = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    truth = random.integers(0, n_taxa, n)
    predicted = np.where(random.random(n) < 0.5, truth, random.integers(-1, n_taxa, n))
    return truth, predicted, random.integers(0, draw(st.integers(1, 4)), n), random.integers(0, 30, n)


def groups_of(units: np.ndarray) -> Jackknife:
    return Jackknife.of("species", units, np.random.default_rng(0))


def macro(truth, predicted, fold, units):
    choices = np.full(len(truth), len(np.unique(truth)))
    return estimate_macro_accuracy(truth, predicted, fold, choices, groups_of(units), DEFAULTS)


@settings(deadline=None, max_examples=100)
@given(answers())
def test_accuracies_equal_their_definitions_and_scikit_learn(case):
    truth, predicted, fold, species = case
    of_images = estimate_mean(truth == predicted, groups_of(species), DEFAULTS)
    of_taxa = macro(*case)
    assert of_images.value == pytest.approx(definition.top1_accuracy(truth, predicted))
    assert of_taxa.value == pytest.approx(scores.macro_accuracy(truth, predicted, fold))
    once = np.zeros_like(fold)
    assert macro(truth, predicted, once, species).value == pytest.approx(definition.macro_accuracy(truth, predicted))
    named, answered = truth.astype(str), predicted.astype(str)
    assert of_images.value == pytest.approx(peer.accuracy_score(named, answered))
    recall = peer.recall_score(named, answered, labels=np.unique(named), average="macro", zero_division=0)
    assert macro(truth, predicted, once, species).value == pytest.approx(recall)
    for found in (of_images, of_taxa):
        assert np.isnan(found.ci_low) or 0 <= found.ci_low <= found.ci_high <= 1


def test_replicates_are_the_scores_of_the_answers_that_are_left():
    random = rng()
    truth, fold, species = np.repeat(np.arange(3), 12), np.arange(36) % 2, np.arange(36) // 3
    predicted = np.where(random.random(36) < 0.6, truth, 0)
    jackknife = groups_of(species)
    found = macro(truth, predicted, fold, species)
    of_images = estimate_mean(truth == predicted, jackknife, DEFAULTS)
    for group in range(jackknife.n_groups):
        left = jackknife.group != group
        expected = scores.macro_accuracy(truth[left], predicted[left], fold[left])
        assert found.replicates[group] == pytest.approx(expected)
        assert of_images.replicates[group] == pytest.approx(np.mean((truth == predicted)[left]))
    assert (found.n_units, found.resampled) == (12, "species")


def test_the_macro_average_gives_taxa_equal_weights():
    truth = np.array([0] * 9 + [1])
    constant = np.zeros(10, dtype=np.int64)
    found = macro(truth, constant, constant, np.arange(10))
    assert (found.value, found.chance) == (0.5, 0.5)
    assert adjusted(found).value == 0


def test_chance_over_taxa_is_that_of_each_fold():
    truth, fold = np.array([0, 1, 0, 1, 2, 3]), np.array([0, 0, 1, 1, 1, 1])
    choices = np.array([2, 2, 4, 4, 4, 4])
    found = estimate_macro_accuracy(truth, truth, fold, choices, groups_of(truth), DEFAULTS)
    assert found.chance == (1 / 2 + 1 / 4) / 2


def test_the_order_of_rows_changes_nothing():
    random = rng()
    truth, predicted, fold, species = (random.integers(0, 12, 60) for _ in range(4))
    order = random.permutation(60)
    one, other = macro(truth, predicted, fold, species), macro(*(a[order] for a in (truth, predicted, fold, species)))
    assert (one.value, one.ci_low, one.p_value) == pytest.approx((other.value, other.ci_low, other.p_value))


def test_p_says_whether_accuracy_is_above_chance():
    """Forty species of four taxa: answers by chance are as often below a half as above it."""
    random, species = rng(), np.repeat(np.arange(40), 5)
    truth, once = species // 10, np.zeros(200, dtype=np.int64)
    by_chance = [macro(truth, random.integers(0, 4, 200), once, species).p_value for _ in range(60)]
    assert 0.3 < np.mean(by_chance) < 0.7
    good = macro(truth, np.where(random.random(200) < 0.7, truth, 0), once, species)
    assert good.p_value < 1e-4 and good.ci_low > good.chance


@pytest.mark.slow
def test_intervals_cover():
    """Eighty species of eight taxa, each with its own accuracy: other species of the same taxa are foreseen."""
    random = np.random.default_rng(3)
    species = np.repeat(np.arange(80), 5)
    truth, once = species // 10, np.zeros(400, dtype=np.int64)
    skill = np.linspace(0.3, 0.9, 8)  # of the taxa, which are given
    covered = np.zeros(2)
    for _ in range(200):
        own = random.beta(4 * skill, 4 * (1 - skill), (10, 8)).T.ravel()
        predicted = np.where(random.random(400) < own[species], truth, 8)
        found = (
            estimate_mean(truth == predicted, groups_of(species), DEFAULTS),
            macro(truth, predicted, once, species),
        )
        covered += [one.ci_low <= skill.mean() <= one.ci_high for one in found]
    assert np.all(covered / 200 >= 0.93)


def test_few_units_have_no_interval_and_perfect_shares_the_exact_one():
    """A score of 1 from five images says little of the next."""
    five = estimate_mean(np.ones(5), groups_of(np.arange(5)), DEFAULTS)
    assert np.isnan(five.ci_low) and "no interval: 5 units" in five.note
    truth = np.arange(12)
    perfect = macro(truth, truth, np.zeros(12, dtype=np.int64), truth)
    assert perfect.ci_low == pytest.approx(0.025 ** (1 / 12)) and perfect.ci_high == 1


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


def test_settings_decide_the_level():
    values, jackknife = rng().random(60), groups_of(np.arange(60) // 3)
    wide, narrow = (estimate_mean(values, jackknife, MeasureSettings(level=level)) for level in (0.95, 0.5))
    assert narrow.ci_high - narrow.ci_low < wide.ci_high - wide.ci_low


@settings(max_examples=60)
@given(
    st.lists(st.integers(-1, 4), min_size=1, max_size=12), st.lists(st.integers(-1, 4), max_size=12), st.integers(1, 6)
)
def test_constant_accuracy_is_the_mean_over_all_ways_to_choose_among_equally_frequent_taxa(truth, train, k):
    truth, train = np.array([t for t in truth if t >= 0] or [0]), np.array(train, dtype=np.int64)
    expected = np.mean(scores.most_frequent_accuracies(truth.tolist(), train.tolist(), k))
    assert constant_accuracy(truth, train, k) == pytest.approx(expected)
