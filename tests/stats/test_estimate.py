import math
from dataclasses import FrozenInstanceError

import pytest

from bioclip_probe.stats.estimate import Estimate


def test_undefined_is_not_a_number_and_says_why():
    estimate = Estimate.undefined("one taxon", n_images=5, n_taxa=1, n_excluded=2)
    assert math.isnan(estimate.value) and math.isnan(estimate.ci_low) and math.isnan(estimate.p_value)
    assert (estimate.note, estimate.n_images, estimate.n_taxa, estimate.n_excluded) == ("one taxon", 5, 1, 2)


def test_what_was_not_made_is_missing_not_zero():
    estimate = Estimate(0.5)
    assert all(math.isnan(x) for x in (estimate.chance, estimate.ci_low, estimate.ci_high, estimate.p_value))


def test_an_estimate_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Estimate(0.5).value = 1.0
