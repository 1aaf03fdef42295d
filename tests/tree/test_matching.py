import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import TreeError
from bioclip_probe.tree import NameRules, clean_lineages, match_names, patristic_distances, place_on, read_tree
from bioclip_probe.tree.newick import parse_newick

TREE = parse_newick("((Canis_lupus:1,Canis_aureus:1):2,(Felis_catus:2,'Felis silvestris':2):1,Çus_älbus:3);", "Myr")


def species(*names) -> pd.Series:
    return pd.Series(names, dtype="str")


def test_names_match_by_spelling_alone_and_every_miss_has_its_reason():
    names = ["Canis lupus", "canis_lupus", "Felis silvestris", "Canis latrans", "Ursus arctos", "Çus älbus", "Canis"]
    matches = match_names(names, TREE)
    assert matches["name"].tolist() == names
    assert matches["matched"].tolist() == [True, True, True, False, False, True, False]
    tips = [TREE.name[tip] if tip >= 0 else None for tip in matches["tip"]]
    assert tips == ["Canis_lupus", "Canis_lupus", "Felis silvestris", None, None, "Çus_älbus", None]
    assert matches["reason"][3] == "no tip of this name; its genus has 2 tips"
    assert matches["reason"][4] == "its genus is not in the tree"
    assert set(matches["reason"][matches["matched"]]) == {"same name"}


def test_a_name_that_two_tips_have_matches_neither():
    tree = parse_newick("(Canis_lupus:1,'Canis lupus':1,Canis_aureus:1);")
    matches = match_names(["Canis lupus", "Canis aureus"], tree)
    assert matches["tip"].tolist() == [-1, 3]
    assert matches["reason"].tolist() == ["2 tips have this name", "same name"]


def test_a_tip_stands_for_a_species_that_is_an_inner_node():
    tree = parse_newick("((Canis_lupus_dingo:1,Canis_lupus_lupus:1)Canis_lupus_ott247341:1,Vulpes_vulpes:2);")
    (match,) = match_names(["Canis lupus"], tree).itertuples()
    assert (match.kind, tree.name[match.tip]) == ("several tips", "Canis_lupus_lupus")
    tree = parse_newick("((A:1,B:1)'Canis lupus':1,C:1);")
    (match,) = match_names(["Canis lupus"], tree).itertuples()
    assert (match.kind, tree.name[match.tip]) == ("inner node", "A")
    assert match.reason == "an inner node of this name with 2 tips; 'A' stands for it"


def test_no_tip_stands_for_two_species():
    tree = parse_newick("((Bos_taurus:1,Bos_indicus:1)Bos_primigenius:1,Bison_bison:2);")
    names = ["Bos primigenius", "Bos taurus", "Bison bison"]
    matches = match_names(names, tree)
    assert [tree.name[tip] for tip in matches["tip"]] == ["Bos_indicus", "Bos_taurus", "Bison_bison"]
    matches = match_names([*names, "Bos indicus"], tree)
    assert matches["tip"].tolist() == [-1, 2, 4, 3]
    assert matches["reason"][0] == "an inner node of this name; its tips stand for other names"


def test_images_are_placed_by_species_and_none_is_lost():
    given = species("Felis catus", "Canis lupus", None, "Ursus arctos", "Canis lupus", "Çus älbus")
    before = given.copy()
    place, matches = place_on(TREE, given)
    tips = [place.tree.name[node] if node >= 0 else None for node in place.node]
    assert tips == ["Felis_catus", "Canis_lupus", None, None, "Canis_lupus", "Çus_älbus"]
    assert sorted(place.tree.name[place.tree.tips]) == ["Canis_lupus", "Felis_catus", "Çus_älbus"]
    assert matches["name"].tolist() == ["Canis lupus", "Felis catus", "Ursus arctos", "Çus älbus"]
    assert matches["n_images"].tolist() == [2, 1, 1, 1]
    assert place.tree.unit == "Myr"
    pd.testing.assert_series_equal(given, before)


def test_the_order_of_the_images_does_not_matter():
    given = species("Felis catus", "Canis lupus", None, "Canis aureus", "Ursus arctos")
    order = [3, 0, 4, 2, 1]
    place, matches = place_on(TREE, given)
    other, other_matches = place_on(TREE, given.iloc[order])
    assert other.node.tolist() == place.node[order].tolist()
    pd.testing.assert_frame_equal(matches, other_matches)


def test_the_tree_of_the_matched_species_keeps_its_distances():
    place, _ = place_on(TREE, species("Felis catus", "Canis lupus", "Canis aureus"))
    names = place.tree.name[place.tree.tips].tolist()
    whole = [np.flatnonzero(TREE.name[TREE.tips] == name)[0] for name in names]
    assert np.array_equal(patristic_distances(place.tree), patristic_distances(TREE)[np.ix_(whole, whole)])


@pytest.mark.parametrize("names", [[], [None, None], ["Ursus arctos"], ["Canis lupus", "Felis catus", "Felis catus"]])
def test_fewer_than_three_matches_are_an_error_that_shows_both_spellings(names):
    with pytest.raises(TreeError, match=r"only \d of \d species are tips .* named like 'Canis_lupus'"):
        place_on(TREE, species(*names))


def test_the_mammals_among_the_animals_match_but_for_three(shared_data):
    tree = read_tree(shared_data / "trees" / "mammals_gumbs2023.nwk", "Myr")
    animals = pd.read_csv(shared_data / "animals" / "labels.csv")
    mammals = clean_lineages(animals[animals["class"] == "Mammalia"])["species"]
    place, matches = place_on(tree, mammals)
    assert matches["matched"].sum() == 55
    missed = matches[~matches["matched"]]
    assert set(missed["name"]) == {"Bison bison", "Bos taurus", "Vicugna pacos"}
    assert all(missed["reason"].str.contains("its genus"))
    assert len(place.tree.tips) == 55
    assert place.tree.is_ultrametric
    assert np.sum(place.node >= 0) == matches.loc[matches["matched"], "n_images"].sum()
    assert matches["n_images"].sum() == mammals.notna().sum()


def matched(given, newick: str, **rules):
    tree = parse_newick(newick)
    matches = match_names(given, tree, rules=NameRules(**rules))
    return [tree.name[tip] if tip >= 0 else None for tip in matches["tip"]], matches


def test_names_are_found_in_labels():
    names = ["Pica hudsonia", "Felis catus", "Quercus ×deamii", "Aedes aegypti", "Canis lupus"]
    newick = (
        "(Pica_hudsonia_ott1:1,Felis_catus_FELIDAE_CARNIVORA:1,Quercus_x_deamii:1,Aedes_Stegomyia_aegypti:1,"
        "Canis_lupus_familiaris:1);"
    )
    tips, matches = matched(names, newick)
    assert tips == newick.strip("();").replace(":1", "").split(",")
    assert matches["kind"].tolist() == ["label", "label", "same name", "label", "label"]


def test_one_tip_stands_for_the_tips_of_a_species_that_are_a_clade():
    names = ["Canis lupus", "Vulpes vulpes"]
    newick = "((Canis_lupus_dingo:1,Canis_lupus_lupus:1):1,Vulpes_vulpes:2,Canis_latrans:2);"
    tips, matches = matched(names, newick)
    assert tips == ["Canis_lupus_lupus", "Vulpes_vulpes"]
    assert matches["reason"][0] == "2 tips of it are a clade; 'Canis_lupus_lupus' stands for it"
    tips, matches = matched(names, "((Canis_lupus_dingo:1,Canis_latrans:1):1,Canis_lupus_lupus:2,Vulpes_vulpes:2);")
    assert tips[0] is None
    assert (matches["kind"][0], matches["reason"][0]) == ("several places", "2 tips have this name")


def test_the_species_itself_goes_before_its_subspecies():
    tips, _ = matched(["Canis lupus"], "(Canis_lupus_dingo:1,Canis_lupus:1,Vulpes_vulpes:2);")
    assert tips == ["Canis_lupus"]


def test_a_duplicate_tip_elsewhere_does_not_matter():
    tips, _ = matched(["Canis lupus"], "((Felis_catus:1,Canis_lupus:1):1,Felis_catus:2);")
    assert tips == ["Canis_lupus"]


def test_a_table_of_names_goes_before_the_name_itself():
    names = {"felis_concolor": "Puma concolor", "Pica pica": "Corvus_corax_ott2", "Sitta europaea": "Parus major"}
    newick = "(Puma_concolor:1,Pica_pica:1,Corvus_corax_ott2:1);"
    tips, matches = matched(["Felis concolor", "Pica pica", "Sitta europaea"], newick, names=names)
    assert tips == ["Puma_concolor", "Corvus_corax_ott2", None]
    assert matches["kind"].tolist() == ["table", "table", "wrong table"]
    assert matches["reason"][2] == "the table of names gives 'Parus major': its genus is not in the tree"


def test_a_species_stands_at_its_genus_only_where_it_is_asked_for():
    newick = "(((Felis_catus:1,Felis_lybica:1):1,Puma_concolor:2):1,(Canis_lupus:2,Vulpes_vulpes:2):1,Canis_aureus:3);"
    names = ["Felis nigripes", "Puma yagouaroundi", "Canis latrans", "Lynx lynx"]
    assert matched(names, newick)[0] == [None] * 4
    tree = parse_newick(newick)
    matches = match_names(names, tree, rules=NameRules(at_genus=True))
    assert matches["tip"].tolist() == [2, 5, -1, -1]
    assert matches["kind"].tolist() == ["genus", "genus", "several places", "no genus"]
    assert matches["reason"][2] == "the 2 tips of its genus do not form a clade"


def test_genera_match_genera_and_open_nomenclature_but_no_species():
    tree = parse_newick("(Felis:1,Puma_sp.:1,(Canis_lupus:1,Canis_aureus:1)Canis:1,Vulpes_vulpes:2);")
    names = ["Felis", "Puma", "Canis", "Vulpes", "Lynx"]
    matches = match_names(names, tree, "genus")
    assert matches["kind"].tolist() == ["same name", "label", "inner node", "no tip", "not in tree"]
    assert matches["reason"][3] == "no tip of this name, but 1 tip of its species"
    matches = match_names(names, tree, "genus", NameRules(at_genus=True))
    assert tree.name[matches["tip"][3]] == "Vulpes_vulpes"


def test_families_match_families():
    tree = parse_newick("((Felidae_ott1:1,Canidae:1):1,URSIDAE:2);")
    assert match_names(["Canidae", "Felidae", "Ursidae"], tree, "family")["tip"].tolist() == [3, 2, 4]
