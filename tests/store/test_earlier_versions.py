"""Stores of the version before format 3: read as they are, used where nothing changed, and named as such."""

from __future__ import annotations

import logging
import os

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.datasets import Dataset
from bioclip_probe.datasets.dataset import dataset_from_files
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.earlier_versions import known_as, notes_on_earlier_versions
from bioclip_probe.store.store import Store
from bioclip_probe.store.verify import verify
from tests.support.extraction import extract_one
from tests.support.pictures import MeanColour, paint
from tests.support.stores import VECTORS, fill_store, made_up_dataset, rewrite_as_format_2

ROWS = pd.DataFrame({"image_id": ["1", "2"], "source": ["1.png", "2.png"], "genus": "Pica", "class": "Aves"})


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    """A dataset of two picture files."""
    for number in (1, 2):
        paint(tmp_path / "pictures" / f"{number}.png", (number, 0, 0))
    return loaded(tmp_path)


@pytest.fixture
def older(tmp_path, dataset) -> Store:
    """A store of format 2 that holds the dataset."""
    store = Store(tmp_path / "store")
    extract_one(dataset, MeanColour(), store)
    rewrite_as_format_2(store, dataset)
    return Store(store.path)


def loaded(folder, rows: pd.DataFrame = ROWS) -> Dataset:
    return dataset_from_files("few", folder / "pictures", rows)


def test_an_older_store_reads_as_before(tmp_path):
    store = Store(tmp_path)
    dataset = made_up_dataset(5)
    fill_store(store, dataset, MeanColour(), VECTORS, failed={3})
    rewrite_as_format_2(store, dataset)
    images, vectors = Store(tmp_path).read("few", "mean/colour")
    assert images["image_id"].tolist() == ["i0", "i1", "i2", "i4"]
    np.testing.assert_array_equal(vectors, VECTORS[[0, 1, 2, 4]])
    embedded = store.embedding_folder("few", "mean/colour")
    assert embedded.sha256().isna().all() and len(embedded.failures()) == 1
    assert verify(store, progress=False).empty


def test_unchanged_files_are_known_by_their_earlier_fingerprint(older, dataset, caplog):
    with caplog.at_level(logging.INFO, logger="bioclip_probe"):
        known = known_as(older, dataset)
    assert known.fingerprint == dataset.earlier_fingerprint(dataset.images) != dataset.fingerprint
    assert "written by an earlier version" in known.notes[-1] and "not their content" in known.notes[-1]
    assert "written by an earlier version" in caplog.text
    encoder = MeanColour()
    (summary,) = extract(known, [encoder], older, ExtractionSettings(progress=False))
    assert (summary.n_reused, encoder.batches) == (2, [])


def test_names_may_have_changed_since(older, tmp_path):
    renamed = loaded(tmp_path, ROWS.assign(genus="Corvus"))
    assert known_as(older, renamed).fingerprint != renamed.fingerprint


@pytest.mark.parametrize("change", ["touched", "other pictures"])
def test_changed_files_are_embedded_again_and_the_log_says_so(older, tmp_path, change, caplog):
    if change == "touched":
        os.utime(tmp_path / "pictures" / "1.png", (1, 1))
        changed = loaded(tmp_path)
    else:
        changed = loaded(tmp_path, ROWS.assign(image_id=["a", "b"]))
    with caplog.at_level(logging.WARNING, logger="bioclip_probe"):
        assert known_as(older, changed) is changed
    assert "not used, an earlier version wrote it" in caplog.text


def test_the_present_fingerprint_comes_first(older, dataset):
    extract_one(dataset, MeanColour(), older)
    assert known_as(older, dataset) is dataset


def test_a_store_of_today_and_a_dataset_without_files_need_nothing(tmp_path, dataset):
    store = Store(tmp_path / "new")
    extract_one(dataset, MeanColour(), store)
    assert known_as(store, dataset) is dataset
    assert notes_on_earlier_versions(store) == []
    made_up, store = made_up_dataset(5), Store(tmp_path / "made up")
    fill_store(store, made_up, MeanColour(), VECTORS)
    rewrite_as_format_2(store, made_up)  # its fingerprint is the same in both versions
    assert known_as(store, made_up) is made_up


def test_notes_name_what_an_earlier_version_wrote(older):
    (note,) = notes_on_earlier_versions(older)
    assert note.startswith("few@") and "written by an earlier version (format 2)" in note


def test_a_run_goes_on_in_an_older_folder(tmp_path, dataset):
    store = Store(tmp_path / "store")
    extract_one(dataset, MeanColour(), store, shard_size=1)
    rewrite_as_format_2(store, dataset)
    known = known_as(store, dataset)
    store.embedding_folder(known, MeanColour()).drop_shards([1])
    extract_one(known, MeanColour(), store)
    digests = store.embedding_folder(known, MeanColour()).sha256()
    assert digests.isna().tolist() == [True, False]
    assert verify(store, progress=False).empty
