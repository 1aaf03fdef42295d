import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from bioclip_probe.datasets.readers import decoding
from bioclip_probe.datasets.readers.decoding import decode_picture
from bioclip_probe.datasets.readers.pictures import open_picture
from bioclip_probe.errors import PICTURE_ERRORS, DataError, PictureError
from bioclip_probe.limits import allow_memory
from tests.support.command_line import process
from tests.support.pictures import break_in_half, paint

RED = (255, 0, 0)


def pixel(image: Image.Image) -> tuple:
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".bmp", ".tif", ".ppm"])
def test_every_suffix_opens(tmp_path, suffix):
    image = open_picture(paint(tmp_path / f"a{suffix}", RED))
    assert image.size == (8, 6)
    np.testing.assert_allclose(pixel(image), RED, atol=3)


def test_one_pixel_is_a_picture(tmp_path):
    assert open_picture(paint(tmp_path / "a.png", RED, (1, 1))).size == (1, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "P", "CMYK", "YCbCr"])
def test_other_modes_become_rgb_as_plain_convert_makes_them(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png")
    Image.new("RGB", (5, 4), (250, 250, 250)).convert(mode).save(path)
    got = open_picture(path)
    assert np.array_equal(np.asarray(got), np.asarray(Image.open(path).convert("RGB")))
    np.testing.assert_allclose(pixel(got), (250, 250, 250), atol=6)


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_palette_with_transparency_keeps_its_colours(tmp_path, transparency):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=transparency)
    got = open_picture(tmp_path / "a.png")
    assert [got.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (0, 0, 255)]


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 255, 0), (0, 0, 255))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixel(open_picture(tmp_path / "a.gif")) == RED


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix, order):
    values = np.array([[0, 257, 32768], [40000, 65278, 65535]], dtype=order)
    Image.fromarray(values).save(tmp_path / f"a{suffix}")
    got = np.asarray(open_picture(tmp_path / f"a{suffix}"))
    assert np.array_equal(got[..., 0], np.rint(values.astype(float) / 257))
    assert np.array_equal(got[..., 0], got[..., 2])
    assert got[0, 2, 0] == 128  # Pillow's own convert gives 255


def test_exif_orientation_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.new("RGB", (8, 6), RED).save(tmp_path / "a.jpg", exif=exif)
    assert open_picture(tmp_path / "a.jpg").size == (8, 6)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".tif"])
def test_truncated_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a{suffix}")
    path = break_in_half(tmp_path / f"a{suffix}")
    with pytest.raises(DataError) as error:
        open_picture(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_corrupt_middle_is_refused(tmp_path):
    path = paint(tmp_path / "a.png", size=(64, 64))
    content = bytearray(path.read_bytes())
    start = content.index(b"IDAT") + 4
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.png: corrupt or truncated"):
        open_picture(path)


def bomb(path, side: int) -> None:
    """Write a PNG of some hundred bytes whose header says side x side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


@pytest.mark.parametrize("side", [12_300, 60_000])
def test_decompression_bombs_are_refused(tmp_path, side, monkeypatch):
    bomb(tmp_path / "a.png", side)
    if side == 12_300:  # between the sizes at which Pillow warns and refuses, our own limit holds
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(DataError, match="pixels"):
        open_picture(tmp_path / "a.png")


def test_floating_point_is_refused(tmp_path):
    Image.fromarray(np.ones((2, 2), dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="floating-point"):
        open_picture(tmp_path / "a.tif")


def test_more_than_sixteen_bits_is_refused(tmp_path):
    Image.fromarray(np.full((2, 2), 70_000, dtype=np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="expected 16 bits"):
        open_picture(tmp_path / "a.tif")


def test_lack_of_memory_is_not_reported_as_a_corrupt_picture(tmp_path, monkeypatch):
    def no_memory(image):
        raise MemoryError

    monkeypatch.setattr(decoding, "_as_rgb", no_memory)
    with pytest.raises(MemoryError):
        open_picture(paint(tmp_path / "a.png"))


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


def encode_noise(kind: str, side: int) -> bytes:
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    name, settings = KINDS[kind]
    Image.fromarray(pixels).save(buffer, name, **settings)
    return buffer.getvalue()


def outcome(content: bytes) -> str:
    """Return the kind of the error, or ok if the pixels are those of Pillow's own conversion."""
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
def test_a_picture_cut_at_any_kilobyte_is_refused(kind):
    content = encode_noise(kind, 160)
    assert outcome(content) == "ok"
    assert len(content) > 8 * 1024
    for length in range(0, len(content), 1024):  # the last cut may remove only the end mark
        assert outcome(content[:length]) != "ok" or length > len(content) - 1024, length


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits_give_a_picture_or_one_line(kind):
    content, rng = encode_noise(kind, 12), np.random.default_rng(1)
    for _ in range(N_FLIPPED):
        harmed = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(0, len(harmed), rng.integers(1, 9))
        harmed[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
        outcome(harmed.tobytes())


@pytest.mark.parametrize("kind", KINDS)
def test_a_correct_header_before_noise_gives_one_line(kind):
    rng = np.random.default_rng(2)
    for length in (2, 4, 8, 16, 32, 64):
        for _ in range(10):
            outcome(encode_noise(kind, 12)[:length] + rng.bytes(200))


def test_noise_and_text_are_no_pictures():
    rng = np.random.default_rng(3)
    assert {outcome(rng.bytes(int(n))) for n in rng.integers(1, 400, 300)} == {"no picture"}
    assert outcome(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "no picture"  # no Ghostscript is started
    assert outcome(b"") == "empty"


def test_a_small_file_that_claims_to_be_enormous():
    content = bytearray(encode_noise("bmp", 12))
    content[18:26] = (40_000).to_bytes(4, "little") * 2
    assert outcome(bytes(content)) == "too large"


def noise_of_mode(mode: str, size: tuple[int, int] = (23, 31)) -> Image.Image:
    noise = np.random.default_rng(4).integers(0, 256, (*size[::-1], 4), dtype=np.uint8)
    return Image.fromarray(noise).convert("RGB").quantize(16) if mode == "P" else Image.fromarray(noise).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("strip_pixels", [1, 100])
def test_a_picture_converted_in_strips_is_that_of_pillow(monkeypatch, mode, strip_pixels):
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", strip_pixels)
    image, buffer = noise_of_mode(mode), io.BytesIO()
    image.save(buffer, "TIFF")
    decoded = decode_picture(buffer.getvalue(), "a.tif")
    assert decoded.mode == "RGB" and decoded.size == image.size
    assert np.array_equal(np.asarray(decoded), np.asarray(Image.open(buffer).convert("RGB")))


def test_grey_of_sixteen_bits_is_scaled_in_strips(monkeypatch):
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", 100)
    values = np.arange(65536, dtype=np.uint16).reshape(512, 128)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    assert np.array_equal(np.asarray(decode_picture(buffer.getvalue(), "a.png"))[..., 1], np.rint(values / 257))


@pytest.mark.parametrize("size", [(201, 1), (1, 201), (60_000, 7)])
def test_a_line_is_no_picture(size):
    """Resized so that its shorter side is 224 pixels long, it would fill gigabytes."""
    buffer = io.BytesIO()
    Image.new("1", size).save(buffer, "PNG")
    with pytest.raises(PictureError, match="one side more than 200 times the other") as caught:
        decode_picture(buffer.getvalue(), "a.png")
    assert caught.value.kind == "unsupported"


def test_a_jpeg_of_a_thousand_scans_is_refused(monkeypatch):
    """Each scan takes the time of a whole picture and a few bytes of the file."""
    content = encode_noise("progressive", 12)
    last_scan = content[content.rindex(b"\xff\xda") : -2]
    monkeypatch.setattr(decoding, "MAX_PIXELS", 10_000)
    assert outcome(content[:-2] + 20 * last_scan + content[-2:]) == "ok"
    assert outcome(content[:-2] + 2_000 * last_scan + content[-2:]) == "too large"


@pytest.mark.parametrize(
    ("kind", "mode", "n_bytes"), [("PNG", "RGB", 4), ("PNG", "RGBA", 7), ("PNG", "L", 5), ("WEBP", "RGB", 18)]
)
def test_a_picture_that_would_take_more_memory_than_allowed_is_refused(kind, mode, n_bytes):
    buffer = io.BytesIO()
    Image.new(mode, (1000, 1000)).save(buffer, kind)
    content = buffer.getvalue()
    needed = 1_000_000 * n_bytes + len(content)
    with (
        allow_memory(needed - 1),
        pytest.raises(PictureError, match="1000 x 1000 pixels take") as caught,
    ):
        decode_picture(content, "a")
    assert caught.value.kind == "too large"
    with allow_memory(needed):
        assert decode_picture(content, "a").size == (1000, 1000)


def test_the_flag_allows_larger_pictures_and_pillow_does_not_object(monkeypatch, tmp_path):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    bomb(tmp_path / "a.png", 12_300)
    with allow_memory(2 << 30), pytest.raises(PictureError, match="truncated"):
        open_picture(tmp_path / "a.png")
    assert Image.MAX_IMAGE_PIXELS is None


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_quarter_of_the_largest_picture_takes_a_quarter_of_a_gigabyte(tmp_path, mode):
    path = tmp_path / "a.png"
    Image.new(mode, (6_100, 6_100)).save(path, compress_level=1)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from bioclip_probe.datasets.readers.pictures import open_picture\n"
        "memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = memory(); open_picture(Path(sys.argv[1])); print(memory() - before)"
    )
    done = process("-c", code, str(path))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < (1 << 18) + (1 << 14)  # kilobytes; a strip is the same for any size
