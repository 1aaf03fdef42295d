import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.moments import Moments
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_correlations, permuted_orders
from bioclip_probe.tree import Tree, patristic_distances
from tests.definitions import hierarchy as definitions
from tests.definitions.tree import path_length
from tests.support.made_up_vectors import images_on_tips, random_taxonomy, signal_vectors, unit_rows


@pytest.mark.slow
@given(images_on_tips(), st.randoms(use_true_random=False))
def test_sums_along_the_tree_are_sums_over_pairs(made, random):
    vectors, groups, tree = made
    k = len(tree.tips)
    sums = TreeSums(tree, Moments.of(vectors, groups, k, origin=vectors.mean(axis=0)))
    order = np.array(random.sample(range(k), k))  # group order[i] stands at tip i
    tip_of = {int(group): int(tree.tips[place]) for place, group in enumerate(order)}
    pairs = [
        (path_length(tree, tip_of[groups[i]], tip_of[groups[j]]), definitions.cosine_distance(vectors[i], vectors[j]))
        for i, j in combinations(range(len(groups)), 2)
    ]
    t, tt = sums.distance_sums(order[None])
    assert t[0] == pytest.approx(math.fsum(t for t, _ in pairs), rel=1e-10, abs=1e-9)
    assert tt[0] == pytest.approx(math.fsum(t * t for t, _ in pairs), rel=1e-10, abs=1e-8)
    assert sums.cross_sums(order[None])[0] == pytest.approx(math.fsum(t * c for t, c in pairs), rel=1e-10, abs=1e-9)
    assert sums.correlations(order[None])[0] == pytest.approx(definitions.pearson(pairs), abs=1e-8, nan_ok=True)


def test_embeddings_that_nearly_coincide_keep_their_correlation():
    """An untrained network gives such embeddings: cosine distances of 1e-5 that vary by a tenth."""
    rng = np.random.default_rng(0)
    placement = random_taxonomy(40, 200, rng)
    tips = np.searchsorted(placement.tree.tips, placement.node)
    vectors = unit_rows(np.eye(64)[0] + 4e-4 * signal_vectors(placement, 64, 1.0, 3.0, rng).astype(float) * 8)
    upper = np.triu_indices(200, 1)
    c = ((vectors[:, None] - vectors) ** 2).sum(axis=2)[upper] / 2
    t = patristic_distances(placement.tree)[np.ix_(tips, tips)][upper]
    assert 1e-6 < c.mean() < 1e-4 and c.std() < c.mean() / 5
    moments = Moments.of(vectors, tips, 40, origin=vectors.mean(axis=0))
    assert TreeSums(placement.tree, moments).correlation() == pytest.approx(np.corrcoef(t, c)[0, 1], abs=1e-9)


def test_a_long_stem_loses_no_digits():
    parent = np.array([-1, 0, 1, 2, 2, 1])
    length = np.array([0, 1e6, 1e-3, 1e-3, 1e-3, 2e-3])
    tree = Tree(parent, length, np.array([f"n{i}" for i in range(6)], dtype=object), np.full(6, -1))
    vectors = unit_rows(np.random.default_rng(0).standard_normal((3, 3)))
    expected = np.corrcoef([2e-3, 4e-3, 4e-3], 1 - (vectors @ vectors.T)[np.triu_indices(3, 1)])[0, 1]
    moments = Moments.of(vectors, np.arange(3), 3)
    assert TreeSums(tree, moments).correlation() == pytest.approx(expected, abs=1e-6)


def test_a_tree_with_fewer_tips_than_groups_is_refused():
    tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array(["r", "a", "b"], dtype=object), np.full(3, -1))
    with pytest.raises(ValueError, match="2 tips need as many groups, not 3"):
        TreeSums(tree, Moments.of(np.eye(3), np.arange(3), 3))


def hand_made() -> TreeSums:
    """Two clades of three and of two tips, a tip on its own, and one image at each."""
    parent = np.array([-1, 0, 1, 1, 1, 0, 5, 5, 0])
    length = np.array([0, 2, 1, 1, 1, 1, 2, 2, 3.0])
    tree = Tree(parent, length, np.array([f"n{i}" for i in range(9)], dtype=object), np.full(9, -1))
    vectors = unit_rows(np.random.default_rng(3).standard_normal((6, 4)))
    return TreeSums(tree, Moments.of(vectors, np.arange(6), 6))


def test_permuted_correlations_are_those_of_a_permuted_matrix():
    sums = hand_made()
    vectors, k = sums.moments.sums, 6
    found = permuted_correlations(sums, 20, np.random.default_rng(5))
    same = np.random.default_rng(5)
    orders = [same.permutation(k) for _ in range(20)]
    tree_matrix = definitions.matrix(sums.tree.tips, lambda a, b: path_length(sums.tree, a, b))
    matrix = definitions.matrix(vectors, definitions.cosine_distance)
    np.testing.assert_allclose(found, definitions.mantel_correlations(tree_matrix, matrix, orders), atol=1e-10)


def test_permutations_summed_together_equal_those_summed_one_by_one():
    together = permuted_correlations(hand_made(), 20, np.random.default_rng(5))
    alone = permuted_correlations(hand_made(), 20, np.random.default_rng(5), most_numbers=1)
    np.testing.assert_allclose(together, alone, rtol=1e-13)


def test_permutations_within_labels_exchange_tips_of_one_label_only():
    labels = np.array([7, 7, 7, -1, -1, 2])
    orders = np.concatenate(list(permuted_orders(6, 200, np.random.default_rng(0), labels, at_once=16)))
    assert len(orders) == 200
    for order in orders:
        assert sorted(order[:3]) == [0, 1, 2]
        assert order[3:].tolist() == [3, 4, 5]  # tips without a name are not exchanged
    assert len({tuple(order) for order in orders}) == 6
    sums = hand_made()
    found = permuted_correlations(sums, 200, np.random.default_rng(0), labels)
    np.testing.assert_array_equal(found, sums.correlations(orders))


def test_permutations_depend_on_the_seed():
    draws = [permuted_correlations(hand_made(), 5, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_all_permutations_of_a_star_are_the_same():
    tree = Tree(np.array([-1, 0, 0, 0]), np.array([0, 1.0, 1, 1]), np.array(list("rabc"), dtype=object), np.full(4, -1))
    groups = np.array([0, 0, 1, 2])
    sums = TreeSums(tree, Moments.of(unit_rows(np.random.default_rng(0).standard_normal((4, 3))), groups, 3))
    assert math.isfinite(sums.correlation())  # images of one tip are at distance 0
    assert np.ptp(permuted_correlations(sums, 9, np.random.default_rng(0))) < 1e-12
    alone = TreeSums(tree, Moments.of(np.eye(3), np.arange(3), 3))
    assert math.isnan(alone.correlation())


def test_the_correlation_agrees_with_numpy():
    sums = hand_made()
    upper = np.triu_indices(6, 1)
    t, c = patristic_distances(sums.tree)[upper], (1 - sums.moments.sums @ sums.moments.sums.T)[upper]
    assert sums.correlation() == pytest.approx(np.corrcoef(t, c)[0, 1], abs=1e-12)
