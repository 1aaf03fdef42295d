import pandas as pd

from bioclip_probe.tree import match_taxa
from bioclip_probe.tree.newick import parse_newick
from bioclip_probe.tree.suggestions import suggest_names

TREE = parse_newick(
    "(Puma_concolor_ott7:1,Felis_sylvestris:1,Cyanistes_caeruleus:1,Larus_albus:1,Sitta_pusilla:1,Regulus_pusilla:1,"
    "Corvus_corax:1);"
)


def suggested(*species: str, images: dict[str, int] | None = None) -> dict[str, str]:
    names = [name for name in species for _ in range((images or {}).get(name, 1))]
    table = suggest_names(match_taxa(TREE, pd.DataFrame({"species": names})), TREE)
    return dict(zip(table["ours"], table["theirs"], strict=True))


def test_a_moved_genus_one_letter_and_another_ending_are_suggested():
    assert suggested("Felis concolor", "Felis silvestris", "Parus caeruleus", "Larus alba") == {
        "Felis concolor": "Puma concolor ott7",
        "Felis silvestris": "Felis sylvestris",
        "Larus alba": "Larus albus",
        "Parus caeruleus": "Cyanistes caeruleus",
    }


def test_nothing_is_suggested_where_several_tips_would_do_or_the_tip_is_taken():
    assert suggested("Parus pusillus") == {"Parus pusillus": ""}
    assert suggested("Corvus corax", "Pica corax") == {"Pica corax": ""}


def test_names_of_most_images_come_first_with_the_reason_of_those_without_a_suggestion():
    table = suggest_names(match_taxa(TREE, pd.DataFrame({"species": ["Morus alba", "Pica pica", "Pica pica"]})), TREE)
    assert table["ours"].tolist() == ["Pica pica", "Morus alba"]
    assert table["n_images"].tolist() == [2, 1]
    assert table["why"][0] == "its genus is not in the tree"


def test_a_suggested_label_is_found_when_it_is_given_back():
    from bioclip_probe.tree import NameRules

    rules = NameRules(suggested("Felis concolor"))
    (match,) = match_taxa(TREE, pd.DataFrame({"species": ["Felis concolor"]}), rules).itertuples()
    assert (match.matched, match.kind, match.tip) == (True, "table", 1)


def test_a_label_of_several_tips_is_no_suggestion():
    tree = parse_newick("((Felis_catus:1,Corvus_corax:1):1,(Felis_catus:1,Corvus_corone:1):1,(Pica_pica:1,Sus:1):1);")
    taxa = pd.DataFrame({"species": ["Felis catus", "Corvus corax", "Corvus corone", "Pica pica"]})
    table = suggest_names(match_taxa(tree, taxa), tree)
    assert table[["ours", "theirs", "why"]].to_numpy().tolist() == [["Felis catus", "", "2 tips have this name"]]
