import json

import pytest

from bioclip_probe.datasets.readers.shard_texts import parse_texts


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"\xff", b"3", b'{"genus": 3}', b'{"genus": "A\\u0000"}', b'"\\ud800"']
)
def test_malformed_json_gives_no_names(content):
    assert set(parse_texts({"json": content}).values()) == {None}


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"a photo of .", b"kingdom", b"Animalia kingdom Plantae", b"kingdom \x1b[1m"]
)
def test_malformed_tags_give_no_names(text):
    assert set(parse_texts({"taxonTag.txt": text}).values()) == {None}


@pytest.mark.parametrize(
    "written",
    [
        {"cls": "Aves", "genus": "Pica", "specificEpithet": "hudsonia"},
        {"taxon": {"class": "Aves", "genus": "Pica", "species": "Pica hudsonia"}},
        {"taxon.class": "Aves", "taxon.genus": "Pica", "taxon.species": "hudsonia"},
        {"taxon_class_name": "Aves", "taxon_genus_name": "Pica", "taxon_species_name": "Pica hudsonia"},
        {"dwc_class": "Aves", "dwc_genus": "Pica", "scientificName": "Pica hudsonia"},
        {"className": "Aves", "Genus": "Pica", "scientific_name": "Pica hudsonia"},
    ],
)
def test_json_names_ranks_as_tables_do(written):
    names = parse_texts({"json": json.dumps(written).encode()})
    assert (names["class"], names["genus"], names["read"]) == ("Aves", "Pica", "json")
    assert names["species"] in ("hudsonia", "Pica hudsonia")


@pytest.mark.parametrize("key", ["species", "specificEpithet"])
def test_an_uncertain_scientific_name_in_json_goes_before_the_epithet(key):
    written = {"genus": "Pica", key: "hudsonia", "scientificName": "Pica cf. hudsonia"}
    assert parse_texts({"json": json.dumps(written).encode()})["species"] == "Pica cf. hudsonia"


def test_a_higher_taxon_in_json_is_no_species():
    names = parse_texts({"json": b'{"family": "Corvidae", "scientific_name": "Pica Brisson, 1760"}'})
    assert (names["family"], names["species"]) == ("Corvidae", None)


@pytest.mark.parametrize(
    ("text", "species"),
    [
        (b"PICA HUDSONIA", "Pica hudsonia"),
        (b"Pica Hudsonia", "Pica hudsonia"),
        (b"CORVIDAE", None),
        (b"hudsonia", None),
    ],
)
def test_a_scientific_name_may_be_written_in_capitals(text, species):
    names = parse_texts({"sci.txt": b"a photo of " + text + b"."})
    assert (names["genus"], names["species"]) == (species and "Pica", species)
