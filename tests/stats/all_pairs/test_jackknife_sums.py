from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
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
