"""Parquet files as tables of text."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets.readers import parquet
from bioclip_probe.errors import DataError
from bioclip_probe.limits import allow_memory
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
    read = set()
    batches = pq.ParquetFile.iter_batches

    def record(self, *sizes, columns, **options):
        read.update(columns)
        return batches(self, *sizes, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", record)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("read all columns"))
    datasets.load(f"table:{root}")
    assert read == {"genus", "species"}


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


def test_a_small_file_that_declares_many_rows_is_refused_before_it_is_read(tmp_path, monkeypatch):
    n_rows = 50_000
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"path": pa.array(np.zeros(n_rows, np.int8)), "genus": ["Pica"] * n_rows}), path)
    assert path.stat().st_size < 2_000
    assert len(parquet.read_text_columns(path, ["genus"])) == n_rows
    with allow_memory(1 << 20):
        monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_, **__: pytest.fail("read the file"))
        with pytest.raises(DataError, match=r"a\.parquet: its table of 50,000 rows would take 48\.8 MB of memory"):
            parquet.read_text_columns(path, ["genus"])


@pytest.mark.parametrize("kind", ["categories", "text", "views"])
def test_a_long_text_that_is_stored_once_and_named_often_does_not_fill_the_memory(tmp_path, monkeypatch, kind):
    """A file of some kilobytes stands for 40 MB of names."""
    genus = pa.DictionaryArray.from_arrays(pa.array(np.zeros(400, np.int8)), ["x" * 100_000])
    if kind == "views":
        genus = genus.cast(pa.string()).cast(pa.string_view())
    path = tmp_path / "a.parquet"
    table = pa.table({"genus": genus})
    schema = pa.schema({"genus": pa.string()}) if kind == "text" else table.schema
    pq.write_table(table, path, store_schema=kind != "text")
    assert pq.read_schema(path) == schema and path.stat().st_size < 10_000
    monkeypatch.setattr(parquet, "_BYTES_PER_BATCH", 1 << 22)
    with allow_memory(1 << 24), pytest.raises(DataError, match=r"its texts would take \d\d\.\d MB of memory"):
        parquet.read_text_columns(path, ["genus"])
    with allow_memory(1 << 26):
        assert parquet.read_text_columns(path, ["genus"])["genus"].str.len().eq(100_000).all()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"genus\nPica\n", "not a table"),
        (b"PAR1", "not a"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, content, kind):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=kind):
        parquet.read_schema(tmp_path / "a.parquet")
