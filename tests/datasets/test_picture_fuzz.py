"""Damaged pictures by the thousand: each opens as Pillow opens it, or is refused in one line with its class."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from bioclip_probe.datasets.readers.pictures import decode_picture
from bioclip_probe.errors import PICTURE_ERRORS, PictureError

KINDS = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "bmp": ("BMP", {}),
}
N_FLIPPED = 300


def picture(kind: str, side: int) -> bytes:
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    name, settings = KINDS[kind]
    Image.fromarray(pixels).save(buffer, name, **settings)
    return buffer.getvalue()


def outcome(content: bytes) -> str:
    """The class of refusal, or ok: then the pixels are those of Pillow's own way."""
    try:
        image = decode_picture(content, "some.jpg")
    except PictureError as error:
        assert error.kind in PICTURE_ERRORS
        assert str(error).startswith("some.jpg: ")
        assert str(error).isprintable()
        return error.kind
    assert image.mode == "RGB"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = Image.open(io.BytesIO(content))
        assert plain.mode.startswith("I") or np.array_equal(np.asarray(image), np.asarray(plain.convert("RGB")))
    return "ok"


@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_every_kilobyte(kind):
    content = picture(kind, 160)
    assert outcome(content) == "ok"
    assert len(content) > 8 * 1024
    for length in range(0, len(content), 1024):  # of the last one little may be lacking, such as the end mark alone
        assert outcome(content[:length]) != "ok" or length > len(content) - 1024, length


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits(kind):
    content, rng = picture(kind, 12), np.random.default_rng(1)
    for _ in range(N_FLIPPED):
        harmed = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(0, len(harmed), rng.integers(1, 9))
        harmed[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
        outcome(harmed.tobytes())


@pytest.mark.parametrize("kind", KINDS)
def test_a_true_head_before_noise(kind):
    rng = np.random.default_rng(2)
    for length in (2, 4, 8, 16, 32, 64):
        for _ in range(10):
            outcome(picture(kind, 12)[:length] + rng.bytes(200))


def test_noise_and_text_are_no_pictures():
    rng = np.random.default_rng(3)
    assert {outcome(rng.bytes(int(n))) for n in rng.integers(1, 400, 300)} == {"no picture"}
    assert outcome(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "no picture"  # Ghostscript stays asleep
    assert outcome(b"") == "empty"


def test_a_small_file_that_claims_to_be_enormous():
    content = bytearray(picture("bmp", 12))
    content[18:26] = (40_000).to_bytes(4, "little") * 2
    assert outcome(bytes(content)) == "too large"
