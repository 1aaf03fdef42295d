"""Pictures inside Parquet files, as the Hugging Face hub keeps them: a row a picture, its bytes in a column.

The column is of bytes, or of structs of bytes and path. A picture's `source` says by itself where it is: the file below
the dataset's folder, and the row in it, ``data/train-00000.parquet:1234``. Names are read without the pictures. Of the
pictures only a stretch of rows is in memory, for they come mostly in order: a row group is read once, bit by bit, and
whoever asks for a row some way back is still served.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from bioclip_probe.datasets.readers.pictures import decoded, open_picture, stays_inside
from bioclip_probe.errors import DataError, PictureError, one_line, some

T = TypeVar("T")
#: What Arrow raises at a damaged file.
_DAMAGE = (pa.ArrowException, OSError, ValueError)
# Bytes of pictures read at a time, and kept of one row group; files and row groups kept, for threads that are at
# several places.
_READ_BYTES = 4 << 20
_KEPT_BYTES = 64 << 20
_KEPT = 4


@dataclass(frozen=True)
class Rows:
    """Opens pictures named ``FILE:ROW``, in one column of the Parquet files below one folder.

    Attributes
    ----------
    root : Path
        The folder.
    column : str
        The column, of bytes or of structs of bytes and path. Where a struct has no bytes, its path is a file beside
        the Parquet file.
    """

    root: Path
    column: str

    def __call__(self, source: str) -> Image.Image:
        name = f"{self.root / source}"
        file, _, row = source.rpartition(":")
        if not (file and row.isascii() and row.isdigit() and not os.path.isabs(file) and stays_inside(file)):
            raise PictureError(f"{name}: expected FILE:ROW, a row of a Parquet file below the folder", "missing")
        path = self.root / file
        try:
            content, beside = _content(_cell(path, self.column, int(row)))
        except FileNotFoundError:
            raise PictureError(f"{name}: no such file", "missing") from None
        except LookupError as error:
            raise PictureError(f"{name}: {error.args[0]}", "missing") from None
        except _DAMAGE as error:
            raise PictureError(f"{name}: cannot be read from its table ({one_line(error)})") from error
        if content is not None:
            return decoded(content, name)
        if not beside:
            raise PictureError(f"{name}: the row has no picture", "empty")
        if os.path.isabs(beside) or not stays_inside(beside):
            raise PictureError(f"{name}: holds no bytes, and a path outside its folder: {beside}", "missing")
        return open_picture(path.parent / beside)


def is_picture(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold pictures: bytes, or structs of bytes and path."""
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _content(cell: pa.Scalar) -> tuple[bytes | None, str | None]:
    """The bytes in a cell, and the path beside them."""
    value = cell.as_py()
    if not isinstance(value, dict):
        return value, None
    path = value.get("path")
    return value.get("bytes"), None if path is None else str(path)


def files_below(folder: Path, within: str = "data") -> list[str]:
    """The Parquet files in a folder, or else in its folder `within`, as the hub lays them out; sorted."""
    for place in (folder, folder / within):
        files = sorted(file.relative_to(folder).as_posix() for file in place.glob("*.parquet") if file.is_file())
        if files:
            return files
    return []


def schema_of(path: Path) -> pa.Schema:
    """Columns and types of a Parquet file.

    Raises
    ------
    DataError
        If there is no such file, or it is no Parquet file.
    """
    return _read(path, lambda file: file.schema_arrow)


def row_count(path: Path) -> int:
    """Rows of a Parquet file, as its foot has it; raises as `schema_of` does."""
    return _read(path, lambda file: file.metadata.num_rows)


def read_texts(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Columns of a Parquet file as text; no other column is read.

    Returns
    -------
    DataFrame, dtype str
        As `texts` gives it.

    Raises
    ------
    DataError
        If the file cannot be read, has one of the columns twice, or one that is no text.
    """
    columns = list(columns)
    schema = schema_of(path)
    twice = [column for column in columns if schema.names.count(column) > 1]
    if twice:
        raise DataError(f"{path} has more than one column called {some(twice)}")
    return texts(_read(path, lambda file: file.read(columns=columns)), path, _labels(schema))


def texts(table: pa.Table, name: object, labels: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """An Arrow table's columns as text, without blanks around values; what is empty is missing.

    Parameters
    ----------
    table : Table
        Its columns are of text, numbers, or categories of them.
    name : object
        What messages call it.
    labels : mapping
        For each column that keeps names as their number: the names.

    Raises
    ------
    DataError
        If a column holds lists, structs, or bytes that are no text.
    """
    frame = {}
    for column in table.schema.names:
        values = table[column]
        try:
            # A column of categories is text once it is spread out; UTF-8 is not looked at before it is needed.
            if pa.types.is_dictionary(values.type):
                values = values.cast(values.type.value_type)
            values = values.cast(pa.string())
            values.validate(full=True)
        except _DAMAGE as error:
            raise DataError(
                f"{name}: column '{column}' holds more than text ({one_line(error)}); expected text or numbers"
            ) from error
        text = values.to_pandas().astype("str").str.strip().replace("", None)
        if column in labels:
            text = text.map({str(number): label for number, label in enumerate(labels[column])}).astype("str")
        frame[column] = text
    return pd.DataFrame(frame, dtype="str")


def _labels(schema: pa.Schema) -> dict[str, list[str]]:
    """The names that Hugging Face's ``ClassLabel`` keeps as numbers; they are written into the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        labels = {column: kind["names"] for column, kind in features.items() if kind["_type"] == "ClassLabel"}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return {column: list(map(str, names)) for column, names in labels.items() if isinstance(names, list)}


def _read(path: Path, what: Callable[[pq.ParquetFile], T]) -> T:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            return what(file)
    except _DAMAGE as error:
        raise DataError(f"{path} is not a table that can be read: {one_line(error)}") from error


class _Group:
    """One row group's column of pictures, read ahead bit by bit; the last stretch of it is kept."""

    def __init__(self, path: Path, column: str, metadata: pq.FileMetaData, group: int) -> None:
        self._open = lambda: pq.ParquetFile(path, metadata=metadata, pre_buffer=False, buffer_size=1 << 20)
        self._column, self._group = column, group
        part = metadata.row_group(group)
        sizes = [part.column(i).total_uncompressed_size for i in range(part.num_columns)
                 if part.column(i).path_in_schema.partition(".")[0] == column]  # fmt: skip
        self._rows_a_time = max(1, min(part.num_rows, _READ_BYTES * part.num_rows // max(1, sum(sizes))))
        self._start()

    def _start(self) -> None:
        self._kept: deque[tuple[int, pa.Array]] = deque()
        self._next, self._kept_bytes = 0, 0
        self._batches = self._open().iter_batches(
            self._rows_a_time, row_groups=[self._group], columns=[self._column], use_threads=False
        )

    def cell(self, row: int) -> pa.Scalar:
        if self._kept and row < self._kept[0][0]:
            self._start()
        while row >= self._next:
            batch = next(self._batches, None)
            if batch is None:
                raise ValueError("there are fewer rows than the file says")
            values = batch.column(0)
            self._kept.append((self._next, values))
            self._next += len(values)
            self._kept_bytes += values.nbytes
            while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
                self._kept_bytes -= self._kept.popleft()[1].nbytes
        first, values = next(kept for kept in reversed(self._kept) if kept[0] <= row)
        return values[row - first]


class _Foot(NamedTuple):
    """What a file says about itself, and the row each of its groups ends before."""

    metadata: pq.FileMetaData
    columns: list[str]
    stops: np.ndarray


# Shared by the threads of a process: they take neighbouring rows, and each would read the same row group again.
_lock = threading.Lock()
_feet: OrderedDict[tuple, _Foot] = OrderedDict()
_groups: OrderedDict[tuple, _Group] = OrderedDict()


def _forget() -> None:
    """A forked process has its parent's open files and, maybe held for ever, its lock."""
    global _lock
    _lock = threading.Lock()
    _feet.clear()
    _groups.clear()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_forget)


def _cell(path: Path, column: str, row: int) -> pa.Scalar:
    stat = os.stat(path)
    file = (path, stat.st_size, stat.st_mtime_ns)  # one that was written anew is another
    with _lock:
        foot = _kept(_feet, file, lambda: _foot(path))
        if row >= foot.metadata.num_rows:
            raise LookupError(f"the file has {foot.metadata.num_rows} rows, counted from 0")
        if column not in foot.columns:
            raise LookupError(f"the file has no column '{column}'")
        group = int(np.searchsorted(foot.stops, row, side="right"))
        key = (*file, column, group)
        pictures = _kept(_groups, key, lambda: _Group(path, column, foot.metadata, group))
        try:
            return pictures.cell(row - int(foot.stops[group - 1] if group else 0))
        except BaseException:
            del _groups[key]  # it stopped in the middle
            raise


def _foot(path: Path) -> _Foot:
    metadata = pq.read_metadata(path)
    stops = np.cumsum([metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)])
    return _Foot(metadata, metadata.schema.to_arrow_schema().names, stops)


def _kept(kept: OrderedDict, key: tuple, make: Callable[[], T]) -> T:
    """The entry `key`, made if it is not there; then the one longest not asked for goes."""
    if key not in kept:
        kept[key] = make()
        if len(kept) > _KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
