import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.tree.labels import NOTHING, LabelIndex, read_label
from bioclip_probe.tree.newick import parse_newick


@pytest.mark.parametrize(
    "label",
    [
        "Felis_catus",
        "Felis catus",
        "felis_catus",
        "FELIS_CATUS",
        "Felis_Catus",
        "Felis.catus",
        "Felis_catus_ott563166",
        "Felis_catus_9685",
        "9685|Felis_catus",
        "Felis_catus_NC_001700",
        "Felis_catus_KP202278.1",
        "AB1234_Felis_catus",
        "Felis_catus_FELIDAE_CARNIVORA",
        "Felis_catus_Felidae",
        "FELIDAE_Felis_catus",
        "Felidae_Felis_catus",
        "Carnivora_Felidae_Felis_catus",
        "Mammalia_Felis_catus",
        "Felis_catus_Linnaeus_1758",
        "Felis catus Linnaeus, 1758",
        "Felis_(Felis)_catus",
        "Felis_[Felis]_catus",
        "[Felis]_catus",
        "†Felis_catus",
        "X_Felis_catus_FELIDAE_CARNIVORA",
        "Felis_catus_(species_in_domain_Eukaryota)_ott1",
        "100:g__Felis; s__Felis catus",
    ],
)
def test_a_binomial_is_found_in_a_label(label):
    read = read_label(label)
    assert (read.species, read.genus, read.is_part) == ("felis catus", "felis", False)


@pytest.mark.parametrize(
    "label",
    [
        "Canis_lupus_familiaris",
        "Canis_lupus_subsp._dingo_ott247333",
        "Canis_lupus_lupus_CANIDAE_CARNIVORA",
        "Canis_lupus_2",
    ],
)
def test_subspecies_and_individuals_are_parts_of_their_species(label):
    read = read_label(label)
    assert (read.species, read.is_part) == ("canis lupus", True)


@pytest.mark.parametrize("label", ["Quercus_x_deamii", "Quercus_×_deamii", "Quercus ×deamii", "Quercus_X_deamii_ott7"])
def test_hybrids_are_read_alike(label):
    assert read_label(label).species == "quercus deamii"


@pytest.mark.parametrize(
    "label", ["Felis_sp.", "Felis_sp", "Felis_cf_catus", "Felis_sp1", "Felis_[Felis]_sp.", "Felis_sp_ott1"]
)
def test_open_nomenclature_names_a_genus_and_no_species(label):
    read = read_label(label)
    assert (read.species, read.genus) == ("", "felis")


@pytest.mark.parametrize(
    ("label", "taxon"),
    [
        ("Felis", "felis"),
        ("FELIDAE", "felidae"),
        ("Felidae_Felis", "felis"),
        ("Felis_ott563", "felis"),
        ("Felis 9682", "felis"),
    ],
)
def test_a_single_word_is_a_taxon(label, taxon):
    assert read_label(label).taxon == taxon


@pytest.mark.parametrize("label", ["0.95", "100", "95/100", "mrcaott1ott3", "ott123", "12", "KX123456", ""])
def test_numbers_and_identifiers_name_nothing(label):
    assert read_label(label) == NOTHING


def test_a_subgenus_without_brackets_gives_a_second_reading():
    read = read_label("Aedes_Stegomyia_aegypti")
    assert (read.species, read.other) == ("stegomyia aegypti", "aedes aegypti")


@given(st.text(st.characters(exclude_categories=["C"]), max_size=30))
def test_any_text_is_read(text):
    read_label(text)


def test_the_index_has_tips_and_inner_nodes_apart():
    tree = parse_newick("((Felis_catus:1,Felis_sp.:1)Felis_ott1:1,(Canidae:1,'7':1)mrcaott1ott2:1,Felis_catus_ott2:2);")
    index = LabelIndex(tree)
    assert index.species == {"felis catus": [2, 7]}
    assert index.genera == {"felis": [2, 3, 7], "canidae": [5]}
    assert (index.open, index.taxa, index.inner) == ({"felis": [3], "canidae": [5]}, {"canidae": [5]}, {"felis": [1]})
