import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from bioclip_probe.stats.hyperbolicity import gromov_delta, relative_delta
from bioclip_probe.tree import patristic_distances
from tests.definitions import shape as definitions
from tests.support.made_up_vectors import unit_rows, unit_vectors
from tests.support.strategies import trees


@settings(max_examples=80)
@given(st.integers(1, 9).flatmap(unit_vectors))
def test_delta_is_its_definition(points):
    distances = definitions.euclidean(points.tolist())
    found = gromov_delta(squareform(pdist(points)) if len(points) > 1 else np.zeros((1, 1)))
    assert found == pytest.approx(definitions.delta(distances), abs=1e-12)
    from_each = [definitions.delta_from(distances, base) for base in range(len(points))]
    assert found == pytest.approx(max(from_each), abs=1e-12)
    assert found <= 2 * min(from_each) + 1e-12
    assert 0 <= relative_delta(points) <= 1 + 1e-12


@settings(max_examples=50)
@given(trees(max_nodes=30))
def test_a_tree_has_no_delta(tree):
    assert gromov_delta(patristic_distances(tree)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", range(4, 18))
def test_cycles_have_the_delta_known_of_them(n):
    """n = 4p + e points around a circle: p, but p - 1/2 where e is 1."""
    around = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    expected = n // 4 - (0.5 if n % 4 == 1 else 0)
    assert gromov_delta(np.minimum(around, n - around).astype(float)) == expected


def test_a_star_is_a_tree_a_square_and_a_cloud_in_the_plane_are_none():
    assert relative_delta(np.eye(50)) == pytest.approx(0, abs=1e-12)
    square = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    assert relative_delta(square) == pytest.approx(2 - np.sqrt(2))
    plane, many = (relative_delta(unit_rows(np.random.default_rng(0).standard_normal((60, d)))) for d in (3, 1_000))
    assert plane > 0.3 > 0.15 > many > 0
