"""Adjusted p-values: equal to their definitions, and the error rates that they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from bioclip_probe.stats.multiplicity import benjamini_hochberg, holm
from tests.definitions import multiplicity as definition

P_VALUES = st.lists(st.floats(0.001, 1) | st.sampled_from([0.01, 0.02, 0.04, 1.0]), min_size=1, max_size=7)
METHODS = (holm, benjamini_hochberg)


@given(P_VALUES)
def test_adjusted_values_equal_their_definitions(p):
    np.testing.assert_allclose(holm(np.array(p)), definition.holm(p), rtol=1e-9)
    np.testing.assert_allclose(benjamini_hochberg(np.array(p)), definition.benjamini_hochberg(p), rtol=1e-9)


@given(P_VALUES)
def test_benjamini_and_hochberg_are_those_of_scipy(p):
    np.testing.assert_allclose(benjamini_hochberg(np.array(p)), false_discovery_control(p), rtol=1e-12)


@given(P_VALUES)
def test_adjusted_values_are_probabilities_in_the_order_of_the_p_values(p):
    for method in METHODS:
        adjusted = method(np.array(p))
        assert (adjusted >= np.array(p) - 1e-15).all() and (adjusted <= 1).all()
        assert (np.diff(adjusted[np.argsort(p)]) >= -1e-15).all()
    assert (holm(np.array(p)) >= benjamini_hochberg(np.array(p)) - 1e-12).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_test_that_was_not_made_does_not_count(method):
    p = np.array([np.nan, 0.01, 0.2, np.nan])
    np.testing.assert_array_equal(method(p), [np.nan, *method(p[1:3]), np.nan])
    assert np.isnan(method(np.array([np.nan]))).all() and len(method(np.array([]))) == 0
    assert np.isnan(p[[0, 3]]).all() and p[1] == 0.01, "the input stays"


def test_the_promised_error_rates_hold():
    """Twenty tests of which half are false: any false rejection, and the share of false ones among the rejected."""
    random, any_false, false_share = np.random.default_rng(0), [], []
    null = np.arange(20) < 10
    for _ in range(2000):
        p = np.where(null, random.random(20), random.beta(0.05, 1, 20))
        any_false.append((holm(p)[null] <= 0.05).any())
        rejected = benjamini_hochberg(p) <= 0.05
        false_share.append((rejected & null).sum() / max(rejected.sum(), 1))
    assert 0.02 < np.mean(any_false) < 0.06
    assert 0.015 < np.mean(false_share) < 0.035, "α times the share of true nulls"
