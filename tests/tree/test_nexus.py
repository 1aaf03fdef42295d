import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import TreeError
from bioclip_probe.tree import Tree, read_tree, read_trees
from bioclip_probe.tree.newick import parse_newick
from bioclip_probe.tree.nexus import nexus_trees

NEXUS = """#NEXUS
[a comment; with a semicolon [and a nested one]]
Begin TAXA;
  Dimensions ntax=3;
End;
begin trees;
  Translate
    1 Homo_sapiens,
    2 'Pan, the ''chimp''; [it]',
    t3 "Gorilla gorilla"
  ;
  tree * first [&lnP=-1] = [&R] ((1:1,2[&rate=0.1]:1)2:2,t3:3);
end;
"""


def tips(tree: Tree) -> list[str]:
    return tree.name[tree.tips].tolist()


def parsed(text: str) -> list[Tree]:
    return [parse_newick(tree.newick, tip_name=tree.tip_name) for tree in nexus_trees(text)]


def block(trees: str, taxa: str = "") -> str:
    return f"#NEXUS\n{taxa}\nbegin trees;\n{trees}\nend;\n"


def test_a_tree_is_read_with_translated_names(tmp_path):
    (tmp_path / "a.nex").write_text(NEXUS)
    tree = read_tree(tmp_path / "a.nex")
    assert tips(tree) == ["Homo_sapiens", "Pan, the 'chimp'; [it]", "Gorilla gorilla"]
    assert tree.name[1] == "2"  # a support value, not a taxon
    assert tree.length.tolist() == [0, 2, 1, 1, 3]


def test_a_file_may_have_no_translation_table(tmp_path):
    (tmp_path / "a.nex").write_text("#nexus\nbegin trees;\nUTREE a=(A:1,'B c':1);\nend;")
    assert tips(read_tree(tmp_path / "a.nex")) == ["A", "B c"]


def test_of_several_trees_none_is_taken_without_a_word(tmp_path):
    (tmp_path / "a.nex").write_text(block("tree a = (A:1,B:1);\ntree b = (A:2,B:2);"))
    with pytest.raises(TreeError, match=r"a.nex: expected one tree, found 2; read_trees reads them all"):
        read_tree(tmp_path / "a.nex")
    assert [tree.length[1] for tree in read_trees(tmp_path / "a.nex")] == [1, 2]


def test_numbers_stand_for_labels_where_no_table_translates_them():
    taxa = (
        "begin taxa; title t; dimensions ntax=4; taxlabels [1] Pica_pica [2] 'Canis lupus' [3] \"Felis catus\" x; end;"
    )
    (tree,) = parsed(block("tree one = [&R] (((1:5,3:5)2:95,4:100)4:1,2:1);", taxa))
    assert tips(tree) == ["Pica_pica", "Felis catus", "x", "Canis lupus"]
    assert tree.name[[1, 2]].tolist() == ["4", "2"]  # support values


def test_a_table_goes_before_labels_and_names_before_numbers():
    taxa = "begin taxa; dimensions ntax=3; taxlabels a 3 c; end;"
    (tree,) = parsed(block("translate 1 x, 'k 1' y;\ntree one = (1:1,2:1,3:1,'k 1':1,4:1,a:1);", taxa))
    # 1 is translated, 2 is the second label, 3 is itself a label, 4 is the number of none.
    assert tips(tree) == ["x", "3", "3", "y", "4", "a"]


def test_a_table_may_give_the_numbers_of_labels():
    taxa = "begin taxa; dimensions ntax=2; taxlabels Felis_catus Puma_concolor; end;"
    assert tips(parsed(block("translate a 2, b 1;\ntree one = (a:1,b:1);", taxa))[0]) == [
        "Puma_concolor",
        "Felis_catus",
    ]


def test_labels_of_another_number_than_announced_are_refused_where_numbers_stand_for_them():
    taxa = "begin taxa; dimensions ntax=2; taxlabels Canis lupus Felis catus; end;"
    with pytest.raises(
        TreeError, match="announces 2 taxa, and TAXLABELS has 4 words; put names with blanks into quotes"
    ):
        parsed(block("tree one = (1:1,2:1);", taxa))
    assert tips(parsed(block("tree one = (Canis_lupus:1,Felis_catus:1);", taxa))[0]) == ["Canis_lupus", "Felis_catus"]


def test_a_translated_name_may_hold_blanks_and_apostrophes():
    (tree,) = parsed(block("translate 1 Canis lupus , 2 O'Neill,3 'D''Orbigny, A.';\ntree a = (1:1,2:1,3:1);"))
    assert tips(tree) == ["Canis lupus", "O'Neill", "D'Orbigny, A."]


def test_each_block_of_trees_has_its_own_table():
    text = (
        block("translate 1 a, 2 b; tree x = (1:1,2:1);") + "begin trees; translate 1 c, 2 d; tree y = (1:1,2:1); end;"
    )
    assert [tips(tree) for tree in parsed(text)] == [["a", "b"], ["c", "d"]]


def test_a_tree_is_not_looked_at_before_it_is_read():
    (tree,) = nexus_trees(block("tree [&x=(1)] one [&lnP=-1] = [&U] (A[&rate=1]:1,'B =;':1);"))
    assert (tree.name, tree.newick) == ("one", "[&U] (A[&rate=1]:1,'B =;':1);")


def test_names_of_trees_and_trees_of_one_tip_are_read():
    text = block("tree 'a = b' = A:1;\nTREE*two=[&U](A:1,B:1);\ntree = (A:1,B:1);")
    assert [tree.name for tree in nexus_trees(text)] == ["a = b", "two", ""]
    assert tips(parsed(text)[0]) == ["A"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#NEXUS\nbegin trees;\nend;", "without a statement 'tree NAME = …;'"),
        ("#NEXUS\nbegin trees; translate 1 'Neill, 2 B; tree a = (1:1,2:1); end;", "quote that does not end"),
        ("#NEXUS\nbegin trees; [translate 1 a; tree a = (1:1,2:1); end;", "comment that does not end"),
        ("#NEXUS\nbegin trees;\ntree a = ((A:1,B:1);\nend;", "not a Newick tree"),
    ],
)
def test_a_file_without_a_tree_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "a.nex").write_text(text)
    with pytest.raises(TreeError, match=message):
        read_trees(tmp_path / "a.nex")


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=8)


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.sampled_from(["translate", "taxlabels"]), st.booleans())
def test_any_names_are_read_back_from_a_table_and_from_labels(names, statement, double):
    quote = '"' if double else "'"
    quoted = [quote + name.replace(quote, quote * 2) + quote for name in names]
    newick = (
        "(" + ",".join(f"k{i}:1" if statement == "translate" else f"{i}:1" for i in range(1, len(names) + 1)) + ");"
    )
    if statement == "translate":
        text = block(
            "translate " + ", ".join(f"k{i} {name}" for i, name in enumerate(quoted, 1)) + f"; tree a = {newick}"
        )
    else:
        text = block(
            f"tree a = {newick}", f"begin taxa; dimensions ntax={len(names)}; taxlabels {' '.join(quoted)}; end;"
        )
    own = {str(number) for number in range(1, len(names) + 1)} & set(names)
    if statement == "translate" or not own:
        assert tips(parsed(text)[0]) == names
