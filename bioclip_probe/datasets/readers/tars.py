"""Pictures in tar files: find the tars, list their pictures, and open one, without unpacking anything.

The `source` of a picture tells where its bytes are, ``train-000000.tar:1536:20480``: the tar below the root of the
dataset, the first byte, and the number of bytes. Any process reads it with one seek and no index, and no name inside a
tar is ever used as a path.
"""

from __future__ import annotations

import glob
import itertools
import logging
import os
import re
import shlex
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pandas as pd

from bioclip_probe.datasets.readers.pictures import (
    MAX_BYTES,
    SUFFIXES,
    EncodedPicture,
    PictureOpener,
    stays_inside,
    walk_files,
)
from bioclip_probe.datasets.readers.tar_members import TarIndex, index_tar
from bioclip_probe.errors import DataError, PictureError, printable, some

log = logging.getLogger("bioclip_probe")

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
#: The command that makes ``a.tar`` from ``a.tar.gz`` or ``a.tgz``, and deletes the compressed file only at the end.
UNPACK_COMMANDS = {
    **dict.fromkeys((".gz", ".tgz"), "gunzip"),
    **dict.fromkeys((".bz2", ".tbz2"), "bunzip2"),
    **dict.fromkeys((".xz", ".txz"), "unxz"),
    ".zst": "unzstd --rm",
}
MAX_TARS = 100_000
# Tars often lie on network disks, where each header takes a round trip.
_THREADS = 8

#: Takes the texts of one key, by the ending of their members' names, and returns further columns of its pictures.
Describe = Callable[[dict[str, bytes]], dict[str, str | None]]


@dataclass(frozen=True)
class TarPictures(PictureOpener):
    """Opener of pictures that are named ``<tar below root>:<first byte>:<number of bytes>``.

    Attributes
    ----------
    root : Path
        The folder that the tars are below.

    Examples
    --------
    >>> TarPictures(Path("shards"))("none.tar:512:2048")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: shards/none.tar:512:2048: no such tar
    """

    root: Path

    def read(self, source: str) -> EncodedPicture:
        """Return the bytes of the picture `source`, or raise `PictureError`."""
        name = f"{self.root / source}"
        match = re.fullmatch(r"(.+):([0-9]{1,18}):([0-9]{1,18})", source, re.DOTALL)
        if match is None or "\0" in match[1] or match[1].startswith("/") or not stays_inside(match[1]):
            raise PictureError(
                f"{printable(name)}: not a tar below the root, a first byte, a number of bytes", "missing"
            )
        start, size = int(match[2]), int(match[3])
        if size > MAX_BYTES:
            raise PictureError(f"{name}: {size:,} bytes are more than the {MAX_BYTES:,} allowed", "too large")
        try:
            with open(self.root / match[1], "rb", buffering=0) as file:
                n_available = os.fstat(file.fileno()).st_size - start
                file.seek(start)
                content = b"" if n_available < size else _read_all(file, size)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise PictureError(f"{name}: no such tar", "missing") from None
        except OSError as error:
            raise PictureError(f"{name}: cannot be read: {error.strerror}", "unreadable") from error
        if len(content) < size:
            available = f"{max(n_available, 0):,} of {size:,} bytes are there"
            raise PictureError(f"{name}: the tar breaks off, {available}", "corrupt")
        return EncodedPicture(content, name)


def _read_all(file: BinaryIO, size: int) -> bytes:
    """Read up to `size` bytes; a single call of the system may return fewer."""
    content = file.read(size)
    while len(content) < size and (more := file.read(size - len(content))):
        content += more
    return content


class _TarContent(NamedTuple):
    """The pictures of one tar."""

    tar_index: TarIndex
    rows: pd.DataFrame
    keys_without_picture: list[str]
    keys_with_several: list[str]
    dotted: list[str]
    repeated_texts: list[str]


def list_pictures(
    root: Path,
    tars: Sequence[str],
    endings: Sequence[str] = (),
    describe: Describe = lambda texts: {},
    seconds_between_lines: float = 30.0,
) -> tuple[pd.DataFrame, list[str]]:
    """Return every picture in the tars, in order; long work logs its progress.

    Parameters
    ----------
    root : Path
        The folder that `tars` are below.
    tars : sequence of str
        As `find_tars` returns them.
    endings : sequence of str
        Endings of the members that are read as texts. The ending of a name is the text after its first dot.
    describe : callable
        Function of the texts with the same key as a picture that returns further columns.
    seconds_between_lines : float
        Time between two lines of the log.

    Returns
    -------
    rows : DataFrame, dtype str
        Columns image_id, source, key, tar, group, and those of `describe`. A key is a member's name up to the first dot
        after the last ``/``. It is the `image_id` unless several pictures share it: then the `image_id` is the member's
        name, and the group is the key.
    notes : list of str
        Members that are no plain files, incomplete tars, keys without a picture or with several, and names with dots
        that do not end their key.

    Raises
    ------
    DataError
        If a tar cannot be read or is compressed, or none holds a picture.

    Examples
    --------
    >>> list_pictures(Path("shards"), ["none.tar"])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: shards/none.tar: cannot be read: No such file or directory
    """
    begin = last = time.perf_counter()
    contents = []
    with ThreadPoolExecutor(min(_THREADS, len(tars))) as pool:
        for content in pool.map(lambda tar: _read_tar(root, tar, frozenset(endings), describe), tars):
            contents.append(content)
            if time.perf_counter() - last > seconds_between_lines:
                last = time.perf_counter()
                log.info("%s: %d of %d tars read in %.0f s", root, len(contents), len(tars), last - begin)
    notes = _notes_on_members([content.tar_index for content in contents])
    notes += _notes_on_keys(contents)
    rows = pd.concat([content.rows for content in contents], ignore_index=True)
    if rows.empty:
        raise DataError(f"{root} has no usable image: no picture in {some(tars)}" + (f"; {notes[0]}" if notes else ""))
    return rows, notes


def _read_tar(root: Path, tar: str, endings: frozenset[str], describe: Describe) -> _TarContent:
    index = index_tar(root, tar, lambda name: _split_name(name)[1] in endings)
    texts: dict[str, dict[str, bytes]] = defaultdict(dict)
    pictures, repeated = [], []
    for member in index.members:
        key, ending = _split_name(member.name)
        if os.path.splitext(member.name)[1].lower() in SUFFIXES:
            pictures.append((member, key))
        elif member.content is not None:
            if texts[key].setdefault(ending, member.content) != member.content:
                repeated.append(member.name)
        else:
            texts.setdefault(key, {})
    n_pictures = Counter(key for _, key in pictures)
    rows = []
    for member, key in pictures:
        alone = n_pictures[key] == 1
        row = {"image_id": key if alone else member.name, "source": f"{tar}:{member.start}:{member.size}"}
        rows.append(row | {"key": key, "tar": tar, "group": None if alone else key} | describe(texts[key]))
    index.members.clear()  # millions of members would stay in memory
    without = [key for key in texts if key not in n_pictures]
    several = [key for key, number in n_pictures.items() if number > 1]
    dotted = [member.name for member, key in pictures if os.path.splitext(member.name)[0] != key]
    return _TarContent(index, pd.DataFrame(rows, dtype="str"), without, several, dotted, repeated)


def _notes_on_keys(contents: Sequence[_TarContent]) -> list[str]:
    """Return the notes on keys, and on the names that they come from."""
    without = [key for content in contents for key in content.keys_without_picture]
    several = [key for content in contents for key in content.keys_with_several]
    dotted = [name for content in contents for name in content.dotted]
    repeated = [name for content in contents for name in content.repeated_texts]
    notes = []
    if without:
        notes.append(f"{len(without)} keys left out, they have no picture: {some(without)}")
    if several:
        notes.append(f"{len(several)} keys have more than one picture; each is an image: {some(several)}")
    if dotted:
        keys = [f"{name} has the key {_split_name(name)[0]}" for name in dotted[:3]]
        notes.append(
            f"{len(dotted)} pictures have a dot within their name, and a key ends at the first dot: "
            f"{some(keys)}; rename members if it should not"
        )
    if repeated:
        notes.append(f"{len(repeated)} texts occur again with other content; the first is used: {some(repeated)}")
    return notes


def _split_name(name: str) -> tuple[str, str]:
    """Return the key and the ending of a member's name, split at the first dot after the last ``/``."""
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return folder + slash + stem, ending


def _notes_on_members(indices: Iterable[TarIndex]) -> list[str]:
    """Return the notes on incomplete tars and on members that were left out."""
    left_out: dict[str, list[str]] = defaultdict(list)
    damaged = []
    for index in indices:
        for reason, names in index.left_out.items():
            left_out[reason] += names
        if index.damage:
            damaged.append(f"{index.tar}: {index.damage}")
    notes = [f"{len(names)} members left out, {reason}: {some(names)}" for reason, names in left_out.items()]
    if damaged:
        notes.insert(0, f"{len(damaged)} tars are not complete; what comes before was used: {some(damaged)}")
    return notes


def find_tars(path: Path) -> tuple[Path, list[str]]:
    """Return the tars that `path` names, and the folder that they are below.

    Parameters
    ----------
    path : Path
        A tar, a folder of tars at any depth, or a pattern: ``*``, ``?`` and ``[...]``, ``{000..127}`` and ``{a,b}``.

    Returns
    -------
    root : Path
    tars : list of str
        Paths relative to `root`, sorted.

    Raises
    ------
    DataError
        If there is no tar, one is missing, or all are compressed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("a-0.tar", "a-1.tar"):
    ...         Path(folder, name).touch()
    ...     find_tars(Path(folder, "a-{0..1}.tar"))[1]
    ['a-0.tar', 'a-1.tar']
    """
    path = Path(path)
    if path.is_dir():
        return path, _check_printable(_tars_in_folder(path))
    files = [path] if path.is_file() else [Path(name) for name in _files_of_pattern(str(path))]
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        raise DataError(f"{path}: no such tar, folder of tars or pattern of their names: {some(missing or [path])}")
    compressed = [file for file in files if file.name.endswith(COMPRESSED)]
    if compressed:
        raise DataError(
            f"compressed tars, whose members cannot be reached: {some(compressed)}; unpack each to .tar: "
            f"{_unpack_command(compressed[0])}"
        )
    root = Path(os.path.commonpath([file.parent for file in files]))
    return root, _check_printable([file.relative_to(root).as_posix() for file in files])


def _tars_in_folder(path: Path) -> list[str]:
    files = [file.as_posix() for file in walk_files(path)]
    tars = [file for file in files if file.endswith(".tar") and (path / file).is_file()]
    compressed = [file for file in files if file.endswith(COMPRESSED)]
    if compressed and not tars:
        raise DataError(
            f"{path} has compressed tars, whose members cannot be reached: {some(compressed)}; unpack each to .tar: "
            f"{_unpack_command(path / compressed[0])}"
        )
    if not tars:
        raise DataError(f"{path} has no tar; expected files that end in .tar")
    unpacked = {file.removesuffix(".tar") for file in tars}
    unread = [file for file in compressed if re.sub(r"(\.tar)?\.\w+$", "", file) not in unpacked]
    if unread:
        log.warning(
            "%s: %d compressed tars left out, whose members cannot be reached: %s; unpack each to .tar: %s",
            *(path, len(unread), some(unread), _unpack_command(path / unread[0])),
        )
    return tars


def _unpack_command(compressed: Path) -> str:
    """Return the command that makes a ``.tar`` from a compressed one, in the same folder."""
    return f"{UNPACK_COMMANDS[compressed.suffix]} {shlex.quote(str(compressed))}"


def _check_printable(tars: list[str]) -> list[str]:
    """Return `tars` if each name is a line of text, as the sources of pictures must be."""
    odd = [tar for tar in tars if not tar.isprintable()]
    if odd:
        raise DataError(f"tars whose names are not one line of text; rename: {some(odd)}")
    return tars


def _files_of_pattern(pattern: str) -> list[str]:
    """Return the files of a pattern, sorted; those named in braces even if they do not exist."""
    patterns = list(itertools.islice(_expand_braces(pattern), MAX_TARS + 1))
    if len(patterns) > MAX_TARS:
        raise DataError(f"{pattern} stands for more than {MAX_TARS:,} tars")
    names = [glob.glob(name, recursive=True) if glob.has_magic(name) else [name] for name in patterns]
    return sorted({name for matches in names for name in matches})


def _expand_braces(pattern: str) -> Iterator[str]:
    """Yield the patterns that one with braces stands for, as in a shell: ``{08..10}`` is 08, 09, 10."""
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        yield pattern
        return
    numbers = re.fullmatch(r"([0-9]{1,9})\.\.([0-9]{1,9})", braces[1])
    if numbers:
        width = len(numbers[1]) if numbers[1].startswith("0") else 0
        choices: Iterable[str] = (f"{n:0{width}d}" for n in range(int(numbers[1]), int(numbers[2]) + 1))
    else:
        choices = braces[1].split(",")
    for choice in choices:
        yield from _expand_braces(pattern[: braces.start()] + choice + pattern[braces.end() :])
