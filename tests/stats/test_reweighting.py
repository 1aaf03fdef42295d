import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats import reweighting
from bioclip_probe.stats.centroids import tips_with_images
from bioclip_probe.stats.moments import Moments, TreeSums
from bioclip_probe.tree import Tree
from tests.definitions import hierarchy as definitions
from tests.definitions.tree import path_length
from tests.stats.embedded import embedded, random_taxonomy, signal_vectors, tips_embedded, unit

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


@given(tips_embedded(), st.sampled_from(BLOCKS))
def test_blocks_hold_every_pair_once(made, block):
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


@given(tips_embedded(), st.data())
def test_weighting_taxa_is_repeating_them(made, data):
    vectors, tree = made
    k = len(vectors)
    weights = np.array(data.draw(st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=1, max_size=3)))
    found = reweighting.weighted_correlations(vectors, tree, weights.astype(float))
    for value, copies in zip(found, weights, strict=True):
        standing = [i for i in range(k) for _ in range(copies[i])]
        repeated = [
            (path_length(tree, tree.tips[i], tree.tips[j]), definitions.cosine_distance(vectors[i], vectors[j]))
            for i, j in combinations(standing, 2)
            if i != j
        ]
        expected = definitions.pearson(repeated)
        if math.isnan(expected):
            continue  # distances that are equal but for rounding: the metrics never come here with them
        assert value == pytest.approx(expected, abs=1e-8)


@settings(max_examples=40)
@given(embedded(), st.data(), st.sampled_from(BLOCKS))
def test_weighting_the_taxa_of_images_is_repeating_them(made, data, block):
    vectors, placement = made
    taxa = definitions.images_of_taxa(placement)
    tree, groups = tips_with_images(placement)
    if not taxa:
        return
    weights = data.draw(
        st.lists(st.lists(st.integers(0, 3), min_size=len(taxa), max_size=len(taxa)), min_size=1, max_size=3)
    )
    found = reweighting.weighted_image_correlations(vectors, groups, tree, np.array(weights, dtype=float), block)
    for value, copies in zip(found, weights, strict=True):
        expected = definitions.pearson(
            definitions.image_pairing(vectors, placement, dict(zip(taxa, copies, strict=True)))
        )
        if math.isnan(expected):
            continue
        assert value == pytest.approx(expected, abs=1e-8)


def test_weights_of_one_change_nothing():
    vectors, tree = evolved()
    k = len(vectors)
    expected = TreeSums(tree, Moments.of(vectors, np.arange(k), k)).correlation()
    assert reweighting.weighted_correlations(vectors, tree, np.ones((1, k)))[0] == pytest.approx(expected, abs=1e-12)


def test_images_that_are_float32_do_not_blur_the_sweep():
    rng = np.random.default_rng(1)
    placement = random_taxonomy(30, 200, rng)
    vectors = signal_vectors(placement, 16, 1.0, 0.3, rng)
    tree, groups = tips_with_images(placement)
    expected = TreeSums(tree, Moments.of(vectors, groups, 30)).correlation()
    for block in (1, 50, 512):
        found = reweighting.weighted_image_correlations(vectors, groups, tree, np.ones((1, 30)), block)
        assert found[0] == pytest.approx(expected, abs=1e-10)


def test_one_taxon_has_no_pairs():
    tree = Tree(np.array([-1, 0]), np.array([0, 1.0]), np.array(["r", "a"], dtype=object), [-1] * 2)
    assert np.isnan(reweighting.weighted_correlations(np.array([[1.0, 0]]), tree, np.ones((2, 1)))).all()


def test_inputs_stay():
    vectors, tree = evolved()
    vectors = unit(vectors)
    weights, groups = np.ones((2, 60)), np.arange(60)
    before = vectors.copy()
    for array in (vectors, weights, groups):
        array.flags.writeable = False
    reweighting.weighted_correlations(vectors, tree, weights)
    reweighting.weighted_image_correlations(vectors, groups, tree, weights)
    assert np.array_equal(vectors, before)
