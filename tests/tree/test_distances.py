import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from bioclip_probe.tree import Tree, patristic_distances, patristic_rows, taxonomy, to_ete3
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import tree as definitions
from tests.support.strategies import lineage_tables, trees


def tree_of(parent, length) -> Tree:
    n = len(parent)
    return Tree(np.array(parent), np.array(length, dtype=float), np.array([f"n{i}" for i in range(n)]), np.full(n, -1))


def caterpillar(k: int) -> Tree:
    """k tips that leave one stem, one after the other, all branches 1."""
    parent = np.concatenate([[-1], np.repeat(np.arange(0, 2 * k - 2, 2), 2)])
    return tree_of(parent, np.append(0, np.ones(2 * k - 2)))


@pytest.mark.slow
@given(trees())
def test_the_distance_of_two_tips_is_the_length_of_their_path(tree):
    measured = patristic_distances(tree)
    expected = [[definitions.path_length(tree, a, b) for b in tree.tips] for a in tree.tips]
    np.testing.assert_allclose(measured, expected, atol=1e-12)


@pytest.mark.slow
@given(trees())
def test_distances_are_a_metric_on_a_tree(tree):
    distance = patristic_distances(tree)
    k = len(tree.tips)
    depth = tree.depth[tree.tips]
    assert np.array_equal(distance, distance.T)
    assert np.all(np.diag(distance) == 0)
    assert np.all(distance >= -1e-12)
    assert np.all(distance <= depth[:, None] + depth + 1e-12)
    assert np.all(distance >= np.abs(depth[:, None] - depth) - 1e-12)
    # Four-point condition: of the three ways to pair up four tips, the two longest sums are equal.
    rng = np.random.default_rng(0)
    for a, b, c, d in rng.integers(k, size=(20, 4)):
        ways = [(a, b, c, d), (a, c, b, d), (a, d, b, c)]
        sums = sorted(distance[p, q] + distance[r, s] for p, q, r, s in ways)
        assert sums[1] == pytest.approx(sums[2], abs=1e-9)


@pytest.mark.slow
@settings(max_examples=30)
@given(lineage_tables(min_rows=3, holes=False))
def test_on_an_ultrametric_tree_the_two_largest_of_three_distances_are_equal(frame):
    distance = patristic_distances(taxonomy(frame).tree)
    assert set(np.unique(distance)) <= set(range(8))
    for a in range(len(distance)):
        for b in range(len(distance)):
            assert np.all(distance[a, b] <= np.maximum(distance[a], distance[b]))


@pytest.mark.slow
@given(trees(), st.floats(0.1, 10))
def test_distances_scale_with_branch_lengths(tree, factor):
    longer = Tree(tree.parent, tree.length * factor, tree.name, tree.rank)
    np.testing.assert_allclose(patristic_distances(longer), factor * patristic_distances(tree), atol=1e-11)


@pytest.mark.slow
@given(trees(), st.data())
def test_blocks_of_rows_together_are_the_upper_triangle(tree, data):
    k = len(tree.tips)
    start = data.draw(st.integers(0, k - 1))
    stop = data.draw(st.integers(start, k))
    rows = patristic_rows(tree, start, stop)
    assert rows.shape == (stop - start, k - start)
    np.testing.assert_allclose(rows, np.triu(patristic_distances(tree))[start:stop, start:], atol=1e-12)


@pytest.mark.slow
@given(trees())
def test_a_subset_of_tips_keeps_its_distances(tree):
    keep = tree.tips[::2]
    smaller, new = tree.subset(keep)
    assert smaller.tips.tolist() == new[keep].tolist()
    np.testing.assert_allclose(patristic_distances(smaller), patristic_distances(tree)[::2, ::2], atol=1e-12)


@pytest.mark.slow
@given(trees())
def test_single_precision_is_close_and_the_tree_is_unchanged(tree):
    length = tree.length.copy()
    single = patristic_distances(tree, dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, patristic_distances(tree), rtol=1e-5, atol=1e-4)
    assert np.array_equal(tree.length, length)


def test_one_tip_is_at_no_distance_from_itself():
    assert patristic_distances(tree_of([-1], [0])).tolist() == [[0.0]]
    assert patristic_distances(tree_of([-1, 0, 1], [0, 1, 1])).tolist() == [[0.0]]
    assert patristic_rows(tree_of([-1], [0]), 0, 1).tolist() == [[0.0]]


def test_all_tips_of_a_star_have_the_same_distance():
    k = 600  # more than one block of the mirror
    star = tree_of([-1] + [0] * k, [0] + [2] * k)
    assert np.array_equal(patristic_distances(star), 4 * (1 - np.eye(k)))


def test_tips_below_branches_of_length_zero_have_distance_zero():
    assert not patristic_distances(tree_of([-1, 0, 1, 1, 0], [0] * 5)).any()


@pytest.mark.slow
def test_distances_on_a_caterpillar_of_5000_tips():
    tree = caterpillar(5000)
    depth = tree.depth[tree.tips].astype(np.float32)
    # Two tips part at the inner node that the nearer one to the root leaves: 1 up to it, the rest down from it.
    expected = np.abs(depth[:, None] - depth) + 2
    np.fill_diagonal(expected, 0)
    assert np.array_equal(patristic_distances(tree, dtype=np.float32), expected)


@settings(max_examples=40)
@given(trees(min_nodes=2))
def test_distances_equal_those_of_ete3(ete3, tree):
    drawn = to_ete3(tree)
    leaves = {leaf.index: leaf for leaf in drawn.iter_leaves()}
    assert sorted(leaves) == tree.tips.tolist()
    expected = [[leaves[a].get_distance(leaves[b]) for b in tree.tips] for a in tree.tips]
    np.testing.assert_allclose(patristic_distances(tree), expected, atol=1e-9)


@settings(max_examples=40)
@given(trees(min_nodes=4))
def test_distances_equal_those_of_scikit_bio(tree):
    from skbio import TreeNode

    nodes = [TreeNode(name=name, length=length) for name, length in zip(tree.name, tree.length, strict=True)]
    for node, above in enumerate(tree.parent):
        if node:
            nodes[above].append(nodes[node])
    matrix = nodes[0].cophenet(endpoints=[nodes[tip] for tip in tree.tips]) if len(tree.tips) > 1 else None
    if matrix is not None:
        order = [matrix.index(tree.name[tip]) for tip in tree.tips]
        np.testing.assert_allclose(patristic_distances(tree), matrix.data[np.ix_(order, order)], atol=1e-9)


def test_distances_on_a_dendrogram_equal_those_of_scipy():
    from skbio import TreeNode

    points = np.random.default_rng(3).normal(size=(60, 4))
    merges = linkage(points, "average")
    newick = io.StringIO()
    TreeNode.from_linkage_matrix(merges, [f"t{i:02}" for i in range(60)]).write(newick, format="newick")
    tree = parse_newick(newick.getvalue())
    order = np.argsort(tree.name[tree.tips].astype(str))
    measured = patristic_distances(tree)[np.ix_(order, order)]
    assert tree.is_ultrametric
    np.testing.assert_allclose(measured, squareform(cophenet(merges)), rtol=1e-6)
