import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.moments import Moments
from bioclip_probe.stats.centroids import centroids, image_moments, tips_with_images
from bioclip_probe.tree import Placement, Tree
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, vectors_on_trees


def small_tree() -> Tree:
    """A clade of the tips 2 and 3 below node 1, and the tip 4."""
    return Tree(
        np.array([-1, 0, 1, 1, 0]), np.array([0, 1.0, 1, 1, 2]), np.array(list("rxabc"), dtype=object), [-1] * 5
    )


@pytest.mark.slow
@settings(max_examples=40)
@given(vectors_on_trees())
def test_centroids_are_means_of_the_images_at_each_tip(made):
    vectors, placement = made
    taxa = definitions.images_of_taxa(placement)
    found = centroids(vectors, placement)
    assert found.counts.tolist() == [len(images) for images in taxa.values()]
    for place, images in enumerate(taxa.values()):
        members = vectors[images]
        assert np.flatnonzero(found.groups == place).tolist() == images
        np.testing.assert_allclose(found.means[place], definitions.mean_vector(members), atol=1e-12)
        assert found.spread[place] == pytest.approx(definitions.spread(members), abs=1e-7)
        assert 0 <= found.spread[place] <= 1
        assert found.spread[place] ** 2 == pytest.approx(1 - np.sum(found.means[place] ** 2), abs=1e-12)
        length = np.linalg.norm(found.means[place])
        if length > 1e-6:
            np.testing.assert_allclose(found.directions[place], definitions.unit_vector(found.means[place]))
        else:
            assert np.isnan(found.directions[place]).all()
    if taxa:
        names = [placement.tree.name[tip] for tip in taxa]
        assert found.tree.name[found.tree.tips].tolist() == names
    assert np.sum(found.groups < 0) == len(vectors) - sum(map(len, taxa.values()))


@pytest.mark.slow
@settings(max_examples=40)
@given(vectors_on_trees(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(made, random):
    vectors, placement = made
    order = np.array(random.sample(range(len(vectors)), len(vectors)))
    found, turned = centroids(vectors, placement), centroids(vectors[order], placement.take(order))
    np.testing.assert_allclose(turned.means, found.means, atol=1e-12)
    np.testing.assert_allclose(turned.spread, found.spread, atol=1e-7)
    assert np.array_equal(turned.groups, found.groups[order])


@pytest.mark.slow
@settings(max_examples=40)
@given(vectors_on_trees())
def test_moments_of_images_are_grouped_by_tip(made):
    vectors, placement = made
    tree, moments = image_moments(vectors, placement)
    found = centroids(vectors, placement)
    assert moments.counts.tolist() == found.counts.tolist()
    np.testing.assert_allclose(
        moments.about(np.zeros(vectors.shape[1])).sums, found.means * found.counts[:, None], atol=1e-12
    )
    assert len(tree) == len(found.tree)


def test_images_at_inner_nodes_and_nowhere_are_at_no_tip():
    placement = Placement(small_tree(), np.array([4, 1, -1, 2, 0, 4]))
    tree, groups = tips_with_images(placement)
    assert groups.tolist() == [1, -1, -1, 0, -1, 1]
    assert tree.name.tolist() == ["r", "x", "a", "c"]  # b has no image


def test_without_image_at_a_tip_there_are_no_centroids():
    placement = Placement(small_tree(), np.array([1, -1, 0]))
    found = centroids(np.eye(3), placement)
    assert found.groups.tolist() == [-1, -1, -1]
    assert found.counts.shape == found.spread.shape == (0,) and found.means.shape == found.directions.shape == (0, 3)


def test_without_images_there_are_no_centroids():
    found = centroids(np.zeros((0, 3)), Placement(small_tree(), np.zeros(0, dtype=int)))
    assert found.counts.shape == (0,) and found.groups.shape == (0,)


def test_images_that_cancel_out_leave_no_direction():
    u = unit_rows(np.random.default_rng(0).standard_normal((1, 8))).astype(np.float32)
    found = centroids(np.concatenate([u, -u, u]), Placement(small_tree(), np.array([2, 2, 4])))
    assert np.isnan(found.directions[0]).all() and np.isfinite(found.directions[1]).all()
    assert found.spread[0] == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("copies", [1, 7])
def test_images_that_coincide_have_no_spread_in_float32_either(copies):
    vectors = unit_rows(np.random.default_rng(0).standard_normal((3, 512))).astype(np.float32)
    placement = Placement(small_tree(), np.repeat([2, 3, 4], copies))
    assert centroids(np.repeat(vectors, copies, axis=0), placement).spread.max() < 1e-7


def test_higher_ranks_are_sums_of_their_children():
    rng = np.random.default_rng(0)
    placement = random_taxonomy(40, 150, rng)
    vectors = signal_vectors(placement, 6, 1.0, 0.5, rng)
    _, species = image_moments(vectors, placement)
    family_tree, family = image_moments(vectors, placement.coarsen("family"))
    above = placement.tree.ancestor_at("family")[placement.tree.tips]
    into = np.unique(above, return_inverse=True)[1]
    merged = species.coarsen(into, len(family_tree.tips))
    assert isinstance(merged, Moments) and np.array_equal(merged.counts, family.counts)
    np.testing.assert_allclose(merged.sums, family.about(merged.origin).sums, atol=1e-10)


def test_inputs_are_unchanged_and_centroids_are_read_only():
    vectors = unit_rows(np.random.default_rng(0).standard_normal((4, 3)))
    before = vectors.copy()
    vectors.flags.writeable = False
    for nodes in ([2, 4, 4, 1], [1, 1, 0, -1]):
        found = centroids(vectors, Placement(small_tree(), np.array(nodes)))
        for array in (found.groups, found.counts, found.means, found.spread):
            assert not array.flags.writeable
    assert np.array_equal(vectors, before)
