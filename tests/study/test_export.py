"""Exports read back by the programs they are for, or by plain readers of their formats."""

import builtins
import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError, StoreError
from bioclip_probe.store.store import Store
from bioclip_probe.study import results
from bioclip_probe.study.export import RECORD, to_anndata, to_checksums, to_npz, to_parquet
from bioclip_probe.tables import COORDINATES, RANKS
from tests.support.extraction import extract_one, painted_dataset
from tests.support.pictures import MeanColour
from tests.support.stores import fill_store, flip_last_byte, made_up_dataset

VECTORS = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
OK = [0, 1, 2, 4]
WRITERS = {"parquet": to_parquet, "npz": to_npz, "h5ad": to_anndata}


@pytest.fixture
def full(tmp_path):
    """A store of 5 images in 3 shards, of which image 3 failed."""
    store = Store(tmp_path / "store")
    fill_store(store, made_up_dataset(5), MeanColour(), VECTORS, failed={3})
    return store


def test_parquet_as_emb_explorer_reads_it(full, tmp_path):
    """Its docs/DATA_FORMAT.md: text `uuid`, `emb` of float32 and of one length, ranks in lower case."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = to_parquet(full, "few", "mean/colour", tmp_path / "few.parquet")
    table = pq.read_table(path)
    assert table.schema.field("uuid").type == pa.string()
    assert table.schema.field("emb").type == pa.list_(pa.float32())
    assert table["uuid"].to_pylist() == [f"i{i}" for i in OK]
    np.testing.assert_array_equal(np.array(table["emb"].to_pylist(), np.float32), VECTORS[OK])
    assert set(RANKS) | {"common", "source"} <= set(table.column_names)
    assert table["genus"].to_pylist() == ["Pica"] * 4
    assert table["kingdom"].null_count == 4
    record = json.loads(table.schema.metadata[RECORD.encode()])
    assert (record["encoder"]["name"], record["dataset"]["simulated"], record["n_failed"]) == ("mean/colour", True, 1)
    assert pq.ParquetFile(path).num_row_groups == 3


def test_npz_loads_without_pickle(full, tmp_path):
    path = to_npz(full, "few", "mean/colour", tmp_path / "few.npz")
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["ids"].tolist() == [f"i{i}" for i in OK]
        np.testing.assert_array_equal(arrays["vectors"], VECTORS[OK])
        assert arrays["genus"].tolist() == ["Pica"] * 4
        assert "kingdom" not in arrays
        assert json.loads(str(arrays[RECORD]))["encoder"]["fingerprint"] == "0123456789ab"


def read_frame(group) -> pd.DataFrame:
    """A frame of AnnData's, by its written specification."""
    assert group.attrs["encoding-type"] == "dataframe"
    columns = {}
    for name in group.attrs["column-order"]:
        codes, categories = group[name]["codes"][:], group[name]["categories"].asstr()[:]
        columns[name] = [categories[code] if code >= 0 else None for code in codes]
    return pd.DataFrame(columns, index=group[group.attrs["_index"]].asstr()[:])


def test_anndata_by_its_specification(full, tmp_path):
    h5py = pytest.importorskip("h5py")
    path = to_anndata(full, "few", "mean/colour", tmp_path / "few.h5ad")
    with h5py.File(path) as file:
        assert dict(file.attrs) == {"encoding-type": "anndata", "encoding-version": "0.1.0"}
        np.testing.assert_array_equal(file["X"][:], VECTORS[OK])
        obs, var = read_frame(file["obs"]), read_frame(file["var"])
        assert json.loads(file["uns"][RECORD].asstr()[()])["panels"] == []
        assert len(file["obsm"]) == 0
    assert obs.index.tolist() == [f"i{i}" for i in OK]
    assert obs["genus"].tolist() == ["Pica"] * 4
    assert obs["species"].isna().all()
    assert var.index.tolist() == ["0", "1", "2"]


@pytest.mark.filterwarnings("ignore")  # it asks for an older pandas than this package does, and the newer one says so
def test_anndata_reads_it_back(full, tmp_path):
    """Where anndata itself is installed."""
    anndata = pytest.importorskip("anndata", exc_type=ImportError)
    read = anndata.read_h5ad(to_anndata(full, "few", "mean/colour", tmp_path / "few.h5ad"))
    np.testing.assert_array_equal(read.X, VECTORS[OK])
    assert read.obs_names.tolist() == [f"i{i}" for i in OK]
    assert read.obs["genus"].tolist() == ["Pica"] * 4


def drill_down(folder, panels, encoder=("mean/colour", "0123456789ab"), dataset=None):
    """A results folder with a projection: method, mode, rank, focus and images of each panel."""
    rows = [
        {"run": "r", "encoder": "mean/colour", "dataset": "few", "method": method, "mode": mode, "rank": rank,
         "focus": focus, "plotted": True, "hidden": False, "image_id": f"i{i}", "x": float(i), "y": -float(i)}
        for method, mode, rank, focus, images in panels
        for i in images
    ]  # fmt: skip
    record = {
        "run": "r",
        "dataset": {"fingerprint": dataset or made_up_dataset(5).fingerprint, "simulated": True},
        "encoders": [dict(zip(("name", "fingerprint"), encoder, strict=True))],
        "steps": {},
    }
    results.write(folder, record, {**({"coordinates": COORDINATES.frame(rows)} if rows else {})})
    return folder


def obsm(path) -> dict:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path) as file:
        return {name: values[:] for name, values in file["obsm"].items()}


def test_each_panel_is_a_plane_of_its_own(full, tmp_path):
    out = drill_down(
        tmp_path / "out",
        [("tsne", "corrected", "kingdom", "", OK), ("tsne", "corrected", "phylum", "Animalia", [0, 4])],
    )
    planes = obsm(to_anndata(full, "few", "mean/colour", tmp_path / "few.h5ad", results=out))
    assert sorted(planes) == ["X_tsne", "X_tsne_phylum"]
    np.testing.assert_array_equal(planes["X_tsne"], [[0, 0], [1, -1], [2, -2], [4, -4]])
    np.testing.assert_array_equal(planes["X_tsne_phylum"], [[0, 0], [np.nan] * 2, [np.nan] * 2, [4, -4]])


def test_a_panel_of_some_images_is_not_called_the_map_of_all(full, tmp_path):
    out = drill_down(tmp_path / "out", [("umap", "paper", "phylum", "Animalia", [0, 1])])
    assert sorted(obsm(to_anndata(full, "few", "mean/colour", tmp_path / "few.h5ad", out))) == ["X_umap_phylum"]


def test_modes_and_walks_that_stay_are_told_apart(full, tmp_path):
    panels = [("tsne", mode, rank, "", OK) for mode in ("paper", "corrected") for rank in ("kingdom", "phylum")]
    planes = obsm(to_anndata(full, "few", "mean/colour", tmp_path / "a.h5ad", drill_down(tmp_path / "out", panels)))
    assert sorted(planes) == ["X_tsne_corrected", "X_tsne_corrected_phylum", "X_tsne_paper", "X_tsne_paper_phylum"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoder": ("mean/colour", "f" * 12)}, "none of these vectors"),
        ({"dataset": "f" * 12}, "of another dataset"),
        ({"panels": []}, "holds no projection"),
    ],
)
def test_results_of_other_vectors_are_refused(full, tmp_path, changes, words):
    panels = [("tsne", "paper", "kingdom", "", OK)]
    out = drill_down(tmp_path / "out", **{"panels": panels} | changes)
    with pytest.raises(DataError, match=words):
        to_anndata(full, "few", "mean/colour", tmp_path / "few.h5ad", out)


def test_without_h5py_one_line(full, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **more):
        if name == "h5py":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"needs h5py: pip install 'bioclip_probe\[anndata\]'"):
        to_anndata(full, "few", "mean/colour", tmp_path / "few.h5ad")


@pytest.mark.parametrize("kind", WRITERS)
def test_a_damaged_store_leaves_no_file_and_the_old_one(full, tmp_path, kind):
    path = tmp_path / "files" / f"few.{kind}"
    path.parent.mkdir()
    path.write_text("old")
    flip_last_byte(full.embedding_folder("few", "mean/colour").folder / "vectors-00002.npy")
    with pytest.raises(StoreError, match="has changed since"):
        WRITERS[kind](full, "few", "mean/colour", path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "old"


@pytest.mark.parametrize("kind", WRITERS)
def test_where_nothing_can_be_written_one_line(full, tmp_path, kind):
    with pytest.raises(DataError, match=r"cannot write .*few") as error:
        WRITERS[kind](full, "few", "mean/colour", tmp_path / "nowhere" / f"few.{kind}")
    assert "\n" not in str(error.value)


def test_half_precision_leaves_as_float32(tmp_path):
    store = Store(tmp_path / "store")
    fill_store(store, made_up_dataset(5), MeanColour(), VECTORS.astype(np.float16))
    expected = VECTORS.astype(np.float16).astype(np.float32)
    table = pd.read_parquet(to_parquet(store, "few", "mean/colour", tmp_path / "few.parquet"))
    np.testing.assert_array_equal(np.stack(table["emb"]), expected)
    with np.load(to_npz(store, "few", "mean/colour", tmp_path / "few.npz")) as arrays:
        assert arrays["vectors"].dtype == np.float32
        np.testing.assert_array_equal(arrays["vectors"], expected)


def test_shards_are_plain_numpy(full):
    """Anyone may map them: the documented way to read a store without this package."""
    folder = full.embedding_folder("few", "mean/colour").folder
    mapped = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("vectors-*.npy"))]
    assert all(isinstance(shard, np.memmap) for shard in mapped)
    np.testing.assert_array_equal(np.concatenate(mapped), VECTORS[OK])


def test_checksums_are_listed_as_sum_buddy_lists_them(tmp_path):
    pictures = painted_dataset(tmp_path / "pictures", 3)
    (tmp_path / "pictures" / "001.png").write_bytes(b"no picture")
    store = Store(tmp_path / "store")
    extract_one(pictures, MeanColour(), store)
    path = to_checksums(store, pictures.name, "mean/colour", tmp_path / "images.csv")
    table = pd.read_csv(path)
    assert list(table) == ["filepath", "filename", "sha256"]
    assert table["filename"].tolist() == ["000.png", "001.png", "002.png"]
    digests = [hashlib.sha256((tmp_path / "pictures" / name).read_bytes()).hexdigest() for name in table["filename"]]
    assert table["sha256"].tolist() == digests


def test_without_digests_there_is_no_list_of_checksums(full, tmp_path):
    with pytest.raises(DataError, match="has no sha256 of the pictures of few: they are ready vectors"):
        to_checksums(full, "few", "mean/colour", tmp_path / "images.csv")
    assert not (tmp_path / "images.csv").exists()
