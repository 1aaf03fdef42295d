import gzip

import pytest

from bioclip_probe.errors import DataError, TreeError
from bioclip_probe.limits import VARIABLE
from bioclip_probe.tree import Tree, patristic_distances, read_tree, read_trees
from bioclip_probe.tree.tree_file import read_tree_file


def tips(tree: Tree) -> list[str]:
    return tree.name[tree.tips].tolist()


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
        ("(A:1,B:1);(C:1,D:1);", "expected one tree, found 2; read_trees reads them all, or keep one"),
        ("(A:1,B);", "1 of 2 branches have no length"),
        ("((A:1,B:1),C:1);", "1 of 4 branches have no length"),
        ("(A:-1,B:1);", "at least 0; 1 are not: A"),
        ("(A:1,'':1,'':1);", "every tip needs a name; one has none"),
    ],
)
def test_a_file_that_holds_no_tree_is_refused_in_one_line_that_names_it(tmp_path, text, message):
    path = tmp_path / "tree.nwk"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TreeError, match=message) as caught:
        read_tree(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


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
    newick.write_text("((a:1,b:1):2,c:3);((a:1,b):2,c:3);")
    with pytest.raises(TreeError, match=r"sample.nwk: tree 2: 1 of 4 branches have no length: b"):
        read_trees(newick)
    newick.write_text("((a:1,b:1):2,c:3);((a:1")
    with pytest.raises(TreeError, match="tree 2"):
        read_trees(newick)


def test_the_numbers_of_programs_above_a_tree_are_passed_over(tmp_path):
    (tmp_path / "a.nwk").write_text("3 1\n((a:1,b:1):1,c:2);\n")
    assert tips(read_tree(tmp_path / "a.nwk")) == ["a", "b", "c"]
    (tmp_path / "b.nwk").write_text("2\n(a:1,b:1);\n(a:2,b:2);\n")
    assert len(read_trees(tmp_path / "b.nwk")) == 2


def chain(states, keyword="STATE_") -> str:
    trees = "".join(f"tree {keyword}{state} [&lnP=-1] = [&R] (a:{state + 1},b:1);\n" for state in states)
    return f"#NEXUS\nbegin trees;\n{trees}end;\n"


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        (range(0, 3000, 1000), [1000, 2000]),
        (range(0, 101, 10), list(range(10, 101, 10))),
        (range(0, 201, 10), list(range(20, 201, 10))),
        (range(1, 202, 10), list(range(21, 202, 10))),
        (range(1000, 5000, 1000), [1000, 2000, 3000, 4000]),  # its burn-in was left out before
        ([0, 5, 3], [0, 5, 3]),  # no chain in its order
        ([0], [0]),
    ],
)
def test_the_first_tenth_of_a_chain_is_burn_in(tmp_path, states, kept):
    (tmp_path / "a.trees").write_text(chain(states))
    file = read_tree_file(tmp_path / "a.trees")
    assert file.names == tuple(f"STATE_{state}" for state in kept)
    assert [tree.length[1] for tree in file.trees] == [state + 1 for state in kept]
    assert (file.n_trees, file.n_burn_in) == (len(states), len(states) - len(kept))


def test_the_chain_of_mrbayes_has_burn_in_and_plain_names_have_none(tmp_path):
    (tmp_path / "a.t").write_text(chain(range(0, 101, 10), "gen."))
    assert read_tree_file(tmp_path / "a.t").n_burn_in == 1
    (tmp_path / "b.trees").write_text(chain(range(0, 101, 10), "tree_"))
    assert read_tree_file(tmp_path / "b.trees").n_burn_in == 0


def test_trees_at_equal_steps_are_read_after_the_burn_in(tmp_path):
    (tmp_path / "a.trees").write_text(chain(range(0, 101, 10)))
    file = read_tree_file(tmp_path / "a.trees", at_most=4)
    assert file.names == ("STATE_10", "STATE_40", "STATE_70", "STATE_100")
    (tmp_path / "a.nwk").write_text("(a:1,b:1);" * 5)
    assert read_tree_file(tmp_path / "a.nwk", at_most=3).names == ("tree 1", "tree 3", "tree 5")


def test_a_compressed_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1MB")
    (tmp_path / "a.nwk.gz").write_bytes(gzip.compress(b"(" * (2 << 20)))
    with pytest.raises(DataError, match=r"a.nwk.gz: its unpacked text would take 1 MB of memory, more than"):
        read_tree(tmp_path / "a.nwk.gz")


def test_a_tree_of_too_many_nodes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1MB")
    (tmp_path / "a.nwk").write_text("(" * 1000 + "a" + ",)" * 1000 + ";")
    with pytest.raises(DataError, match=r"its 2,000 nodes would take 3\.91 MB of memory"):
        read_tree(tmp_path / "a.nwk")


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
