"""The store keeps embeddings: memory-mapped shards of vectors beside a ledger of every image.

Written format, version 2
-------------------------
::

    STORE/
      store.json                               {"format": "bioclip_probe store", "version": 2}
      .lock                                    locked while a run writes this file or that of a new dataset
      <dataset>@<fingerprint>/
        dataset.json                           name, fingerprint, simulated, n_images, notes, images, sha256
        images.parquet                         the dataset's IMAGES table, in dataset order
        .<encoder>@<fingerprint>.lock          locked while a run writes that encoder's folder
        <encoder>@<fingerprint>/
          meta.json                            see below
          vectors-00000.npy                    float32 or float16, (n ok rows, d), as the model gives them
          rows-00000.parquet                   image_id, row, status, error_class, error
          vectors-00001.npy ...
          shards.jsonl                         the journal: a line for each shard that is done
          names.json, .npy, .parquet           embeddings of the taxa's names, see `store.text_embeddings`; in
                                               names-openai.* of 81 prompts each, in *.begun.* not yet whole

In folder names, whatever is not a letter, digit, ``.``, ``_`` or ``-`` is a ``-``; the true names are in the JSON.

Shard k covers the images k * shard_size ... (k + 1) * shard_size - 1 in dataset order. Its ledger has a line for
each of them: `status` is ``ok`` or ``failed``; `row` is the line of its vector in the shard, -1 if it failed;
`error_class` is a kind of `errors.PICTURE_ERRORS`, and `error` says it in words. ``meta.json`` holds ``version``,
``dataset`` and ``encoder`` (name, fingerprint; the encoder also its ``dimension`` and full ``record``), ``dtype`` (of
the vectors, which are not normalised), ``shard_size`` and ``software``; it is written once. It and ``dataset.json``
hold the ``sha256`` of all else they say (as JSON with sorted keys); `images` of the latter are ``bytes`` and ``sha256``
of ``images.parquet``. A line of ``shards.jsonl``
is ``{"shard": k, "facts": {...}}`` with ``n_ok``, ``n_failed``, for both files ``bytes`` and ``sha256``, and ``parity``
where the encoder computes in less than float32: the smallest cosine with float32 among the first pictures that the
process which made the shard was given. A later line about a shard replaces an earlier one; ``null`` for its facts
strikes it.

A file is written beside its place, synced, and renamed; of a shard first the vectors, then the ledger, then its line
in the journal. A shard counts only if the journal names it, and a line only with its line feed: what a killed run left
half-done is never read, and is written again by the next run. An embedding is complete when the journal has all its
shards. Nothing is pickled. Vectors and images are joined by `image_id`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, StoreError, some
from bioclip_probe.files import remove_temporary_files, sha256_of_file
from bioclip_probe.store.shards import (
    DATASET,
    DTYPES,
    ENCODER,
    VERSION,
    EmbeddingFolder,
    add_checksum,
    check_checksum,
    check_entries,
    check_version,
    read_json,
    remove_unfinished,
    write,
    write_json,
)
from bioclip_probe.tables import IMAGES

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder

FORMAT = "bioclip_probe store"
LOCK = ".lock"
SHARD_SIZE = 1024
SOFTWARE = ("bioclip_probe", "numpy", "pandas", "pyarrow", "pillow")

CONTENTS = (
    "dataset", "dataset_fingerprint", "encoder", "encoder_fingerprint", "dimension", "n_images", "n_ok", "n_failed",
    "simulated", "state", "folder",
)  # fmt: skip


class Store:
    """Embeddings in one folder, for any number of datasets and encoders.

    Datasets and encoders are named by the objects, or by strings: their name, or ``name@fingerprint`` where the
    store holds several of one name.

    Parameters
    ----------
    path : Path
        The folder. It may be missing or empty: the first run makes the store.

    Raises
    ------
    StoreError
        If something else lies there, or a store of another format version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path} is a file; expected the folder of a store")
        begun = self.path.iterdir() if self.path.is_dir() else ()
        if any(not entry.name.startswith((LOCK, ".store.json.")) for entry in begun):
            if not (self.path / "store.json").is_file():
                raise StoreError(f"{self.path} is not a store (it has no store.json); name another or an empty folder")
            head = read_json(self.path / "store.json")
            if head.get("format") != FORMAT:
                raise StoreError(f"{self.path} is not a store: its store.json is of something else")
            check_version(head.get("version"), self.path)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def contents(self) -> pd.DataFrame:
        """What the store holds: a row for each dataset and encoder.

        `state` is ``complete``, ``incomplete`` (a run was interrupted: run it again) or ``damaged``.
        """
        rows = []
        for meta in sorted(self.path.glob("*@*/*@*/meta.json")):
            embedded = EmbeddingFolder(meta.parent)
            dataset, encoder = embedded.meta["dataset"], embedded.meta["encoder"]
            rows.append(
                (
                    *(dataset["name"], dataset["fingerprint"], encoder["name"], encoder["fingerprint"]),
                    *(encoder["dimension"], dataset["n_images"], embedded.n_ok, embedded.n_failed),
                    *(dataset["simulated"], embedded.state(), meta.parent.relative_to(self.path).as_posix()),
                )
            )
        return pd.DataFrame(rows, columns=CONTENTS)

    def images(self, dataset: Dataset | str) -> pd.DataFrame:
        """The `IMAGES` table of a dataset in the store, in dataset order, failed images included."""
        folder = self._one(self.path.glob("*@*/dataset.json"), dataset, "dataset")
        return _read_images(folder)

    def read(self, dataset: Dataset | str, encoder: Encoder | str) -> tuple[pd.DataFrame, np.ndarray]:
        """The images that have a vector, and their vectors.

        Returns
        -------
        images : DataFrame, n rows
            The dataset's `IMAGES` table, in dataset order, without the images that failed.
        vectors : (n, d) float32 array, read-only; float16 where the store keeps them so
            As the model gave them, not normalised; row i belongs to row i of `images`. Memory-mapped where they
            lie in one shard.

        Raises
        ------
        StoreError
            If they are not there, not complete, or damaged: every shard's sha256 is checked.
        """
        embedded = self.embedding_folder(dataset, encoder)
        images = _read_images(embedded.folder.parent)
        blocks = list(embedded.blocks())
        ledger = pd.concat([rows.sort_values("row") for rows, _ in blocks], ignore_index=True)
        if set(ledger["image_id"]) != set(images["image_id"]) or len(ledger) != len(images):
            raise StoreError(f"{embedded.folder} does not fit its images.parquet; delete it and embed again")
        ok = ledger.loc[ledger["status"] == "ok", "image_id"]
        vectors = blocks[0][1] if len(blocks) == 1 else np.concatenate([vectors for _, vectors in blocks])
        kept = images[images["image_id"].isin(ok)].reset_index(drop=True)
        where = pd.Series(np.arange(len(ok)), index=ok)[kept["image_id"]].to_numpy()
        if not np.array_equal(where, np.arange(len(ok))):
            vectors = vectors[where]
        vectors.flags.writeable = False
        return kept, vectors

    def failures(self, dataset: Dataset | str, encoder: Encoder | str) -> pd.DataFrame:
        """The images without a vector, in dataset order: columns image_id, error_class, error."""
        return self.embedding_folder(dataset, encoder).failures()

    def embedding_folder(self, dataset: Dataset | str, encoder: Encoder | str) -> EmbeddingFolder:
        """The folder of one dataset and one encoder."""
        folder = self._one(self.path.glob("*@*/dataset.json"), dataset, "dataset")
        return EmbeddingFolder(self._one(folder.glob("*@*/meta.json"), encoder, "encoder"))

    def find_folder(self, dataset: Dataset, encoder: str, fingerprint: str) -> EmbeddingFolder | None:
        """What runs have left of a dataset and an encoder, complete or not; None if there is nothing yet."""
        folder = self.path / folder_name(dataset.name, dataset.fingerprint) / folder_name(encoder, fingerprint)
        return EmbeddingFolder(folder) if (folder / "meta.json").is_file() else None

    @contextmanager
    def lock_folder(self, embedded: EmbeddingFolder) -> Iterator[None]:
        """Be the one run that writes into the folder of a dataset and an encoder.

        Raises
        ------
        StoreError
            If another run does.
        """
        folder = embedded.folder
        with _lock(folder.parent / f".{folder.name}.lock", folder):
            yield

    def _home(self, dataset: Dataset) -> Path:
        """The folder of a dataset; a new store, and what it says of a new dataset, are written by one run at a time."""
        home = self.path / folder_name(dataset.name, dataset.fingerprint)
        if not (home / "dataset.json").is_file():
            _make(self.path)
            with _lock(self.path / LOCK, self.path, wait=True):
                remove_temporary_files(self.path)
                if not (self.path / "store.json").is_file():
                    write_json(self.path / "store.json", {"format": FORMAT, "version": VERSION})
                if not (home / "dataset.json").is_file():
                    _begin_dataset(home, dataset)
        if not _read_images(home)["image_id"].equals(dataset.images["image_id"].reset_index(drop=True)):
            raise StoreError(f"{home / 'images.parquet'} names other images than the dataset; delete {home}")
        return home

    def _one(self, files: Iterator[Path], wanted: object, kind: str) -> Path:
        """The folder of the dataset or encoder `wanted` among those described by `files`."""
        found = {}
        for file in sorted(files):
            about = read_description(file, kind)
            found[file.parent] = (about["name"], f"{about['name']}@{about['fingerprint']}")
        key = wanted if isinstance(wanted, str) else f"{wanted.name}@{wanted.fingerprint}"
        matching = [folder for folder, names in found.items() if key in names]
        if len(matching) == 1:
            return matching[0]
        if matching:
            several = some(found[folder][1] for folder in matching)
            raise StoreError(f"{self.path} holds several {kind}s called '{key}'; name one: {several}")
        there = f"it holds: {some(full for _, full in found.values())}" if found else "it holds none"
        raise StoreError(f"{self.path} holds no {kind} '{key}'; {there}; embed it first")

    @contextmanager
    def open_for_writing(
        self,
        dataset: Dataset,
        encoder: Encoder,
        shard_size: int = SHARD_SIZE,
        dtype: str = DTYPES[0],
        redo: Collection[str] = (),
    ) -> Iterator[EmbeddingFolder]:
        """The folder of one dataset and encoder, for one run alone to write shards into.

        An earlier run's shards, with their size and dtype, are kept, but for those to `redo`: ``damaged`` ones, and
        those with ``failed`` images. Where nothing is missing, nothing is locked. If the run fails before its first
        shard, nothing is left of it.

        Raises
        ------
        StoreError
            If another run is writing there, or what is there is damaged.
        """
        home = self._home(dataset)
        folder = home / folder_name(encoder.name, encoder.fingerprint)
        if not redo and (folder / "meta.json").is_file() and (finished := EmbeddingFolder(folder)).complete:
            finished.check_sizes()
            yield finished  # many runs may read at once, also where none may write
            return
        with _lock(home / f".{folder.name}.lock", folder):
            if not (folder / "meta.json").is_file():
                _begin_encoder(folder, dataset, encoder, shard_size, dtype)
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


def open_store(path: str | Path) -> Store:
    """The store at `path`, which must be there."""
    if not (Path(path) / "store.json").is_file():
        raise StoreError(f"there is no store at {path}; expected a folder that `embed` has written")
    return Store(path)


def _begin_dataset(home: Path, dataset: Dataset) -> None:
    """Write what the store knows of a new dataset."""
    _make(home)
    remove_temporary_files(home)
    table = io.BytesIO()
    IMAGES.frame(dataset.images[IMAGES.names]).to_parquet(table, index=False)
    written = write(home / "images.parquet", table.getvalue())
    about = {"name": dataset.name, "fingerprint": dataset.fingerprint, "simulated": dataset.simulated}
    about |= {"n_images": len(dataset.images), "notes": list(dataset.notes), "images": written}
    write_json(home / "dataset.json", add_checksum(about))


def _begin_encoder(folder: Path, dataset: Dataset, encoder: Encoder, shard_size: int, dtype: str) -> None:
    """Write the `meta.json` of a run that has no shard yet."""
    if dtype not in DTYPES:
        raise StoreError(f"a store keeps vectors as {' or '.join(DTYPES)}; got {dtype}")
    if shard_size < 1:
        raise StoreError(f"shard_size must be at least 1; got {shard_size}")
    if any(folder.glob("vectors-*.npy")):
        raise StoreError(f"{folder} is damaged: its meta.json is gone; delete it and embed again")
    _make(folder)
    meta = {
        "version": VERSION,
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "simulated": dataset.simulated,
            "n_images": len(dataset.images),
        },
        "encoder": {
            "name": encoder.name,
            "fingerprint": encoder.fingerprint,
            "dimension": int(encoder.dimension),
            "record": encoder.record,
        },
        "dtype": dtype,
        "shard_size": int(shard_size),
        "software": {name: installed(name) for name in SOFTWARE},
    }
    write_json(folder / "meta.json", add_checksum(meta))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}") from error


def folder_name(name: str, fingerprint: str) -> str:
    """The folder of a dataset or an encoder."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80]
    return f"{safe or 'unnamed'}@{fingerprint}"


def read_description(file: Path, kind: str) -> dict:
    """What `dataset.json` says of its dataset, or `meta.json` of its encoder, if it is that of its folder."""
    about = read_json(file)
    if kind == "encoder":
        check_version(about.get("version"), file.parent)
    check_checksum(about, file)
    about = about.get(kind) if kind == "encoder" else about
    if not isinstance(about, dict):
        raise StoreError(f"{file} does not hold what a store writes there; the store is damaged")
    check_entries(about, {"dataset": DATASET | {"images": dict}, "encoder": ENCODER}[kind], file)
    if file.parent.name != folder_name(about["name"], about["fingerprint"]):
        raise StoreError(f"{file} is of {about['name']}@{about['fingerprint']}, not of this folder")
    return about


def _read_images(home: Path) -> pd.DataFrame:
    if not (home / "images.parquet").is_file():
        raise StoreError(f"{home} is damaged: images.parquet is gone; delete it and embed again")
    if sha256_of_file(home / "images.parquet") != read_description(home / "dataset.json", "dataset")["images"].get(
        "sha256"
    ):
        raise StoreError(
            f"{home / 'images.parquet'} has changed since it was written (its sha256 differs); "
            f"delete {home} and embed again"
        )
    try:
        return IMAGES.read(home / "images.parquet")
    except DataError as error:
        raise StoreError(f"{error}; delete {home} and embed again") from error


@contextmanager
def _lock(path: Path, folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold `path` locked; `wait` for another run that does, or say so. However a process ends, the system frees it."""
    import fcntl  # not on Windows, where a store can be read but not written

    with ExitStack() as opened:
        try:
            file = opened.enter_context(open(path, "a"))
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise StoreError(f"another run is writing {folder}; wait until it ends, or name another store") from error
        except OSError as error:
            raise StoreError(
                f"the file system of {folder} cannot lock files ({error.strerror}), and two runs could spoil each "
                "other's work; name a store elsewhere, e.g. on a local disk"
            ) from error
        yield
