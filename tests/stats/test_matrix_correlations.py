import numpy as np
import pytest
from scipy.stats import pearsonr

from bioclip_probe.stats.matrix_correlations import (
    permuted_matrix_correlations,
    upper_triangle,
    weighted_matrix_correlations,
)


def distances(k: int, seed: int) -> np.ndarray:
    points = np.random.default_rng(seed).standard_normal((k, 3))
    return np.linalg.norm(points[:, None] - points, axis=2)


def by_definition(first, second, weights, units) -> float:
    """The weighted Pearson correlation, pair by pair."""
    rows = []
    for i in range(len(units)):
        for j in range(i):
            same = units[i] == units[j]
            rows.append((weights[units[i]] * (1 if same else weights[units[j]]), first[i, j], second[i, j]))
    w, a, b = np.array(rows).T
    a, b = a - np.average(a, weights=w), b - np.average(b, weights=w)
    return float((w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum()))


@pytest.mark.parametrize("units", [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 3]])
def test_weighted_correlations_are_those_of_the_definition(units):
    first, second, units = distances(6, 0), distances(6, 1), np.array(units)
    weights = np.random.default_rng(2).integers(0, 3, (20, units.max() + 1)) + np.array([[1] + [0] * units.max()])
    found = weighted_matrix_correlations(first, second, weights, units)
    for own, value in zip(weights, found, strict=True):
        if np.isfinite(value) and np.sum(own > 0) > 2:
            assert value == pytest.approx(by_definition(first, second, own, units), abs=1e-9)
    assert np.isfinite(found).sum() > 10


def test_permuted_correlations_are_those_of_the_definition():
    first, second = distances(7, 0), distances(7, 1)
    found = permuted_matrix_correlations(first, second, 300, np.random.default_rng(3))
    rng, expected = np.random.default_rng(3), []
    for n in (256, 44):
        for order in rng.permuted(np.tile(np.arange(7), (n, 1)), axis=1):
            permuted = first[np.ix_(order, order)]
            expected.append(pearsonr(upper_triangle(permuted), upper_triangle(second)).statistic)
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_mantel_test_is_that_of_scikit_bio():
    from skbio.stats.distance import mantel

    first, second = distances(8, 0), distances(8, 0) + 0.4 * distances(8, 5)
    value, p, _ = mantel(first, second, permutations=999, alternative="greater", seed=0)
    permuted = permuted_matrix_correlations(first, second, 999, np.random.default_rng(0))
    assert value == pytest.approx(np.corrcoef(upper_triangle(first), upper_triangle(second))[0, 1])
    assert (np.sum(permuted >= value) + 1) / 1000 == pytest.approx(p, abs=0.01)
