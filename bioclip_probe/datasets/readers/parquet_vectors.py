"""Vectors in Parquet, as emb-explorer and exports of this package write them: a column of lists of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bioclip_probe.datasets.readers import parquet
from bioclip_probe.datasets.readers.columns import notes_on_columns
from bioclip_probe.datasets.readers.vector_table import (
    RECORD,
    VECTOR_GROWTH,
    Block,
    VectorFile,
    check_dimension,
    choose_key,
    match_text_columns,
    parse_record,
    rows_per_block,
)
from bioclip_probe.errors import errors_in_one_line
from bioclip_probe.limits import check_declared

#: Rows in which the length of a vector is looked for.
_FIRST_ROWS = 256
#: A row of any length is read whole: as it is in the file, unpacked, and as float32.
_COPIES = 3
_BYTES_PER_NUMBER = 4 * _COPIES


def read_parquet(path: Path, key: str | None) -> VectorFile:
    """Return the content of a Parquet file of vectors.

    Parameters
    ----------
    path : Path
    key : str or None
        Name of the column of vectors; one of the usual names by default.

    Returns
    -------
    VectorFile
        Its dimension is the most frequent length among the first rows.

    Raises
    ------
    DataError
        If the file cannot be read, lacks ids or vectors, or would take too much memory for its size.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     table = pa.table({"uuid": ["1"], "genus": ["Pica"], "emb": [[1.0, 2.0, 3.0]]})
    ...     pq.write_table(table, Path(folder, "a.parquet"))
    ...     file = read_parquet(Path(folder, "a.parquet"), None)
    >>> file.key, file.dimension, file.texts["genus"].tolist()
    ('emb', 3, ['Pica'])
    """
    schema = parquet.read_schema(path)
    lists = vector_columns(schema)
    key = choose_key(key, lists, path)
    matched = match_text_columns([name for name in schema.names if name not in lists], path)
    texts = parquet.read_text_columns(path, matched.values()).set_axis(list(matched), axis=1)
    _check_numbers(path, key)
    lengths = next(_lists_of_numbers(path, key, _FIRST_ROWS), (None, np.zeros(0, int)))[1]
    dimension = int(np.bincount(lengths[lengths > 0]).argmax()) if (lengths > 0).any() else 0
    check_dimension(path, key, dimension)
    step = rows_per_block(8 * dimension)

    def blocks() -> Iterator[Block]:
        with errors_in_one_line(path, path.suffix):
            for numbers, lengths in _lists_of_numbers(path, key, step):
                yield _stack(numbers, lengths, dimension), lengths

    record = parse_record((schema.metadata or {}).get(RECORD.encode()))
    return VectorFile(path, key, texts, dimension, blocks, record, tuple(notes_on_columns(matched, schema.names)))


def vector_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that may hold vectors: those of lists of numbers.

    Parameters
    ----------
    schema : pyarrow.Schema

    Returns
    -------
    list of str

    Examples
    --------
    >>> vector_columns(pa.schema({"uuid": pa.string(), "emb": pa.list_(pa.float32())}))
    ['emb']
    """
    return [
        name
        for name, kind in zip(schema.names, schema.types, strict=True)
        if (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
        and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
    ]


def _check_numbers(path: Path, key: str) -> None:
    """Refuse a file that declares more numbers than its size allows."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    n_numbers = sum(chunk.num_values for chunk in chunks if chunk.path_in_schema.partition(".")[0] == key)
    n_bytes = _BYTES_PER_NUMBER * n_numbers
    check_declared(path, f"column '{key}'", n_bytes, path.stat().st_size, _COPIES * VECTOR_GROWTH)


def _lists_of_numbers(path: Path, key: str, n_rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each block the numbers of all its rows, one row after the other, and how many each row has."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(n_rows, columns=[key]):
            column = batch.column(0)
            numbers = column.flatten().cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
            yield numbers, pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)


def _stack(numbers: np.ndarray, lengths: np.ndarray, dimension: int) -> np.ndarray:
    """Return (m, d) vectors from the numbers of m rows, NaN for rows that do not have d numbers."""
    vectors = np.full((len(lengths), dimension), np.nan, np.float32)
    fits = lengths == dimension
    first = (np.cumsum(lengths) - lengths)[fits]
    vectors[fits] = numbers[first[:, None] + np.arange(dimension)]
    return vectors
