"""Exports of a store: vectors with their images, in the files that other programs read.

`to_parquet` writes for emb-explorer, pandas, Polars and DuckDB, `to_anndata` for scanpy, `to_npz` for NumPy alone;
these files hold the images that have a vector, in dataset order, and vectors are float32, as the model gave them, not
normalised. A JSON record of what made them goes with them: dataset, encoder, and whether the pictures are simulated.
``vectors:FILE`` reads each of these files back as a dataset. `to_checksums` lists the pictures with their digests, as
sum-buddy does. A file is written beside its place and renamed.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, StoreError, one_line, some
from bioclip_probe.files import write_atomically
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.study import results as results_of
from bioclip_probe.tables import IMAGES, RANKS

if TYPE_CHECKING:
    import h5py

    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder
    from bioclip_probe.store.store import Store

#: Under this key each kind of file keeps the record.
RECORD = "bioclip_probe"


def to_parquet(store: Store, dataset: Dataset | str, encoder: Encoder | str, path: str | Path) -> Path:
    """Write Parquet that emb-explorer reads: one row an image, one row group a shard, and return its path.

    Columns are ``uuid`` (the image_id), ``emb`` (list of float32), the ranks, ``common``, and what else `IMAGES` has.
    The record is in the schema's metadata, under ``bioclip_probe``.

    Parameters
    ----------
    store, dataset, encoder
        As for `Store.read`.
    path : str or Path
        The file; an existing one is replaced.

    Raises
    ------
    StoreError
        If they are not in the store, not complete, or damaged.
    DataError
        If the file cannot be written.

    Notes
    -----
    One shard's vectors are in memory at a time.

    References
    ----------
    Imageomics/emb-explorer, docs/DATA_FORMAT.md.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_store
    >>> with TemporaryDirectory() as folder:
    ...     path = to_parquet(corvid_store(folder), "corvids", "corvids", f"{folder}/birds.parquet")
    ...     pd.read_parquet(path)["species"].tolist()
    ['Pica pica', 'Pica hudsonia', 'Corvus corax']
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    embedded = store.embedding_folder(dataset, encoder)
    others = [name for name in IMAGES.names if name != "image_id"]
    schema = pa.schema(
        [("uuid", pa.string()), ("emb", pa.list_(pa.float32())), *((name, pa.string()) for name in others)],
        {RECORD: json.dumps(_record(embedded))},
    )

    def write(beside: Path) -> None:
        with pq.ParquetWriter(beside, schema) as writer:
            for images, vectors in _blocks(store, embedded):
                ends = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
                emb = pa.ListArray.from_arrays(ends, vectors.reshape(-1))
                texts = [pa.array(images[name], pa.string(), from_pandas=True) for name in ("image_id", *others)]
                writer.write_table(pa.Table.from_arrays([texts[0], emb, *texts[1:]], schema=schema))

    return _write_file(path, write)


def to_npz(store: Store, dataset: Dataset | str, encoder: Encoder | str, path: str | Path) -> Path:
    """Write an .npz that loads without pickle, and return its path.

    Arrays are ``ids``, ``vectors`` (n, d), a text array for each column of `IMAGES` that has an entry (empty where it
    is not known), and ``bioclip_probe``, the record.

    Parameters
    ----------
    store, dataset, encoder, path
        As for `to_parquet`.

    Raises
    ------
    StoreError, DataError
        As for `to_parquet`.

    Notes
    -----
    All of it is in memory once; for millions of images write Parquet.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_store
    >>> with TemporaryDirectory() as folder:
    ...     path = to_npz(corvid_store(folder), "corvids", "corvids", f"{folder}/birds.npz")
    ...     np.load(path)["vectors"].shape
    (3, 2)
    """
    embedded = store.embedding_folder(dataset, encoder)
    images, vectors = store.read(*_full_names(embedded))
    columns = [name for name in IMAGES.names if name != "image_id" and images[name].notna().any()]
    texts = {name: images[name].fillna("").to_numpy(dtype=np.str_) for name in columns}
    arrays = {"ids": images["image_id"].to_numpy(dtype=np.str_), "vectors": vectors.astype(np.float32, copy=False)}
    arrays |= {**texts, RECORD: np.array(json.dumps(_record(embedded)))}

    def write(beside: Path) -> None:
        with open(beside, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    return _write_file(path, write)


def to_anndata(
    store: Store,
    dataset: Dataset | str,
    encoder: Encoder | str,
    path: str | Path,
    results: str | Path | None = None,
) -> Path:
    """Write the .h5ad of AnnData, as scanpy reads it, and return its path.

    `X` holds the vectors, `obs` the images, indexed by image_id, with the columns of `IMAGES`, and
    ``uns["bioclip_probe"]`` the record, as JSON. The projections of a results folder become `obsm`: each panel of the
    drill-down is a plane of its own, and so an array of its own, NaN for the images that are not in it. ``X_tsne`` is
    the panel of all images, where there is one; deeper panels carry their rank, ``X_tsne_family``, and the mode where
    there are several. The record lists them with their focus under ``panels``.

    Parameters
    ----------
    store, dataset, encoder, path
        See `to_parquet`.
    results : str or Path, optional
        A results folder with ``coordinates.parquet`` of this dataset and encoder.

    Raises
    ------
    DataError
        If h5py is not installed, or the results belong to other vectors.

    Notes
    -----
    It needs h5py alone: anndata itself requires a pandas older than this package's. One shard is in memory at a time.

    References
    ----------
    https://anndata.readthedocs.io/en/stable/fileformat-prose.html

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_store
    >>> with TemporaryDirectory() as folder:
    ...     to_anndata(corvid_store(folder), "corvids", "corvids", f"{folder}/birds.h5ad").name
    'birds.h5ad'
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(".h5ad needs h5py: pip install 'bioclip_probe[anndata]'") from error
    embedded = store.embedding_folder(dataset, encoder)
    images = store.images(_full_names(embedded)[0])
    images = images[~images["image_id"].isin(embedded.failures()["image_id"])].reset_index(drop=True)
    panels = _panels(results, embedded) if results is not None else {}
    about = [{"key": key, **facts} for key, (facts, _) in panels.items()]
    record = json.dumps(_record(embedded) | {"panels": about})

    def write(beside: Path) -> None:
        with h5py.File(beside, "w") as file:
            _marked(file, "anndata", "0.1.0")
            for name in ("layers", "obsm", "obsp", "varm", "varp", "uns"):
                _marked(file.create_group(name), "dict", "0.1.0")
            shape = (embedded.n_ok, embedded.meta["encoder"]["dimension"])
            x = _marked(file.create_dataset("X", shape, np.float32), "array", "0.2.0")
            done = 0
            for _, vectors in _blocks(store, embedded):
                x[done : done + len(vectors)] = vectors
                done += len(vectors)
            _frame(file, "obs", images["image_id"], images.drop(columns="image_id"))
            _frame(file, "var", pd.Series(range(shape[1])).astype("str"), pd.DataFrame())
            for key, (_, points) in panels.items():
                values = points.reindex(images["image_id"]).to_numpy()
                _marked(file["obsm"].create_dataset(key, data=values), "array", "0.2.0")
            _marked(file["uns"].create_dataset(RECORD, data=record, dtype=h5py.string_dtype()), "string", "0.2.0")

    return _write_file(path, write)


def to_checksums(store: Store, dataset: Dataset | str, encoder: Encoder | str, path: str | Path) -> Path:
    """Write a CSV of the pictures with their digests, as sum-buddy writes it, and return its path.

    Columns are ``filepath``, where the dataset finds the picture, ``filename``, its last part, and ``sha256``. Pictures
    that could be read and not embedded are listed too.

    Parameters
    ----------
    store, dataset, encoder, path
        As for `to_parquet`.

    Raises
    ------
    StoreError
        As for `to_parquet`.
    DataError
        If the store has no digest of a picture, or the file cannot be written.

    References
    ----------
    Imageomics/sum-buddy, whose columns are filepath, filename and the name of the algorithm.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_store
    >>> with TemporaryDirectory() as folder:
    ...     to_checksums(corvid_store(folder), "corvids", "corvids", f"{folder}/images.csv")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: the store has no sha256 of the pictures of corvids: ...
    """
    embedded = store.embedding_folder(dataset, encoder)
    deque(embedded.blocks(()), maxlen=0)  # reads no shard, but checks that all are there
    images = store.images(_full_names(embedded)[0])
    digests = images["image_id"].map(embedded.sha256())
    known = digests.notna()
    if not known.any():
        raise DataError(
            f"the store has no sha256 of the pictures of {embedded.meta['dataset']['name']}: they are ready vectors "
            "without pictures, or an earlier version embedded them"
        )
    table = pd.DataFrame({"filepath": images["source"], "filename": images["source"].str.rpartition("/")[2]})
    table = table.assign(sha256=digests)[known]
    return _write_file(path, lambda beside: table.to_csv(beside, index=False))


def _record(embedded: EmbeddingFolder) -> dict[str, Any]:
    """Return what made the vectors, for the reader of the file."""
    return {
        "dataset": embedded.meta["dataset"],
        "encoder": embedded.meta["encoder"],
        "kept_as": str(embedded.dtype),
        "n_failed": embedded.n_failed,
    }


def _full_names(embedded: EmbeddingFolder) -> tuple[str, str]:
    """Return the names of dataset and encoder with their fingerprints, which no other has."""
    dataset, encoder = embedded.meta["dataset"], embedded.meta["encoder"]
    return f"{dataset['name']}@{dataset['fingerprint']}", f"{encoder['name']}@{encoder['fingerprint']}"


def _blocks(store: Store, embedded: EmbeddingFolder) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield, shard by shard, the images that have a vector, in dataset order, and their float32 vectors."""
    images = store.images(_full_names(embedded)[0])
    for shard, (rows, vectors) in enumerate(embedded.blocks()):
        inside = images.iloc[embedded.image_slice(shard)]
        row = rows[rows["status"] == "ok"].set_index("image_id")["row"]
        if not rows["image_id"].is_unique or set(rows["image_id"]) != set(inside["image_id"]):
            raise StoreError(f"{embedded.folder} does not fit its images.parquet; `verify` says where")
        kept = inside[inside["image_id"].isin(row.index)]
        yield kept, vectors[row[kept["image_id"]].to_numpy()].astype(np.float32, copy=False)


def _write_file(path: str | Path, write: Callable[[Path], None]) -> Path:
    """Write a file atomically and return its path; a failure becomes one line."""
    path = Path(path)
    try:
        write_atomically(path, write)
    except (OSError, ValueError) as error:  # no room, no such folder; a text that this kind of file cannot hold
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"cannot write {path}: {reason}") from error
    return path


def _panels(folder: str | Path, embedded: EmbeddingFolder) -> dict[str, tuple[dict, pd.DataFrame]]:
    """Return the panels of a results folder by their key in `obsm`: facts, and x and y by image_id."""
    found = results_of.read(folder)
    dataset, encoder = embedded.meta["dataset"], embedded.meta["encoder"]
    made = {known.get("name"): known.get("fingerprint") for known in found.record["encoders"]}
    if found.record["dataset"].get("fingerprint") != dataset["fingerprint"]:
        raise DataError(f"the results in {folder} are of another dataset than {dataset['name']}; measure it first")
    if made.get(encoder["name"]) != encoder["fingerprint"]:
        raise DataError(f"the results in {folder} are of {some(made)}, and none of these vectors' {encoder['name']}")
    if found.coordinates is None:
        raise DataError(f"{folder} holds no projection (no coordinates.parquet); make one with `project`")
    drawn = found.coordinates[found.coordinates["encoder"] == encoder["name"]]
    several_modes = len(drawn["mode"].unique()) > 1
    panels: dict[str, tuple[dict, pd.DataFrame]] = {}
    for rank in RANKS:
        for (method, mode), panel in drawn[drawn["rank"] == rank].groupby(["method", "mode"]):
            focus = panel["focus"].fillna("").iloc[0]
            words = ["X", method, *([mode] if several_modes else ())]
            if focus or "_".join(words) in panels:
                words.append(rank)
            facts = {"method": method, "mode": mode, "rank": rank, "focus": focus, "n_images": len(panel)}
            panels["_".join(words)] = (facts, panel.set_index("image_id")[["x", "y"]])
    return panels


def _marked(element: Any, kind: str, version: str) -> Any:
    """Mark an element of the file with its type for AnnData, and return it."""
    element.attrs["encoding-type"], element.attrs["encoding-version"] = kind, version
    return element


def _frame(file: h5py.File, name: str, index: pd.Series, columns: pd.DataFrame) -> None:
    """Write a frame of texts; every column is categorical, since only categorical columns may lack an entry."""
    frame = _marked(file.create_group(name), "dataframe", "0.2.0")
    frame.attrs["_index"] = "_index"
    # The type is given, since an empty list has none.
    frame.attrs.create("column-order", np.array(columns.columns, dtype=object), dtype=_text())
    _texts(frame, "_index", index)
    for column in columns:
        codes, categories = pd.factorize(columns[column], sort=True)
        group = _marked(frame.create_group(column), "categorical", "0.2.0")
        group.attrs["ordered"] = False
        _texts(group, "categories", categories)
        codes = codes.astype(np.min_scalar_type(-max(len(categories), 1)))
        _marked(group.create_dataset("codes", data=codes), "array", "0.2.0")


def _texts(group: h5py.Group, name: str, texts: pd.Series | pd.Index) -> None:
    """Write an array of texts."""
    data = np.asarray(texts, dtype=object)
    _marked(group.create_dataset(name, data=data, dtype=_text()), "string-array", "0.2.0")


def _text() -> np.dtype:
    """Return the type of text in HDF5."""
    import h5py

    return h5py.string_dtype()
