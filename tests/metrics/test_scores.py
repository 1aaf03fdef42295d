import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from bioclip_probe.metrics.scores import adjusted, macro_accuracy, mean_score, top1_accuracy
from bioclip_probe.stats.estimate import Estimate
from tests.definitions import probes as definition


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
    draws = np.random.default_rng(1).multinomial(12, np.full(12, 1 / 12), size=999)
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
