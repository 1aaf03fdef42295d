"""Files of ready vectors: Parquet, .npz and AnnData's .h5ad, each read as a table of texts and blocks of vectors.

Nothing is unpickled, and no other file is opened: HDF5's links to other files are refused.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import COLUMN_NAMES, match_columns, notes_on_columns, rename_columns
from bioclip_probe.errors import DataError, ProbeError, one_line, some

if TYPE_CHECKING:
    import h5py

#: The names that the vectors may have, without capitals and signs; the first name that a file has is used.
VECTOR_NAMES = ("emb", "embs", "embedding", "embeddings", "vector", "vectors", "feature", "features", "x")
#: Further names of the column of ids, beside those that a table of pictures may have.
ID_NAMES = ("id", "ids")
SUFFIXES = (".parquet", ".npz", ".h5ad")
#: The entry in which an export of this package describes what made the vectors.
RECORD = "bioclip_probe"
ROWS_PER_BLOCK = 1024

#: (m, d) float32 vectors, NaN where a row does not have d numbers; and how many numbers each of the m rows has.
Block = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class VectorFile:
    """The content of one file of n vectors.

    Attributes
    ----------
    path : Path
    key : str
        The column, array or `obsm` entry that holds the vectors.
    texts : DataFrame, n rows, dtype str
        ``image_id``, and a column for each further meaning in `COLUMN_NAMES` that the file has.
    dimension : int
        Numbers in a vector.
    blocks : callable
        Function that returns an iterator over the vectors in the order of `texts`; see `Block`.
    record : dict
        What made the vectors, where an export of this package says it; otherwise empty.
    notes : tuple of str
        Columns that were read under another name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), ids=["1"], genus=["Pica"], vectors=np.ones((1, 3)))
    ...     file = open_vectors(Path(folder, "a.npz"))
    >>> file.key, file.dimension, file.texts["genus"].tolist()
    ('vectors', 3, ['Pica'])
    """

    path: Path
    key: str
    texts: pd.DataFrame
    dimension: int
    blocks: Callable[[], Iterator[Block]]
    record: dict[str, Any]
    notes: tuple[str, ...]


def open_vectors(path: Path) -> VectorFile:
    """Return the content of a file of vectors.

    Parameters
    ----------
    path : Path
        The file; ``FILE#KEY`` names the column, array or `obsm` entry to read.

    Returns
    -------
    VectorFile

    Raises
    ------
    DataError
        If the file cannot be read, or lacks ids or vectors.

    Examples
    --------
    >>> open_vectors(Path("vectors.csv"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: vectors.csv: expected ready vectors as .parquet, .npz, .h5ad
    """
    path, key = split_key(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: expected ready vectors as {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    read = {".parquet": _read_parquet, ".npz": _read_npz, ".h5ad": _read_h5ad}[path.suffix.lower()]
    with _one_line_errors(path):
        file = read(path, key)
    if file.dimension < 1:
        raise DataError(f"{path}: the vectors in '{file.key}' have no numbers")
    return file


def split_key(path: Path) -> tuple[Path, str | None]:
    """Return the file and the key of ``FILE#KEY``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    file : Path
    key : str or None
        None if the path has no ``#``, or is a file whose name has one.

    Examples
    --------
    >>> file, key = split_key(Path("a.npz#clip"))
    >>> file.name, key
    ('a.npz', 'clip')
    """
    file, sign, key = str(path).rpartition("#")
    return (Path(file), key) if sign and not Path(path).exists() else (Path(path), None)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turn any exception of the library that reads `path` into a `DataError` of one line."""
    try:
        yield
    except ProbeError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read as {path.suffix}: {one_line(error)}") from error


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _choose_key(key: str | None, names: Sequence[str], path: Path) -> str:
    """Return the one of `names` that holds the vectors: `key` itself, or the first of the usual names."""
    if key is not None:
        if key not in names:
            raise DataError(f"{path} has no vectors called '{key}'; it has: {some(names) or 'none'}")
        return key
    for usual_name in VECTOR_NAMES:
        for name in names:
            if _plain_name(name) == usual_name:
                return name
    raise DataError(
        f"{path} has no vectors called {', '.join(VECTOR_NAMES[:-1])} or X; write {path.name}#NAME for another: "
        f"{some(names) or 'there is none'}"
    )


def _match_columns(columns: Sequence[str], path: Path, with_ids: bool = True) -> dict[str, str]:
    """Return the column for each meaning except the pictures, which nobody opens."""
    matched = match_columns(columns)
    matched.pop("source", None)
    if "image_id" not in matched:
        matched |= dict([("image_id", column) for column in columns if _plain_name(column) in ID_NAMES][:1])
    if with_ids and "image_id" not in matched:
        expected = ", ".join((*COLUMN_NAMES["image_id"], *ID_NAMES))
        raise DataError(f"{path} has no column of ids: expected one of {expected}; it has: {some(columns, 20)}")
    return matched


def _parse_record(text: str | bytes | None) -> dict[str, Any]:
    try:
        record = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _read_parquet(path: Path, key: str | None) -> VectorFile:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    schema = parquet.read_schema(path)
    lists = [
        name
        for name, kind in zip(schema.names, schema.types, strict=True)
        if (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
        and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
    ]
    key = _choose_key(key, lists, path)
    matched = _match_columns([name for name in schema.names if name not in lists], path)
    texts = parquet.read_text_columns(path, matched.values()).set_axis(list(matched), axis=1)

    def lists_of_numbers() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield for each block the numbers of all its rows, one row after the other, and how many each row has."""
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_BLOCK, columns=[key]):
                column = batch.column(0)
                numbers = column.flatten().cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
                yield numbers, pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)

    lengths = next(lists_of_numbers(), (None, np.zeros(0, int)))[1]
    dimension = int(np.bincount(lengths[lengths > 0]).argmax()) if (lengths > 0).any() else 0

    def blocks() -> Iterator[Block]:
        with _one_line_errors(path):
            for numbers, lengths in lists_of_numbers():
                yield _stack(numbers, lengths, dimension), lengths

    record = _parse_record((schema.metadata or {}).get(RECORD.encode()))
    return VectorFile(path, key, texts, dimension, blocks, record, tuple(notes_on_columns(matched)))


def _stack(numbers: np.ndarray, lengths: np.ndarray, dimension: int) -> np.ndarray:
    """Return (m, d) vectors from the numbers of m rows, NaN for rows that do not have d numbers."""
    vectors = np.full((len(lengths), dimension), np.nan, np.float32)
    fits = lengths == dimension
    first = (np.cumsum(lengths) - lengths)[fits]
    vectors[fits] = numbers[first[:, None] + np.arange(dimension)]
    return vectors


def _float32_blocks(path: Path, read_blocks: Callable[[], Iterator[np.ndarray]], dimension: int) -> Iterator[Block]:
    with _one_line_errors(path), np.errstate(over="ignore"):
        for rows in read_blocks():
            yield np.asarray(rows).astype(np.float32), np.full(len(rows), dimension)


def _check_array(array: np.ndarray | h5py.Dataset, key: str, n_ids: int, path: Path) -> int:
    """Return the number of columns of an (n, d) array of numbers, or raise `DataError` if it is none."""
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise DataError(f"{path}: '{key}' is {array.dtype} {array.shape}; expected numbers, one row a vector")
    if len(array) != n_ids:
        raise DataError(f"{path}: there are {n_ids} ids and {len(array)} vectors in '{key}'")
    return int(array.shape[1])


def _read_npz(path: Path, key: str | None) -> VectorFile:
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is no .npz; expected one with vectors, ids and ranks")
    # The file is opened here because `np.load` does not close a damaged file that it has opened itself.
    with open(path, "rb") as content, np.load(content, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    record = _parse_record(str(arrays.pop(RECORD))) if RECORD in arrays else {}
    key = _choose_key(key, [name for name, array in arrays.items() if array.ndim == 2], path)
    vectors = arrays.pop(key)
    columns = {name: _decode(array) for name, array in arrays.items() if array.ndim == 1}
    matched = _match_columns(list(columns), path)
    odd = [f"{len(columns[name])} in '{name}'" for name in matched.values() if len(columns[name]) != len(vectors)]
    if odd:
        raise DataError(f"{path}: there are {len(vectors)} vectors in '{key}', and {some(odd)}")
    texts = rename_columns(pd.DataFrame({name: columns[name] for name in matched.values()}), matched)
    dimension = _check_array(vectors, key, len(texts), path)

    def read_blocks() -> Iterator[np.ndarray]:
        return (vectors[start : start + ROWS_PER_BLOCK] for start in range(0, len(vectors), ROWS_PER_BLOCK))

    def blocks() -> Iterator[Block]:
        return _float32_blocks(path, read_blocks, dimension)

    return VectorFile(path, key, texts, dimension, blocks, record, tuple(notes_on_columns(matched)))


def _decode(texts: np.ndarray) -> np.ndarray:
    return np.char.decode(texts, "utf-8") if texts.dtype.kind == "S" else texts


def _read_h5ad(path: Path, key: str | None) -> VectorFile:
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{path} needs h5py: pip install 'bioclip_probe[anndata]'") from error
    with h5py.File(path, "r") as file:
        obs = _entry(file, "obs", path)
        if obs.attrs.get("encoding-type") != "dataframe" or "column-order" not in obs.attrs:
            raise _old_anndata(path)
        ids = _entry(obs, str(obs.attrs["_index"]), path).asstr()[:]
        matched = _match_columns([str(name) for name in obs.attrs["column-order"]], path, with_ids=False)
        matched.pop("image_id", None)
        columns = {meaning: _text_column(obs, column, path) for meaning, column in matched.items()}
        names = {name: name for name in ("image_id", *matched)}
        texts = rename_columns(pd.DataFrame(columns | {"image_id": ids}), names)
        obsm = _entry(file, "obsm", path) if "obsm" in file else {}
        location = ("X",) if key in (None, "X") else ("obsm", _choose_key(key, list(obsm), path))
        dimension = _check_array(_dense_array(file, location, path), location[-1], len(texts), path)
        uns = _entry(file, "uns", path) if "uns" in file else {}
        record = _parse_record(_entry(uns, RECORD, path).asstr()[()]) if RECORD in uns else {}

    def read_blocks() -> Iterator[np.ndarray]:
        with h5py.File(path, "r") as file:
            rows = _dense_array(file, location, path)
            for start in range(0, len(rows), ROWS_PER_BLOCK):
                yield rows[start : start + ROWS_PER_BLOCK]

    def blocks() -> Iterator[Block]:
        return _float32_blocks(path, read_blocks, dimension)

    return VectorFile(path, location[-1], texts, dimension, blocks, record, tuple(notes_on_columns(matched)))


def _old_anndata(path: Path) -> DataError:
    return DataError(
        f"{path}: its obs is not in the form of AnnData 0.8 and later; write the file again with a newer AnnData"
    )


def _dense_array(file: h5py.File, location: tuple[str, ...], path: Path) -> h5py.Dataset:
    import h5py

    entry = file
    for name in location:
        entry = _entry(entry, name, path)
    if not isinstance(entry, h5py.Dataset):
        raise DataError(f"{path}: {'/'.join(location)} is not a dense array; store vectors dense, one row an image")
    return entry


def _entry(group: h5py.Group, name: str, path: Path) -> Any:
    """Return an entry of a group if it lies in the same file."""
    import h5py

    if "/" in name or name not in group:
        raise DataError(f"{path}: there is no '{name}' in '{group.name}'")
    entry = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
    if entry is None or (isinstance(entry, h5py.Dataset) and (entry.is_virtual or entry.external)):
        raise DataError(f"{path}: '{name}' is stored elsewhere, maybe in another file, and is not followed")
    return entry


def _text_column(obs: h5py.Group, name: str, path: Path) -> np.ndarray:
    """Return one column of `obs` as text, None where it is missing."""
    import h5py

    column = _entry(obs, name, path)
    if isinstance(column, h5py.Dataset):
        if "categories" in column.attrs:
            raise _old_anndata(path)
        return _as_text(column)
    if "codes" in column:
        codes, categories = _entry(column, "codes", path)[:], _as_text(_entry(column, "categories", path))
        return np.array([*categories, None], dtype=object)[np.where(codes < 0, len(categories), codes)]
    texts = _entry(column, "values", path).asstr()[:].astype(object)
    texts[_entry(column, "mask", path)[:]] = None
    return texts


def _as_text(values: h5py.Dataset) -> np.ndarray:
    import h5py

    return values.asstr()[:] if h5py.check_string_dtype(values.dtype) else values[:].astype(str)
