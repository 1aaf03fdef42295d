"""One dataset as one encoder sees it: a folder of shards, and the journal that vouches for them.

The written format is described in `bioclip_probe.store.store`.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.errors import PICTURE_ERRORS, DataError, StoreError, some
from bioclip_probe.files import (
    remove_temporary_files,
    sha256_of_bytes,
    sha256_of_file,
    sha256_of_json,
    write_bytes_atomically,
)
from bioclip_probe.tables import Column, Table

VERSION = 2
DTYPES = ("float32", "float16")
REPAIR_HINT = "embed again with --repair, which does what is damaged anew"
JOURNAL = "shards.jsonl"

# What the records of a store hold, and of what type.
META = {"dataset": dict, "encoder": dict, "shard_size": int, "dtype": str}
DATASET = {"name": str, "fingerprint": str, "simulated": bool, "n_images": int}
ENCODER = {"name": str, "fingerprint": str, "dimension": int, "record": dict}

LEDGER = Table(
    "rows",
    (
        Column("image_id", "str", "the image"),
        Column("row", "int64", "line of its vector in the shard; -1 if it failed"),
        Column("status", "str", "whether there is a vector", "ok | failed"),
        Column("error_class", "str", "the kind of failure", " | ".join(PICTURE_ERRORS)),
        Column("error", "str", "why there is none"),
    ),
)


class EmbeddingFolder:
    """One dataset as one encoder sees it: a folder of shards and the journal that vouches for them.

    Attributes
    ----------
    folder : Path
    meta : dict
        What `meta.json` says.
    shards : dict from int to dict
        What the journal says of each shard that is done: `n_ok`, `n_failed`, and of both files `bytes` and `sha256`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta = read_json(folder / "meta.json")
        check_version(self.meta.get("version"), folder)
        check_checksum(self.meta, folder / "meta.json")
        check_entries(self.meta, META, folder / "meta.json")
        for kind, entries in (("dataset", DATASET), ("encoder", ENCODER)):
            check_entries(self.meta[kind], entries, folder / "meta.json")
        if self.meta["dtype"] not in DTYPES:
            raise StoreError(f"{folder / 'meta.json'} has dtype {self.meta['dtype']}; the store is damaged")
        self.shards = self._journal()

    @property
    def dtype(self) -> np.dtype:
        """The type the vectors are kept in."""
        return np.dtype(self.meta["dtype"])

    @property
    def n_images(self) -> int:
        return self.meta["dataset"]["n_images"]

    @property
    def n_shards(self) -> int:
        return -(-self.n_images // self.meta["shard_size"])

    @property
    def n_ok(self) -> int:
        return sum(shard["n_ok"] for shard in self.shards.values())

    @property
    def n_failed(self) -> int:
        return sum(shard["n_failed"] for shard in self.shards.values())

    @property
    def complete(self) -> bool:
        """Whether every image is a row: ok, or failed."""
        return not self.missing_shards()

    def missing_shards(self) -> list[int]:
        return [shard for shard in range(self.n_shards) if shard not in self.shards]

    def image_slice(self, shard: int) -> slice:
        """The rows of the `IMAGES` table that a shard covers."""
        size = self.meta["shard_size"]
        return slice(shard * size, min((shard + 1) * size, self.n_images))

    def state(self) -> str:
        try:
            self.check_sizes()
        except StoreError:
            return "damaged"
        return "complete" if self.complete else "incomplete"

    def check_sizes(self) -> None:
        """Raise `StoreError` if a file that the journal vouches for is gone or of another size."""
        bad = [reason for shard in self.shards for reason in self._amiss(shard)]
        if bad:
            raise StoreError(f"{self.folder} is damaged: {some(bad)}; {REPAIR_HINT}")

    def damaged_shards(self) -> list[int]:
        """The shards whose files are gone, or are no longer what was written."""
        return [shard for shard in sorted(self.shards) if self._amiss(shard) or not self._whole(shard)]

    def blocks(self, shards: Iterable[int] | None = None) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
        """Shard by shard: the ledger, and the memory-mapped (n ok, d) vectors; each checked against its sha256.

        For what does not fit in memory; otherwise see `Store.read`. Some of the shards, where they are named.
        """
        self.check_sizes()
        missing = self.missing_shards()
        if missing:
            done = self.n_shards - len(missing)
            raise StoreError(
                f"{self.folder} is not complete ({done} of {self.n_shards} shards); embed it again to go on"
            )
        for shard in range(self.n_shards) if shards is None else shards:
            yield self.ledger(shard), self.vectors(shard)

    def failures(self) -> pd.DataFrame:
        """The failed images among the shards there are: columns image_id, error_class, error."""
        self.check_sizes()
        shards = sorted(shard for shard, facts in self.shards.items() if facts["n_failed"])
        rows = pd.concat([LEDGER.frame(), *(self.ledger(shard) for shard in shards)], ignore_index=True)
        return rows.loc[rows["status"] == "failed", ["image_id", "error_class", "error"]].reset_index(drop=True)

    def ledger(self, shard: int) -> pd.DataFrame:
        """The `LEDGER` of one shard, checked against its sha256."""
        path = self._checked(shard, "rows")
        try:
            return LEDGER.read(path)
        except DataError as error:
            raise StoreError(f"{error}; {REPAIR_HINT}") from error

    def vectors(self, shard: int) -> np.ndarray:
        """The memory-mapped (n ok, d) vectors of one shard, checked against their sha256."""
        path = self._checked(shard, "vectors")
        try:
            vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} is not an array that can be read ({error}); {REPAIR_HINT}") from error
        expected = (self.shards[shard]["n_ok"], self.meta["encoder"]["dimension"])
        if vectors.shape != expected or vectors.dtype != self.dtype:
            raise StoreError(
                f"{path} holds {vectors.dtype} {vectors.shape}, expected {self.dtype} {expected}; {REPAIR_HINT}"
            )
        return vectors

    def write_shard(self, shard: int, rows: pd.DataFrame, vectors: np.ndarray, parity: float | None = None) -> None:
        """Write one shard: its ledger (a `LEDGER` table) and the vectors of its ok rows, all or nothing."""
        files = self.files(shard)
        as_npy, as_parquet = io.BytesIO(), io.BytesIO()
        with np.errstate(over="ignore"):
            kept = np.ascontiguousarray(vectors, dtype=self.dtype)
        if np.isinf(kept).any() and np.isfinite(vectors).all():
            raise StoreError(f"vectors of shard {shard} are too large for {self.dtype}; keep them as {DTYPES[0]}")
        np.save(as_npy, kept, allow_pickle=False)
        LEDGER.check(rows).to_parquet(as_parquet, index=False)
        ok = rows["status"] == "ok"
        facts = {
            "n_ok": int(ok.sum()),
            "n_failed": int((~ok).sum()),
            "vectors": write(files["vectors"], as_npy.getvalue()),
            "rows": write(files["rows"], as_parquet.getvalue()),
        }
        self._note(shard, facts if parity is None else facts | {"parity": parity})

    def drop_shards(self, shards: Iterable[int]) -> None:
        """Strike shards from the journal: the next run does them again."""
        for shard in shards:
            self._note(shard, None)

    def discard(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)

    def files(self, shard: int) -> dict[str, Path]:
        """Where the two files of a shard are."""
        return {"vectors": self.folder / f"vectors-{shard:05d}.npy", "rows": self.folder / f"rows-{shard:05d}.parquet"}

    def _journal(self) -> dict[int, dict]:
        """What the journal says: the last line about a shard holds; what follows the last line feed is half a line."""
        shards: dict[int, dict] = {}
        for number, line in enumerate(_lines(self.folder / JOURNAL)[:-1], start=1):
            found = _entry(line)
            if found is None or not 0 <= found[0] < self.n_shards:
                raise StoreError(
                    f"{self.folder / JOURNAL} is damaged: line {number} is none of a journal's; {REPAIR_HINT}"
                )
            shard, facts = found
            if facts is None:
                shards.pop(shard, None)
            else:
                shards[shard] = facts
        return shards

    def _note(self, shard: int, facts: dict | None) -> None:
        """Append a line to the journal; it counts once its line feed is on the disk."""
        line = json.dumps({"shard": shard, "facts": facts}).encode() + b"\n"
        journal = self.folder / JOURNAL
        before = journal.stat().st_size if journal.exists() else 0
        try:
            with open(journal, "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:  # no room: half a line would spoil the next one
            if journal.exists():
                os.truncate(journal, before)
            raise StoreError(f"cannot write {journal}: {error.strerror}") from error
        if facts is None:
            self.shards.pop(shard, None)
        else:
            self.shards[shard] = facts

    def _amiss(self, shard: int) -> list[str]:
        """What is wrong with the files of a shard at first sight."""
        reasons = []
        for kind, path in self.files(shard).items():
            expected = self.shards[shard][kind]["bytes"]
            if not path.is_file():
                reasons.append(f"{path.name} is gone")
            elif path.stat().st_size != expected:
                reasons.append(f"{path.name} has {path.stat().st_size} bytes instead of {expected}")
        return reasons

    def _whole(self, shard: int) -> bool:
        try:
            self.ledger(shard)
            self.vectors(shard)
        except StoreError:
            return False
        return True

    def _checked(self, shard: int, kind: str) -> Path:
        path = self.files(shard)[kind]
        try:
            digest = sha256_of_file(path)
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}; {REPAIR_HINT}") from error
        if digest != self.shards[shard][kind]["sha256"]:
            raise StoreError(f"{path} has changed since it was written (its sha256 differs); {REPAIR_HINT}")
        return path


def remove_unfinished(folder: Path, damaged: bool = False) -> None:
    """Take away what a killed run left half-done, and, if so told, the `damaged` lines of the journal."""
    remove_temporary_files(folder)
    *lines, rest = _lines(folder / JOURNAL)
    kept = [line for line in lines if _entry(line) is not None] if damaged else lines
    if rest or len(kept) < len(lines):
        write(folder / JOURNAL, b"".join(line + b"\n" for line in kept))


def _lines(journal: Path) -> list[bytes]:
    """The lines of a journal, and last what follows its last line feed: nothing, or half a line."""
    try:
        return journal.read_bytes().split(b"\n") if journal.exists() else [b""]
    except OSError as error:
        raise StoreError(f"{journal} cannot be read: {error.strerror}") from error


def _entry(line: bytes) -> tuple[int, dict | None] | None:
    """Shard and facts of one line of a journal; None if it is no such line."""
    try:
        content = json.loads(line)
        shard, facts = content["shard"], content["facts"]
        whole = facts is None or (
            all(type(facts[count]) is int and facts[count] >= 0 for count in ("n_ok", "n_failed"))
            and all(facts[kind]["bytes"] >= 0 and len(facts[kind]["sha256"]) == 64 for kind in ("vectors", "rows"))
            and isinstance(facts.get("parity", 1.0), float)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (shard, facts) if whole and type(shard) is int else None


def check_version(version: object, path: Path) -> None:
    if version != VERSION:
        raise StoreError(
            f"{path} has store format {version}; this version of bioclip_probe reads format {VERSION}: "
            "use the version that wrote it, or embed again into another folder"
        )


def read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read ({error}); the store is damaged") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} does not hold what a store writes there; the store is damaged")
    return content


def check_entries(content: dict, expected: dict[str, type], path: Path) -> None:
    """Raise `StoreError` if a record lacks an entry, or has one of another type, or a number below 1."""
    wrong = [name for name, kind in expected.items() if not _is_one(content.get(name), kind)]
    if wrong:
        raise StoreError(f"{path} does not say {some(wrong)} as a store writes it; the store is damaged")


def _is_one(value: object, kind: type) -> bool:
    if kind is str:  # half a surrogate pair is no text that a table could hold
        return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)
    return type(value) is kind and (kind is not int or value >= 1)


def add_checksum(content: dict) -> dict:
    """A record with the sha256 of all else that it says."""
    return content | {"sha256": _seal(content)}


def check_checksum(content: dict, path: Path) -> None:
    """Raise `StoreError` if a record no longer says what was written."""
    if content.get("sha256") != _seal({key: value for key, value in content.items() if key != "sha256"}):
        raise StoreError(f"{path} has changed since it was written (its sha256 differs); the store is damaged")


def _seal(content: dict) -> str:
    return sha256_of_json(content)


def write_json(path: Path, content: dict) -> None:
    write(path, json.dumps(content, indent=1, ensure_ascii=False).encode())


def write(path: Path, content: bytes) -> dict[str, object]:
    """Write a file atomically and return its size and sha256."""
    try:
        write_bytes_atomically(path, content)
    except OSError as error:  # no room, no permission
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    return {"bytes": len(content), "sha256": sha256_of_bytes(content)}
