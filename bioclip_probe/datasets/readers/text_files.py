"""Text files as they lie on disk: plain or compressed, in one encoding, and read as lines.

A file that is no text of the expected encoding is named for what it is (UTF-16, a spreadsheet, a web page, a pointer of
Git LFS), because the parser's own complaint about its bytes helps nobody.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from bioclip_probe.errors import DataError, one_line, printable
from bioclip_probe.limits import check_declared, check_rows

#: Bytes read at a time; no line may be longer.
BLOCK_BYTES = 1 << 24
#: Text shrinks to a tenth or a thirtieth; a file that grows by more than this is an attack. See `check_declared`.
MAX_RATIO = 200
#: Memory that a byte of text takes at most: that of an empty line.
_MEMORY_RATIO = 64
#: The function that opens each kind of compressed file.
COMPRESSIONS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
#: The endings of tables; those of text may also be compressed.
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".parquet"})
_SAVE_AS_CSV = "export it as CSV, in UTF-8"
#: The first bytes of files that are no text tables: what such a file is, and what to do.
_KINDS = (
    (b"\xff\xfe\x00\x00", "it is UTF-32; save it as UTF-8"),
    (b"\x00\x00\xfe\xff", "it is UTF-32; save it as UTF-8"),
    (b"\xff\xfe", "it is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "it is UTF-16; save it as UTF-8"),
    (b"\x1f\x8b", "it is compressed by gzip; give its name the ending .gz"),
    (b"BZh", "it is compressed by bzip2; give its name the ending .bz2"),
    (b"\xfd7zXZ", "it is compressed by xz; give its name the ending .xz"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd; unpack it first"),
    (b"PK\x03\x04", f"it is a spreadsheet or another .zip; {_SAVE_AS_CSV}, or unpack it"),
    (b"\xd0\xcf\x11\xe0", f"it is a spreadsheet of Excel; {_SAVE_AS_CSV}"),
    (b"PAR1", "it is Parquet; give its name the ending .parquet"),
    (b"ARROW1", "it is an Arrow file; save it as Parquet"),
    (b"\x89HDF", "it is an HDF5 file; save it as Parquet"),
    (b"%PDF", f"it is a PDF; {_SAVE_AS_CSV}"),
    (b"version https://git-lfs", "it is a pointer of Git LFS and not the file itself; fetch it by: git lfs pull"),
    (b"<!doctype html", "it is a web page, maybe an error message in place of a download; fetch it again"),
    (b"<html", "it is a web page, maybe an error message in place of a download; fetch it again"),
)


@dataclass(frozen=True)
class TextFile:
    r"""A text file, which can be opened several times.

    Attributes
    ----------
    name : str
        Name of the file, for messages.
    open : callable
        Function that opens it for reading in bytes, unpacked.

    Examples
    --------
    >>> import io
    >>> TextFile("birds.csv", lambda: io.BytesIO(b"genus\nPica\n")).head()
    b'genus\nPica\n'
    """

    name: str
    open: Callable[[], BinaryIO]

    def head(self, n_bytes: int = 1024) -> bytes:
        """Return its first bytes, after a check that they are text.

        Parameters
        ----------
        n_bytes : int
            Number of bytes at most.

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            If they are those of another kind of file.
        """
        with self.open() as stream:
            content = stream.read(n_bytes)
        kind = kind_of_content(content)
        if kind:
            raise DataError(f"{self.name} is not a table that can be read: {kind}")
        return content

    def lines(self) -> Iterator[bytes]:
        r"""Yield its lines without their ends, which are ``\n``, ``\r\n`` or ``\r``.

        Yields
        ------
        bytes

        Raises
        ------
        DataError
            If a line is longer than `BLOCK_BYTES`, or the file cannot be unpacked.
        """
        number, rest = 0, b""
        with self.open() as stream:
            while block := stream.read(BLOCK_BYTES):
                while block.endswith(b"\r") and (more := stream.read(1)):  # its \n may be the next byte
                    block += more
                *lines, rest = (rest + block).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
                number += len(lines)
                if len(rest) > BLOCK_BYTES:
                    raise DataError(
                        f"{self.name} is not a table that can be read: line {number + 1} has more than "
                        f"{BLOCK_BYTES:,} bytes; is a quote in it never closed?"
                    )
                yield from lines
        if rest:
            yield rest


def kind_of_content(content: bytes) -> str | None:
    r"""Return what a file is and what to do about it, if its first bytes are not those of a text table.

    Parameters
    ----------
    content : bytes
        The beginning of the file.

    Returns
    -------
    str or None

    Examples
    --------
    >>> kind_of_content("\ufeffgenus,year\n".encode("utf-16-le"))
    'it is UTF-16; save it as UTF-8'
    >>> kind_of_content(b"genus,year\n") is None
    True
    """
    head = content.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, kind in _KINDS:
        if content.startswith(magic) or (magic.islower() and head.startswith(magic)):
            return kind
    if re.match(rb'\[\s*[{\[]|\{\s*"', head):
        return f"it is JSON; {_SAVE_AS_CSV}"
    # UTF-16 without a mark at its beginning: every second byte of ASCII text is 0.
    if len(content) >= 8 and (not any(content[1:64:2]) or not any(content[0:64:2])):
        return "it is UTF-16; save it as UTF-8"
    return None


def kind_of_file(path: Path) -> str | None:
    """Return what a file is and what to do about it, as `kind_of_content` does.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str or None
        None also if the file cannot be read.

    Examples
    --------
    >>> kind_of_file(Path("none.parquet")) is None
    True
    """
    try:
        with path.open("rb") as stream:
            return kind_of_content(stream.read(1024))
    except OSError:
        return None


def text_suffix(path: Path) -> str:
    """Return the ending of a file's name in small letters, without that of a compressed file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Examples
    --------
    >>> text_suffix(Path("labels.CSV.gz")), text_suffix(Path("labels.csv"))
    ('.csv', '.csv')
    """
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in COMPRESSIONS else suffix


def find_compressed(path: Path) -> Path | None:
    """Return a file, or the same file compressed, whichever exists.

    Parameters
    ----------
    path : Path
        The file without the ending of a compressed one.

    Returns
    -------
    Path or None

    Examples
    --------
    >>> find_compressed(Path("none.csv")) is None
    True
    """
    candidates = [path, *(path.with_name(path.name + suffix) for suffix in COMPRESSIONS)]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def split_name_table(path: Path) -> tuple[Path, Path | None]:
    """Return the path and the table of names of ``PATH#TABLE``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    path : Path
    table : Path or None
        Relative to `path` if it is a folder, else to the folder of `path`, or to the current folder. None if there is
        no ``#`` with the name of a table after it.

    Examples
    --------
    >>> path, table = split_name_table(Path("birds#lineages.csv"))
    >>> path.name, table.name
    ('birds', 'lineages.csv')
    """
    before, sign, after = str(path).rpartition("#")
    is_table = text_suffix(Path(after)) in TABLE_SUFFIXES
    if not (sign and before and is_table) or Path(path).exists():
        return Path(path), None
    main = Path(before)
    folder = main if main.is_dir() else main.parent
    return main, folder / after if (folder / after).is_file() else Path(after).expanduser()


def text_file(path: Path) -> TextFile:
    """Return a text file by its path; ``.gz``, ``.bz2`` and ``.xz`` are unpacked while they are read.

    Parameters
    ----------
    path : Path

    Returns
    -------
    TextFile

    Raises
    ------
    DataError
        If there is no such file.

    Examples
    --------
    >>> text_file(Path("none.csv.gz"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: none.csv.gz: no such file
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    opener = COMPRESSIONS.get(path.suffix.lower())

    def open_file() -> BinaryIO:
        try:
            if opener is None:
                return path.open("rb")
            stream = opener(path, "rb")
            return cast(BinaryIO, UnpackedStream(stream, str(path), path.stat().st_size))
        except OSError as error:
            raise DataError(f"{path} cannot be opened ({one_line(error)})") from error

    return TextFile(str(path), open_file)


class UnpackedStream:
    """An open compressed file that raises `DataError` if it cannot be unpacked, or takes more memory than it may.

    Parameters
    ----------
    stream : file object
        Open for reading in bytes.
    name : str
        Name of the file, for messages.
    file_bytes : int
        Size of the compressed file.

    Examples
    --------
    >>> import io
    >>> UnpackedStream(io.BytesIO(b"genus"), "birds.csv.gz", file_bytes=9).read(3)
    b'gen'
    """

    def __init__(self, stream: IO[bytes], name: str, file_bytes: int) -> None:
        self._stream, self._name, self._file_bytes = stream, name, file_bytes
        self._n_read = self._n_lines = 0

    def __enter__(self) -> UnpackedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._stream.closed

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        """Return the next bytes.

        Parameters
        ----------
        size : int
            Largest number of bytes.

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            If they cannot be unpacked, or are too many for the size of the file.
        """
        try:
            content = self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError) as error:
            raise DataError(f"{printable(self._name)} cannot be unpacked ({one_line(error)})") from error
        self._n_read += len(content)
        self._n_lines += content.count(b"\n")
        check_rows(self._name, self._n_lines, self._file_bytes)
        n_bytes = self._n_read * _MEMORY_RATIO
        check_declared(self._name, "unpacked text", n_bytes, self._file_bytes, MAX_RATIO * _MEMORY_RATIO)
        return content
