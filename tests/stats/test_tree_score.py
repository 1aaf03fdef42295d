import numpy as np
import pytest

from bioclip_probe.stats.brownian_likelihood import BrownianLikelihood, BrownianTree, in_blocks
from bioclip_probe.stats.resampling import permutation_p
from bioclip_probe.stats.tree_score import TreeScore, permuted_tree_scores, spatial_signs
from bioclip_probe.tree import brownian
from tests.definitions import tree_signal as definitions
from tests.support.taxa import random_phylogeny, rng


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_its_definition(seed, device):
    tree, k = random_phylogeny(9, seed), 9
    means = rng(seed).standard_normal((k, 3))
    likelihood = BrownianLikelihood.of(BrownianTree(tree), means, rng(1).choice([0.1, 0.5], k))
    orders = np.stack([np.arange(k), rng(2).permutation(k)])
    found = TreeScore(likelihood, device).of_orders(orders)
    center = definitions.spatial_median(means)
    expected = [definitions.tree_score(tree, tree.tips, means, center, order) for order in orders]
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_signs_have_length_one_and_add_up_to_nothing():
    blocks = in_blocks(rng().standard_normal((30, 20)) ** 3)
    signs = spatial_signs(blocks)
    np.testing.assert_allclose(np.einsum("bkj,bkj->k", signs, signs), 1, rtol=1e-12)
    np.testing.assert_allclose(signs.sum(axis=1), 0, atol=1e-4)
    assert not spatial_signs(np.zeros((1, 4, 2))).any()


def p_values(signal: float, n: int, scatter: float = 0.0) -> np.ndarray:
    """Return p-values of draws on one tree; `scatter` makes one half of the tree scatter more than the other."""
    tree, p = random_phylogeny(40, 5), []
    scale = np.where(np.arange(40) < 20, 1 + scatter, 1.0)[:, None]
    for seed in range(n):
        means = scale * brownian(tree, 6, rng(seed), signal)[tree.tips]
        if signal == 0:
            means = scale * rng(seed).standard_normal((40, 6))
        likelihood = BrownianLikelihood.of(BrownianTree(tree), means, np.zeros(40))
        p.append(permutation_p(*permuted_tree_scores(TreeScore(likelihood), 39, rng(seed + 1000))))
    return np.array(p)


def test_p_values_are_uniform_without_signal_and_small_with_it():
    blind = p_values(0.0, 200)
    assert np.mean(blind <= 0.05) == pytest.approx(0.05, abs=0.04) and blind.mean() == pytest.approx(0.5, abs=0.07)
    assert np.mean(p_values(0.8, 30) <= 0.05) > 0.9


def test_unequal_scatter_among_clades_is_no_signal():
    assert np.mean(p_values(0.0, 200, scatter=3.0) <= 0.05) < 0.1


def test_permutations_summed_together_equal_those_summed_one_by_one():
    tree, means = random_phylogeny(20, 1), rng().standard_normal((20, 40))
    likelihood = BrownianLikelihood.of(BrownianTree(tree), means, np.ones(20))
    together = permuted_tree_scores(TreeScore(likelihood), 9, rng(3))
    one_by_one = permuted_tree_scores(TreeScore(likelihood), 9, rng(3), most_numbers=1)
    assert together[0] == one_by_one[0]
    np.testing.assert_allclose(one_by_one[1], together[1], rtol=1e-12)
