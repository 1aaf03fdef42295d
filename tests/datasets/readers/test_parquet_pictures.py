"""Pictures inside Parquet files: opened by file and row, read batch by batch, refused one by one."""

import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets
from bioclip_probe.datasets.readers import parquet_pictures
from bioclip_probe.datasets.readers.parquet_pictures import ParquetPictures
from bioclip_probe.errors import DataError, PictureError
from tests.support.parquet_pictures import name_columns, write_pictures
from tests.support.pictures import encode_picture, paint

COLOURS = [(i, 255 - i, 7 * i % 256) for i in range(40)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    pictures = [encode_picture(colour) for colour in COLOURS]
    write_pictures(root / "data" / "train-00000-of-00002.parquet", pictures[:25], **name_columns(25))
    write_pictures(root / "data" / "train-00001-of-00002.parquet", pictures[25:], **name_columns(15))
    return root


def colour(image):
    return image.getpixel((3, 3))


def test_a_folder_of_the_hub(root):
    dataset = datasets.load(f"table:{root}")
    assert len(dataset) == 40
    assert dataset.images["source"].tolist()[24:26] == [
        "data/train-00000-of-00002.parquet:24", "data/train-00001-of-00002.parquet:0",
    ]  # fmt: skip
    assert dataset.images["image_id"].tolist() == dataset.images["source"].tolist()
    assert dataset.images["species"].tolist()[:3] == ["Pica p0", "Pica p1", "Pica p2"]
    assert [colour(dataset.open(source)) for source in dataset.images["source"]] == COLOURS
    assert "pictures are read from column 'image' of 2 Parquet files" in dataset.notes


@pytest.mark.parametrize("kind", ["struct", pa.binary(), pa.large_binary()])
def test_one_file_of_bytes_or_structs_with_ids(tmp_path, kind):
    write_pictures(
        tmp_path / "birds.parquet",
        [encode_picture(c) for c in COLOURS[:3]],
        kind=kind,
        uuid=["a", "b", "c"],
        **name_columns(3),
    )
    dataset = datasets.load(f"table:{tmp_path / 'birds.parquet'}")
    assert dataset.name == "birds"
    assert dataset.images["image_id"].tolist() == ["a", "b", "c"]
    assert colour(dataset.open("birds.parquet:2")) == COLOURS[2]


def test_a_row_reads_its_row_group_once_and_no_other(root, monkeypatch):
    parquet_pictures._clear_cache()
    started = []
    start = parquet_pictures._RowGroup._start
    monkeypatch.setattr(parquet_pictures._RowGroup, "_start", lambda self: started.append(self._group) or start(self))
    opened = ParquetPictures(root, "image")
    source = "data/train-00000-of-00002.parquet"
    for row in (8, 9, 7, 13, 8, 14, 12, 20):
        assert colour(opened(f"{source}:{row}")) == COLOURS[row]
    assert started == [1, 2]


def test_only_some_rows_of_a_large_row_group_stay_in_memory(tmp_path):
    """Earlier rows are read again, the memory is bounded, and every row is the right one."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 1000), dtype=np.uint8)
    path = write_pictures(tmp_path / "a.parquet", [row.tobytes() for row in noise], rows_per_group=40)
    group = parquet_pictures._RowGroup(path, "image", pq.read_metadata(path), 0, read_bytes=2_000, kept_bytes=10_000)
    for row in [*range(40), 39, 36, 0, 20, 3, *reversed(range(40))]:
        assert group.cell(row).as_py()["bytes"] == noise[row].tobytes()
        assert sum(values.nbytes for _, values in group._kept) <= 12_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns about forks beside threads
def test_threads_and_other_processes_open_the_same_pictures(root):
    dataset = datasets.load(f"table:{root}")
    sources = dataset.images["source"].tolist()
    order = np.random.default_rng(1).permutation(np.tile(np.arange(40), 5))
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(dataset.open, [sources[i] for i in order]))
    assert [colour(image) for image in got] == [COLOURS[i] for i in order]
    for method in ("fork", "spawn"):
        with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
            assert colour(pool.submit(pickle.loads(pickle.dumps(dataset.open)), sources[30]).result()) == COLOURS[30]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns about forks beside threads
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_forked_during_a_read_is_not_blocked(root):
    held = threading.Event()
    done = threading.Event()

    def hold():
        with parquet_pictures._lock:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        future = pool.submit(ParquetPictures(root, "image"), "data/train-00001-of-00002.parquet:2")
        assert colour(future.result(timeout=20)) == COLOURS[27]
    done.set()
    thread.join()


def test_a_file_that_was_written_again_is_read_again(tmp_path):
    opened = ParquetPictures(tmp_path, "image")
    for number, made in enumerate(COLOURS[:2]):
        path = write_pictures(tmp_path / "a.parquet", [encode_picture(made)])
        os.utime(path, ns=(number, number))
        assert colour(opened("a.parquet:0")) == made


def test_pictures_change_the_fingerprint_of_their_dataset(tmp_path):
    found = set()
    for made in COLOURS[:2]:
        path = write_pictures(tmp_path / "a.parquet", [encode_picture(made, size=(8, 6 + made[0]))], **name_columns(1))
        found.add(datasets.load(f"table:{path}").fingerprint)
    assert len(found) == 2


def test_a_path_without_bytes_names_a_file_beside_the_table(tmp_path):
    paint(tmp_path / "set" / "img" / "a.png", (1, 2, 3))
    paint(tmp_path / "secret.png")
    rows = [{"bytes": None, "path": path} for path in ("img/a.png", "../secret.png", str(tmp_path / "secret.png"))]
    write_pictures(tmp_path / "set" / "a.parquet", rows)
    opened = ParquetPictures(tmp_path / "set", "image")
    assert colour(opened("a.parquet:0")) == (1, 2, 3)
    for row in (1, 2):
        with pytest.raises(PictureError, match="a path outside its folder") as error:
            opened(f"a.parquet:{row}")
        assert error.value.kind == "missing"


def test_a_row_without_a_picture_does_not_affect_others(tmp_path):
    rows = [None, {"bytes": None, "path": None}, b"", b"no picture", encode_picture((1, 2, 3))]
    write_pictures(tmp_path / "a.parquet", rows, **name_columns(5))
    dataset = datasets.load(f"table:{tmp_path / 'a.parquet'}")
    kinds = []
    for source in dataset.images["source"][:4]:
        with pytest.raises(PictureError, match=source) as error:
            dataset.open(source)
        kinds.append(error.value.kind)
    assert kinds == ["empty", "empty", "empty", "no picture"]
    assert colour(dataset.open("a.parquet:4")) == (1, 2, 3)


@pytest.mark.parametrize(
    "source",
    ["data/train-00001-of-00002.parquet:15", "data/train-00001-of-00002.parquet:-1", "none.parquet:0", ":0", "", "a",
     "data/train-00001-of-00002.parquet:", "data/train-00001-of-00002.parquet:²", "../hub/a.parquet:0",
     "/etc/passwd:0", "data:0", "a\0b.parquet:0"],
)  # fmt: skip
def test_sources_that_name_no_row_are_refused(root, source):
    with pytest.raises(PictureError) as error:
        ParquetPictures(root, "image")(source)
    assert error.value.kind in ("missing", "corrupt", "unreadable")
    assert "\n" not in str(error.value)


def test_a_missing_column_is_refused(root):
    with pytest.raises(PictureError, match="the file has no column 'photo'"):
        ParquetPictures(root, "photo")("data/train-00001-of-00002.parquet:1")


@pytest.mark.slow
def test_damaged_files_give_pictures_or_one_line_errors(tmp_path):
    """The files are cut anywhere, or have flipped bits."""
    pictures = [encode_picture(made) for made in COLOURS[:10]]
    whole = write_pictures(tmp_path / "whole.parquet", pictures, rows_per_group=4, **name_columns(10)).read_bytes()
    rng = np.random.default_rng(5)
    damaged = [whole[:end] for end in range(0, len(whole), 97)]
    for _ in range(90):
        content = bytearray(whole)
        for position in rng.integers(0, len(whole), rng.choice([1, 1, 20])):
            content[position] ^= 1 << rng.integers(8)
        damaged.append(bytes(content))
    outcomes = {"opened": 0, "refused": 0}
    for number, content in enumerate(damaged):
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(content)
        try:
            opened = datasets.load(f"table:{path}").open
        except DataError as error:
            assert str(error).isprintable()
            outcomes["refused"] += 1
            continue
        for row in range(10):
            try:
                image = opened(f"{path.name}:{row}")
                outcomes["opened"] += 1
                assert image.mode == "RGB"
            except PictureError as error:
                assert str(error).isprintable()
        path.unlink()
    assert min(outcomes.values()) > 50


@settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.data())
def test_rows_are_read_in_any_order_from_groups_of_any_size(tmp_path, data):
    number = data.draw(st.integers(1, 30))
    group = data.draw(st.integers(1, 30))
    path = write_pictures(
        tmp_path / "a.parquet", [bytes([i]) * (i % 5 * 100) for i in range(number)], rows_per_group=group
    )
    parquet_pictures._clear_cache()
    for row in data.draw(st.lists(st.integers(0, number - 1), max_size=30)):
        assert parquet_pictures._cell(path, "image", row).as_py()["bytes"] == bytes([row]) * (row % 5 * 100)


def test_a_picture_that_is_stored_once_and_repeated_is_read_a_few_rows_at_a_time(tmp_path):
    """Parquet keeps a repeated picture once, so the size of a row group says nothing about that of its rows."""
    content = encode_picture() + bytes(100_000)
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(5_000, np.int16)), pa.array([content]))
    pq.write_table(pa.table({"image": column}), tmp_path / "a.parquet", store_schema=False)
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    before = pa.total_allocated_bytes()
    assert ParquetPictures(tmp_path, "image")("a.parquet:40").size == (8, 6)
    assert pa.total_allocated_bytes() - before < 20_000_000


def test_an_address_in_place_of_a_picture_is_said(tmp_path):
    pq.write_table(pa.table({"image": [{"bytes": None, "path": "S3://bucket/1.png"}]}), tmp_path / "a.parquet")
    with pytest.raises(PictureError, match="has an address and no bytes; download it first: S3://bucket/1"):
        ParquetPictures(tmp_path, "image")("a.parquet:0")
