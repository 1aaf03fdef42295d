import gzip
import pickle

import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.bioscan import LINEAGE, write_bioscan_1m


def test_names_and_pictures_of_specimens(tmp_path):
    dataset = datasets.load(f"bioscan-1m:{write_bioscan_1m(tmp_path)}")
    assert dataset.name == "bioscan-1m-cropped_256"
    images = dataset.images
    assert images["image_id"].tolist() == ["SCALI001-22", "SCALI002-22"]
    assert images["source"].tolist() == ["part18/5351601.jpg", "part113/BIOUG79013-C04.jpg"]
    assert images.loc[0, list(RANKS)].tolist() == ["Animalia", *LINEAGE.values()]
    assert images.loc[1, "family"] == "Cecidomyiidae"
    assert images.loc[1, ["genus", "species"]].isna().all()
    assert images["split"].isna().all()
    assert any("kingdom was read as Animalia" in note for note in dataset.notes)
    reopened = pickle.loads(pickle.dumps(dataset.open))
    assert [reopened(source).size for source in images["source"]] == [(8, 6)] * 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"processid": "SCALI001-22"}, "names 1 images more than once.*SCALI001-22"),
        ({"image_file": "../../../elsewhere.jpg"}, r"outside its folder: part18/\.\./\.\./\.\./elsewhere\.jpg"),
        ({"genus": "Aster|omyia"}, r"may not hold '\|'"),
        ({"genus": "Aste\x1bromyia"}, r"control characters in 2 values of column 'genus': Aste\\x1bromyia"),
    ],
)
def test_rows_with_mistakes_are_refused(tmp_path, changes, reason):
    with pytest.raises(DataError, match=reason):
        datasets.load(f"bioscan-1m:{write_bioscan_1m(tmp_path, **changes)}")


def test_a_missing_file_stays_and_a_nameless_row_is_noted(tmp_path):
    root = write_bioscan_1m(tmp_path, image_file=["none.jpg", "BIOUG79013-C04.jpg"])
    dataset = datasets.load(f"bioscan-1m:{root}")
    assert len(dataset) == 2
    assert any(note.startswith("1 images have no file") for note in dataset.notes)
    dataset = datasets.load(f"bioscan-1m:{write_bioscan_1m(tmp_path, image_file=[None, 'BIOUG79013-C04.jpg'])}")
    assert len(dataset) == 1
    assert any("rows left out, no name of a specimen" in note and note.endswith("rows 1") for note in dataset.notes)


def test_numbers_of_parts_may_have_become_decimals(tmp_path):
    root = write_bioscan_1m(tmp_path, chunk_number=["18.0", "113.0"])
    images = datasets.load(f"bioscan-1m:{root}").images
    assert images["source"].tolist() == ["part18/5351601.jpg", "part113/BIOUG79013-C04.jpg"]


def test_the_table_may_be_compressed(tmp_path):
    root = write_bioscan_1m(tmp_path)
    table = root / "BIOSCAN_Insect_Dataset_metadata.tsv"
    table.with_name(table.name + ".gz").write_bytes(gzip.compress(table.read_bytes()))
    table.unlink()
    assert len(datasets.load(f"bioscan-1m:{root}")) == 2


def test_a_picture_of_two_specimens_is_left_out_if_they_differ(tmp_path):
    same = {"image_file": ["5351601.jpg", "5351601.jpg"], "chunk_number": ["18", "18"]}
    with pytest.raises(DataError, match=r"gives every picture several taxa: part18/5351601.jpg"):
        datasets.load(f"bioscan-1m:{write_bioscan_1m(tmp_path, **same)}")
    dataset = datasets.load(f"bioscan-1m:{write_bioscan_1m(tmp_path, **same, **dict.fromkeys(RANKS[4:], 'Muscidae'))}")
    assert "1 pictures are named by several rows: part18/5351601.jpg" in dataset.notes
