from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import helmert
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from bioclip_probe.stats.brownian_likelihood import BrownianFit, BrownianLikelihood, BrownianTree
from bioclip_probe.tree import Tree, brownian
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import tree_signal as definitions
from tests.support.made_up_vectors import random_taxonomy, vectors_of_tips
from tests.support.taxa import random_phylogeny, rng


@st.composite
def species(draw):
    """Return a tree, a mean for each tip, and sampling errors, which may be 0."""
    vectors, tree = draw(vectors_of_tips())
    assume(len(vectors) >= 3)
    errors = rng(draw(st.integers(0, 99))).choice([0.0, 0.05, 0.3], len(vectors))
    return tree, vectors, errors


@pytest.mark.slow
@settings(max_examples=60)
@given(species(), st.sampled_from((0.0, 0.3, 0.9, 1.0)), st.sampled_from((0.02, 0.4, 3.0)))
def test_the_likelihood_is_that_of_the_covariance_matrix(made, signal, variance):
    tree, means, errors = made
    v = definitions.covariance(tree, tree.tips, signal, variance, errors)
    likelihood = BrownianLikelihood.of(BrownianTree(tree), means, errors)
    assume(np.linalg.eigvalsh(v)[0] > 1e-6)
    assert likelihood.value(signal, variance) == pytest.approx(definitions.log_likelihood(means, v), rel=1e-6, abs=1e-6)


@pytest.mark.slow
@settings(max_examples=15, phases=(Phase.explicit, Phase.generate))
@given(species())
def test_the_fit_is_the_best_of_the_covariance_matrix(made):
    tree, means, errors = made
    errors = errors + 0.02  # without it the likelihood may have no maximum
    splits = BrownianTree(tree)
    assume(not splits.is_star and np.ptp(means, axis=0).max() > 0)
    found = BrownianLikelihood.of(splits, means, errors).fit()
    _, _, best = definitions.best_fit(tree, tree.tips, means, errors)
    assert found.log_likelihood >= best - 1e-6
    v = definitions.covariance(tree, tree.tips, found.signal, found.variance, errors)
    assert found.log_likelihood == pytest.approx(definitions.log_likelihood(means, v), rel=1e-6, abs=1e-6)
    assert 0 <= found.signal <= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_fitted_parameters_are_those_of_the_covariance_matrix(seed):
    tree = random_phylogeny(14, seed)
    means = brownian(tree, 6, rng(seed), 0.6)[tree.tips]
    errors = rng(seed).uniform(0.1, 0.5, len(means))
    found = BrownianLikelihood.of(BrownianTree(tree), means, errors).fit()
    signal, variance, best = definitions.best_fit(tree, tree.tips, means, errors)
    assert (found.signal, found.variance) == pytest.approx((signal, variance), abs=1e-5, rel=1e-5)
    assert found.log_likelihood == pytest.approx(best, abs=1e-6)


def test_one_trait_is_the_normal_density_of_scipy():
    tree, trait = random_phylogeny(10, 1), rng(2).standard_normal((10, 1))
    errors = rng(3).uniform(0, 0.5, 10)
    v = definitions.covariance(tree, tree.tips, 0.7, 1.4, errors)
    differences = helmert(10)
    density = multivariate_normal.logpdf(differences @ trait[:, 0], cov=differences @ v @ differences.T)
    expected = density + 4.5 * np.log(2 * np.pi) - 0.5 * np.log(10)
    assert BrownianLikelihood.of(BrownianTree(tree), trait, errors).value(0.7, 1.4) == pytest.approx(expected, rel=1e-9)


def test_the_derivatives_are_those_of_the_value():
    tree = random_phylogeny(20, 1)
    likelihood = BrownianLikelihood.of(BrownianTree(tree), rng().standard_normal((20, 5)), rng(1).uniform(0, 0.4, 20))
    for kept in (np.ones(20, dtype=bool), np.arange(20) % 3 > 0):
        part = replace(likelihood, kept=kept)

        def value(point, part=part):
            return -2 * part.value(point[0], np.exp(point[1]))

        def derivative(point, part=part):
            _, by_signal, by_variance = part._objective(point[0], np.exp(point[1]))
            return np.array([by_signal, by_variance * np.exp(point[1])])

        for point in ((0.3, -1.0), (0.8, 0.5)):
            assert check_grad(value, derivative, np.array(point)) < 1e-4


def test_without_some_species_it_is_the_likelihood_of_the_others():
    placement = random_taxonomy(30, 30, rng())
    tree, kept = placement.tree, np.arange(30) % 4 > 0
    means, errors = rng(1).standard_normal((30, 8)), rng(2).uniform(0.1, 1, 30)
    part = replace(BrownianLikelihood.of(BrownianTree(tree), means, errors), kept=kept)
    smaller, _ = tree.subset(tree.tips[kept])
    whole = BrownianLikelihood.of(BrownianTree(smaller), means[kept], errors[kept])
    assert part.value(0.4, 0.7) == pytest.approx(whole.value(0.4, 0.7), rel=1e-9)
    assert part.scale == pytest.approx(whole.scale)
    assert part.fit().signal == pytest.approx(whole.fit().signal, abs=1e-6)
    assert part.fit(BrownianFit(1.0, 5.0, 0.0)).signal == pytest.approx(whole.fit().signal, abs=1e-6)


def test_rotation_scale_and_threads_change_nothing():
    tree = random_phylogeny(25, 3)
    means, errors = brownian(tree, 40, rng(4), 0.5)[tree.tips], np.full(25, 0.4)
    found = BrownianLikelihood.of(BrownianTree(tree), means, errors).fit()
    rotation = np.linalg.qr(rng(5).standard_normal((40, 40)))[0]
    rotated = BrownianLikelihood.of(BrownianTree(tree), means @ rotation, errors).fit()
    longer = Tree(tree.parent, 3 * tree.length, tree.name, tree.rank)
    longer = BrownianLikelihood.of(BrownianTree(longer), 2 * means, 4 * errors).fit()
    assert rotated.signal == pytest.approx(found.signal, abs=1e-6)
    assert (longer.signal, longer.variance) == pytest.approx((found.signal, found.variance * 4 / 3), rel=1e-5)
    with ThreadPoolExecutor(3) as threads:
        assert BrownianLikelihood.of(BrownianTree(tree), means, errors).fit(threads=threads) == found


def test_a_sample_of_species_keeps_the_depths_of_the_whole_tree():
    splits = BrownianTree(parse_newick("(((A:1,B:2)x:3,(C:1)y:3)z:5,D:9);").subset(np.array([3, 4, 6]))[0])
    np.testing.assert_allclose(splits.lengths(0.5), [0, 1.5, 9 - 4, 10 - 4, 9 - 2.5])


def test_a_permutation_moves_means_with_their_errors():
    tree, order = random_phylogeny(9, 2), rng(7).permutation(9)
    means, errors = rng().standard_normal((9, 3)), rng(1).uniform(0.1, 1, 9)
    likelihood = BrownianLikelihood.of(BrownianTree(tree), means, errors)
    moved = BrownianLikelihood.of(BrownianTree(tree), means[order], errors[order])
    assert likelihood.permuted(order).value(0.6, 1.1) == pytest.approx(moved.value(0.6, 1.1), rel=1e-12)


def test_two_tips_at_one_point():
    tree = parse_newick("((A:0,B:0):1,C:1,(D:1,E:1):0);")
    means = rng().standard_normal((5, 3))
    likelihood = BrownianLikelihood.of(BrownianTree(tree), means, np.zeros(5))
    assert likelihood.value(1.0, 1.0) == -np.inf and np.isfinite(likelihood.value(0.5, 1.0))
    assert 0 <= likelihood.fit().signal < 1
    at_root = BrownianLikelihood.of(BrownianTree(parse_newick("(A:0,B:0,(C:1,D:1):1);")), means[:4], np.zeros(4))
    with pytest.raises(ValueError, match="one point"):
        at_root.fit()


def test_draws_have_the_covariance_of_the_tree():
    splits = BrownianTree(parse_newick("(((A:1,B:2):1,C:3):5);"))
    drawn = splits.traits(rng().standard_normal((len(splits.parent), 200_000)))
    np.testing.assert_allclose(np.cov(drawn), [[2, 1, 0], [1, 3, 0], [0, 0, 3]], atol=0.05)
