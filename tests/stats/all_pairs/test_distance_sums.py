import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.distance_sums import (
    centred_points,
    correlation_of_distances,
    debiased_alignment,
    distance_sums,
    permuted_distance_sums,
)
from tests.definitions import similarity
from tests.support.made_up_vectors import unit_rows, unit_vectors
from tests.support.taxa import rng


def sums_of(a: np.ndarray, b: np.ndarray):
    a, b = centred_points(a), centred_points(b)
    return [distance_sums(*pair) for pair in ((a, b), (a, a), (b, b))]


@settings(max_examples=60)
@given(st.integers(4, 12), st.data())
def test_sums_agree_with_a_matrix_of_pairs(n, data):
    a, b = data.draw(unit_vectors(n)), data.draw(unit_vectors(n))
    d, e = (((v[:, None] - v) ** 2).sum(axis=2) / 2 for v in (a, b))
    both, first, second = sums_of(a, b)
    assert both.n == n
    assert (both.first, both.second) == pytest.approx((d.sum(), e.sum()), abs=1e-9)
    assert both.product == pytest.approx((d * e).sum(), abs=1e-9)
    assert both.rows == pytest.approx(d.sum(axis=1) @ e.sum(axis=1), abs=1e-8)
    found = correlation_of_distances(both, first, second)
    assert found == pytest.approx(similarity.rsa(a, b), abs=1e-6, nan_ok=True)


def test_products_that_are_known_are_not_computed_again():
    a, b = centred_points(rng().standard_normal((9, 4))), centred_points(rng(1).standard_normal((9, 3)))
    assert distance_sums(a, b, a.T @ b) == distance_sums(a, b)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_permuted_sums_are_those_of_permuted_points(device):
    a, b = centred_points(rng().standard_normal((9, 4))), centred_points(rng(1).standard_normal((9, 3)))
    orders = np.array([rng(seed).permutation(9) for seed in range(3)])
    for found, order in zip(permuted_distance_sums(a, b, orders, device), orders, strict=True):
        expected = distance_sums(a, b[order])
        assert found.n == 9
        for name in ("first", "second", "product", "rows"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)


@pytest.mark.parametrize("n", [3, 5])
def test_equal_vectors_and_few_taxa_have_no_similarity(n):
    flat, varied = np.tile([[0.6, 0.8]], (n, 1)), unit_rows(rng().standard_normal((n, 2)))
    assert np.isnan(correlation_of_distances(*sums_of(flat, varied)))
    assert np.isnan(debiased_alignment(*sums_of(flat, varied)))
    assert np.isnan(debiased_alignment(*sums_of(varied, varied))) == (n < 4)
