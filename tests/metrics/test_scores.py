import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, kstest
from sklearn import metrics as peer

from bioclip_probe.metrics.scores import (
    adjusted,
    calibration_error,
    constant_accuracy,
    macro_accuracy,
    mean_score,
    swap_p,
    top1_accuracy,
)
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import bootstrap_weights
from tests.definitions import probes as definition
from tests.definitions import scores


def rng():
    return np.random.default_rng(5)


@st.composite
def answers(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_taxa = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    truth = random.integers(-1, n_taxa, n)
    predicted = np.where(random.random(n) < 0.5, truth, random.integers(-1, n_taxa, n))
    return truth, predicted, random.integers(0, 8, n), random.integers(0, n_taxa, 30)


@settings(deadline=None, max_examples=100)
@given(answers())
def test_accuracies_equal_their_definitions_and_scikit_learn(case):
    truth, predicted, species, train = case
    top1 = top1_accuracy(truth, predicted, species, rng(), train)
    macro = macro_accuracy(truth, predicted, species, rng())
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


def test_macro_interval_equals_its_definition():
    random = rng()
    truth = np.repeat(np.arange(3), 12)
    species = np.arange(36) // 3
    predicted = np.where(random.random(36) < 0.6, truth, 0)
    found = macro_accuracy(truth, predicted, species, np.random.default_rng(1))
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


def test_macro_weighs_taxa_alike():
    truth = np.array([0] * 9 + [1])
    constant = np.zeros(10, dtype=np.int64)
    top1, macro = (f(truth, constant, np.arange(10), rng()) for f in (top1_accuracy, macro_accuracy))
    assert (top1.value, macro.value) == (0.9, 0.5)
    assert (top1.chance, macro.chance) == (0.9, 0.5)
    assert adjusted(top1).value == adjusted(macro).value == 0


def test_order_of_rows_is_irrelevant():
    random = rng()
    truth, predicted, species = (random.integers(0, 4, 50) for _ in range(3))
    order = random.permutation(50)
    for score in (top1_accuracy, macro_accuracy):
        one = score(truth, predicted, species, rng())
        other = score(truth[order], predicted[order], species[order], rng())
        assert (one.value, one.ci_low, one.ci_high) == pytest.approx((other.value, other.ci_low, other.ci_high))


def test_interval_covers_over_many_worlds():
    """Forty species, each with its own accuracy: the interval holds the true mean about 19 times in 20."""
    random = np.random.default_rng(3)
    species = np.repeat(np.arange(40), 5)
    covered = 0
    for _ in range(300):
        right = random.random(200) < random.beta(2, 1, 40)[species]
        found = top1_accuracy(np.zeros(200, dtype=np.int64), np.where(right, 0, 1), species, random)
        covered += found.ci_low <= 2 / 3 <= found.ci_high
    assert 0.88 < covered / 300 < 0.99


def test_adjusted_is_linear_and_keeps_the_rest():
    estimate = Estimate(0.6, chance=0.2, ci_low=0.4, ci_high=1.0, ci_method="m", n_images=7, note="n")
    found = adjusted(estimate)
    assert (found.value, found.ci_low, found.ci_high, found.chance) == pytest.approx((0.5, 0.25, 1.0, 0.0))
    assert (found.ci_method, found.n_images, found.note) == ("m", 7, "n")
    assert adjusted(Estimate(1.0, chance=1.0)).note == "chance alone is perfect"
    assert adjusted(Estimate(1.0)).note == "it has no chance level"
    undefined = Estimate.undefined("why", 3)
    assert adjusted(undefined) is undefined


def test_mean_score_of_one_species_has_no_interval():
    found = mean_score(np.ones(3), np.zeros(3, dtype=np.int64), rng(), chance=0.5)
    assert (found.value, found.chance, found.ci_method) == (1, 0.5, "")
    assert np.isnan(found.ci_low)


@settings(max_examples=60)
@given(
    st.lists(st.integers(-1, 4), min_size=1, max_size=12), st.lists(st.integers(-1, 4), max_size=12), st.integers(1, 6)
)
def test_constant_accuracy_is_the_mean_over_all_ways_to_choose_favourites(truth, train, k):
    truth, train = np.array([t for t in truth if t >= 0] or [0]), np.array(train, dtype=np.int64)
    expected = np.mean(scores.most_frequent_accuracies(truth.tolist(), train.tolist(), k))
    assert constant_accuracy(truth, train, k) == pytest.approx(expected)


# Calibration.


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_calibration_error_is_its_definition(seed, n):
    random = np.random.default_rng(seed)
    confidence, right = random.integers(1, 9, n) / 8, random.random(n) < 0.6
    found = calibration_error(confidence, right, random.integers(0, 9, n), rng())
    assert found.value == pytest.approx(scores.calibration_error(confidence, right))
    assert 0 <= found.value <= 1 and 0 <= found.chance <= 1
    assert np.isnan(found.ci_low) or 0 <= found.ci_low <= found.value <= found.ci_high <= 1


def test_calibration_error_is_that_of_scikit_learns_bins():
    """Where no confidences tie, scikit-learn's quantile bins hold the same answers."""
    from sklearn.calibration import calibration_curve

    confidence = rng().permutation(np.linspace(0.05, 0.95, 150))
    right = rng().random(150) < confidence**2
    shares, means = calibration_curve(right, confidence, n_bins=15, strategy="quantile")
    found = calibration_error(confidence, right, np.arange(150), rng())
    assert found.value == pytest.approx(np.mean(np.abs(shares - means)), abs=0.01)


def test_a_calibrated_probe_is_at_its_chance_and_a_boaster_above_it():
    random, calibrated = np.random.default_rng(2), []
    for _ in range(30):
        confidence = random.beta(3, 1, 300)
        found = calibration_error(confidence, random.random(300) < confidence, np.arange(300) // 5, random)
        calibrated.append(found.value - found.chance)
    assert abs(np.mean(calibrated)) < 0.01
    boaster = calibration_error(np.full(300, 0.9), np.arange(300) % 2 == 0, np.arange(300) // 5, random)
    assert boaster.value == pytest.approx(0.4) and boaster.chance < 0.1 and boaster.ci_low > 0.3


def test_calibration_interval_covers():
    """Forty species of five images, confidences too high by a share: the interval holds the true error."""
    random = np.random.default_rng(4)

    def world(n_species):
        confidence = random.beta(3, 1, 5 * n_species)
        return confidence, random.random(5 * n_species) < 0.7 * confidence, np.arange(5 * n_species) // 5

    truth = calibration_error(*world(20_000), random).value
    found = [calibration_error(*world(40), random) for _ in range(150)]
    covered = np.mean([one.ci_low <= truth <= one.ci_high for one in found])
    assert 0.88 < covered <= 1


def test_calibration_does_not_depend_on_the_order_of_answers():
    random = rng()
    confidence, right, units = random.integers(1, 5, 80) / 5, random.random(80) < 0.5, random.integers(0, 9, 80)
    order = random.permutation(80)
    one = calibration_error(confidence, right, units, rng())
    other = calibration_error(confidence[order], right[order], units[order], rng())
    assert (one.value, one.ci_low, one.ci_high) == pytest.approx((other.value, other.ci_low, other.ci_high))


# Swapping two sides.


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_swap_p_is_that_of_all_swaps(seed, n_units):
    random = np.random.default_rng(seed)
    differences, units = random.integers(-1, 2, 20), random.integers(0, n_units, 20)
    expected = scores.swap_p(differences.tolist(), units.tolist())
    assert swap_p(differences, units, rng()) == pytest.approx(expected, abs=0.07)


def test_swap_p_is_mcnemars_exact_test_where_images_are_species():
    for a, b in ((15, 4), (9, 9), (3, 0), (40, 20)):
        differences = np.concatenate([np.ones(a), -np.ones(b), np.zeros(30)])
        expected = binomtest(a, a + b, 0.5).pvalue
        assert swap_p(differences, np.arange(len(differences)), rng()) == pytest.approx(expected, abs=0.04)


def test_swap_p_is_uniform_where_neither_is_better():
    """Two models of equal skill whose images of a species succeed and fail together."""
    random = np.random.default_rng(7)
    species = np.repeat(np.arange(40), 5)
    p = []
    for _ in range(150):
        skill = random.beta(2, 2, (2, 40))[:, species]
        a, b = random.random((2, 200)) < skill
        p.append(swap_p(a.astype(float) - b, species, random))
    assert kstest(p, "uniform").pvalue > 0.001


def test_swap_p_of_no_difference_is_one():
    assert swap_p(np.zeros(9), np.arange(9), rng()) == 1
    assert swap_p(np.array([1.0, 1.0, -1.0, -1.0]), np.array([0, 1, 0, 1]), rng()) == 1
