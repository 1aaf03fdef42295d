import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.nearest_centers import Change, Points


def squared(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    return ((rows[:, None].astype(float) - others.astype(float)) ** 2).sum(axis=2)


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), k=st.integers(1, 200))
def test_nearest_and_second_nearest(device, seed, n, k):
    rows, centres = drawn(seed, n, 4), drawn(seed + 1, k, 4)
    points, distances = Points(rows, device), squared(rows, centres)
    nearest = points.nearest(centres)
    assert np.array_equal(nearest.cluster, distances.argmin(axis=1))
    two = np.sort(np.column_stack([distances, np.full(n, np.inf)]), axis=1)[:, :2]
    np.testing.assert_allclose(nearest.score + points.squares, two[:, 0], atol=1e-4)
    np.testing.assert_allclose(nearest.second + points.squares, two[:, 1], atol=1e-4)
    np.testing.assert_allclose(points.squared_distances(centres), distances.T, atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 90))
def test_updates_know_what_a_new_comparison_finds(seed, n, k):
    draw = np.random.default_rng(seed)
    rows, centres = drawn(seed, n, 3), drawn(seed + 1, k, 3)
    points = Points(rows)
    assignment = points.nearest(centres)
    for _ in range(5):
        moved = np.flatnonzero(draw.random(k) < draw.random())
        centres = centres.copy()
        centres[moved] += draw.standard_normal((len(moved), 3)).astype(np.float32)
        (assignment,) = points.update([Change(centres, moved, assignment)])
        anew = points.nearest(centres)
        assert np.array_equal(assignment.cluster, anew.cluster)
        np.testing.assert_allclose(assignment.score, anew.score, atol=1e-5)
        assert (assignment.second <= anew.second + 1e-5).all()


def test_of_equal_centres_the_first_one_is_nearest():
    rows = np.array([[0.0], [4.0]], dtype=np.float32)
    points = Points(rows)
    assignment = points.nearest(np.array([[3.0], [0.0], [0.0]], dtype=np.float32))
    assert assignment.cluster.tolist() == [1, 0]
    centres = np.array([[0.0], [0.0], [0.0]], dtype=np.float32)
    (moved,) = points.update([Change(centres, np.array([0]), assignment)])
    assert moved.cluster.tolist() == [0, 0]
