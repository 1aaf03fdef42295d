"""Files of downloaded media: which file is that of which address, whatever the program that fetched it called it.

Programs keep the path of an address (``photos/9000/original.jpg``), its end, the number in it (``9000.jpg``), another
size of it (``9000/medium.jpg``), the identifier that stands beside it, or a digest of the address. A file is that of an
address only if no other file and no other address fits as well.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

from bioclip_probe.datasets.readers.picture_paths import WEB_ADDRESS
from bioclip_probe.datasets.readers.pictures import SUFFIXES

#: File names that tell a size and no picture: those of iNaturalist, Flickr and IIIF.
SIZES = frozenset("original orig large medium small thumb thumbnail square full max default image photo".split())
_JPEG = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
#: A size after a number: 9000_medium.
_SIZE_AT_END = re.compile(rf"[_.-](?:{'|'.join(sorted(SIZES))})$")
#: A number, or a long hexadecimal number: two different ones name two different things.
_IDENTIFIER = re.compile(r"\d+|[0-9a-f-]{16,}", re.IGNORECASE)
_IIIF = re.compile(r"/([^/]+)/(?:full|square|pct:[\d.,]+|[\d,]+)/[^/]+/!?\d+/[^/]+$")
_DIGESTS = {32: "md5", 40: "sha1", 64: "sha256"}


@dataclass(frozen=True)
class FileMatches:
    """The files of addresses.

    Attributes
    ----------
    file_of : dict from str to str
        File of each address that has one.
    ambiguous : frozenset of str
        Addresses without a file for which a file with the same name exists.

    Examples
    --------
    >>> match_files(["9/a.jpg"], {"https://example.org/9/a.jpeg?1": ()}).file_of
    {'https://example.org/9/a.jpeg?1': '9/a.jpg'}
    """

    file_of: dict[str, str]
    ambiguous: frozenset[str]


def match_files(files: Sequence[str], addresses: Mapping[str, Sequence[str]]) -> FileMatches:
    """Return the file of each address.

    The end of the path is compared first, with as many folders as are needed to tell it from others, then without the
    file's ending, then the identifiers: the number in the address, those that stand beside it, digests of the address.

    Parameters
    ----------
    files : sequence of str
        Paths with ``/`` between folders.
    addresses : mapping from str to sequence of str
        Addresses or paths, each with the identifiers that stand beside it.

    Returns
    -------
    FileMatches

    Examples
    --------
    >>> files = ["9000/original.jpg", "9001/original.jpg"]
    >>> matches = match_files(files, {f"https://example.org/{file}": () for file in files})
    >>> list(matches.file_of.values())
    ['9000/original.jpg', '9001/original.jpg']
    """
    matches: dict[str, str] = {}
    addresses_of: dict[str, list[str]] = {}  # addresses that differ after their "?" only are one, e.g. two dates
    for address in addresses:
        addresses_of.setdefault(address.partition("?")[0] if _is_web(address) else address, []).append(address)
    for last_part in (str, _same_format, _stem):
        fold = str if last_part is str else str.casefold
        parts_of_file = {file: _parts(fold(file)) for file in files}
        parts_of_address = {address: _parts(fold(address)) for address in addresses_of}
        for n in range(1, max(map(len, parts_of_file.values()), default=0) + 1):
            tails = [
                {name: [(*parts[-n:-1], last_part(parts[-1]))] for name, parts in each.items() if len(parts) >= n}
                for each in (parts_of_address, parts_of_file)
            ]
            for base, file in _unique_pairs(*tails):
                if not _contradict(parts_of_address[base][:-n], parts_of_file[file][:-n]):
                    for address in addresses_of[base]:
                        matches.setdefault(address, file)
    parts_of_address = {address: _parts(address.casefold()) for address in addresses}
    names_of_address = {
        address: [*_names(address, parts_of_address[address]), *map(last_piece, identifiers)]
        for address, identifiers in addresses.items()
    }
    names_of_file = {file: [_own_name(parts)] for file, parts in parts_of_file.items()}
    for address, file in _unique_pairs(names_of_address, names_of_file):
        if not _contradict(_folders_above(parts_of_address[address]), _folders_above(parts_of_file[file])):
            matches.setdefault(address, file)
    for address, file in _pairs_by_digest(addresses, names_of_file):
        matches.setdefault(address, file)
    others = parts_of_file.keys() - set(matches.values())
    unused = {_stem(parts_of_file[file][-1]) for file in others} | {names_of_file[file][0] for file in others}
    ambiguous = [
        address
        for address in parts_of_address.keys() - matches.keys()
        if unused.intersection([_stem(parts_of_address[address][-1]), *names_of_address[address]])
    ]
    return FileMatches(matches, frozenset(ambiguous))


def _unique_pairs(
    keys_of_address: Mapping[str, Iterable[object]], keys_of_file: Mapping[str, Iterable[object]]
) -> Iterator[tuple[str, str]]:
    """Yield each address and file that share a key which no other address and no other file has."""
    n_addresses = Counter(key for keys in keys_of_address.values() for key in set(keys))
    n_files = Counter(key for keys in keys_of_file.values() for key in set(keys))
    file_of = {key: file for file, keys in keys_of_file.items() for key in keys}
    for address, keys in keys_of_address.items():
        yield from ((address, file_of[key]) for key in keys if n_files[key] == n_addresses[key] == 1)


def _parts(address: str) -> tuple[str, ...]:
    """Return the folders and the file name of an address or a path."""
    return tuple(part for part in path_of_address(address).split("/") if part) or ("",)


def path_of_address(address: str) -> str:
    """Return the path of a web address, without what follows ``?`` and ``#``; any other text is a path itself.

    Parameters
    ----------
    address : str

    Returns
    -------
    str

    Examples
    --------
    >>> path_of_address("https://example.org/a%20b.jpg?size=large"), path_of_address("a?.jpg")
    ('a b.jpg', 'a?.jpg')
    """
    if not _is_web(address):
        return address
    return unquote(re.split(r"[?#]", address.partition("//")[2].partition("/")[2])[0])


def _is_web(address: str) -> bool:
    return re.match(rf"{WEB_ADDRESS}|//", address) is not None


def _same_format(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return f"{name.removesuffix(suffix)}.jpg" if suffix in _JPEG else name


def _stem(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix in SUFFIXES else name


def _contradict(folders: Sequence[str], others: Sequence[str]) -> bool:
    """Return True if the next folders upwards are two different identifiers."""
    if not (folders and others and folders[-1] != others[-1]):
        return False
    return bool(_IDENTIFIER.fullmatch(folders[-1]) and _IDENTIFIER.fullmatch(others[-1]))


def name_of_file(path: str) -> str:
    """Return what a file is called after: its name without ending and size, or the folder of a mere size.

    Parameters
    ----------
    path : str
        With ``/`` between folders.

    Returns
    -------
    str

    Examples
    --------
    >>> [name_of_file(path) for path in ("photos/9000/medium.jpg", "9000.jpeg", "9000_original.jpg")]
    ['9000', '9000', '9000']
    """
    return _own_name(_parts(path.casefold()))


def _own_name(parts: Sequence[str]) -> str:
    stem = _SIZE_AT_END.sub("", _stem(parts[-1]))
    return parts[-2] if stem in SIZES and len(parts) > 1 else stem


def _folders_above(parts: Sequence[str]) -> Sequence[str]:
    """Return the folders above what a file is called after."""
    return parts[:-2] if [_own_name(parts)] == list(parts[-2:-1]) else parts[:-1]


def _names(address: str, parts: Sequence[str]) -> list[str]:
    """Return the identifiers in an address: in its path, and in the values after its ``?``."""
    names = [_own_name(parts)]
    if not _is_web(address):
        return names
    if match := _IIIF.search("/" + "/".join(parts)):
        names = [_stem(match[1])]
    try:
        query = urlsplit(address).query
    except ValueError:  # e.g. a bracket in the name of the computer
        return names
    return [*names, *(_stem(last_piece(value)) for _, value in parse_qsl(query))]


def last_piece(identifier: str) -> str:
    """Return the last piece of an identifier or an address, in small letters.

    Parameters
    ----------
    identifier : str

    Returns
    -------
    str

    Examples
    --------
    >>> last_piece("urn:catalog:ABC:123"), last_piece("https://example.org/photos/9000")
    ('123', '9000')
    """
    return re.split(r"[/:#|]", path_of_address(identifier).rstrip("/"))[-1].strip().casefold()


def _pairs_by_digest(addresses: Iterable[str], names_of_file: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield each address and the file that is called by a digest of it."""
    file_of = {names[0]: file for file, names in names_of_file.items() if re.fullmatch(r"[0-9a-f]+", names[0])}
    kinds = [_DIGESTS[length] for length in {len(name) for name in file_of} & _DIGESTS.keys()]
    for address in addresses if kinds else ():
        for kind in kinds:
            digest = hashlib.new(kind, address.encode(), usedforsecurity=False).hexdigest()
            if digest in file_of:
                yield address, file_of[digest]
