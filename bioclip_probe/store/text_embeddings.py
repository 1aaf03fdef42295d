"""Embeddings of the names of taxa in the store, beside those of the pictures.

`bioclip_probe.extraction.text.embed_names` makes them, and `read_names` reads them.

Written format, version 2
-------------------------
The encoder's folder of the store (see `bioclip_probe.store.store`) holds three files. ``names.npy`` holds the vectors
of the n different texts, float32, shape (n, d), as the model gives them, not normalised. ``names.parquet`` is a `NAMES`
table whose column `row` points into ``names.npy``. ``names.json`` is the record, with ``version``, ``templates``,
``prompts``, the fingerprints of ``dataset`` and ``encoder``, the ``precision`` of the computation, ``logit_scale``
(null if the model has none), ``n_names``, ``n_texts``, ``n_truncated`` (null if that cannot be known),
``context_length``, ``dimension``, ``software``, ``bytes`` and ``sha256`` of both other files, and its own ``sha256``.
The record is written last: without it nothing is read.

With the 81 templates of published zero-shot numbers the files are called ``names-openai.*``, and a vector is the mean
of the normalised vectors of 81 prompts, normalised.

While a run computes the vectors, they grow block by block in ``names.begun.npy``. Each block has a line in
``names.begun.jsonl`` with its ``rows``, its ``sha256``, and which of its texts were ``truncated``; the first line says
what the vectors are made from. The next run continues after the last complete block of an interrupted one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, StoreError, one_line
from bioclip_probe.files import sha256_of_file
from bioclip_probe.store.append_only import AppendOnlyArray
from bioclip_probe.store.records import add_checksum, check_checksum, read_json, write_file, write_json
from bioclip_probe.tables import TEMPLATES, Column, Table

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder
    from bioclip_probe.store.store import Store

VERSION = 2
REPAIR_HINT = "embed the names again"

TEXT_TYPES = ("scientific", "common", "taxonomic", "scientific_common", "taxonomic_common")
#: Rank of the root of all life in a `NAMES` table.
ROOT_RANK = "life"
#: Factor of the cosines of pictures and texts in CLIP, and in all models trained like it, at the limit of its training.
LOGIT_SCALE = 100.0

NAMES = Table(
    "names",
    (
        Column("rank", "str", f"the rank of the taxon; {ROOT_RANK} for the root of all"),
        Column("taxon", "str", "the taxon: its path from the root; empty for the root"),
        Column("type", "str", "the text type", " | ".join(TEXT_TYPES)),
        Column("text", "str", "the name in the first of its prompts, `a photo of {}.`"),
        Column("truncated", "boolean", "the model reads only the beginning of a prompt; missing if that is not known"),
        Column("row", "int64", "line of its vector; equal texts share one"),
    ),
)

#: The record of stored names, their `NAMES` table, and their vectors.
StoredNames = tuple[dict[str, Any], pd.DataFrame, np.ndarray]


@dataclass(frozen=True, eq=False)
class NameEmbeddings:
    """Names of a dataset's taxa with their vectors from one model.

    Attributes
    ----------
    table : DataFrame
        A `NAMES` table: one row for each taxon and text type, and for the root ``Eukarya`` of all (rank ``life``).
    vectors : ndarray, shape (n, d), float32, read-only, memory-mapped
        The vector of a name is ``vectors[row]``; it is not normalised.
    logit_scale : float
        Factor of the cosines of pictures and texts in the model; 100 if the model has none of its own.
    templates : str
        Prompts that the names stand in: ``plain`` or ``openai``.
    n_truncated : int or None
        Number of texts of which the model reads only the beginning, in one of their prompts; None if that cannot be
        known.

    Examples
    --------
    >>> names = NameEmbeddings(NAMES.frame(), np.zeros((0, 3), np.float32), 100.0, "plain", None)
    >>> names.vectors[names.table["row"]].shape
    (0, 3)
    """

    table: pd.DataFrame
    vectors: np.ndarray
    logit_scale: float
    templates: str
    n_truncated: int | None


@dataclass(frozen=True)
class NameFiles:
    """Paths of the names in one kind of prompts within an encoder's folder.

    Attributes
    ----------
    templates : str
        Kind of prompts.
    record, table, vectors : Path
        The three files of finished embeddings.
    unfinished, journal : Path
        The vectors of a run that has not finished, and its journal.

    Examples
    --------
    >>> NameFiles.in_folder(Path("clip@0123"), "openai").vectors.name
    'names-openai.npy'
    """

    templates: str
    record: Path
    table: Path
    vectors: Path
    unfinished: Path
    journal: Path

    @classmethod
    def in_folder(cls, folder: Path, templates: str) -> NameFiles:
        """Return the paths for one kind of prompts.

        Parameters
        ----------
        folder : Path
            Folder of an encoder in the store.
        templates : str
            One of `TEMPLATES`.

        Returns
        -------
        NameFiles

        Raises
        ------
        DataError
            If there is no such kind of prompts.
        """
        if templates not in TEMPLATES:
            raise DataError(f"names stand in prompts of {' or '.join(TEMPLATES)}; got '{templates}'")
        stem = "names" if templates == "plain" else f"names-{templates}"
        endings = (".json", ".parquet", ".npy", ".begun.npy", ".begun.jsonl")
        return cls(templates, *(folder / f"{stem}{ending}" for ending in endings))

    def expected(self) -> list[Path]:
        """Return the files that a record names or that belong to an unfinished run.

        Returns
        -------
        list of Path
        """
        finished = [self.record, self.table, self.vectors]
        if self.journal.exists():
            return [*finished, self.unfinished, self.journal]
        return finished if self.record.exists() else []


def read_names(
    store: Store, dataset: Dataset | str, encoder: Encoder | str, templates: str = "plain"
) -> NameEmbeddings:
    """Return the names of a dataset's taxa and their vectors.

    Parameters
    ----------
    store : Store
    dataset, encoder
        As for `Store.read`.
    templates : str
        Kind of prompts: ``plain`` or ``openai``.

    Returns
    -------
    NameEmbeddings

    Raises
    ------
    StoreError
        If they are missing or damaged: the sha256 of all files is checked.

    Examples
    --------
    A store with names, see `bioclip_probe.extraction.text.embed_names`::

        names = read_names(store, "world", "world-taxonomic")
        names.vectors[names.table["row"]]  # one vector for each line of the table
    """
    record, table, vectors = read_files(NameFiles.in_folder(store.embedding_folder(dataset, encoder).folder, templates))
    return NameEmbeddings(table, vectors, record["logit_scale"] or LOGIT_SCALE, templates, record["n_truncated"])


def read_files(files: NameFiles) -> StoredNames:
    """Return the record, the table and the memory-mapped vectors of stored names, after checking all of them.

    Parameters
    ----------
    files : NameFiles

    Returns
    -------
    record : dict
    table : DataFrame
        A `NAMES` table.
    vectors : ndarray, shape (n, d), float32

    Raises
    ------
    StoreError
        If they are missing or damaged, or of another format version.
    """
    path = files.record
    if not path.is_file():
        raise StoreError(f"{path.parent} has no embedded names ({path.name}); embed them first")
    record = read_json(path)
    if record.get("version") != VERSION:
        raise StoreError(f"{path} has version {record.get('version')}, this one reads {VERSION}; {REPAIR_HINT}")
    check_checksum(record, path)
    try:
        expected = (record["n_texts"], record["dimension"])
        for file, kind in ((files.vectors, "vectors"), (files.table, "table")):
            if sha256_of_file(file) != record[kind]["sha256"]:
                raise StoreError(f"{file} has changed since it was written (its sha256 differs); {REPAIR_HINT}")
        table = NAMES.read(files.table)
        vectors = np.load(files.vectors, mmap_mode="r", allow_pickle=False)
    except (KeyError, TypeError, DataError, ValueError, OSError) as error:
        raise StoreError(f"the names in {path.parent} are damaged ({one_line(error)}); {REPAIR_HINT}") from error
    rows = table["row"]
    if vectors.shape != expected or vectors.dtype != np.float32 or not rows.between(0, len(vectors) - 1).all():
        raise StoreError(f"{files.vectors} does not fit its table; {REPAIR_HINT}")
    return record, table, vectors


def open_unfinished(files: NameFiles, made_from: dict[str, Any], shape: tuple[int, int]) -> AppendOnlyArray:
    """Open the file in which the vectors of names grow, with the blocks of an interrupted run that made the same.

    Parameters
    ----------
    files : NameFiles
    made_from : dict
        JSON-able facts about the texts and the encoder. Blocks made from anything else are discarded.
    shape : (int, int)
        Number of texts and dimension.

    Returns
    -------
    AppendOnlyArray

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    if not files.record.exists() and files.vectors.exists() and not files.unfinished.exists():
        files.vectors.rename(files.unfinished)  # the run was interrupted before it wrote the record
    return AppendOnlyArray(files.unfinished, files.journal, made_from, shape)


def write_files(
    files: NameFiles, table: pd.DataFrame, vectors: AppendOnlyArray, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write finished names: the vectors, the table and, last, the record.

    Parameters
    ----------
    files : NameFiles
    table : DataFrame
        A `NAMES` table.
    vectors : AppendOnlyArray
        All vectors that the table points to.
    facts : mapping
        JSON-able entries of the record, apart from those about the files.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    as_parquet = io.BytesIO()
    table.to_parquet(as_parquet, index=False)
    files.record.unlink(missing_ok=True)  # it describes the files that are replaced now
    record = {
        **facts,
        "vectors": vectors.finish(files.vectors),
        "table": write_file(files.table, as_parquet.getvalue()),
    }
    write_json(files.record, add_checksum(record))
    vectors.discard()
    return record
