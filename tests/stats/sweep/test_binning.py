import numpy as np
import pytest

from bioclip_probe.stats.sweep.binning import N_BINS, N_LEVELS, Bins, Levels, lca_rank
from bioclip_probe.stats.sweep.points import Points
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree, patristic_distances
from tests.support.made_up_vectors import random_taxonomy, unit_rows


def uneven(tree: Tree, rng: np.random.Generator) -> Tree:
    length = tree.length * rng.uniform(0.5, 1.5, len(tree))
    length[0] = 0
    return Tree(tree.parent, length, tree.name, tree.rank, "Myr")


def test_levels_of_a_taxonomy_are_its_tree_distances():
    rng = np.random.default_rng(0)
    tree = random_taxonomy(30, 30, rng).tree
    tips = np.sort(np.concatenate([np.arange(30), rng.integers(0, 30, 20)]))
    levels = Levels.of(tree, tips)
    expected = patristic_distances(tree)[np.ix_(tips, tips)]
    np.testing.assert_allclose(levels.steps[levels.of_rows(0, 50)], expected, atol=1e-9)
    np.testing.assert_array_equal(levels.of_rows(7, 19), levels.of_rows(0, 50)[7:19])
    a, b = rng.integers(0, 50, (2, 200))
    np.testing.assert_array_equal(levels.between_tips(a, b), levels.of_rows(0, 50)[a, b])
    assert not levels.binned


@pytest.mark.parametrize("n_tips", [4, 200])
def test_levels_of_a_phylogeny_keep_the_order_of_its_distances(n_tips):
    rng = np.random.default_rng(1)
    tree = uneven(random_taxonomy(n_tips, n_tips, rng).tree, rng)
    levels = Levels.of(tree, np.arange(n_tips))
    assert not levels.clades and len(levels.steps) <= N_LEVELS
    found, distances = levels.of_rows(0, n_tips).astype(int), patristic_distances(tree)
    order = np.argsort(distances, axis=None)
    assert np.all(np.diff(found.ravel()[order]) >= -1e-9) and found[0, 0] == 0
    cell = 2 * tree.depth.max() / 2**16
    assert np.all(levels.steps[found] <= distances + cell)


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("n", [3, 700])
def test_bins_cover_all_distances_and_are_ascending(fine, n):
    vectors = unit_rows(np.random.default_rng(0).standard_normal((n, 6)))
    points = Points.of(vectors, np.arange(n))
    bins = Bins.of(points, fine)
    assert bins.edges[0] == 0 and np.all(np.diff(bins.edges) > 0)
    assert len(bins.edges) - 1 == bins.binning.bins.max() + 1
    assert fine or len(bins.edges) - 1 <= N_BINS + 1
    assert points.distances(np.arange(min(n, 50))).max() <= bins.edges[-1]


def test_the_rank_of_a_common_ancestor_follows_from_the_distance_in_ranks():
    assert [lca_rank(step) for step in range(8)] == [*reversed(RANKS), "root"]
