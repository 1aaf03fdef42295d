import numpy as np
import pytest

from bioclip_probe.stats.brownian_likelihood import BrownianFit, BrownianLikelihood, BrownianTree
from bioclip_probe.stats.contrast_covariance import ContrastCovariance, WithinSpecies
from bioclip_probe.tree import brownian
from tests.definitions import tree_signal as definitions
from tests.support.taxa import random_phylogeny, rng


def covariance_of(tree, means, counts, within, fit) -> ContrastCovariance:
    likelihood = BrownianLikelihood.of(BrownianTree(tree), means, within.trace / counts)
    return ContrastCovariance.of(likelihood, fit, means, counts, within)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_its_definition(seed):
    tree, k = random_phylogeny(11, seed), 11
    means, counts = rng(seed).standard_normal((k, 4)), rng(seed).integers(1, 6, k).astype(float)
    scatter = rng(9).standard_normal((20, 4))
    within, fit = WithinSpecies(scatter.T @ scatter / 100, 20), BrownianFit(0.6, 1.3, 0.0)
    found = covariance_of(tree, means, counts, within, fit)
    splits = BrownianTree(tree)
    lengths = np.zeros(len(tree))
    lengths[np.bincount(tree.parent[1:], minlength=len(tree)) != 1] = 1.3 * splits.lengths(0.6)
    lengths[tree.tips] += within.trace / counts
    weights = definitions.contrasts(tree, tree.tips, lengths)
    v = definitions.covariance(tree, tree.tips, 0.6, 1.3, within.trace / counts)
    np.testing.assert_allclose(weights @ v @ weights.T, np.eye(k - 1), atol=1e-9)
    expected = definitions.trace_of_square(weights @ means, np.square(weights) @ (1 / counts), within.covariance, 20)
    assert found.trace_of_square == pytest.approx(expected, rel=1e-9)
    inverse = np.linalg.inv(v)
    np.testing.assert_allclose(found.mean, inverse.sum(axis=0) @ means / inverse.sum(), rtol=1e-9)
    assert np.trace(found.covariance) == pytest.approx(1)


@pytest.mark.parametrize("signal", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_the_dimension_is_found_with_few_species_noise_and_any_signal(signal, noise):
    tree, k, d = random_phylogeny(60, 1), 60, 40
    spectrum = np.r_[np.ones(20), np.full(20, 0.2)]
    true, found = spectrum.sum() ** 2 / np.square(spectrum).sum(), []
    for seed in range(12):
        traits = brownian(tree, d, rng(seed), signal)[tree.tips] * np.sqrt(spectrum)
        images = traits[:, None] + np.sqrt(noise) * rng(seed + 100).standard_normal((k, 5, d))
        means = images.mean(axis=1)
        residuals = (images - means[:, None]).reshape(-1, d)
        within = WithinSpecies(residuals.T @ residuals / (4 * k), 4 * k)
        fit = BrownianFit(signal, float(spectrum.sum()), 0.0)
        found.append(covariance_of(tree, means, np.full(k, 5.0), within, fit).trace_of_square)
    assert 1 / np.mean(found) == pytest.approx(true, rel=0.12)


def test_the_spectrum_has_the_effective_dimension():
    tree = random_phylogeny(30, 2)
    for d, scale in ((8, 1.0), (60, 1.0), (60, 0.9)):
        means = brownian(tree, d, rng(3))[tree.tips] * scale ** np.arange(d)
        found = covariance_of(tree, means, np.ones(30), WithinSpecies(np.zeros((d, d)), 0), BrownianFit(1.0, 1.0, 0.0))
        values, vectors = found.spectrum()
        assert values.min() >= 0 and values.sum() == pytest.approx(1)
        assert 1 / np.square(values).sum() == pytest.approx(found.effective_dimension, rel=0.02)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(d), atol=1e-9)


def test_the_scatter_of_images():
    draws = [rng(seed).standard_normal((12, 5)) for seed in range(800)]
    squares = [WithinSpecies(x.T @ x / 12, 12).trace_of_square for x in draws]
    assert np.mean(squares) == pytest.approx(5, rel=0.05)
    assert WithinSpecies(np.zeros((3, 3)), 0).trace_of_square == 0 == WithinSpecies(np.zeros((3, 3)), 0).trace
