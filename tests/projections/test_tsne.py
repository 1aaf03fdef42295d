"""t-SNE: its settings are the library's, and reach it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from bioclip_probe.projections.tsne import tsne, tsne_settings


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Run t-SNE of few images on one thread: waking others takes longer than the work."""
    with threadpool_limits(1):
        yield


def test_tsne_uses_the_library_defaults_where_it_can():
    default = TSNE().get_params()
    ours = tsne_settings(31)
    assert {key: default[key] for key in ours if key != "max_iter"} == {
        k: v for k, v in ours.items() if k != "max_iter"
    }
    assert ours["max_iter"] == 1000
    assert all(0 < tsne_settings(n)["perplexity"] < n for n in range(5, 200))


def test_tsne_passes_its_settings_to_the_library():
    vectors = np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32)
    seed = int(np.random.default_rng(5).integers(2**32))
    expected = TSNE(perplexity=11 / 3, random_state=seed).fit_transform(vectors)
    np.testing.assert_allclose(tsne(vectors, np.random.default_rng(5)), expected, rtol=1e-5)
