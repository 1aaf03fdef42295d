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
