import gzip
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import TreeError
from bioclip_probe.tree import Tree, patristic_distances, read_tree, read_trees, to_ete3
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing"),
        (" \n[only a comment]\n", "found nothing"),
        ("garbage", "found 'garbage'"),
        ("<html>\n<body>404 Not Found, come again</body>\n</html>", r"found '<html> <body>404 Not … "),
        ("(A:1,B:1)", "ends with ';'"),
        ("((A:1,B:1);", "not a Newick tree"),
        ("(A:1,B:1));", "not a Newick tree"),
        ("();", "not a Newick tree"),
        ("(A:1,);", "not a Newick tree"),
        ("(A:one,B:1);", "not a Newick tree"),
        ("(A:nan,B:1);", "not a Newick tree"),
        ("(A:1,B:1);(C:1,D:1);", "found 2; keep one"),
        ("(A:1,B);", "1 of 2 branches have no length"),
        ("((A:1,B:1),C:1);", "1 of 4 branches have no length"),
        ("(A:-1,B:1);", "at least 0; 1 are not: A"),
        ("(A:1,B:1,A:2);", "1 are given more than once: A"),
        ("('A':1,A:1);", "1 are given more than once: A"),
        ("(A:1,'':1,'':1);", "more than once"),
    ],
)
def test_a_file_that_holds_no_tree_is_refused_in_one_line_that_names_it(tmp_path, text, message):
    path = tmp_path / "tree.nwk"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TreeError, match=message) as caught:
        read_tree(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_error_names_up_to_five_duplicate_names():
    text = "(" + ",".join(f"t{i}:1,t{i}:1" for i in range(8)) + ");"
    with pytest.raises(TreeError, match="8 are given more than once: t0, t1, t2, t3, t4 and 3 more"):
        parse_newick(text)


def test_inner_nodes_may_share_a_name_or_have_none():
    assert parse_newick("((A:1,B:1)95:1,(C:1,D:1)95:1);").name.tolist() == ["", "95", "A", "B", "95", "C", "D"]


def test_a_file_may_be_plain_or_gzipped_and_begin_with_a_byte_order_mark(tmp_path):
    text = "(Çus_älbus:1,B:1);\n"
    (tmp_path / "a.nwk").write_text(text, encoding="utf-8")
    (tmp_path / "b.nwk").write_text(text, encoding="utf-8-sig")
    with gzip.open(tmp_path / "c.nwk.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    for name in ("a.nwk", "b.nwk", "c.nwk.gz"):
        tree = read_tree(str(tmp_path / name), unit="Myr")
        assert (tips(tree), tree.unit) == (["Çus_älbus", "B"], "Myr")


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path):
    (tmp_path / "no.gz").write_text("(A:1,B:1);")
    whole = gzip.compress(b"(A:1,B:1);" * 100)
    (tmp_path / "cut.gz").write_bytes(whole[:-9])
    (tmp_path / "hurt.gz").write_bytes(whole[:12] + bytes(8) + whole[20:])
    (tmp_path / "latin.nwk").write_bytes("(Çus:1,B:1);".encode("latin-1"))
    for name in ("missing.nwk", "no.gz", "cut.gz", "hurt.gz", "latin.nwk", "."):
        with pytest.raises(TreeError, match="cannot read the tree") as caught:
            read_tree(tmp_path / name)
        assert "\n" not in str(caught.value)


NEXUS = """#NEXUS
[a comment; with a semicolon]
Begin TAXA;
  Dimensions ntax=3;
End;
begin trees;
  Translate
    1 Homo_sapiens,
    2 'Pan, the ''chimp''; [it]',
    t3 Gorilla_gorilla
  ;
  tree * first [&lnP=-1] = [&R] ((1:1,2[&rate=0.1]:1)2:2,t3:3);
  tree second = (1:1,2:1);
end;
"""


def test_the_first_tree_of_a_nexus_file_is_read_with_translated_names(tmp_path):
    (tmp_path / "a.nex").write_text(NEXUS)
    tree = read_tree(tmp_path / "a.nex")
    assert tips(tree) == ["Homo_sapiens", "Pan, the 'chimp'; [it]", "Gorilla_gorilla"]
    assert tree.name[1] == "2"  # a support value, not a taxon
    assert tree.length.tolist() == [0, 2, 1, 1, 3]


def test_a_nexus_file_may_have_no_translation_table(tmp_path):
    (tmp_path / "a.nex").write_text("#nexus\nbegin trees;\nUTREE a=(A:1,'B c':1);\nend;")
    assert tips(read_tree(tmp_path / "a.nex")) == ["A", "B c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#NEXUS\nbegin trees;\nend;", "without a statement 'tree NAME = …;'"),
        ("#NEXUS\nbegin trees; translate 1 O'Neill, 2 B; tree a = (1:1,2:1); end;", "quote that does not end"),
        ("#NEXUS\nbegin trees;\ntree a = ((A:1,B:1);\nend;", "not a Newick tree"),
    ],
)
def test_a_nexus_file_without_a_tree_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "a.nex").write_text(text)
    with pytest.raises(TreeError, match=message):
        read_tree(tmp_path / "a.nex")


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_tips", "height"), [("birds_mctavish2025", 11167, 116.9), ("mammals_gumbs2023", 6286, 202.1)]
)
def test_tips_of_dated_trees_are_equally_deep(shared_data, ete3, name, n_tips, height):
    tree = read_tree(shared_data / "trees" / f"{name}.nwk", unit="Myr")
    assert len(tree.tips) == n_tips
    assert tree.is_ultrametric
    assert tree.depth.max() == pytest.approx(height, abs=0.05)
    drawn = ete3.Tree(str(shared_data / "trees" / f"{name}.nwk"), format=1)
    assert [leaf.name for leaf in drawn.iter_leaves()] == tips(tree)
    distance = patristic_distances(tree.subset(tree.tips[::700])[0])
    leaves = drawn.get_leaves()[::700]
    for a in range(0, len(leaves), 3):
        for b in range(a):
            assert distance[a, b] == pytest.approx(leaves[a].get_distance(leaves[b]), rel=1e-9)


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
        ("(A:1,B);", "1 of 2 branches have no length; give all or none"),
        ("(A:1,A:2,B:1);", "every tip needs a name of its own; 1 are given more than once: A"),
        ("( A :1,'A':1);", "every tip needs a name of its own; 1 are given more than once: A"),
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


def test_a_file_of_several_trees_is_read_whole(tmp_path):
    newick = tmp_path / "sample.nwk"
    newick.write_text("((a:1,b:1):2,c:3);\n[a comment; with an end](('b;b':2,a:2):1,c:3);\n")
    first, second = read_trees(newick, "Myr")
    assert first.length.tolist() == [0, 2, 1, 1, 3] and second.name[second.tips].tolist() == ["b;b", "a", "c"]
    nexus = tmp_path / "sample.nex"
    nexus.write_text(
        "#NEXUS\nbegin trees;\ntranslate 1 a, 2 b, 3 c;\ntree x = ((1:1,2:1):2,3:3);\ntree y = ((1:1,3:1):2,2:3);\nend;"
    )
    assert [tree.name[tree.tips].tolist() for tree in read_trees(nexus)] == [["a", "b", "c"], ["a", "c", "b"]]
    assert len(read_trees(nexus, at_most=1)) == 1
    single = tmp_path / "single.nwk"
    single.write_text("((a:1,b:1):2,c:3);")
    assert len(read_trees(single)) == 1


def test_an_error_in_a_file_of_several_trees_names_the_tree(tmp_path):
    newick = tmp_path / "sample.nwk"
    newick.write_text("((a:1,b:1):2,c:3);((a:1,a:1):2,c:3);")
    with pytest.raises(TreeError, match=r"sample.nwk: tree 2: every tip needs a name of its own"):
        read_trees(newick)
    newick.write_text("((a:1,b:1):2,c:3);((a:1")
    with pytest.raises(TreeError, match="tree 2"):
        read_trees(newick)
