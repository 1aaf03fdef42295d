import pandas as pd
import pytest

from bioclip_probe.tree import clean_lineages
from bioclip_probe.tree.lineage_reading import read_lineages


def read(**columns):
    return read_lineages(pd.DataFrame(columns, dtype="str"))


def test_each_rule_is_noted_with_its_count_and_examples():
    reading = read(
        order=["Passeriformes", "o__", "<NA>", None],
        genus=["Pica", "Pica", "Quercus", "Canis"],
        species=["Pica hudsonia (Sabine, 1823)", "Pica cf. pica", "Quercus x bebbiana", "Canis lupus familiaris"],
    )
    assert reading.lineages["species"].fillna("").tolist() == ["Pica hudsonia", "", "Quercus ×bebbiana", "Canis lupus"]
    assert reading.notes == [
        "the order of 2 images is missing, its column gives a placeholder such as 'unknown': '<NA>', 'o__'",
        "the species of 1 images is missing, its column gives open nomenclature: cf., aff., sp.: 'Pica cf. pica'",
        "authors were dropped in 1 names: 'Pica hudsonia (Sabine, 1823)' is Pica hudsonia",
        "subspecies, varieties, forms and strains went to their species in 1 names: 'Canis lupus familiaris' is Canis "
        "lupus",
        "signs of hybrids were written as × in 1 names: 'Quercus x bebbiana' is Quercus ×bebbiana",
    ]


def test_plain_names_need_no_note():
    reading = read(family=["Corvidae", None], genus=["Pica", ""], species=["hudsonia", " "])
    assert reading.notes == []
    assert reading.findings == ()


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (
            ["Isoetes lacustris", "Isoëtes lacustris", "Isoe\u0308tes lacustris", "ISOËTES LACUSTRIS"],
            "Isoëtes lacustris",
        ),
        (["Malus domestica", "Malus ×domestica", "Malus x domestica Borkh."], "Malus ×domestica"),
        (["Cuprocyparis leylandii", "x Cuprocyparis leylandii"], "×Cuprocyparis leylandii"),
    ],
)
def test_spellings_of_one_name_are_one_taxon(names, kept):
    reading = read(species=names)
    assert set(reading.lineages["species"]) == {kept}
    assert set(reading.lineages["genus"]) == {kept.split()[0]}
    assert any("were made one" in note for note in reading.notes)
    pd.testing.assert_frame_equal(clean_lineages(reading.lineages), reading.lineages)


@pytest.mark.parametrize("species", ["Corvidae", "Pica", "Passeriformes", "Aves"])
def test_the_name_of_a_higher_taxon_is_no_species(species):
    reading = read(
        **{
            "class": ["Aves"],
            "order": ["Passeriformes"],
            "family": ["Corvidae"],
            "genus": ["Pica"],
            "species": [species],
        }
    )
    assert reading.lineages["species"].isna().all()
    assert reading.lineages["genus"].tolist() == ["Pica"]
    assert reading.findings[0].kind == "higher taxon"


def test_a_family_in_the_column_of_the_genus_is_no_genus():
    reading = read(family=["Corvidae"], genus=["Corvidae"], species=["Corvidae sp."])
    assert reading.lineages["genus"].isna().all()
    assert reading.lineages["species"].isna().all()


def test_a_genus_that_is_missing_comes_from_the_name_even_where_that_is_a_hole():
    reading = read(order=["Diptera", "Diptera"], species=["Megaselia sp. BOLD:ACX9534", "Diptera sp."])
    assert reading.lineages["genus"].fillna("").tolist() == ["Megaselia", ""]
    assert "the genus of 1 images was read from their species' binomial" in reading.notes


def test_a_species_of_another_genus_is_kept_and_named():
    reading = read(genus=["Corvus"], species=["Pica pica"])
    assert reading.lineages.iloc[0][["genus", "species"]].tolist() == ["Corvus", "Pica pica"]
    assert reading.notes == ["the species of 1 images is of another genus than their genus column: 'Corvus: Pica pica'"]


def test_numbers_are_no_taxa():
    reading = read(**{"class": ["0", "1", "1"], "genus": ["Pica"] * 3})
    assert reading.lineages["class"].isna().all()
    assert [(found.kind, found.n_rows) for found in reading.findings] == [("placeholder", 1), ("not a name", 2)]


def test_names_are_read_once_however_many_rows_there_are(monkeypatch):
    from bioclip_probe.tree import lineage_reading

    calls = []
    real = lineage_reading.read_name
    monkeypatch.setattr(lineage_reading, "read_name", lambda *given: calls.append(given) or real(*given))
    read(genus=["Pica"] * 1000, species=["Pica hudsonia (Sabine, 1823)", "Pica cf. pica"] * 500)
    assert len(calls) == 2
