import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.moments import JackknifeMoments, Moments, pearson
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_correlations
from bioclip_probe.tree import Tree, patristic_distances
from tests.definitions import hierarchy as definitions
from tests.definitions.tree import path_length
from tests.support.embedded import random_taxonomy, signal_vectors, tips_embedded, unit, unit_vectors


@st.composite
def grouped(draw, max_images: int = 14):
    """Vectors of any length, the group of each (-1: none), and how many groups there are."""
    n_groups = draw(st.integers(1, 5))
    groups = draw(st.lists(st.integers(-1, n_groups - 1), min_size=1, max_size=max_images))
    vectors = draw(unit_vectors(len(groups))) * np.linspace(0.5, 2, len(groups))[:, None]
    return vectors, np.array(groups), n_groups


@st.composite
def images_on_tips(draw):
    """Vectors, the tip position of each, and the tree; some tips may have no image."""
    _, tree = draw(tips_embedded(max_nodes=12))
    groups = draw(st.lists(st.integers(0, len(tree.tips) - 1), min_size=1, max_size=12))
    return draw(unit_vectors(len(groups))), np.array(groups), tree


def assert_same(a: Moments, b: Moments) -> None:
    for key in ("counts", "sums", "norms", "second", "third", "fourths", "origin"):
        np.testing.assert_allclose(getattr(a, key), getattr(b, key), rtol=1e-12, atol=1e-11)


def half_squared_distance(u, v) -> float:
    return math.fsum((float(a) - float(b)) ** 2 for a, b in zip(u, v, strict=True)) / 2


@given(grouped(), st.integers(1, 20), st.booleans())
def test_moments_are_their_sums_whatever_the_block_and_the_origin(made, block, shift):
    vectors, groups, n_groups = made
    origin = np.linspace(-1, 2, vectors.shape[1]) if shift else np.zeros(vectors.shape[1])
    moments = Moments.of(vectors, groups, n_groups, block, origin if shift else None)
    inside = [u - origin for u, group in zip(vectors, groups, strict=True) if group >= 0]
    for group in range(n_groups):
        members = [u - origin for u, other in zip(vectors, groups, strict=True) if other == group]
        assert moments.counts[group] == len(members)
        np.testing.assert_allclose(moments.sums[group], sum(members, np.zeros(vectors.shape[1])), atol=1e-12)
        assert moments.norms[group] == pytest.approx(sum(float(u @ u) for u in members))
    np.testing.assert_allclose(moments.second, sum((np.outer(u, u) for u in inside), np.zeros(moments.second.shape)))
    np.testing.assert_allclose(moments.third, sum(((u @ u) * u for u in inside), np.zeros(len(origin))), atol=1e-10)
    assert moments.squares == pytest.approx(sum(float(u @ u) for u in inside))
    assert moments.fourths == pytest.approx(sum(float(u @ u) ** 2 for u in inside))
    assert moments.n == len(inside) and moments.n_pairs == len(list(combinations(inside, 2)))
    pairs = [half_squared_distance(u, v) for u, v in combinations(inside, 2)]
    assert moments.distance_sum == pytest.approx(math.fsum(pairs), abs=1e-10)
    assert moments.distance_square_sum == pytest.approx(math.fsum(p * p for p in pairs), rel=1e-10, abs=1e-9)


@given(grouped())
def test_moving_the_origin_is_having_had_it(made):
    vectors, groups, n_groups = made
    origins = np.random.default_rng(0).normal(size=(2, vectors.shape[1]))
    here, there = (Moments.of(vectors, groups, n_groups, origin=origin) for origin in origins)
    assert_same(here.about(origins[1]), there)


@given(grouped(), st.integers(0, 14), st.booleans())
def test_merging_is_one_pass_and_what_was_added_can_be_taken_away(made, cut, elsewhere):
    vectors, groups, n_groups = made
    origin = np.ones(vectors.shape[1]) if elsewhere else None
    first = Moments.of(vectors[:cut], groups[:cut], n_groups)
    second = Moments.of(vectors[cut:], groups[cut:], n_groups, origin=origin)
    whole = Moments.of(vectors, groups, n_groups)
    assert_same(first + second, whole)
    assert_same(whole - second, first)


@given(grouped(), st.data())
def test_coarsening_is_coarser_labels(made, data):
    vectors, groups, n_groups = made
    into = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n_groups, max_size=n_groups)))
    coarse = Moments.of(vectors, np.where(groups >= 0, into[groups], -1), 3)
    assert_same(Moments.of(vectors, groups, n_groups).coarsen(into, 3), coarse)


@given(grouped(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(made, random):
    vectors, groups, n_groups = made
    order = random.sample(range(len(groups)), len(groups))
    assert_same(Moments.of(vectors[order], groups[order], n_groups), Moments.of(vectors, groups, n_groups))


@given(grouped(), st.data(), st.integers(1, 5))
def test_splitting_is_leaving_out(made, data, size):
    vectors, groups, n_groups = made
    part = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n_groups, max_size=n_groups)))
    blocks = [(vectors[i : i + size], groups[i : i + size]) for i in range(0, len(groups), size)]
    split = JackknifeMoments.of(blocks, part)
    if not np.any(groups >= 0):
        assert not split.by_group
        return
    assert_same(split.total.about(np.zeros(vectors.shape[1])), Moments.of(vectors, groups, n_groups))
    for number in range(part.max() + 1):
        kept = np.where((groups >= 0) & (part[groups] != number), groups, -1)
        expected = Moments.of(vectors, kept, n_groups)
        assert_same(split.without_group(number).about(np.zeros(vectors.shape[1])), expected)


def test_inputs_stay_and_moments_are_read_only():
    vectors, groups = unit(np.random.default_rng(0).standard_normal((5, 3))), np.array([0, 1, -1, 0, 1])
    before = vectors.copy(), groups.copy()
    moments = Moments.of(vectors, groups, 2)
    split = JackknifeMoments.of([(vectors, groups)], np.array([0, 1]))
    assert np.array_equal(vectors, before[0]) and np.array_equal(groups, before[1])
    for made in (moments, moments + moments, moments.coarsen(np.array([0, 0]), 1), split.total, split.without_group(0)):
        for array in (made.counts, made.sums, made.norms, made.second, made.third, made.origin):
            assert not array.flags.writeable


def test_moments_of_no_image():
    none = Moments.of(np.ones((3, 2)), np.full(3, -1), 0)
    assert none.n == none.n_pairs == none.distance_sum == none.distance_square_sum == 0


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
    """As those of an untrained network: cosine distances of 1e-5, give or take a tenth of that."""
    rng = np.random.default_rng(0)
    placement = random_taxonomy(40, 200, rng)
    tips = np.searchsorted(placement.tree.tips, placement.node)
    vectors = unit(np.eye(64)[0] + 4e-4 * signal_vectors(placement, 64, 1.0, 3.0, rng).astype(float) * 8)
    upper = np.triu_indices(200, 1)
    c = ((vectors[:, None] - vectors) ** 2).sum(axis=2)[upper] / 2
    t = patristic_distances(placement.tree)[np.ix_(tips, tips)][upper]
    assert 1e-6 < c.mean() < 1e-4 and c.std() < c.mean() / 5
    moments = Moments.of(vectors, tips, 40, origin=vectors.mean(axis=0))
    assert TreeSums(placement.tree, moments).correlation() == pytest.approx(np.corrcoef(t, c)[0, 1], abs=1e-9)


def test_a_long_stem_costs_no_digits():
    parent = np.array([-1, 0, 1, 2, 2, 1])
    length = np.array([0, 1e6, 1e-3, 1e-3, 1e-3, 2e-3])
    tree = Tree(parent, length, np.array([f"n{i}" for i in range(6)], dtype=object), np.full(6, -1))
    vectors = unit(np.random.default_rng(0).standard_normal((3, 3)))
    expected = np.corrcoef([2e-3, 4e-3, 4e-3], 1 - (vectors @ vectors.T)[np.triu_indices(3, 1)])[0, 1]
    moments = Moments.of(vectors, np.arange(3), 3)
    assert TreeSums(tree, moments).correlation() == pytest.approx(expected, abs=1e-6)


def test_as_many_groups_as_tips():
    tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array(["r", "a", "b"], dtype=object), np.full(3, -1))
    with pytest.raises(ValueError, match="2 tips need as many groups, not 3"):
        TreeSums(tree, Moments.of(np.eye(3), np.arange(3), 3))


def sums_of(pairing) -> tuple[float, ...]:
    x, y = np.array(pairing, dtype=float).reshape(-1, 2).T
    return len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=12))
def test_pearson_is_its_definition(pairing):
    assert pearson(*sums_of(pairing)) == pytest.approx(definitions.pearson(pairing), abs=1e-10, nan_ok=True)


def test_pearson_is_that_of_scipy_and_takes_arrays():
    from scipy.stats import pearsonr

    rng = np.random.default_rng(0)
    pairings = [rng.normal(3, 1, (50, 2)), np.cumsum(rng.normal(0, 1, (50, 2)), axis=0)]
    found = pearson(*np.array([sums_of(pairing) for pairing in pairings]).T)
    np.testing.assert_allclose(found, [pearsonr(*pairing.T).statistic for pairing in pairings], rtol=1e-12)


def test_pearson_stays_within_its_bounds():
    x = np.random.default_rng(0).normal(1e3, 1, 30)
    assert pearson(*sums_of(np.stack([x, 2 * x], axis=1))) == pytest.approx(1, abs=1e-9)
    assert -1 <= pearson(*sums_of(np.stack([x, -3 * x], axis=1))) <= pearson(*sums_of(np.stack([x, x], axis=1))) <= 1


def hand_made() -> TreeSums:
    """Two clades of three and of two tips, a tip on its own, and one image at each."""
    parent = np.array([-1, 0, 1, 1, 1, 0, 5, 5, 0])
    length = np.array([0, 2, 1, 1, 1, 1, 2, 2, 3.0])
    tree = Tree(parent, length, np.array([f"n{i}" for i in range(9)], dtype=object), np.full(9, -1))
    vectors = unit(np.random.default_rng(3).standard_normal((6, 4)))
    return TreeSums(tree, Moments.of(vectors, np.arange(6), 6))


def test_permuting_groups_is_permuting_the_matrix():
    sums = hand_made()
    vectors, k = sums.moments.sums, 6
    found = permuted_correlations(sums, 20, np.random.default_rng(5))
    again = np.random.default_rng(5)
    orders = [again.permutation(k) for _ in range(20)]
    tree_matrix = definitions.matrix(sums.tree.tips, lambda a, b: path_length(sums.tree, a, b))
    matrix = definitions.matrix(vectors, definitions.cosine_distance)
    np.testing.assert_allclose(found, definitions.mantel_correlations(tree_matrix, matrix, orders), atol=1e-10)


def test_permutations_summed_together_are_those_summed_alone(monkeypatch):
    together = permuted_correlations(hand_made(), 20, np.random.default_rng(5))
    monkeypatch.setattr("bioclip_probe.stats.all_pairs.tree_sums.MOST_NUMBERS", 1)
    alone = permuted_correlations(hand_made(), 20, np.random.default_rng(5))
    np.testing.assert_allclose(together, alone, rtol=1e-13)


def test_permutations_within_a_label_keep_to_it(monkeypatch):
    seen = []
    monkeypatch.setattr(TreeSums, "correlations", lambda self, orders: seen.extend(orders) or np.zeros(len(orders)))
    labels = np.array([7, 7, 7, -1, -1, 2])
    permuted_correlations(hand_made(), 200, np.random.default_rng(0), labels)
    for order in seen:
        assert sorted(order[:3]) == [0, 1, 2]
        assert order[3:].tolist() == [3, 4, 5]  # no name is no group to be exchanged in
    assert len({tuple(order) for order in seen}) == 6


def test_permutations_follow_their_generator():
    draws = [permuted_correlations(hand_made(), 5, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_all_permutations_of_a_star_are_the_same():
    tree = Tree(np.array([-1, 0, 0, 0]), np.array([0, 1.0, 1, 1]), np.array(list("rabc"), dtype=object), np.full(4, -1))
    groups = np.array([0, 0, 1, 2])
    sums = TreeSums(tree, Moments.of(unit(np.random.default_rng(0).standard_normal((4, 3))), groups, 3))
    assert math.isfinite(sums.correlation())  # images of one tip are at distance 0
    assert np.ptp(permuted_correlations(sums, 9, np.random.default_rng(0))) < 1e-12
    alone = TreeSums(tree, Moments.of(np.eye(3), np.arange(3), 3))
    assert math.isnan(alone.correlation())


def test_the_matrix_of_the_package_gives_the_same_correlation_as_numpy():
    sums = hand_made()
    upper = np.triu_indices(6, 1)
    t, c = patristic_distances(sums.tree)[upper], (1 - sums.moments.sums @ sums.moments.sums.T)[upper]
    assert sums.correlation() == pytest.approx(np.corrcoef(t, c)[0, 1], abs=1e-12)
