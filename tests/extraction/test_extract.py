import contextlib
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bioclip_probe import datasets
from bioclip_probe.datasets import Dataset, fingerprint_of
from bioclip_probe.errors import DataError, ModelError, StoreError
from bioclip_probe.extraction import extract
from bioclip_probe.extraction.pipeline import _threads, ahead, n_workers
from bioclip_probe.store.store import Store
from bioclip_probe.tables import IMAGES
from tests.support.pictures import MeanColour, break_in_half, paint, paint_many


@pytest.fixture
def dataset(tmp_path):
    """Ten pictures, each of another colour."""
    return table_of(tmp_path / "ten", 10)


def table_of(folder, number) -> Dataset:
    names = paint_many(folder, number)
    pd.DataFrame({"path": names, "class": "Aves"}).to_csv(folder / "labels.csv", index=False)
    return datasets.load(f"table:{folder / 'labels.csv'}")


def embed(dataset, encoder, store, **settings):
    """What one encoder makes of a dataset."""
    (found,) = extract.embed(dataset, [encoder], store, **settings)
    return found


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def colours(dataset) -> np.ndarray:
    """What `MeanColour` gives, by the plain way."""
    return np.array([np.asarray(dataset.open(source)).mean((0, 1)) / 255 for source in dataset.images["source"]])


@pytest.mark.parametrize("batch_size", [1, 3, 4, 32])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_picture_gets_its_own_vector(dataset, store, batch_size, workers):
    encoder = MeanColour()
    record = embed(dataset, encoder, store, batch_size=batch_size, workers=workers, shard_size=4, progress=False)
    assert (record.n_ok, record.n_failed, record.n_reused) == (10, 0, 0)
    assert record.images_per_s > 0
    assert record.failures.empty
    images, vectors = store.read(dataset, encoder)
    assert images["image_id"].equals(dataset.images["image_id"])
    np.testing.assert_allclose(vectors, colours(dataset), atol=1e-6)
    assert max(encoder.batches) <= batch_size
    assert len(encoder.batches) == sum(-(-n // batch_size) for n in (4, 4, 2))


def test_a_second_run_does_nothing(dataset, store):
    first = embed(dataset, MeanColour(), store, shard_size=4, progress=False)
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    encoder = MeanColour()
    second = embed(dataset, encoder, store, progress=True)
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
        embed(dataset, Interrupted(), store, batch_size=4, shard_size=4, progress=False)
    assert store.contents()["state"].tolist() == ["incomplete"]
    encoder = MeanColour()
    record = embed(dataset, encoder, store, batch_size=4, shard_size=7, progress=False)
    assert (record.n_ok, record.n_reused, encoder.batches) == (10, 8, [2])
    np.testing.assert_allclose(store.read(dataset, encoder)[1], colours(dataset), atol=1e-6)


KILLED = """
import sys, time
from bioclip_probe import datasets
from bioclip_probe.extraction.extract import embed
from bioclip_probe.store.store import Store
from tests.support.pictures import MeanColour

class Slow(MeanColour):
    def encode(self, batch):
        print("batch", flush=True)
        time.sleep(0.1)
        return super().encode(batch)

embed(datasets.load(sys.argv[1]), [Slow()], Store(sys.argv[2]), batch_size=2, shard_size=2, progress=False)
"""


def test_a_killed_run_goes_on(tmp_path, store):
    dataset = table_of(tmp_path / "forty", 40)
    spec = f"table:{tmp_path / 'forty' / 'labels.csv'}"
    run = subprocess.Popen([sys.executable, "-c", KILLED, spec, str(store.path)], stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        assert run.stdout.readline() == "batch\n"
    with pytest.raises(StoreError, match="another run is writing"):
        embed(dataset, MeanColour(), store, progress=False)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert store.contents()["state"].tolist() == ["incomplete"]
    encoder = MeanColour()
    record = embed(dataset, encoder, store, batch_size=2, progress=False)
    assert 2 <= record.n_reused < 40
    assert sum(encoder.batches) == 40 - record.n_reused
    np.testing.assert_allclose(store.read(dataset, encoder)[1], colours(dataset), atol=1e-6)


def test_a_broken_picture_is_reported_and_stops_nothing(tmp_path, store):
    dataset = table_of(tmp_path / "ten", 10)
    break_in_half(tmp_path / "ten" / "003.png")
    (tmp_path / "ten" / "007.png").write_bytes(b"")
    record = embed(dataset, MeanColour(), store, batch_size=2, shard_size=4, progress=False)
    assert (record.n_ok, record.n_failed) == (8, 2)
    assert record.failures["image_id"].tolist() == ["003.png", "007.png"]
    assert "003.png: not a picture" in record.failures["error"][0]
    assert record.failures["error"][1].endswith("007.png: the file is empty")
    images, vectors = store.read(dataset, MeanColour())
    ok = [i for i in range(10) if i not in (3, 7)]
    assert images["image_id"].tolist() == [f"{i:03d}.png" for i in ok]
    np.testing.assert_allclose(vectors[:, 0] * 255, ok, atol=1e-4)
    again = embed(dataset, MeanColour(), store, progress=False)
    assert (again.n_reused, again.failures["image_id"].tolist()) == (10, ["003.png", "007.png"])


def test_a_picture_that_preprocessing_chokes_on_is_reported(tmp_path, store):
    class Picky(MeanColour):
        def preprocess(self, image):
            if image.size == (1, 1):
                raise ValueError("too\nsmall")
            return super().preprocess(image)

    paint_many(tmp_path / "ten", 10)
    paint(tmp_path / "ten" / "004.png", size=(1, 1))
    record = embed(table_of_existing(tmp_path / "ten"), Picky(), store, progress=False)
    assert record.failures["error"].tolist() == ["004.png: preprocessing failed: ValueError: too small"]


def table_of_existing(folder) -> Dataset:
    names = sorted(path.name for path in folder.glob("*.png"))
    pd.DataFrame({"path": names, "class": "Aves"}).to_csv(folder / "labels.csv", index=False)
    return datasets.load(f"table:{folder / 'labels.csv'}")


def test_an_error_of_the_model_in_preprocessing_is_no_failed_picture(dataset, store):
    class Broken(MeanColour):
        def preprocess(self, image):
            raise ModelError("the preprocessing of this model is unknown")

    with pytest.raises(ModelError, match="is unknown"):
        embed(dataset, Broken(), store, progress=False)
    assert store.contents().empty


def test_no_usable_picture_leaves_nothing(tmp_path, store):
    dataset = table_of(tmp_path / "two", 2)
    for path in (tmp_path / "two").glob("*.png"):
        path.write_text("no picture")
    with pytest.raises(DataError, match=r"no usable image; the first failed so: .*000\.png: not a picture"):
        embed(dataset, MeanColour(), store, shard_size=1, progress=False)
    assert store.contents().empty
    assert not list(store.path.rglob("vectors-*"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda vectors: vectors[:, :2], r"gave float32 \(8, 2\), expected floats of shape \(8, 3\)"),
        (lambda vectors: vectors[:-1], r"gave float32 \(7, 3\)"),
        (lambda vectors: vectors.astype(np.int64), "gave int64"),
        (lambda vectors: vectors * np.nan, "gave vectors that are not finite for 8 images in a row, all of 000.png, 0"),
        (lambda vectors: vectors.astype(np.float64) * 1e300, "gave vectors that are not finite for 8 images in a row"),
    ],
)
def test_wrong_vectors_are_the_models_fault(dataset, store, change, reason):
    class Wrong(MeanColour):
        def encode(self, batch):
            return change(super().encode(batch))

    with pytest.raises(ModelError, match=f"encoder 'mean/colour' {reason}") as error:
        embed(dataset, Wrong(), store, batch_size=8, progress=False)
    assert "000.png" in str(error.value) or "001.png" in str(error.value)
    assert store.contents().empty


def test_an_image_whose_vector_is_not_finite_has_failed(dataset, store):
    class Overflowing(MeanColour):
        def encode(self, batch):
            vectors = super().encode(batch)
            return np.where(vectors[:, :1] > 4.5 / 255, np.inf, vectors)

    record = embed(dataset, Overflowing(), store, batch_size=10, progress=False)
    assert (record.n_ok, record.n_failed) == (5, 5)
    assert set(record.failures["error_class"]) == {"not finite"}
    assert record.failures["error"][0] == "005.png: 'mean/colour' gave values that are not finite"
    np.testing.assert_allclose(store.read(dataset, Overflowing())[1], colours(dataset)[:5], atol=1e-6)


class Named(MeanColour):
    """Another encoder, which sees pictures another way."""

    def __init__(self, name, factor=1.0, parity=None):
        super().__init__()
        self.name, self.factor, self.found = name, factor, parity
        self.fingerprint = f"{hash((name, factor)) % 16**12:012x}"
        self.record |= {"precision": "bf16"}
        self.compared = []

    def preprocess(self, image):
        return super().preprocess(image) * self.factor

    def parity(self, pictures):
        self.compared.append(len(pictures))
        return self.found


def test_several_encoders_open_each_picture_once(tmp_path, store):
    dataset = table_of(tmp_path / "ten", 10)
    (tmp_path / "ten" / "003.png").write_bytes(b"no picture")
    opened = []

    def open_counting(source):
        opened.append(source)
        return dataset.open(source)

    counting = Dataset("ten", dataset.images, open_counting, dataset.fingerprint)
    encoders = [Named("one"), Named("half", 0.5), Named("none", 0.0)]
    extract.embed(counting, encoders[:1], store, shard_size=4, batch_size=3, workers=2, progress=False)
    assert sorted(opened) == dataset.images["source"].tolist()
    opened.clear()
    found = extract.embed(counting, encoders, store, shard_size=3, batch_size=3, workers=2, progress=False)
    assert sorted(opened) == dataset.images["source"].tolist()
    assert [(one.n_ok, one.n_failed, one.n_reused) for one in found] == [(9, 1, 10), (9, 1, 0), (9, 1, 0)]
    for encoder in encoders:
        images, vectors = store.read(counting, encoder)
        wanted = np.array([np.asarray(dataset.open(source)).mean((0, 1)) / 255 for source in images["source"]])
        np.testing.assert_allclose(vectors, wanted * encoder.factor, atol=1e-6)


def test_parity_is_looked_at_once_and_kept(dataset, store):
    encoder = Named("half", parity=0.9995)
    found = embed(dataset, encoder, store, batch_size=4, shard_size=5, progress=False)
    assert encoder.compared == [4]
    assert found.parity == 0.9995
    assert [facts["parity"] for facts in store.embedded(dataset, encoder).shards.values()] == [0.9995, 0.9995]


def test_a_precision_too_far_from_float32_is_refused(dataset, store):
    with pytest.raises(ModelError, match=r"at precision bf16 is too far from fp32: .* 0\.99800 .*--precision fp32"):
        embed(dataset, Named("poor", parity=0.998), store, progress=False)
    assert store.contents().empty


class Overflows(Named):
    """In half precision some pictures do, whichever way their vectors are asked for."""

    def __init__(self, numbers, parity=0.9995):
        super().__init__("half", parity=parity)
        self.numbers = numbers

    def encode(self, batch):
        vectors = super().encode(batch)
        return np.where(np.isin(np.rint(vectors[:, :1] * 255), self.numbers), np.inf, vectors)

    def parity(self, pictures):
        if not np.isfinite(self.encode(pictures)).all():
            raise ModelError("half: vectors of pictures are not finite")
        return super().parity(pictures)


@pytest.mark.parametrize(("batch_size", "compared"), [(10, 5), (4, 1), (1, 1)])
@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor])
def test_a_picture_that_overflows_is_a_failed_row_be_it_among_the_first_or_the_last(
    dataset, store, batch_size, compared, executor, monkeypatch
):
    monkeypatch.setattr("bioclip_probe.extraction.pipeline._seen_here", {})
    encoder = Overflows([0, 1, 3, 8, 9])
    with contextlib.nullcontext() if executor is None else executor(1) as workers:
        found = embed(dataset, encoder, store, batch_size=batch_size, executor=workers, progress=False)
    assert found.failures["image_id"].tolist() == [f"00{number}.png" for number in (0, 1, 3, 8, 9)]
    assert set(found.failures["error_class"]) == {"not finite"}
    assert found.parity == 0.9995
    assert encoder.compared == [compared]  # those that did not overflow, of the first batch that has one
    np.testing.assert_allclose(store.read(dataset, encoder)[1], colours(dataset)[[2, 4, 5, 6, 7]], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4, 8, 12])
def test_an_encoder_that_overflows_for_many_in_a_row_stops_the_run(tmp_path, store, batch_size):
    dataset = table_of(tmp_path / "twenty", 24)
    reason = r"for (8|12) images in a row, all of 0..\.png.*; its weights are damaged, or its precision overflows"
    with pytest.raises(ModelError, match=reason):
        embed(dataset, Overflows(range(12, 24)), store, batch_size=batch_size, shard_size=12, progress=False)
    assert store.contents()["n_ok"].tolist() == [12]  # what was done is kept
    few = Overflows([*range(12, 19), 21])  # of the same fingerprint: the run goes on
    found = embed(dataset, few, store, batch_size=batch_size, shard_size=12, progress=False)
    assert (found.n_ok, found.n_failed, found.n_reused) == (16, 8, 12)


@pytest.mark.parametrize("most", [1, 0.15])
def test_too_many_failures_stop_the_run(tmp_path, store, most):
    dataset = table_of(tmp_path / "ten", 10)
    for name in ("001.png", "004.png", "005.png"):
        (tmp_path / "ten" / name).write_bytes(b"")
    encoder = MeanColour()
    reason = r"3 of the 6 images so far failed, more than the 1(\.5)? allowed \(3 empty\); the first: .*001\.png"
    with pytest.raises(DataError, match=reason):
        embed(dataset, encoder, store, batch_size=1, shard_size=3, max_failures=most, workers=1, progress=False)
    assert store.contents()["state"].tolist() == ["incomplete"]
    assert sum(encoder.batches) < 10
    found = embed(dataset, MeanColour(), store, max_failures=3, progress=False)
    assert (found.n_ok, found.n_failed) == (7, 3)


def test_failed_images_may_be_tried_again(tmp_path, store):
    dataset = table_of(tmp_path / "ten", 10)
    picture = tmp_path / "ten" / "004.png"
    content = picture.read_bytes()
    picture.unlink()
    embed(dataset, MeanColour(), store, shard_size=3, progress=False)
    picture.write_bytes(content)
    assert embed(dataset, MeanColour(), store, progress=False).n_failed == 1
    encoder = MeanColour()
    found = embed(dataset, encoder, store, redo=("failed",), progress=False)
    assert (found.n_ok, found.n_reused, encoder.batches) == (10, 7, [3])
    np.testing.assert_allclose(store.read(dataset, encoder)[1], colours(dataset), atol=1e-6)


def test_another_dataset_or_encoder_gets_its_own_place(dataset, store):
    other = MeanColour()
    other.fingerprint = "f" * 12
    embed(dataset, MeanColour(), store, progress=False)
    assert embed(dataset, other, store, progress=False).n_reused == 0
    images = dataset.images.iloc[:5]
    part = Dataset("part", images, dataset.open, fingerprint_of(images))
    assert embed(part, other, store, progress=False).n_reused == 0
    assert store.contents()["n_ok"].tolist() == [5, 10, 10]


def test_a_changed_file_is_embedded_again(tmp_path, store):
    embed(table_of(tmp_path / "two", 2), MeanColour(), store, progress=False)
    paint(tmp_path / "two" / "000.png", (9, 9, 9), (20, 20))
    assert (
        embed(datasets.load(f"table:{tmp_path / 'two' / 'labels.csv'}"), MeanColour(), store, progress=False).n_reused
        == 0
    )


def test_the_dataset_is_left_as_it_was(dataset, store):
    before = dataset.images.copy()
    embed(dataset, MeanColour(), store, progress=False)
    pd.testing.assert_frame_equal(dataset.images, before)


@pytest.mark.parametrize(("tasks", "size", "expected"), [(256, 1 << 31, 5), (3, 1 << 31, 3), (256, 60, 2), (256, 1, 1)])
def test_results_of_workers_wait_by_number_and_size(dataset, store, monkeypatch, tasks, size, expected):
    """Ten images in shards of two: a shard's vectors are 24 bytes."""
    monkeypatch.setattr(extract, "MOST_AT_ONCE", tasks)
    monkeypatch.setattr(extract, "MOST_BYTES", size)
    given, taken, most = [], [], []

    class Counting(ThreadPoolExecutor):
        def submit(self, *work):
            given.append(work)
            most.append(len(given) - len(taken))
            return super().submit(*work)

    landed = extract._result
    monkeypatch.setattr(extract, "_result", lambda *done: taken.append(done) or landed(*done))
    with Counting(1) as executor:
        assert embed(dataset, MeanColour(), store, shard_size=2, executor=executor, progress=False).n_ok == 10
    assert max(most) == expected


def test_pictures_wait_in_a_bounded_queue():
    """However slow the model, no more than `ahead` pictures are under way or wait for it."""
    begun = 0
    lock = threading.Lock()

    def work(item):
        nonlocal begun
        with lock:
            begun += 1
        return item

    with _threads(3) as pool:
        for taken, item in enumerate(ahead(pool, work, range(50), 7), start=1):
            time.sleep(0.002)
            assert item == taken - 1
            assert begun <= taken + 7
    assert begun == 50


def test_threads_open_pictures_while_the_model_works(store):
    """The model holds its first batch back until a picture of the next one is opened."""
    images = IMAGES.frame([{"image_id": str(i), "source": str(i), "class": "Aves"} for i in range(6)])
    next_opened = threading.Event()

    def open_picture(source):
        if source == "4":
            next_opened.set()
        return Image.new("RGB", (4, 4))

    class Waiting(MeanColour):
        def encode(self, batch):
            assert next_opened.wait(timeout=30)
            return super().encode(batch)

    dataset = Dataset("waiting", images, open_picture, fingerprint_of(images))
    assert embed(dataset, Waiting(), store, batch_size=2, workers=2, progress=False).n_ok == 6


def test_progress_is_said_in_plain_lines_where_there_is_no_terminal(dataset, store, capsys):
    embed(dataset, MeanColour(), store, progress=False)
    assert capsys.readouterr().err == ""
    other = MeanColour()
    other.fingerprint = "e" * 12
    embed(dataset, other, store, progress=True)
    assert capsys.readouterr().err.startswith("mean/colour on ten: 10 of 10 images, ")


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"workers": 0}])
def test_numbers_below_one_are_refused(dataset, store, wrong):
    with pytest.raises(DataError, match="must be at least 1"):
        embed(dataset, MeanColour(), store, **wrong)
    with pytest.raises(DataError, match="a shard holds at least 1 image; got 0"):
        embed(dataset, MeanColour(), store, shard_size=0)


def test_lines_come_now_and_then_and_each_once(dataset, store, capsys, monkeypatch):
    monkeypatch.setattr("bioclip_probe.progress.SECONDS_BETWEEN_LINES", -1.0)
    embed(dataset, MeanColour(), store, progress=True)
    said = [line.split(" images")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == [f"mean/colour on ten: {i} of 10" for i in range(1, 11)]


@pytest.mark.parametrize(
    ("device", "processors", "workers"), [("cpu", 1, 1), ("cpu", 8, 4), ("cuda:0", 8, 8), ("cuda", 64, 16)]
)
def test_a_model_on_the_processors_keeps_half_of_them(monkeypatch, device, processors, workers):
    monkeypatch.setattr("bioclip_probe.extraction.pipeline.processors", lambda: processors)
    assert n_workers([SimpleNamespace(record={"device": device})]) == workers
