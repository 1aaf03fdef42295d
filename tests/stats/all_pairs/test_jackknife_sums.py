from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums, interaction_variance
from bioclip_probe.stats.all_pairs.moments import Moments
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums
from tests.definitions import hierarchy as definitions
from tests.definitions.tree import path_length
from tests.support.made_up_vectors import (
    half_squared_distance,
    images_on_tips,
    random_taxonomy,
    signal_vectors,
    unit_rows,
)


@pytest.mark.slow
@settings(max_examples=80)
@given(images_on_tips(), st.integers(1, 3), st.sampled_from((1, 2**20)))
def test_sums_between_jackknife_groups_are_those_of_their_pairs(made, n_groups, most_numbers):
    vectors, groups, tree = made
    jackknife_group = np.arange(len(tree.tips)) % n_groups
    n_groups = int(jackknife_group.max()) + 1
    expected = np.zeros((n_groups, n_groups, 6))
    pairs = []
    for i, j in combinations(range(len(groups)), 2):
        t, c = path_length(tree, *tree.tips[groups[[i, j]]]), half_squared_distance(vectors[i], vectors[j])
        for g, h in (jackknife_group[groups[[i, j]]], jackknife_group[groups[[j, i]]]):
            expected[g, h] += (1, t, c, t * t, c * c, t * c)
        pairs.append((set(jackknife_group[groups[[i, j]]].tolist()), (t, c)))
    found = JackknifeSums.of(tree, JackknifeMoments.of([(vectors, groups)], jackknife_group), most_numbers)
    np.testing.assert_allclose(found.between, expected, atol=1e-8)
    value = definitions.pearson([pair for _, pair in pairs])
    assert found.correlation() == pytest.approx(value, abs=1e-8, nan_ok=True)
    for number, without in enumerate(found.without_each_group()):
        expected = definitions.pearson([pair for own, pair in pairs if number not in own])
        assert without == pytest.approx(expected, abs=1e-7, nan_ok=True)


def made_up(n_species: int = 60, n_images: int = 150):
    rng = np.random.default_rng(0)
    placement = random_taxonomy(n_species, n_images, rng)
    vectors = unit_rows(signal_vectors(placement, 12, 1.0, 0.5, rng).astype(float))
    groups = np.searchsorted(placement.tree.tips, placement.node)
    return placement.tree, vectors, groups


def test_the_correlation_is_that_of_the_sums_along_the_tree():
    tree, vectors, groups = made_up()
    found = JackknifeSums.of(tree, JackknifeMoments.of([(vectors, groups)], np.arange(60) % 7))
    expected = TreeSums(tree, Moments.of(vectors, groups, 60)).correlation()
    assert found.correlation() == pytest.approx(expected, abs=1e-12)


def test_influence_is_the_slope_of_the_correlation():
    tree, vectors, groups = made_up()
    found = JackknifeSums.of(tree, JackknifeMoments.of([(vectors, groups)], np.arange(60) % 7))
    influence = found.influence()
    assert influence.sum() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(influence, influence.T, atol=1e-14)
    step = 1e-6
    for g, h in ((0, 0), (2, 5)):
        more = found.between.copy()
        more[g, h] *= 1 + step
        changed = JackknifeSums(more, found.noise).correlation()
        assert (changed - found.correlation()) / step == pytest.approx(influence[g, h], rel=1e-4, abs=1e-8)


def test_groups_whose_contributions_add_up_do_not_interact():
    share = np.random.default_rng(0).normal(size=9)
    assert interaction_variance(share[:, None] + share + 3) == pytest.approx(0, abs=1e-20)


def test_the_jackknife_counts_the_variance_of_pairs_twice():
    """Independent pairs: the variance of the sum is 2J(J - 1)σ², and so is the excess."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        pairs = np.triu(rng.normal(0, 2, (12, 12)), 1)
        found.append(interaction_variance(pairs + pairs.T))
    assert np.mean(found) == pytest.approx(2 * 12 * 11 * 4, rel=0.05)
