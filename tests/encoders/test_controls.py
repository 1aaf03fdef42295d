"""Controls: pixels and colours."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from bioclip_probe import encoders
from bioclip_probe.encoders import controls
from bioclip_probe.encoders.controls import color_histogram, pixels
from bioclip_probe.errors import ModelError
from tests.definitions.encoders import color_histogram as defined_histogram

rgb = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


@settings(deadline=None, max_examples=40)
@given(rgb)
def test_histogram_equals_its_definition(array):
    image = Image.fromarray(array)
    np.testing.assert_allclose(color_histogram(image), defined_histogram(image), atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(rgb, st.randoms(use_true_random=False))
def test_histogram_has_norm_one_and_ignores_the_order_of_pixels(array, random):
    vector = color_histogram(Image.fromarray(array))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    flat = array.reshape(-1, 3)
    shuffled = flat[random.sample(range(len(flat)), len(flat))].reshape(array.shape)
    np.testing.assert_array_equal(color_histogram(Image.fromarray(shuffled)), vector)


@settings(deadline=None, max_examples=40)
@given(rgb)
def test_pixels_are_never_zero(array):
    vector = pixels(Image.fromarray(array))
    assert vector.shape == (768,) and np.abs(vector).max() <= 1 and np.linalg.norm(vector) > 0


def test_pixels_of_plain_and_of_small_pictures_are_exact():
    assert (pixels(Image.new("RGB", (70, 30), (255, 255, 255))) == 1).all()
    assert (pixels(Image.new("RGB", (70, 30))) == -1).all()
    small = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_allclose(pixels(Image.fromarray(small)), small.ravel() / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize("name, dimension", [("pixels", 768), ("color-histogram", 512)])
def test_controls_are_encoders(name, dimension, pictures):
    encoder = encoders.load(name, precision="bf16")
    vectors = encoder.encode([encoder.preprocess(image) for image in pictures])
    assert vectors.shape == (3, dimension) and vectors.dtype == np.float32 and not vectors.flags.writeable
    assert encoder.record["precision"] == "fp32" and encoder.dimension == dimension and not encoder.has_text
    assert encoder.fingerprint == encoders.load(name).fingerprint
    json.dumps(encoder.record)
    with pytest.raises(ModelError, match="no text tower"):
        encoder.encode_text(["a bird"])


def test_an_unknown_control_is_refused():
    with pytest.raises(ModelError, match="unknown control 'edges'"):
        encoders.load("control:edges")


def test_encoding_leaves_a_batch_of_controls_unchanged(pictures):
    encoder = encoders.load("color-histogram")
    batch = encoder.collate([encoder.preprocess(image) for image in pictures])
    np.testing.assert_array_equal(encoder.encode(batch), batch)
    assert batch.flags.writeable  # encoding leaves what it is given as it is


def test_colours_counted_in_strips_are_those_of_the_whole_picture(monkeypatch):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8))
    whole = color_histogram(noise)
    monkeypatch.setattr(controls, "_STRIP_PIXELS", 40)
    assert np.array_equal(color_histogram(noise), whole)
