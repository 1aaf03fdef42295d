"""Pictures in tar files: finding the tars, which pictures they hold, and opening one, without unpacking anything.

A picture's `source` says by itself where its bytes are, ``train-000000.tar:1536:20480``: the tar below the root of the
dataset, the first byte, how many. Any process reads it with one seek and no index, and no name inside a tar is ever
taken for a path.
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
from typing import BinaryIO

import pandas as pd
from PIL import Image

from bioclip_probe.datasets.readers.pictures import MOST_BYTES, SUFFIXES, decoded, stays_inside, walk
from bioclip_probe.datasets.readers.tar_members import Index, index
from bioclip_probe.datasets.readers.text_tables import printable
from bioclip_probe.errors import DataError, PictureError, some

log = logging.getLogger("bioclip_probe")

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
#: What makes ``a.tar`` of ``a.tar.gz`` or ``a.tgz``, and keeps that until it is whole.
UNPACK = {
    **dict.fromkeys((".gz", ".tgz"), "gunzip"),
    **dict.fromkeys((".bz2", ".tbz2"), "bunzip2"),
    **dict.fromkeys((".xz", ".txz"), "unxz"),
    ".zst": "unzstd --rm",
}
MOST_TARS = 100_000
# Tars lie on network disks more often than not, where each header is waited for.
_THREADS = 8
_SECONDS_BETWEEN_LINES = 30.0

#: What the members of one key say, by what follows the first dot of their names, to any columns.
Describe = Callable[[dict[str, bytes]], dict[str, str | None]]


@dataclass(frozen=True)
class TarPictures:
    """Opens pictures named ``<tar below root>:<first byte>:<number of bytes>``."""

    root: Path

    def __call__(self, source: str) -> Image.Image:
        name = f"{self.root / source}"
        parts = re.fullmatch(r"(.+):([0-9]{1,18}):([0-9]{1,18})", source, re.DOTALL)
        if parts is None or "\0" in parts[1] or parts[1].startswith("/") or not stays_inside(parts[1]):
            raise PictureError(
                f"{printable(name)}: not a tar below the root, a first byte, a number of bytes", "missing"
            )
        start, size = int(parts[2]), int(parts[3])
        if size > MOST_BYTES:
            raise PictureError(f"{name}: {size:,} bytes are more than the {MOST_BYTES:,} allowed", "too large")
        try:
            with open(self.root / parts[1], "rb", buffering=0) as file:
                there = os.fstat(file.fileno()).st_size - start
                file.seek(start)
                content = b"" if there < size else _read_all(file, size)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise PictureError(f"{name}: no such tar", "missing") from None
        except OSError as error:
            raise PictureError(f"{name}: cannot be read: {error.strerror}", "unreadable") from error
        if len(content) < size:
            raise PictureError(f"{name}: the tar breaks off, {max(there, 0):,} of {size:,} bytes are there", "corrupt")
        return decoded(content, name)


def _read_all(file: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes; one call of the system may give fewer."""
    content = file.read(size)
    while len(content) < size and (more := file.read(size - len(content))):
        content += more
    return content


def pictures(
    root: Path, tars: Sequence[str], read: Sequence[str] = (), describe: Describe = lambda texts: {}
) -> tuple[pd.DataFrame, list[str]]:
    """Every picture in the tars, in order; says how far it is when that takes long.

    Parameters
    ----------
    root : Path
        The folder that `tars` are below.
    tars : sequence of str
        As `find` gives them.
    read : sequence of str
        The members that are read as texts, by what follows the first dot of their names.
    describe : callable
        Takes the texts that share the key of a picture, gives what is known of it.

    Returns
    -------
    rows : DataFrame, dtype str
        Columns image_id, source, key, tar, group, and what `describe` gives. A key is a member's name to the first dot
        after the last ``/``. It is the `image_id`, unless several pictures have it: then that is the member's name, and
        the key is the group.
    notes : list of str
        Members that are no plain files, tars that are not whole, keys without a picture or with several.

    Raises
    ------
    DataError
        If a tar cannot be read or is compressed, or none holds a picture.
    """
    begin = last = time.perf_counter()
    frames, indices, without, several = [], [], [], []
    with ThreadPoolExecutor(min(_THREADS, len(tars))) as pool:
        for done, (found, frame, lone, shared) in enumerate(
            pool.map(lambda tar: _pictures(root, tar, frozenset(read), describe), tars), 1
        ):
            indices.append(found)
            frames.append(frame)
            without += lone
            several += shared
            if time.perf_counter() - last > _SECONDS_BETWEEN_LINES:
                last = time.perf_counter()
                log.info("%s: %d of %d tars read in %.0f s", root, done, len(tars), last - begin)
    notes = _notes(indices)
    if without:
        notes.append(f"{len(without)} keys left out, they have no picture: {some(without)}")
    if several:
        notes.append(f"{len(several)} keys have more than one picture; each is an image: {some(several)}")
    rows = pd.concat(frames, ignore_index=True)
    if rows.empty:
        raise DataError(f"{root} has no usable image: no picture in {some(tars)}" + (f"; {notes[0]}" if notes else ""))
    return rows, notes


def _pictures(root: Path, tar: str, read: frozenset[str], describe: Describe) -> tuple:
    """The index of one tar, without its members, its pictures, its keys that have none, and those with several."""
    found = index(root, tar, lambda name: _parted(name)[1] in read)
    texts: dict[str, dict[str, bytes]] = defaultdict(dict)
    shown = []
    for member in found.members:
        key, ending = _parted(member.name)
        if os.path.splitext(member.name)[1].lower() in SUFFIXES:
            shown.append((member, key))
        elif member.content is not None:
            texts[key][ending] = member.content
        else:
            texts.setdefault(key, {})
    n_pictures = Counter(key for _, key in shown)
    rows = []
    for member, key in shown:
        alone = n_pictures[key] == 1
        row = {"image_id": key if alone else member.name, "source": f"{tar}:{member.start}:{member.size}"}
        rows.append(row | {"key": key, "tar": tar, "group": None if alone else key} | describe(texts[key]))
    found.members.clear()
    lone = [key for key in texts if key not in n_pictures]
    return found, pd.DataFrame(rows, dtype="str"), lone, [key for key, number in n_pictures.items() if number > 1]


def _parted(name: str) -> tuple[str, str]:
    """Key and ending of a member: its name is parted at the first dot after the last ``/``."""
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return folder + slash + stem, ending


def _notes(indices: Iterable[Index]) -> list[str]:
    """What was left out of tars, and which of them are broken."""
    left_out: dict[str, list[str]] = defaultdict(list)
    broken = []
    for found in indices:
        for reason, names in found.left_out.items():
            left_out[reason] += names
        if found.broken:
            broken.append(f"{found.tar}: {found.broken}")
    notes = [f"{len(names)} members left out, {reason}: {some(names)}" for reason, names in left_out.items()]
    if broken:
        notes.insert(0, f"{len(broken)} tars are not whole; what comes before was taken: {some(broken)}")
    return notes


def find(path: Path) -> tuple[Path, list[str]]:
    """The tars that `path` names, and the folder that they are below.

    Parameters
    ----------
    path : Path
        A tar, a folder of them, at any depth, or a pattern: ``*``, ``?`` and ``[...]``, ``{000..127}`` and ``{a,b}``.

    Raises
    ------
    DataError
        If there is none, one is missing, or those there are compressed.
    """
    path = Path(path)
    if path.is_dir():
        files = [file.as_posix() for file in walk(path)]
        tars = [file for file in files if file.endswith(".tar") and (path / file).is_file()]
        packed = [file for file in files if file.endswith(COMPRESSED)]
        if packed and not tars:
            raise DataError(
                f"{path} has compressed tars, of which no member can be sought: {some(packed)}; unpack each to .tar: "
                f"{_unpack(path / packed[0])}"
            )
        if not tars:
            raise DataError(f"{path} has no tar; expected files that end in .tar")
        unpacked = {file.removesuffix(".tar") for file in tars}
        rest = [file for file in packed if re.sub(r"(\.tar)?\.\w+$", "", file) not in unpacked]
        if rest:
            log.warning(
                "%s: %d compressed tars left out, of which no member can be sought: %s; unpack each to .tar: %s",
                *(path, len(rest), some(rest), _unpack(path / rest[0])),
            )
        return path, _printable(tars)
    files = [path] if path.is_file() else [Path(name) for name in _named(str(path))]
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        raise DataError(f"{path}: no such tar, folder of tars or pattern of their names: {some(missing or [path])}")
    packed = [file for file in files if file.name.endswith(COMPRESSED)]
    if packed:
        raise DataError(
            f"compressed tars, of which no member can be sought: {some(packed)}; unpack each to .tar: "
            f"{_unpack(packed[0])}"
        )
    root = Path(os.path.commonpath([file.parent for file in files]))
    return root, _printable([file.relative_to(root).as_posix() for file in files])


def _unpack(packed: Path) -> str:
    """The command that makes a ``.tar`` of a compressed one, beside it."""
    return f"{UNPACK[packed.suffix]} {shlex.quote(str(packed))}"


def _printable(tars: list[str]) -> list[str]:
    """`tars`, if their names are lines of text, as the sources of pictures must be."""
    odd = [tar for tar in tars if not tar.isprintable()]
    if odd:
        raise DataError(f"tars whose names are no line of text; rename: {some(map(printable, odd))}")
    return tars


def _named(pattern: str) -> list[str]:
    """The files of a pattern, sorted; those named in braces whether they are there or not."""
    patterns = list(itertools.islice(_without_braces(pattern), MOST_TARS + 1))
    if len(patterns) > MOST_TARS:
        raise DataError(f"{pattern} stands for more than {MOST_TARS:,} tars")
    names = [glob.glob(name, recursive=True) if glob.has_magic(name) else [name] for name in patterns]
    return sorted({name for some_names in names for name in some_names})


def _without_braces(pattern: str) -> Iterator[str]:
    """The patterns that one with braces stands for, as in a shell: ``{08..10}`` is 08, 09, 10."""
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
        yield from _without_braces(pattern[: braces.start()] + choice + pattern[braces.end() :])
