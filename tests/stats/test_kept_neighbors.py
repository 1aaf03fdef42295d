"""Trustworthiness of a plane, and vectors without structure."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import manifold

from bioclip_probe.stats import kept_neighbors
from bioclip_probe.stats.kept_neighbors import shuffled_axes, trustworthiness
from tests.definitions import projections as definition


def cloud(n: int, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, and a plane that keeps something of them."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, d)) * np.linspace(2, 0.5, d)
    return vectors, vectors[:, :2] + 0.3 * rng.normal(size=(n, 2))


@pytest.mark.parametrize(("n", "k"), [(5, 2), (12, 5), (40, 1), (60, 15)])
def test_trustworthiness_is_its_definition_and_scikit_learns(n, k):
    vectors, points = cloud(n)
    value = trustworthiness(vectors, points, k)
    assert value == pytest.approx(definition.trustworthiness(vectors, points, k), abs=1e-12)
    assert value == pytest.approx(manifold.trustworthiness(vectors, points, n_neighbors=k), abs=1e-12)


def test_the_true_plane_is_trusted_and_a_random_one_is_not():
    vectors, _ = cloud(200, d=2)
    assert trustworthiness(vectors, vectors) == 1
    assert trustworthiness(vectors, vectors @ [[0.0, -2.0], [2.0, 0.0]]) == 1
    assert trustworthiness(vectors, np.random.default_rng(1).normal(size=(200, 2))) == pytest.approx(0.5, abs=0.08)


def test_anchors_give_an_estimate_and_blocks_change_nothing(monkeypatch):
    vectors, points = cloud(300)
    value = trustworthiness(vectors, points)
    halves = [trustworthiness(vectors, points, anchors=np.arange(first, 300, 2)) for first in (0, 1)]
    assert np.mean(halves) == pytest.approx(value, abs=1e-12)
    monkeypatch.setattr(kept_neighbors, "MOST_DISTANCES", 1000)
    assert trustworthiness(vectors, points) == value


@pytest.mark.parametrize("k", [0, 4])
def test_more_neighbours_than_half_of_the_images_are_refused(k):
    with pytest.raises(ValueError, match="neighbours of 7 images"):
        trustworthiness(np.eye(7), np.eye(7)[:, :2], k)


def test_shuffled_axes_keep_the_spectrum_and_nothing_else():
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(4, 20)) * 5
    vectors = centers[np.arange(400) % 4] + rng.normal(size=(400, 20))
    shuffled = shuffled_axes(vectors, np.random.default_rng(0))
    spectrum = np.linalg.svd(vectors - vectors.mean(0), compute_uv=False) ** 2
    np.testing.assert_allclose((shuffled.astype(float) ** 2).sum(0), spectrum, rtol=1e-4)
    assert abs(np.corrcoef(shuffled.T) - np.eye(20)).max() < 0.25
    of_cluster = np.stack([shuffled[np.arange(400) % 4 == group].mean(0) for group in range(4)])
    between = (of_cluster**2).sum(1).mean() / (shuffled**2).sum(1).mean()
    assert between < 0.03  # the clusters hold nearly all of the variance of the vectors
    assert shuffled_axes(vectors[:7], rng).shape == (7, 7)
