import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from bioclip_probe.datasets import Dataset, fingerprint_of
from bioclip_probe.errors import ModelError
from bioclip_probe.extraction import pipeline
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from bioclip_probe.tables import IMAGES
from tests.support.extraction import (
    OverflowingColour,
    ScaledColour,
    dataset_of_folder,
    extract_one,
    mean_colours,
    painted_dataset,
)
from tests.support.pictures import MeanColour, paint, paint_many


@pytest.fixture
def dataset(tmp_path):
    """Ten pictures, each of another colour."""
    return painted_dataset(tmp_path / "ten", 10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.mark.parametrize("batch_size", [1, 3, 4, 32])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_picture_has_its_own_vector(dataset, store, batch_size, workers):
    encoder = MeanColour()
    record = extract_one(dataset, encoder, store, batch_size=batch_size, workers=workers, shard_size=4)
    assert (record.n_ok, record.n_failed, record.n_reused) == (10, 0, 0)
    assert record.images_per_s > 0
    assert record.failures.empty
    images, vectors = store.read(dataset, encoder)
    assert images["image_id"].equals(dataset.images["image_id"])
    np.testing.assert_allclose(vectors, mean_colours(dataset), atol=1e-6)
    assert max(encoder.batches) <= batch_size
    assert len(encoder.batches) == sum(-(-n // batch_size) for n in (4, 4, 2))


def test_a_network_that_fails_is_told_in_one_line(dataset, store):
    class Failing(MeanColour):
        def encode(self, batch):
            raise RuntimeError("too\nlarge")

    with pytest.raises(ModelError, match=r"failed on 000\.png, .*: RuntimeError: too large$"):
        extract_one(dataset, Failing(), store)


def test_a_picture_that_fails_in_preprocessing_is_reported(tmp_path, store):
    class Picky(MeanColour):
        def preprocess(self, image):
            if image.size == (1, 1):
                raise ValueError("too\nsmall")
            return super().preprocess(image)

    paint_many(tmp_path / "ten", 10)
    paint(tmp_path / "ten" / "004.png", size=(1, 1))
    record = extract_one(dataset_of_folder(tmp_path / "ten"), Picky(), store)
    assert record.failures["error"].tolist() == ["004.png: preprocessing failed: ValueError: too small"]


def test_an_error_of_the_model_in_preprocessing_stops_the_run(dataset, store):
    class Broken(MeanColour):
        def preprocess(self, image):
            raise ModelError("the preprocessing of this model is unknown")

    with pytest.raises(ModelError, match="is unknown"):
        extract_one(dataset, Broken(), store)
    assert status(store).empty


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda vectors: vectors[:, :2], r"returned float32 \(8, 2\), expected floats of shape \(8, 3\)"),
        (lambda vectors: vectors[:-1], r"returned float32 \(7, 3\)"),
        (lambda vectors: vectors.astype(np.int64), "returned int64"),
        (
            lambda vectors: vectors * np.nan,
            "returned vectors that are not finite for 8 images in a row, all of 000.png, 0",
        ),
        (
            lambda vectors: vectors.astype(np.float64) * 1e300,
            "returned vectors that are not finite for 8 images in a row",
        ),
    ],
)
def test_wrong_vectors_stop_the_run_with_a_model_error(dataset, store, change, reason):
    class Wrong(MeanColour):
        def encode(self, batch):
            return change(super().encode(batch))

    with pytest.raises(ModelError, match=f"encoder 'mean/colour' {reason}") as error:
        extract_one(dataset, Wrong(), store, batch_size=8)
    assert "000.png" in str(error.value) or "001.png" in str(error.value)
    assert status(store).empty


def test_an_image_whose_vector_is_not_finite_counts_as_failed(dataset, store):
    class Overflowing(MeanColour):
        def encode(self, batch):
            vectors = super().encode(batch)
            return np.where(vectors[:, :1] > 4.5 / 255, np.inf, vectors)

    record = extract_one(dataset, Overflowing(), store, batch_size=10)
    assert (record.n_ok, record.n_failed) == (5, 5)
    assert set(record.failures["error_class"]) == {"not finite"}
    assert record.failures["error"][0] == "005.png: 'mean/colour' returned values that are not finite"
    np.testing.assert_allclose(store.read(dataset, Overflowing())[1], mean_colours(dataset)[:5], atol=1e-6)


def test_parity_is_computed_once_and_stored(dataset, store):
    encoder = ScaledColour("half", parity=0.9995)
    found = extract_one(dataset, encoder, store, batch_size=4, shard_size=5)
    assert encoder.compared == [4]
    assert found.parity == 0.9995
    assert [facts["parity"] for facts in store.embedding_folder(dataset, encoder).shards.values()] == [0.9995, 0.9995]


def test_a_precision_too_far_from_float32_is_refused(dataset, store):
    with pytest.raises(ModelError, match=r"at precision bf16 is too far from fp32: .* 0\.99800 .*--precision fp32"):
        extract_one(dataset, ScaledColour("poor", parity=0.998), store)
    assert status(store).empty


@pytest.mark.parametrize(("batch_size", "compared"), [(10, 5), (4, 1), (1, 1)])
@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor])
def test_a_picture_that_overflows_is_a_failed_row_wherever_it_is(
    dataset, store, batch_size, compared, executor, monkeypatch
):
    monkeypatch.setattr(pipeline, "_parities_of_this_process", {})
    encoder = OverflowingColour([0, 1, 3, 8, 9])
    with contextlib.nullcontext() if executor is None else executor(1) as workers:
        found = extract_one(dataset, encoder, store, batch_size=batch_size, executor=workers)
    assert found.failures["image_id"].tolist() == [f"00{number}.png" for number in (0, 1, 3, 8, 9)]
    assert set(found.failures["error_class"]) == {"not finite"}
    assert found.parity == 0.9995
    assert encoder.compared == [compared]  # those that did not overflow, of the first batch that has one
    np.testing.assert_allclose(store.read(dataset, encoder)[1], mean_colours(dataset)[[2, 4, 5, 6, 7]], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4, 8, 12])
def test_an_encoder_that_overflows_for_many_in_a_row_stops_the_run(tmp_path, store, batch_size):
    dataset = painted_dataset(tmp_path / "twenty", 24)
    reason = r"for (8|12) images in a row, all of 0..\.png.*; its weights are damaged, or its precision overflows"
    with pytest.raises(ModelError, match=reason):
        extract_one(dataset, OverflowingColour(range(12, 24)), store, batch_size=batch_size, shard_size=12)
    assert status(store)["n_ok"].tolist() == [12]  # what was done is kept
    few = OverflowingColour([*range(12, 19), 21])  # of the same fingerprint: the run goes on
    found = extract_one(dataset, few, store, batch_size=batch_size, shard_size=12)
    assert (found.n_ok, found.n_failed, found.n_reused) == (16, 8, 12)


class CountedPixels:
    """A transform that can be sent, and that counts the pictures of all its copies."""

    n_pictures = 0

    def __call__(self, image):
        CountedPixels.n_pictures += 1
        return np.asarray(image)


class SharingColour(ScaledColour):
    """An encoder that takes bytes, and turns them into a colour of its own."""

    portable_transform = CountedPixels()

    def encode(self, batch):
        return super().encode([picture * np.float32(self.factor / 255) for picture in batch])


def test_encoders_that_see_the_same_pixels_share_one_transform(dataset, store):
    encoders = [SharingColour("one"), ScaledColour("alone", 0.5), SharingColour("half", 0.5)]
    CountedPixels.n_pictures = 0
    for encoder in encoders:
        encoder.record["device"] = "cpu"
    extract(dataset, encoders, store, ExtractionSettings(batch_size=3, shard_size=4, progress=False))
    assert CountedPixels.n_pictures == 10
    for encoder in encoders:
        np.testing.assert_allclose(store.read(dataset, encoder)[1], mean_colours(dataset) * encoder.factor, atol=1e-6)


def test_threads_open_pictures_while_the_model_computes(store):
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
    assert extract_one(dataset, Waiting(), store, batch_size=2, workers=2).n_ok == 6
