"""Geometries: the distance of the unit vectors is the distance of the geometry, times one factor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.stats import geometry
from bioclip_probe.stats.geometry import hyperbolic_distances, hyperbolic_features, on_cap, unit_vectors


def cosine_distances(vectors):
    vectors = vectors.astype(np.float64)
    differences = vectors[:, None] - vectors[None]
    return (differences**2).sum(axis=2) / 2


def by_definition(x, y):
    """The distance of two points of the hyperboloid, from the Lorentzian product of all components."""
    x, y = ([np.sqrt(1 + point @ point), *point] for point in (x, y))
    return np.arccosh(max(1.0, x[0] * y[0] - np.dot(x[1:], y[1:])))


seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=20)
@given(seeds, st.integers(2, 30), st.integers(1, 8), st.sampled_from([1e-3, 1.0, 1e4]))
def test_distances_on_the_cap_are_euclidean(seed, n, d, scale):
    points = scale * (np.random.default_rng(seed).normal(size=(n, d)) + 5)
    vectors = unit_vectors(points, "euclidean")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    euclidean = ((points[:, None] - points[None]) ** 2).sum(axis=2) / 2
    cap = cosine_distances(vectors)
    factor = cap.max() / euclidean.max()
    np.testing.assert_allclose(cap, factor * euclidean, atol=0.004 * cap.max())


@settings(deadline=None, max_examples=20)
@given(seeds, st.integers(2, 30), st.integers(1, 6), st.sampled_from([0.1, 1.0, 5.0]))
def test_hyperbolic_distances_are_those_of_the_definition(seed, n, d, scale):
    points = scale * np.random.default_rng(seed).normal(size=(n, d))
    expected = [[by_definition(x, y) for y in points] for x in points]
    distances = hyperbolic_distances(points, points)
    np.testing.assert_allclose(distances, expected, atol=1e-5)
    features = hyperbolic_features(points).astype(float)
    squares = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squares, distances, atol=1e-4 * max(distances.max(), 1e-9))
    vectors = cosine_distances(unit_vectors(points, "lorentz"))
    np.testing.assert_allclose(vectors / vectors.max(), distances / distances.max(), atol=0.005)


def test_close_points_far_from_the_origin_keep_their_digits():
    far = np.sinh(10.0)
    points = np.array([[far, 0.0], [far, 1e-3]])
    angle = np.arctan(1e-3 / far)
    expected = 2 * np.arcsinh(far * np.sin(angle / 2))  # two points at one radius
    assert hyperbolic_distances(points, points)[0, 1] == pytest.approx(expected, rel=1e-3)


def test_more_points_than_landmarks_are_mapped_by_them(monkeypatch):
    monkeypatch.setattr(geometry, "N_LANDMARKS", 150)
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(12, 4))
    points = np.repeat(centres, 25, axis=0) + 0.1 * rng.normal(size=(300, 4))
    features = hyperbolic_features(points).astype(float)
    squares = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    distances = hyperbolic_distances(points, points)
    assert features.shape[1] <= 150
    assert np.corrcoef(squares.ravel(), distances.ravel())[0, 1] > 0.995
    assert (squares <= distances + 1e-4).all()  # a projection only shortens
    np.testing.assert_array_equal(hyperbolic_features(points), hyperbolic_features(points))


def test_a_tree_in_the_hyperbolic_plane_is_read_as_one():
    """Two clades: distances along the sphere misplace what the hyperboloid holds apart by depth."""
    angles, radius = np.array([0.0, 0.3, np.pi, np.pi + 0.3]), 6.0
    tips = np.sinh(radius) * np.column_stack([np.cos(angles), np.sin(angles)])
    root = np.zeros((1, 2))
    distances = cosine_distances(unit_vectors(np.vstack([tips, root]), "lorentz"))
    between = distances[0, 2]
    assert distances[0, 4] == pytest.approx(between / 2, rel=0.01)  # the path from tip to tip passes the root
    assert distances[0, 1] < between


def test_what_is_no_geometry_or_not_finite_is_refused():
    with pytest.raises(DataError, match="unknown geometry 'poincare'; expected one of cosine, euclidean, lorentz"):
        unit_vectors(np.eye(2), "poincare")
    for kind in ("euclidean", "lorentz"):
        with pytest.raises(DataError, match=f"vectors of the geometry {kind} must be finite"):
            unit_vectors(np.array([[np.nan, 0.0]]), kind)


def test_few_or_equal_points_are_no_trouble():
    for n in (0, 1, 3):
        same = np.ones((n, 2))
        for vectors in (on_cap(same), unit_vectors(same, "lorentz")):
            assert len(vectors) == n and np.isfinite(vectors).all()
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
