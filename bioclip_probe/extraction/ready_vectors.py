"""Ready vectors: embeddings that somebody has computed already, and how they get into the store.

The files are those of `bioclip_probe.datasets.vectors`. Their vectors are joined to the images of a dataset by
image_id, and lie in the store as if an encoder had embedded the pictures: they are read, measured and exported in the
same way.
The dataset may be the file itself (then there are no pictures) or one of pictures, which other encoders embed too::

    dataset = datasets.vectors.load(Path("bioclip.parquet"))
    store_ready_vectors(dataset, open_ready_vectors(Path("bioclip.parquet")), store)
    store_ready_vectors(dataset, open_ready_vectors(Path("clip.npz"), name="clip"), store)    # another model
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.vector_files import VectorFile, open_vectors
from bioclip_probe.encoders import geometry_of
from bioclip_probe.errors import DataError, StoreError, some
from bioclip_probe.extraction.settings import DEFAULTS, ExtractionSettings
from bioclip_probe.files import sha256_of_file
from bioclip_probe.progress import progress_bar
from bioclip_probe.provenance import fingerprint
from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder

log = logging.getLogger(__name__)

#: A model of this form names a file of ready vectors: ``vectors:FILE``, or ``NAME=vectors:FILE``.
VECTORS = "vectors:"


@dataclass(frozen=True, eq=False)
class ReadyVectors:
    """Vectors in a file, with the name, the record and the fingerprint that an encoder has.

    Attributes
    ----------
    name : str
        The name in tables and figures.
    dimension : int
        Numbers in each vector.
    record : dict
        JSON-able: name, id, family ``ready vectors``, sha256 of the file, key, dimension, control (always False),
        geometry, where vectors are not compared by their cosine, and under ``made_by`` the record of the encoder that
        computed them, where an export of this package holds it.
    fingerprint : str
        12 hex digits over the file and the key, which identify the vectors.
    file : VectorFile
        The opened file, whose vectors are read block by block.
    has_text : bool
        False: there is no model here that could embed texts.
    """

    name: str
    dimension: int
    record: dict[str, Any]
    fingerprint: str
    file: VectorFile
    has_text: bool = False


def open_ready_vectors(path: Path, name: str | None = None) -> ReadyVectors:
    """Open a file of ready vectors and describe it as an encoder is described.

    Parameters
    ----------
    path : Path
        The file, or ``FILE#KEY`` for vectors in another column, array or `obsm` entry.
    name : str, optional
        The name in tables and figures. By default the name of the file.

    Returns
    -------
    ReadyVectors

    Raises
    ------
    DataError
        If the file cannot be read, has no ids or vectors, or names an image twice.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "mine.npz", ids=["a", "b"], vectors=np.eye(2))
    ...     vectors = open_ready_vectors(Path(folder) / "mine.npz", name="clip")
    >>> vectors.name, vectors.dimension, vectors.record["id"]
    ('clip', 2, 'vectors:mine.npz')
    """
    file = open_vectors(path)
    ids = file.texts["image_id"].dropna()
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise DataError(f"{file.path} has more than one vector of {len(twice)} images: {some(twice)}")
    sha256 = sha256_of_file(file.path)
    made_by = file.record.get("encoder")
    name = name or file.path.stem
    record = {
        "name": name,
        "id": f"{VECTORS}{file.path.name}",
        "family": "ready vectors",
        "sha256": sha256,
        "key": file.key,
        "dimension": file.dimension,
        "control": False,
        "made_by": made_by if isinstance(made_by, dict) else {},
    }
    geometry = geometry_of({"geometry": file.record.get("geometry"), "made_by": record["made_by"]})
    if geometry != "cosine":
        record["geometry"] = geometry
    return ReadyVectors(name, file.dimension, record, fingerprint(sha256, file.key, file.dimension), file)


def store_ready_vectors(
    dataset: Dataset, vectors: ReadyVectors, store: Store, settings: ExtractionSettings = DEFAULTS
) -> EmbeddingFolder:
    """Write ready vectors into the store, as if an encoder had embedded the pictures.

    Every image of `dataset` becomes a row of the ledger. The row is ``failed`` if the file has no vector of the image,
    or one of another length or with numbers that are not finite. Vectors of other images are skipped, and a warning
    counts them. A second call does nothing.

    Parameters
    ----------
    dataset : Dataset
        The images. Its pictures are not opened.
    vectors : ReadyVectors
        The vectors, in any order.
    store : Store
        Where they are written.
    settings : ExtractionSettings
        Its `shard_size`, `dtype`, `redo` and `progress` are used.

    Returns
    -------
    EmbeddingFolder
        The folder of the store that holds them now.

    Raises
    ------
    DataError
        If the file has a usable vector of none of the images.
    StoreError
        If the store is damaged, cannot be written, or another run is writing there.

    Notes
    -----
    Memory grows with the number of images by their ids only; an .npz file is an exception, its vectors are in memory
    once. The rows are sorted on the disk of the store, which needs room for them twice.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.datasets.vectors import load
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.npz"
    ...     np.savez(path, ids=["a", "b"], vectors=np.eye(2), genus=["Pica", "Corvus"])
    ...     store, settings = Store(Path(folder) / "store"), ExtractionSettings(progress=False)
    ...     store_ready_vectors(load(path), open_ready_vectors(path), store, settings).n_ok
    2
    """
    ids = vectors.file.texts["image_id"]
    rows = pd.Index(dataset.images["image_id"]).get_indexer(ids)
    if not (rows >= 0).any():
        raise DataError(
            f"{vectors.file.path} has no vector of an image of '{dataset.name}': it names {some(ids, 3)}; "
            f"the dataset has {some(dataset.images['image_id'], 3)}"
        )
    if (rows < 0).any():
        others = ids[rows < 0]
        log.warning("%s: %d vectors are of no image of %s: %s", vectors.name, len(others), dataset.name, some(others))
    as_encoder = cast("Encoder", vectors)  # the store reads name, fingerprint, dimension and record only
    writing = store.open_for_writing(dataset, as_encoder, settings.shard_size, settings.dtype, settings.redo)
    with writing as embedded:
        missing = embedded.missing_shards()
        if not missing:
            return embedded
        shape = (embedded.n_images, vectors.dimension)
        with (
            _array_on_disk(embedded.folder, shape) as in_order,
            progress_bar(f"{vectors.name} on {dataset.name}", 0, len(rows), settings.progress, "vector") as advance,
        ):
            lengths = _sort_vectors(vectors, rows, in_order, advance)
            for shard in missing:
                span = embedded.image_slice(shard)
                ledger, ok = _ledger(vectors, dataset.images["image_id"].iloc[span], in_order[span], lengths[span])
                embedded.write_shard(shard, ledger, in_order[span][ok])
        if embedded.n_ok == 0:
            reason = embedded.failures()["error"][0]
            embedded.discard()
            raise DataError(f"{vectors.file.path} has no usable vector; the first one was refused: {reason}")
    return embedded


@contextmanager
def _array_on_disk(folder: Path, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield an (n, d) float32 array in a file without a name, which the system deletes even if the run is killed."""
    n_bytes = 4 * shape[0] * shape[1]
    with ExitStack() as opened:
        try:
            file = opened.enter_context(tempfile.TemporaryFile(dir=folder))
            if hasattr(os, "posix_fallocate"):
                # On a full disk this raises an error. Without it, writing to the array would end in a signal.
                os.posix_fallocate(file.fileno(), 0, n_bytes)
        except OSError as error:
            raise StoreError(f"{folder} has no room for {n_bytes:,} bytes: {error.strerror}") from error
        yield np.memmap(file, np.float32, "r+", shape=shape)


def _sort_vectors(
    vectors: ReadyVectors, rows: np.ndarray, in_order: np.ndarray, advance: Callable[..., object]
) -> np.ndarray:
    """Copy every vector of the file into its row of `in_order`.

    Parameters
    ----------
    vectors : ReadyVectors
    rows : (m,) int array
        The row in the dataset of each of the m vectors of the file, -1 where the image is not in the dataset.
    in_order : (n, d) float32 array
        The vectors in the order of the dataset; filled in place.
    advance : callable
        Shows the progress.

    Returns
    -------
    (n,) int array
        How many numbers the vector of each image has, -1 where there is none.
    """
    lengths = np.full(len(in_order), -1)
    done = 0
    for block, n_numbers in vectors.file.blocks():
        target = rows[done : done + len(block)]
        wanted = target >= 0
        in_order[target[wanted]], lengths[target[wanted]] = block[wanted], n_numbers[wanted]
        done += len(block)
        advance(len(block))
    if done != len(rows):
        raise DataError(f"{vectors.file.path} has {len(rows)} ids and {done} vectors")
    return lengths


def _ledger(
    vectors: ReadyVectors, ids: pd.Series, block: np.ndarray, lengths: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the ledger of one shard, and a mask of the images that have a usable vector."""
    file, expected = vectors.file.path.name, vectors.dimension
    ok = (lengths == expected) & np.isfinite(block).all(axis=1)
    lines = []
    for image_id, usable, length, row in zip(ids, ok, lengths, np.cumsum(ok) - 1, strict=True):
        kind, reason = (None, None) if usable else _failure(int(length), expected)
        lines.append(
            {
                "image_id": image_id,
                "row": row if usable else -1,
                "status": "ok" if usable else "failed",
                "error_class": kind,
                "error": None if usable else f"{image_id}: {file} {reason}",
            }
        )
    return LEDGER.frame(lines), ok


def _failure(length: int, expected: int) -> tuple[str, str]:
    """Return the class of failure and its explanation, for a vector of `length` numbers that cannot be used."""
    if length < 0:
        return "missing", "has no vector of it"
    if length == 0:
        return "empty", "has an empty vector of it"
    if length != expected:
        return "corrupt", f"has {length} numbers for it; expected {expected}"
    return "not finite", "has NaN or infinite numbers for it"
