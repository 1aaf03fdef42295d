"""The store of embeddings: memory-mapped shards of vectors beside a ledger of every image.

Written format, version 3
-------------------------
::

    STORE/
      store.json                               {"format": "bioclip_probe store", "version": 3}
      .lock                                    locked while a run writes store.json or a new dataset
      <dataset>@<fingerprint>/
        dataset.json                           version, name, fingerprint, simulated, n_images, notes, images, sha256
        images.parquet                         the dataset's IMAGES table, in dataset order
        .<encoder>@<fingerprint>.lock          locked while a run writes that encoder's folder
        <encoder>@<fingerprint>/
          meta.json                            see below
          vectors-00000.npy                    float32 or float16, (n ok rows, d), as the model gives them
          rows-00000.parquet                   image_id, row, status, error_class, error, sha256
          vectors-00001.npy ...
          shards.jsonl                         the journal: a line for each shard that is done
          names.json, .npy, .parquet           embeddings of the taxa's names, see `store.text_embeddings`;
                                               names-openai.* with 81 prompts each, *.begun.* unfinished

In folder names, every character other than letters, digits, ``.``, ``_`` and ``-`` is replaced by ``-``; the JSON files
hold the true names.

Shard k covers the images k * shard_size ... (k + 1) * shard_size - 1 in dataset order. Its ledger has one line for
each of them: `status` is ``ok`` or ``failed``; `row` is the line of its vector in the shard, -1 if the image failed;
`error_class` is a key of `errors.PICTURE_ERRORS`, and `error` explains it in words; `sha256` is the digest of the bytes
of the picture, where its opener has them.

``meta.json`` is written once. It holds ``version``, ``dataset`` and ``encoder`` (name and fingerprint; for the encoder
also its ``dimension`` and its full ``record``), ``dtype`` (of the vectors, which are not normalised), ``shard_size``
and ``software``. ``meta.json`` and ``dataset.json`` hold the ``sha256`` of all their other entries (as JSON with sorted
keys); `images` of the latter holds ``bytes`` and ``sha256`` of ``images.parquet``.

A line of ``shards.jsonl`` is ``{"shard": k, "facts": {...}}`` with ``n_ok``, ``n_failed``, ``bytes`` and ``sha256`` of
both files, and ``parity`` if the encoder computes in less than float32: the smallest cosine with float32 among the
first pictures of the process that made the shard. A later line about a shard replaces an earlier one; ``null`` for its
facts strikes the shard.

A file is written under a temporary name, synced, and renamed. A shard is written in this order: the vectors, the
ledger, the line in the journal. It counts only if the journal names it, and a line counts only with its line feed: what
a killed run left unfinished is never read, and the next run writes it again. An embedding is complete when the journal
has all its shards. Nothing is pickled. Vectors and images are joined by `image_id`.

Version 2 is read too. It had no `sha256` in its ledgers and no version in ``dataset.json``, and the fingerprint of a
dataset of files covered their sizes and times of change instead of their content; see `store.earlier_versions`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.errors import StoreError, some
from bioclip_probe.files import remove_temporary_files
from bioclip_probe.store.descriptions import (
    create_dataset_folder,
    create_encoder_folder,
    folder_name,
    make_folder,
    read_description,
    read_images,
)
from bioclip_probe.store.journal import remove_unfinished
from bioclip_probe.store.locks import hold_lock, lock_file
from bioclip_probe.store.records import VERSION, check_version, read_json, write_json
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.tables import DTYPES, SHARD_SIZE

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder

FORMAT = "bioclip_probe store"
LOCK = ".lock"


class Store:
    """Embeddings in one folder, of any number of datasets and encoders.

    Methods take a dataset or an encoder as an object or as a string: its name, or ``name@fingerprint`` if the store
    holds several of that name.

    Parameters
    ----------
    path : Path
        The folder. It may be missing or empty: the first run makes the store.

    Raises
    ------
    StoreError
        If the folder holds something else, or a store of another format version.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace as Fake
    >>> from bioclip_probe.store.shard_files import LEDGER
    >>> from bioclip_probe.tables import IMAGES
    >>> images = IMAGES.frame([{"image_id": "a", "source": "a.jpg"}, {"image_id": "b", "source": "b.jpg"}])
    >>> dataset = Fake(name="birds", fingerprint="0" * 12, simulated=True, notes=[], images=images)
    >>> encoder = Fake(name="clip", fingerprint="1" * 12, dimension=2, record={})
    >>> ledger = LEDGER.frame({"image_id": name, "row": row, "status": "ok"} for row, name in enumerate("ab"))
    >>> with TemporaryDirectory() as folder:
    ...     store = Store(folder)
    ...     with store.open_for_writing(dataset, encoder) as embedded:
    ...         embedded.write_shard(0, ledger, np.eye(2))
    ...     table, vectors = store.read("birds", "clip")
    ...     table["image_id"].tolist(), vectors.tolist()
    (['a', 'b'], [[1.0, 0.0], [0.0, 1.0]])
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path} is a file; expected the folder of a store")
        entries = self.path.iterdir() if self.path.is_dir() else ()
        if any(not entry.name.startswith((LOCK, ".store.json.")) for entry in entries):
            if not (self.path / "store.json").is_file():
                raise StoreError(f"{self.path} is not a store (it has no store.json); name another or an empty folder")
            head = read_json(self.path / "store.json")
            if head.get("format") != FORMAT:
                raise StoreError(f"{self.path} is not a store: its store.json is of something else")
            check_version(head.get("version"), self.path)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def images(self, dataset: Dataset | str) -> pd.DataFrame:
        """Return the `IMAGES` table of a dataset, with the images that failed.

        Parameters
        ----------
        dataset : Dataset or str

        Returns
        -------
        DataFrame
            In dataset order.

        Raises
        ------
        StoreError
            If the dataset is missing or its table is damaged.
        """
        return read_images(self._matching_folder(self._dataset_records(), dataset, "dataset"))

    def read(self, dataset: Dataset | str, encoder: Encoder | str) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the images that have a vector, and their vectors.

        Parameters
        ----------
        dataset : Dataset or str
        encoder : Encoder or str

        Returns
        -------
        images : DataFrame, n rows
            The dataset's `IMAGES` table, in dataset order, without the images that failed.
        vectors : ndarray, shape (n, d), float32 or float16, read-only
            As the model gave them, not normalised; row i belongs to row i of `images`. Memory-mapped if they are in
            one shard.

        Raises
        ------
        StoreError
            If they are missing, not complete, or damaged: the sha256 of every shard is checked.
        """
        embedded = self.embedding_folder(dataset, encoder)
        images = read_images(embedded.folder.parent)
        blocks = list(embedded.blocks())
        ledger = pd.concat([lines.sort_values("row") for lines, _ in blocks], ignore_index=True)
        if set(ledger["image_id"]) != set(images["image_id"]) or len(ledger) != len(images):
            raise StoreError(f"{embedded.folder} does not fit its images.parquet; delete it and embed again")
        ok = ledger.loc[ledger["status"] == "ok", "image_id"]
        vectors = blocks[0][1] if len(blocks) == 1 else np.concatenate([vectors for _, vectors in blocks])
        kept = images[images["image_id"].isin(ok)].reset_index(drop=True)
        order = pd.Series(np.arange(len(ok)), index=ok)[kept["image_id"]].to_numpy()
        if not np.array_equal(order, np.arange(len(ok))):
            vectors = vectors[order]
        vectors.flags.writeable = False
        return kept, vectors

    def failures(self, dataset: Dataset | str, encoder: Encoder | str) -> pd.DataFrame:
        """Return the images without a vector.

        Parameters
        ----------
        dataset : Dataset or str
        encoder : Encoder or str

        Returns
        -------
        DataFrame
            In dataset order; columns image_id, error_class, error.

        Raises
        ------
        StoreError
            If they are missing or damaged.
        """
        return self.embedding_folder(dataset, encoder).failures()

    def embedding_folder(self, dataset: Dataset | str, encoder: Encoder | str) -> EmbeddingFolder:
        """Return the embeddings of a dataset by an encoder, complete or not.

        Parameters
        ----------
        dataset : Dataset or str
        encoder : Encoder or str

        Returns
        -------
        EmbeddingFolder

        Raises
        ------
        StoreError
            If the store holds none, or several that fit.
        """
        home = self._matching_folder(self._dataset_records(), dataset, "dataset")
        return EmbeddingFolder(self._matching_folder(home.glob("*@*/meta.json"), encoder, "encoder"))

    def find_folder(self, dataset: Dataset, encoder: str, fingerprint: str) -> EmbeddingFolder | None:
        """Return the embeddings of a dataset by an encoder, complete or not, or None if no run has begun.

        Parameters
        ----------
        dataset : Dataset
        encoder, fingerprint : str
            Name and fingerprint of the encoder.

        Returns
        -------
        EmbeddingFolder or None

        Raises
        ------
        StoreError
            If they are damaged.
        """
        folder = self.path / folder_name(dataset.name, dataset.fingerprint) / folder_name(encoder, fingerprint)
        return EmbeddingFolder(folder) if (folder / "meta.json").is_file() else None

    @contextmanager
    def lock_folder(self, embedded: EmbeddingFolder) -> Iterator[None]:
        """Lock the folder of a dataset and an encoder while the block runs.

        Parameters
        ----------
        embedded : EmbeddingFolder

        Yields
        ------
        None

        Raises
        ------
        StoreError
            If another run has locked it.
        """
        with hold_lock(lock_file(embedded.folder), embedded.folder):
            yield

    @contextmanager
    def open_for_writing(
        self,
        dataset: Dataset,
        encoder: Encoder,
        shard_size: int = SHARD_SIZE,
        dtype: str = DTYPES[0],
        redo: Collection[str] = (),
    ) -> Iterator[EmbeddingFolder]:
        """Open the folder of a dataset and an encoder, for one run to write shards into.

        The shards of an earlier run are kept, with their size and data type. If nothing is missing, nothing is locked.
        If the run fails before its first shard, nothing is left of it.

        Parameters
        ----------
        dataset : Dataset
        encoder : Encoder
        shard_size : int
            Number of images in a shard.
        dtype : str
            Data type of the stored vectors: ``float32`` or ``float16``.
        redo : collection of str
            Shards of an earlier run to write again: ``damaged`` ones, and those with ``failed`` images.

        Yields
        ------
        EmbeddingFolder

        Raises
        ------
        StoreError
            If another run is writing there, or an earlier run's files are damaged.
        """
        home = self._open_dataset(dataset)
        folder = home / folder_name(encoder.name, encoder.fingerprint)
        if not redo and (folder / "meta.json").is_file() and (finished := EmbeddingFolder(folder)).complete:
            finished.check_sizes()
            yield finished  # any number of runs may read at once, also from a disk that none may write to
            return
        with hold_lock(lock_file(folder), folder):
            if not (folder / "meta.json").is_file():
                create_encoder_folder(folder, dataset, encoder, shard_size, dtype)
            remove_unfinished(folder, damaged="damaged" in redo)
            embedded = EmbeddingFolder(folder)
            if "damaged" in redo:
                embedded.drop_shards(embedded.damaged_shards())
            embedded.check_sizes()
            if "failed" in redo:
                embedded.drop_shards([shard for shard, facts in embedded.shards.items() if facts["n_failed"]])
            try:
                yield embedded
            except BaseException:
                if not embedded.shards and not redo:
                    embedded.discard()
                raise

    def _open_dataset(self, dataset: Dataset) -> Path:
        """Return the folder of a dataset. One run at a time writes `store.json` and the records of a new dataset."""
        home = self.path / folder_name(dataset.name, dataset.fingerprint)
        if not (home / "dataset.json").is_file():
            make_folder(self.path)
            with hold_lock(self.path / LOCK, self.path, wait=True):
                remove_temporary_files(self.path)
                if not (self.path / "store.json").is_file():
                    write_json(self.path / "store.json", {"format": FORMAT, "version": VERSION})
                if not (home / "dataset.json").is_file():
                    create_dataset_folder(home, dataset)
        if not read_images(home)["image_id"].equals(dataset.images["image_id"].reset_index(drop=True)):
            raise StoreError(f"{home / 'images.parquet'} names other images than the dataset; delete {home}")
        return home

    def _dataset_records(self) -> Iterator[Path]:
        return self.path.glob("*@*/dataset.json")

    def _matching_folder(self, records: Iterable[Path], wanted: Dataset | Encoder | str, kind: str) -> Path:
        """Return the folder of the dataset or encoder `wanted` among those that `records` describe."""
        names: dict[Path, tuple[str, str]] = {}
        for record in sorted(records):
            description = read_description(record, kind)
            names[record.parent] = (description["name"], f"{description['name']}@{description['fingerprint']}")
        key = wanted if isinstance(wanted, str) else f"{wanted.name}@{wanted.fingerprint}"
        matches = [folder for folder, keys in names.items() if key in keys]
        if len(matches) == 1:
            return matches[0]
        if matches:
            several = some(names[folder][1] for folder in matches)
            raise StoreError(f"{self.path} holds several {kind}s called '{key}'; name one: {several}")
        contents = f"it holds: {some(full_name for _, full_name in names.values())}" if names else "it holds none"
        raise StoreError(f"{self.path} holds no {kind} '{key}'; {contents}; embed it first")


def open_store(path: str | Path) -> Store:
    """Return the store in a folder, which must exist.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Store

    Raises
    ------
    StoreError
        If there is no store, or one of another format version.

    Examples
    --------
    >>> open_store("nowhere")
    Traceback (most recent call last):
    bioclip_probe.errors.StoreError: there is no store at nowhere; expected a folder that `embed` has written
    """
    if not (Path(path) / "store.json").is_file():
        raise StoreError(f"there is no store at {path}; expected a folder that `embed` has written")
    return Store(path)
