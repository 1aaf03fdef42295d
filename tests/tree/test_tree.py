import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import TreeError
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, taxonomy
from tests.definitions import tree as definitions
from tests.support.strategies import lineage_tables, placements, trees


def tree_of(parent, length=None, rank=None, name=None) -> Tree:
    n = len(parent)
    length = [0.0] + [1.0] * (n - 1) if length is None else length
    name = [f"n{i}" for i in range(n)] if name is None else name
    return Tree(
        np.array(parent), np.array(length), np.array(name, dtype=object), np.full(n, -1 if rank is None else rank)
    )


@pytest.mark.slow
@given(trees())
def test_slices_tips_and_depths_equal_those_of_a_walk_over_the_tree(tree):
    for node in range(len(tree)):
        assert list(range(node, tree.stop[node])) == definitions.clade(tree, node)
        assert tree.depth[node] == pytest.approx(definitions.depth(tree, node))
    assert tree.tips.tolist() == definitions.tips(tree)


@pytest.mark.slow
@settings(max_examples=30)
@given(lineage_tables())
def test_the_ancestor_at_a_rank_equals_that_of_a_walk_over_the_tree(frame):
    tree = taxonomy(frame).tree
    for rank in RANKS:
        assert tree.ancestor_at(rank).tolist() == [definitions.ancestor_at(tree, i, rank) for i in range(len(tree))]


@given(st.tuples(*[st.integers(0, node) for node in range(6)]).map(lambda above: [-1, *above]))
def test_parents_form_a_tree_exactly_if_every_clade_is_a_slice(parent):
    clades = [{node} for node in range(len(parent))]
    for node in range(len(parent) - 1, 0, -1):
        clades[parent[node]] |= clades[node]
    if all(max(clade) - min(clade) + 1 == len(clade) for clade in clades):
        assert len(tree_of(parent)) == len(parent)
    else:
        with pytest.raises(TreeError, match="not in preorder"):
            tree_of(parent)


@pytest.mark.parametrize("parent", [[0], [-1, -1], [-1, 1], [-1, 2, 0], [-1, 0, 5], [-1, 0, 0, 1], [-1, 0, 0, 2, 1]])
def test_parents_out_of_order_are_refused(parent):
    with pytest.raises(TreeError, match="preorder"):
        tree_of(parent)


@pytest.mark.parametrize(
    ("parent", "length", "message"),
    [
        ([], [], "at least a root"),
        ([-1, 0], [0.0], "of one length"),
        ([-1, 0], [0.0, -1.0], "1 are not: n1"),
        ([-1, 0], [0.0, np.nan], "must be finite"),
        ([-1, 0], [0.0, np.inf], "must be finite"),
        ([-1, 0], [2.0, 1.0], "no branch is above the root"),
        ([0, 0], [0.0, 1.0], "root first"),
    ],
)
def test_arrays_that_form_no_tree_are_refused(parent, length, message):
    with pytest.raises(TreeError, match=message):
        tree_of(parent, length)


def test_a_single_tip_is_a_tree():
    tree = tree_of([-1])
    assert (tree.tips.tolist(), tree.depth.tolist(), tree.stop.tolist()) == ([0], [0.0], [1])
    assert tree.is_ultrametric
    assert tree.path(0) == ""


def test_a_caterpillar_of_5000_tips_needs_no_recursion():
    k = 5000
    parent = np.repeat(np.arange(0, 2 * k - 2, 2), 2)  # each inner node has a tip and the next inner node
    tree = tree_of(np.concatenate([[-1], parent]))
    assert len(tree.tips) == k
    assert tree.depth.max() == k - 1
    assert tree.stop[0] == len(tree)
    small, _ = tree.subset(tree.tips[-2:])
    assert len(small) == k + 1


@pytest.mark.slow
@given(trees())
def test_the_arrays_of_a_tree_cannot_be_written_to(tree):
    for array in (tree.parent, tree.length, tree.name, tree.rank, tree.stop, tree.tips, tree.depth):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]
    with pytest.raises(AttributeError):
        tree.parent = np.array([-1])


def test_the_arrays_that_a_tree_was_made_from_stay_writeable():
    parent, length = np.array([-1, 0]), np.array([0.0, 1.0])
    Tree(parent, length, np.array(["", "a"], dtype=object), np.array([-1, -1]))
    assert parent.flags.writeable and length.flags.writeable
    assert (parent.tolist(), length.tolist()) == ([-1, 0], [0.0, 1.0])


@pytest.mark.slow
@given(st.data(), trees())
def test_a_subset_keeps_names_depths_and_ancestors(data, tree):
    keep = data.draw(st.lists(st.integers(0, len(tree) - 1), max_size=6))
    smaller, new = tree.subset(np.array(keep, dtype=np.int64))
    wanted = {0}.union(*(definitions.ancestors(tree, node) for node in keep))
    assert np.flatnonzero(new >= 0).tolist() == sorted(wanted)
    for node in wanted:
        assert smaller.name[new[node]] == tree.name[node]
        assert smaller.depth[new[node]] == tree.depth[node]
        above = definitions.ancestors(smaller, new[node])
        assert above == [new[step] for step in definitions.ancestors(tree, node)]


def test_a_subset_of_nodes_that_are_not_there_is_refused():
    with pytest.raises(TreeError, match="between 0 and 1"):
        tree_of([-1, 0]).subset(np.array([-1]))


@pytest.mark.slow
@settings(max_examples=30)
@given(lineage_tables(), st.sampled_from(RANKS))
def test_coarsening_makes_the_taxa_of_a_rank_the_tips(frame, rank):
    place = taxonomy(frame)
    coarse = place.coarsen(rank)
    taxon = place.at(rank)
    known = taxon >= 0
    assert np.array_equal(coarse.node >= 0, known)
    if known.any():
        assert set(coarse.tree.tips) == set(coarse.node[known])
        assert np.all(coarse.tree.rank[coarse.tree.tips] == RANKS.index(rank))
    assert [coarse.tree.path(i) for i in coarse.node[known]] == [place.tree.path(i) for i in taxon[known]]


def test_a_tree_is_ultrametric_if_its_tips_are_equally_deep_up_to_rounding():
    assert tree_of([-1, 0, 0], [0, 1.0, 1.00005]).is_ultrametric
    assert not tree_of([-1, 0, 0], [0, 1.0, 1.001]).is_ultrametric
    assert tree_of([-1, 0, 0], [0, 0.0, 0.0]).is_ultrametric


def test_a_path_has_an_empty_place_for_a_missing_rank():
    tree = tree_of([-1, 0, 1], rank=np.array([-1, 0, 3]), name=["life", "Animalia", "Carnivora"])
    assert tree.path(2) == "Animalia|||Carnivora"
    assert tree.path(2, "/") == "Animalia///Carnivora"
    without = tree_of([-1, 0, 1], name=["", "x", "y"])
    assert without.path(2) == "x|y"


def test_a_path_skips_nodes_without_rank_below_others_with_one():
    tree = tree_of([-1, 0, 1, 2], rank=np.array([-1, 0, -1, 1]), name=["life", "Animalia", "Bilateria", "Chordata"])
    assert tree.path(3) == "Animalia|Chordata"


@pytest.mark.slow
@given(placements())
def test_a_placement_cannot_be_written_to_and_takes_rows(place):
    with pytest.raises(ValueError, match="read-only"):
        place.node[0] = 0
    rows = np.arange(len(place))[::-1]
    assert place.take(rows).node.tolist() == place.node[::-1].tolist()
    assert all(np.all(place.at(rank) == -1) for rank in RANKS)


@pytest.mark.parametrize("node", [[2], [-2], [[0]]])
def test_a_placement_outside_the_tree_is_refused(node):
    with pytest.raises(TreeError, match="from -1 to 1"):
        Placement(tree_of([-1, 0]), np.array(node))


@pytest.mark.slow
@settings(max_examples=30)
@given(lineage_tables(), st.sampled_from(RANKS))
def test_the_taxon_of_a_rank_equals_that_of_a_walk_and_is_missing_for_an_image_outside_the_tree(frame, rank):
    place = taxonomy(frame)
    wider = Placement(place.tree, np.append(place.node, -1))
    expected = [definitions.ancestor_at(place.tree, node, rank) for node in place.node]
    assert wider.at(rank).tolist() == [*expected, -1]
