"""One dataset as one encoder sees it: a folder of shards, and the `meta.json` that vouches for them.

The written format is described in `bioclip_probe.store`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, StoreError, some
from bioclip_probe.tables import Column, Table

VERSION = 1
DTYPES = ("float32", "float16")
MEND = "delete that encoder's folder and embed again"

LEDGER = Table(
    "rows",
    (
        Column("image_id", "str", "the image"),
        Column("row", "int64", "line of its vector in the shard; -1 if it failed"),
        Column("status", "str", "whether there is a vector", "ok | failed"),
        Column("error", "str", "why there is none"),
    ),
)


class Embedded:
    """One dataset as one encoder sees it: a folder of shards and the `meta.json` that vouches for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta = read_json(folder / "meta.json")
        check_version(self.meta.get("version"), folder)
        missing = {"dataset", "encoder", "shard_size", "shards", "complete"} - self.meta.keys()
        if missing:
            raise StoreError(f"{folder / 'meta.json'} lacks {some(sorted(missing))}; {MEND}")

    @property
    def dtype(self) -> np.dtype:
        """The type the vectors are kept in."""
        return np.dtype(self.meta.get("dtype", DTYPES[0]))

    @property
    def n_shards(self) -> int:
        return -(-self.meta["dataset"]["n_images"] // self.meta["shard_size"])

    @property
    def n_ok(self) -> int:
        return sum(shard["n_ok"] for shard in self.meta["shards"].values())

    @property
    def n_failed(self) -> int:
        return sum(shard["n_failed"] for shard in self.meta["shards"].values())

    def missing_shards(self) -> list[int]:
        return [shard for shard in range(self.n_shards) if str(shard) not in self.meta["shards"]]

    def span(self, shard: int) -> slice:
        """The rows of the `IMAGES` table that a shard covers."""
        size = self.meta["shard_size"]
        return slice(shard * size, min((shard + 1) * size, self.meta["dataset"]["n_images"]))

    def state(self) -> str:
        try:
            self.check_sizes()
        except StoreError:
            return "damaged"
        return "complete" if self.meta["complete"] else "incomplete"

    def check_sizes(self) -> None:
        """Raise `StoreError` if a file that `meta.json` vouches for is gone or of another size."""
        bad = []
        for shard, facts in self.meta["shards"].items():
            for kind, path in self._files(shard).items():
                if not path.is_file():
                    bad.append(f"{path.name} is gone")
                elif path.stat().st_size != facts[kind]["bytes"]:
                    bad.append(f"{path.name} has {path.stat().st_size} bytes instead of {facts[kind]['bytes']}")
        if bad or (self.meta["complete"] and self.missing_shards()):
            raise StoreError(f"{self.folder} is damaged: {some(bad) or 'shards are missing'}; {MEND}")

    def blocks(self) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
        """Shard by shard: the ledger, and the memory-mapped (n ok, d) vectors; each checked against its sha256.

        For what does not fit in memory; otherwise see `Store.read`.
        """
        missing = self.missing_shards()
        self.check_sizes()
        if missing or not self.meta["complete"]:
            done = self.n_shards - len(missing)
            raise StoreError(
                f"{self.folder} is not complete ({done} of {self.n_shards} shards); embed it again to go on"
            )
        for shard in range(self.n_shards):
            yield self._ledger(shard), self._vectors(shard)

    def failures(self) -> pd.DataFrame:
        """The failed images among the shards there are: columns image_id, error."""
        self.check_sizes()
        shards = sorted(int(shard) for shard, facts in self.meta["shards"].items() if facts["n_failed"])
        rows = pd.concat([LEDGER.frame(), *(self._ledger(shard) for shard in shards)], ignore_index=True)
        return rows.loc[rows["status"] == "failed", ["image_id", "error"]].reset_index(drop=True)

    def land(self, shard: int, rows: pd.DataFrame, vectors: np.ndarray) -> None:
        """Write one shard: its ledger (a `LEDGER` table) and the vectors of its ok rows, all or nothing."""
        files = self._files(shard)
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
        self._update(shards=self.meta["shards"] | {str(shard): facts})

    def finish(self) -> None:
        """Declare the shards complete."""
        if not self.meta["complete"]:
            self._update(complete=True)

    def discard(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)

    def _update(self, **changes: object) -> None:
        meta = self.meta | changes
        write_json(self.folder / "meta.json", meta)
        self.meta = meta

    def _files(self, shard: int | str) -> dict[str, Path]:
        number = f"{int(shard):05d}"
        return {
            "vectors": self.folder / f"vectors-{number}.npy",
            "rows": self.folder / f"rows-{number}.parquet",
        }

    def _checked(self, shard: int, kind: str) -> Path:
        path = self._files(shard)[kind]
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.meta["shards"][str(shard)][kind]["sha256"]:
                raise StoreError(f"{path} has changed since it was written (its sha256 differs); {MEND}")
        return path

    def _ledger(self, shard: int) -> pd.DataFrame:
        path = self._checked(shard, "rows")
        try:
            return LEDGER.read(path)
        except DataError as error:
            raise StoreError(f"{error}; {MEND}") from error

    def _vectors(self, shard: int) -> np.ndarray:
        path = self._checked(shard, "vectors")
        try:
            vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} is not an array that can be read ({error}); {MEND}") from error
        expected = (self.meta["shards"][str(shard)]["n_ok"], self.meta["encoder"]["dimension"])
        if vectors.shape != expected or vectors.dtype != self.dtype:
            raise StoreError(f"{path} holds {vectors.dtype} {vectors.shape}, expected {self.dtype} {expected}; {MEND}")
        return vectors


def check_version(version: object, path: Path) -> None:
    if version != VERSION:
        raise StoreError(
            f"{path} has store format {version}; this version of bioclip_probe reads format {VERSION}: "
            "use the version that wrote it, or embed again into another folder"
        )


def read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); the store is damaged") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} does not hold what a store writes there; the store is damaged")
    return content


def write_json(path: Path, content: dict) -> None:
    write(path, json.dumps(content, indent=1, ensure_ascii=False).encode())


def write(path: Path, content: bytes) -> dict[str, object]:
    """Write beside the place, sync, rename: a reader sees the whole file or none. Its size and sha256."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:  # no room, no permission
        beside.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
