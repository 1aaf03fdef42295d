import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from bioclip_probe.datasets.vectors import load
from bioclip_probe.errors import PictureError
from tests.support.vector_files import GOLDEN, IDS, RANKS, VECTORS, write_parquet


def test_parquet_of_emb_explorer_is_a_dataset_without_pictures(tmp_path):
    dataset = load(write_parquet(tmp_path / "bioclip.parquet"))
    assert dataset.name == "bioclip"
    assert dataset.images["image_id"].tolist() == IDS
    assert dataset.images["genus"].fillna("").tolist() == ["Pica", "Pica", "Corvus", "", "Corvus"]
    assert not dataset.simulated
    assert "'uuid' was read as image_id" in dataset.notes
    with pytest.raises(PictureError, match=r"a: bioclip\.parquet holds ready vectors and no pictures"):
        dataset.open("a")
    assert pickle.loads(pickle.dumps(dataset.open)) == dataset.open


def test_the_key_of_the_vectors_does_not_change_the_dataset(tmp_path):
    path = write_parquet(tmp_path / "v.parquet", other=pa.array(VECTORS.tolist()), **RANKS)
    assert load(path).fingerprint == load(Path(f"{path}#other")).fingerprint


def test_a_file_written_by_anndata():
    """The golden file was written by anndata itself; see golden/make_anndata.py."""
    pytest.importorskip("h5py")
    dataset = load(GOLDEN)
    assert dataset.images["image_id"].tolist() == ["a", "b", "c"]
    assert dataset.images["class"].fillna("").tolist() == ["Aves", "", "Aves"]
    assert dataset.images["species"].tolist() == ["Pica pica", "Quercus robur", "Corvus corax"]


def test_rows_without_an_id_are_noted(tmp_path):
    dataset = load(write_parquet(tmp_path / "v.parquet", ids=["a", None, "c", " ", "e"]))
    assert "2 rows left out, they have no id: rows 2, 4" in dataset.notes
