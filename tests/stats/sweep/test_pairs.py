import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings

from bioclip_probe.stats.sweep import pairs
from bioclip_probe.stats.sweep.points import distance_bound
from bioclip_probe.stats.sweep.ties import distance_rounding, with_tied_heights
from bioclip_probe.tree import Tree, patristic_distances
from tests.definitions import hierarchy as definitions
from tests.definitions.tree import path_length
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, vectors_of_tips


def pairing(vectors, tree):
    return [
        (path_length(tree, a, b), definitions.cosine_distance(u, v))
        for (a, u), (b, v) in combinations(list(zip(tree.tips, vectors, strict=True)), 2)
    ]


def evolved(n_species: int = 60, seed: int = 0) -> tuple[np.ndarray, Tree]:
    """A unit vector for each species of a taxonomy, close to those of its relatives."""
    rng = np.random.default_rng(seed)
    placement = random_taxonomy(n_species, n_species, rng)
    vectors = signal_vectors(placement, 8, 0.8, 0.0, rng).astype(float)
    return vectors[np.argsort(placement.node)], placement.tree


def bound(vectors: np.ndarray) -> float:
    return distance_bound(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1) / 2)


@pytest.mark.slow
def test_the_block_size_does_not_change_the_result():
    vectors, tree = evolved()
    number = pairs.spearman_correlation(vectors, tree)
    for block in (1, 7, 59, 60):
        assert pairs.spearman_correlation(vectors, tree, block) == pytest.approx(number, rel=1e-11)


@pytest.mark.slow
@settings(max_examples=15)
@given(vectors_of_tips())
def test_spearman_agrees_with_its_definition_on_binned_distances(made):
    vectors, tree = made
    found = pairs.spearman_correlation(vectors, tree)
    tree, last = with_tied_heights(tree), pairs.N_RANK_BINS - 1
    if not tree.depth.max():
        assert math.isnan(found)
        return
    highest = max(2 * tree.depth.max(), distance_rounding(tree) * last)  # a bin is no narrower than the tree's rounding
    exact = [(t / highest * last, c / bound(vectors) * last) for t, c in pairing(vectors, tree)]
    # A distance within rounding of a bin's edge may fall on either side; such a draw has no one right answer.
    assume(all(abs(x % 1 - 0.5) > 1e-4 for pair in exact for x in pair))
    binned = [(round(t), round(c)) for t, c in exact]
    assert found == pytest.approx(definitions.spearman(binned), abs=1e-6, nan_ok=True)


def test_spearman_agrees_with_scipy():
    from scipy.stats import spearmanr

    vectors, tree = evolved()
    expected = spearmanr(*np.array(pairing(vectors, tree)).T).statistic
    assert pairs.spearman_correlation(vectors, tree) == pytest.approx(expected, abs=1e-5)


def test_spearman_depends_on_the_order_only():
    tree = Tree(
        np.array([-1, 0, 1, 1, 0]), np.array([0, 1.0, 1, 1, 9]), np.array(list("rxabc"), dtype=object), [-1] * 5
    )
    angles = np.array([0, 0.1, 0.5])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # ab < bc < ac in the embedding, ab < ac = bc on the tree.
    assert pairs.spearman_correlation(vectors, tree) == pytest.approx(math.sqrt(0.75), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-2, 1e-3])
def test_vectors_that_nearly_coincide_keep_their_order(scale):
    """An untrained network gives such embeddings, with cosine distances around 1e-5."""
    from scipy.stats import spearmanr

    vectors, tree = evolved(120)
    vectors = unit_rows(np.eye(8)[0] * 3 + scale * vectors)
    upper = np.triu_indices(120, 1)
    c = ((vectors[:, None] - vectors) ** 2).sum(axis=2)[upper] / 2
    t = patristic_distances(tree)[upper]
    assert pairs.spearman_correlation(vectors, tree) == pytest.approx(spearmanr(t, c).statistic, abs=1e-4)


def test_one_taxon_has_no_pairs():
    tree = Tree(np.array([-1, 0]), np.array([0, 1.0]), np.array(["r", "a"], dtype=object), [-1] * 2)
    vectors = np.array([[1.0, 0]])
    assert math.isnan(pairs.spearman_correlation(vectors, tree))


def test_inputs_are_unchanged():
    vectors, tree = evolved()
    vectors = unit_rows(vectors)
    before = vectors.copy()
    vectors.flags.writeable = False
    pairs.spearman_correlation(vectors, tree)
    assert np.array_equal(vectors, before)
