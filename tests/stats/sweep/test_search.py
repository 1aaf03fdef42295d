import numpy as np
import pytest

from bioclip_probe.stats.sweep.binning import Levels
from bioclip_probe.stats.sweep.search import NeighborSearch, neighbor_lists, search_spaces, search_together
from bioclip_probe.tree import Placement
from tests.support.made_up_vectors import unit_rows
from tests.support.taxa import made_up


def images(n=120, d=5):
    """Unit vectors of images, two of which are alike, and their places in a taxonomy."""
    _, placement = made_up(20, n)
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.standard_normal((n, d)) + 0.5).astype(np.float32)
    node = placement.node.copy()
    vectors[1], node[1] = vectors[0], node[0]
    return vectors, Placement(placement.tree, node)


def assert_same(one, other):
    for k, least in ((3, 0), (2, 1)):
        expected, found = (lists.shares(k, least)[lists.cell] for lists in (one, other))
        np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(one.occurrences(3)[one.cell], other.occurrences(3)[other.cell], atol=1e-12)


def test_several_searches_on_one_product_find_what_each_finds_alone():
    vectors, placement = images()
    groups = (None, placement.node, np.arange(120) // 2)  # the last order of cells differs
    for together in (groups[:2], groups):
        searches = [NeighborSearch.of(vectors, placement, placement.node % 4, 3, group) for group in together]
        for lists, group in zip(search_together(searches, vectors), together, strict=True):
            assert_same(neighbor_lists(vectors, placement, placement.node % 4, 3, group), lists)


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_centred_vectors_are_searched_on_the_products_of_raw_ones(shift):
    vectors, placement = images()
    centred = unit_rows(vectors - vectors.mean(axis=0, dtype=np.float64) + shift).astype(np.float32)
    search = NeighborSearch.of(vectors, placement, placement.node % 4, 3)
    for lists, own in zip(search_spaces(search, [vectors, centred]), (vectors, centred), strict=True):
        assert_same(neighbor_lists(own, placement, placement.node % 4, 3), lists)


def test_levels_of_tree_distance_are_levels_of_kinship():
    vectors, placement = images()
    search = NeighborSearch.of(vectors, placement, placement.node % 4, 3)
    tips = np.searchsorted(placement.tree.tips, placement.node[search.order])
    levels = Levels.of(placement.tree, tips)
    kinship = search.kinship(levels)
    np.testing.assert_array_equal(kinship, np.rint(levels.steps).astype(int))
    by_kinship, by_step = search.levels(), levels
    a, b = np.random.default_rng(0).integers(0, len(tips), (2, 300))
    np.testing.assert_array_equal(by_kinship.between_tips(a, b), kinship[by_step.between_tips(a, b)])


def test_without_images_there_is_nothing_to_find():
    vectors, placement = images()
    search = NeighborSearch.of(vectors, placement, placement.node % 4, 3, among=np.zeros(120, dtype=bool))
    for device in ("cpu", "cpu:0"):
        assert len(search_spaces(search, [vectors], device)[0].rows) == 0
