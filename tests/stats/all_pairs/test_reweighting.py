import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs import reweighting
from bioclip_probe.stats.all_pairs.moments import Moments
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums
from bioclip_probe.stats.centroids import tips_with_images
from bioclip_probe.tree import Tree
from tests.definitions import hierarchy as definitions
from tests.definitions.tree import path_length
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, vectors_of_tips, vectors_on_trees
from tests.support.made_up_vectors import unit_rows as normalised

BLOCKS = (1, 3, 512)


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


@pytest.mark.slow
@given(vectors_of_tips(), st.sampled_from(BLOCKS))
def test_blocks_contain_every_pair_once(made, block):
    vectors, tree = made
    k = len(vectors)
    met = np.full((k, k, 2), np.nan)
    for rows, c, t in reweighting.pair_blocks(vectors, tree, block):
        assert c.shape == t.shape == (rows.stop - rows.start, k - rows.start)
        for a in range(rows.stop - rows.start):
            assert not c[a, : a + 1].any() and not t[a, : a + 1].any()
            met[rows.start + a, rows.start + a + 1 :] = np.stack([t[a, a + 1 :], c[a, a + 1 :]], axis=1)
    found = met[np.triu_indices(k, 1)]
    np.testing.assert_allclose(found, np.array(pairing(vectors, tree)).reshape(-1, 2), atol=1e-12)


def drawn_weights(data, n_units: int) -> np.ndarray:
    row = st.lists(st.integers(0, 3), min_size=n_units, max_size=n_units)
    return np.array(data.draw(st.lists(row, min_size=1, max_size=3)), dtype=float)


@pytest.mark.slow
@given(vectors_of_tips(), st.data(), st.booleans())
def test_weights_of_units_of_taxa_count_as_repetitions(made, data, coarse):
    vectors, tree = made
    k = len(vectors)
    units = np.array(data.draw(st.lists(st.integers(0, 2), min_size=k, max_size=k))) if coarse else None
    unit = np.arange(k) if units is None else units
    weights = drawn_weights(data, 3 if coarse else k)
    found = reweighting.weighted_correlations(vectors, tree, weights, units)
    for value, copies in zip(found, weights.astype(int), strict=True):
        standing = [(i, copy) for i in range(k) for copy in range(copies[unit[i]])]
        repeated = [
            (path_length(tree, tree.tips[i], tree.tips[j]), definitions.cosine_distance(vectors[i], vectors[j]))
            for (i, copy), (j, other) in combinations(standing, 2)
            if i != j and (unit[i] != unit[j] or copy == other)
        ]
        expected = definitions.pearson(repeated)
        if math.isnan(expected):
            continue  # distances that are equal up to rounding, which the metrics exclude beforehand
        assert value == pytest.approx(expected, abs=1e-8)


@pytest.mark.slow
@settings(max_examples=60)
@given(vectors_on_trees(), st.data(), st.sampled_from(BLOCKS), st.booleans())
def test_weights_of_units_of_images_count_as_repetitions(made, data, block, coarse):
    vectors, placement = made
    taxa = definitions.images_of_taxa(placement)
    tree, groups = tips_with_images(placement)
    if not taxa:
        return
    units = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(taxa), max_size=len(taxa))))
    unit = units if coarse else np.arange(len(taxa))
    weights = drawn_weights(data, 3 if coarse else len(taxa))
    found = reweighting.weighted_image_correlations(
        vectors, groups, tree, weights, units if coarse else None, reweighting.PairBlockSizes(rows=block)
    )
    for value, copies in zip(found, weights.astype(int), strict=True):
        unit_of_tip = dict(zip(taxa, unit.tolist(), strict=True))
        expected = definitions.pearson(
            definitions.image_pairing(vectors, placement, dict(enumerate(copies.tolist())), unit_of_tip)
        )
        if math.isnan(expected):
            continue
        assert value == pytest.approx(expected, abs=1e-8)


def test_weights_of_one_change_nothing():
    vectors, tree = evolved()
    k = len(vectors)
    expected = TreeSums(tree, Moments.of(vectors, np.arange(k), k)).correlation()
    assert reweighting.weighted_correlations(vectors, tree, np.ones((1, k)))[0] == pytest.approx(expected, abs=1e-12)


def test_float32_images_lose_no_precision():
    rng = np.random.default_rng(1)
    placement = random_taxonomy(30, 200, rng)
    vectors = signal_vectors(placement, 16, 1.0, 0.3, rng)
    tree, groups = tips_with_images(placement)
    expected = TreeSums(tree, Moments.of(vectors, groups, 30)).correlation()
    for block in (1, 50, 512):
        sizes = reweighting.PairBlockSizes(rows=block)
        found = reweighting.weighted_image_correlations(vectors, groups, tree, np.ones((1, 30)), sizes=sizes)
        assert found[0] == pytest.approx(expected, abs=1e-10)


def test_replicates_in_batches_equal_those_computed_together():
    vectors, tree = evolved()
    weights = np.random.default_rng(0).integers(0, 4, (7, 60)).astype(float)
    at_once = reweighting.weighted_correlations(vectors, tree, weights)
    few = reweighting.weighted_correlations(vectors, tree, weights, sizes=reweighting.PairBlockSizes(numbers=200))
    np.testing.assert_allclose(few, at_once, rtol=1e-11)


def test_one_taxon_has_no_pairs():
    tree = Tree(np.array([-1, 0]), np.array([0, 1.0]), np.array(["r", "a"], dtype=object), [-1] * 2)
    assert np.isnan(reweighting.weighted_correlations(np.array([[1.0, 0]]), tree, np.ones((2, 1)))).all()


def test_inputs_are_unchanged():
    vectors, tree = evolved()
    vectors = normalised(vectors)
    weights, groups = np.ones((2, 60)), np.arange(60)
    before = vectors.copy()
    for array in (vectors, weights, groups):
        array.flags.writeable = False
    reweighting.weighted_correlations(vectors, tree, weights)
    reweighting.weighted_image_correlations(vectors, groups, tree, weights)
    assert np.array_equal(vectors, before)
