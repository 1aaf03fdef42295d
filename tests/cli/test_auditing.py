"""The audit of names, and of what a phylogeny lacks: it needs no pictures."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.support.command_line import refused, run

CATS = ("Felis catus", "Puma concolor", "Lynx rufus", "Panthera leo")
NEWICK = "(((Felis_catus_ott1:6,Puma_concolor_ott2:6):2,Lynx_rufus_ott3:8):4,Panthera_leo_ott4:12);"


def names(path, *species: str) -> str:
    path.write_text("species\n" + "".join(f"{name}\n" for name in species))
    return f"table:{path}"


def test_a_table_of_names_is_enough(here, capsys):
    (here / "cats.nwk").write_text(NEWICK)
    data = names(here / "cats.csv", *CATS, CATS[0])
    status, out, err = run(capsys, "audit", "--data", data, "--tree", "cats.nwk")
    assert (status, err) == (0, "")
    assert "cats: 5 images" in out
    assert "cats.nwk: 4 of 4 species are tips of the tree" in out
    assert "4 found by the name that is part of a label, e.g. 'Felis catus': label 'Felis_catus_ott1'" in out
    assert "--out" not in out and [path.name for path in here.iterdir() if path.suffix not in (".nwk", ".csv")] == []


@pytest.mark.parametrize("ending", ["parquet", "tsv"])
def test_the_table_may_be_of_another_kind(here, capsys, ending):
    table = pd.DataFrame({"genus": ["Felis", "Puma"], "species": ["catus", "concolor"], "split": ["a", "b"]})
    table.to_parquet("cats.parquet") if ending == "parquet" else table.to_csv("cats.tsv", sep="\t")
    status, out, _ = run(capsys, "audit", "--data", f"table:cats.{ending}")
    assert status == 0 and "cats: 2 images" in out


def test_names_without_a_tip_are_a_summary_and_a_file_that_can_be_given_back(here, capsys):
    (here / "cats.nwk").write_text(NEWICK.replace("Puma_concolor_ott2", "Felis_lybica").replace("leo", "leoo"))
    odd = [f"Nomen{'abcdefghij'[i // 10]}{'klmnopqrst'[i % 10]} falsum" for i in range(30)]
    data = names(here / "cats.csv", *CATS, CATS[3], "Lynx lynx", *odd)
    status, out, _ = run(capsys, "audit", "--data", data, "--tree", "cats.nwk", "--out", "audit")
    assert status == 0
    assert "cats.nwk: 2 of 35 species are tips of the tree" in out
    assert "33 names without a tip:" in out
    assert "31: its genus is not in the tree" in out
    assert "2: its genus has tips, it has none" in out
    assert "Those of most images, 20 of 33:" in out
    assert "1 of them have a suggestion" in out
    assert "2 have relatives of their genus in the tree; --tree-at-genus puts them beside these" in out
    assert sum(name in out for name in odd) < 20
    table = pd.read_csv("audit/tree-names.csv", keep_default_na=False)
    assert table.iloc[0].tolist() == ["Panthera leo", "Panthera leoo ott4", "one letter differs", 2]
    assert len(table) == 33 and len(pd.read_csv("audit/tree-matches.csv")) == 35
    out = run(capsys, "audit", "--data", data, "--tree", "cats.nwk", "--tree-names", "audit/tree-names.csv")[1]
    assert "cats.nwk: 3 of 35 species are tips of the tree" in out
    assert "32 rows of tree-names.csv without 'theirs' were passed over" in out
    assert "1 found by the table of names, e.g. 'Panthera leo': 'Panthera leoo ott4' in the table of names" in out
    assert "--out DIR writes all names without a tip" in out
    out = run(capsys, "audit", "--data", data, "--tree", "cats.nwk", "--tree-at-genus")[1]
    assert "4 of 35 species are tips of the tree" in out
    assert "2 found at the crown of the genus, which has no tip of this name, e.g. 'Lynx lynx': no tip" in out


def test_a_program_gets_all_names(here, capsys):
    (here / "cats.nwk").write_text(NEWICK)
    data = names(here / "cats.csv", *CATS, "Felis concolor")
    content = json.loads(run(capsys, "audit", "--data", data, "--tree", "cats.nwk", "--json")[1])
    assert content["tree"]["rank"] == "species" and content["tree"]["n_taxa"] == 5
    assert [match["matched"] for match in content["tables"]["matches"]] == [True, False, True, True, True]
    assert content["tables"]["tree_names"][0]["ours"] == "Felis concolor"


def test_what_cannot_be_audited_is_one_line(here, capsys):
    data = names(here / "cats.csv", *CATS)
    (here / "cats.nwk").write_text(NEWICK)
    line = refused(capsys, "audit", "--data", data, "--tree", "cats.nwk", "--tree-names", "none.csv")
    assert "no such table of names" in line
    line = refused(capsys, "audit", "--data", data, "--tree", "cats.nwk", "--out", "cats.csv")
    assert "cannot write to cats.csv" in line


def test_pictures_are_needed_for_all_else(here, capsys):
    data = names(here / "cats.csv", *CATS)
    assert "has no column of picture paths" in refused(capsys, "measure", "--data", data, "--models", "pixels")
