"""Files of ready vectors: Parquet, .npz and AnnData's .h5ad, each read as a table of texts beside blocks of vectors.

Nothing is unpickled, and nothing beside the file is opened: HDF5's links to other files are refused.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.table import COLUMNS, columns_of, meanings, read_as
from bioclip_probe.errors import DataError, ProbeError, one_line, some

if TYPE_CHECKING:
    import h5py

#: What the vectors may be called, without capitals and signs; the first one found is read.
VECTORS = ("emb", "embs", "embedding", "embeddings", "vector", "vectors", "feature", "features", "x")
IDS = ("id", "ids")  # beside those that a table of pictures may have
KINDS = (".parquet", ".npz", ".h5ad")
RECORD = "bioclip_probe"  # where an export keeps what made the vectors
ROWS = 1024  # vectors read at a time

#: (m, d) float32 vectors, NaN where a row has no d numbers; and how many numbers each of the m rows has.
Block = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class VectorFile:
    """What one file of n vectors holds.

    Attributes
    ----------
    path : Path
    key : str
        The column, array or `obsm` entry the vectors are in.
    texts : DataFrame, n rows
        ``image_id``, and a column for each further meaning in `table.COLUMNS` that the file has.
    dimension : int
    blocks : callable
        Gives an iterator over the vectors in the order of `texts`; see `Block`.
    record : dict
        What made the vectors, where an export of this package says it; otherwise empty.
    notes : tuple of str
        What was read as what.
    """

    path: Path
    key: str
    texts: pd.DataFrame
    dimension: int
    blocks: Callable[[], Iterator[Block]]
    record: dict[str, Any]
    notes: tuple[str, ...]


def open_vectors(path: Path) -> VectorFile:
    """What a file of vectors holds; ``FILE#KEY`` names the column, array or `obsm` entry to read.

    Raises
    ------
    DataError
        If it cannot be read, or lacks ids or vectors.
    """
    path, key = parted(path)
    if path.suffix.lower() not in KINDS:
        raise DataError(f"{path}: expected ready vectors as {', '.join(KINDS)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    opened = {".parquet": _parquet, ".npz": _npz, ".h5ad": _h5ad}[path.suffix.lower()]
    with _readable(path):
        found = opened(path, key)
    if found.dimension < 1:
        raise DataError(f"{path}: the vectors in '{found.key}' have no numbers")
    return found


def parted(path: Path) -> tuple[Path, str | None]:
    """File and key of ``FILE#KEY``."""
    file, sign, key = str(path).rpartition("#")
    return (Path(file), key) if sign and not Path(path).exists() else (Path(path), None)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in one line that `path` is damaged: its readers raise whatever they stumble over."""
    try:
        yield
    except ProbeError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read as {path.suffix}: {one_line(error)}") from error


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _chosen(key: str | None, names: list[str], path: Path) -> str:
    """The one of `names` that has the vectors."""
    if key is not None:
        if key not in names:
            raise DataError(f"{path} has no vectors called '{key}'; it has: {some(names) or 'none'}")
        return key
    for wanted in VECTORS:
        for name in names:
            if _plain(name) == wanted:
                return name
    raise DataError(
        f"{path} has no vectors called {', '.join(VECTORS[:-1])} or X; write {path.name}#NAME for another: "
        f"{some(names) or 'there is none'}"
    )


def _columns(columns: list[str], path: Path, with_ids: bool = True) -> dict[str, str]:
    """Meaning: column, without pictures, which nobody opens."""
    found = columns_of(columns)
    found.pop("source", None)
    if "image_id" not in found:
        found |= dict([("image_id", column) for column in columns if _plain(column) in IDS][:1])
    if with_ids and "image_id" not in found:
        expected = ", ".join((*COLUMNS["image_id"], *IDS))
        raise DataError(f"{path} has no column of ids: expected one of {expected}; it has: {some(columns, 20)}")
    return found


def _record(text: str | bytes | None) -> dict[str, Any]:
    try:
        record = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _parquet(path: Path, key: str | None) -> VectorFile:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    schema = parquet.schema_of(path)
    lists = [
        name
        for name, kind in zip(schema.names, schema.types, strict=True)
        if (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
        and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
    ]
    key = _chosen(key, lists, path)
    found = _columns([name for name in schema.names if name not in lists], path)
    values = parquet.read_texts(path, found.values()).set_axis(list(found), axis=1)

    def rows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The numbers of all rows one after the other, and how many each row has."""
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS, columns=[key]):
                column = batch.column(0)
                numbers = column.flatten().cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
                yield numbers, pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)

    lengths = next(rows(), (None, np.zeros(0, int)))[1]
    dimension = int(np.bincount(lengths[lengths > 0]).argmax()) if (lengths > 0).any() else 0

    def blocks() -> Iterator[Block]:
        with _readable(path):
            for numbers, lengths in rows():
                yield _stacked(numbers, lengths, dimension), lengths

    record = _record((schema.metadata or {}).get(RECORD.encode()))
    return VectorFile(path, key, values, dimension, blocks, record, tuple(read_as(found)))


def _stacked(numbers: np.ndarray, lengths: np.ndarray, dimension: int) -> np.ndarray:
    """(m, d) vectors from the numbers of m rows, NaN for those that have not d of them."""
    vectors = np.full((len(lengths), dimension), np.nan, np.float32)
    fit = lengths == dimension
    first = (np.cumsum(lengths) - lengths)[fit]
    vectors[fit] = numbers[first[:, None] + np.arange(dimension)]
    return vectors


def _of_array(path: Path, key: str, values: pd.DataFrame, array: Any, blocks: Callable, **more: Any) -> VectorFile:
    """A file whose vectors are one (n, d) array of numbers, `blocks` its rows."""
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise DataError(f"{path}: '{key}' is {array.dtype} {array.shape}; expected numbers, one row a vector")
    if len(array) != len(values):
        raise DataError(f"{path}: there are {len(values)} ids and {len(array)} vectors in '{key}'")
    dimension = int(array.shape[1])

    def as_read() -> Iterator[Block]:
        with _readable(path), np.errstate(over="ignore"):
            for rows in blocks():
                yield np.asarray(rows).astype(np.float32), np.full(len(rows), dimension)

    return VectorFile(path, key, values, dimension, as_read, **more)


def _npz(path: Path, key: str | None) -> VectorFile:
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is no .npz; expected one with vectors, ids and ranks")
    # Opened here: of a damaged file `np.load` leaves what it has opened itself to the garbage collector.
    with open(path, "rb") as content, np.load(content, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    record = _record(str(arrays.pop(RECORD))) if RECORD in arrays else {}
    key = _chosen(key, [name for name, array in arrays.items() if array.ndim == 2], path)
    vectors = arrays.pop(key)
    texts = {name: _decoded(array) for name, array in arrays.items() if array.ndim == 1}
    found = _columns(list(texts), path)
    short = [f"{texts[name].shape[0]} in '{name}'" for name in found.values() if len(texts[name]) != len(vectors)]
    if short:
        raise DataError(f"{path}: there are {len(vectors)} vectors in '{key}', and {some(short)}")
    values = meanings(pd.DataFrame({name: texts[name] for name in found.values()}), found)

    def blocks() -> Iterator[np.ndarray]:
        return (vectors[start : start + ROWS] for start in range(0, len(vectors), ROWS))

    return _of_array(path, key, values, vectors, blocks, record=record, notes=tuple(read_as(found)))


def _decoded(texts: np.ndarray) -> np.ndarray:
    return np.char.decode(texts, "utf-8") if texts.dtype.kind == "S" else texts


def _h5ad(path: Path, key: str | None) -> VectorFile:
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{path} needs h5py: pip install 'bioclip_probe[anndata]'") from error
    with h5py.File(path, "r") as file:
        obs = _inside(file, "obs", path)
        if obs.attrs.get("encoding-type") != "dataframe" or "column-order" not in obs.attrs:
            raise DataError(
                f"{path}: its obs is not as AnnData 0.8 and later write it; write it again with a newer one"
            )
        ids = _inside(obs, str(obs.attrs["_index"]), path).asstr()[:]
        found = _columns([str(name) for name in obs.attrs["column-order"]], path, with_ids=False)
        found.pop("image_id", None)
        columns = {meaning: _column(obs, column, path) for meaning, column in found.items()}
        values = meanings(pd.DataFrame(columns | {"image_id": ids}), {name: name for name in ("image_id", *found)})
        held = _inside(file, "obsm", path) if "obsm" in file else {}
        place = ("X",) if key in (None, "X") else ("obsm", _chosen(key, list(held), path))
        array = _array(file, place, path)
        uns = _inside(file, "uns", path) if "uns" in file else {}
        record = _record(_inside(uns, RECORD, path).asstr()[()]) if RECORD in uns else {}

        def blocks() -> Iterator[np.ndarray]:
            with h5py.File(path, "r") as again:
                rows = _array(again, place, path)
                for start in range(0, len(rows), ROWS):
                    yield rows[start : start + ROWS]

        return _of_array(path, place[-1], values, array, blocks, record=record, notes=tuple(read_as(found)))


def _array(file: h5py.File, place: tuple[str, ...], path: Path) -> h5py.Dataset:
    import h5py

    found = file
    for name in place:
        found = _inside(found, name, path)
    if not isinstance(found, h5py.Dataset):
        raise DataError(f"{path}: {'/'.join(place)} is not a dense array; store vectors dense, one row an image")
    return found


def _inside(group: h5py.Group, name: str, path: Path) -> Any:
    """An entry of a group that lies in this very file."""
    import h5py

    if "/" in name or name not in group:
        raise DataError(f"{path}: there is no '{name}' in '{group.name}'")
    found = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
    if found is None or (isinstance(found, h5py.Dataset) and (found.is_virtual or found.external)):
        raise DataError(f"{path}: '{name}' leads out of its place, maybe to another file, and is not followed")
    return found


def _column(obs: h5py.Group, name: str, path: Path) -> np.ndarray:
    """One column of `obs` as text, None where it is missing."""
    import h5py

    column = _inside(obs, name, path)
    if isinstance(column, h5py.Dataset):
        if "categories" in column.attrs:
            raise DataError(
                f"{path}: its obs is not as AnnData 0.8 and later write it; write it again with a newer one"
            )
        return column.asstr()[:] if h5py.check_string_dtype(column.dtype) else column[:].astype(str)
    if "codes" in column:
        codes, categories = _inside(column, "codes", path)[:], _inside(column, "categories", path)
        texts = categories.asstr()[:] if h5py.check_string_dtype(categories.dtype) else categories[:].astype(str)
        return np.append(texts.astype(object), None)[np.where(codes < 0, len(texts), codes)]
    texts = _inside(column, "values", path).asstr()[:].astype(object)
    texts[_inside(column, "mask", path)[:]] = None
    return texts
