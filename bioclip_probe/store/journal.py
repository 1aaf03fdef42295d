"""Journal of a folder of shards: one line for each shard that is finished.

The last line about a shard counts. A line counts only with its line feed: what follows the last line feed was left by a
run that was killed while it wrote.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bioclip_probe.errors import StoreError
from bioclip_probe.files import remove_temporary_files
from bioclip_probe.store.records import REPAIR_HINT, write_file

#: File name of the journal.
JOURNAL = "shards.jsonl"

#: Facts about one finished shard, see `bioclip_probe.store.store`.
ShardFacts = dict[str, Any]


def read_journal(folder: Path, n_shards: int) -> dict[int, ShardFacts]:
    """Return the facts about all finished shards of a folder.

    Parameters
    ----------
    folder : Path
    n_shards : int
        Number of shards that the complete folder has.

    Returns
    -------
    dict from int to dict

    Raises
    ------
    StoreError
        If the journal cannot be read, or a line of it is damaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> file = {"bytes": 0, "sha256": "0" * 64}
    >>> with TemporaryDirectory() as folder:
    ...     append_line(Path(folder), 0, {"n_ok": 2, "n_failed": 0, "vectors": file, "rows": file})
    ...     read_journal(Path(folder), n_shards=3)[0]["n_ok"]
    2
    """
    shards: dict[int, ShardFacts] = {}
    for number, line in enumerate(_read_lines(folder)[:-1], start=1):
        parsed = _parse_line(line)
        if parsed is None or not 0 <= parsed[0] < n_shards:
            raise StoreError(f"{folder / JOURNAL} is damaged: line {number} is not a line of a journal; {REPAIR_HINT}")
        shard, facts = parsed
        if facts is None:
            shards.pop(shard, None)
        else:
            shards[shard] = facts
    return shards


def append_line(folder: Path, shard: int, facts: ShardFacts | None) -> None:
    r"""Append a line about a shard to the journal and sync it.

    Parameters
    ----------
    folder : Path
    shard : int
    facts : dict or None
        None strikes the shard from the journal.

    Raises
    ------
    StoreError
        If it cannot be written; the journal is then as before.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     append_line(Path(folder), 1, None)
    ...     (Path(folder) / JOURNAL).read_text()
    '{"shard": 1, "facts": null}\n'
    """
    line = json.dumps({"shard": shard, "facts": facts}).encode() + b"\n"
    journal = folder / JOURNAL
    size_before = journal.stat().st_size if journal.exists() else 0
    try:
        with open(journal, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # no room: half a line would spoil the next one
        if journal.exists():
            os.truncate(journal, size_before)
        raise StoreError(f"cannot write {journal}: {error.strerror}") from error


def remove_unfinished(folder: Path, damaged: bool = False) -> None:
    """Delete what a killed run left unfinished: temporary files, and half a line of the journal.

    Parameters
    ----------
    folder : Path
    damaged : bool
        Also delete damaged lines of the journal.

    Raises
    ------
    StoreError
        If the journal cannot be read or written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / JOURNAL).write_text('{"shard": 0, "fac')
    ...     remove_unfinished(Path(folder))
    ...     (Path(folder) / JOURNAL).read_text()
    ''
    """
    remove_temporary_files(folder)
    *lines, rest = _read_lines(folder)
    kept = [line for line in lines if _parse_line(line) is not None] if damaged else lines
    if rest or len(kept) < len(lines):
        write_file(folder / JOURNAL, b"".join(line + b"\n" for line in kept))


def _read_lines(folder: Path) -> list[bytes]:
    """Return the lines of the journal and, last, what follows its last line feed: nothing, or half a line."""
    journal = folder / JOURNAL
    try:
        return journal.read_bytes().split(b"\n") if journal.exists() else [b""]
    except OSError as error:
        raise StoreError(f"{journal} cannot be read: {error.strerror}") from error


def _parse_line(line: bytes) -> tuple[int, ShardFacts | None] | None:
    """Return the shard and the facts in one line; None if the line is damaged."""
    try:
        content = json.loads(line)
        shard, facts = content["shard"], content["facts"]
        sound = facts is None or (
            all(type(facts[count]) is int and facts[count] >= 0 for count in ("n_ok", "n_failed"))
            and all(facts[kind]["bytes"] >= 0 and len(facts[kind]["sha256"]) == 64 for kind in ("vectors", "rows"))
            and isinstance(facts.get("parity", 1.0), float)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (shard, facts) if sound and type(shard) is int else None
