"""Parquet files as tables of text."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from tests.support.parquet_pictures import name_columns, write_pictures
from tests.support.pictures import encode_picture

COLOURS = [(i, 255 - i, 7 * i % 256) for i in range(40)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    pictures = [encode_picture(colour) for colour in COLOURS]
    write_pictures(root / "data" / "train-00000-of-00002.parquet", pictures[:25], **name_columns(25))
    write_pictures(root / "data" / "train-00001-of-00002.parquet", pictures[25:], **name_columns(15))
    return root


def test_names_are_read_without_the_pictures(root, monkeypatch):
    read = []
    whole = pq.ParquetFile.read
    monkeypatch.setattr(
        pq.ParquetFile, "read", lambda self, columns=None: read.append(columns) or whole(self, columns=columns)
    )
    datasets.load(f"table:{root}")
    assert read == [["genus", "species"]] * 2


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"genus": ["Pica"], "image": [["a.jpg"]]}, "column 'image' holds more than text"),
        ({"genus": [b"\xff\xfe"], "path": ["a.jpg"]}, "no rank columns"),
        ({"image": [b"x"]}, "no rank columns.*it has: image"),
        ({"genus": ["Pica"], "sound": [b"x"]}, "no column of picture paths"),
    ],
)
def test_columns_of_other_types_are_refused(tmp_path, columns, reason):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=reason):
        datasets.load(f"table:{tmp_path / 'a.parquet'}")


def test_files_with_other_columns_and_repeated_columns_are_refused(tmp_path):
    write_pictures(tmp_path / "a.parquet", [b"x"], **name_columns(1))
    write_pictures(tmp_path / "b.parquet", [b"x"], genus=["Pica"])
    with pytest.raises(DataError, match=r"b\.parquet lacks columns that a\.parquet has: species"):
        datasets.load(f"table:{tmp_path}")
    twice = pa.table([pa.array(["a.jpg"]), pa.array(["Pica"]), pa.array(["Corvus"])], names=["path", "genus", "genus"])
    pq.write_table(twice, tmp_path / "c.parquet")
    with pytest.raises(DataError, match="more than one column called genus"):
        datasets.load(f"table:{tmp_path / 'c.parquet'}")


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    values = pa.StringArray.from_buffers(1, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe"))
    write_pictures(tmp_path / "a.parquet", [b"x"], genus=values)
    with pytest.raises(DataError, match="column 'genus' holds more than text"):
        datasets.load(f"table:{tmp_path / 'a.parquet'}")


def test_class_labels_of_the_hub_become_names(tmp_path):
    feature = '{"info": {"features": {"genus": {"_type": "ClassLabel", "names": ["Pica", "Corvus"]}}}}'
    table = pa.table({"image": [b"x"] * 3, "genus": pa.array([1, 0, -1])})
    pq.write_table(table.replace_schema_metadata({"huggingface": feature}), tmp_path / "a.parquet")
    images = datasets.load(f"table:{tmp_path / 'a.parquet'}").images
    assert images["genus"].tolist()[:2] == ["Corvus", "Pica"]
    assert pd.isna(images.loc[2, "genus"])
