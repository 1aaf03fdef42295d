"""The embeddings of one dataset by one encoder: a folder of shards, listed in a journal.

The written format is described in `bioclip_probe.store.store`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.errors import StoreError, some
from bioclip_probe.files import sha256_of_json
from bioclip_probe.store.journal import append_line, read_journal
from bioclip_probe.store.records import (
    DATASET,
    ENCODER,
    META,
    REPAIR_HINT,
    check_checksum,
    check_entries,
    check_version,
    read_json,
)
from bioclip_probe.store.shard_files import KINDS, LEDGER, ShardFiles, as_stored
from bioclip_probe.tables import DTYPES


class EmbeddingFolder:
    """The embeddings of one dataset by one encoder.

    Images are divided into shards of ``shard_size`` images, in dataset order. Each shard has a file of vectors and a
    ledger with one line for each image. The journal lists the finished shards.

    Parameters
    ----------
    folder : Path
        Folder of the encoder in the store.

    Attributes
    ----------
    folder : Path
    meta : dict
        Content of `meta.json`.
    shards : dict from int to dict
        Facts about each finished shard: `n_ok`, `n_failed`, and `bytes` and `sha256` of both files.

    Raises
    ------
    StoreError
        If `meta.json` or the journal is missing, damaged, or of another format version.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace as Fake
    >>> from bioclip_probe.store.store import Store
    >>> from bioclip_probe.tables import IMAGES
    >>> images = IMAGES.frame([{"image_id": "a", "source": "a.jpg"}])
    >>> dataset = Fake(name="birds", fingerprint="0" * 12, simulated=True, notes=[], images=images)
    >>> encoder = Fake(name="clip", fingerprint="1" * 12, dimension=2, record={})
    >>> with TemporaryDirectory() as folder, Store(folder).open_for_writing(dataset, encoder) as embedded:
    ...     embedded.write_shard(0, LEDGER.frame([{"image_id": "a", "row": 0, "status": "ok"}]), np.ones((1, 2)))
    ...     [(ledger["image_id"].tolist(), vectors.tolist()) for ledger, vectors in embedded.blocks()]
    [(['a'], [[1.0, 1.0]])]
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        record = folder / "meta.json"
        self.meta = read_json(record)
        check_version(self.meta.get("version"), folder)
        check_checksum(self.meta, record)
        check_entries(self.meta, META, record)
        for kind, entries in (("dataset", DATASET), ("encoder", ENCODER)):
            check_entries(self.meta[kind], entries, record)
        if self.meta["dtype"] not in DTYPES:
            raise StoreError(f"{record} has dtype {self.meta['dtype']}; the store is damaged")
        self.shards = read_journal(folder, self.n_shards)

    @property
    def dtype(self) -> np.dtype:
        """Data type of the stored vectors."""
        return np.dtype(self.meta["dtype"])

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.meta["encoder"]["dimension"])

    @property
    def n_images(self) -> int:
        """Number of images in the dataset."""
        return int(self.meta["dataset"]["n_images"])

    @property
    def n_shards(self) -> int:
        """Number of shards of the complete folder."""
        return -(-self.n_images // int(self.meta["shard_size"]))

    @property
    def n_ok(self) -> int:
        """Number of images with a vector, in the finished shards."""
        return sum(shard["n_ok"] for shard in self.shards.values())

    @property
    def n_failed(self) -> int:
        """Number of images that failed, in the finished shards."""
        return sum(shard["n_failed"] for shard in self.shards.values())

    @property
    def complete(self) -> bool:
        """True if every image has a line in a ledger, as ok or as failed."""
        return not self.missing_shards()

    @property
    def digest(self) -> str:
        """SHA-256 of the digests of all finished shards; the journal has them, so that no shard is read."""
        return sha256_of_json([self.shards[shard][kind]["sha256"] for shard in sorted(self.shards) for kind in KINDS])

    def missing_shards(self) -> list[int]:
        """Return the numbers of the shards that are not finished.

        Returns
        -------
        list of int
        """
        return [shard for shard in range(self.n_shards) if shard not in self.shards]

    def image_slice(self, shard: int) -> slice:
        """Return the rows of the `IMAGES` table that a shard covers.

        Parameters
        ----------
        shard : int

        Returns
        -------
        slice
        """
        size = self.meta["shard_size"]
        return slice(shard * size, min((shard + 1) * size, self.n_images))

    def files(self, shard: int) -> ShardFiles:
        """Return the paths of a shard's two files.

        Parameters
        ----------
        shard : int

        Returns
        -------
        ShardFiles
        """
        return ShardFiles.of(self.folder, shard)

    def state(self) -> str:
        """Return ``complete``, ``incomplete`` or ``damaged``, as far as names and sizes of files tell.

        Returns
        -------
        str
        """
        try:
            self.check_sizes()
        except StoreError:
            return "damaged"
        return "complete" if self.complete else "incomplete"

    def check_sizes(self) -> None:
        """Raise an error if a file in the journal is gone or has another size.

        Raises
        ------
        StoreError
        """
        problems = [problem for shard in self.shards for problem in self._size_problems(shard)]
        if problems:
            raise StoreError(f"{self.folder} is damaged: {some(problems)}; {REPAIR_HINT}")

    def damaged_shards(self) -> list[int]:
        """Return the finished shards whose files are gone or differ from what was written.

        Returns
        -------
        list of int
        """
        return [shard for shard in sorted(self.shards) if self._size_problems(shard) or not self._is_sound(shard)]

    def blocks(self, shards: Iterable[int] | None = None) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
        """Iterate over the shards, for embeddings that do not fit in memory; `Store.read` returns all at once.

        Parameters
        ----------
        shards : iterable of int, optional
            Numbers of the shards; all by default.

        Yields
        ------
        ledger : DataFrame
            A `LEDGER` table.
        vectors : ndarray, shape (n ok, d)
            Memory-mapped.

        Raises
        ------
        StoreError
            If a shard is missing or damaged: the sha256 of both files is checked.
        """
        self.check_sizes()
        n_missing = len(self.missing_shards())
        if n_missing:
            raise StoreError(
                f"{self.folder} is not complete ({self.n_shards - n_missing} of {self.n_shards} shards); "
                "embed it again to continue"
            )
        for shard in range(self.n_shards) if shards is None else shards:
            yield self.ledger(shard), self.vectors(shard)

    def failures(self) -> pd.DataFrame:
        """Return the images that failed, in the finished shards.

        Returns
        -------
        DataFrame
            Columns image_id, error_class, error.

        Raises
        ------
        StoreError
            If a ledger is damaged.
        """
        self.check_sizes()
        shards = sorted(shard for shard, facts in self.shards.items() if facts["n_failed"])
        lines = pd.concat([LEDGER.frame(), *(self.ledger(shard) for shard in shards)], ignore_index=True)
        return lines.loc[lines["status"] == "failed", ["image_id", "error_class", "error"]].reset_index(drop=True)

    def sha256(self) -> pd.Series:
        """Return the digest of the bytes of each picture, in the finished shards.

        Returns
        -------
        Series
            By image_id; missing where the opener had no bytes, and where a version before format 3 wrote the shard.

        Raises
        ------
        StoreError
            If a ledger is damaged.
        """
        lines = pd.concat([LEDGER.frame(), *(self.ledger(shard) for shard in sorted(self.shards))], ignore_index=True)
        return lines.set_index("image_id")["sha256"]

    def ledger(self, shard: int) -> pd.DataFrame:
        """Return the ledger of one shard, after checking its sha256.

        Parameters
        ----------
        shard : int

        Returns
        -------
        DataFrame
            A `LEDGER` table.

        Raises
        ------
        StoreError
            If it is gone or damaged.
        """
        return self.files(shard).read_ledger(self.shards[shard])

    def vectors(self, shard: int) -> np.ndarray:
        """Return the vectors of one shard, after checking their sha256.

        Parameters
        ----------
        shard : int

        Returns
        -------
        ndarray, shape (n ok, d)
            Memory-mapped.

        Raises
        ------
        StoreError
            If they are gone or damaged.
        """
        return self.files(shard).read_vectors(self.shards[shard], self.dimension, self.dtype)

    def write_shard(self, shard: int, rows: pd.DataFrame, vectors: np.ndarray, parity: float | None = None) -> None:
        """Write one shard. It counts only once all of it is on the disk.

        Parameters
        ----------
        shard : int
        rows : DataFrame
            The ledger: a `LEDGER` table.
        vectors : ndarray, shape (n ok, d)
            The vectors of the images that are ok.
        parity : float, optional
            Smallest cosine with float32, of an encoder that computes in less.

        Raises
        ------
        StoreError
            If it cannot be written, or a number is too large for the data type of the store.
        """
        facts = self.files(shard).write(rows, as_stored(vectors, self.dtype, shard))
        if parity is not None:
            facts["parity"] = parity
        append_line(self.folder, shard, facts)
        self.shards[shard] = facts

    def drop_shards(self, shards: Iterable[int]) -> None:
        """Strike shards from the journal, so that the next run writes them again.

        Parameters
        ----------
        shards : iterable of int

        Raises
        ------
        StoreError
            If the journal cannot be written.
        """
        for shard in shards:
            append_line(self.folder, shard, None)
            self.shards.pop(shard, None)

    def discard(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)

    def _size_problems(self, shard: int) -> list[str]:
        return self.files(shard).size_problems(self.shards[shard])

    def _is_sound(self, shard: int) -> bool:
        try:
            self.ledger(shard)
            self.vectors(shard)
        except StoreError:
            return False
        return True
