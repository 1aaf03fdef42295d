import json
import tempfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import StoreError
from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from bioclip_probe.tables import IMAGES
from tests.support.pictures import MeanColour
from tests.support.stores import VECTORS, fill_store, flip_last_byte, made_up_dataset


def test_read_gives_what_was_written(full):
    store, vectors = full, VECTORS
    images, read = store.read("few", "mean/colour")
    assert images["image_id"].tolist() == ["i0", "i1", "i2", "i4"]
    assert images["genus"].tolist() == ["Pica"] * 4
    IMAGES.check(images)
    assert read.dtype == np.float32
    assert np.array_equal(read, vectors[[0, 1, 2, 4]])
    assert not read.flags.writeable
    assert store.failures("few", "mean/colour").to_dict("records") == [
        {"image_id": "i3", "error_class": "corrupt", "error": "3.png: broken"}
    ]
    assert len(store.images("few")) == 5


def test_vectors_may_be_stored_in_half_precision(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    store = Store(tmp_path / "store")
    with store.open_for_writing(made_up_dataset(5), MeanColour(), 2, "float16"):
        pass
    fill_store(store, made_up_dataset(5), MeanColour(), vectors, failed={3})
    read = store.read("few", "mean/colour")[1]
    assert read.dtype == np.float16
    np.testing.assert_array_equal(read, vectors[[0, 1, 2, 4]].astype(np.float16))
    with store.open_for_writing(
        made_up_dataset(5), MeanColour(), 2, "float32"
    ) as again:  # what is there keeps its type
        assert again.dtype == np.float16 and not again.missing_shards()


def test_one_shard_is_memory_mapped(tmp_path):
    store = Store(tmp_path)
    fill_store(store, made_up_dataset(4), MeanColour(), np.eye(4, 3, dtype=np.float32), shard_size=4)
    assert isinstance(store.read("few", "mean/colour")[1], np.memmap)


def test_written_format(full):
    store = full
    home = store.path / f"few@{made_up_dataset(5).fingerprint}"
    folder = home / "mean-colour@0123456789ab"
    assert sorted(path.name for path in folder.iterdir()) == [
        "meta.json",
        *(f"rows-0000{i}.parquet" for i in range(3)),
        "shards.jsonl",
        *(f"vectors-0000{i}.npy" for i in range(3)),
    ]
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["encoder"] == {
        "name": "mean/colour", "fingerprint": "0123456789ab", "dimension": 3, "record": MeanColour().record
    }  # fmt: skip
    journal = [json.loads(line) for line in (folder / "shards.jsonl").read_text().splitlines()]
    assert [line["shard"] for line in journal] == [0, 1, 2]
    assert [line["facts"]["n_failed"] for line in journal] == [0, 1, 0]
    assert {"numpy", "bioclip_probe"} <= meta["software"].keys()
    assert pd.read_parquet(folder / "rows-00001.parquet")["row"].tolist() == [0, -1]
    mapped = np.load(folder / "vectors-00001.npy", mmap_mode="r", allow_pickle=False)
    assert isinstance(mapped, np.memmap)
    assert mapped.shape == (1, 3)
    assert json.loads((home / "dataset.json").read_text())["notes"] == ["one note"]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_round_trip(data):
    number = data.draw(st.integers(1, 9))
    size = data.draw(st.integers(1, 10))
    failed = data.draw(st.sets(st.integers(0, number - 1)))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    vectors = np.array(
        data.draw(st.lists(st.tuples(finite, finite, finite), min_size=number, max_size=number)), np.float32
    )
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        embedded = fill_store(store, made_up_dataset(number), MeanColour(), vectors, failed, size)
        ok = [i for i in range(number) if i not in failed]
        images, read = store.read(made_up_dataset(number), MeanColour())
        assert images["image_id"].tolist() == [f"i{i}" for i in ok]
        assert np.array_equal(read, vectors[ok])
        assert (embedded.n_ok, embedded.n_failed, embedded.n_shards) == (len(ok), len(failed), -(-number // size))
        assert store.failures("few", "mean/colour")["image_id"].tolist() == [f"i{i}" for i in sorted(failed)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-32/laion2b", "custom:net.py:make", "local-dir:/x/y", "../..", "", "ä" * 300])
def test_any_name_becomes_a_folder_inside(tmp_path, name):
    encoder = MeanColour()
    encoder.name = name
    store = Store(tmp_path / "store")
    folder = fill_store(store, made_up_dataset(2), encoder, np.eye(2, 3)).folder
    assert folder.parent.parent == store.path
    assert folder.resolve().parent.parent == store.path.resolve()
    assert store.read(made_up_dataset(2), encoder)[1].shape == (2, 3)
    assert status(store)["encoder"].tolist() == [name]


def test_datasets_and_encoders_are_found_by_name_and_by_fingerprint(full):
    store, vectors = full, VECTORS
    fill_store(store, made_up_dataset(2, changed=1), MeanColour(), vectors)
    with pytest.raises(StoreError, match=r"holds several datasets called 'few'; name one: few@\w{12}, few@\w{12}"):
        store.read("few", "mean/colour")
    assert len(store.read(made_up_dataset(5), "mean/colour")[0]) == 4
    assert len(store.read(f"few@{made_up_dataset(2, changed=1).fingerprint}", MeanColour())[0]) == 2
    with pytest.raises(StoreError, match=r"holds no dataset 'many'; it holds: few@"):
        store.read("many", "mean/colour")
    with pytest.raises(
        StoreError, match="holds no encoder 'bioclip'; it holds: mean/colour@0123456789ab; embed it first"
    ):
        store.read(made_up_dataset(5), "bioclip")
    with pytest.raises(StoreError, match="it holds none"):
        Store(store.path / "elsewhere").read("few", "bioclip")


def test_a_finished_run_keeps_its_shard_size_and_has_nothing_to_do(full):
    store = full
    with store.open_for_writing(made_up_dataset(5), MeanColour(), shard_size=100) as embedded:
        assert embedded.missing_shards() == []
        assert embedded.image_slice(2) == slice(4, 5)


def test_a_finished_run_is_opened_without_a_lock_and_without_writing(full, monkeypatch):
    store = full
    monkeypatch.setattr("bioclip_probe.store.store.hold_lock", None)
    monkeypatch.setattr("bioclip_probe.store.shard_files.write_file", None)
    with (
        store.open_for_writing(made_up_dataset(5), MeanColour()) as embedded,
        store.open_for_writing(made_up_dataset(5), MeanColour()),
    ):
        assert embedded.state() == "complete"


def test_two_runs_at_once_are_refused(tmp_path):
    store = Store(tmp_path)
    other = MeanColour()
    other.fingerprint = "f" * 12
    with store.open_for_writing(made_up_dataset(2), MeanColour()):
        with store.open_for_writing(made_up_dataset(2), other):
            pass
        with (
            pytest.raises(StoreError, match="another run is writing"),
            store.open_for_writing(made_up_dataset(2), MeanColour()),
        ):
            pass
    with store.open_for_writing(made_up_dataset(2), MeanColour()):
        pass


def test_a_run_that_fails_before_its_first_shard_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.open_for_writing(made_up_dataset(2), MeanColour()):
        raise RuntimeError
    assert status(store).empty


def test_an_incomplete_run_is_not_read(tmp_path):
    store = Store(tmp_path)
    with store.open_for_writing(made_up_dataset(3), MeanColour(), 2) as embedded:
        embedded.write_shard(
            0, LEDGER.frame([{"image_id": f"i{i}", "row": i, "status": "ok"} for i in (0, 1)]), np.eye(2, 3)
        )
    assert status(store)["state"].tolist() == ["incomplete"]
    with pytest.raises(StoreError, match=r"not complete \(1 of 2 shards\); embed it again"):
        store.read("few", "mean/colour")


def test_half_written_files_are_no_shard(full):
    """What a killed run leaves: a file beside its place, or vectors that the journal does not name yet."""
    store, vectors = full, VECTORS
    folder = store.embedding_folder("few", "mean/colour").folder
    first, second, third = (folder / "shards.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "shards.jsonl").write_bytes(first + third + second[:-1])
    (folder / "vectors-00001.npy").write_bytes(b"half")
    (folder / "rows-00001.parquet.77.part").write_bytes(b"half")
    assert status(store)["state"].tolist() == ["incomplete"]
    fill_store(store, made_up_dataset(5), MeanColour(), vectors)
    assert np.array_equal(store.read("few", "mean/colour")[1], vectors)
    assert not list(folder.glob("*.part"))
    assert (folder / "shards.jsonl").read_bytes().startswith(first + third)


DAMAGE = {
    "shard gone": (lambda folder: (folder / "vectors-00001.npy").unlink(), r"damaged: vectors-00001\.npy is gone"),
    "ledger gone": (lambda folder: (folder / "rows-00002.parquet").unlink(), r"damaged: rows-00002\.parquet is gone"),
    "truncated": (
        lambda folder: (folder / "vectors-00000.npy").write_bytes(b"\x93NUMPY"),
        "has 6 bytes instead of 152",
    ),
    "changed": (lambda folder: flip_last_byte(folder / "vectors-00000.npy"), "has changed since it was written"),
    "ledger changed": (lambda folder: flip_last_byte(folder / "rows-00000.parquet"), "has changed since"),
    "meta gone": (lambda folder: (folder / "meta.json").unlink(), "holds no encoder"),
    "journal changed": (
        lambda folder: (folder / "shards.jsonl").write_text('{"shard": 1, "facts": {"n_ok": 2}}\n'),
        "line 1 is not a line of a journal",
    ),
    "journal of more shards": (
        lambda folder: (folder / "shards.jsonl").write_text('{"shard": 3, "facts": null}\n'),
        "line 1 is not a line of a journal",
    ),
    "meta cut": (lambda folder: (folder / "meta.json").write_text('{"version": 1'), "cannot be read"),
    "meta empty": (lambda folder: (folder / "meta.json").write_text("[]"), "is not a record of a store"),
    "images gone": (lambda folder: (folder.parent / "images.parquet").unlink(), "images.parquet is gone"),
    "images cut": (
        lambda folder: (folder.parent / "images.parquet").write_text("PAR1"),
        "images.parquet has changed since",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_reported_in_one_line(full, damage):
    store = full
    harm, reason = DAMAGE[damage]
    harm(store.embedding_folder("few", "mean/colour").folder)
    with pytest.raises(StoreError, match=reason) as error:
        store.read("few", "mean/colour")
    assert "\n" not in str(error.value)
    if "has changed" not in reason:  # sizes are compared before anything is written; hashes only when it is read
        with pytest.raises(StoreError), store.open_for_writing(made_up_dataset(5), MeanColour()):
            pass


REPAIRABLE = ("shard gone", "ledger gone", "truncated", "changed", "ledger changed", "journal changed")


@pytest.mark.parametrize("damage", REPAIRABLE)
def test_only_damaged_shards_are_written_again(full, damage):
    store, vectors = full, VECTORS
    DAMAGE[damage][0](store.embedding_folder("few", "mean/colour").folder)
    with store.open_for_writing(made_up_dataset(5), MeanColour(), redo=("damaged",)) as embedded:
        assert len(embedded.missing_shards()) == (3 if damage == "journal changed" else 1)
    fill_store(store, made_up_dataset(5), MeanColour(), vectors, failed={3})
    assert np.array_equal(store.read("few", "mean/colour")[1], vectors[[0, 1, 2, 4]])


def test_shards_with_failed_images_may_be_written_again(full):
    store, vectors = full, VECTORS
    with store.open_for_writing(made_up_dataset(5), MeanColour(), redo=("failed",)) as embedded:
        assert embedded.missing_shards() == [1]
    fill_store(store, made_up_dataset(5), MeanColour(), vectors)
    assert np.array_equal(store.read("few", "mean/colour")[1], vectors)


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(StoreError, match=r"is not a store \(it has no store.json\)"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "holiday.jpg")
    (tmp_path / "store.json").write_text('{"shop": true}')
    with pytest.raises(StoreError, match="of something else"):
        Store(tmp_path)


def test_another_format_version_is_refused(full):
    store = full
    meta = store.embedding_folder("few", "mean/colour").folder / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"version": 0}))
    with pytest.raises(StoreError, match="has store format 0; this version of bioclip_probe reads the formats 2 and 3"):
        store.read("few", "mean/colour")
    head = store.path / "store.json"
    head.write_text(json.dumps(json.loads(head.read_text()) | {"version": 4}))
    with pytest.raises(StoreError, match="has store format 4"):
        Store(store.path)
