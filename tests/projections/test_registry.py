"""The registry of projections: each method gives a point for each image, the same one again for the same seed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bioclip_probe import projections
from bioclip_probe.projections.modes import MODES
from bioclip_probe.projections.pca import pca_settings
from bioclip_probe.projections.registry import REGISTRY, catalogue
from bioclip_probe.projections.tsne import tsne_settings
from bioclip_probe.projections.umap import umap_settings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Run t-SNE of few images on one thread: waking others takes longer than the work."""
    with threadpool_limits(1):
        yield


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def groups(n: int, k: int = 2, dimension: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors in k tight, distant groups, and the group of each."""
    random = np.random.default_rng(n)
    label = np.arange(n) % k
    vectors = 4 * random.normal(size=(k, dimension))[label] + random.normal(size=(n, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), label


@pytest.mark.parametrize("method", REGISTRY)
@pytest.mark.parametrize("n", [5, 16, 40])
def test_projects_five_images_or_more_and_repeats_with_the_seed(method, n):
    vectors, label = groups(n)
    before = vectors.copy()
    points = REGISTRY[method].function(vectors, rng(), "corrected")
    assert points.shape == (n, 2)
    assert points.dtype == np.float64
    assert np.isfinite(points).all()
    assert np.array_equal(vectors, before)
    assert np.array_equal(points, REGISTRY[method].function(vectors, rng(), "corrected"))
    if n == 40:
        distance = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(n, np.inf))
        assert (label[distance.argmin(1)] == label).mean() > 0.95


def test_settings_of_an_entry_are_those_of_its_method():
    for name, settings in (("tsne", tsne_settings), ("umap", umap_settings), ("pca", pca_settings)):
        assert [REGISTRY[name].settings(n, mode) for n in (5, 20, 1000) for mode in MODES] == [
            settings(n, mode) for n in (5, 20, 1000) for mode in MODES
        ]


def test_the_catalogue_lists_every_method():
    table = catalogue()
    assert table["name"].tolist() == list(REGISTRY) == [entry.name for entry in REGISTRY.values()]
    assert (table[["title", "source"]] != "").all(axis=None)


def test_registry_and_settings_import_no_array_library():
    heavy = "{'numpy', 'pandas', 'scipy', 'sklearn', 'torch', 'umap', 'openTSNE'}"
    code = f"import sys, bioclip_probe.projections.settings; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_package_offers_modules_and_names():
    assert projections.catalogue is catalogue
    assert {"drilldown", "project", "REGISTRY", "ProjectionSettings"} <= set(dir(projections))
