import math
from dataclasses import FrozenInstanceError

import pytest

from bioclip_probe.stats.estimate import Estimate


def test_an_undefined_estimate_is_nan_and_has_a_note():
    estimate = Estimate.undefined("one taxon", n_images=5, n_taxa=1, n_excluded=2)
    assert math.isnan(estimate.value) and math.isnan(estimate.ci_low) and math.isnan(estimate.p_value)
    assert (estimate.note, estimate.n_images, estimate.n_taxa, estimate.n_excluded) == ("one taxon", 5, 1, 2)


def test_fields_that_are_not_given_are_nan_and_not_zero():
    estimate = Estimate(0.5)
    assert all(math.isnan(x) for x in (estimate.chance, estimate.ci_low, estimate.ci_high, estimate.p_value))


def test_an_estimate_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Estimate(0.5).value = 1.0
