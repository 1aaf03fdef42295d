"""The optimiser of the linear probe: it finds the minimum of its objective, from any start and in any blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from bioclip_probe.probes import softmax
from bioclip_probe.probes.softmax import Optimiser, Softmax
from tests.definitions import probes as definition


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Run small products on one thread: waking others takes longer than the products."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)


def made_up_images(n_taxa, per_taxon=20, d=10):
    """Return unit vectors of some taxa, and the taxon of each."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_taxa), per_taxon)
    vectors = random.standard_normal((n_taxa, d))[labels] + random.standard_normal((len(labels), d)) + 3
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
def test_weights_are_at_the_minimum_of_the_objective(c):
    vectors, labels = made_up_images(n_taxa=3, per_taxon=6, d=3)
    features = (vectors - vectors.mean(axis=0)).astype(np.float64)
    model = softmax.fit(torch.from_numpy(features), labels, Softmax.zeros(3, 3), c, Optimiser(tolerance=1e-12))
    at = np.concatenate([model.weights.ravel(), model.intercept])

    def objective(x):
        return definition.objective(x[:9].reshape(3, 3), x[9:], features, labels, c)

    slope = approx_fprime(at, objective, 1e-7)
    start = approx_fprime(np.zeros(12), objective, 1e-7)
    assert model.converged
    assert np.abs(slope).max() < 3e-3 * max(np.abs(start).max(), 1)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([2, 3, 17]),
    st.sampled_from([1, 2, 30]),
    st.sampled_from([2, 40]),
    st.sampled_from([0.01, 1.0, 100.0]),
)
def test_objective_is_never_above_that_of_scikit_learn(seed, n_taxa, per_taxon, d, c):
    random = np.random.default_rng(seed)
    taxon = random.permutation(np.repeat(np.arange(n_taxa), per_taxon))
    features = random.standard_normal((n_taxa, d))[taxon] + random.standard_normal((len(taxon), d))
    features[:, 1], features[:, -1] = 0.5, features[:, 0]  # one is constant, one occurs twice
    features /= np.sqrt(np.mean(np.sum(features**2, axis=1)))
    theirs = LogisticRegression(C=2 * c if n_taxa == 2 else c, tol=1e-6, max_iter=5000).fit(features, taxon)
    weights, intercept = theirs.coef_, theirs.intercept_
    if n_taxa == 2:
        weights, intercept = np.stack([-weights[0], weights[0]]) / 2, np.array([-1, 1]) * intercept / 2
    least = definition.objective(weights, intercept, features, taxon, c)
    for dtype, tolerance, above in ((np.float64, 1e-9, 1e-6), (np.float32, Optimiser().tolerance, 1e-4)):
        x = torch.from_numpy(features.astype(dtype))
        ours = softmax.fit(x, taxon, Softmax.zeros(n_taxa, d), c, Optimiser(tolerance=tolerance))
        assert definition.objective(ours.weights, ours.intercept, features, taxon, c) <= least * (1 + above)


def test_blocks_and_starts_change_nothing_but_rounding():
    vectors, labels = made_up_images(n_taxa=6)
    features = torch.from_numpy(vectors - vectors.mean(axis=0))
    whole = softmax.fit(features, labels, Softmax.zeros(6, 10), 10.0)
    blocks = softmax.fit(features, labels, Softmax.zeros(6, 10), 10.0, Optimiser(cells=7 * 6))
    other = softmax.fit(features, labels, softmax.fit(features, labels, Softmax.zeros(6, 10), 0.1), 10.0)
    for model in (blocks, other):
        np.testing.assert_allclose(model.weights, whole.weights, atol=0.02 * np.abs(whole.weights).max())


def test_the_optimiser_stops_after_the_most_iterations():
    vectors, labels = made_up_images(n_taxa=6)
    model = softmax.fit(torch.from_numpy(vectors), labels, Softmax.zeros(6, 10), 100.0, Optimiser(max_iterations=2))
    assert (model.converged, model.n_iterations) == (False, 2)
