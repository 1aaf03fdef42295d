import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import TreeError
from bioclip_probe.tree import Tree, patristic_distances, to_ete3
from bioclip_probe.tree.newick import parse_newick
from tests.support.strategies import trees


def tips(tree: Tree) -> list[str]:
    return tree.name[tree.tips].tolist()


def written(tree: Tree) -> str:
    """Newick by its definition, every name in quotes."""

    def node(i: int) -> str:
        below = ",".join(node(child) for child in range(len(tree)) if tree.parent[child] == i)
        name = "'" + tree.name[i].replace("'", "''") + "'"
        return (f"({below})" if below else "") + name + (f":{float(tree.length[i])!r}" if i else "")

    return node(0) + ";"


def test_a_tree_is_read_into_preorder():
    tree = parse_newick("((A:1,B:2.5)x:3e-1,C:0)root;", "Myr")
    assert tree.parent.tolist() == [-1, 0, 1, 1, 0]
    assert tree.length.tolist() == [0, 0.3, 1, 2.5, 0]
    assert tree.name.tolist() == ["root", "x", "A", "B", "C"]
    assert (tree.unit, set(tree.rank)) == ("Myr", {-1})


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=6)


@pytest.mark.slow
@settings(max_examples=50)
@given(trees(), st.data())
def test_any_tree_with_any_names_is_read_back_from_newick(tree, data):
    names = data.draw(st.lists(NAMES, min_size=len(tree), max_size=len(tree), unique=True))
    named = Tree(tree.parent, tree.length, np.array(names, dtype=object), tree.rank)
    back = parse_newick(written(named))
    assert back.parent.tolist() == tree.parent.tolist()
    assert back.name.tolist() == names
    assert back.length.tolist() == tree.length.tolist()


@settings(max_examples=50)
@given(trees())
def test_any_tree_is_read_back_from_ete3(tree):
    drawn = to_ete3(tree)
    assert [node.index for node in drawn.traverse("preorder")] == list(range(len(tree)))
    back = parse_newick(drawn.write(format=1, format_root_node=True, dist_formatter="%.17g"))
    assert back.parent.tolist() == tree.parent.tolist()
    assert back.name.tolist() == tree.name.tolist()
    assert back.length.tolist() == tree.length.tolist()


@pytest.mark.slow
@settings(max_examples=50)
@given(trees(min_nodes=3))
def test_scikit_bio_reads_the_same_tree(tree):
    from skbio import TreeNode

    other = TreeNode.read(io.StringIO(written(tree)), format="newick")
    nodes = list(other.preorder(include_self=True))
    back = parse_newick(written(tree))
    assert back.name.tolist() == [node.name for node in nodes]
    assert back.length.tolist()[1:] == [node.length for node in nodes[1:]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("('Homo sapiens':1,B:1);", ["Homo sapiens", "B"]),
        ('("Homo sapiens":1,B:1);', ["Homo sapiens", "B"]),
        ("('a,b:(c);':1,B:1);", ["a,b:(c);", "B"]),
        ("('D''Orbigny':1,B:1);", ["D'Orbigny", "B"]),
        ("(D'Orbigny:1,O'Neill:1);", ["D'Orbigny", "O'Neill"]),
        ("('A [not a comment]':1,B[a comment, with (everything);]:1);", ["A [not a comment]", "B"]),
        ("[&R] ([&c='x']'A b':1 , \n B :[&rate=1]1)[end];\n", ["A b", "B"]),
        ("(Homo_sapiens:1,Pan troglodytes:1);", ["Homo_sapiens", "Pan troglodytes"]),
        ("(Çus_älbus:1,種:1);", ["Çus_älbus", "種"]),
        ("('A b':1,B:1)'the root':0;", ["A b", "B"]),
        ("('A b':1,B:1):7;", ["A b", "B"]),
        ("(A:1,B[a [nested [twice]] comment; with (everything)]:1);", ["A", "B"]),
        ("(Aus_[Bus]_x.:1,[Cus]_dus:1,Eus [Fus] gus:1);", ["Aus_[Bus]_x.", "[Cus]_dus", "Eus [Fus] gus"]),
        ("(Aus_[Bus]:1,A[Bus]:1,B[note]:1,[note]C:1,D[&x]e:1);", ["Aus_[Bus]", "A", "B", "C", "De"]),
        ("([Clostridium] difficile:1,[Comment] B:1);", ["[Clostridium] difficile", "B"]),
        ("(Rosa 'Peace':1,\"Rosa 'Peace'\":1);", ["Rosa 'Peace'", "Rosa 'Peace'"]),
        ("A;", ["A"]),
        ("'A b';", ["A b"]),
        ("(A:1);", ["A"]),
    ],
)
def test_quotes_and_comments_are_removed_from_names(text, names):
    tree = parse_newick(text)
    assert tips(tree) == names
    assert tree.length[0] == 0


def test_without_lengths_every_branch_counts_one():
    tree = parse_newick("((A,B),C);", "Myr")
    assert tree.length.tolist() == [0, 1, 1, 1, 1]
    assert tree.unit == "branches"
    assert patristic_distances(tree).tolist() == [[0, 2, 3], [2, 0, 3], [3, 3, 0]]


def test_a_length_may_begin_with_its_point():
    assert parse_newick("((A:.5,B: .25):1e-1,'C:.1':1.);").length.tolist() == [0, 0.1, 0.5, 0.25, 1]


def test_a_length_of_one_counts_as_a_length():
    assert parse_newick("((A:1,B:1):1,C:1);", "Myr").unit == "Myr"


def test_tips_may_share_a_name():
    assert tips(parse_newick("((A:1,B:1):1,(A:1,C:1):1);")) == ["A", "B", "A", "C"]


def test_inner_nodes_may_share_a_name_or_have_none():
    assert parse_newick("((A:1,B:1)95:1,(C:1,D:1)95:1);").name.tolist() == ["", "95", "A", "B", "95", "C", "D"]


def test_a_caterpillar_of_5000_tips_is_read_and_given_back_without_recursion(ete3):
    text = "(t0:1,t1:1)"
    for i in range(2, 5000):
        text = f"({text}:1,t{i}:1)"
    tree = parse_newick(text + ";")
    assert (len(tree.tips), tree.depth.max()) == (5000, 4999)
    assert len(to_ete3(tree).get_leaves()) == 5000


def test_nodes_of_ete3_have_rank_and_index_as_features(ete3):
    tree = Tree(np.array([-1, 0, 0]), np.array([0, 1.5, 2]), np.array(["r", "a", "b"]), np.array([-1, 6, 6]), "rank")
    drawn = to_ete3(tree)
    assert isinstance(drawn, ete3.TreeNode)
    assert [(leaf.name, leaf.dist, leaf.rank, leaf.index) for leaf in drawn] == [("a", 1.5, 6, 1), ("b", 2.0, 6, 2)]


def test_a_deep_newick_is_read_without_recursion():
    text = "(" * (10_000 - 1) + "t0:1,t1:1)" + "".join(f":1,t{i}:1)" for i in range(2, 10_000)) + ";"
    tree = parse_newick(text)
    assert (len(tree), tree.depth.max()) == (19_999, 10_000 - 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("(A:1,B:-0.5);", "branch lengths must be finite and at least 0; 1 are not: B"),
        ("(A:1,(B:1,C:1):-1e-9);", "branch lengths must be finite and at least 0; 1 are not: node 2"),
        ("(A:1e400,B:1);", "branch lengths must be finite and at least 0; 1 are not: A"),
        ("(A:inf,B:1);", "not a Newick tree (Unexpected newick format 'A:inf')"),
        ("(A:,B:1);", "not a Newick tree (Unexpected newick format 'A:')"),
        ("(A:1,B);", "1 of 2 branches have no length: B; give all or none"),
        ("((A:1,B:1),'C d':1);", "1 of 4 branches have no length: the node above A and B; give all or none"),
        ("(A:x,'C d':1);", "not a Newick tree (Unexpected newick format 'A:x')"),
        ("(A:1,'C d':x);", "not a Newick tree (Unexpected newick format 'C d:x')"),
        ("(A:1,B[a [nested] comment:1);", "not a Newick tree (a comment that does not end: [a [nested] comment: …)"),
        ("('A:1,B:1);", "not a Newick tree (a quote that does not end: 'A:1,B:1); …)"),
        ('(A:1,"B:1);', 'not a Newick tree (a quote that does not end: "B:1); …)'),
        ("(A:1,'':1);", "every tip needs a name; one has none"),
        (";", "expected one Newick tree that ends with ';', found ';'"),
    ],
)
def test_a_tree_that_cannot_be_measured_is_refused_in_one_clear_line(text, line):
    with pytest.raises(TreeError) as caught:
        parse_newick(text)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("(Homo sapiens:1,Homo\tneander:1,Pan\n  paniscus:1);", ["Homo sapiens", "Homo neander", "Pan paniscus"]),
        ("(  A  :1 , B:1 ) ;", ["A", "B"]),
        ("('  A':1,A:1);", ["  A", "A"]),
        ("('Homo\tsapiens':1,B:1);", ["Homo\tsapiens", "B"]),
        ("('it''s (a, b); [c]:d':1,\"so 'it' is\":1);", ["it's (a, b); [c]:d", "so 'it' is"]),
        ("(O'Neill's:1,B'':1);", ["O'Neill's", "B''"]),
        ("(Ａ:1,A:1,é:1,e\u0301:1,🦊:1,種 名:1);", ["Ａ", "A", "é", "e\u0301", "🦊", "種 名"]),
        ("(1:1,-2:1,3e5:1,NaN:1,None:1);", ["1", "-2", "3e5", "NaN", "None"]),
    ],
)
def test_names_are_kept_as_they_are_written(text, names):
    tree = parse_newick(text)
    assert tree.name[tree.tips].tolist() == names
