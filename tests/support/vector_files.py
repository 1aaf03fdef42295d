"""Made-up files of ready vectors, for tests of reading them and of writing them into the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

#: A file that anndata itself wrote; see make_anndata.py beside it.
GOLDEN = Path(__file__).parents[1] / "datasets" / "golden" / "anndata.h5ad"
IDS = ["a", "b", "c", "d", "e"]
RANKS = {"class": ["Aves"] * 5, "genus": ["Pica", "Pica", "Corvus", None, "Corvus"]}
VECTORS = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


def write_parquet(path: Path, emb: list | None = None, ids: Sequence = IDS, **columns: object) -> Path:
    """Write a table as emb-explorer has it, and return its path."""
    vectors = pa.array(VECTORS.tolist() if emb is None else emb, pa.list_(pa.float32()))
    pq.write_table(pa.table({"uuid": ids, "emb": vectors, **(columns or RANKS)}), path)
    return path


def write_npz(path: Path, **arrays: np.ndarray) -> Path:
    """Write an .npz file of vectors, with some arrays added or replaced, and return its path."""
    usual = {"ids": np.array(IDS), "vectors": VECTORS, "genus": np.array(["Pica"] * 5)}
    np.savez(path, allow_pickle=True, **(usual | arrays))
    return path


def write_h5ad(path: Path, change: Callable) -> Path:
    """Write the golden file with a change, `change(file, h5py)`, and return its path."""
    h5py = pytest.importorskip("h5py")
    path.write_bytes(GOLDEN.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file, h5py)
    return path
