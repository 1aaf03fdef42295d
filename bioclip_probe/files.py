"""Files that are written completely or not at all, and digests that identify their content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def write_atomically(path: Path, write_to: Callable[[Path], object]) -> None:
    """Write a file under a temporary name, sync it, and rename it, so that a reader sees the new file or the old one.

    Parameters
    ----------
    path : Path
        Path of the file. Its folder must exist.
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
    ...     write_atomically(path, lambda temporary: temporary.write_text("Pica hudsonia"))
    ...     path.read_text()
    'Pica hudsonia'
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write_to(temporary)
        rename_synced(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_together(files: Mapping[Path, Callable[[Path], object]], obsolete: Iterable[Path] = ()) -> None:
    """Write several files that belong together: all are on the disk before the first is renamed.

    A full disk therefore leaves the old files as they were. A process that is killed between two renames leaves some
    old and some new files, none of them cut.

    Parameters
    ----------
    files : mapping from Path to callable
        The path of each file, whose folder must exist, and what writes its content to the path that it is given.
    obsolete : iterable of Path
        Files that are removed before the new ones appear.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     one, two = Path(folder) / "one", Path(folder) / "two"
    ...     write_together({one: lambda path: path.write_text("Pica"), two: lambda path: path.write_text("Corvus")})
    ...     one.read_text(), two.read_text()
    ('Pica', 'Corvus')
    """
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in files}
    try:
        for path, write_to in files.items():
            write_to(temporary[path])
            _sync(temporary[path])
        for path in obsolete:
            path.unlink(missing_ok=True)
        for path, source in temporary.items():
            rename_synced(source, path)
    finally:
        for source in temporary.values():
            source.unlink(missing_ok=True)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write bytes to a file, as `write_atomically` does.

    Parameters
    ----------
    path : Path
        Path of the file. Its folder must exist.
    content : bytes

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_bytes_atomically(Path(folder) / "note.txt", b"Pica hudsonia")
    ...     [path.name for path in Path(folder).iterdir()]
    ['note.txt']
    """
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def rename_synced(source: Path, path: Path) -> None:
    """Rename a finished file so that both its content and its new name survive a power cut.

    Parameters
    ----------
    source : Path
        The finished file.
    path : Path
        Its new path, on the same file system. A file of that name is replaced.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     source, path = Path(folder) / "draft.txt", Path(folder) / "note.txt"
    ...     _ = source.write_text("Pica hudsonia")
    ...     rename_synced(source, path)
    ...     source.exists(), path.read_text()
    (False, 'Pica hudsonia')
    """
    _sync(source)
    os.replace(source, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sync(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def remove_temporary_files(folder: Path) -> None:
    """Delete the temporary files that an interrupted `write_atomically` left in a folder.

    Call it only while no other process writes into the folder.

    Parameters
    ----------
    folder : Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / ".note.txt.7.part").write_text("Pica")
    ...     remove_temporary_files(Path(folder))
    ...     list(Path(folder).iterdir())
    []
    """
    for temporary in folder.glob("*.part"):
        temporary.unlink()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 digest of a file's content.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "note.txt"
    ...     _ = path.write_bytes(b"Pica hudsonia")
    ...     sha256_of_file(path) == sha256_of_bytes(b"Pica hudsonia")
    True
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_bytes(content: bytes) -> str:
    """Return the SHA-256 digest of some bytes.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> sha256_of_bytes(b"Pica hudsonia")[:12]
    'aa2e17471997'
    """
    return sha256_of_chunks([content])


def sha256_of_chunks(chunks: Iterable[bytes]) -> str:
    """Return the SHA-256 digest of bytes that come in chunks.

    Parameters
    ----------
    chunks : iterable of bytes
        One chunk is in memory at a time. How the bytes are divided into chunks does not matter.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> sha256_of_chunks([b"Pica ", b"hudsonia"]) == sha256_of_bytes(b"Pica hudsonia")
    True
    """
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def sha256_of_json(content: object, default: Callable[[object], object] | None = None) -> str:
    """Return the SHA-256 digest of a JSON-able value.

    Parameters
    ----------
    content : object
        Anything that `json.dumps` takes. The order of keys does not matter.
    default : callable, optional
        Turns a value that JSON does not know into one that it does, as in `json.dumps`.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> sha256_of_json({"a": 1, "b": 2}) == sha256_of_json({"b": 2, "a": 1})
    True
    """
    return sha256_of_bytes(json.dumps(content, sort_keys=True, default=default).encode())
