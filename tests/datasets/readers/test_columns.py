import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets
from bioclip_probe.datasets.readers.columns import COLUMN_NAMES, known_values, match_columns, notes_on_columns
from bioclip_probe.tables import RANKS
from tests.support.pictures import paint


@pytest.fixture
def root(tmp_path):
    for name in ("img/a.jpg", "img/b.jpg"):
        paint(tmp_path / "birds" / name)
    return tmp_path / "birds"


def load(root, text, name="labels.csv"):
    (root / name).write_text(text)
    return datasets.load(f"table:{root / name}")


@pytest.mark.parametrize(
    "column",
    [
        "filepath",
        "path",
        "file",
        "image",
        "image_path",
        "file_name",
        "filename",
        "FILE_NAME",
        "Image Path",
        "image_file",
    ],
)
def test_accepted_names_of_the_path_column(root, column):
    dataset = load(root, f"{column},cls\nimg/a.jpg,Aves\n")
    assert dataset.images["source"].tolist() == ["img/a.jpg"]
    assert f"'{column}' was read as source" in dataset.notes


@pytest.mark.parametrize(
    ("header", "row", "species"),
    [
        ("genus,species", "Pica,hudsonia", "Pica hudsonia"),
        ("genus,species", "Pica,Pica hudsonia", "Pica hudsonia"),
        ("Genus,Species", "Pica,not_classified", None),
        ("species,sp,genus", "hudsonia,Pica hudsonia,Pica", "Pica hudsonia"),
        ("sciName", "Pica hudsonia", "Pica hudsonia"),
        ("scientific_name", "Pica_hudsonia", "Pica hudsonia"),
        ("scientificName", '"Pica hudsonia (Sabine, 1823)"', "Pica hudsonia"),
        ("scientificName", "Pica", None),
        ("scientificName", "Pica cf. hudsonia", None),
        ("scientificName", "Aves incertae sedis", None),
        ("scientificName", "Pica x-album L.", "Pica x-album"),
        ("scientificName,genus", '"Pica Brisson, 1760",Pica', None),
        ("dwc:genus,dwc:specificEpithet", "Pica,hudsonia", "Pica hudsonia"),
        ("species,sciName", "hudsonia,Pica hudsonia", "Pica hudsonia"),
        ("species,class", "hudsonia,Aves", None),
        ("genus,species,sciName", "Pica,hudsonia,Pica cf. hudsonia", None),
        ("species,scientificName", "Pica hudsonia,Pica hudsonia × pica", None),
        ("genus,specificEpithet,scientificName", "Pica,hudsonia,Pica sp.", None),
        ("genus,specificEpithet,identificationQualifier", "Pica,hudsonia,aff. hudsonia", None),
        ("genus,specificEpithet,identificationQualifier", "Pica,hudsonia,unknown", "Pica hudsonia"),
        ("genus,species,sciName", "Pica,hudsonia,Pica", "Pica hudsonia"),
    ],
)
def test_the_species_comes_from_epithet_binomial_or_itself(root, header, row, species):
    dataset = load(root, f"path,{header}\nimg/a.jpg,{row}\n")
    got = dataset.images.loc[0, "species"]
    assert (got == species) if species else pd.isna(got)
    if species:
        assert dataset.images.loc[0, "genus"] == "Pica"


def test_terms_of_darwin_core_may_be_written_as_addresses():
    terms = {"family": "http://rs.tdwg.org/dwc/terms/family", "genus": "http://rs.tdwg.org/dwc/terms/genericName"}
    assert match_columns(terms.values()) == terms


def test_columns_of_whole_lineages_and_further_names_are_named_as_not_read():
    matched = match_columns(["path", "scientificName", "genus"])
    columns = ["acceptedScientificName", "taxonomy", "lineage_string", "Nom scientifique", "taxonID", "colour"]
    unread = "'acceptedScientificName', 'taxonomy', 'lineage_string', 'Nom scientifique'"
    assert notes_on_columns(matched, [*matched.values(), *columns])[-1] == (
        f"columns that look like ranks were not read: {unread}"
    )


@settings(max_examples=50, deadline=None)
@given(st.permutations(sorted({name for names in COLUMN_NAMES.values() for name in names})))
def test_the_order_of_columns_does_not_change_the_match(columns):
    assert match_columns(columns) == {meaning: names[0] for meaning, names in COLUMN_NAMES.items()}


@pytest.mark.parametrize(
    "form",
    [
        *(
            "taxon_{}_name",
            "taxon.{}",
            "taxonomy.{}",
            "dwc_{}",
            "dwc:{}",
            "{}_name",
            "{}Name",
            "Taxon {}",
            "lineage_{}",
        ),
        *("taxonomy/{}", "tax_{}", "taxon{}", "{} (taxon)"),
    ],
)
def test_words_around_a_rank_do_not_change_it(form):
    named = {rank: form.format(rank.title() if form == "taxon{}" else rank) for rank in RANKS}
    assert match_columns(named.values()) == named
    assert len(notes_on_columns(named, named.values())) == len(RANKS)


@pytest.mark.parametrize("column", ["specificEpithet", "specific_epithet", "dwc:specificEpithet", "species_epithet"])
def test_epithets(root, column):
    assert load(root, f"path,genus,{column}\nimg/a.jpg,Pica,hudsonia\n").images.loc[0, "species"] == "Pica hudsonia"


def test_an_export_of_inaturalist_has_all_seven_ranks(root):
    names = ["Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "Pica hudsonia"]
    header = ",".join(f"taxon_{rank}_name" for rank in RANKS)
    text = f"id,path,scientific_name,{header}\n1,img/a.jpg,Pica hudsonia,{','.join(names)}\n"
    text += f"2,img/b.jpg,Anas platyrhynchos × rubripes,{','.join(names[:3])},Anseriformes,Anatidae,Anas,\n"
    dataset = load(root, text)
    assert dataset.images.loc[0, list(RANKS)].tolist() == names
    assert dataset.images.loc[1, ["genus", "species"]].fillna("").tolist() == ["Anas", ""]
    assert any("hybrid without a name of its own" in note for note in dataset.notes)


def test_columns_that_look_like_ranks_and_are_not_read_are_named(root):
    header = "path,genus,taxon_genus_name,subfamily,tribe,accepted_family,speciesKey,n_species,taxonRank,note"
    dataset = load(root, f"{header}\nimg/a.jpg,Pica,Pica,Corvinae,,Corvidae,3,4,GENUS,x\n")
    unread = "'taxon_genus_name', 'subfamily', 'tribe', 'accepted_family'"
    assert f"columns that look like ranks were not read: {unread}" in dataset.notes


@pytest.mark.parametrize(
    ("text", "rank", "lineage"),
    [
        ("Corvus", "genus", [None, None, "Corvus", None]),
        ("Corvus Linnaeus, 1758", "GENUS", [None, None, "Corvus", None]),
        ("Corvidae Leach, 1820", "family", [None, "Corvidae", None, None]),
        ("Passeriformes", "order", ["Passeriformes", None, None, None]),
        ("Corvus corax", "species", [None, None, "Corvus", "Corvus corax"]),
        ("Corvus corax principalis", "subspecies", [None, None, "Corvus", "Corvus corax"]),
    ],
)
def test_a_scientific_name_of_a_higher_taxon_fills_its_rank(root, text, rank, lineage):
    dataset = load(root, f'path,scientificName,taxonRank\nimg/a.jpg,"{text}",{rank}\n')
    row = dataset.images.loc[0, ["order", "family", "genus", "species"]].astype(object)
    assert row.where(row.notna(), None).tolist() == lineage


def test_latin_names_of_ranks_are_read_and_those_of_other_languages_named(root):
    dataset = load(
        root, "path,Regnum,Ordo,Familia,Género,species\nimg/a.jpg,Animalia,Passeriformes,Corvidae,Pica,Pica pica\n"
    )
    assert dataset.images.loc[0, ["kingdom", "order", "family"]].tolist() == ["Animalia", "Passeriformes", "Corvidae"]
    assert "columns that look like ranks were not read: 'Género'" in dataset.notes


def test_a_scientific_name_counts_where_the_species_is_a_placeholder_or_an_epithet_without_genus(root):
    text = "path,genus,species,scientificName\nimg/a.jpg,,hudsonia,Pica hudsonia\nimg/b.jpg,Pica,<NA>,Pica pica (L.)\n"
    assert load(root, text).images["species"].tolist() == ["Pica hudsonia", "Pica pica"]


def test_placeholders_are_missing_and_zero_is_a_number_among_numbers():
    values = pd.Series(["Ada  Lovelace", "NA", "unknown", "anonymous", None, "<NA>", "0"])
    assert known_values(values).fillna("").tolist() == ["Ada Lovelace", *[""] * 6]
    assert known_values(pd.Series(["0", "12", "nan", None])).fillna("").tolist() == ["0", "12", "", ""]
