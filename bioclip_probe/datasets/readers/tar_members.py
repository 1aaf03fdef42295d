"""The members of one tar file, and where they are in it.

Headers are read by our own few lines, the rarer ones over `tarfile.TarInfo.frombuf`: `tarfile` itself takes minutes for
millions of members and for long extended headers, goes in circles on negative sizes, recurses on chained headers, and
says nothing when a tar breaks off between two members.

Only regular files count. Links, devices, sparse files, hidden files, and names that lead elsewhere or are no printable
line are left out. Where a tar is broken, what is whole before is taken.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bioclip_probe.datasets.readers.text_tables import printable
from bioclip_probe.errors import DataError

#: Text members are a caption or a few names; longer ones are not read.
MOST_TEXT_BYTES = 1 << 16
_MOST_HEADER_BYTES = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
# How nearly all headers write size and checksum.
_SIZE, _CHECKSUM = re.compile(rb"[0-7]{11}[\0 ]"), re.compile(rb"[0-7]{6}(\0| [\0 ])")
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_WITHOUT_DATA = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)


class Member(NamedTuple):
    """A regular file in a tar: where its bytes are, and, for a text that was asked for, what they are."""

    name: str
    start: int
    size: int
    content: bytes | None


@dataclass
class Index:
    """What one tar has.

    Attributes
    ----------
    tar : str
        Its path below the root.
    members : list of Member
        Its regular files, in order. The bytes of the last may break off.
    left_out : dict
        Reason: names of members that are none.
    broken : str
        What is wrong with the tar from some byte on; empty if nothing is.
    """

    tar: str
    members: list[Member] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    broken: str = ""


def index(root: Path, tar: str, wanted: Callable[[str], bool] = lambda name: False) -> Index:
    """The members of one tar, with the content of those that `wanted` says yes to.

    Raises
    ------
    DataError
        If the file cannot be read, or is compressed: a member of it could not be sought.
    """
    found = Index(tar)
    path = root / tar
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(6)
            for magic, kind in _MAGIC.items():
                if start.startswith(magic):
                    raise DataError(f"{path} is compressed ({kind}), and no member of it can be sought; unpack it")
            try:
                for member, reason in _members(file, size, wanted):
                    if reason is None:
                        found.members.append(member)
                    else:
                        found.left_out[reason].append(f"{tar}: {printable(member.name)[:200]}")
            except _Broken as reason:
                found.broken = str(reason)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    return found


class _Broken(Exception):
    """Why a tar is not read on."""


def _members(file: BinaryIO, file_size: int, wanted: Callable[[str], bool]) -> Iterator[tuple[Member, str | None]]:
    """Every member but folders, and why it is left out; then `_Broken`, unless the tar ends as it should."""
    position, extended = 0, {}
    while True:
        file.seek(position)
        block = file.read(_BLOCK)
        if block.count(0) == len(block) == _BLOCK:
            return _check_end(file, position)
        info = _header(block, position)
        start = position + _BLOCK
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, b"X"):
            if info.size > min(_MOST_HEADER_BYTES, file_size - start):
                raise _Broken(f"a header of {info.size:,} bytes at byte {position:,}")
            extended |= _extended(info.type, file.read(info.size), position)
            position = start + _padded(info.size)
            continue
        if info.type == tarfile.GNUTYPE_SPARSE:
            start = _after_sparse_map(file, block, start)
        size = extended.get("size", info.size)
        name = extended.get("path", info.name)
        reason = _unfit(name, info.type, "sparse" in extended)
        content = None
        if reason is None and wanted(name) and size <= min(MOST_TEXT_BYTES, file_size - start):
            content = file.read(size)
        if info.type != tarfile.DIRTYPE:
            yield Member(name.removeprefix("./"), start, size, content), reason
        position = start + (0 if info.type in _WITHOUT_DATA else _padded(size))
        if position > file_size and start + size > file_size:
            raise _Broken(f"its bytes end within the member {printable(name)[:200]}, at byte {file_size:,}")
        extended = {}


def _header(block: bytes, position: int) -> tarfile.TarInfo:
    if len(block) < _BLOCK:
        what = "within a header" if block else "without the mark that ends a tar: members may be missing"
        raise _Broken(f"it ends {what}, at byte {position + len(block):,}")
    if plain := _plain(block):
        return plain
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise _Broken(f"no header at byte {position:,} ({error})") from None
    if info.size < 0:
        raise _Broken(f"a negative size at byte {position:,}")
    return info


def _plain(block: bytes) -> tarfile.TarInfo | None:
    """A header as nearly all are, of a regular file with a short name, in a quarter of the time; None for others."""
    name = block[:100].rstrip(b"\0")
    if block[156:157] != tarfile.REGTYPE or block[345] or b"\0" in name:
        return None
    if not (_SIZE.match(block, 124) and _CHECKSUM.match(block, 148)):
        return None
    if sum(block) - sum(block[148:156]) + 8 * ord(" ") != int(block[148:154], 8):
        return None
    info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    info.size = int(block[124:135], 8)
    return info


def _extended(kind: bytes, content: bytes, position: int) -> dict:
    """What a header that stands before another says of it: any of path, size, sparse."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    if kind not in (tarfile.XHDTYPE, b"X"):  # the target of a link, or what is said of all members
        return {}
    said, at = {}, 0
    while at < len(content):
        digits, blank, _ = content[at : at + 20].partition(b" ")
        if not blank or not digits.isdigit() or int(digits) <= len(digits):
            raise _Broken(f"an extended header that does not parse at byte {position:,}")
        key, _, value = content[at + len(digits) + 1 : at + int(digits)].removesuffix(b"\n").partition(b"=")
        at += int(digits)
        if key == b"path":
            said["path"] = value.decode("utf-8", "surrogateescape")
        elif key == b"size":
            if not re.fullmatch(rb"[0-9]{1,18}", value):
                raise _Broken(f"an extended header with the size {value[:20]!r} at byte {position:,}")
            said["size"] = int(value)
        elif key.startswith(b"GNU.sparse."):
            said["sparse"] = True
    return said


def _after_sparse_map(file: BinaryIO, block: bytes, start: int) -> int:
    """Where the bytes of a sparse file begin: its map goes on in blocks of its own."""
    goes_on = block[482]
    while goes_on:
        block = file.read(_BLOCK)
        if len(block) < _BLOCK:
            raise _Broken(f"it ends within a header, at byte {start + len(block):,}")
        start += _BLOCK
        goes_on = block[504]
    return start


def _check_end(file: BinaryIO, position: int) -> None:
    """Nothing follows the mark that ends a tar, but zeros up to the end of a record of twenty blocks or more."""
    if file.read(128 * _BLOCK).strip(b"\0"):
        raise _Broken(f"more follows the mark that ends a tar, at byte {position:,}: several were joined?")


def _unfit(name: str, kind: bytes, sparse: bool) -> str | None:
    """Why a member is no file to read; None if it is."""
    if kind not in tarfile.REGULAR_TYPES or kind == tarfile.GNUTYPE_SPARSE or sparse:
        return "they are links, devices, sparse or of another kind, no plain files"
    if not name.isprintable() or len(name) > 1000:
        return "their names are no line of text"
    if name.startswith("/") or ".." in name.split("/"):
        return "their names lead out of the tar"
    if not name.rpartition("/")[2].partition(".")[0]:
        return "they are hidden files"
    return None


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
