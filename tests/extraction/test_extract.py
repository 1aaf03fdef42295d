import hashlib
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import datasets
from bioclip_probe.datasets import Dataset, fingerprint_of
from bioclip_probe.errors import DataError, StoreError
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from bioclip_probe.tables import IMAGES
from tests.support.extraction import (
    OddPictures,
    ScaledColour,
    extract_one,
    mean_colours,
    painted_dataset,
)
from tests.support.pictures import MeanColour, break_in_half, paint


@pytest.fixture
def dataset(tmp_path):
    """Ten pictures, each of another colour."""
    return painted_dataset(tmp_path / "ten", 10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_second_run_does_nothing(dataset, store):
    first = extract_one(dataset, MeanColour(), store, shard_size=4)
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    encoder = MeanColour()
    second = extract_one(dataset, encoder, store, progress=True)
    assert encoder.batches == []
    assert (second.n_ok, second.n_failed, second.n_reused) == (10, 0, 10)
    assert np.isnan(second.images_per_s)
    assert {path: path.stat().st_mtime_ns for path in first.folder.iterdir()} == before


class Interrupted(MeanColour):
    """Somebody presses Control-C during the third batch."""

    def encode(self, batch):
        if len(self.batches) == 2:
            raise KeyboardInterrupt
        return super().encode(batch)


def test_an_interrupted_run_goes_on_with_the_missing_shards(dataset, store):
    with pytest.raises(KeyboardInterrupt):
        extract_one(dataset, Interrupted(), store, batch_size=4, shard_size=4)
    assert status(store)["state"].tolist() == ["incomplete"]
    encoder = MeanColour()
    record = extract_one(dataset, encoder, store, batch_size=4, shard_size=7)
    assert (record.n_ok, record.n_reused, encoder.batches) == (10, 8, [2])
    np.testing.assert_allclose(store.read(dataset, encoder)[1], mean_colours(dataset), atol=1e-6)


KILLED = """
import sys, time
from bioclip_probe import datasets
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.pictures import MeanColour

class Slow(MeanColour):
    def encode(self, batch):
        print("batch", flush=True)
        time.sleep(0.1)
        return super().encode(batch)

settings = ExtractionSettings(batch_size=2, shard_size=2, progress=False)
extract(datasets.load(sys.argv[1]), [Slow()], Store(sys.argv[2]), settings)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, store):
    dataset = painted_dataset(tmp_path / "forty", 40)
    spec = f"table:{tmp_path / 'forty' / 'labels.csv'}"
    run = subprocess.Popen([sys.executable, "-c", KILLED, spec, str(store.path)], stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        assert run.stdout.readline() == "batch\n"
    with pytest.raises(StoreError, match="another run is writing"):
        extract_one(dataset, MeanColour(), store)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert status(store)["state"].tolist() == ["incomplete"]
    encoder = MeanColour()
    record = extract_one(dataset, encoder, store, batch_size=2)
    assert 2 <= record.n_reused < 40
    assert sum(encoder.batches) == 40 - record.n_reused
    np.testing.assert_allclose(store.read(dataset, encoder)[1], mean_colours(dataset), atol=1e-6)


def test_a_broken_picture_is_reported_and_does_not_stop_the_run(tmp_path, store):
    dataset = painted_dataset(tmp_path / "ten", 10)
    break_in_half(tmp_path / "ten" / "003.png")
    (tmp_path / "ten" / "007.png").write_bytes(b"")
    record = extract_one(dataset, MeanColour(), store, batch_size=2, shard_size=4)
    assert (record.n_ok, record.n_failed) == (8, 2)
    assert record.failures["image_id"].tolist() == ["003.png", "007.png"]
    assert "003.png: not a picture" in record.failures["error"][0]
    assert record.failures["error"][1].endswith("007.png: the file is empty")
    images, vectors = store.read(dataset, MeanColour())
    ok = [i for i in range(10) if i not in (3, 7)]
    assert images["image_id"].tolist() == [f"{i:03d}.png" for i in ok]
    np.testing.assert_allclose(vectors[:, 0] * 255, ok, atol=1e-4)
    again = extract_one(dataset, MeanColour(), store)
    assert (again.n_reused, again.failures["image_id"].tolist()) == (10, ["003.png", "007.png"])


def test_a_dataset_without_a_usable_picture_leaves_nothing_in_the_store(tmp_path, store):
    dataset = painted_dataset(tmp_path / "two", 2)
    for path in (tmp_path / "two").glob("*.png"):
        path.write_text("no picture")
    with pytest.raises(DataError, match=r"no usable image; the first error: .*000\.png: not a picture"):
        extract_one(dataset, MeanColour(), store, shard_size=1)
    assert status(store).empty
    assert not list(store.path.rglob("vectors-*"))


@pytest.mark.slow
def test_several_encoders_open_each_picture_once(tmp_path, store):
    dataset = painted_dataset(tmp_path / "ten", 10)
    (tmp_path / "ten" / "003.png").write_bytes(b"no picture")
    opened = []

    def open_counting(source):
        opened.append(source)
        return dataset.open(source)

    counting = Dataset("ten", dataset.images, open_counting, dataset.fingerprint)
    encoders = [ScaledColour("one"), ScaledColour("half", 0.5), ScaledColour("none", 0.0)]
    extract(counting, encoders[:1], store, ExtractionSettings(batch_size=3, workers=2, shard_size=4, progress=False))
    assert sorted(opened) == dataset.images["source"].tolist()
    opened.clear()
    found = extract(
        counting, encoders, store, ExtractionSettings(batch_size=3, workers=2, shard_size=3, progress=False)
    )
    assert sorted(opened) == dataset.images["source"].tolist()
    assert [(one.n_ok, one.n_failed, one.n_reused) for one in found] == [(9, 1, 10), (9, 1, 0), (9, 1, 0)]
    for encoder in encoders:
        images, vectors = store.read(counting, encoder)
        wanted = np.array([np.asarray(dataset.open(source)).mean((0, 1)) / 255 for source in images["source"]])
        np.testing.assert_allclose(vectors, wanted * encoder.factor, atol=1e-6)


@pytest.mark.parametrize("most", [1, 0.15])
def test_too_many_failures_stop_the_run(tmp_path, store, most):
    dataset = painted_dataset(tmp_path / "ten", 10)
    for name in ("001.png", "004.png", "005.png"):
        (tmp_path / "ten" / name).write_bytes(b"")
    encoder = MeanColour()
    reason = r"3 of the 6 images so far failed, more than the 1(\.5)? allowed \(3 empty\); the first: .*001\.png"
    with pytest.raises(DataError, match=reason):
        extract_one(dataset, encoder, store, batch_size=1, shard_size=3, max_failures=most, workers=1)
    assert status(store)["state"].tolist() == ["incomplete"]
    assert sum(encoder.batches) < 10
    found = extract_one(dataset, MeanColour(), store, max_failures=3)
    assert (found.n_ok, found.n_failed) == (7, 3)


def test_failed_images_can_be_embedded_again(tmp_path, store):
    dataset = painted_dataset(tmp_path / "ten", 10)
    picture = tmp_path / "ten" / "004.png"
    content = picture.read_bytes()
    picture.unlink()
    extract_one(dataset, MeanColour(), store, shard_size=3)
    picture.write_bytes(content)
    assert extract_one(dataset, MeanColour(), store).n_failed == 1
    encoder = MeanColour()
    found = extract_one(dataset, encoder, store, redo=("failed",))
    assert (found.n_ok, found.n_reused, encoder.batches) == (10, 7, [3])
    np.testing.assert_allclose(store.read(dataset, encoder)[1], mean_colours(dataset), atol=1e-6)


def test_another_dataset_or_encoder_has_its_own_folder(dataset, store):
    other = MeanColour()
    other.fingerprint = "f" * 12
    extract_one(dataset, MeanColour(), store)
    assert extract_one(dataset, other, store).n_reused == 0
    images = dataset.images.iloc[:5]
    part = Dataset("part", images, dataset.open, fingerprint_of(images))
    assert extract_one(part, other, store).n_reused == 0
    assert status(store)["n_ok"].tolist() == [5, 10, 10]


def test_a_changed_file_is_embedded_again(tmp_path, store):
    extract_one(painted_dataset(tmp_path / "two", 2), MeanColour(), store)
    paint(tmp_path / "two" / "000.png", (9, 9, 9), (20, 20))
    assert extract_one(datasets.load(f"table:{tmp_path / 'two' / 'labels.csv'}"), MeanColour(), store).n_reused == 0


def test_extraction_does_not_change_the_dataset(dataset, store):
    before = dataset.images.copy()
    extract_one(dataset, MeanColour(), store)
    pd.testing.assert_frame_equal(dataset.images, before)


def test_without_a_terminal_progress_is_shown_in_plain_lines(dataset, store, capsys):
    extract_one(dataset, MeanColour(), store)
    assert capsys.readouterr().err == ""
    other = MeanColour()
    other.fingerprint = "e" * 12
    extract_one(dataset, other, store, progress=True)
    assert capsys.readouterr().err.startswith("mean/colour on ten: 10 of 10 images, ")


def test_every_line_of_progress_is_printed_once(dataset, store, capsys, monkeypatch):
    monkeypatch.setattr("bioclip_probe.progress.SECONDS_BETWEEN_LINES", -1.0)
    extract_one(dataset, MeanColour(), store, progress=True)
    said = [line.split(" images")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == [f"mean/colour on ten: {i} of 10" for i in range(1, 11)]


def test_the_ledger_holds_the_sha256_of_each_picture(tmp_path):
    dataset = painted_dataset(tmp_path / "pictures", 4)
    (tmp_path / "pictures" / "001.png").write_bytes(b"no picture")
    (tmp_path / "pictures" / "002.png").unlink()
    store = Store(tmp_path / "store")
    extract_one(dataset, MeanColour(), store, shard_size=3)
    embedded = store.embedding_folder(dataset, MeanColour())
    rows = pd.concat([embedded.ledger(shard) for shard in range(2)])
    expected = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "pictures").glob("*.png")
    }
    assert rows.set_index("image_id")["sha256"].dropna().to_dict() == expected
    assert rows["status"].tolist() == ["ok", "failed", "failed", "ok"]


def test_pictures_without_bytes_have_no_sha256(tmp_path):
    images = IMAGES.frame([{"image_id": color, "source": color} for color in ("red", "teal")])
    dataset = Dataset("colours", images, OddPictures(), fingerprint_of(images))
    store = Store(tmp_path / "store")
    extract_one(dataset, MeanColour(), store)
    assert store.embedding_folder(dataset, MeanColour()).ledger(0)["sha256"].isna().all()
