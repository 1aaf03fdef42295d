"""Progress of the runs of a store, from the store alone.

Neither the pictures nor the models are needed, and nothing is written. A run may be writing into the store meanwhile.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.errors import StoreError, printable
from bioclip_probe.store.locks import is_being_written
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store

STATUS = (
    "dataset", "dataset_fingerprint", "encoder", "encoder_fingerprint", "n_images", "n_ok", "n_failed", "n_missing",
    "failures", "state", "precision", "parity", "dimension", "dtype", "shards_done", "n_shards", "bytes", "folder",
)  # fmt: skip


def status(store: Store) -> pd.DataFrame:
    """Return a table of how far every dataset and encoder is.

    Parameters
    ----------
    store : Store

    Returns
    -------
    DataFrame
        One row for each dataset and encoder. `n_missing` counts the images that are neither ok nor failed yet.
        `failures` counts the failed images by class, ``corrupt 3, missing 1``. `state` is ``complete``, ``incomplete``,
        ``running`` (a run is writing there now) or ``damaged``. `parity` is the smallest cosine with float32; it is NaN
        if the encoder computes in float32. `bytes` is the size of the folder on disk. What a damaged folder does not
        tell is missing.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     len(status(Store(folder)))
    0
    """
    folders = sorted(meta.parent for meta in store.path.glob("*@*/*@*/meta.json"))
    rows = [_row(folder) | {"folder": printable(folder.relative_to(store.path).as_posix())} for folder in folders]
    counts = {name: "Int64" for name in STATUS if name.startswith("n_") or name in ("dimension", "shards_done")}
    return pd.DataFrame(rows, columns=STATUS).astype({**counts, "bytes": "int64", "parity": "float64"})


def _row(folder: Path) -> dict[str, Any]:
    """Return the row of one encoder's folder."""
    size = sum(path.lstat().st_size for path in folder.iterdir() if path.is_symlink() or path.exists())
    try:
        embedded = EmbeddingFolder(folder)
    except StoreError:
        names = {"dataset": printable(folder.parent.name), "encoder": printable(folder.name)}
        return names | {"state": "damaged", "bytes": size}
    dataset, encoder = embedded.meta["dataset"], embedded.meta["encoder"]
    state = embedded.state()
    parities = [facts["parity"] for facts in embedded.shards.values() if facts.get("parity") is not None]
    return {
        "dataset": dataset["name"],
        "dataset_fingerprint": dataset["fingerprint"],
        "encoder": encoder["name"],
        "encoder_fingerprint": encoder["fingerprint"],
        "n_images": embedded.n_images,
        "n_ok": embedded.n_ok,
        "n_failed": embedded.n_failed,
        "n_missing": embedded.n_images - embedded.n_ok - embedded.n_failed,
        "failures": _failures_by_class(embedded),
        "state": "running" if state == "incomplete" and is_being_written(folder) else state,
        "precision": encoder["record"].get("precision"),
        "parity": min(parities, default=np.nan),
        "dimension": encoder["dimension"],
        "dtype": str(embedded.dtype),
        "shards_done": len(embedded.shards),
        "n_shards": embedded.n_shards,
        "bytes": size,
    }


def _failures_by_class(embedded: EmbeddingFolder) -> str | None:
    """Return the counts of failed images by class, the most frequent first; None if a ledger is damaged."""
    counts: Counter[str] = Counter()
    for shard, facts in sorted(embedded.shards.items()):
        if facts["n_failed"]:
            try:
                counts.update(embedded.ledger(shard)["error_class"].dropna())
            except StoreError:
                return None
    return ", ".join(f"{kind} {number}" for kind, number in counts.most_common())
