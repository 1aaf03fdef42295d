import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean, pearson
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import half_squared_distance, unit_rows
from tests.support.moments import assert_same_moments, grouped_vectors


@pytest.mark.slow
@given(grouped_vectors(), st.integers(1, 20), st.booleans())
def test_moments_are_sums_for_any_block_size_and_origin(made, block, shift):
    vectors, groups, n_groups = made
    origin = np.linspace(-1, 2, vectors.shape[1]) if shift else np.zeros(vectors.shape[1])
    moments = Moments.of(vectors, groups, n_groups, block, origin if shift else None)
    inside = [u - origin for u, group in zip(vectors, groups, strict=True) if group >= 0]
    for group in range(n_groups):
        members = [u - origin for u, other in zip(vectors, groups, strict=True) if other == group]
        assert moments.counts[group] == len(members)
        np.testing.assert_allclose(moments.sums[group], sum(members, np.zeros(vectors.shape[1])), atol=1e-12)
        assert moments.norms[group] == pytest.approx(sum(float(u @ u) for u in members))
    np.testing.assert_allclose(moments.second, sum((np.outer(u, u) for u in inside), np.zeros(moments.second.shape)))
    np.testing.assert_allclose(moments.third, sum(((u @ u) * u for u in inside), np.zeros(len(origin))), atol=1e-10)
    assert moments.squares == pytest.approx(sum(float(u @ u) for u in inside))
    assert moments.fourths == pytest.approx(sum(float(u @ u) ** 2 for u in inside))
    assert moments.n == len(inside) and moments.n_pairs == len(list(combinations(inside, 2)))
    pairs = [half_squared_distance(u, v) for u, v in combinations(inside, 2)]
    assert moments.distance_sum == pytest.approx(math.fsum(pairs), abs=1e-10)
    assert moments.distance_square_sum == pytest.approx(math.fsum(p * p for p in pairs), rel=1e-10, abs=1e-9)


@pytest.mark.slow
@given(grouped_vectors())
def test_moments_about_another_origin_are_those_computed_with_it(made):
    vectors, groups, n_groups = made
    origins = np.random.default_rng(0).normal(size=(2, vectors.shape[1]))
    first, second = (Moments.of(vectors, groups, n_groups, origin=origin) for origin in origins)
    assert_same_moments(first.about(origins[1]), second)


@pytest.mark.slow
@given(grouped_vectors(), st.integers(0, 14), st.booleans())
def test_moments_of_two_sets_add_and_subtract(made, cut, other_origin):
    vectors, groups, n_groups = made
    origin = np.ones(vectors.shape[1]) if other_origin else None
    first = Moments.of(vectors[:cut], groups[:cut], n_groups)
    second = Moments.of(vectors[cut:], groups[cut:], n_groups, origin=origin)
    together = Moments.of(vectors, groups, n_groups)
    assert_same_moments(first + second, together)
    assert_same_moments(together - second, first)


@pytest.mark.slow
@given(grouped_vectors(), st.data())
def test_coarsened_moments_are_those_of_coarser_labels(made, data):
    vectors, groups, n_groups = made
    into = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n_groups, max_size=n_groups)))
    coarse = Moments.of(vectors, np.where(groups >= 0, into[groups], -1), 3)
    assert_same_moments(Moments.of(vectors, groups, n_groups).coarsen(into, 3), coarse)


@pytest.mark.slow
@given(grouped_vectors(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(made, random):
    vectors, groups, n_groups = made
    order = random.sample(range(len(groups)), len(groups))
    assert_same_moments(Moments.of(vectors[order], groups[order], n_groups), Moments.of(vectors, groups, n_groups))


def test_inputs_are_unchanged_and_moments_are_read_only():
    vectors, groups = unit_rows(np.random.default_rng(0).standard_normal((5, 3))), np.array([0, 1, -1, 0, 1])
    before = vectors.copy(), groups.copy()
    moments = Moments.of(vectors, groups, 2)
    assert np.array_equal(vectors, before[0]) and np.array_equal(groups, before[1])
    for made in (moments, moments + moments, moments.coarsen(np.array([0, 0]), 1)):
        for array in (made.counts, made.sums, made.norms, made.second, made.third, made.origin):
            assert not array.flags.writeable


def test_moments_of_no_image():
    none = Moments.of(np.ones((3, 2)), np.full(3, -1), 0)
    assert none.n == none.n_pairs == none.distance_sum == none.distance_square_sum == 0


def sums_of(pairing) -> tuple[float, ...]:
    x, y = np.array(pairing, dtype=float).reshape(-1, 2).T
    return len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=12))
def test_pearson_agrees_with_its_definition(pairing):
    assert pearson(*sums_of(pairing)) == pytest.approx(definitions.pearson(pairing), abs=1e-10, nan_ok=True)


def test_pearson_agrees_with_scipy_and_accepts_arrays():
    from scipy.stats import pearsonr

    rng = np.random.default_rng(0)
    pairings = [rng.normal(3, 1, (50, 2)), np.cumsum(rng.normal(0, 1, (50, 2)), axis=0)]
    found = pearson(*np.array([sums_of(pairing) for pairing in pairings]).T)
    np.testing.assert_allclose(found, [pearsonr(*pairing.T).statistic for pairing in pairings], rtol=1e-12)


def test_pearson_stays_within_its_bounds():
    x = np.random.default_rng(0).normal(1e3, 1, 30)
    assert pearson(*sums_of(np.stack([x, 2 * x], axis=1))) == pytest.approx(1, abs=1e-9)
    assert -1 <= pearson(*sums_of(np.stack([x, -3 * x], axis=1))) <= pearson(*sums_of(np.stack([x, x], axis=1))) <= 1


def test_the_approximate_mean_is_that_of_evenly_spaced_rows():
    vectors = np.arange(5000.0)[:, None]
    assert approximate_mean(vectors[:7]).tolist() == [3.0]
    assert approximate_mean(vectors)[0] == pytest.approx(vectors.mean(), rel=1e-3)
