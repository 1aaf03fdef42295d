"""Files: written whole or not at all, and identified by their sha256."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, write_to: Callable[[Path], object]) -> None:
    """Write a file beside its place, sync it, and rename it: a reader sees the new file or the old one.

    Parameters
    ----------
    path : Path
        The place of the file. Its folder must exist.
    write_to : callable
        Writes the content to the path that it is given. If it fails, nothing is left and the old file stays.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "note.txt"
    ...     write_atomically(path, lambda part: part.write_text("Pica hudsonia"))
    ...     path.read_text()
    'Pica hudsonia'
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write_to(part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def sha256_of_file(path: Path) -> str:
    """Return the sha256 of a file's bytes, 64 hex digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_bytes(*parts: bytes) -> str:
    """Return the sha256 of some bytes, one part after the other, 64 hex digits.

    Examples
    --------
    >>> sha256_of_bytes(b"Pica ", b"hudsonia") == sha256_of_bytes(b"Pica hudsonia")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_of_json(content: object, default: Callable[[object], object] | None = None) -> str:
    """Return the sha256 of a JSON-able value, 64 hex digits; the order of keys does not matter.

    Parameters
    ----------
    content : object
        Anything that `json.dumps` takes.
    default : callable, optional
        Turns a value that JSON does not know into one that it does, as `json.dumps` uses it.

    Examples
    --------
    >>> sha256_of_json({"a": 1, "b": 2}) == sha256_of_json({"b": 2, "a": 1})
    True
    """
    return sha256_of_bytes(json.dumps(content, sort_keys=True, default=default).encode())
