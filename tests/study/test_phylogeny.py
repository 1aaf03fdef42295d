"""Files of phylogenies as a study reads them: samples of trees, tables of names, notes."""

from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe.errors import DataError, TreeError
from bioclip_probe.study.name_table import read_name_table
from bioclip_probe.study.phylogeny import Phylogeny

CATS = pd.DataFrame({"species": ["Felis catus", "Puma concolor", "Lynx rufus", "Panthera leo"]})
RIGHT = "(((Felis_catus:6,Puma_concolor:6):2,Lynx_rufus:8):4,Panthera_leo:12)"
WRONG = "(((Felis_catus:1,Panthera_leo:1):5,Puma_concolor:6):1,Lynx_rufus:7)"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_most_credible_tree_of_a_sample_is_measured_whole_and_each_is_placed(tmp_path):
    sample = Phylogeny(write(tmp_path / "cats.nwk", f"{WRONG};\n{RIGHT};\n{RIGHT};\n"), "Myr").read()
    assert (sample.lead, len(sample.trees)) == (1, 3)
    placement, matches = sample.place(CATS)
    assert placement.tree.is_ultrametric and placement.tree.depth.max() == 12
    assert [each.tree.depth.max() for each in sample.place_on_each(CATS)] == [7, 12, 12]
    (note,) = sample.notes_on(matches, CATS)
    assert note == (
        "cats.nwk holds 3 trees; tree 2, whose clades are the most credible, is measured whole, and the tree signal on "
        "each of 3"
    )


def test_burn_in_is_left_out_and_said(tmp_path):
    trees = f"tree STATE_0 = {WRONG};\ntree STATE_1000 = {RIGHT};\ntree STATE_2000 = {RIGHT};\n"
    sample = Phylogeny(write(tmp_path / "cats.trees", f"#NEXUS\nbegin trees;\n{trees}end;\n")).read()
    assert len(sample.trees) == 2
    assert "holds 3 trees; 1 of the first tenth of their chain are left out as burn-in; STATE_1000" in sample.notes[0]


def test_one_tree_needs_no_note_and_is_no_sample(tmp_path):
    phylogeny = Phylogeny(write(tmp_path / "cats.nwk", RIGHT + ";"))
    sample = phylogeny.read()
    assert (phylogeny.name, sample.notes, sample.place_on_each(CATS)) == ("cats", (), ())


def test_what_is_odd_about_a_tree_is_noted(tmp_path):
    text = "((A_b:1,A_b:1):1,(C_d:1,E_f:1):1);"
    (note,) = Phylogeny(write(tmp_path / "a.nwk", text)).read().notes
    assert note == "1 labels are those of several tips: A_b"
    (note,) = Phylogeny(write(tmp_path / "b.nwk", "((A_b,C_d),(E_f,G_h));")).read().notes
    assert note == "no branch of the tree has a length: each counts 1"
    (note,) = Phylogeny(write(tmp_path / "u.nwk", "[&U]((A_b:1,C_d:1):1,E_f:1);")).read().notes
    assert note == "the file calls its tree unrooted, [&U]: the node that is written first is taken as the root"
    (note,) = Phylogeny(write(tmp_path / "c.nwk", "((1:1,2:1):1,(3:1,4:1):1);")).read().notes
    assert note == "4 of 4 tips have labels without a name: 1, 2, 3, 4; see --tree-names"


def test_too_few_tips_are_an_error_that_names_the_file_and_what_is_odd(tmp_path):
    sample = Phylogeny(write(tmp_path / "ids.nwk", "(((ott1:6,ott2:6):2,ott3:8):4,ott4:12);")).read()
    line = r"^ids.nwk: only 0 of 4 species are tips .*; 4 of 4 tips have labels without a name\. --tree-names FILE"
    with pytest.raises(TreeError, match=line):
        sample.place(CATS)


def test_how_names_were_found_is_noted(tmp_path):
    newick = "(((Felis_catus_ott1:6,Puma_concolor_ott2:6):2,Lynx_rufus:8):4,Panthera_leo:12);"
    names = write(
        tmp_path / "names.csv", "ours,theirs\nFelis leo,Panthera leo\nSus scrofa,Sus domesticus\nBos taurus,\n"
    )
    sample = Phylogeny(write(tmp_path / "cats.nwk", newick), names=names).read()
    images = pd.DataFrame(
        {"species": ["Felis catus", "Puma concolor", "Lynx rufus", "Felis leo", "Panthera leo", None]}
    )
    placement, matches = sample.place(images)
    assert placement.node[3] == placement.node[4]
    assert sample.notes_on(matches, images) == [
        "1 rows of names.csv without 'theirs' were passed over",
        "1 names of the table of names are not in the data: Sus scrofa",
        "2 found by the name that is part of a label, e.g. 'Felis catus': label 'Felis_catus_ott1'",
        "1 found by the table of names, e.g. 'Felis leo': 'Panthera leo' in the table of names",
        "2 names share 1 tips, as one taxon: Felis leo, Panthera leo",
        "1 images have no name at rank species",
    ]


def test_a_tree_of_genera_says_its_rank(tmp_path):
    sample = Phylogeny(write(tmp_path / "g.nwk", "((Felis:6,Puma:6):2,Lynx:8);")).read()
    images = pd.DataFrame({"genus": ["Felis", "Puma", "Lynx"], "species": [None] * 3})
    assert sample.notes_on(sample.match(images), images) == [
        "the tips of the tree are matched at rank genus, and numbers on it are of genera"
    ]


def test_the_unit_of_a_taxonomy_is_refused():
    with pytest.raises(TreeError, match="unit 'rank' is that of the taxonomy"):
        Phylogeny(Path("birds.nwk"), "rank")


def test_the_name_of_a_compressed_tree_has_no_ending():
    assert Phylogeny(Path("birds.nwk.gz")).name == "birds"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ours,theirs\nA b,C d\na_b,E f\n", "gives two names of the tree for 'a_b': C d, E f; keep one"),
        ("name,tree\nA b,C d\n", "lacks the columns ours, theirs; it has: name, tree"),
    ],
)
def test_a_table_of_names_that_is_none_is_refused(tmp_path, text, line):
    with pytest.raises(DataError, match=line):
        read_name_table(write(tmp_path / "names.csv", text))
    with pytest.raises(DataError, match="no such table of names"):
        read_name_table(tmp_path / "none.csv")


def test_a_table_of_names_may_be_parted_by_tabs(tmp_path):
    table = read_name_table(write(tmp_path / "names.tsv", "n\ttheirs\tours\n1\tC d\tA b\n2\tC d\ta_b\n"))
    assert dict(table.names) == {"A b": "C d", "a_b": "C d"}


def test_a_distance_matrix_stands_in_place_of_a_tree(tmp_path):
    names = ["Lynx rufus", "Felis catus", "Puma concolor"]
    rows = ["0,,", "8,0,", "8,6,0"]
    text = f"species,{','.join(names)}\n" + "".join(f"{name},{row}\n" for name, row in zip(names, rows, strict=True))
    sample = Phylogeny(write(tmp_path / "cats.csv", text), "Myr").read()
    placement, matches = sample.place(CATS)
    assert placement.distance.tolist() == [[0, 8, 8], [8, 0, 6], [8, 6, 0]]
    assert placement.node.tolist() == [2, 3, 1, -1]
    assert matches["matched"].sum() == 3
    assert sample.notes == ("a distance matrix in place of a tree: correlations and the Mantel test only",)
    with pytest.raises(TreeError, match="no species can stand at its genus"):
        Phylogeny(tmp_path / "cats.csv", at_genus=True).read()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (",a,b,c\na,0,1,2\nb,1,0,3\n", "it has 2 rows and 3 columns, and in one of them only: c"),
        (",a,b\na,0,1\nc,1,0\n", "2 rows and 2 columns, and in one of them only: c, b"),
        (",a,b\na,0,x\nb,1,0\n", "expected numbers as distances; 1 entries are none: x"),
        (",a,b\na,0,1\nb,2,0\n", "cats.csv: a distance matrix is symmetric; 1 pairs have two distances: a and b"),
        (",a,a\na,0,1\na,1,0\n", "each name once in its first line"),
    ],
)
def test_a_table_that_is_no_distance_matrix_is_refused(tmp_path, text, line):
    with pytest.raises(TreeError, match=line):
        Phylogeny(write(tmp_path / "cats.csv", text)).read()


def test_the_order_of_rows_and_columns_of_a_matrix_does_not_matter(tmp_path):
    text = "\tb\ta\tc\nc\t3\t2\t0\na\t1\t0\t2\nb\t0\t1\t3\n"
    matrix = Phylogeny(write(tmp_path / "cats.tsv", text)).read().matrix
    assert list(matrix.names) == ["c", "a", "b"]
    assert matrix.distance.tolist() == [[0, 2, 3], [2, 0, 1], [3, 1, 0]]
