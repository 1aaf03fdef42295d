"""The expected calibration error of the answers of a probe."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.metrics.calibration import estimate_calibration_error
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.jackknife import Jackknife
from tests.definitions import scores

DEFAULTS = MeasureSettings()


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def calibration(confidence, right, units, random=None, weight=None):
    jackknife = Jackknife.of("species", np.asarray(units), np.random.default_rng(0))
    return estimate_calibration_error(confidence, right, jackknife, random or rng(), DEFAULTS, weight)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_calibration_error_equals_its_definition(seed, n):
    random = np.random.default_rng(seed)
    confidence, right = random.integers(1, 9, n) / 8, random.random(n) < 0.6
    weight = random.random(n) + 0.1
    found = calibration(confidence, right, random.integers(0, 9, n))
    assert found.value == pytest.approx(scores.calibration_error(confidence, right))
    weighted = calibration(confidence, right, random.integers(0, 9, n), weight=weight)
    assert weighted.value == pytest.approx(scores.calibration_error(confidence, right, weight))
    assert 0 <= found.value <= 1 and 0 <= found.chance <= 1
    assert np.isnan(found.ci_low) or 0 <= found.ci_low <= found.ci_high <= 1


def test_the_calibration_error_equals_that_of_scikit_learns_bins():
    """Where no confidences tie, scikit-learn's quantile bins hold the same answers."""
    from sklearn.calibration import calibration_curve

    confidence = rng().permutation(np.linspace(0.05, 0.95, 150))
    right = rng().random(150) < confidence**2
    shares, means = calibration_curve(right, confidence, n_bins=15, strategy="quantile")
    found = calibration(confidence, right, np.arange(150))
    assert found.value == pytest.approx(np.mean(np.abs(shares - means)), abs=0.01)


def test_a_calibrated_probe_is_at_its_chance_and_an_overconfident_one_above_it():
    random, calibrated = np.random.default_rng(2), []
    for _ in range(30):
        confidence = random.beta(3, 1, 300)
        found = calibration(confidence, random.random(300) < confidence, np.arange(300) // 5, random)
        calibrated.append(found.value - found.chance)
    assert abs(np.mean(calibrated)) < 0.01
    overconfident = calibration(np.full(300, 0.9), np.arange(300) % 2 == 0, np.arange(300) // 5, random)
    assert overconfident.value == pytest.approx(0.4) and overconfident.chance < 0.1 and overconfident.ci_low > 0.3


@pytest.mark.slow
def test_the_interval_of_the_calibration_error_covers():
    """Forty species of five images, confidences too high by a share: the interval holds the true error."""
    random = np.random.default_rng(4)

    def world(n_species):
        confidence = random.beta(3, 1, 5 * n_species)
        return confidence, random.random(5 * n_species) < 0.7 * confidence, np.arange(5 * n_species) // 5

    truth = calibration(*world(20_000), random).value
    found = [calibration(*world(40), random) for _ in range(150)]
    covered = np.mean([one.ci_low <= truth <= one.ci_high for one in found])
    assert 0.88 < covered <= 1


def test_the_calibration_error_does_not_depend_on_the_order_of_answers():
    random = rng()
    confidence, right, units = random.integers(1, 5, 80) / 5, random.random(80) < 0.5, random.integers(0, 15, 80)
    order = random.permutation(80)
    one = calibration(confidence, right, units)
    other = calibration(confidence[order], right[order], units[order])
    assert (one.value, one.ci_low, one.ci_high) == pytest.approx((other.value, other.ci_low, other.ci_high))
