"""Files of AnnData as its versions of today write them, and hostile ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bioclip_probe.datasets.readers.vector_files import open_vectors
from bioclip_probe.datasets.vectors import load
from bioclip_probe.errors import DataError
from bioclip_probe.limits import allow_memory

h5py = pytest.importorskip("h5py")
IDS, TEXT = ["a", "b", "c", "d"], h5py.string_dtype()


def nullable(group, name: str, values: np.ndarray, mask: list[bool], kind: str = "nullable-string-array") -> None:
    """Write a column as AnnData writes pandas' nullable arrays: values, and a mask of those that are missing."""
    column = group.create_group(name)
    column.attrs["encoding-type"] = kind
    column["mask"] = np.array(mask)
    column.create_dataset("values", data=values, dtype=TEXT if values.dtype.kind in "OU" else None)


def write(path: Path, X: np.ndarray | None = None, **obsm: np.ndarray) -> Path:
    """Write an AnnData file whose index and genus are nullable strings, and return its path."""
    with h5py.File(path, "w") as file:
        obs = file.create_group("obs")
        obs.attrs.update({"encoding-type": "dataframe", "_index": "_index", "column-order": ["genus", "family"]})
        nullable(obs, "_index", np.array(IDS, object), [False] * 4)
        nullable(obs, "genus", np.array(["Pica", "", "Pica", "Corvus"], object), [False, True, False, False])
        family = obs.create_group("family")
        nullable(family, "categories", np.array(["Corvidae"], object), [False])
        family["codes"] = np.array([0, 0, -1, 0], np.int8)
        if X is not None:
            file["X"] = X
        for name, values in obsm.items():
            file[f"obsm/{name}"] = values
    return path


def test_nullable_columns_and_index_are_read(tmp_path):
    """AnnData 0.12 writes them with pandas 3, and 0.13 by default."""
    images = load(write(tmp_path / "v.h5ad", np.ones((4, 3)))).images
    assert images["image_id"].tolist() == IDS
    assert images["genus"].fillna("").tolist() == ["Pica", "", "Pica", "Corvus"]
    assert images["family"].fillna("").tolist()[:2] == ["Corvidae", "Corvidae"]


@pytest.mark.parametrize("kind", ["nullable-integer", "nullable-boolean"])
def test_nullable_numbers_are_read_as_text(tmp_path, kind):
    path = write(tmp_path / "v.h5ad", np.ones((4, 3)))
    values = np.array([True, False, True, True] if kind == "nullable-boolean" else [7, 0, 8, 9])
    with h5py.File(path, "r+") as file:
        file["obs"].attrs["column-order"] = ["genus", "group"]
        nullable(file["obs"], "group", values, [False, True, False, False], kind)
    group = open_vectors(path).texts["group"]
    assert group.isna().tolist() == [False, True, False, False]
    assert group[0] == str(values[0])


def test_a_file_with_obsm_alone_gives_its_only_entry(tmp_path):
    file = open_vectors(write(tmp_path / "v.h5ad", X_clip=np.eye(4)[:, :2]))
    assert (file.key, file.dimension) == ("X_clip", 2)
    assert np.concatenate([block for block, _ in file.blocks()]).tolist() == np.eye(4)[:, :2].tolist()


def test_of_several_entries_the_usual_name_is_taken_or_one_is_asked_for(tmp_path):
    assert open_vectors(write(tmp_path / "a.h5ad", umap=np.ones((4, 2)), emb=np.ones((4, 3)))).key == "emb"
    with pytest.raises(DataError, match=r"has no X, in obsm it has: X_clip, X_dino; write b\.h5ad#NAME for one"):
        open_vectors(write(tmp_path / "b.h5ad", X_clip=np.ones((4, 2)), X_dino=np.ones((4, 3))))
    with pytest.raises(DataError, match="has no X, and nothing in obsm"):
        open_vectors(write(tmp_path / "c.h5ad"))


def without_data(file, name: str, shape: tuple[int, ...], **options: object) -> None:
    """Declare an array of which nothing is written: its size costs no byte of the file."""
    del file[name]
    file.create_dataset(name, shape, options.pop("dtype", "f4"), **options)


HUGE = {
    "ids": ("obs/_index/values", (10**9,), {"dtype": TEXT, "chunks": (1000,)}, "table of 1,000,000,000 rows"),
    "codes": ("obs/family/codes", (10**10,), {"dtype": "i1", "chunks": (1000,)}, "table of 10,000,000,000 rows"),
    "categories": ("obs/family/categories/values", (10**9,), {"dtype": TEXT, "chunks": (10,)}, "1,000,000,000 rows"),
    "long texts": ("obs/genus/values", (4,), {"dtype": "S900000000"}, "array '/obs/genus/values' would take"),
    "columns": ("X", (4, 10**9), {"chunks": (1, 1000)}, "1,000,000,000 numbers each; an embedding has 65,536 at most"),
    "chunks": ("X", (4, 60_000), {"chunks": (10_000, 60_000), "maxshape": (None, 60_000)}, "in each of its chunks"),
    "a table": ("obs/genus/values", (2, 2), {"dtype": TEXT}, "is not a column; expected one value a row"),
}  # fmt: skip


@pytest.mark.parametrize("case", HUGE)
def test_what_a_file_declares_is_checked_before_memory_is_taken(tmp_path, case):
    name, shape, options, words = HUGE[case]
    path = write(tmp_path / "v.h5ad", np.ones((4, 3)))
    with h5py.File(path, "r+") as file:
        without_data(file, name, shape, **options)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=words) as caught:
        open_vectors(path)
    assert str(caught.value).isprintable()


def test_vectors_that_are_declared_and_not_written_are_refused(tmp_path):
    path = write(tmp_path / "v.h5ad", np.ones((4, 3)))
    with h5py.File(path, "r+") as file:
        without_data(file, "X", (4, 60_000), chunks=(1, 1000))
    assert open_vectors(path).dimension == 60_000  # a megabyte
    with allow_memory(1 << 19), pytest.raises(DataError, match="array 'X' would take 938 KB of memory"):
        open_vectors(path)


def test_a_category_that_stands_for_many_rows_is_counted_once_for_each(tmp_path):
    path, n_rows = tmp_path / "v.h5ad", 100_000
    with h5py.File(path, "w") as file:
        obs = file.create_group("obs")
        obs.attrs.update({"encoding-type": "dataframe", "_index": "_index", "column-order": ["genus"]})
        obs.create_dataset("_index", data=np.arange(n_rows), compression="gzip")
        genus = obs.create_group("genus")
        genus.create_dataset("codes", data=np.zeros(n_rows, np.int8), compression="gzip")
        genus["categories"] = ["Pica" * 25_000]
        file.create_dataset("X", (n_rows, 1), "f4", chunks=(1000, 1))
    with pytest.raises(DataError, match=r"obs would take 9\.31 GB of memory"):
        open_vectors(path)


def test_names_of_columns_may_be_bytes(tmp_path):
    path = write(tmp_path / "v.h5ad", np.ones((4, 3)))
    with h5py.File(path, "r+") as file:
        file["obs"].attrs["column-order"] = np.array([b"genus"])
    assert open_vectors(path).texts["genus"][0] == "Pica"
