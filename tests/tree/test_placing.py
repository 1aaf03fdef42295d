import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import TreeError
from bioclip_probe.tree import NameRules, Placement, patristic_distances, place_on
from bioclip_probe.tree.newick import parse_newick

GENERA = ["Felis", "Puma", "Lynx", "Canis"]


def distances(placement: Placement) -> pd.DataFrame:
    names = placement.tree.name[placement.tree.tips]
    return pd.DataFrame(patristic_distances(placement.tree), names, names)


def test_images_of_genera_are_placed_on_a_tree_of_genera():
    tree = parse_newick("(((Felis:6,Puma:6):2,Lynx:8):4,Canis:12);")
    images = pd.DataFrame({"genus": [*GENERA, None], "species": ["Felis catus", *[None] * 4]})
    placement, matches = place_on(tree, images)
    assert matches["rank"].unique().tolist() == ["genus"]
    names = [placement.tree.name[node] if node >= 0 else None for node in placement.node]
    assert names == [*GENERA, None]


def test_a_tree_of_families_is_matched_at_family():
    tree = parse_newick("((Felidae:1,Canidae:1):1,Ursidae:2);")
    images = pd.DataFrame({"family": ["Felidae", "Canidae", "Ursidae"], "genus": ["Felis", "Canis", "Ursus"]})
    placement, matches = place_on(tree, images)
    assert matches["rank"][0] == "family" and np.all(placement.node >= 0)


def test_the_deepest_rank_with_three_tips_is_taken():
    tree = parse_newick("((Felis_catus:1,Puma_concolor:1,Lynx_lynx:1):1,Felis:2,Puma:2,Lynx:2);")
    images = pd.DataFrame({"genus": GENERA[:3], "species": ["Felis catus", "Puma concolor", "Lynx lynx"]})
    assert place_on(tree, images)[1]["rank"][0] == "species"


def test_inner_nodes_decide_the_rank_only_where_images_have_no_deeper_names():
    newick = "((E:1,F:1)Felis:1,(P:1,Q:1)Puma:1,(L:1,M:1)Lynx:1);"
    images = pd.DataFrame({"genus": GENERA[:3], "species": ["Felis catus", "Puma concolor", "Lynx lynx"]})
    with pytest.raises(TreeError, match=r"only 0 of 3 species are tips .*--tree-names FILE"):
        place_on(parse_newick(newick), images)
    placement, matches = place_on(parse_newick(newick), images.assign(species=None))
    assert matches["kind"].tolist() == ["inner node"] * 3 and np.all(placement.node >= 0)


def test_a_tree_of_species_is_not_taken_for_one_of_genera():
    newick = "((Felis_alba:1,Felis_nigra:1,Puma_rufa:1,Lynx_minor:1):1,Felis_sp.:2,Puma_sp.:2,Lynx_sp.:2);"
    images = pd.DataFrame({"genus": GENERA[:3], "species": ["Felis catus", "Puma concolor", "Lynx lynx"]})
    with pytest.raises(TreeError, match="only 0 of 3 species are tips"):
        place_on(parse_newick(newick), images)
    assert place_on(parse_newick(newick), images.assign(species=None))[1]["rank"][0] == "genus"


def test_a_species_at_its_genus_has_the_distances_of_a_polytomy_at_the_crown():
    tree = parse_newick("((((Felis_catus:1,Felis_lybica:1):1,Felis_margarita:2):1,Puma_concolor:3):1,Canis_lupus:4);")
    images = pd.DataFrame({"species": ["Felis nigripes", "Felis catus", "Canis lupus", "Puma yagouaroundi"]})
    with pytest.raises(TreeError, match="--tree-at-genus would place 2 more"):
        place_on(tree, images)
    placement, matches = place_on(tree, images, NameRules(at_genus=True))
    assert matches["matched"].all()
    table = distances(placement)
    assert sorted(table.index) == ["Canis_lupus", "Felis nigripes", "Felis_catus", "Puma yagouaroundi"]
    assert table.loc["Felis nigripes", ["Felis_catus", "Puma yagouaroundi", "Canis_lupus"]].tolist() == [4, 6, 8]
    names = [placement.tree.name[node] for node in placement.node]
    assert names == ["Felis nigripes", "Felis_catus", "Canis_lupus", "Puma yagouaroundi"]


def test_two_names_may_share_a_tip_by_the_table_of_names():
    tree = parse_newick("((Puma_concolor:1,Felis_catus:1):1,Lynx_lynx:2);")
    images = pd.DataFrame({"species": ["Felis concolor", "Puma concolor", "Felis catus", "Lynx lynx"]})
    placement, _ = place_on(tree, images, NameRules({"Felis concolor": "Puma concolor"}))
    assert placement.node[0] == placement.node[1] and len(placement.tree.tips) == 3
