"""Decoding of pictures to RGB, within a limit of memory that is checked before it is taken.

An encoder gets what the users of open_clip give it, ``Image.open(path).convert("RGB")``: transparency is dropped, an
animation gives its first frame, and the EXIF orientation is *not* applied. There is one exception: Pillow clips 16-bit
greyscale to white, which destroys the picture, so this module scales 0..65535 to 0..255.

The bytes decide which format a file has, not its name. Only the formats in `FORMATS` are opened: Pillow knows many
more, and would run Ghostscript on an EPS file from an unknown source.

A picture takes no more than `limits.max_memory`, 1 GB, from its bytes to the pixels in RGB. The largest RGB picture,
of 150 million pixels, takes 600 MB; where another form must be converted, that is done in strips, and its pixels are
released before those in RGB are made.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin

from bioclip_probe.errors import PictureError, one_line
from bioclip_probe.limits import DEFAULT_BYTES, format_size, max_memory

#: Pillow's names for the formats that are opened. Its JPEG also opens the MPO files of phones: their first picture.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

#: A small file can claim to be an enormous picture and fill the memory. The largest herbarium scans have fewer pixels.
MAX_PIXELS = 150_000_000
#: Transforms make the shorter side of a picture a few hundred pixels long, so a line of one pixel would fill gigabytes.
MAX_ASPECT = 200
#: Each scan of a progressive JPEG takes the time of a whole picture. It has ten or so; a file of some kilobytes can
#: have thousands. So many are opened of a picture of `MAX_PIXELS`, and more of a smaller one.
MAX_SCANS = 20

# Bytes of a pixel in Pillow's memory; in all other modes, four.
_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
# WebP's decoder keeps two canvases of four bytes a pixel, and hands out a third.
_WEBP_BYTES = 14
# TIFF's numbers for the sides of a tile.
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_STRIP_PIXELS = 1 << 20
# Pillow warns about odd EXIF data or one TIFF tag too many; these say nothing about the pixels.
_PILLOW_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def decode_picture(content: bytes, name: object) -> Image.Image:
    """Decode the bytes of a picture file to RGB, 8 bits a channel.

    Parameters
    ----------
    content : bytes
        A file in one of `FORMATS`.
    name : object
        Name of the picture, for error messages.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, loaded.

    Raises
    ------
    PictureError
        If the content is empty, no picture, corrupt, truncated, too large, very long and narrow, or in colours that
        cannot become RGB without guessing. The message is one line: the name and the reason.

    Examples
    --------
    >>> decode_picture(b"", "magpie.jpg")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: magpie.jpg: the file is empty
    """
    if not content:
        raise PictureError(f"{name}: the file is empty", "empty")
    _set_pillow_options()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(image, content)
            image.load()
            return _as_rgb(image)
    except MemoryError:
        raise
    except _Refusal as reason:
        raise PictureError(f"{name}: {reason}", reason.kind) from None
    except Image.UnidentifiedImageError:
        raise PictureError(
            f"{name}: not a picture ({', '.join(FORMATS)}), or its header is corrupt", "no picture"
        ) from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name}: {error}", "too large") from None
    except Exception as error:  # Pillow's decoders raise many types: struct.error, KeyError, SyntaxError
        raise PictureError(f"{name}: corrupt or truncated ({one_line(error)})") from error


def _set_pillow_options() -> None:
    """Set the options of Pillow that hold for the whole process, if another library changed them.

    None can be set for one thread alone, or be restored while other threads decode, so they stay set. Truncated
    pictures must be refused, not filled with grey. Pillow's warnings must neither be printed for each picture nor,
    where warnings are errors, lose a good one. Its own limit of pixels gives way where a user raised ours.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    if max_memory() > DEFAULT_BYTES and Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = None
    if warnings.filters[:1] != [_PILLOW_FILTER]:  # a filter in front of it would win
        warnings.filterwarnings("ignore", module=_PILLOW_FILTER[3].pattern)


class _Refusal(Exception):
    """Reason why a picture that opens is not used."""

    def __init__(self, reason: str, kind: str) -> None:
        super().__init__(reason)
        self.kind = kind


def _check_size(image: Image.Image, content: bytes) -> None:
    """Refuse a picture that would take much memory or time, before its pixels are read."""
    width, height = image.size
    allowed = max_memory()
    max_pixels = MAX_PIXELS * max(allowed, DEFAULT_BYTES) // DEFAULT_BYTES
    more = "; if the picture is right, allow it with --max-memory"
    if width * height > max_pixels:
        raise _Refusal(f"{width} x {height} pixels are more than the {max_pixels:,} allowed{more}", "too large")
    if max(image.size) > MAX_ASPECT * min(image.size):
        raise _Refusal(f"{width} x {height} pixels, one side more than {MAX_ASPECT} times the other", "unsupported")
    if image.format in ("JPEG", "MPO") and content.count(b"\xff\xda") * width * height > MAX_SCANS * max_pixels:
        raise _Refusal("a JPEG with so many scans would take minutes to open", "too large")
    needed = len(content) + int(width * height * _bytes_per_pixel(image))
    if needed > allowed:
        size = f"{width} x {height} pixels take {format_size(needed)} of memory in this format"
        raise _Refusal(f"{size}, more than the {format_size(allowed)} allowed{more}", "too large")


def _bytes_per_pixel(image: Image.Image) -> float:
    """Return the bytes of memory that a pixel takes at most, while it is decoded and converted."""
    stored = _PIXEL_BYTES.get(image.mode, 4)
    converted = 4 if image.mode == "RGB" else 5 if stored < 4 else 7
    return max(stored + _decoder_bytes(image), converted)


def _decoder_bytes(image: Image.Image) -> float:
    """Return the bytes that the decoder takes for each pixel, beside the picture."""
    if isinstance(image, WebPImagePlugin.WebPImageFile):
        return _WEBP_BYTES
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.info.get("progressive"):
        samples = [(across, down) for _, across, down, _ in image.layer]
        across, down = (max(numbers) for numbers in zip(*samples, strict=True))
        return 2 * sum(a * d for a, d in samples) / (across * down)  # all coefficients, of two bytes
    codec = image.tile[0][0] if isinstance(image, ImageFile.ImageFile) and image.tile else ""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and codec == "libtiff":
        rows = int(image.tag_v2.get(TiffImagePlugin.ROWSPERSTRIP, image.height))
        tile = int(image.tag_v2.get(_TILE_WIDTH, 0)) * int(image.tag_v2.get(_TILE_LENGTH, 0))
        return 4 * max(tile, min(rows, image.height) * image.width) / (image.width * image.height)
    return 3 if codec.startswith("ppm") else 0  # written in Python, into a string of all values


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise _Refusal("floating-point pixels have no agreed range; save the picture with 8 or 16 bits", "unsupported")
    if image.mode.startswith("I"):
        return _as_eight_bits(image).convert("RGB")
    if image.mode == "RGB":
        return image
    if image.mode in ("1", "L", "P"):
        image.info.pop("transparency", None)  # of no use to the colours, but a cause of warnings
        return image.convert("RGB")
    return _convert_in_strips(image)


def _as_eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16 bits as grey of 8 bits; it is closed."""
    grey = np.empty((image.height, image.width), np.uint8)
    for top, strip in _strips(image):
        values = np.asarray(strip)
        if values.min() < 0 or values.max() > 65535:
            extremes = f"from {values.min()} to {values.max()}"
            raise _Refusal(f"pixels {extremes}; expected 16 bits, 0 to 65535", "unsupported")
        grey[top : top + strip.height] = np.rint(values.astype(np.float32) / 257)
    image.close()
    return Image.fromarray(grey)


def _convert_in_strips(image: Image.Image) -> Image.Image:
    """Return a picture as RGB, without its pixels in both forms in Pillow's memory at once; it is closed."""
    size = image.size
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    for top, strip in _strips(image):
        pixels[top : top + strip.height] = np.asarray(strip.convert("RGB"))
    image.close()
    return Image.fromarray(pixels)


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the number of the first row and the pixels of each strip of rows."""
    step = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, step):
        yield top, image.crop((0, top, image.width, min(top + step, image.height)))
