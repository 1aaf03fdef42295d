"""A folder of shards: what it tells of itself, and what it refuses to write or to read."""

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import StoreError
from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store
from tests.support.pictures import MeanColour
from tests.support.stores import VECTORS, append_forged_line, fill_store, flip_last_byte, made_up_dataset


def test_a_folder_counts_its_images_and_shards(full_folder):
    assert (full_folder.n_images, full_folder.n_ok, full_folder.n_failed) == (5, 4, 1)
    assert (full_folder.n_shards, full_folder.missing_shards(), full_folder.complete) == (3, [], True)
    assert (full_folder.dimension, full_folder.dtype, full_folder.state()) == (3, np.float32, "complete")
    assert [full_folder.image_slice(shard) for shard in range(3)] == [slice(0, 2), slice(2, 4), slice(4, 5)]


def test_blocks_give_ledgers_and_vectors_shard_by_shard(full_folder):
    ledgers, vectors = zip(*full_folder.blocks(), strict=True)
    assert pd.concat(ledgers)["image_id"].tolist() == [f"i{i}" for i in range(5)]
    np.testing.assert_array_equal(np.concatenate(vectors), VECTORS[[0, 1, 2, 4]])
    ((ledger, block),) = full_folder.blocks([2])
    assert ledger["image_id"].tolist() == ["i4"] and np.array_equal(block, VECTORS[[4]])


def test_dropped_shards_are_missing_also_for_the_next_reader(full_folder):
    full_folder.drop_shards([1])
    assert full_folder.missing_shards() == EmbeddingFolder(full_folder.folder).missing_shards() == [1]
    assert full_folder.state() == "incomplete"
    with pytest.raises(StoreError, match=r"is not complete \(2 of 3 shards\)"):
        next(full_folder.blocks())


def test_damaged_shards_are_named_whether_sizes_or_bytes_differ(full_folder):
    assert full_folder.damaged_shards() == []
    flip_last_byte(full_folder.files(0).vectors)
    full_folder.files(2).rows.write_bytes(b"short")
    assert full_folder.damaged_shards() == [0, 2]
    assert full_folder.state() == "damaged"


@pytest.fixture
def half_precision(tmp_path):
    """A store that keeps the vectors of two images as float16; there are none yet."""
    store = Store(tmp_path / "store")
    with store.open_for_writing(made_up_dataset(2), MeanColour(), 2, "float16"):
        pass
    return store


def test_vectors_too_large_for_half_precision_are_refused(half_precision):
    with pytest.raises(StoreError, match="too large for float16; keep them as float32"):
        fill_store(half_precision, made_up_dataset(2), MeanColour(), np.full((2, 3), 1e6, np.float32))


def test_vectors_that_are_infinite_anyway_are_stored_as_they_are(half_precision):
    fill_store(half_precision, made_up_dataset(2), MeanColour(), np.full((2, 3), np.inf, np.float32))
    vectors = half_precision.read("few", "mean/colour")[1]
    assert vectors.dtype == np.float16 and np.isinf(vectors).all()


def test_nothing_is_unpickled(full, full_folder):
    """An array of objects under a shard's name, listed in the journal with its hash, is still not loaded."""
    np.save(full_folder.files(0).vectors, np.array([{}], dtype=object), allow_pickle=True)
    append_forged_line(full_folder, 0, full_folder.shards[0])
    with pytest.raises(StoreError, match="not an array that can be read"):
        full.read("few", "mean/colour")


def test_a_full_disk_is_reported_and_leaves_no_temporary_file(tmp_path, monkeypatch):
    def full_disk(number):
        raise OSError(28, "No space left on device")

    store = Store(tmp_path / "store")
    with store.open_for_writing(made_up_dataset(2), MeanColour()) as embedded:
        monkeypatch.setattr("os.fsync", full_disk)
        rows = LEDGER.frame([{"image_id": f"i{i}", "row": i, "status": "ok"} for i in (0, 1)])
        with pytest.raises(StoreError, match=r"cannot write .*vectors-00000\.npy: No space left on device"):
            embedded.write_shard(0, rows, np.eye(2, 3))
    assert not list(store.path.rglob("*.part"))
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match="cannot make the folder"),
        Store(tmp_path / "file" / "in").open_for_writing(made_up_dataset(2), MeanColour()),
    ):
        pass
