"""Embedded names of taxa on disk: their format, and damage to it."""

import json

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError, StoreError
from bioclip_probe.extraction.prompts import PROMPT
from bioclip_probe.extraction.text import NameSettings, embed_names
from bioclip_probe.store.records import add_checksum, write_json
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import (
    LOGIT_SCALE,
    NAMES,
    VERSION,
    NameFiles,
    open_unfinished,
    read_files,
    read_names,
    write_files,
)
from tests.support.names import LetterCounts, one_magpie, store_with_pictures
from tests.support.stores import flip_last_byte

QUIET = NameSettings(progress=False)
FACTS = {"version": VERSION, "n_texts": 2, "dimension": 3, "logit_scale": None, "n_truncated": 0}


@pytest.fixture
def few(tmp_path):
    """A store of one picture; its dataset and encoder."""
    dataset, encoder = one_magpie(), LetterCounts()
    return store_with_pictures(Store(tmp_path / "store"), dataset, encoder), dataset, encoder


def names_table() -> pd.DataFrame:
    """Return the table of two names, one of which occurs twice."""
    lines = [("genus", "Pica", 0), ("species", "Pica hudsonia", 1), ("species", "Pica pica", 1)]
    return NAMES.frame(
        {"rank": rank, "taxon": taxon, "type": "common", "text": "a photo of x.", "truncated": False, "row": row}
        for rank, taxon, row in lines
    )


def write_names(files: NameFiles, vectors: np.ndarray, **facts) -> None:
    unfinished = open_unfinished(files, {"model": "clip"}, vectors.shape)
    unfinished.append(vectors)
    write_files(files, names_table(), unfinished, FACTS | facts)


def test_written_names_are_read_back(tmp_path):
    files, vectors = NameFiles.in_folder(tmp_path, "plain"), np.arange(6, dtype=np.float32).reshape(2, 3)
    write_names(files, vectors, note="kept")
    record, table, stored = read_files(files)
    assert (record["note"], record["vectors"]["bytes"]) == ("kept", files.vectors.stat().st_size)
    pd.testing.assert_frame_equal(table, names_table())
    np.testing.assert_array_equal(stored, vectors)
    assert isinstance(stored, np.memmap) and not stored.flags.writeable
    assert sorted(files.expected()) == sorted(tmp_path.iterdir()) == sorted([files.record, files.table, files.vectors])


def test_a_model_without_a_logit_scale_gets_that_of_clip(few):
    store, dataset, encoder = few
    files = NameFiles.in_folder(store.embedding_folder(dataset, encoder).folder, "plain")
    write_names(files, np.ones((2, 3), np.float32))
    assert read_names(store, dataset, encoder).logit_scale == LOGIT_SCALE
    write_names(files, np.ones((2, 3), np.float32), logit_scale=20.0)
    assert read_names(store, dataset, encoder).logit_scale == 20


@pytest.mark.parametrize("facts", [{"n_texts": 3}, {"dimension": 4}])
def test_vectors_that_do_not_fit_their_record_are_refused(tmp_path, facts):
    files = NameFiles.in_folder(tmp_path, "plain")
    write_names(files, np.ones((2, 3), np.float32), **facts)
    with pytest.raises(StoreError, match="does not fit its table; embed the names again"):
        read_files(files)


def test_a_table_that_points_behind_the_vectors_is_refused(tmp_path):
    files = NameFiles.in_folder(tmp_path, "plain")
    write_names(files, np.ones((1, 3), np.float32), n_texts=1)
    with pytest.raises(StoreError, match="does not fit its table"):
        read_files(files)


def test_vectors_without_a_record_are_an_unfinished_run(tmp_path):
    """The run was killed after it moved the vectors and before it wrote the record."""
    files, vectors = NameFiles.in_folder(tmp_path, "plain"), np.ones((2, 3), np.float32)
    unfinished = open_unfinished(files, {"model": "clip"}, (2, 3))
    unfinished.append(vectors)
    unfinished.finish(files.vectors)
    assert files.expected() == [files.record, files.table, files.vectors, files.unfinished, files.journal]
    assert open_unfinished(files, {"model": "clip"}, (2, 3)).n_rows == 2
    assert not files.vectors.exists()


def test_kinds_of_prompts_have_files_of_their_own(tmp_path):
    plain, openai = (set(vars(NameFiles.in_folder(tmp_path, templates)).values()) for templates in ("plain", "openai"))
    assert not plain & openai
    with pytest.raises(DataError, match="names stand in prompts of plain or openai; got 'clip'"):
        NameFiles.in_folder(tmp_path, "clip")


def test_written_format(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, QUIET)
    folder = store.embedding_folder(dataset, encoder).folder
    about = json.loads((folder / "names.json").read_text())
    assert (about["version"], about["templates"], about["prompts"], about["dimension"]) == (2, "plain", [PROMPT], 3)
    assert (about["n_names"], about["n_texts"], about["n_truncated"], about["context_length"]) == (40, 17, None, None)
    assert (about["logit_scale"], about["precision"]) == (None, "fp32")
    assert about["vectors"]["bytes"] == (folder / "names.npy").stat().st_size
    assert "numpy" in about["software"]
    assert sorted(path.name for path in folder.glob("names*")) == ["names.json", "names.npy", "names.parquet"]
    assert not list(folder.glob("*.part"))


DAMAGE = {
    "vectors changed": (
        lambda folder: flip_last_byte(folder / "names.npy"),
        "names.npy has changed since it was written",
    ),
    "table changed": (lambda folder: flip_last_byte(folder / "names.parquet"), "names.parquet has changed since"),
    "vectors gone": (lambda folder: (folder / "names.npy").unlink(), "are damaged .*No such file"),
    "json cut": (lambda folder: (folder / "names.json").write_text('{"version"'), "cannot be read"),
    "json changed": (lambda folder: (folder / "names.json").write_text('{"version": 2}'), "json has changed since"),
    "json poor": (
        lambda folder: write_json(folder / "names.json", add_checksum({"version": 2})),
        "are damaged .'n_texts'",
    ),
    "json of a later one": (lambda folder: (folder / "names.json").write_text('{"version": 9}'), "has version 9"),
    "json gone": (
        lambda folder: (folder / "names.json").unlink(),
        "no embedded names .names.json.; embed them first",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_reported_in_one_line_and_repaired_by_another_run(few, damage):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, QUIET)
    expected = read_names(store, dataset, encoder).vectors.copy()
    harm, reason = DAMAGE[damage]
    harm(store.embedding_folder(dataset, encoder).folder)
    with pytest.raises(StoreError, match=reason) as error:
        read_names(store, dataset, encoder)
    assert "\n" not in str(error.value)
    assert not embed_names(store, dataset, encoder, QUIET).reused
    np.testing.assert_array_equal(read_names(store, dataset, encoder).vectors, expected)
