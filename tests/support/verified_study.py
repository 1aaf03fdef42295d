"""A results folder to tamper with: a copy of the small study, whose checksums can be written anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.files import sha256_of_file
from bioclip_probe.study.checksums import SUMS, read_sums, sums_text
from bioclip_probe.tables import MEASUREMENTS, Table


def copy_study(small_study: Path, folder: Path) -> tuple[Path, Path]:
    """Copy the results and the store of the small study; return both."""
    for name in ("out", "store"):
        shutil.copytree(small_study / name, folder / name)
    return folder / "out", folder / "store"


def flip_byte(path: Path) -> None:
    """Alter a file by one bit, in its middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rewrite_sums(folder: Path, without: str = "") -> None:
    """Write the checksums of all listed files anew, as a forger does."""
    names = [name for name in read_sums(folder) if name != without and (folder / name).is_file()]
    (folder / SUMS).write_text(sums_text({name: sha256_of_file(folder / name) for name in names}))


def change_table(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], table: Table = MEASUREMENTS) -> None:
    """Change a table, the text of it too, and write the checksums anew."""
    rows = change(table.read(folder / f"{table.name}.parquet"))
    rows.to_parquet(folder / f"{table.name}.parquet", index=False)
    if table is MEASUREMENTS:
        rows.to_csv(folder / "measurements.csv", index=False)
    rewrite_sums(folder)


def change_witness(folder: Path, change: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]) -> None:
    """Change the arrays of the witness, and write the checksums anew."""
    with np.load(folder / "witness.npz", allow_pickle=False) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    np.savez(folder / "witness.npz", **change(content))
    rewrite_sums(folder)


def swap_vectors(store: Path) -> None:
    """Swap two vectors of an encoder in the store, and write its checksums anew, as a forger does."""
    (folder,) = (path for path in store.glob("*@*/pixels@*") if path.is_dir())
    path = folder / "vectors-00000.npy"
    vectors = np.load(path)
    vectors[[0, -1]] = vectors[[-1, 0]]
    np.save(path, vectors)
    lines = [json.loads(line) for line in (folder / "shards.jsonl").read_text().splitlines()]
    lines[-1]["facts"]["vectors"] = {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
    (folder / "shards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
