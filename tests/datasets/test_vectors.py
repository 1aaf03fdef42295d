import json
import logging
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.datasets.vectors import land, load, ready
from bioclip_probe.errors import DataError, PictureError, StoreError
from bioclip_probe.store.store import Store
from bioclip_probe.store.verify import verify
from bioclip_probe.study import export
from tests.store.test_store import fill, made_up
from tests.support.pictures import MeanColour

GOLDEN = Path(__file__).parent / "golden" / "anndata.h5ad"
IDS = ["a", "b", "c", "d", "e"]
RANKS = {"class": ["Aves"] * 5, "genus": ["Pica", "Pica", "Corvus", None, "Corvus"]}
VECTORS = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


def as_parquet(path, emb=None, ids=IDS, **columns):
    """A table as emb-explorer has it."""
    emb = pa.array(VECTORS.tolist() if emb is None else emb, pa.list_(pa.float32()))
    arrays = {"uuid": ids, "emb": emb, **(columns or RANKS)}
    pq.write_table(pa.table(arrays), path)
    return path


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_parquet_of_emb_explorer(tmp_path, store):
    path = as_parquet(tmp_path / "bioclip.parquet")
    dataset = load(path)
    assert dataset.name == "bioclip"
    assert dataset.images["image_id"].tolist() == IDS
    assert dataset.images["genus"].fillna("").tolist() == ["Pica", "Pica", "Corvus", "", "Corvus"]
    assert not dataset.simulated
    assert "'uuid' was read as image_id" in dataset.notes
    with pytest.raises(PictureError, match=r"a: bioclip\.parquet holds ready vectors and no pictures"):
        dataset.open("a")
    assert pickle.loads(pickle.dumps(dataset.open)) == dataset.open
    vectors = ready(path)
    embedded = land(dataset, vectors, store, shard_size=2, progress=False)
    assert (embedded.n_ok, embedded.n_failed, embedded.n_shards) == (5, 0, 3)
    images, read = store.read(dataset, "bioclip")
    assert images["image_id"].tolist() == IDS
    np.testing.assert_array_equal(read, VECTORS)
    record = embedded.meta["encoder"]["record"]
    assert (record["id"], record["family"], record["dimension"]) == ("vectors:bioclip.parquet", "ready vectors", 3)
    assert len(record["sha256"]) == 64
    assert verify(store, progress=False).empty


def test_a_second_landing_does_nothing(tmp_path, store, monkeypatch):
    path = as_parquet(tmp_path / "bioclip.parquet")
    land(load(path), ready(path), store, progress=False)
    monkeypatch.setattr("bioclip_probe.datasets.vectors._gather", None)
    assert land(load(path), ready(path), store, progress=False).complete


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float16()), pa.list_(pa.float32(), 3)])
@pytest.mark.parametrize("name", ["emb", "Embeddings", "image_features", "emb.512"])
def test_columns_of_lists(tmp_path, store, kind, name):
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"image_id": IDS, name: pa.array(VECTORS.tolist(), kind), "genus": RANKS["genus"]}), path)
    if name not in ("emb", "Embeddings"):
        with pytest.raises(DataError, match=rf"has no vectors called emb, .* write v\.parquet#NAME .*{name}"):
            load(path)
        path = Path(f"{path}#{name}")
    dataset = load(path)
    land(dataset, ready(path), store, progress=False)
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


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_row_is_a_failed_image(tmp_path, store, bad):
    value, kind, words = BAD[bad]
    emb = VECTORS.tolist()
    emb[1] = value
    path = as_parquet(tmp_path / "v.parquet", emb)
    land(load(path), ready(path), store, shard_size=2, progress=False)
    failures = store.failures("v", "v")
    assert failures[["image_id", "error_class"]].to_numpy().tolist() == [["b", kind]]
    assert words in failures["error"][0]
    assert failures["error"][0].startswith("b: v.parquet ")
    np.testing.assert_array_equal(store.read("v", "v")[1], VECTORS[[0, 2, 3, 4]])
    assert verify(store, progress=False).empty


number = st.floats(width=32, allow_subnormal=False)
rows_of_three = st.one_of(st.none(), st.lists(number, min_size=3, max_size=3), st.lists(st.none() | number, max_size=5))


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
    as_parquet(folder / "images.parquet", [[0.0]] * len(emb), [ids[i] for i in order], genus=["Pica"] * len(emb))
    dataset, store = load(folder / "images.parquet"), Store(folder / "store")
    land(dataset, ready(path), store, shard_size=shard_size, progress=False)
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


def test_two_models_of_the_same_images(tmp_path, store, caplog):
    """Another file, in another order, with an image less and one more: joined by image_id."""
    dataset = load(as_parquet(tmp_path / "bioclip.parquet"))
    land(dataset, ready(tmp_path / "bioclip.parquet"), store, progress=False)
    np.savez(tmp_path / "clip.npz", ids=["x", "e", "d", "c", "b"], X=np.arange(10.0).reshape(5, 2))
    with caplog.at_level(logging.WARNING):
        land(dataset, ready(tmp_path / "clip.npz", name="clip"), store, progress=False)
    assert "clip: 1 vectors are of no image of bioclip: x" in caplog.text
    images, read = store.read(dataset, "clip")
    assert images["image_id"].tolist() == ["b", "c", "d", "e"]
    np.testing.assert_array_equal(read, [[8, 9], [6, 7], [4, 5], [2, 3]])
    assert store.failures(dataset, "clip").to_dict("records") == [
        {"image_id": "a", "error_class": "missing", "error": "a: clip.npz has no vector of it"}
    ]
    assert set(store.contents()["encoder"]) == {"bioclip", "clip"}


def test_a_file_of_other_images_is_refused(tmp_path, store):
    dataset = load(as_parquet(tmp_path / "a.parquet"))
    other = as_parquet(tmp_path / "b.parquet", ids=list("vwxyz"))
    with pytest.raises(
        DataError, match=r"has no vector of an image of 'a': it names v, w, x and 2 more; .*has a, b, c"
    ):
        land(dataset, ready(other), store, progress=False)
    assert not (store.path / "store.json").exists()


def test_a_file_without_one_usable_vector_leaves_nothing(tmp_path, store):
    path = as_parquet(tmp_path / "v.parquet", [[float("nan")] * 3] * 5)
    with pytest.raises(DataError, match=r"no usable vector; .* a: v\.parquet has NaN"):
        land(load(path), ready(path), store, progress=False)
    assert store.contents().empty


def test_the_fingerprint_is_of_what_is_read(tmp_path):
    path = as_parquet(tmp_path / "v.parquet", other=pa.array(VECTORS.tolist()), **RANKS)
    assert ready(path).fingerprint == ready(path, name="clip").fingerprint
    assert ready(path).fingerprint != ready(Path(f"{path}#other")).fingerprint
    assert load(path).fingerprint == load(Path(f"{path}#other")).fingerprint


@pytest.mark.parametrize("export", [export.to_parquet, export.to_npz, export.to_anndata])
def test_what_is_exported_comes_in_again(tmp_path, store, export):
    kept = Store(tmp_path / "first")
    fill(kept, made_up(5), MeanColour(), VECTORS, failed={3})
    suffix = {"to_parquet": ".parquet", "to_npz": ".npz", "to_anndata": ".h5ad"}[export.__name__]
    path = export(kept, "few", "mean/colour", tmp_path / f"few{suffix}")
    dataset, vectors = load(path), ready(path)
    assert dataset.simulated  # as the record says; it must be said of every table and figure
    assert vectors.record["made_by"]["name"] == "mean/colour"
    land(dataset, vectors, store, progress=False)
    images, read = store.read(dataset, "few")
    before, expected = kept.read("few", "mean/colour")
    pd.testing.assert_frame_equal(images.drop(columns="source"), before.drop(columns="source"))
    np.testing.assert_array_equal(read, expected)


def test_anndata_of_anndata(store):
    """A file that anndata itself wrote; see golden/make_anndata.py."""
    pytest.importorskip("h5py")
    dataset = load(GOLDEN)
    assert dataset.images["image_id"].tolist() == ["a", "b", "c"]
    assert dataset.images["class"].fillna("").tolist() == ["Aves", "", "Aves"]
    assert dataset.images["species"].tolist() == ["Pica pica", "Quercus robur", "Corvus corax"]
    land(dataset, ready(GOLDEN), store, progress=False)
    np.testing.assert_array_equal(store.read(dataset, "anndata")[1], np.arange(12).reshape(3, 4))
    land(dataset, ready(Path(f"{GOLDEN}#X_clip"), "clip"), store, progress=False)
    np.testing.assert_array_equal(store.read(dataset, "clip")[1], np.arange(6).reshape(3, 2))
    with pytest.raises(DataError, match="has no vectors called 'X_umap'; it has: X_clip"):
        ready(Path(f"{GOLDEN}#X_umap"))


def changed(path, change):
    """The golden file with something about it changed."""
    h5py = pytest.importorskip("h5py")
    path.write_bytes(GOLDEN.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file, h5py)
    return path


def test_links_to_other_files_are_not_followed(tmp_path):
    (tmp_path / "secret.h5").write_bytes(GOLDEN.read_bytes())

    def external(file, h5py):
        del file["X"]
        file["X"] = h5py.ExternalLink("secret.h5", "/X")

    def raw(file, h5py):
        del file["X"]
        file.create_dataset("X", (3, 4), "f4", external=[(os.fsencode(tmp_path / "secret.h5"), 0, 48)])

    for change in (external, raw):
        with pytest.raises(DataError, match="'X' leads out of its place"):
            load(changed(tmp_path / "v.h5ad", change))


def test_sparse_and_old_anndata_are_refused(tmp_path):
    def sparse(file, h5py):
        del file["X"]
        file.create_group("X").attrs["encoding-type"] = "csr_matrix"

    def old(file, h5py):
        del file["obs"].attrs["encoding-type"]

    with pytest.raises(DataError, match="X is not a dense array"):
        load(changed(tmp_path / "v.h5ad", sparse))
    with pytest.raises(DataError, match=r"AnnData 0\.8 and later"):
        load(changed(tmp_path / "w.h5ad", old))


def written(path, content):
    path.write_bytes(content)
    return path


def npz(path, **arrays):
    np.savez(
        path, allow_pickle=True, **{"ids": np.array(IDS), "vectors": VECTORS, "genus": np.array(["Pica"] * 5)} | arrays
    )
    return path


NONE = np.array([], np.str_)
REFUSED = {
    "no such file": (lambda p: p / "none.npz", "no such file"),
    "another kind": (lambda p: p / "v.csv", r"expected ready vectors as \.parquet, \.npz, \.h5ad"),
    "no vectors": (lambda p: npz(p / "v.npz", vectors=np.zeros(5)), "has no vectors called emb, .* there is none"),
    "no ids": (lambda p: npz(p / "v.npz", ids=np.zeros((5, 1))), "no column of ids: expected one of imageid"),
    "text": (lambda p: npz(p / "v.npz", vectors=np.full((5, 3), "x")), "expected numbers, one row a vector"),
    "fewer ids": (lambda p: npz(p / "v.npz", ids=np.array(IDS[:4])), "5 vectors in 'vectors', and 4 in 'ids'"),
    "no numbers": (lambda p: npz(p / "v.npz", vectors=np.zeros((5, 0))), "have no numbers"),
    "objects": (lambda p: npz(p / "v.npz", ids=np.array([{}] * 5)), "cannot be read as .npz: Object arrays"),
    "no ranks": (lambda p: npz(p / "v.npz", genus=np.zeros((2, 2))), "has no rank columns"),
    "twice": (lambda p: npz(p / "v.npz", ids=np.array(list("aabbc"))), "more than once.*: a, b"),
    "no row": (lambda p: npz(p / "v.npz", ids=NONE, vectors=VECTORS[:0], genus=NONE), "no row"),
    "no npz": (lambda p: written(p / "v.npz", b"x"), r"is no \.npz"),
    "no parquet": (lambda p: written(p / "v.parquet", b"PAR1"), "not a table that can be read"),
    "no h5ad": (lambda p: written(p / "v.h5ad", b"\x89HDF"), "cannot be read as .h5ad"),
    "lists of texts": (lambda p: as_parquet(p / "v.parquet", t=[["x"]] * 5).with_name("v.parquet#t"), "called 't'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_one_line(tmp_path, case):
    make, words = REFUSED[case]
    with pytest.raises(DataError, match=words) as error:
        load(make(tmp_path))
    assert "\n" not in str(error.value)


def test_two_vectors_of_one_image_are_refused(tmp_path):
    with pytest.raises(DataError, match="more than one vector of 2 images: a, b"):
        ready(npz(tmp_path / "v.npz", ids=np.array(list("aabbc"))))


def test_rows_without_an_id_are_noted(tmp_path, store):
    path = as_parquet(tmp_path / "v.parquet", ids=["a", None, "c", " ", "e"])
    dataset = load(path)
    assert "2 rows left out, they have no id: rows 2, 4" in dataset.notes
    land(dataset, ready(path), store, progress=False)
    np.testing.assert_array_equal(store.read(dataset, "v")[1], VECTORS[[0, 2, 4]])


def test_a_full_disk_is_told(tmp_path, store, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    path = as_parquet(tmp_path / "v.parquet")
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(StoreError, match="has no room for 60 bytes: No space left"):
        land(load(path), ready(path), store, progress=False)
    assert store.contents().empty


KINDS = ("v.parquet", "v.npz", "v.h5ad")


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_a_line_or_read(tmp_path_factory, kind, at, bit, cut):
    """One bit flipped, or the file cut: never another exception."""
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / kind
    if kind == "v.h5ad":
        path.write_bytes(GOLDEN.read_bytes())
    elif kind == "v.npz":
        npz(path)
    else:
        as_parquet(path)
    content = bytearray(path.read_bytes())
    place = int(at * len(content))
    content[place] ^= 1 << bit
    path.write_bytes(content[:place] if cut else content)
    try:
        land(load(path), ready(path), Store(folder / "store"), progress=False)
    except (DataError, StoreError) as error:
        assert "\n" not in str(error)


def test_a_record_that_is_none_is_not_believed(tmp_path):
    for text in ("[", "[]", '{"dataset": 3, "encoder": []}', "[" * 100_000):
        path = npz(tmp_path / "v.npz", bioclip_probe=np.array(text))
        assert not load(path).simulated
        assert ready(path).record["made_by"] == {}
        assert json.dumps(ready(path).record)
