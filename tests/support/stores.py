"""Made-up datasets, and stores that are filled with vectors without a run of the extraction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.datasets import Dataset, fingerprint_of
from bioclip_probe.encoders import Encoder
from bioclip_probe.store.records import add_checksum, read_json, write_json
from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store
from bioclip_probe.tables import IMAGES
from tests.support.pictures import MeanColour

#: Vectors of five images.
VECTORS = np.arange(15, dtype=np.float32).reshape(5, 3)


def made_up_dataset(number: int, name: str = "few", **facts: object) -> Dataset:
    """Return a dataset of `number` images that have no files; other `facts` give it another fingerprint."""
    images = IMAGES.frame([{"image_id": f"i{i}", "source": f"{i}.png", "genus": "Pica"} for i in range(number)])
    return Dataset(name, images, print, fingerprint_of(images, facts.items()), simulated=True, notes=("one note",))


def fill_store(
    store: Store,
    dataset: Dataset,
    encoder: Encoder,
    vectors: np.ndarray,
    failed: Collection[int] = (),
    shard_size: int = 2,
) -> EmbeddingFolder:
    """Write one vector for each image of a made-up dataset, as a run writes them; the images `failed` have none.

    Vectors of float16 are kept as they are, all others as float32, unless an earlier run chose a type.
    """
    dtype = "float16" if vectors.dtype == np.float16 else "float32"
    with store.open_for_writing(dataset, encoder, shard_size, dtype) as embedded:
        for shard in embedded.missing_shards():
            span = embedded.image_slice(shard)
            numbers = range(span.start, span.stop)
            ok = [i for i in numbers if i not in failed]
            lines = [_ledger_line(i, ok) for i in numbers]
            embedded.write_shard(shard, LEDGER.frame(lines), vectors[ok])
    return embedded


def _ledger_line(image: int, ok: list[int]) -> dict[str, object]:
    line: dict[str, object] = {"image_id": f"i{image}"}
    if image in ok:
        return line | {"row": ok.index(image), "status": "ok"}
    return line | {"row": -1, "status": "failed", "error_class": "corrupt", "error": f"{image}.png: broken"}


def flip_last_byte(path: Path) -> None:
    """Change one bit in the last byte of a file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def store_of_five(path: Path) -> Store:
    """Return a store of 5 images in 3 shards with `VECTORS`, of which image 3 failed."""
    store = Store(path)
    fill_store(store, made_up_dataset(5), MeanColour(), VECTORS, failed={3})
    return store


def append_forged_line(folder: EmbeddingFolder, shard: int, facts: dict[str, object]) -> None:
    """Append a line to the journal that names the present files of a shard, as a faulty writer could leave it."""
    for kind, path in vars(folder.files(shard)).items():
        content = path.read_bytes()
        facts = facts | {kind: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    with open(folder.folder / "shards.jsonl", "a") as journal:
        journal.write(json.dumps({"shard": shard, "facts": facts}) + "\n")


def rewrite_as_format_2(store: Store, dataset: Dataset) -> Path:
    """Rewrite what a store holds of a dataset as the version before format 3 wrote it, and return its folder."""
    home = next(store.path.glob(f"{dataset.name}@*"))
    fingerprint = dataset.earlier_fingerprint(dataset.images)
    description = read_json(home / "dataset.json")
    del description["version"], description["sha256"]
    write_json(home / "dataset.json", add_checksum(description | {"fingerprint": fingerprint}))
    for meta in home.glob("*@*/meta.json"):
        content = read_json(meta)
        del content["sha256"]
        content |= {"version": 2, "dataset": content["dataset"] | {"fingerprint": fingerprint}}
        write_json(meta, add_checksum(content))
        journal = []
        for line in (meta.parent / "shards.jsonl").read_text().splitlines():
            entry = json.loads(line)
            ledger = meta.parent / f"rows-{entry['shard']:05d}.parquet"
            pd.read_parquet(ledger).drop(columns="sha256").to_parquet(ledger, index=False)
            content = ledger.read_bytes()
            entry["facts"]["rows"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            journal.append(json.dumps(entry) + "\n")
        (meta.parent / "shards.jsonl").write_text("".join(journal))
    head = read_json(store.path / "store.json")
    write_json(store.path / "store.json", head | {"version": 2})
    return home.rename(home.with_name(f"{dataset.name}@{fingerprint}"))
