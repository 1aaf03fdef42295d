import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.distance import pdist, squareform

from bioclip_probe.stats import geodesics as module
from bioclip_probe.stats.geodesics import geodesic_distances, straight_distances
from tests.definitions import shape as definitions
from tests.support.made_up_vectors import unit_vectors


def geodesics(points: np.ndarray, n_neighbors: int = 10) -> np.ndarray:
    return geodesic_distances(straight_distances(points), n_neighbors)


@settings(max_examples=80)
@given(st.integers(2, 10).flatmap(unit_vectors), st.integers(1, 4))
def test_geodesics_are_their_definition(points, n_neighbours):
    found = geodesics(points, n_neighbours)
    straight = definitions.euclidean(points.tolist())
    assert found == pytest.approx(np.array(definitions.geodesics(straight, n_neighbours)), abs=1e-7)
    assert np.isfinite(found).all()
    assert (found >= np.array(straight) - 1e-7).all()
    assert found == pytest.approx(found.T, abs=1e-12)


def test_scikit_learn_finds_the_same_paths():
    from sklearn.manifold import Isomap

    points = np.random.default_rng(2).standard_normal((80, 2))
    isomap = Isomap(n_neighbors=10, eigen_solver="dense").fit(points)
    assert geodesics(points) == pytest.approx(isomap.dist_matrix_, abs=1e-9)


def test_two_far_apart_heaps_are_joined_where_they_are_nearest():
    points = np.random.default_rng(0).normal(0, 0.01, (30, 2))
    points[15:, 0] += 5
    straight = squareform(pdist(points))
    between = straight[:15, 15:]
    one, other = np.unravel_index(between.argmin(), between.shape)
    found = geodesics(points)
    assert found[one, 15 + other] == pytest.approx(between.min())
    far = found[0, one] + between.min() + found[15 + other, 29]
    assert found[0, 29] == pytest.approx(far)


@pytest.mark.parametrize("threads", [1, 3])
def test_paths_are_scipys_in_any_number_of_threads(threads, monkeypatch):
    monkeypatch.setattr(module, "n_threads", lambda work: threads)
    monkeypatch.setattr(module, "BLOCK", 7)
    straight = straight_distances(np.random.default_rng(1).standard_normal((150, 6)))
    reach = np.sort(straight, axis=1)[:, 4]
    near = straight <= np.maximum(reach[:, None], reach)  # of so many points in a cloud the graph is connected
    expected = dijkstra(csr_array(np.where(near, straight, 0.0)))
    assert np.isfinite(expected).all()
    assert geodesic_distances(straight, 4) == pytest.approx(expected, abs=1e-12)
