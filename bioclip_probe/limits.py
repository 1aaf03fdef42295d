"""The limit of the memory that one file may take, and the environment variable that raises it.

A file of a few kilobytes can declare an array of terabytes, so readers compare what a file declares with this limit
before they take memory. A large file may take more than a small one: each reader says how many bytes of memory a byte
of a genuine file may become. The limit stands in the environment, because the processes that a run starts must have
the same one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from bioclip_probe.errors import DataError, ProbeError, printable

#: The environment variable that `--max-memory` sets.
VARIABLE = "BIOCLIP_PROBE_MAX_MEMORY"
#: Bytes that a file may take where nothing else is said.
DEFAULT_BYTES = 1 << 30
#: Memory that a row of a table takes from its reading to the finished dataset, at most.
ROW_BYTES = 1024

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def max_memory() -> int:
    """Return the bytes of memory that one small file may take.

    Returns
    -------
    int

    Raises
    ------
    ProbeError
        If the environment variable is no size.

    Examples
    --------
    >>> max_memory()
    1073741824
    """
    text = os.environ.get(VARIABLE, "").strip()
    try:
        return parse_size(text) if text else DEFAULT_BYTES
    except ValueError as error:
        raise ProbeError(f"{VARIABLE}: {error}") from None


@contextmanager
def allow_memory(n_bytes: int) -> Iterator[None]:
    """Allow a file to take more memory, in this process and those that it starts, until the block ends.

    Parameters
    ----------
    n_bytes : int
        Bytes that a small file may take.

    Examples
    --------
    >>> with allow_memory(4 << 30):
    ...     max_memory()
    4294967296
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(n_bytes)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def parse_size(text: str) -> int:
    """Return the bytes of a size such as ``4GB``, ``512M`` or ``1.5 GiB``; units are powers of 1024.

    Parameters
    ----------
    text : str

    Returns
    -------
    int
        1 or more.

    Raises
    ------
    ValueError
        If `text` is no size.

    Examples
    --------
    >>> parse_size("4GB")
    4294967296
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGT]?)(?:I?B)?", text.strip().upper())
    n_bytes = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if n_bytes < 1:
        raise ValueError(f"expected a size such as 4GB, came '{printable(text)}'")
    return n_bytes


def format_size(n_bytes: int) -> str:
    """Return a number of bytes as people read it.

    Parameters
    ----------
    n_bytes : int

    Returns
    -------
    str

    Examples
    --------
    >>> format_size(3 << 29), format_size(512)
    ('1.5 GB', '512 bytes')
    """
    for unit in ("T", "G", "M", "K"):
        if n_bytes >= _UNITS[unit]:
            return f"{n_bytes / _UNITS[unit]:.3g} {unit}B" if n_bytes < 1000 * _UNITS[unit] else f"{n_bytes:.0e} bytes"
    return f"{n_bytes} bytes"


def check_declared(name: object, content: str, n_bytes: int, file_bytes: int = 0, growth: float = 0) -> None:
    """Refuse content that would take more memory than its file may.

    Parameters
    ----------
    name : object
        Name of the file, for the message.
    content : str
        What takes the memory, e.g. ``array 'vectors'``, for the message.
    n_bytes : int
        Memory that the content would take, as the file declares it.
    file_bytes : int
        Size of the file.
    growth : float
        Bytes of memory that a byte of a genuine file of this kind becomes at most. The limit is `max_memory`, or
        ``growth * file_bytes`` if that is more.

    Raises
    ------
    DataError
        If `n_bytes` is more than the limit.

    Examples
    --------
    >>> check_declared("a.npz", "array 'vectors'", 3 << 30, file_bytes=3 << 20, growth=16)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: a.npz: its array 'vectors' would take 3 GB of memory, more than the 1 GB that a \
file of 3 MB may take; if the file is right, allow it with --max-memory 4GB
    """
    limit = max(max_memory(), int(growth * file_bytes))
    if n_bytes <= limit:
        return
    of_file = f" that a file of {format_size(file_bytes)} may take" if file_bytes else " allowed"
    raise DataError(
        f"{name}: its {content} would take {format_size(n_bytes)} of memory, more than the {format_size(limit)}"
        f"{of_file}; if the file is right, allow it with --max-memory {-(-n_bytes // _UNITS['G']) + 1}GB"
    )


def check_rows(name: object, n_rows: int, file_bytes: int) -> None:
    """Refuse a table that declares more rows than its file can name images.

    A row names an image, which takes a byte of a compressed file or more. Up to `max_memory` / `ROW_BYTES` rows, about
    a million, are accepted from any file.

    Parameters
    ----------
    name : object
        Name of the file, for the message.
    n_rows : int
        Number of rows, as the file declares it.
    file_bytes : int
        Size of the file.

    Raises
    ------
    DataError
        If there are too many rows.

    Examples
    --------
    >>> check_rows("a.parquet", 30_000_000, file_bytes=184_000)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: a.parquet: its table of 30,000,000 rows would take 28.6 GB of memory, more than \
the 1 GB that a file of 180 KB may take; if the file is right, allow it with --max-memory 30GB
    """
    check_declared(name, f"table of {n_rows:,} rows", n_rows * ROW_BYTES, file_bytes, ROW_BYTES)
