"""The two files of one shard: its vectors and its ledger, which has one line for each image.

A file is read only if its sha256 is that in the journal. The written format is described in
`bioclip_probe.store.store`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.errors import PICTURE_ERRORS, DataError, StoreError
from bioclip_probe.files import sha256_of_file
from bioclip_probe.store.journal import ShardFacts
from bioclip_probe.store.records import REPAIR_HINT, write_file
from bioclip_probe.tables import DTYPES, Column, Table

LEDGER = Table(
    "rows",
    (
        Column("image_id", "str", "the image"),
        Column("row", "int64", "line of its vector in the shard; -1 if it failed"),
        Column("status", "str", "whether there is a vector", "ok | failed"),
        Column("error_class", "str", "the kind of failure", " | ".join(PICTURE_ERRORS)),
        Column("error", "str", "why there is none"),
        Column("sha256", "str", "digest of the bytes of the picture, where its opener has them", later=True),
    ),
)

#: Files of a shard.
KINDS = ("vectors", "rows")


@dataclass(frozen=True)
class ShardFiles:
    """The paths of the two files of a shard.

    Attributes
    ----------
    vectors, rows : Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> ledger = LEDGER.frame([{"image_id": "a", "row": 0, "status": "ok"}])
    >>> with TemporaryDirectory() as folder:
    ...     files = ShardFiles.of(Path(folder), 0)
    ...     facts = files.write(ledger, np.ones((1, 2), np.float32))
    ...     files.vectors.name, files.read_ledger(facts)["image_id"].tolist()
    ('vectors-00000.npy', ['a'])
    """

    vectors: Path
    rows: Path

    @classmethod
    def of(cls, folder: Path, shard: int) -> ShardFiles:
        """Return the paths of a shard of a folder.

        Parameters
        ----------
        folder : Path
        shard : int

        Returns
        -------
        ShardFiles
        """
        return cls(folder / f"vectors-{shard:05d}.npy", folder / f"rows-{shard:05d}.parquet")

    def write(self, ledger: pd.DataFrame, vectors: np.ndarray) -> ShardFacts:
        """Write both files, and return the facts about them for the journal.

        Parameters
        ----------
        ledger : DataFrame
            A `LEDGER` table.
        vectors : ndarray, shape (n ok, d)
            In the data type of the store.

        Returns
        -------
        dict

        Raises
        ------
        StoreError
            If they cannot be written.
        """
        as_npy, as_parquet = io.BytesIO(), io.BytesIO()
        np.save(as_npy, vectors, allow_pickle=False)
        LEDGER.check(ledger).to_parquet(as_parquet, index=False)
        ok = ledger["status"] == "ok"
        return {
            "n_ok": int(ok.sum()),
            "n_failed": int((~ok).sum()),
            "vectors": write_file(self.vectors, as_npy.getvalue()),
            "rows": write_file(self.rows, as_parquet.getvalue()),
        }

    def read_ledger(self, facts: ShardFacts) -> pd.DataFrame:
        """Return the ledger, after checking its sha256.

        Parameters
        ----------
        facts : dict
            What the journal says about the shard.

        Returns
        -------
        DataFrame
            A `LEDGER` table.

        Raises
        ------
        StoreError
            If it is gone or damaged.
        """
        _check_sha256(self.rows, facts["rows"]["sha256"])
        try:
            return LEDGER.read(self.rows)
        except DataError as error:
            raise StoreError(f"{error}; {REPAIR_HINT}") from error

    def read_vectors(self, facts: ShardFacts, dimension: int, dtype: np.dtype) -> np.ndarray:
        """Return the vectors, after checking their sha256.

        Parameters
        ----------
        facts : dict
            What the journal says about the shard.
        dimension : int
        dtype : numpy.dtype
            The data type of the store.

        Returns
        -------
        ndarray, shape (n ok, d)
            Memory-mapped.

        Raises
        ------
        StoreError
            If they are gone or damaged.
        """
        _check_sha256(self.vectors, facts["vectors"]["sha256"])
        try:
            vectors = np.load(self.vectors, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.vectors} is not an array that can be read ({error}); {REPAIR_HINT}") from error
        expected = (facts["n_ok"], dimension)
        if vectors.shape != expected or vectors.dtype != dtype:
            raise StoreError(
                f"{self.vectors} holds {vectors.dtype} {vectors.shape}, expected {dtype} {expected}; {REPAIR_HINT}"
            )
        return vectors

    def size_problems(self, facts: ShardFacts) -> list[str]:
        """Return what is wrong with the names and sizes of both files.

        Parameters
        ----------
        facts : dict
            What the journal says about the shard.

        Returns
        -------
        list of str
        """
        problems = []
        for kind, path in vars(self).items():
            expected = facts[kind]["bytes"]
            if not path.is_file():
                problems.append(f"{path.name} is gone")
            elif path.stat().st_size != expected:
                problems.append(f"{path.name} has {path.stat().st_size} bytes instead of {expected}")
        return problems


def as_stored(vectors: np.ndarray, dtype: np.dtype, shard: int) -> np.ndarray:
    """Return the vectors of a shard in the data type of the store.

    Parameters
    ----------
    vectors : ndarray, shape (n ok, d)
    dtype : numpy.dtype
    shard : int
        For the message.

    Returns
    -------
    ndarray, shape (n ok, d)

    Raises
    ------
    StoreError
        If a number is too large for the data type.

    Examples
    --------
    >>> as_stored(np.array([[1e9]]), np.dtype("float16"), 0)
    Traceback (most recent call last):
    bioclip_probe.errors.StoreError: vectors of shard 0 are too large for float16; keep them as float32
    """
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(vectors, dtype=dtype)
    if np.isinf(stored).any() and np.isfinite(vectors).all():
        raise StoreError(f"vectors of shard {shard} are too large for {dtype}; keep them as {DTYPES[0]}")
    return stored


def _check_sha256(path: Path, expected: str) -> None:
    try:
        digest = sha256_of_file(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; {REPAIR_HINT}") from error
    if digest != expected:
        raise StoreError(f"{path} has changed since it was written (its sha256 differs); {REPAIR_HINT}")
