import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.datasets.vectors import load
from bioclip_probe.errors import DataError, StoreError
from bioclip_probe.extraction.ready_vectors import open_ready_vectors, store_ready_vectors
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from bioclip_probe.store.verify import verify
from bioclip_probe.study import export
from tests.support.pictures import MeanColour
from tests.support.stores import fill_store, flip_last_byte, made_up_dataset
from tests.support.vector_files import GOLDEN, IDS, RANKS, VECTORS, write_npz, write_parquet

QUIET = ExtractionSettings(progress=False)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_vectors_of_a_parquet_file_of_emb_explorer_are_stored(tmp_path, store):
    path = write_parquet(tmp_path / "bioclip.parquet")
    dataset = load(path)
    vectors = open_ready_vectors(path)
    embedded = store_ready_vectors(dataset, vectors, store, ExtractionSettings(shard_size=2, progress=False))
    assert (embedded.n_ok, embedded.n_failed, embedded.n_shards) == (5, 0, 3)
    images, read = store.read(dataset, "bioclip")
    assert images["image_id"].tolist() == IDS
    np.testing.assert_array_equal(read, VECTORS)
    record = embedded.meta["encoder"]["record"]
    assert (record["id"], record["family"], record["dimension"]) == ("vectors:bioclip.parquet", "ready vectors", 3)
    assert len(record["sha256"]) == 64
    assert verify(store, progress=False).empty


def test_storing_ready_vectors_a_second_time_does_nothing(tmp_path, store, monkeypatch):
    path = write_parquet(tmp_path / "bioclip.parquet")
    store_ready_vectors(load(path), open_ready_vectors(path), store, QUIET)
    monkeypatch.setattr("bioclip_probe.extraction.ready_vectors._sort_vectors", None)
    assert store_ready_vectors(load(path), open_ready_vectors(path), store, QUIET).complete


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float16()), pa.list_(pa.float32(), 3)])
@pytest.mark.parametrize("name", ["emb", "Embeddings", "image_features", "emb.512"])
def test_lists_of_any_number_type_and_name_are_read(tmp_path, store, kind, name):
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"image_id": IDS, name: pa.array(VECTORS.tolist(), kind), "genus": RANKS["genus"]}), path)
    if name not in ("emb", "Embeddings"):
        with pytest.raises(DataError, match=rf"has no vectors called emb, .* write v\.parquet#NAME .*{name}"):
            load(path)
        path = Path(f"{path}#{name}")
    dataset = load(path)
    store_ready_vectors(dataset, open_ready_vectors(path), store, QUIET)
    np.testing.assert_allclose(store.read(dataset, "v")[1], VECTORS, atol=2e-3)


BAD = {
    "nan": ([1.0, float("nan"), 0.0], "not finite", "NaN or infinite"),
    "infinite": ([1.0, float("inf"), 0.0], "not finite", "NaN or infinite"),
    "a null among them": ([1.0, None, 0.0], "not finite", "NaN or infinite"),
    "short": ([1.0, 2.0], "corrupt", "has 2 numbers for it; expected 3"),
    "long": ([1.0] * 4, "corrupt", "has 4 numbers for it; expected 3"),
    "empty": ([], "empty", "has an empty vector"),
    "null": (None, "empty", "has an empty vector"),
}


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_is_a_failed_image(tmp_path, store, bad):
    value, kind, words = BAD[bad]
    emb = VECTORS.tolist()
    emb[1] = value
    path = write_parquet(tmp_path / "v.parquet", emb)
    store_ready_vectors(load(path), open_ready_vectors(path), store, ExtractionSettings(shard_size=2, progress=False))
    failures = store.failures("v", "v")
    assert failures[["image_id", "error_class"]].to_numpy().tolist() == [["b", kind]]
    assert words in failures["error"][0]
    assert failures["error"][0].startswith("b: v.parquet ")
    np.testing.assert_array_equal(store.read("v", "v")[1], VECTORS[[0, 2, 3, 4]])
    assert verify(store, progress=False).empty


number = st.floats(width=32, allow_subnormal=False)


rows_of_three = st.one_of(st.none(), st.lists(number, min_size=3, max_size=3), st.lists(st.none() | number, max_size=5))


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    emb=st.lists(rows_of_three, min_size=0, max_size=6),
    shard_size=st.integers(3, 7),
    fixed=st.booleans(),
    shuffle=st.randoms(use_true_random=False),
)
def test_every_row_is_a_vector_or_a_failure(tmp_path_factory, emb, shard_size, fixed, shuffle):
    """Against the plain reading of the same lists; the dataset has its images in another order."""
    folder = tmp_path_factory.mktemp("rows")
    emb = [[1.0, 2.0, 3.0], *([row if row is None or len(row) == 3 else None for row in emb] if fixed else emb)]
    emb += [[4.0, 5.0, 6.0]] * len(emb)  # the most common length is 3
    ids = [f"i{i}" for i in range(len(emb))]
    kind = pa.list_(pa.float32(), 3) if fixed else pa.list_(pa.float32())
    path = folder / "v.parquet"
    pq.write_table(pa.table({"id": ids, "vector": pa.array(emb, kind)}), path)
    order = shuffle.sample(range(len(emb)), len(emb))
    write_parquet(folder / "images.parquet", [[0.0]] * len(emb), [ids[i] for i in order], genus=["Pica"] * len(emb))
    dataset, store = load(folder / "images.parquet"), Store(folder / "store")
    store_ready_vectors(
        dataset, open_ready_vectors(path), store, ExtractionSettings(shard_size=shard_size, progress=False)
    )
    good = {
        name: row
        for name, row in zip(ids, emb, strict=True)
        if row is not None and len(row) == 3 and all(x is not None and np.isfinite(x) for x in row)
    }
    images, read = store.read(dataset, "v")
    assert images["image_id"].tolist() == [ids[i] for i in order if ids[i] in good]
    np.testing.assert_array_equal(read, np.array([good[name] for name in images["image_id"]], np.float32))
    assert len(store.failures(dataset, "v")) == len(emb) - len(good)
    assert verify(store, progress=False).empty


def test_vectors_of_another_model_are_joined_by_image_id(tmp_path, store, caplog):
    """Another file, in another order, with an image less and one more: joined by image_id."""
    dataset = load(write_parquet(tmp_path / "bioclip.parquet"))
    store_ready_vectors(dataset, open_ready_vectors(tmp_path / "bioclip.parquet"), store, QUIET)
    np.savez(tmp_path / "clip.npz", ids=["x", "e", "d", "c", "b"], X=np.arange(10.0).reshape(5, 2))
    with caplog.at_level(logging.WARNING):
        store_ready_vectors(dataset, open_ready_vectors(tmp_path / "clip.npz", name="clip"), store, QUIET)
    assert "clip: 1 vectors are of no image of bioclip: x" in caplog.text
    images, read = store.read(dataset, "clip")
    assert images["image_id"].tolist() == ["b", "c", "d", "e"]
    np.testing.assert_array_equal(read, [[8, 9], [6, 7], [4, 5], [2, 3]])
    assert store.failures(dataset, "clip").to_dict("records") == [
        {"image_id": "a", "error_class": "missing", "error": "a: clip.npz has no vector of it"}
    ]
    assert set(status(store)["encoder"]) == {"bioclip", "clip"}


def test_a_file_of_other_images_is_refused(tmp_path, store):
    dataset = load(write_parquet(tmp_path / "a.parquet"))
    other = write_parquet(tmp_path / "b.parquet", ids=list("vwxyz"))
    with pytest.raises(
        DataError, match=r"has no vector of an image of 'a': it names v, w, x and 2 more; .*has a, b, c"
    ):
        store_ready_vectors(dataset, open_ready_vectors(other), store, QUIET)
    assert not (store.path / "store.json").exists()


def test_a_file_without_a_usable_vector_leaves_nothing_in_the_store(tmp_path, store):
    path = write_parquet(tmp_path / "v.parquet", [[float("nan")] * 3] * 5)
    with pytest.raises(DataError, match=r"no usable vector; .* a: v\.parquet has NaN"):
        store_ready_vectors(load(path), open_ready_vectors(path), store, QUIET)
    assert status(store).empty


def test_the_fingerprint_depends_on_the_file_and_the_key_only(tmp_path):
    path = write_parquet(tmp_path / "v.parquet", other=pa.array(VECTORS.tolist()), **RANKS)
    assert open_ready_vectors(path).fingerprint == open_ready_vectors(path, name="clip").fingerprint
    assert open_ready_vectors(path).fingerprint != open_ready_vectors(Path(f"{path}#other")).fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("export", [export.to_parquet, export.to_npz, export.to_anndata])
def test_exported_vectors_can_be_stored_again(tmp_path, store, export):
    kept = Store(tmp_path / "first")
    fill_store(kept, made_up_dataset(5), MeanColour(), VECTORS, failed={3})
    suffix = {"to_parquet": ".parquet", "to_npz": ".npz", "to_anndata": ".h5ad"}[export.__name__]
    path = export(kept, "few", "mean/colour", tmp_path / f"few{suffix}")
    dataset, vectors = load(path), open_ready_vectors(path)
    assert dataset.simulated  # as the record says; it must be said of every table and figure
    assert vectors.record["made_by"]["name"] == "mean/colour"
    store_ready_vectors(dataset, vectors, store, QUIET)
    images, read = store.read(dataset, "few")
    before, expected = kept.read("few", "mean/colour")
    pd.testing.assert_frame_equal(images.drop(columns="source"), before.drop(columns="source"))
    np.testing.assert_array_equal(read, expected)


def test_a_file_written_by_anndata_is_read(store):
    """A file that anndata itself wrote; see golden/make_anndata.py."""
    pytest.importorskip("h5py")
    dataset = load(GOLDEN)
    store_ready_vectors(dataset, open_ready_vectors(GOLDEN), store, QUIET)
    np.testing.assert_array_equal(store.read(dataset, "anndata")[1], np.arange(12).reshape(3, 4))
    store_ready_vectors(dataset, open_ready_vectors(Path(f"{GOLDEN}#X_clip"), "clip"), store, QUIET)
    np.testing.assert_array_equal(store.read(dataset, "clip")[1], np.arange(6).reshape(3, 2))
    with pytest.raises(DataError, match="has no vectors called 'X_umap'; it has: X_clip"):
        open_ready_vectors(Path(f"{GOLDEN}#X_umap"))


def test_two_vectors_of_one_image_are_refused(tmp_path):
    with pytest.raises(DataError, match="more than one vector of 2 images: a, b"):
        open_ready_vectors(write_npz(tmp_path / "v.npz", ids=np.array(list("aabbc"))))


def test_rows_without_an_id_are_noted(tmp_path, store):
    path = write_parquet(tmp_path / "v.parquet", ids=["a", None, "c", " ", "e"])
    dataset = load(path)
    store_ready_vectors(dataset, open_ready_vectors(path), store, QUIET)
    np.testing.assert_array_equal(store.read(dataset, "v")[1], VECTORS[[0, 2, 4]])


def test_a_full_disk_is_reported(tmp_path, store, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    path = write_parquet(tmp_path / "v.parquet")
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(StoreError, match="has no room for 60 bytes: No space left"):
        store_ready_vectors(load(path), open_ready_vectors(path), store, QUIET)
    assert status(store).empty


KINDS = ("v.parquet", "v.npz", "v.h5ad")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path_factory, kind, at, bit, cut):
    """One bit flipped, or the file cut: never another exception."""
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / kind
    if kind == "v.h5ad":
        path.write_bytes(GOLDEN.read_bytes())
    elif kind == "v.npz":
        write_npz(path)
    else:
        write_parquet(path)
    content = bytearray(path.read_bytes())
    place = int(at * len(content))
    content[place] ^= 1 << bit
    path.write_bytes(content[:place] if cut else content)
    try:
        store_ready_vectors(load(path), open_ready_vectors(path), Store(folder / "store"), QUIET)
    except (DataError, StoreError) as error:
        assert "\n" not in str(error)


@pytest.mark.slow
def test_a_record_that_is_not_one_is_ignored(tmp_path):
    for text in ("[", "[]", '{"dataset": 3, "encoder": []}', "[" * 100_000):
        path = write_npz(tmp_path / "v.npz", bioclip_probe=np.array(text))
        assert not load(path).simulated
        assert open_ready_vectors(path).record["made_by"] == {}
        assert json.dumps(open_ready_vectors(path).record)


def test_a_damaged_shard_of_ready_vectors_is_repaired(tmp_path, store):
    path = write_parquet(tmp_path / "bioclip.parquet")
    embedded = store_ready_vectors(load(path), open_ready_vectors(path), store, QUIET)
    flip_last_byte(embedded.files(0).vectors)
    repair = ExtractionSettings(redo=("damaged",), progress=False)
    assert store_ready_vectors(load(path), open_ready_vectors(path), store, repair).complete
    assert verify(store, progress=False).empty
