"""Ready vectors: embeddings that somebody has made already, with their taxa.

``vectors:FILE``, where FILE is

* ``.parquet`` as emb-explorer has it and `exports.to_parquet` writes it: ``uuid``, ``emb`` (a list of numbers), ranks;
* ``.npz`` with arrays ``ids``, ``vectors`` (n, d) and, as texts, ranks; nothing in it is unpickled;
* ``.h5ad`` of AnnData 0.8 or later: `X`, and in `obs` the ids as its index, and ranks.

Ids and ranks may be called as in a table of pictures; ``FILE#KEY`` takes the vectors from another column, array or
`obsm` entry. There are no pictures: to open one fails. Instead `land` puts the vectors into the store, joined by
image_id, where they are read, measured and exported as any others:

>>> dataset = load(Path("bioclip.parquet"))
>>> land(dataset, ready(Path("bioclip.parquet")), store)
>>> land(dataset, ready(Path("clip.npz"), name="clip"), store)      # another model's, of the same images

The dataset may as well be one of pictures, and other encoders may embed them beside.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows
from bioclip_probe.datasets.readers.vector_files import VectorFile, open_vectors
from bioclip_probe.datasets.table import check_columns, named
from bioclip_probe.errors import DataError, PictureError, StoreError, some
from bioclip_probe.progress import said
from bioclip_probe.provenance import fingerprint
from bioclip_probe.store.shards import DTYPES, LEDGER, Embedded
from bioclip_probe.store.store import SHARD_SIZE, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NoPictures:
    """What stands for a way to open pictures, where there are vectors only."""

    file: str

    def __call__(self, source: str) -> NoReturn:
        raise PictureError(f"{source}: {self.file} holds ready vectors and no pictures", "missing")


@dataclass(frozen=True, eq=False)
class ReadyVectors:
    """Vectors in a file, named and described as those of an encoder are.

    Attributes
    ----------
    name : str
        How tables and figures call them.
    dimension : int
    record : dict
        JSON-able: name, id, family ``ready vectors``, sha256 of the file, key, dimension, and under ``made_by`` the
        encoder's own record, where an export of this package says it.
    fingerprint : str
        12 hex digits over the file and what is read of it.
    file : VectorFile
    """

    name: str
    dimension: int
    record: dict[str, Any]
    fingerprint: str
    file: VectorFile
    has_text: bool = False


def load(path: Path) -> Dataset:
    """The images that a file of vectors is of, without pictures.

    Raises
    ------
    DataError
        If the file cannot be read, has no ids, vectors or ranks, or names an image twice.
    """
    file = open_vectors(path)
    check_columns({name: name for name in file.texts}, file.path, file.texts.columns, needed="image_id")
    nameless = file.texts["image_id"].isna()
    notes = [*file.notes, f"ready vectors, {file.dimension} numbers each, from '{file.key}' of {file.path.name}"]
    if nameless.any():
        rows = file.texts.index[nameless] + 1
        notes.append(f"{nameless.sum()} rows left out, they have no id: rows {some(rows)}")
    rows = named(file.texts[~nameless], file.path)
    rows = rows.assign(source=rows["image_id"])
    dataset = dataset_of_rows(file.path.stem, rows, NoPictures(file.path.name), notes=notes)
    return replace(dataset, simulated=_stated(file.record, "dataset").get("simulated") is True)


def ready(path: Path, name: str | None = None) -> ReadyVectors:
    """The vectors in a file, under a `name` or that of the file.

    Raises
    ------
    DataError
        If the file cannot be read, has no ids or vectors, or names an image twice.
    """
    file = open_vectors(path)
    ids = file.texts["image_id"].dropna()
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise DataError(f"{file.path} has more than one vector of {len(twice)} images: {some(twice)}")
    with open(file.path, "rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    record = {
        "name": name or file.path.stem,
        "id": f"vectors:{file.path.name}",
        "family": "ready vectors",
        "sha256": sha256,
        "key": file.key,
        "dimension": file.dimension,
        "made_by": _stated(file.record, "encoder"),
    }
    return ReadyVectors(record["name"], file.dimension, record, fingerprint(sha256, file.key, file.dimension), file)


def _stated(record: dict[str, Any], of: str) -> dict[str, Any]:
    """What an export says of its dataset or encoder; empty where it says nothing, or is somebody else's."""
    about = record.get(of)
    return about if isinstance(about, dict) else {}


def land(
    dataset: Dataset,
    vectors: ReadyVectors,
    store: Store,
    *,
    shard_size: int = SHARD_SIZE,
    dtype: str = DTYPES[0],
    progress: bool = True,
) -> Embedded:
    """Put ready vectors into the store, as if they had been embedded there.

    Every image of `dataset` becomes a row of the ledger. It failed where the file has no vector of it, or one of
    another length or with numbers that are not finite. Vectors of other images are not taken, and logged. A second
    call does nothing.

    Parameters
    ----------
    dataset : Dataset
        The images; its pictures are not opened.
    vectors : ReadyVectors
    store : Store
    shard_size, dtype, progress
        As for `extract.Settings`.

    Raises
    ------
    DataError
        If the file has a usable vector of none of the images.
    StoreError
        If the store is damaged, cannot be written, or another run is writing there.

    Notes
    -----
    Memory does not grow with the number of images but for their ids; of .npz the vectors are in memory once. The file
    may have its rows in any order: they are sorted on the disk of the store, which needs room for them twice.
    """
    found = vectors.file.texts["image_id"]
    where = pd.Index(dataset.images["image_id"]).get_indexer(found)
    if not (where >= 0).any():
        raise DataError(
            f"{vectors.file.path} has no vector of an image of '{dataset.name}': it names {some(found, 3)}; "
            f"the dataset has {some(dataset.images['image_id'], 3)}"
        )
    if (where < 0).any():
        others = found[where < 0]
        log.warning("%s: %d vectors are of no image of %s: %s", vectors.name, len(others), dataset.name, some(others))
    with store.writing(dataset, vectors, shard_size, dtype) as embedded:
        missing = embedded.missing_shards()
        if not missing:
            return embedded
        shape = (embedded.n_images, vectors.dimension)
        with (
            _room(embedded.folder, shape) as room,
            said(f"{vectors.name} on {dataset.name}", 0, len(where), progress, "vector") as advance,
        ):
            lengths = _gather(vectors, where, room, advance)
            for shard in missing:
                span = embedded.span(shard)
                rows, ok = _ledger(vectors, dataset.images["image_id"].iloc[span], room[span], lengths[span])
                embedded.land(shard, rows, room[span][ok])
        if embedded.n_ok == 0:
            reason = embedded.failures()["error"][0]
            embedded.discard()
            raise DataError(f"{vectors.file.path} has no usable vector; the first is left out for this: {reason}")
    return embedded


@contextmanager
def _room(folder: Path, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """An (n, d) float32 array on the disk for as long as it is needed; no name is left of it, whatever happens."""
    n_bytes = 4 * shape[0] * shape[1]
    with ExitStack() as opened:
        try:
            file = opened.enter_context(tempfile.TemporaryFile(dir=folder))
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)  # a full disk says so here, and not by a signal
        except OSError as error:
            raise StoreError(f"{folder} has no room for {n_bytes:,} bytes: {error.strerror}") from error
        yield np.memmap(file, np.float32, "r+", shape=shape)


def _gather(vectors: ReadyVectors, where: np.ndarray, room: np.ndarray, advance: Callable[..., None]) -> np.ndarray:
    """Lay every vector into its place in `room`; how many numbers each has, -1 where there is none."""
    lengths = np.full(len(room), -1)
    done = 0
    for block, numbers in vectors.file.blocks():
        place = where[done : done + len(block)]
        wanted = place >= 0
        room[place[wanted]], lengths[place[wanted]] = block[wanted], numbers[wanted]
        done += len(block)
        advance(len(block))
    if done != len(where):
        raise DataError(f"{vectors.file.path} has {len(where)} ids and {done} vectors")
    return lengths


def _ledger(
    vectors: ReadyVectors, ids: pd.Series, block: np.ndarray, lengths: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """The ledger of one shard, and which of its images have a vector."""
    file, expected = vectors.file.path.name, vectors.dimension
    ok = (lengths == expected) & np.isfinite(block).all(axis=1)
    lines = []
    for image_id, fine, length, row in zip(ids, ok, lengths, np.cumsum(ok) - 1, strict=True):
        kind, reason = (None, None) if fine else _why_not(int(length), expected)
        lines.append(
            {
                "image_id": image_id,
                "row": row if fine else -1,
                "status": "ok" if fine else "failed",
                "error_class": kind,
                "error": None if fine else f"{image_id}: {file} {reason}",
            }
        )
    return LEDGER.frame(lines), ok


def _why_not(length: int, expected: int) -> tuple[str, str]:
    """Class and words for a vector of so many numbers that cannot be used."""
    if length < 0:
        return "missing", "has no vector of it"
    if length == 0:
        return "empty", "has an empty vector of it"
    if length != expected:
        return "corrupt", f"has {length} numbers for it; expected {expected}"
    return "not finite", "has NaN or infinite numbers for it"
