"""The projections as functions of arrays: shape, seed, small n, neighbours kept, and scikit-learn beside PCA."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from bioclip_probe.projections import METHODS
from bioclip_probe.projections.pca import pca
from bioclip_probe.projections.tsne import settings as tsne_settings
from bioclip_probe.projections.tsne import tsne
from bioclip_probe.projections.umap import settings as umap_settings


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def groups(n: int, k: int = 2, dimension: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """k tight, distant groups on the sphere."""
    random = np.random.default_rng(n)
    label = np.arange(n) % k
    vectors = 4 * random.normal(size=(k, dimension))[label] + random.normal(size=(n, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), label


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [5, 16, 40])
def test_embeds_any_number_from_five_on_again_alike(method, n):
    vectors, label = groups(n)
    before = vectors.copy()
    points = METHODS[method].embed(vectors, rng())
    assert points.shape == (n, 2)
    assert points.dtype == np.float64
    assert np.isfinite(points).all()
    assert np.array_equal(vectors, before)
    assert np.array_equal(points, METHODS[method].embed(vectors, rng()))
    if n == 40:
        distance = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(n, np.inf))
        assert (label[distance.argmin(1)] == label).mean() > 0.95


def test_tsne_uses_the_library_defaults_where_it_can():
    default = TSNE().get_params()
    ours = tsne_settings(31)
    assert {key: default[key] for key in ours if key != "max_iter"} == {
        k: v for k, v in ours.items() if k != "max_iter"
    }
    assert ours["max_iter"] == 1000
    assert all(0 < tsne_settings(n)["perplexity"] < n for n in range(5, 200))


def test_umap_asks_for_no_more_neighbours_than_there_are():
    assert all(umap_settings(n)["n_neighbors"] < n for n in range(5, 40))
    assert umap_settings(1000)["n_neighbors"] == 15


def test_tsne_hands_its_settings_to_the_library():
    vectors, _ = groups(12)
    seed = int(rng().integers(2**32))
    expected = TSNE(perplexity=11 / 3, random_state=seed).fit_transform(vectors)
    np.testing.assert_allclose(tsne(vectors, rng()), expected, rtol=1e-5)


@settings(max_examples=50)
@given(n=st.integers(2, 30), d=st.integers(2, 30), seed=st.integers(0, 10**6))
def test_pca_is_the_plane_of_scikit_learn(n, d, seed):
    vectors = np.random.default_rng(seed).normal(size=(n, d)) + 3
    points = pca(vectors)
    expected = np.zeros((n, 2))
    theirs = PCA(min(2, n - 1), svd_solver="full").fit_transform(vectors)
    expected[:, : theirs.shape[1]] = theirs
    for axis in range(2):
        sign = np.sign(points[:, axis] @ expected[:, axis]) or 1.0
        np.testing.assert_allclose(sign * points[:, axis], expected[:, axis], atol=1e-6)


def test_pca_of_points_on_a_line_and_of_one_point():
    line = np.outer(np.arange(6.0), [1.0, -2.0, 2.0])
    points = pca(line)
    np.testing.assert_allclose(np.abs(points[:, 0]), 3 * np.abs(np.arange(6) - 2.5), atol=1e-9)
    assert (points[:, 1] == 0).all()
    assert (pca(np.ones((3, 4))) == 0).all()
