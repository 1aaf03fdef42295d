"""The two parts of a transform: bytes here, values on the device, and together what the model's own transform gives."""

from __future__ import annotations

import pickle

import numpy as np
import open_clip
import pytest
import timm
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from bioclip_probe import encoders
from bioclip_probe.encoders.pixels import split_transform
from tests.support.model_folders import picture

MODES = ("RGB", "L", "RGBA", "P", "1", "CMYK")


def open_clip_transform(resize_mode, size, interpolation):
    preprocessing = open_clip.transform.PreprocessCfg(size=size, resize_mode=resize_mode, interpolation=interpolation)
    return open_clip.transform.image_transform_v2(preprocessing, is_train=False)


def timm_transform(crop_mode, size, crop_pct):
    size = size if isinstance(size, tuple) else (size, size)
    return timm.data.create_transform(
        (3, *size), is_training=False, interpolation="bicubic", crop_mode=crop_mode, crop_pct=crop_pct
    )


TRANSFORMS = {
    "open_clip's own": open_clip_transform("shortest", 224, "bicubic"),
    "open_clip, squash": open_clip_transform("squash", 32, "bilinear"),
    "open_clip, longest": open_clip_transform("longest", 48, "bicubic"),
    "open_clip, oblong": open_clip_transform("shortest", (40, 56), "bicubic"),
    "timm, centre": timm_transform("center", 160, 0.95),
    "timm, squash": timm_transform("squash", 32, 1.0),
    "timm, border": timm_transform("border", 48, 0.9),
}


def both_parts(split, images):
    return split.normalization(torch.from_numpy(np.stack([split.pixels(image) for image in images])))


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(
    name=st.sampled_from(list(TRANSFORMS)),
    mode=st.sampled_from(MODES),
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    seed=st.integers(0, 2**32 - 1),
)
def test_both_parts_give_the_transform_bit_for_bit(name, mode, size, seed):
    transform = TRANSFORMS[name]
    image = picture(seed, size).convert(mode).convert("RGB")  # every opener returns RGB
    assume(min(transform_size(name, size)) >= 1)  # a side of none is no picture
    split = split_transform(transform)
    values = both_parts(split, [image])
    assert values.dtype == torch.float32 and values.is_contiguous()
    assert torch.equal(values[0], transform(image))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(split.pixels))(image), split.pixels(image))


def transform_size(name, size):
    """Return the sides of a picture whose longest side is 48 afterwards; others never lose a side."""
    return [round(48 * side / max(size)) for side in size] if name in ("open_clip, longest", "timm, border") else size


def test_large_pictures_too():
    image = picture(0, (2400, 1700))
    for name, transform in TRANSFORMS.items():
        assert torch.equal(both_parts(split_transform(transform), [image])[0], transform(image)), name


def test_a_batch_of_bytes_gives_the_vectors_of_values(tiny, pictures):
    for precision in ("fp32", "bf16"):
        encoder = encoders.load(f"local-dir:{tiny}", precision=precision)
        pixels = [encoder.portable_transform(image) for image in pictures]
        batch = encoder.collate(pixels)
        assert batch.dtype == torch.uint8 and batch.shape == (3, 32, 32, 3)
        expected = encoder.encode([encoder.preprocess(image) for image in pictures])
        np.testing.assert_array_equal(encoder.encode(batch), expected)
        np.testing.assert_array_equal(encoder.encode(pixels), expected)
        assert precision == "fp32" or encoder.parity(pixels) > 0.999


def test_controls_are_portable_too(pictures):
    for name in ("pixels", "color-histogram"):
        encoder = encoders.load(name)
        transform = pickle.loads(pickle.dumps(encoder.portable_transform))
        np.testing.assert_array_equal(transform(pictures[0]), encoder.preprocess(pictures[0]))


@pytest.mark.parametrize(
    "other",
    [
        lambda image: image,
        transforms.Compose([transforms.ToTensor()]),
        transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5), transforms.Grayscale()]),
        transforms.Compose([transforms.PILToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]),
    ],
)
def test_a_transform_that_ends_otherwise_stays_in_one_piece(other):
    assert split_transform(other) is None


def test_a_tail_that_computes_something_else_stays_in_one_piece():
    class Doubled(transforms.ToTensor):
        def __call__(self, image):
            return 2 * super().__call__(image)

    tail = transforms.Normalize((0.5,) * 3, (0.5,) * 3)
    assert split_transform(transforms.Compose([Doubled(), tail])) is None
    split = split_transform(transforms.Compose([transforms.ToTensor(), tail]))
    assert split.pixels(Image.new("RGB", (3, 2))).shape == (2, 3, 3)
