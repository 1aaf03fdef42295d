"""Vectors in NumPy's ``.npz``: of its arrays, only those with a meaning are read, and the vectors block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers.columns import notes_on_columns, rename_columns
from bioclip_probe.datasets.readers.npz import NpzArray, npz_arrays
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


def read_npz(path: Path, key: str | None) -> VectorFile:
    """Return the content of an ``.npz`` file of vectors.

    Parameters
    ----------
    path : Path
    key : str or None
        Name of the array of vectors; one of the usual names by default.

    Returns
    -------
    VectorFile

    Raises
    ------
    DataError
        If the file is no .npz, lacks ids or vectors, has one of them as Python objects or twice, or would take too much
        memory for its size.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "a.npz"), ids=["1"], genus=["Pica"], vectors=np.ones((1, 3)))
    ...     file = read_npz(Path(folder, "a.npz"), None)
    >>> file.key, file.dimension, file.texts["genus"].tolist()
    ('vectors', 3, ['Pica'])
    """
    arrays = npz_arrays(path)
    record = _read_record(arrays.pop(RECORD, None))
    vectors = _choose_vectors(arrays, key, path)
    n_rows, columns = vectors.shape[0], {name: array for name, array in arrays.items() if len(array.shape) == 1}
    matched = match_text_columns(list(columns), path)
    wanted = {name: columns[name] for name in matched.values()}
    odd = [f"{array.shape[0]} in '{name}'" for name, array in wanted.items() if array.shape[0] != n_rows]
    if odd:
        raise DataError(f"{path}: there are {n_rows} vectors in '{vectors.name}', and {some(odd)}")
    check_rows(path, n_rows, path.stat().st_size)
    dimension = check_vectors(path, vectors.name, vectors.shape, vectors.dtype, n_rows)
    n_bytes = sum(array.checked_bytes() for array in wanted.values())
    check_declared(path, "names", n_bytes, path.stat().st_size, TEXT_GROWTH)
    texts = rename_columns(pd.DataFrame({name: _decode(array.read()) for name, array in wanted.items()}), matched)
    step = rows_per_block(dimension * vectors.dtype.itemsize)

    def blocks() -> Iterator[Block]:
        return float32_blocks(path, lambda: vectors.read_rows(step), dimension)

    return VectorFile(path, vectors.name, texts, dimension, blocks, record, tuple(notes_on_columns(matched, columns)))


def _choose_vectors(arrays: dict[str, NpzArray], key: str | None, path: Path) -> NpzArray:
    """Return the array of vectors, or raise `DataError` if there is none or it is one of Python objects."""
    matrices = [name for name, array in arrays.items() if len(array.shape) == 2 and not array.dtype.hasobject]
    of_objects = [name for name, array in arrays.items() if array.dtype.hasobject]
    wanted = [name for name in of_objects if (name == key if key else is_vector_name(name))]
    if wanted and (key or not any(map(is_vector_name, matrices))):
        raise arrays[wanted[0]].objects_refused(f"np.stack({wanted[0]}).astype('float32')")
    return arrays[choose_key(key, matrices, path)]


def _read_record(array: NpzArray | None) -> dict[str, Any]:
    return parse_record(str(array.read())) if array is not None and not array.dtype.hasobject else {}


def _decode(texts: np.ndarray) -> np.ndarray:
    return np.char.decode(texts, "utf-8") if texts.dtype.kind == "S" else texts
