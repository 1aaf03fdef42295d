import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets
from bioclip_probe.datasets.readers.columns import COLUMN_NAMES, match_columns
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
    ],
)
def test_the_species_comes_from_epithet_binomial_or_itself(root, header, row, species):
    dataset = load(root, f"path,{header}\nimg/a.jpg,{row}\n")
    got = dataset.images.loc[0, "species"]
    assert (got == species) if species else pd.isna(got)
    if species:
        assert dataset.images.loc[0, "genus"] == "Pica"


@settings(max_examples=50, deadline=None)
@given(st.permutations(sorted({name for names in COLUMN_NAMES.values() for name in names})))
def test_the_order_of_columns_does_not_change_the_match(columns):
    assert match_columns(columns) == {meaning: names[0] for meaning, names in COLUMN_NAMES.items()}
