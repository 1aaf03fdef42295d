"""Inspection of a store: everything in it that is damaged or does not fit together.

Neither the pictures nor the models are needed, and nothing is written. A run may be writing into the store meanwhile.
Damage in one place does not stop the inspection of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.errors import PICTURE_ERRORS, StoreError, one_line, printable, some
from bioclip_probe.files import sha256_of_file
from bioclip_probe.progress import progress_bar
from bioclip_probe.store.descriptions import folder_name, read_description
from bioclip_probe.store.journal import JOURNAL, ShardFacts
from bioclip_probe.store.locks import is_being_written
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import NameFiles, read_names
from bioclip_probe.tables import TEMPLATES

FINDINGS = ("folder", "check", "finding")

#: Name of a check, and what it found.
Finding = tuple[str, str]


def verify(store: Store, progress: bool = True) -> pd.DataFrame:
    """Return everything in a store that is not as its format says, see `bioclip_probe.store.store`.

    Parameters
    ----------
    store : Store
    progress : bool
        Show the progress on standard error.

    Returns
    -------
    DataFrame
        Columns `folder`, `check` and `finding`: one row for each problem, none if the store is sound. The checks are
        ``record``, ``images``, ``shard`` (files, sizes, hashes), ``counts``, ``rows``, ``errors``, ``vectors``,
        ``names``, ``orphans`` (files that no record names) and ``incomplete``. Files that a run is writing at this
        moment are no finding, but missing shards are.

    Notes
    -----
    Every byte is read. One shard at a time is in memory, and the ids of one dataset.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     (Path(folder) / "store.json").write_text('{"format": "bioclip_probe store", "version": 2}') > 0
    ...     _ = (Path(folder) / "notes.txt").write_text("mine")
    ...     verify(Store(folder))["finding"].tolist()
    True
    ['no record names notes.txt']
    """
    homes = sorted(path for path in store.path.glob("*@*") if path.is_dir())
    n_shards = sum(1 for _ in store.path.glob("*@*/*@*/rows-*.parquet"))
    findings = [(".", *finding) for finding in _orphans(store.path, {"store.json", *(home.name for home in homes)})]
    with progress_bar("verifying", 0, n_shards, progress, "shard") as advance:
        for home in homes:
            dataset = _DatasetRecords.read(home)
            folders = sorted(path for path in home.glob("*@*") if path.is_dir())
            known = {"dataset.json", "images.parquet", *(folder.name for folder in folders)}
            findings += [(home.name, *finding) for finding in (*dataset.findings, *_orphans(home, known))]
            for folder in folders:
                name = f"{home.name}/{folder.name}"
                findings += [(name, *finding) for finding in _encoder_findings(store, folder, dataset, advance)]
    # A damaged record may hold anything, and so may the name of a file.
    return pd.DataFrame([tuple(map(printable, finding)) for finding in findings], columns=FINDINGS)


def _orphans(folder: Path, known: set[str]) -> Iterator[Finding]:
    """Yield a finding if a folder holds files other than the `known` ones and locks."""
    present = [path for path in sorted(folder.iterdir()) if path.is_symlink() or path.exists()]
    strays = [path.name for path in present if path.name not in known and not _is_lock(path)]
    if strays:
        yield "orphans", f"no record names {some(strays)}"


def _is_lock(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".lock") and path.is_file()


@dataclass(frozen=True, eq=False)
class _DatasetRecords:
    """The records of a dataset, and what is wrong with them.

    Attributes
    ----------
    description : dict or None
        Content of `dataset.json`; None if it is damaged.
    ids : Index or None
        The ids in `images.parquet`; None if it cannot be read.
    findings : list
    """

    description: dict[str, Any] | None
    ids: pd.Index | None
    findings: list[Finding]

    @classmethod
    def read(cls, home: Path) -> _DatasetRecords:
        findings: list[Finding] = []
        description = ids = None
        try:
            description = read_description(home / "dataset.json", "dataset")
        except StoreError as error:
            findings.append(("record", str(error)))
        try:
            ids = pd.Index(pd.read_parquet(home / "images.parquet", columns=["image_id"])["image_id"])
        except Exception as error:  # for a Parquet file with a flipped byte, pyarrow raises many kinds of exceptions
            findings.append(("images", f"images.parquet cannot be read: {one_line(error)}"))
        if description is not None and ids is not None:
            findings += _images_findings(home, description, ids)
        if ids is not None and not ids.is_unique:
            findings.append(("images", f"images.parquet names images twice: {some(ids[ids.duplicated()].unique())}"))
        return cls(description, ids, findings)


def _images_findings(home: Path, description: dict[str, Any], ids: pd.Index) -> Iterator[Finding]:
    """Yield where `images.parquet` does not fit `dataset.json`."""
    if description["n_images"] != len(ids):
        yield "images", f"images.parquet has {len(ids)} images, dataset.json says {description['n_images']}"
    if description["images"].get("sha256") != sha256_of_file(home / "images.parquet"):
        yield "images", "images.parquet has changed since it was written (its sha256 differs)"


def _encoder_findings(
    store: Store, folder: Path, dataset: _DatasetRecords, advance: Callable[..., object]
) -> Iterator[Finding]:
    """Yield what is wrong in one encoder's folder."""
    running = is_being_written(folder)
    try:
        embedded = EmbeddingFolder(folder)
    except StoreError as error:
        if not running or (folder / "meta.json").exists():
            yield "record", str(error)
        return
    yield from _meta_findings(embedded, dataset.description)
    for shard, facts in sorted(embedded.shards.items()):
        findings = list(_shard_findings(embedded, shard, dataset.ids))
        if not (findings and is_being_written(folder) and _was_replaced(folder, shard, facts)):
            yield from findings
        advance()
    missing = embedded.missing_shards()
    if missing:
        advice = "a run is writing them" if running else "embed it again to continue"
        yield "incomplete", f"{len(missing)} of {embedded.n_shards} shards are missing; {advice}"
    name_files = [NameFiles.in_folder(folder, templates) for templates in TEMPLATES]
    for files in name_files:
        yield from _names_findings(store, embedded, files, running)
    if not running:
        known = {"meta.json", JOURNAL, *(path.name for files in name_files for path in files.expected())}
        known |= {path.name for shard in embedded.shards for path in vars(embedded.files(shard)).values()}
        yield from _orphans(folder, known)


def _was_replaced(folder: Path, shard: int, facts: ShardFacts) -> bool:
    """Return True if a run has replaced the shard since its facts were read."""
    try:
        return EmbeddingFolder(folder).shards.get(shard) != facts
    except StoreError:
        return False


def _meta_findings(embedded: EmbeddingFolder, description: dict[str, Any] | None) -> Iterator[Finding]:
    """Yield where `meta.json` does not fit its folder, its dataset or itself."""
    dataset, encoder = embedded.meta["dataset"], embedded.meta["encoder"]
    if embedded.folder.name != folder_name(encoder["name"], encoder["fingerprint"]):
        yield "record", f"meta.json is of {encoder['name']}@{encoder['fingerprint']}, not of this folder"
    if description is not None:
        keys = ("name", "fingerprint", "simulated", "n_images")
        different = [key for key in keys if dataset[key] != description[key]]
        if different:
            yield "record", f"meta.json and dataset.json disagree in {some(different)}"
    stated = encoder["record"].get("dimension", encoder["dimension"])
    if stated != encoder["dimension"]:
        yield "record", f"meta.json has dimension {encoder['dimension']}, its record {stated}"


def _shard_findings(embedded: EmbeddingFolder, shard: int, ids: pd.Index | None) -> Iterator[Finding]:
    """Yield what is wrong with one shard in the journal."""
    facts, span = embedded.shards[shard], embedded.image_slice(shard)
    n_ok, n_failed, n_images = facts["n_ok"], facts["n_failed"], span.stop - span.start
    if n_ok + n_failed != n_images:
        yield "counts", f"shard {shard}: the journal has {n_ok} ok and {n_failed} failed of {n_images} images"
    try:
        lines = embedded.ledger(shard)
    except StoreError as error:
        yield "shard", f"shard {shard}: {error}"
    else:
        counts = lines["status"].value_counts()
        if (counts.get("ok", 0), counts.get("failed", 0), len(lines)) != (n_ok, n_failed, n_ok + n_failed):
            listed = ", ".join(f"{number} {name}" for name, number in counts.items())
            yield "counts", f"shard {shard}: the ledger has {listed}, the journal {n_ok} ok and {n_failed} failed"
        yield from ((check, f"shard {shard}: {finding}") for check, finding in _ledger_findings(lines))
        if ids is not None:
            yield from (("rows", f"shard {shard}: {finding}") for finding in _image_problems(lines, ids, span))
    try:
        vectors = embedded.vectors(shard)
    except StoreError as error:
        yield "shard", f"shard {shard}: {error}"
    else:
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            yield "vectors", f"shard {shard}: {len(broken)} vectors are not finite: rows {some(broken)}"


def _ledger_findings(lines: pd.DataFrame) -> Iterator[Finding]:
    """Yield where the lines of one ledger contradict each other or themselves."""
    ok, ids = lines["status"] == "ok", lines["image_id"]
    if not np.array_equal(np.sort(lines.loc[ok, "row"]), np.arange(ok.sum())):
        yield "rows", f"the rows of its vectors are not 0 to {ok.sum() - 1}, each once"
    if not (lines.loc[~ok, "row"] == -1).all():
        yield "rows", f"failed images have rows: {some(ids[~ok & (lines['row'] != -1)])}"
    kind, error = lines["error_class"], lines["error"]
    without_error = ~ok & (kind.isna() | error.isna())
    if without_error.any():
        yield "errors", f"failed images have no error: {some(ids[without_error])}"
    with_error = ok & (kind.notna() | error.notna())
    if with_error.any():
        yield "errors", f"images that are ok have an error: {some(ids[with_error])}"
    malformed = ids[lines["sha256"].notna() & ~lines["sha256"].str.fullmatch("[0-9a-f]{64}", na=False)]
    if len(malformed):
        yield "errors", f"the sha256 of pictures is not 64 hexadecimal digits: {some(malformed)}"
    unknown = kind[kind.notna() & ~kind.isin(list(PICTURE_ERRORS))].unique()
    if len(unknown):
        yield "errors", f"no class of error is called {some(unknown)}; expected {', '.join(PICTURE_ERRORS)}"


def _image_problems(lines: pd.DataFrame, ids: pd.Index, span: slice) -> Iterator[str]:
    """Yield where the images of a ledger are not those of its shard."""
    listed, expected = lines["image_id"], ids[span]
    twice = listed[listed.duplicated()].unique()
    if len(twice):
        yield f"images are there twice: {some(twice)}"
    foreign = listed[~listed.isin(expected)]
    if len(foreign):  # a search through all ids for every shard would be quadratic
        of_other_shard = foreign.isin(ids)
        if of_other_shard.any():
            yield f"images belong to another shard: {some(foreign[of_other_shard])}"
        if not of_other_shard.all():
            yield f"images are not in images.parquet: {some(foreign[~of_other_shard])}"
    lost = expected[~expected.isin(listed)]
    if len(lost):
        yield f"images are in no ledger: {some(lost)}"


def _names_findings(store: Store, embedded: EmbeddingFolder, files: NameFiles, running: bool) -> Iterator[Finding]:
    """Yield what is wrong with the embedded names of taxa."""
    if files.journal.exists() and not running:
        yield "incomplete", f"{files.record.stem} are not finished; embed the names again to continue"
    if not files.record.exists():
        return
    records = (embedded.meta["dataset"], embedded.meta["encoder"])
    dataset, encoder = (f"{record['name']}@{record['fingerprint']}" for record in records)
    try:
        names = read_names(store, dataset, encoder, files.templates)
    except StoreError as error:
        yield "names", str(error)
    else:
        if not np.isfinite(names.vectors).all():
            yield "names", f"{files.vectors.name} has vectors that are not finite"
