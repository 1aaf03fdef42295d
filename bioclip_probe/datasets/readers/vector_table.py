"""The content of a file of ready vectors, and what the readers of all its forms share: names, checks, blocks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.datasets.readers.columns import COLUMN_NAMES, match_columns
from bioclip_probe.errors import DataError, errors_in_one_line, some
from bioclip_probe.limits import check_declared

#: The names that the vectors may have, without capitals and signs; the first name that a file has is used.
VECTOR_NAMES = ("emb", "embs", "embedding", "embeddings", "vector", "vectors", "feature", "features", "x")
#: Further names of the column of ids, beside those that a table of pictures may have.
ID_NAMES = ("id", "ids")
#: The entry in which an export of this package describes what made the vectors.
RECORD = "bioclip_probe"
#: More numbers than any embedding has: the covariance of so many would fill 32 GB.
MAX_DIMENSION = 1 << 16
#: Bytes of memory that a byte of a file becomes at most: embeddings are noise to a compressor, names repeat.
VECTOR_GROWTH, TEXT_GROWTH = 16, 64

_ROWS_PER_BLOCK, _BYTES_PER_BLOCK = 1024, 1 << 26

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
    >>> texts = pd.DataFrame({"image_id": ["1"]}, dtype="str")
    >>> file = VectorFile(Path("a.npz"), "vectors", texts, 3, lambda: iter([(np.ones((1, 3)), np.array([3]))]), {}, ())
    >>> next(file.blocks())[0].shape
    (1, 3)
    """

    path: Path
    key: str
    texts: pd.DataFrame
    dimension: int
    blocks: Callable[[], Iterator[Block]]
    record: dict[str, Any]
    notes: tuple[str, ...]


def is_vector_name(name: str) -> bool:
    """Return True if a column or an array of this name usually holds vectors.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_vector_name("Embedding"), is_vector_name("genus")
    (True, False)
    """
    return _plain_name(name) in VECTOR_NAMES


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def choose_key(key: str | None, names: Sequence[str], path: Path) -> str:
    """Return the name under which a file holds its vectors.

    Parameters
    ----------
    key : str or None
        The name that the user gave.
    names : sequence of str
        Names of everything in the file that may be vectors.
    path : Path

    Returns
    -------
    str
        `key`, or the first of the usual names.

    Raises
    ------
    DataError
        If there is no such name.

    Examples
    --------
    >>> choose_key(None, ["note", "Embedding"], Path("a.npz"))
    'Embedding'
    """
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


def match_text_columns(columns: Sequence[str], path: Path, with_ids: bool = True) -> dict[str, str]:
    """Return the column for each meaning except the pictures, which nobody opens.

    Parameters
    ----------
    columns : sequence of str
        Columns of the file except the vectors.
    path : Path
    with_ids : bool
        One of the columns must hold the ids.

    Returns
    -------
    dict from str to str
        Meaning to column.

    Raises
    ------
    DataError
        If there is no column of ids.

    Examples
    --------
    >>> match_text_columns(["ids", "Genus"], Path("a.npz"))
    {'genus': 'Genus', 'image_id': 'ids'}
    """
    matched = match_columns(columns)
    matched.pop("source", None)
    if "image_id" not in matched:
        matched |= dict([("image_id", column) for column in columns if _plain_name(column) in ID_NAMES][:1])
    if with_ids and "image_id" not in matched:
        expected = ", ".join((*COLUMN_NAMES["image_id"], *ID_NAMES))
        raise DataError(f"{path} has no column of ids: expected one of {expected}; it has: {some(columns, 20)}")
    return matched


def parse_record(text: str | bytes | None) -> dict[str, Any]:
    """Return what an export of this package says about its vectors.

    Parameters
    ----------
    text : str or bytes or None

    Returns
    -------
    dict
        Empty if there is nothing that can be read.

    Examples
    --------
    >>> parse_record('{"encoder": {"name": "bioclip"}}')["encoder"]["name"]
    'bioclip'
    """
    try:
        record = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def check_vectors(path: Path, key: str, shape: tuple[int, ...], dtype: np.dtype, n_ids: int) -> int:
    """Return the number of columns of an array of vectors.

    Parameters
    ----------
    path : Path
    key : str
        Name of the array.
    shape : tuple of int
    dtype : numpy.dtype
    n_ids : int
        Number of ids that the file has.

    Returns
    -------
    int

    Raises
    ------
    DataError
        If it is no (n, d) array of numbers, has more or fewer rows than there are ids, too many columns, or would take
        too much memory for the size of its file.

    Examples
    --------
    >>> check_vectors(Path("a.npz"), "vectors", (5, 3), np.dtype("float32"), n_ids=4)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: a.npz: there are 4 ids and 5 vectors in 'vectors'
    """
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise DataError(f"{path}: '{key}' is {dtype} {shape}; expected numbers, one row a vector")
    if shape[0] != n_ids:
        raise DataError(f"{path}: there are {n_ids} ids and {shape[0]} vectors in '{key}'")
    check_dimension(path, key, shape[1])
    check_declared(path, f"array '{key}'", shape[0] * shape[1] * dtype.itemsize, path.stat().st_size, VECTOR_GROWTH)
    return int(shape[1])


def check_dimension(path: Path, key: str, dimension: int) -> None:
    """Refuse vectors without numbers, or with more than any embedding has.

    Parameters
    ----------
    path : Path
    key : str
        Name of the vectors.
    dimension : int
        Numbers in each vector.

    Raises
    ------
    DataError
        If there are fewer than one or more than `MAX_DIMENSION`.

    Examples
    --------
    >>> check_dimension(Path("a.npz"), "vectors", 0)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: a.npz: the vectors in 'vectors' have no numbers
    """
    if dimension < 1:
        raise DataError(f"{path}: the vectors in '{key}' have no numbers")
    if dimension > MAX_DIMENSION:
        raise DataError(
            f"{path}: the vectors in '{key}' have {dimension:,} numbers each; an embedding has {MAX_DIMENSION:,} at "
            "most"
        )


def rows_per_block(row_bytes: int) -> int:
    """Return how many rows are read at a time.

    Parameters
    ----------
    row_bytes : int
        Bytes of a row.

    Returns
    -------
    int
        1024, or fewer where those would fill much memory.

    Examples
    --------
    >>> rows_per_block(4 * 512), rows_per_block(1 << 30)
    (1024, 1)
    """
    return max(1, min(_ROWS_PER_BLOCK, _BYTES_PER_BLOCK // max(row_bytes, 1)))


def float32_blocks(path: Path, rows: Callable[[], Iterable[np.ndarray]], dimension: int) -> Iterator[Block]:
    """Yield vectors that all have the same length as blocks of float32.

    Parameters
    ----------
    path : Path
    rows : callable
        Function that returns an iterable of (m, d) arrays of numbers.
    dimension : int
        Numbers in each vector.

    Yields
    ------
    Block

    Raises
    ------
    DataError
        If the library that reads the file raises anything.

    Examples
    --------
    >>> [block.dtype.name for block, _ in float32_blocks(Path("a.npz"), lambda: [np.eye(2)], 2)]
    ['float32']
    """
    with errors_in_one_line(path, path.suffix), np.errstate(over="ignore"):
        for block in rows():
            yield np.asarray(block).astype(np.float32), np.full(len(block), dimension)
