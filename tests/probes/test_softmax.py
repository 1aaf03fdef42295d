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

from bioclip_probe.probes import objectives, softmax
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


@pytest.mark.parametrize("cells", [2**23, 7 * 6], ids=["one block", "blocks"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("small", [2**20, 0], ids=["features stored twice", "once"])
def test_value_gradient_and_spread_are_those_of_the_definition(cells, n_threads, small, monkeypatch):
    monkeypatch.setattr(objectives, "SMALL_FEATURES", small)
    vectors, labels = made_up_images(n_taxa=6, d=4)
    random = np.random.default_rng(1)
    features, at = vectors.astype(np.float64), random.standard_normal((6, 5))
    weight = np.resize([1, 2, 3], len(labels))  # an image of weight 2 is two images
    repeated = np.repeat(np.arange(len(labels)), weight)

    def value(x):
        weights, intercept = x.reshape(6, 5)[:, :4], x.reshape(6, 5)[:, 4]
        loss = definition.objective(weights, intercept, features[repeated], labels[repeated], c=1.0)
        return (loss - np.sum(weights**2) / 2) / len(labels)

    scores = features[repeated] @ at[:, :4].T + at[:, 4]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for x in (features, torch.from_numpy(features)):
        objective = objectives.objective_of(x, labels, 6, cells, weight.astype(np.float64))
        objective.n_threads = n_threads
        found, gradient = objective(objective.array(at))
        spread = objective.spread(objective.array(at))
        assert found == pytest.approx(value(at.ravel()))
        slope = approx_fprime(at.ravel(), value, 1e-7)
        np.testing.assert_allclose(objective.to_numpy(gradient).ravel(), slope, atol=1e-5)
        np.testing.assert_allclose(objective.to_numpy(spread), (p * (1 - p)).sum(axis=0) / len(labels))


def two_loops(steps, gradient):
    """Return −H·gradient by the two loops of L-BFGS (Nocedal 1980)."""
    direction, shares = gradient.copy(), []
    for s, y in reversed(steps):
        shares.append(s @ direction / (s @ y))
        direction -= shares[-1] * y
    s, y = steps[-1]
    direction *= s @ y / (y @ y)
    for (s, y), share in zip(steps, reversed(shares), strict=True):
        direction += (share - y @ direction / (s @ y)) * s
    return -direction


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_directions_are_those_of_the_two_loops(kind):
    random = np.random.default_rng(0)
    hessian = np.diag(np.linspace(0.2, 3.0, 20))
    point = random.standard_normal(20)
    found, steps = softmax._Steps(kind(np.empty((3, 2, 20))), kind(np.empty(20))), []
    for number in range(7):
        gradient = hessian @ point
        expected = two_loops(steps[-3:], gradient) if steps else -gradient
        np.testing.assert_allclose(np.asarray(found.direction(kind(gradient))), expected, atol=1e-10)
        change = random.standard_normal(20)
        bent = -change if number in (0, 4) else hessian @ change  # along some steps the gradient falls
        found.add(kind(change), kind(bent), kind(hessian @ (point + change)))
        steps += [(change, bent)] if number not in (0, 4) else []
        point = point + change


@pytest.mark.parametrize(
    "strengths",
    [(0.01, 0.1, 1.0, 10.0, 100.0), (1.0, 1.0, 1.1, 1000.0), (100.0, 1.0, 0.1), (5.0,)],
    ids=["even", "uneven", "falling", "one"],
)
def test_a_path_ends_at_the_optimum_of_each_c(strengths):
    vectors, labels = made_up_images(n_taxa=4, d=5)
    features = (vectors - vectors.mean(axis=0)).astype(np.float64)
    optimiser = Optimiser(tolerance=1e-10, dtype="float64")
    path = softmax.fit_path(features, labels, Softmax.zeros(4, 5), strengths, optimiser)
    for c, model in zip(strengths, path, strict=True):
        alone = softmax.fit(features, labels, Softmax.zeros(4, 5), c, optimiser)
        assert model.converged and alone.converged
        np.testing.assert_allclose(model.weights, alone.weights, atol=1e-3 * np.abs(alone.weights).max())


def test_a_path_starts_halfway_between_line_and_parabola_in_log_c():
    strengths, zeros = (0.1, 1.0, 12.0, 120.0), Softmax.zeros(2, 1)
    models = [Softmax(np.full((2, 1), np.log(c) ** 2), np.array([np.log(c), -np.log(c)])) for c in strengths]
    start = softmax._start(models[:3], strengths, zeros)
    line = models[2].weights + (models[2].weights - models[1].weights) * np.log(10) / np.log(12)
    np.testing.assert_allclose(start.weights, (line + models[3].weights) / 2)
    np.testing.assert_allclose(start.intercept, models[3].intercept)
    assert softmax._start([], strengths, zeros) is zeros
    assert softmax._start(models[:1], strengths, zeros) is models[0]
    for others in ((0.1, 1.0, 12.0, 1e30), (0.1, 1.0, 1.0, 12.0)):  # far from all, and two the same
        assert softmax._start(models[:3], others, zeros) is models[2]
