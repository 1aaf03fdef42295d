"""The memory that an Arrow stream takes once it is read, from what the stream declares about itself.

Hugging Face's ``save_to_disk`` writes such streams, and its library maps them into memory as they are. But a stream may
be compressed, so that kilobytes become gigabytes, may name one text for millions of rows, or may declare rows without
a byte. This module reads the headers of the record batches only, see the format's flatbuffers ``Message.fbs``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from bioclip_probe.errors import DataError, errors_in_one_line
from bioclip_probe.limits import check_declared, check_rows

#: Bytes of memory that a byte of a compressed stream becomes at most: names repeat, pictures do not.
_GROWTH = 64
_MAX_HEADER_BYTES = 1 << 24
_CONTINUES = 0xFFFFFFFF
_RECORD_BATCH = 3
# Fields of the tables Message and RecordBatch, and of the struct Buffer.
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_ROWS, _BUFFERS, _COMPRESSION = 0, 2, 3
_BUFFER_BYTES = 16


def check_arrow_stream(path: Path) -> None:
    """Refuse an Arrow stream that would take more memory than a file of its size may.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the stream cannot be read, declares too many rows or too much memory, or has columns of a type whose values
        can name the same bytes many times; ``save_to_disk`` writes none of them.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.limits import allow_memory
    >>> table = pa.table({"genus": ["Pica" * 100_000]})
    >>> with TemporaryDirectory() as folder, allow_memory(1 << 11):
    ...     path = Path(folder, "a.arrow")
    ...     options = pa.ipc.IpcWriteOptions(compression="zstd")
    ...     with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema, options=options) as stream:
    ...         stream.write_table(table)
    ...     try:
    ...         check_arrow_stream(path)
    ...     except DataError as error:
    ...         print(str(error).removeprefix(folder)[:61])
    /a.arrow: its compressed columns would take 391 KB of memory,
    """
    with errors_in_one_line(path, "Arrow stream"):
        with pa.memory_map(str(path)) as mapped, pa.ipc.open_stream(mapped) as stream:
            odd = [f"{field.name} ({field.type})" for field in stream.schema if _may_repeat(field.type)]
        if odd:
            raise DataError(f"{path}: columns of types that save_to_disk does not write: {odd[0]}")
        n_rows = n_bytes = 0
        for batch in _record_batches(path):
            n_rows, n_bytes = n_rows + batch.n_rows, n_bytes + batch.unpacked_bytes
            check_rows(path, n_rows, path.stat().st_size)
            check_declared(path, "compressed columns", n_bytes, path.stat().st_size, _GROWTH)


def _may_repeat(kind: pa.DataType) -> bool:
    """Return True if values of a type, or of a type inside it, can name the same bytes many times."""
    types = pa.types
    tests = (types.is_dictionary, types.is_run_end_encoded, types.is_string_view, types.is_binary_view)
    if any(test(kind) for test in tests) or "list_view" in str(kind):
        return True
    return any(_may_repeat(kind.field(number).type) for number in range(kind.num_fields))


@dataclass(frozen=True)
class _RecordBatch:
    """The declaration of a record batch: its rows, and the bytes of its compressed buffers once they are unpacked."""

    n_rows: int
    unpacked_bytes: int


def _record_batches(path: Path) -> Iterator[_RecordBatch]:
    """Yield every record batch of a stream; the bytes of its columns are not read."""
    try:
        with path.open("rb") as file:
            while (message := _next_message(file)) is not None:
                body = file.tell()
                if message.number(_HEADER_TYPE, "B") == _RECORD_BATCH:
                    yield _read_record_batch(message.table(_HEADER), file, body)
                file.seek(body + max(0, message.number(_BODY_LENGTH, "q")))
    except struct.error as error:
        raise DataError(f"{path} is not an Arrow stream that can be read: {error}") from error


def _next_message(file: BinaryIO) -> _Table | None:
    """Return the header of the next message; None at the end of the stream."""
    beginning = file.read(8)
    if len(beginning) < 8:
        return None
    continues, size = struct.unpack("<II", beginning)
    if continues != _CONTINUES or size > _MAX_HEADER_BYTES:
        raise struct.error("a message without a mark, as Arrow wrote them before version 0.15, or with a long header")
    return _Table.root(file.read(size)) if size else None


def _read_record_batch(batch: _Table, file: BinaryIO, body: int) -> _RecordBatch:
    unpacked = 0
    if batch.position_of(_COMPRESSION):
        for offset, length in batch.structs(_BUFFERS):
            if length >= 8:  # each compressed buffer begins with its size; -1 if it is not compressed after all
                file.seek(body + offset)
                unpacked += max(0, struct.unpack("<q", file.read(8))[0])
    return _RecordBatch(max(0, batch.number(_ROWS, "q")), unpacked)


@dataclass(frozen=True)
class _Table:
    """A table of a flatbuffer: its position points back to a list of the positions of its fields."""

    content: bytes
    position: int

    @classmethod
    def root(cls, content: bytes) -> _Table:
        """Return the outermost table."""
        return cls(content, struct.unpack_from("<I", content)[0])

    def position_of(self, field: int) -> int:
        """Return the position of a field; 0 if the table does not have it."""
        fields = self.position - struct.unpack_from("<i", self.content, self.position)[0]
        place = 4 + 2 * field
        if place >= struct.unpack_from("<H", self.content, fields)[0]:
            return 0
        offset = struct.unpack_from("<H", self.content, fields + place)[0]
        return self.position + offset if offset else 0

    def number(self, field: int, form: str) -> int:
        """Return a field that is a number, 0 by default; `form` is that of `struct`."""
        position = self.position_of(field)
        return int(struct.unpack_from(f"<{form}", self.content, position)[0]) if position else 0

    def table(self, field: int) -> _Table:
        """Return a field that is a table."""
        position = self.position_of(field)
        return _Table(self.content, position + struct.unpack_from("<I", self.content, position)[0])

    def structs(self, field: int) -> Iterator[tuple[int, int]]:
        """Yield the structs of two numbers that a field lists."""
        position = self.position_of(field)
        if position:
            position += struct.unpack_from("<I", self.content, position)[0]
            for number in range(struct.unpack_from("<I", self.content, position)[0]):
                yield struct.unpack_from("<qq", self.content, position + 4 + _BUFFER_BYTES * number)
