"""Records of a store: JSON files that carry their own checksum, and the checks of what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioclip_probe.errors import StoreError, some
from bioclip_probe.files import sha256_of_bytes, sha256_of_json, write_bytes_atomically

#: Version of the written format, see `bioclip_probe.store.store`, and the versions that can be read.
VERSION = 3
READABLE = (2, VERSION)
#: Advice at the end of messages about damage.
REPAIR_HINT = "embed again with --repair, which writes the damaged shards again"

# Entries that every record of a kind has, and their types.
META = {"dataset": dict, "encoder": dict, "shard_size": int, "dtype": str}
DATASET = {"name": str, "fingerprint": str, "simulated": bool, "n_images": int}
ENCODER = {"name": str, "fingerprint": str, "dimension": int, "record": dict}


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict

    Raises
    ------
    StoreError
        If the file cannot be read, is no JSON, or holds anything but an object.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_json(Path(folder) / "store.json", {"version": 2})
    ...     read_json(Path(folder) / "store.json")
    {'version': 2}
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read ({error}); the store is damaged") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} is not a record of a store; the store is damaged")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    r"""Write a JSON object to a file, atomically.

    Parameters
    ----------
    path : Path
    content : dict

    Raises
    ------
    StoreError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_json(Path(folder) / "store.json", {"version": 2})
    ...     (Path(folder) / "store.json").read_text()
    '{\n "version": 2\n}'
    """
    write_file(path, json.dumps(content, indent=1, ensure_ascii=False).encode())


def write_file(path: Path, content: bytes) -> dict[str, Any]:
    """Write a file atomically and return the facts that identify it.

    Parameters
    ----------
    path : Path
    content : bytes

    Returns
    -------
    dict
        ``bytes``, the size, and ``sha256``, 64 hexadecimal digits.

    Raises
    ------
    StoreError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_file(Path(folder) / "shards.jsonl", b"{}")["bytes"]
    2
    """
    try:
        write_bytes_atomically(path, content)
    except OSError as error:  # no room, no permission
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    return {"bytes": len(content), "sha256": sha256_of_bytes(content)}


def add_checksum(content: dict[str, Any]) -> dict[str, Any]:
    """Return a record with an entry ``sha256``, the digest of all its other entries.

    Parameters
    ----------
    content : dict

    Returns
    -------
    dict

    Examples
    --------
    >>> record = add_checksum({"name": "world"})
    >>> check_checksum(record, Path("dataset.json"))
    >>> sorted(record)
    ['name', 'sha256']
    """
    return content | {"sha256": sha256_of_json(content)}


def check_checksum(content: dict[str, Any], path: Path) -> None:
    """Raise an error if a record differs from what was written.

    Parameters
    ----------
    content : dict
        A record from `add_checksum`.
    path : Path
        Its file, for the message.

    Raises
    ------
    StoreError
        If its ``sha256`` is not the digest of its other entries.

    Examples
    --------
    >>> check_checksum(add_checksum({"name": "world"}) | {"name": "birds"}, Path("a.json"))
    Traceback (most recent call last):
    bioclip_probe.errors.StoreError: a.json has changed since it was written (its sha256 differs); the store is damaged
    """
    if content.get("sha256") != sha256_of_json({key: value for key, value in content.items() if key != "sha256"}):
        raise StoreError(f"{path} has changed since it was written (its sha256 differs); the store is damaged")


def check_version(version: object, path: Path) -> None:
    """Raise an error if a file has another version of the written format.

    Parameters
    ----------
    version : object
        The version that the file states.
    path : Path
        The file or folder, for the message.

    Raises
    ------
    StoreError
        If it is not one of `READABLE`.

    Examples
    --------
    >>> check_version(VERSION, Path("store"))
    """
    if version not in READABLE:
        raise StoreError(
            f"{path} has store format {version}; this version of bioclip_probe reads the formats "
            f"{' and '.join(map(str, READABLE))}: use the version that wrote it, or embed again into another folder"
        )


def check_entries(content: dict[str, Any], expected: dict[str, type], path: Path) -> None:
    """Raise an error if a record lacks an entry or has one of another type.

    Parameters
    ----------
    content : dict
    expected : dict from str to type
        Names and types of the entries. An int must be at least 1.
    path : Path
        File of the record, for the message.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> check_entries({"shard_size": 0}, {"shard_size": int}, Path("meta.json"))
    Traceback (most recent call last):
    bioclip_probe.errors.StoreError: meta.json has no valid entry shard_size; the store is damaged
    """
    wrong = [name for name, kind in expected.items() if not _has_type(content.get(name), kind)]
    if wrong:
        raise StoreError(f"{path} has no valid entry {some(wrong)}; the store is damaged")


def _has_type(value: object, kind: type) -> bool:
    if isinstance(value, str) and kind is str:  # half a surrogate pair is no text that a table could hold
        return not any("\ud800" <= sign <= "\udfff" for sign in value)
    if type(value) is not kind:
        return False
    return not isinstance(value, int) or isinstance(value, bool) or value >= 1
