"""The content of files of pictures: SHA-256 digests, computed once for each file.

The digests of large folders are remembered, so that a second run need not read all pictures again. A remembered digest
counts only for the same file: its size, its inode, and the times of its last change, of which no program can set back
that of the inode. The digests lie in ``~/.cache/bioclip_probe``, or in the folder that ``BIOCLIP_PROBE_CACHE`` names.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bioclip_probe.datasets.readers.pictures import MAX_BYTES, file_stamps
from bioclip_probe.files import sha256_of_bytes, sha256_of_file, write_atomically
from bioclip_probe.processors import available_processors

log = logging.getLogger(__name__)

#: The environment variable that names the folder of remembered digests.
VARIABLE = "BIOCLIP_PROBE_CACHE"
#: Digests are remembered where so many files or bytes had to be read.
REMEMBERED_FILES, REMEMBERED_BYTES = 1000, 1 << 26
#: A file that was changed so recently may change again without another time of change.
_RECENT_NS = 2_000_000_000
#: Bytes of which the log says that they are read.
_ANNOUNCED_BYTES = 1 << 30


class FileState(NamedTuple):
    """The state of a file, which changes when its content does."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, eq=False)
class FileContent:
    """The content of the files that hold a dataset's pictures; nothing is read before it is needed.

    Attributes
    ----------
    root : Path
        The folder that `files` are relative to.
    files : sequence of str
    one_an_image : bool
        True if each file is the picture of one image, in the order of the images. Otherwise a file, such as a tar,
        holds many pictures.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.jpg").write_bytes(b"Pica hudsonia")
    ...     [digest and digest[:12] for digest in FileContent(Path(folder), ["a.jpg", "none.jpg"]).sha256]
    ['aa2e17471997', None]
    """

    root: Path
    files: Sequence[str]
    one_an_image: bool = False

    @cached_property
    def sha256(self) -> list[str | None]:
        """Digest of each file; None for one that was missing, is unreadable, or larger than any picture may be."""
        there = [file for file, (size, _) in zip(self.files, self.stamps, strict=True) if size >= 0]
        digests = iter(sha256_of_files(self.root, there, MAX_BYTES if self.one_an_image else None))
        return [next(digests) if size >= 0 else None for size, _ in self.stamps]

    @cached_property
    def stamps(self) -> list[tuple[int, int]]:
        """Size and time of the last change of each file, by which earlier versions told that a file had changed."""
        return file_stamps(self.root, self.files)

    @property
    def marks(self) -> list[str]:
        """The mark of each file in a fingerprint: its digest, or its size if it has none."""
        sizes = (size for size, _ in self.stamps)
        return [digest or f"{size} bytes" for digest, size in zip(self.sha256, sizes, strict=True)]


def sha256_of_files(root: Path, sources: Sequence[str], most_bytes: int | None = None) -> list[str | None]:
    """Return the SHA-256 digest of each file below a folder.

    Parameters
    ----------
    root : Path
        The folder that the sources are relative to.
    sources : sequence of str
    most_bytes : int, optional
        Larger files are not read.

    Returns
    -------
    list of str or None
        64 hexadecimal digits; None for a file that is missing, no regular file, too large or unreadable.

    Notes
    -----
    Files are read in as many threads as there are processors.

    Examples
    --------
    >>> sha256_of_files(Path("nowhere"), ["none.jpg"])
    [None]
    """
    states = {source: _file_state(os.path.join(root, source)) for source in dict.fromkeys(sources)}
    wanted = {
        source: state
        for source, state in states.items()
        if state is not None and (most_bytes is None or state.size <= most_bytes)
    }
    remembered = _Remembered.of(root)
    digests = remembered.digests(wanted)
    new = [source for source in wanted if source not in digests]
    n_bytes = sum(wanted[source].size for source in new)
    if n_bytes >= _ANNOUNCED_BYTES:
        log.info("reading %d files in %s (%.1f GB) for their sha256, once", len(new), root, n_bytes / 1e9)
    with ThreadPoolExecutor(available_processors()) as pool:
        digests |= zip(new, pool.map(lambda source: _digest(os.path.join(root, source)), new), strict=True)
    if len(new) >= REMEMBERED_FILES or n_bytes >= REMEMBERED_BYTES:
        remembered.add({source: wanted[source] for source in new}, digests)
    return [digests.get(source) for source in sources]


def cache_folder() -> Path:
    """Return the folder of remembered digests, which may be missing.

    Returns
    -------
    Path

    Examples
    --------
    >>> cache_folder().name != ""
    True
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "bioclip_probe"


def _file_state(path: str) -> FileState | None:
    """Return the state of a regular file, None for anything else: reading a pipe would wait for ever."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FileState(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & (2**63 - 1))


def _digest(path: str) -> str | None:
    try:
        return sha256_of_file(Path(path))
    except OSError:
        return None


@dataclass(frozen=True)
class _Remembered:
    """The remembered digests of the files below one folder, in a Parquet file with a row a file."""

    path: Path

    @classmethod
    def of(cls, root: Path) -> _Remembered:
        """Return those of a folder."""
        return cls(cache_folder() / "sha256" / f"{sha256_of_bytes(os.fsencode(os.path.abspath(root)))[:32]}.parquet")

    def digests(self, states: Mapping[str, FileState]) -> dict[str, str | None]:
        """Return the digests of the files that are still in the state in which they were read."""
        table = self._read()
        if table is None:
            return {}
        rows = zip(*(table[name].tolist() for name in ("source", *FileState._fields, "sha256")), strict=True)
        return {source: digest for source, *state, digest in rows if states.get(source) == tuple(state)}

    def add(self, states: Mapping[str, FileState], digests: Mapping[str, str | None]) -> None:
        """Remember the digests of files that did not change recently; nothing happens where that is impossible."""
        recent = time.time_ns() - _RECENT_NS
        rows = [
            (source, *state, digests[source])
            for source, state in states.items()
            if digests[source] is not None and max(state.mtime_ns, state.ctime_ns) < recent
        ]
        table = pd.DataFrame(rows, columns=["source", *FileState._fields, "sha256"])
        known = self._read()
        if known is not None:
            table = pd.concat([known[~known["source"].isin(states)], table], ignore_index=True)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, lambda path: table.to_parquet(path, index=False))
        except (OSError, ValueError) as error:  # a full disk, a home that may not be written; a path that is no text
            log.debug("digests are not remembered: %s", error)

    def _read(self) -> pd.DataFrame | None:
        """Return the table, None if there is none that can be read."""
        try:
            return pd.read_parquet(self.path, columns=["source", *FileState._fields, "sha256"])
        except Exception:  # pyarrow raises errors of many kinds for a damaged file; the pictures are then read again
            return None
