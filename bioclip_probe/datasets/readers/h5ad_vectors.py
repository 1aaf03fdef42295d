"""Vectors in AnnData's ``.h5ad``, of AnnData 0.8 and later: `X` or an entry of `obsm`, with the columns of `obs`.

h5py is enough: AnnData need not be installed. No other file is opened: HDF5's links to other files are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers.columns import notes_on_columns, rename_columns
from bioclip_probe.datasets.readers.hdf5_structure import check_hdf5_structure
from bioclip_probe.datasets.readers.vector_table import (
    RECORD,
    TEXT_GROWTH,
    Block,
    VectorFile,
    check_vectors,
    choose_key,
    float32_blocks,
    is_vector_name,
    match_text_columns,
    parse_record,
    rows_per_block,
)
from bioclip_probe.errors import DataError, some
from bioclip_probe.limits import check_declared, check_rows

if TYPE_CHECKING:
    import h5py

#: Texts that are read at a time: HDF5 may store a long one once and name it a million times.
_TEXTS_PER_BLOCK = 4096
_MAX_RECORD_BYTES = 1 << 20


def read_h5ad(path: Path, key: str | None) -> VectorFile:
    """Return the content of an ``.h5ad`` file.

    Parameters
    ----------
    path : Path
    key : str or None
        An entry of `obsm`, or ``X``. By default `X`, or, in a file without one, the entry of `obsm`.

    Returns
    -------
    VectorFile

    Raises
    ------
    DataError
        If h5py is not installed, the file is in an older form or damaged, has no dense array of vectors, keeps a part
        in another file, or would take too much memory for its size.

    Examples
    --------
    >>> import h5py
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with h5py.File(Path(folder, "a.h5ad"), "w") as file:
    ...         obs = file.create_group("obs")
    ...         obs.attrs.update({"encoding-type": "dataframe", "_index": "id", "column-order": ["genus"]})
    ...         obs["id"], obs["genus"], file["X"] = ["1"], ["Pica"], np.ones((1, 3))
    ...     vectors = read_h5ad(Path(folder, "a.h5ad"), None)
    >>> vectors.key, vectors.dimension, vectors.texts["genus"].tolist()
    ('X', 3, ['Pica'])
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{path} needs h5py: pip install 'bioclip_probe[anndata]'") from error
    check_hdf5_structure(path)
    with h5py.File(path, "r") as file:
        obs = _entry(file, "obs", path)
        if obs.attrs.get("encoding-type") != "dataframe" or "column-order" not in obs.attrs:
            raise _old_anndata(path)
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in obs.attrs["column-order"]]
        matched = match_text_columns(names, path, with_ids=False)
        matched["image_id"] = str(obs.attrs["_index"])
        columns, n_letters = {}, 0
        for meaning, column in matched.items():
            columns[meaning] = _read_texts(_entry(obs, column, path), path)
            n_letters += sum(map(len, filter(None, columns[meaning])))  # a category may be that of all rows
            check_declared(path, "obs", n_letters, path.stat().st_size, TEXT_GROWTH)
        texts = rename_columns(pd.DataFrame(columns), {name: name for name in columns})
        location = _location_of_vectors(file, key, path)
        vectors = _dense_array(file, location, path)
        dimension = check_vectors(path, location[-1], vectors.shape, vectors.dtype, len(texts))
        _check_chunk(vectors, path)
        step = rows_per_block(dimension * vectors.dtype.itemsize)
        uns = _entry(file, "uns", path) if "uns" in file else {}
        record = _read_record(_entry(uns, RECORD, path)) if RECORD in uns else {}

    def read_rows() -> Iterator[np.ndarray]:
        with h5py.File(path, "r") as file:
            rows = _dense_array(file, location, path)
            for start in range(0, len(rows), step):
                yield rows[start : start + step]

    def blocks() -> Iterator[Block]:
        return float32_blocks(path, read_rows, dimension)

    renamed = {meaning: column for meaning, column in matched.items() if meaning != "image_id"}
    return VectorFile(path, location[-1], texts, dimension, blocks, record, tuple(notes_on_columns(renamed, names)))


def _location_of_vectors(file: h5py.File, key: str | None, path: Path) -> tuple[str, ...]:
    """Return where the vectors are: `X` or an entry of `obsm`."""
    obsm = list(_entry(file, "obsm", path)) if "obsm" in file else []
    if key is None:
        if "X" in file and not _is_empty(_entry(file, "X", path)):
            return ("X",)
        if len(obsm) != 1 and not any(map(is_vector_name, obsm)):
            has = f"in obsm it has: {some(obsm)}; write {path.name}#NAME for one" if obsm else "and nothing in obsm"
            raise DataError(f"{path} has no X, {has}")
        key = obsm[0] if len(obsm) == 1 else None
    return ("X",) if key == "X" and "X" in file else ("obsm", choose_key(key, obsm, path))


def _is_empty(entry: Any) -> bool:
    """Return True for the `X` of an AnnData that has none: nothing, or an array without columns."""
    shape = getattr(entry, "shape", ())
    return shape is None or 0 in shape[1:]


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
        others = [name for name in file.get("obsm", ()) if name != location[-1]]
        hint = f", or name an entry of obsm ({some(others)}) as {path.name}#NAME" if others else ""
        raise DataError(
            f"{path}: {'/'.join(location)} is not a dense array; store vectors dense, one row an image{hint}"
        )
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


def _read_texts(column: Any, path: Path) -> np.ndarray:
    """Return one column of `obs` as text, None where it is missing.

    A column is an array; or a group, of categories and codes, or of values and a mask, as AnnData writes nullable
    texts, integers and booleans.
    """
    import h5py

    if isinstance(column, h5py.Dataset):
        if "categories" in column.attrs:
            raise _old_anndata(path)
        return _read_array(column, path)
    if "codes" in column:
        codes = _read_array(_entry(column, "codes", path), path, as_text=False)
        categories = _read_texts(_entry(column, "categories", path), path)
        return np.array([*categories, None], dtype=object)[np.where(codes < 0, len(categories), codes)]
    texts = _read_array(_entry(column, "values", path), path).astype(object)
    texts[_read_array(_entry(column, "mask", path), path, as_text=False).astype(bool)] = None
    return texts


def _read_array(array: Any, path: Path, as_text: bool = True) -> np.ndarray:
    """Return a whole array with one value a row, after its declared size was checked."""
    import h5py

    if not isinstance(array, h5py.Dataset) or len(array.shape or ()) != 1:
        raise DataError(f"{path}: '{array.name}' is not a column; expected one value a row")
    n_rows, file_bytes = len(array), path.stat().st_size
    check_rows(path, n_rows, file_bytes)
    check_declared(path, f"array '{array.name}'", n_rows * array.dtype.itemsize, file_bytes, TEXT_GROWTH)
    _check_chunk(array, path)
    if not h5py.check_string_dtype(array.dtype):
        return array[:].astype(str) if as_text else array[:]
    texts, n_letters = np.empty(n_rows, object), 0
    for start in range(0, n_rows, _TEXTS_PER_BLOCK):
        block = array.asstr()[start : start + _TEXTS_PER_BLOCK]
        n_letters += sum(map(len, block))
        check_declared(path, f"array '{array.name}'", n_letters, file_bytes, TEXT_GROWTH)
        texts[start : start + len(block)] = block
    return texts


def _check_chunk(array: h5py.Dataset, path: Path) -> None:
    """Refuse an array in pieces that would fill the memory, because HDF5 unpacks a whole piece to read a row of it."""
    n_bytes = prod(array.chunks or ()) * array.dtype.itemsize
    check_declared(path, f"array '{array.name}', in each of its chunks,", n_bytes, path.stat().st_size)


def _read_record(entry: Any) -> dict[str, Any]:
    import h5py

    is_text = isinstance(entry, h5py.Dataset) and entry.shape == () and h5py.check_string_dtype(entry.dtype)
    if not is_text or entry.dtype.itemsize > _MAX_RECORD_BYTES:
        return {}
    return parse_record(entry.asstr()[()])
