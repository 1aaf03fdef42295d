import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.gram_squares import BlockSizes
from bioclip_probe.stats.all_pairs.moments import pearson
from tests.definitions import hierarchy as definitions
from tests.definitions.tree import mrca, path_length
from tests.support.made_up_vectors import images_on_tips, random_taxonomy, signal_vectors, unit_rows


def by_hand(vectors, groups, tree) -> np.ndarray:
    """Return the sums by node, pair by pair."""
    at = np.zeros((len(tree), 6))
    standing = [(tree.tips[group], u) for group, u in zip(groups, vectors, strict=True) if group >= 0]
    for (a, u), (b, v) in combinations(standing, 2):
        t, c = path_length(tree, a, b), definitions.cosine_distance(u, v)
        at[mrca(tree, a, b)] += (1, t, c, t * t, c * c, t * c)
    return at


@pytest.mark.slow
@settings(max_examples=80)
@given(images_on_tips(14, without_tip=True), st.sampled_from((1, 3, 64)))
def test_sums_at_each_node_are_those_of_the_pairs_that_meet_there(made, most):
    vectors, groups, tree = made
    found = NodeSums.of(vectors, groups, tree, BlockSizes(most, most))
    expected = by_hand(vectors, groups, tree)
    np.testing.assert_allclose(found.by_node, expected, atol=1e-9)
    for node, sums in enumerate(found.by_clade):
        np.testing.assert_allclose(sums, expected[node : tree.stop[node]].sum(axis=0), atol=1e-9)


@pytest.mark.slow
@settings(max_examples=60)
@given(images_on_tips(14, without_tip=True), st.sampled_from((1, 3, 64)), st.integers(1, 3))
def test_sums_without_a_jackknife_group_are_those_of_the_other_tips(made, most, n_groups):
    vectors, groups, tree = made
    jackknife_group = np.arange(len(tree.tips)) % n_groups
    every, *without = NodeSums.with_jackknife(
        vectors, groups, tree, jackknife_group, n_groups, BlockSizes(small_clade=most)
    )
    np.testing.assert_allclose(every.by_node, by_hand(vectors, groups, tree), atol=1e-9)
    assert len(without) == n_groups
    for number, found in enumerate(without):
        kept = np.where((groups >= 0) & (jackknife_group[groups] != number), groups, -1)
        np.testing.assert_allclose(found.by_node, by_hand(vectors, kept, tree), atol=1e-9)


@settings(max_examples=30)
@given(images_on_tips(14, without_tip=True), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(made, random):
    vectors, groups, tree = made
    order = random.sample(range(len(groups)), len(groups))
    turned = NodeSums.of(vectors[order], groups[order], tree)
    np.testing.assert_allclose(turned.by_node, NodeSums.of(vectors, groups, tree).by_node, atol=1e-10)


@pytest.mark.slow
def test_clades_larger_and_smaller_than_the_dimension_add_up():
    rng = np.random.default_rng(0)
    placement = random_taxonomy(200, 1_500, rng)
    vectors = unit_rows(signal_vectors(placement, 70, 1.0, 0.5, rng).astype(float))
    groups = np.searchsorted(placement.tree.tips, placement.node)
    jackknife_group = np.arange(200) % 3
    found, *without = NodeSums.with_jackknife(vectors, groups, placement.tree, jackknife_group, 3)
    for number, others in enumerate(without):
        kept = jackknife_group[groups] != number
        alone = NodeSums.of(vectors[kept], groups[kept], placement.tree)
        np.testing.assert_allclose(others.by_node, alone.by_node, atol=1e-7)
    total = found.by_node.sum(axis=0)
    assert total[0] == math.comb(1_500, 2)
    tree = placement.tree
    c = 1 - vectors @ vectors.T
    for node in (0, 1, int(tree.parent[tree.tips[7]])):
        inside = (placement.node >= node) & (placement.node < tree.stop[node])
        upper = c[np.ix_(inside, inside)][np.triu_indices(inside.sum(), 1)]
        np.testing.assert_allclose(found.by_clade[node][[2, 4]], [upper.sum(), (upper**2).sum()], rtol=1e-10)


def test_vectors_that_nearly_coincide_keep_their_digits():
    """An untrained network gives such embeddings, with cosine distances around 1e-5."""
    rng = np.random.default_rng(1)
    placement = random_taxonomy(30, 120, rng)
    vectors = unit_rows(np.eye(8)[0] + 2e-3 * signal_vectors(placement, 8, 1.0, 0.3, rng).astype(float))
    groups = np.searchsorted(placement.tree.tips, placement.node)
    found = NodeSums.of(vectors, groups, placement.tree)
    upper = np.triu_indices(120, 1)
    c = ((vectors[:, None] - vectors) ** 2).sum(axis=2)[upper] / 2
    total = found.by_node.sum(axis=0)
    assert c.mean() < 1e-5
    np.testing.assert_allclose(total[[2, 4]], [c.sum(), (c**2).sum()], rtol=1e-9)
    tips = placement.tree.tips[groups]
    t = np.array([path_length(placement.tree, a, b) for a, b in combinations(tips, 2)])
    assert pearson(*total) == pytest.approx(np.corrcoef(t, c)[0, 1], abs=1e-8)


def test_sums_over_no_row_are_zero():
    placement = random_taxonomy(4, 4, np.random.default_rng(0))
    found = NodeSums.of(np.zeros((2, 3)), np.full(2, -1), placement.tree)
    assert not found.by_node.any()


def test_inputs_are_unchanged_and_sums_are_read_only():
    placement = random_taxonomy(5, 9, np.random.default_rng(0))
    vectors = unit_rows(np.random.default_rng(1).standard_normal((9, 3)))
    groups = np.searchsorted(placement.tree.tips, placement.node)
    before = vectors.copy(), groups.copy()
    for array in (vectors, groups):
        array.flags.writeable = False
    assert not NodeSums.of(vectors, groups, placement.tree).by_node.flags.writeable
    assert np.array_equal(vectors, before[0]) and np.array_equal(groups, before[1])
