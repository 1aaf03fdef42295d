"""Inspection of a store, from the store alone: what it holds, and whether that is whole and sound.

>>> status(Store("store"))        # a row for each dataset and encoder
>>> verify(Store("store"))        # a row for each thing that is wrong; none if nothing is

Neither needs the pictures or the models, and neither writes. Both take a store that a run is writing into. What is
damaged is said, and the rest is looked at all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.errors import PICTURE_ERRORS, StoreError, one_line, printable, some
from bioclip_probe.files import sha256_of_file
from bioclip_probe.progress import progress_bar
from bioclip_probe.store.shards import JOURNAL, EmbeddingFolder
from bioclip_probe.store.store import Store, folder_name, read_description
from bioclip_probe.store.text_embeddings import TEMPLATES, NameFiles, read_names

STATUS = (
    "dataset", "dataset_fingerprint", "encoder", "encoder_fingerprint", "n_images", "n_ok", "n_failed", "n_missing",
    "failures", "state", "precision", "parity", "dimension", "dtype", "shards_done", "n_shards", "bytes", "folder",
)  # fmt: skip
FINDINGS = ("folder", "check", "finding")

#: A check and what it found.
Finding = tuple[str, str]


def status(store: Store) -> pd.DataFrame:
    """How far every dataset and encoder is.

    Returns
    -------
    DataFrame
        A row for each dataset and encoder. `n_missing` are images that are neither ok nor failed yet; `failures` counts
        the failed by class, ``corrupt 3, missing 1``; `state` is ``complete``, ``incomplete``, ``running`` (a run is
        writing there now) or ``damaged``; `parity` is the smallest cosine with float32, NaN where the encoder computes
        in that; `bytes` is what the folder takes on disk. What a damaged folder does not tell is missing.
    """
    folders = sorted(meta.parent for meta in store.path.glob("*@*/*@*/meta.json"))
    rows = [_told(folder) | {"folder": printable(folder.relative_to(store.path).as_posix())} for folder in folders]
    counts = {name: "Int64" for name in STATUS if name.startswith("n_") or name in ("dimension", "shards_done")}
    return pd.DataFrame(rows, columns=STATUS).astype({**counts, "bytes": "int64", "parity": "float64"})


def _told(folder: Path) -> dict[str, object]:
    """What one encoder's folder tells of itself."""
    size = sum(path.lstat().st_size for path in _inside(folder))
    try:
        embedded = EmbeddingFolder(folder)
    except StoreError:
        return {
            "dataset": printable(folder.parent.name),
            "encoder": printable(folder.name),
            "state": "damaged",
            "bytes": size,
        }
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
        "failures": _by_class(embedded),
        "state": "running" if state == "incomplete" and is_being_written(folder) else state,
        "precision": encoder["record"].get("precision"),
        "parity": min(parities, default=np.nan),
        "dimension": encoder["dimension"],
        "dtype": str(embedded.dtype),
        "shards_done": len(embedded.shards),
        "n_shards": embedded.n_shards,
        "bytes": size,
    }


def _by_class(embedded: EmbeddingFolder) -> str | None:
    """Failed images counted by class, the most frequent first; None where a damaged ledger does not tell."""
    counts: Counter[str] = Counter()
    for shard, facts in sorted(embedded.shards.items()):
        if facts["n_failed"]:
            try:
                counts.update(embedded.ledger(shard)["error_class"].dropna())
            except StoreError:
                return None
    return ", ".join(f"{kind} {number}" for kind, number in counts.most_common())


def is_being_written(folder: Path) -> bool:
    """Whether a run holds the lock of an encoder's folder; False where locks cannot be seen."""
    try:
        import fcntl

        with open(folder.parent / f".{folder.name}.lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False


def verify(store: Store, progress: bool = True) -> pd.DataFrame:
    """Everything in a store that is not as its format says, see `bioclip_probe.store.store`.

    Parameters
    ----------
    store : Store
    progress : bool
        Show how far it is on standard error.

    Returns
    -------
    DataFrame
        Columns `folder`, `check` and `finding`: a row for each thing that is wrong, none if the store is whole and
        sound. The checks are ``record``, ``images``, ``shard`` (files, sizes, hashes), ``counts``, ``rows``,
        ``errors``, ``vectors``, ``names``, ``orphans`` (what nobody names) and ``incomplete``. Files that a run is
        writing just now are no finding; that shards are missing still is one.

    Notes
    -----
    Reads every byte. One shard is in memory at a time, and the ids of one dataset.
    """
    homes = sorted(path for path in store.path.glob("*@*") if path.is_dir())
    shards = sum(1 for _ in store.path.glob("*@*/*@*/rows-*.parquet"))
    findings = [(".", *found) for found in _orphans(store.path, {"store.json", *(home.name for home in homes)})]
    with progress_bar("verifying", 0, shards, progress, "shard") as advance:
        for home in homes:
            about, ids, of_dataset = _dataset(home)
            folders = sorted(path for path in home.glob("*@*") if path.is_dir())
            known = {"dataset.json", "images.parquet", *(folder.name for folder in folders)}
            findings += [(home.name, *found) for found in (*of_dataset, *_orphans(home, known))]
            for folder in folders:
                name = f"{home.name}/{folder.name}"
                findings += [(name, *found) for found in _encoder(store, folder, about, ids, advance)]
    # A damaged record may hold anything, and so may the name of a file.
    return pd.DataFrame([tuple(map(printable, found)) for found in findings], columns=FINDINGS)


def _inside(folder: Path) -> list[Path]:
    """What lies in a folder, but for locks and what a run took away meanwhile."""
    return [path for path in sorted(folder.iterdir()) if path.is_symlink() or path.exists()]


def _orphans(folder: Path, known: set[str]) -> Iterator[Finding]:
    """What lies in a folder and is not `known` there."""
    strays = [path.name for path in _inside(folder) if path.name not in known and not _is_lock(path)]
    if strays:
        yield "orphans", f"nobody names {some(strays)}"


def _is_lock(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".lock") and path.is_file()


def _dataset(home: Path) -> tuple[dict | None, pd.Index | None, list[Finding]]:
    """What `dataset.json` says, the ids of the images, and what is wrong with either."""
    findings: list[Finding] = []
    about = ids = None
    try:
        about = read_description(home / "dataset.json", "dataset")
    except StoreError as error:
        findings.append(("record", str(error)))
    try:
        ids = pd.Index(pd.read_parquet(home / "images.parquet", columns=["image_id"])["image_id"])
    except Exception as error:  # a Parquet file with a flipped byte makes pyarrow raise whatever it stumbles over
        reason = one_line(error)
        findings.append(("images", f"images.parquet cannot be read: {reason}"))
    if about is not None:
        findings += _amiss_in(home, about, ids)
    if ids is not None and not ids.is_unique:
        findings.append(("images", f"images.parquet names images twice: {some(ids[ids.duplicated()].unique())}"))
    return about, ids, findings


def _amiss_in(home: Path, about: dict, ids: pd.Index | None) -> Iterator[Finding]:
    """Where `dataset.json` does not fit its images."""
    if ids is not None and about["n_images"] != len(ids):
        yield "images", f"images.parquet has {len(ids)} images, dataset.json says {about['n_images']}"
    if ids is not None and about["images"].get("sha256") != sha256_of_file(home / "images.parquet"):
        yield "images", "images.parquet has changed since it was written (its sha256 differs)"


def _encoder(
    store: Store, folder: Path, about: dict | None, ids: pd.Index | None, advance: Callable[..., None]
) -> Iterator[Finding]:
    """What is wrong in one encoder's folder."""
    running = is_being_written(folder)
    try:
        embedded = EmbeddingFolder(folder)
    except StoreError as error:
        if not running or (folder / "meta.json").exists():
            yield "record", str(error)
        return
    yield from _amiss_in_meta(embedded, about)
    for shard, facts in sorted(embedded.shards.items()):
        found = list(_shard(embedded, shard, ids))
        if not (found and is_being_written(folder) and _done_again(folder, shard, facts)):
            yield from found
        advance()
    missing = embedded.missing_shards()
    if missing:
        todo = "a run is at it" if running else "embed it again to go on"
        yield "incomplete", f"{len(missing)} of {embedded.n_shards} shards are missing; {todo}"
    names = [NameFiles.in_folder(folder, templates) for templates in TEMPLATES]
    for files in names:
        yield from _names(store, embedded, files, running)
    if not running:
        known = {"meta.json", JOURNAL, *(path.name for files in names for path in files.expected())}
        known |= {path.name for shard in embedded.shards for path in embedded.files(shard).values()}
        yield from _orphans(folder, known)


def _done_again(folder: Path, shard: int, facts: dict) -> bool:
    """Whether a run replaced the shard while it was looked at."""
    try:
        return EmbeddingFolder(folder).shards.get(shard) != facts
    except StoreError:
        return False


def _amiss_in_meta(embedded: EmbeddingFolder, about: dict | None) -> Iterator[Finding]:
    """Where `meta.json` does not fit its folder, its dataset and itself."""
    dataset, encoder = embedded.meta["dataset"], embedded.meta["encoder"]
    if embedded.folder.name != folder_name(encoder["name"], encoder["fingerprint"]):
        yield "record", f"meta.json is of {encoder['name']}@{encoder['fingerprint']}, not of this folder"
    if about is not None:
        other = [key for key in ("name", "fingerprint", "simulated", "n_images") if dataset[key] != about[key]]
        if other:
            yield "record", f"meta.json and dataset.json disagree in {some(other)}"
    stated = encoder["record"].get("dimension", encoder["dimension"])
    if stated != encoder["dimension"]:
        yield "record", f"meta.json has dimension {encoder['dimension']}, its record {stated}"


def _shard(embedded: EmbeddingFolder, shard: int, ids: pd.Index | None) -> Iterator[Finding]:
    """What is wrong with one shard that the journal vouches for."""
    facts, span = embedded.shards[shard], embedded.image_slice(shard)
    n_ok, n_failed, n_images = facts["n_ok"], facts["n_failed"], span.stop - span.start
    if n_ok + n_failed != n_images:
        yield "counts", f"shard {shard}: the journal has {n_ok} ok and {n_failed} failed of {n_images} images"
    try:
        rows = embedded.ledger(shard)
    except StoreError as error:
        yield "shard", f"shard {shard}: {error}"
    else:
        counted = rows["status"].value_counts()
        if (counted.get("ok", 0), counted.get("failed", 0), len(rows)) != (n_ok, n_failed, n_ok + n_failed):
            lines = ", ".join(f"{number} {name}" for name, number in counted.items())
            yield "counts", f"shard {shard}: the ledger has {lines}, the journal {n_ok} ok and {n_failed} failed"
        yield from ((check, f"shard {shard}: {found}") for check, found in _ledger(rows))
        if ids is not None:
            yield from (("rows", f"shard {shard}: {found}") for found in _misplaced(rows["image_id"], ids, span))
    try:
        vectors = embedded.vectors(shard)
    except StoreError as error:
        yield "shard", f"shard {shard}: {error}"
    else:
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            yield "vectors", f"shard {shard}: {len(broken)} vectors are not finite: rows {some(broken)}"


def _ledger(rows: pd.DataFrame) -> Iterator[Finding]:
    """Where the lines of one ledger are at odds with themselves."""
    ok = rows["status"] == "ok"
    if not np.array_equal(np.sort(rows.loc[ok, "row"]), np.arange(ok.sum())):
        yield "rows", f"the rows of its vectors are not 0 to {ok.sum() - 1}, each once"
    if not (rows.loc[~ok, "row"] == -1).all():
        yield "rows", f"failed images have rows: {some(rows.loc[~ok & (rows['row'] != -1), 'image_id'])}"
    kind, error = rows["error_class"], rows["error"]
    silent = ~ok & (kind.isna() | error.isna())
    if silent.any():
        yield "errors", f"failed images have no error: {some(rows.loc[silent, 'image_id'])}"
    loud = ok & (kind.notna() | error.notna())
    if loud.any():
        yield "errors", f"images that are ok have an error: {some(rows.loc[loud, 'image_id'])}"
    unknown = kind[kind.notna() & ~kind.isin(list(PICTURE_ERRORS))].unique()
    if len(unknown):
        yield "errors", f"no class of error is called {some(unknown)}; expected {', '.join(PICTURE_ERRORS)}"


def _misplaced(found: pd.Series, ids: pd.Index, span: slice) -> Iterator[str]:
    """Where the images of a ledger are not those of its shard."""
    expected = ids[span]
    twice = found[found.duplicated()].unique()
    if len(twice):
        yield f"images are there twice: {some(twice)}"
    foreign = found[~found.isin(expected)]
    if len(foreign):  # looking through all ids for each shard would be quadratic
        of_others = foreign.isin(ids)
        if of_others.any():
            yield f"images belong to another shard: {some(foreign[of_others])}"
        if not of_others.all():
            yield f"images are not in images.parquet: {some(foreign[~of_others])}"
    lost = expected[~expected.isin(found)]
    if len(lost):
        yield f"images are in no ledger: {some(lost)}"


def _names(store: Store, embedded: EmbeddingFolder, files: NameFiles, running: bool) -> Iterator[Finding]:
    """What is wrong with the embedded names of taxa."""
    if files.journal.exists() and not running:
        yield "incomplete", f"{files.record.stem} were begun and not finished; embed the names again to go on"
    if not files.record.exists():
        return
    of = [f"{about['name']}@{about['fingerprint']}" for about in (embedded.meta["dataset"], embedded.meta["encoder"])]
    try:
        names = read_names(store, *of, files.templates)
    except StoreError as error:
        yield "names", str(error)
    else:
        if not np.isfinite(names.vectors).all():
            yield "names", f"{files.vectors.name} has vectors that are not finite"
