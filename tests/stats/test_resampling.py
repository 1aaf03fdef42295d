import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.resampling import (
    bootstrap_weights,
    effective_degrees_of_freedom,
    expanded_interval,
    jackknife,
    jackknife_groups,
    jackknife_interval,
    percentile_interval,
    permutation_p,
)


def test_weights_count_how_often_each_unit_is_drawn():
    weights = bootstrap_weights(7, 3_000, np.random.default_rng(0))
    assert weights.shape == (3_000, 7) and weights.dtype == np.float64
    assert np.all(weights.sum(axis=1) == 7) and np.all(weights == np.rint(weights)) and weights.min() >= 0
    # Binomial(7, 1/7): mean 1, variance 6/7, each within five standard errors.
    assert np.abs(weights.mean(axis=0) - 1).max() < 5 * math.sqrt(6 / 7 / 3_000)
    np.testing.assert_allclose(weights.var(axis=0), 6 / 7, rtol=0.15)


def test_weights_depend_on_the_seed():
    draws = [bootstrap_weights(5, 4, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_one_unit_is_drawn_every_time():
    assert bootstrap_weights(1, 3, np.random.default_rng(0)).tolist() == [[1], [1], [1]]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.sampled_from((0.5, 0.9, 0.95)))
def test_the_interval_is_that_of_numpy(replicates, level):
    low, high = percentile_interval(np.array(replicates), level)
    tail = 100 * (1 - level) / 2
    np.testing.assert_allclose((low, high), np.percentile(replicates, [tail, 100 - tail]), atol=1e-9)
    assert min(replicates) <= low <= high <= max(replicates)


def test_undefined_replicates_are_ignored_up_to_half_of_them():
    assert percentile_interval(np.array([1, 1, np.nan, np.nan])) == (1, 1)
    assert np.isnan(percentile_interval(np.array([1, np.nan, np.nan]))).all()
    assert np.isnan(percentile_interval(np.array([]))).all()


@given(st.integers(-9, 9), st.lists(st.integers(-9, 9), max_size=30))
def test_the_p_value_counts_permutations_that_are_as_large(observed, null):
    p = permutation_p(observed / 10, np.array(null) / 10)
    b = sum(value >= observed for value in null)
    assert p == (b + 1) / (len(null) + 1)
    assert 1 / (len(null) + 1) <= p <= 1


def test_permutations_equal_up_to_rounding_are_ties():
    assert permutation_p(0.1 + 0.2, np.array([0.3, 0.3 - 1e-8, 0.0])) == 3 / 4


@pytest.mark.parametrize(("observed", "null"), [(np.nan, [0.1]), (0.1, [np.nan, 0.2])])
def test_the_p_value_of_an_undefined_statistic_is_undefined(observed, null):
    assert math.isnan(permutation_p(observed, np.array(null)))


def test_groups_are_even_and_none_is_empty():
    for n_units, n_groups in ((100, 40), (7, 40), (40, 40), (1, 3), (0, 3)):
        sizes = np.bincount(jackknife_groups(n_units, np.random.default_rng(0), n_groups))
        assert sizes.sum() == n_units and len(sizes) == min(n_units, n_groups)
        assert n_units == 0 or sizes.max() - sizes.min() <= 1 <= sizes.min()


def test_the_jackknife_of_a_mean_is_the_textbook_interval():
    from scipy.stats import t

    values = np.random.default_rng(1).normal(3, 2, 25)
    low, high = jackknife(lambda rows: values[rows].mean(), np.arange(25), np.random.default_rng(0), n_groups=25)
    # The leave-one-out values are linear in the values, whose kurtosis gives the degrees of freedom.
    pull = values - values.mean()
    freedom = min(2 * 25 / (25 * (pull**4).sum() / (pull**2).sum() ** 2 - 1), 24)
    expected = t.interval(0.95, freedom, values.mean(), values.std(ddof=1) / 5)
    np.testing.assert_allclose((low, high), expected, rtol=1e-12)


def test_the_jackknife_leaves_out_all_rows_of_a_unit_and_ignores_rows_without_unit():
    units = np.array([5, 5, -1, 2, 9, 2, 7])
    seen = []
    jackknife(lambda rows: seen.append(rows.tolist()) or 0.0, units, np.random.default_rng(0))
    assert sorted(seen, key=len)[-1] == [0, 1, 3, 4, 5, 6]
    assert sorted(tuple(sorted(set(units[units >= 0]) - set(units[rows]))) for rows in seen if len(rows) < 6) == [
        (2,), (5,), (7,), (9,)
    ]  # fmt: skip


def test_the_jackknife_interval_is_cut_off_at_its_bounds_or_undefined():
    deleted = np.array([0.9, 1.0, 0.8])
    low, high = jackknife_interval(0.9, deleted, (0, 1))
    assert high == 1 and 0 <= low < 0.9
    for value, others in ((np.nan, deleted), (0.9, deleted[:2]), (0.9, np.array([0.9, np.nan, 1]))):
        assert np.isnan(jackknife_interval(value, others)).all()


def test_a_few_units_that_determine_a_statistic_leave_few_degrees_of_freedom():
    assert effective_degrees_of_freedom(np.ones(40)) == 39
    assert effective_degrees_of_freedom(np.array([1.0, -1.0] * 20)) == 39
    assert 2 <= effective_degrees_of_freedom(np.eye(40)[0]) < 3


def test_the_expanded_interval_equals_the_percentile_interval_for_many_units_and_is_wider_for_few():
    replicates = np.random.default_rng(0).normal(size=20_000)
    even = np.array([1.0, -1.0] * 500)
    np.testing.assert_allclose(expanded_interval(replicates, even, 10**6), percentile_interval(replicates), atol=0.02)
    low, high = expanded_interval(replicates, np.array([1.0, -1.0] * 5), 10)
    assert low < percentile_interval(replicates)[0] - 0.2 and high > percentile_interval(replicates)[1] + 0.2
    for deleted, n_units in ((even, 1), (even[:2], 9), (np.full(9, np.nan), 9)):
        assert np.isnan(expanded_interval(replicates, deleted, n_units)).all()
