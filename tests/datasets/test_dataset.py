import pandas as pd
import pytest

from bioclip_probe.datasets import Dataset
from bioclip_probe.datasets.dataset import dataset_from_files, dataset_from_rows
from bioclip_probe.errors import DataError
from bioclip_probe.tables import IMAGES
from tests.support.pictures import paint


def images(*ids: str) -> pd.DataFrame:
    return IMAGES.frame([{"image_id": image_id, "source": f"{image_id}.png"} for image_id in ids])


def test_a_dataset_knows_its_length_and_name():
    dataset = Dataset("few", images("a", "b"), print, "0" * 12)
    assert len(dataset) == 2
    assert "few" in repr(dataset)


def test_no_image_is_refused():
    with pytest.raises(DataError, match="'few' has no image"):
        Dataset("few", images(), print, "0" * 12)


def test_repeated_ids_are_named_five_at_most():
    with pytest.raises(DataError, match=r"names 6 images more than once.*: a, b, c, d, e and 1 more$"):
        Dataset("few", images(*"abcdefabcdef"), print, "0" * 12)


def test_missing_id_is_refused():
    frame = images("a", "b")
    frame.loc[0, "image_id"] = None
    with pytest.raises(DataError, match="1 images without"):
        Dataset("few", frame, print, "0" * 12)


def test_another_table_is_refused():
    with pytest.raises(DataError, match="lacks the column split"):
        Dataset("few", images("a").drop(columns="split"), print, "0" * 12)


def test_a_missing_genus_is_read_from_the_binomial_and_noted():
    rows = pd.DataFrame({"image_id": ["1", "2"], "source": ["1.png", "2.png"], "species": ["Pica hudsonia", None]})
    dataset = dataset_from_rows("few", rows, print)
    assert dataset.images["genus"].fillna("").tolist() == ["Pica", ""]
    assert dataset.notes == ("the genus of 1 images was read from their species' binomial",)


def test_a_missing_file_is_noted_and_the_fingerprint_follows_the_files(tmp_path):
    rows = pd.DataFrame({"image_id": ["1", "2"], "source": ["1.png", "2.png"], "class": "Aves"})
    with pytest.raises(DataError, match=r"has no usable image: .*none of these is a file: 1\.png, 2\.png"):
        dataset_from_files("few", tmp_path, rows)
    paint(tmp_path / "1.png")
    first = dataset_from_files("few", tmp_path, rows)
    assert first.notes == (f"1 images have no file below {tmp_path}: 2.png",)
    paint(tmp_path / "2.png")
    second = dataset_from_files("few", tmp_path, rows)
    assert second.notes == ()
    assert first.fingerprint != second.fingerprint


def rows_of(**columns) -> pd.DataFrame:
    number = len(next(iter(columns.values())))
    ids = [str(i) for i in range(number)]
    return pd.DataFrame({"image_id": ids, "source": ids, **columns}, dtype="str")


@pytest.mark.parametrize("column", ["group", "common", "split"])
@pytest.mark.parametrize("placeholder", ["NA", "unknown", "anonymous", "<NA>", "nan", "-"])
def test_placeholders_are_no_person_split_or_common_name(column, placeholder):
    rows = rows_of(species=["Pica pica"] * 3, **{column: [placeholder, "one", placeholder]})
    dataset = dataset_from_rows("few", rows, print)
    assert dataset.images[column].fillna("").tolist() == ["", "one", ""]
    written = f"the {column} of 2 images is missing, its column gives a placeholder: '{placeholder}'"
    assert written in dataset.notes


def test_holes_are_filled_noted_and_given_back_as_they_were():
    rows = rows_of(
        order=["Passeriformes", None, "Passeriformes", None],
        family=["Corvidae"] * 4,
        species=["Pica pica", "Pica pica"] * 2,
    )
    dataset = dataset_from_rows("few", rows, print)
    assert dataset.images["order"].tolist() == ["Passeriformes"] * 4
    assert "the order of 2 images was filled, all others of their taxon agree: Passeriformes" in dataset.notes
    given = dataset.as_given()
    assert given.images["order"].fillna("").tolist() == ["Passeriformes", "", "Passeriformes", ""]
    assert "1 species count as more than one taxon, as some of their images lack a rank" in given.notes
    assert not any("was filled" in note for note in given.notes)
    assert given.fingerprint != dataset.fingerprint
    assert given.as_given() is given
    assert dataset_from_rows("few", dataset.images, print).fingerprint == dataset.fingerprint


def test_a_dataset_without_holes_is_the_same_as_given():
    dataset = dataset_from_rows("few", rows_of(genus=["Pica", "Corvus"]), print)
    assert dataset.as_given().fingerprint == dataset.fingerprint
    assert dataset.as_given().notes == dataset.notes
