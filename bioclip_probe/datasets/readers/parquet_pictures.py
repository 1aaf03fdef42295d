"""Pictures inside Parquet files, as the Hugging Face hub keeps them: one row a picture, its bytes in a column.

The column is of bytes, or of structs of bytes and path. The `source` of a picture tells where it is: the file below the
folder of the dataset, and the row in it, ``data/train-00000.parquet:1234``. Pictures are mostly asked for in order, so
only some recent rows are in memory: each row group is read once, batch by batch, and a row a little further back is
still there.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bioclip_probe.datasets.readers.picture_paths import WEB_ADDRESS
from bioclip_probe.datasets.readers.pictures import EncodedPicture, PictureOpener, read_picture, stays_inside
from bioclip_probe.errors import PictureError, one_line

T = TypeVar("T")
_READ_BYTES = 4 << 20  # bytes of pictures in one batch
_MAX_ROWS = 16  # in one batch: Parquet may store a picture once that a million rows repeat
_KEPT_BYTES = 64 << 20  # bytes of pictures in memory for one row group
_KEPT_ITEMS = 4  # footers and row groups in memory, for threads that read at several positions


@dataclass(frozen=True)
class ParquetPictures(PictureOpener):
    """Opener of pictures that are named ``FILE:ROW``, in one column of the Parquet files below one folder.

    Attributes
    ----------
    root : Path
        The folder.
    column : str
        The column, of bytes or of structs of bytes and path. Where a struct has no bytes, its path is a file beside
        the Parquet file.

    Examples
    --------
    >>> ParquetPictures(Path("birds"), "image")("none.parquet:0")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: birds/none.parquet:0: no such file
    """

    root: Path
    column: str

    def read(self, source: str) -> EncodedPicture:
        """Return the bytes of the picture `source`, or raise `PictureError`."""
        name = f"{self.root / source}"
        file, _, row = source.rpartition(":")
        if not (file and row.isascii() and row.isdigit() and not os.path.isabs(file) and stays_inside(file)):
            raise PictureError(f"{name}: expected FILE:ROW, a row of a Parquet file below the folder", "missing")
        path = self.root / file
        try:
            content, picture_path = _bytes_and_path(_cell(path, self.column, int(row)))
        except FileNotFoundError:
            raise PictureError(f"{name}: no such file", "missing") from None
        except LookupError as error:
            raise PictureError(f"{name}: {error.args[0]}", "missing") from None
        except MemoryError:
            raise
        except Exception as error:  # a damaged file gives more than Arrow's own exceptions
            raise PictureError(f"{name}: cannot be read from its table ({one_line(error)})") from error
        if content is not None:
            return EncodedPicture(content, name)
        if not picture_path:
            raise PictureError(f"{name}: the row has no picture", "empty")
        if re.match(WEB_ADDRESS, picture_path):
            raise PictureError(f"{name}: has an address and no bytes; download it first: {picture_path}", "missing")
        if os.path.isabs(picture_path) or not stays_inside(picture_path):
            raise PictureError(f"{name}: holds no bytes, and a path outside its folder: {picture_path}", "missing")
        return read_picture(path.parent / picture_path)


def _bytes_and_path(cell: pa.Scalar) -> tuple[bytes | None, str | None]:
    value = cell.as_py()
    if not isinstance(value, dict):
        return value, None
    path = value.get("path")
    return value.get("bytes"), None if path is None else str(path)


class _RowGroup:
    """The column of pictures of one row group: read batch by batch, with the most recent batches in memory."""

    def __init__(
        self,
        path: Path,
        column: str,
        metadata: pq.FileMetaData,
        group: int,
        read_bytes: int = _READ_BYTES,
        kept_bytes: int = _KEPT_BYTES,
    ) -> None:
        self._open = lambda: pq.ParquetFile(path, metadata=metadata, pre_buffer=False, buffer_size=1 << 20)
        self._column, self._group, self._most_bytes = column, group, kept_bytes
        description = metadata.row_group(group)
        chunks = [description.column(i) for i in range(description.num_columns)]
        n_bytes = sum(
            chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.partition(".")[0] == column
        )
        n_rows = description.num_rows
        self._rows_per_batch = max(1, min(n_rows, _MAX_ROWS, read_bytes * n_rows // max(1, n_bytes)))
        self._start()

    def _start(self) -> None:
        self._kept: deque[tuple[int, pa.Array]] = deque()
        self._next, self._kept_bytes = 0, 0
        self._batches = self._open().iter_batches(
            self._rows_per_batch, row_groups=[self._group], columns=[self._column], use_threads=False
        )

    def cell(self, row: int) -> pa.Scalar:
        """Return one cell; the group is read from its start again if the row is no longer in memory."""
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
            while self._kept_bytes > self._most_bytes and len(self._kept) > 1:
                self._kept_bytes -= self._kept.popleft()[1].nbytes
        first, values = next(kept for kept in reversed(self._kept) if kept[0] <= row)
        return values[row - first]


class _Footer(NamedTuple):
    """Metadata of one file, its columns, and for each row group the row after its last one."""

    metadata: pq.FileMetaData
    columns: list[str]
    stops: np.ndarray


# The threads of a process share these: they read neighbouring rows, and each would read the same row group again.
_lock = threading.Lock()
_footers: OrderedDict[Hashable, _Footer] = OrderedDict()
_groups: OrderedDict[Hashable, _RowGroup] = OrderedDict()


def _clear_cache() -> None:
    """Forget the open files of the parent process, and its lock, which another thread may have held at the fork."""
    global _lock
    _lock = threading.Lock()
    _footers.clear()
    _groups.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_clear_cache)


def _cell(path: Path, column: str, row: int) -> pa.Scalar:
    status = os.stat(path)
    file = (path, status.st_size, status.st_mtime_ns)  # a file that was written again is another one
    with _lock:
        footer = _cached(_footers, file, lambda: _read_footer(path))
        if row >= footer.metadata.num_rows:
            raise LookupError(f"the file has {footer.metadata.num_rows} rows, counted from 0")
        if column not in footer.columns:
            raise LookupError(f"the file has no column '{column}'")
        group = int(np.searchsorted(footer.stops, row, side="right"))
        key = (*file, column, group)
        pictures = _cached(_groups, key, lambda: _RowGroup(path, column, footer.metadata, group))
        try:
            return pictures.cell(row - int(footer.stops[group - 1] if group else 0))
        except BaseException:
            del _groups[key]  # it stopped in the middle of a batch
            raise


def _read_footer(path: Path) -> _Footer:
    metadata = pq.read_metadata(path)
    stops = np.cumsum([metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)])
    return _Footer(metadata, metadata.schema.to_arrow_schema().names, stops)


def _cached(cache: OrderedDict[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
    """Return the entry `key`, made if it is missing; the least recently used entry leaves a full cache."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > _KEPT_ITEMS:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]
