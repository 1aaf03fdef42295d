"""Maps of all pictures keep near neighbours, and come from the seed and the neighbours alone."""

from __future__ import annotations

import numpy as np
import pytest

from bioclip_probe.report.explorer.maps import map_of_all
from bioclip_probe.report.explorer.neighbors import Near
from bioclip_probe.stats.embeddings import unit_rows

N_GROUPS, EACH = 6, 20
GROUP = np.repeat(np.arange(N_GROUPS), EACH)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(N_GROUPS, 16))
    return unit_rows((centers[GROUP] + 0.2 * rng.normal(size=(len(GROUP), 16))).astype(np.float32))


@pytest.mark.slow  # UMAP is compiled, unless the machine has kept it
@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
def test_the_nearest_on_the_map_is_of_the_same_group(vectors, method):
    points = map_of_all(vectors, method, 0, Near.of(vectors))
    distance = np.hypot(*(points[:, None] - points).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    assert np.mean(GROUP[distance.argmin(axis=1)] == GROUP) > (0.6 if method == "pca" else 0.97)
    assert map_of_all(vectors, method, 0).tolist() == points.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["tsne", "umap"])
@pytest.mark.parametrize("n", [5, 7, 16])
def test_few_pictures_have_a_map_too(vectors, method, n):
    points = map_of_all(vectors[:n], method, 1)
    assert points.shape == (n, 2)
    assert np.isfinite(points).all()


def test_vectors_that_cannot_be_projected_have_no_place(vectors):
    assert np.isnan(map_of_all(vectors[:4], "tsne", 0)).all()
    assert np.isnan(map_of_all(np.repeat(vectors[:1], 9, axis=0), "umap", 0)).all()
