"""Parquet files as tables of text: their columns and types, and the columns that hold names.

Files of the Hugging Face hub hold the pictures beside the names; the names are read without them.
`readers.parquet_pictures` opens the pictures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bioclip_probe.datasets.readers.text_files import kind_of_file
from bioclip_probe.errors import DataError, ProbeError, one_line, some
from bioclip_probe.limits import check_declared, check_rows

T = TypeVar("T")
_ROWS_PER_BATCH, _BYTES_PER_BATCH = 1 << 16, 1 << 26
#: Bytes of memory that a byte of a file becomes at most: names repeat, ids and paths do not.
_GROWTH = 64
#: The exceptions that Arrow raises for a damaged file.
DAMAGED_FILE_ERRORS = (pa.ArrowException, OSError, ValueError)


def is_picture_type(kind: pa.DataType) -> bool:
    """Return True if a column of this type can hold pictures: bytes, or structs of bytes and path.

    Parameters
    ----------
    kind : pyarrow.DataType

    Returns
    -------
    bool

    Examples
    --------
    >>> is_picture_type(pa.struct({"bytes": pa.binary(), "path": pa.string()})), is_picture_type(pa.string())
    (True, False)
    """
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def parquet_files(folder: Path, subfolder: str = "data") -> list[str]:
    """Return the Parquet files in a folder, or else those in its subfolder, as the hub lays them out.

    Parameters
    ----------
    folder : Path
    subfolder : str

    Returns
    -------
    list of str
        Paths relative to `folder`, sorted; empty if there are none.

    Examples
    --------
    >>> parquet_files(Path("nowhere"))
    []
    """
    for candidate in (folder, folder / subfolder):
        files = sorted(file.relative_to(folder).as_posix() for file in candidate.glob("*.parquet") if file.is_file())
        if files:
            return files
    return []


def read_schema(path: Path) -> pa.Schema:
    """Return the columns and types of a Parquet file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    pyarrow.Schema

    Raises
    ------
    DataError
        If the file is missing, or is no Parquet file.

    Examples
    --------
    >>> read_schema(Path("none.parquet"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: none.parquet: no such file
    """
    return _read(path, lambda file: file.schema_arrow)


def count_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file; only its footer is read.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int

    Raises
    ------
    DataError
        If the file is missing, or is no Parquet file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     pd.DataFrame({"genus": ["Pica", "Corvus"]}).to_parquet(Path(folder, "a.parquet"))
    ...     count_rows(Path(folder, "a.parquet"))
    2
    """
    return _read(path, lambda file: file.metadata.num_rows)


def read_text_columns(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Return columns of a Parquet file as text; no other column is read.

    Parameters
    ----------
    path : Path
    columns : iterable of str

    Returns
    -------
    DataFrame, dtype str
        As `text_columns` returns it.

    Raises
    ------
    DataError
        If the file cannot be read, has one of the columns twice, or one that is no text.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     pd.DataFrame({"genus": ["Pica "], "year": [1823]}).to_parquet(Path(folder, "a.parquet"))
    ...     read_text_columns(Path(folder, "a.parquet"), ["year", "genus"]).iloc[0].tolist()
    ['1823', 'Pica']
    """
    columns = list(columns)
    schema = read_schema(path)
    repeated = [column for column in columns if schema.names.count(column) > 1]
    if repeated:
        raise DataError(f"{path} has more than one column called {some(repeated)}")
    table = _read(path, lambda file: _read_checked(file, path, columns))
    return text_columns(table, path, _class_labels(schema))


def _read_checked(file: pq.ParquetFile, path: Path, columns: Sequence[str]) -> pa.Table:
    """Return columns of a file batch by batch, unless they grow to more memory than a file of its size may take.

    A text may stand once in the file and be repeated in millions of rows, so what its footer declares is not enough.
    """
    file_bytes = path.stat().st_size
    check_rows(path, file.metadata.num_rows, file_bytes)
    batches, n_bytes = [], 0
    for group in range(file.metadata.num_row_groups):
        n_rows = max(1, min(_ROWS_PER_BATCH, _BYTES_PER_BATCH // (1 + _longest_text(path, columns, group))))
        for batch in file.iter_batches(n_rows, row_groups=[group], columns=columns):
            n_bytes += sum(map(_bytes_as_text, batch.columns))
            check_declared(path, "texts", n_bytes, file_bytes, _GROWTH)
            batches.append(pa.table(list(map(_spread, batch.columns)), batch.schema.names))
    return pa.concat_tables(batches) if batches else file.read(columns=columns)


def _longest_text(path: Path, columns: Sequence[str], group: int) -> int:
    """Return the length of the longest text that a row group may repeat without storing it again."""
    schema = read_schema(path)
    texts = [column for column in columns if column in schema.names and _is_text(schema.field(column).type)]
    with pq.ParquetFile(path, pre_buffer=False, read_dictionary=texts) as file:
        batch = next(file.iter_batches(1, row_groups=[group], columns=columns), None)
    dictionaries = [values.dictionary for values in batch.columns if _is_categorical_text(values)] if batch else []
    return max((pc.max(pc.binary_length(texts)).as_py() or 0 for texts in dictionaries), default=0)


def _bytes_as_text(values: pa.Array) -> int:
    """Return the bytes of a column when its categories are spread out."""
    if _is_categorical_text(values):
        return int(pc.sum(pc.binary_length(values.dictionary).take(values.indices)).as_py() or 0)
    return int(values.nbytes)


def _spread(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the values of categories in place of their numbers."""
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _is_categorical_text(values: pa.Array) -> bool:
    return pa.types.is_dictionary(values.type) and _is_text(values.type.value_type)


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or _is_bytes(kind)
    )


def text_columns(table: pa.Table, name: object, labels: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return the columns of an Arrow table as text.

    Parameters
    ----------
    table : pyarrow.Table
        Its columns are of text, numbers, or categories of them.
    name : object
        Name of the table, for messages.
    labels : mapping from str to sequence of str
        The names of the classes, for each column that keeps them as numbers.

    Returns
    -------
    DataFrame, dtype str
        Values have no blanks around them; empty values are missing.

    Raises
    ------
    DataError
        If a column holds lists, structs, or bytes that are no text.

    Examples
    --------
    >>> text_columns(pa.table({"label": [1, 0]}), "birds", {"label": ["Corvus", "Pica"]})["label"].tolist()
    ['Pica', 'Corvus']
    """
    frame = {}
    for column in table.schema.names:
        values = table[column]
        try:
            values = _spread(values).cast(pa.string())  # the cast does not check UTF-8, so the result is validated
            values.validate(full=True)
            text = values.to_pandas().astype("str").str.strip().replace("", None)
        except DAMAGED_FILE_ERRORS as error:
            raise DataError(
                f"{name}: column '{column}' holds more than text ({one_line(error)}); expected text or numbers"
            ) from error
        if column in labels:
            text = text.map({str(number): label for number, label in enumerate(labels[column])}).astype("str")
        frame[column] = text
    return pd.DataFrame(frame, dtype="str")


def _class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names that Hugging Face's ``ClassLabel`` keeps as numbers; they stand in the schema's metadata."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        labels = {column: kind["names"] for column, kind in features.items() if kind["_type"] == "ClassLabel"}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return {column: list(map(str, names)) for column, names in labels.items() if isinstance(names, list)}


def _read(path: Path, read: Callable[[pq.ParquetFile], T]) -> T:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            return read(file)
    except ProbeError:
        raise
    except Exception as error:  # a damaged file gives more than `DAMAGED_FILE_ERRORS`: KeyError, RecursionError …
        kind = kind_of_file(path)
        reason = kind if kind and "it is Parquet" not in kind else one_line(error)
        raise DataError(f"{path} is not a table that can be read: {reason}") from error
