"""t-SNE: its settings are those of the libraries, and reach them."""

from __future__ import annotations

import inspect

import numpy as np
import openTSNE
import pytest
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.tsne import tsne, tsne_settings

VECTORS = np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Run t-SNE of few images on one thread: waking others takes longer than the work."""
    with threadpool_limits(1):
        yield


def test_paper_mode_uses_the_defaults_of_scikit_learn_where_it_can():
    ours, default = tsne_settings(31, "paper"), TSNE().get_params() | {"max_iter": 1000}
    assert ours == {name: default[name] for name in ours}


def test_corrected_mode_uses_the_defaults_of_opentsne_except_for_the_search_of_neighbours():
    ours = tsne_settings(91)
    default = {name: argument.default for name, argument in inspect.signature(openTSNE.TSNE).parameters.items()}
    assert ours == {name: default.get(name, 2) for name in ours} | {"neighbors": "exact"}


@pytest.mark.parametrize("mode", ["paper", "corrected"])
def test_there_are_enough_neighbours_for_any_perplexity(mode):
    assert all(0 < tsne_settings(n, mode)["perplexity"] < n for n in range(5, 200))
    if mode == "corrected":
        assert all(3 * tsne_settings(n)["perplexity"] <= n - 1 for n in range(5, 200))


def test_settings_and_seed_reach_the_library():
    seed = int(np.random.default_rng(5).integers(2**31))
    expected = TSNE(perplexity=11 / 3, random_state=seed).fit_transform(VECTORS)
    np.testing.assert_allclose(tsne(VECTORS, np.random.default_rng(5), "paper"), expected, rtol=1e-5)
    expected = openTSNE.TSNE(perplexity=11 / 3, neighbors="exact", random_state=seed).fit(VECTORS)
    np.testing.assert_array_equal(tsne(VECTORS, np.random.default_rng(5)), expected)


def test_an_unknown_mode_is_named():
    with pytest.raises(ProbeError, match="unknown mode 'fast'"):
        tsne(VECTORS, np.random.default_rng(0), "fast")
