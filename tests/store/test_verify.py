"""The findings of `verify` in stores that are sound, half done, and damaged in one way each."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import StoreError
from bioclip_probe.store.locks import is_being_written
from bioclip_probe.store.records import add_checksum
from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from bioclip_probe.store.verify import FINDINGS, verify
from tests.support.pictures import MeanColour
from tests.support.stores import VECTORS, append_forged_line, fill_store, flip_last_byte, made_up_dataset


def folder_of(store):
    return store.embedding_folder("few", "mean/colour").folder


def findings_of(store) -> list[tuple[str, str]]:
    findings = verify(store, progress=False)
    assert list(findings.columns) == list(FINDINGS)
    assert not findings["finding"].str.contains("\n").any()
    return list(findings[["check", "finding"]].itertuples(index=False, name=None))


def test_a_sound_store_has_no_finding(full):
    assert findings_of(full) == []


def test_an_empty_store(tmp_path):
    assert status(Store(tmp_path)).empty
    assert findings_of(Store(tmp_path)) == []


def half_done(store, embedded):
    """Write the first shard and what a run leaves that is killed in the second; return the status and the findings."""
    embedded.write_shard(
        0, LEDGER.frame([{"image_id": f"i{i}", "row": i, "status": "ok"} for i in (0, 1)]), np.eye(2, 3)
    )
    (embedded.folder / "vectors-00001.npy").write_bytes(b"half")
    (embedded.folder / "rows-00001.parquet.7.part").write_bytes(b"half")
    return status(store).loc[0], findings_of(store)


def test_files_that_a_run_is_writing_are_no_damage(tmp_path):
    store = Store(tmp_path)
    with store.open_for_writing(made_up_dataset(5), MeanColour(), 2) as embedded:
        told, findings = half_done(store, embedded)
        assert is_being_written(embedded.folder)
    assert told["state"] == "running"
    assert (told["n_missing"], told["shards_done"], told["n_shards"]) == (3, 1, 3)
    assert findings == [("incomplete", "2 of 3 shards are missing; a run is writing them")]
    assert not is_being_written(embedded.folder)
    assert status(store)["state"].tolist() == ["incomplete"]
    assert findings_of(store) == [
        ("incomplete", "2 of 3 shards are missing; embed it again to continue"),
        ("orphans", "no record names rows-00001.parquet.7.part, vectors-00001.npy"),
    ]


def rewrite(path, **changes):
    about = {key: value for key, value in json.loads(path.read_text()).items() if key != "sha256"}
    path.write_text(json.dumps(add_checksum(about | changes)))


def change_meta(key, **changes):
    def change(folder):
        meta = json.loads((folder / "meta.json").read_text())
        rewrite(folder / "meta.json", **{key: meta[key] | changes})

    return change


def change_images(folder):
    path = folder.parent / "images.parquet"
    pd.read_parquet(path).iloc[[0, 1, 2, 3, 3]].to_parquet(path, index=False)


def unlinked(name):
    return lambda folder: (folder / name).unlink()


DAMAGE = {
    "vectors flipped": (lambda f: flip_last_byte(f / "vectors-00001.npy"), "shard", "has changed since"),
    "ledger flipped": (lambda f: flip_last_byte(f / "rows-00001.parquet"), "shard", "has changed since"),
    "vectors gone": (unlinked("vectors-00002.npy"), "shard", "cannot be read"),
    "vectors a folder": (
        lambda f: (unlinked("vectors-00002.npy")(f), (f / "vectors-00002.npy").mkdir()),
        "shard",
        "cannot be read",
    ),
    "record of the encoder": (
        lambda f: (f / "meta.json").write_text((f / "meta.json").read_text().replace('"fp32"', '"bf16"')),
        "record",
        "meta.json has changed since it was written",
    ),
    "meta gone": (unlinked("meta.json"), "record", "meta.json cannot be read"),
    "meta of another encoder": (change_meta("encoder", fingerprint="f" * 12), "record", "not of this folder"),
    "meta of another dataset": (change_meta("dataset", simulated=False), "record", "disagree in simulated"),
    "dimension": (
        change_meta("encoder", record={"dimension": 4}),
        "record",
        "meta.json has dimension 3, its record 4",
    ),
    "dataset.json gone": (lambda f: (f.parent / "dataset.json").unlink(), "record", "dataset.json cannot be read"),
    "dataset.json of another": (
        lambda f: rewrite(f.parent / "dataset.json", fingerprint="f" * 12),
        "record",
        "not of this folder",
    ),
    "number of images": (
        lambda f: rewrite(f.parent / "dataset.json", n_images=4),
        "images",
        "images.parquet has 5 images, dataset.json says 4",
    ),
    "images gone": (lambda f: (f.parent / "images.parquet").unlink(), "images", "images.parquet cannot be read"),
    "image twice": (change_images, "images", "names images twice: i3"),
    "image lost": (change_images, "rows", "shard 2: images are not in images.parquet: i4"),
    "journal damaged": (
        lambda f: (f / "shards.jsonl").write_text("{}\n"),
        "record",
        "line 1 is not a line of a journal",
    ),
    "journal gone": (unlinked("shards.jsonl"), "incomplete", "3 of 3 shards are missing"),
    "shard copied": (
        lambda f: shutil.copy(f / "vectors-00000.npy", f / "vectors-00009.npy"),
        "orphans",
        "no record names vectors-00009.npy",
    ),
    "stray file": (lambda f: (f.parent / "notes.txt").touch(), "orphans", "no record names notes.txt"),
    "stray at the top": (lambda f: (f.parent.parent / "old").mkdir(), "orphans", "no record names old"),
    "dangling link": (lambda f: os.symlink("nowhere", f / "link"), "orphans", "no record names link"),
    "names without record": (lambda f: (f / "names.npy").touch(), "orphans", "no record names names.npy"),
    "names damaged": (lambda f: (f / "names.json").write_text("{}"), "names", "has version None"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_each_kind_of_damage_is_found(full, damage):
    do, check, words = DAMAGE[damage]
    do(folder_of(full))
    findings = findings_of(full)
    assert any(kind == check and words in text for kind, text in findings), findings


def test_a_damaged_shard_hides_no_other(full):
    folder = folder_of(full)
    flip_last_byte(folder / "vectors-00000.npy")
    (folder / "rows-00002.parquet").unlink()
    assert [check for check, _ in findings_of(full)] == ["shard", "shard"]
    assert status(full)["state"].tolist() == ["damaged"]


def forge(store, shard, rows=None, vectors=None, **facts):
    """Change a shard and list its files in the journal, as a faulty writer could leave them."""
    embedded = store.embedding_folder("few", "mean/colour")
    files = embedded.files(shard)
    if vectors is not None:
        np.save(files.vectors, vectors)
    if rows is not None:
        rows.to_parquet(files.rows, index=False)
    append_forged_line(embedded, shard, embedded.shards[shard] | facts)


def with_cells(store, shard, **cells):
    """The ledger of a shard with some columns replaced."""
    return LEDGER.frame(store.embedding_folder("few", "mean/colour").ledger(shard).assign(**cells))


FORGED = {
    "rows twice": (0, {"row": [0, 0]}, "rows", "are not 0 to 1, each once"),
    "image twice": (0, {"image_id": ["i0", "i0"]}, "rows", "images are there twice: i0"),
    "image lost": (0, {"image_id": ["i0", "i0"]}, "rows", "images are in no ledger: i1"),
    "image of another shard": (0, {"image_id": ["i0", "i2"]}, "rows", "images belong to another shard: i2"),
    "image of no dataset": (0, {"image_id": ["i0", "x"]}, "rows", "images are not in images.parquet: x"),
    "row of a failed image": (1, {"row": [0, 1]}, "rows", "failed images have rows: i3"),
    "silent failure": (1, {"error": [None, None]}, "errors", "failed images have no error: i3"),
    "no class": (1, {"error_class": [None, None]}, "errors", "failed images have no error: i3"),
    "unknown class": (1, {"error_class": [None, "odd"]}, "errors", "no class of error is called odd"),
    "no digest": (0, {"sha256": ["e", None]}, "errors", "sha256 of pictures is not 64 hexadecimal digits: i0"),
    "loud success": (0, {"error": ["e", None]}, "errors", "images that are ok have an error: i0"),
    "status": (0, {"status": ["ok", "fine"]}, "counts", "shard 0: the ledger has"),
}


@pytest.mark.parametrize("fault", FORGED)
def test_the_faults_of_a_writer_are_found(full, fault):
    shard, cells, check, words = FORGED[fault]
    forge(full, shard, rows=with_cells(full, shard, **{name: pd.Series(cell) for name, cell in cells.items()}))
    findings = findings_of(full)
    assert any(kind == check and words in text for kind, text in findings), findings


def test_counts_and_vectors_are_checked(full):
    forge(full, 0, vectors=np.array([[1, np.nan, 0], [0, 1, 0]], np.float32))
    forge(full, 1, n_failed=2)
    forge(full, 2, vectors=np.ones((1, 4), np.float32))
    findings = findings_of(full)
    assert ("vectors", "shard 0: 1 vectors are not finite: rows 0") in findings
    assert ("counts", "shard 1: the journal has 1 ok and 2 failed of 2 images") in findings
    assert any("holds float32 (1, 4), expected float32 (1, 3)" in text for _, text in findings)


def test_a_shard_that_a_run_replaces_at_that_moment_is_no_damage(full, monkeypatch):
    """The journal is read first. A run may replace a shard before `verify` looks at it."""
    from bioclip_probe.store import verify

    with full.open_for_writing(made_up_dataset(5), MeanColour(), redo=("failed",)):
        known, real = full.embedding_folder("few", "mean/colour"), verify.EmbeddingFolder
        known.shards[0] = known.shards[0] | {"vectors": {"bytes": 1, "sha256": "0" * 64}}
        given = iter([known])
        monkeypatch.setattr(verify, "EmbeddingFolder", lambda folder: next(given, None) or real(folder))
        assert findings_of(full) == [("incomplete", "1 of 3 shards are missing; a run is writing them")]


def test_a_damaged_record_hides_no_other_encoder(full):
    other = MeanColour()
    other.name, other.fingerprint = "other", "f" * 12
    fill_store(full, made_up_dataset(5), other, VECTORS)
    (folder_of(full) / "meta.json").write_text("[]")
    told = status(full).set_index("encoder")
    assert told["state"].to_dict() == {"mean-colour@0123456789ab": "damaged", "other": "complete"}
    findings = verify(full, progress=False)
    assert findings["folder"].str.endswith("mean-colour@0123456789ab").all()
    with pytest.raises(StoreError):
        full.read("few", "mean/colour")


def test_names_that_no_terminal_can_show(full):
    """Half a surrogate pair in a record, a file name that is no UTF-8."""
    folder = folder_of(full)
    rewrite(folder.parent / "dataset.json", fingerprint="\ud800")
    (folder / os.fsdecode(b"\xff")).touch()
    folder.rename(folder.with_name(os.fsdecode(b"\xff@0123456789ab")))
    findings = verify(full, progress=False)
    assert findings["finding"].str.contains("udcff", regex=False).any()
    assert findings.map(lambda text: text.isprintable()).all(axis=None)
    assert status(full)["folder"].map(str.isprintable).all()
