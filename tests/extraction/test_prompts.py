import string
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets, world
from bioclip_probe.extraction.prompts import TEXT_TYPES, name_prompts, taxon_names, zero_shot_templates
from bioclip_probe.tables import RANKS
from bioclip_probe.world import words
from bioclip_probe.world.captions import TEXT_TYPES as CAPTION_TYPES
from bioclip_probe.world.captions import common_names, name_captions
from bioclip_probe.world.splits import random_quarter
from bioclip_probe.world.train import MERGES

MAGPIE = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "Pica hudsonia")


def images(*lineages, common=None):
    frame = pd.DataFrame(lineages, columns=RANKS, dtype="str")
    return frame if common is None else frame.assign(common=pd.array(common, "str"))


def names_of(frame, taxon):
    rows = taxon_names(frame).query("taxon == @taxon")
    assert rows["type"].tolist() == list(TEXT_TYPES)
    return rows["name"].tolist()


def test_a_species_has_five_texts():
    path = "Animalia Chordata Aves Passeriformes Corvidae Pica hudsonia"
    frame = images(MAGPIE, common=["black-billed magpie"])
    assert names_of(frame, "|".join(MAGPIE)) == [
        "Pica hudsonia",
        "black-billed magpie",
        path,
        "Pica hudsonia with common name black-billed magpie",
        f"{path} with common name black-billed magpie",
    ]


@pytest.mark.parametrize("frame", [images(MAGPIE), images(MAGPIE, common=[None]), images(MAGPIE, common=[" "])])
def test_the_scientific_name_replaces_a_missing_common_name(frame):
    path = "Animalia Chordata Aves Passeriformes Corvidae Pica hudsonia"
    assert names_of(frame, "|".join(MAGPIE)) == ["Pica hudsonia", "Pica hudsonia", path, "Pica hudsonia", path]


def test_above_species_the_texts_of_a_taxon_are_its_name_and_its_path():
    frame = images(MAGPIE, common=["black-billed magpie"])
    path = "Animalia Chordata Aves Passeriformes Corvidae"
    assert names_of(frame, "Animalia|Chordata|Aves|Passeriformes|Corvidae") == [
        *("Corvidae", "Corvidae", path, "Corvidae", path)
    ]
    assert set(names_of(frame, "Animalia")) == {"Animalia"}


def test_every_taxon_occurs_once_with_its_rank():
    frame = images(MAGPIE, MAGPIE, (*MAGPIE[:6], "Pica pica"), (*MAGPIE[:4], None, None, None))
    table = taxon_names(frame)
    assert table.groupby("rank", sort=False)["taxon"].nunique().to_dict() == dict.fromkeys(RANKS, 1) | {"species": 2}
    assert not table.duplicated(["taxon", "type"]).any()


def test_missing_names_are_left_out_of_the_path():
    lineage = ("Animalia", None, "Aves", None, None, "Pica", "Pica hudsonia")
    assert names_of(images(lineage), "Animalia||Aves|||Pica|Pica hudsonia")[2] == "Animalia Aves Pica hudsonia"


def test_a_species_without_a_genus_has_that_of_its_binomial():
    lineage = ("Animalia", None, None, None, "Corvidae", None, "Pica hudsonia")
    assert names_of(images(lineage), "Animalia||||Corvidae|Pica|Pica hudsonia")[:3] == [
        *("Pica hudsonia", "Pica hudsonia", "Animalia Corvidae Pica hudsonia")
    ]


def test_a_species_of_another_genus_is_called_by_its_binomial():
    lineage = (*MAGPIE[:5], "Corvus", "Pica hudsonia")
    assert names_of(images(lineage), "|".join(lineage))[2] == " ".join((*MAGPIE[:5], "Corvus", "Pica hudsonia"))


def test_placeholders_are_no_common_names():
    frame = images(*[MAGPIE] * 3, common=["unknown", "NA", "magpie"])
    assert names_of(frame, "|".join(MAGPIE))[1] == "magpie"


def test_homonyms_are_two_taxa():
    frame = images(("Animalia", *[None] * 4, "Morus", "bassanus"), ("Plantae", *[None] * 4, "Morus", "alba"))
    genera = taxon_names(frame).query("rank == 'genus' and type == 'scientific'")
    assert genera["name"].tolist() == ["Morus", "Morus"]
    assert genera["taxon"].tolist() == ["Animalia|||||Morus", "Plantae|||||Morus"]


@pytest.mark.parametrize("genus, species, scientific, epithet", [
    ("Mentha", "× piperita", "Mentha ×piperita", "×piperita"),
    ("Mentha", "Mentha x piperita L.", "Mentha ×piperita", "×piperita"),
    ("×Cupressocyparis", "leylandii", "×Cupressocyparis leylandii", "leylandii"),
    ("× Cupressocyparis", "× Cupressocyparis leylandii", "×Cupressocyparis leylandii", "leylandii"),
    ("Zygiella", "x-notata", "Zygiella x-notata", "x-notata"),
    ("Isoëtes", "Isoëtes Echinospora", "Isoëtes echinospora", "echinospora"),
    ("Canis", "Canis lupus familiaris", "Canis lupus", "lupus"),
    ("Gorilla", "gorilla", "Gorilla gorilla", "gorilla"),
])  # fmt: skip
def test_odd_names_are_spelt_as_in_the_evaluation_of_bioclip(genus, species, scientific, epithet):
    table = taxon_names(images(("Plantae", *[None] * 4, genus, species))).query("rank == 'species'")
    names = table["name"].tolist()
    assert names[0] == scientific
    assert names[2] == f"Plantae {scientific.split()[0]} {epithet}"
    assert name_prompts(names[:1]) == [f"a photo of {scientific}."]


def test_braces_in_names_are_kept():
    table = taxon_names(images(("Plantae", *[None] * 4, "Bra{ce}", None))).query("rank == 'genus'")
    assert name_prompts(table["name"].tolist()[:1]) == ["a photo of Bra{ce}."]


def test_the_most_frequent_of_several_common_names_counts():
    many = images(*[MAGPIE] * 3, common=["magpie", "black-billed  magpie", "black-billed magpie"])
    assert names_of(many, "|".join(MAGPIE))[1] == "black-billed magpie"
    tied = images(*[MAGPIE] * 2, common=["magpie", "American magpie"])
    assert names_of(tied, "|".join(MAGPIE))[1] == "American magpie"


def test_a_common_name_without_a_species_is_ignored():
    frame = images((*MAGPIE[:6], None), common=["magpie"])
    assert "magpie" not in " ".join(taxon_names(frame)["name"])


@pytest.fixture(scope="module")
def named():
    """For each text type the names of the world's species, in its order, as the dataset has them."""
    species = datasets.load("world").images.drop_duplicates("species")
    table = taxon_names(species).set_index(["type", "taxon"])["name"]
    return {kind: table[kind][species[list(RANKS)].agg("|".join, axis=1)] for kind in TEXT_TYPES}


def test_the_spelling_equals_that_of_the_captions_of_the_built_in_world(named):
    """The built-in world wrote the captions of its models by itself."""
    taxa = world.taxa()
    captions = name_captions(taxa, common_names(len(taxa), np.random.default_rng((world.SEED, 6))))
    assert TEXT_TYPES == CAPTION_TYPES
    for kind in TEXT_TYPES:
        assert name_prompts(named[kind]) == captions[kind]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["world-taxonomic", "world-subset"])
def test_the_models_of_the_world_learned_from_these_names(named, model):
    """The vocabulary that was shipped with a model was learnt from its captions, and from these it is learnt again."""
    seen = world.seen_in_training()
    if model == "world-subset":
        seen = random_quarter(seen, np.random.default_rng((world.SEED, 5)))
    captions = [caption for kind in TEXT_TYPES for caption in name_prompts(named[kind].to_numpy()[seen])]
    shipped = (world.models()[model] / "bpe_vocab.txt.gz").read_bytes()
    assert words.merges_file(words.learn_merges(captions, MERGES)) == shipped
    others = [caption.replace(" puddle", " bumble").replace("photo", "picture") for caption in captions]
    assert words.merges_file(words.learn_merges(others, MERGES)) != shipped


letters = st.text(string.ascii_lowercase, min_size=1, max_size=3).map("a{}".format)
lineages = st.tuples(*[st.none() | letters.map(str.capitalize)] * 6, st.none() | letters)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(lineages, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_names_of_any_taxa_are_complete_and_consistent(rows, random):
    frame = images(*rows)
    before = frame.copy()
    table = taxon_names(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert not table.isna().any(axis=None) and not table["name"].str.contains("  ").any()
    for _, taxon in table.groupby("taxon"):
        scientific, common, taxonomic, *with_common = taxon["name"]
        assert taxonomic.endswith(scientific)
        assert common == scientific and with_common == [scientific, taxonomic]
    ranks = table.drop_duplicates("taxon").set_index("taxon")["rank"]
    assert all(len(path.split("|")) == RANKS.index(rank) + 1 for path, rank in ranks.items())
    shuffled = list(rows)
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(taxon_names(images(*shuffled)), table)


def test_images_without_any_name_give_an_empty_table():
    assert taxon_names(images([None] * 7)).columns.tolist() == ["rank", "taxon", "type", "name"]
    assert taxon_names(images([None] * 7)).empty


def test_there_are_81_templates_with_one_place_for_the_name_each():
    templates = zero_shot_templates()
    assert len(templates) == len(set(templates)) == 81
    assert templates[:2] == ["a photo of {}.", "a bad photo of a {}."] and templates[-1] == "a tattoo of the {}."
    assert all(template.count("{}") == 1 for template in templates)


@pytest.mark.slow
def test_the_module_needs_no_torch():
    code = "import sys, bioclip_probe.extraction.prompts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
