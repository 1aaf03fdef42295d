"""Picture files: finding them, telling when they changed, and opening one as RGB.

What an encoder is given is what open_clip's users give it, ``Image.open(path).convert("RGB")``: transparency is
dropped, an animation gives its first frame, an EXIF orientation is *not* applied. There is one exception: Pillow
clips 16-bit greyscale to white, which is no picture any more, so that 0..65535 is scaled to 0..255 here.

The bytes decide what kind of picture it is, not the name. Only the kinds of `FORMATS` are opened: Pillow knows many
more, and would run Ghostscript on a stranger's EPS.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image, ImageFile

from bioclip_probe.datasets.dataset import Dataset, dataset_of_rows
from bioclip_probe.errors import DataError, PictureError, one_line, some

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm"})
# Pillow's names for the kinds in `SUFFIXES`. Its JPEG opens the MPO of phones as well: the first picture in it.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

# A small file can claim to be an enormous picture and take all memory. The largest herbarium scans are below this.
MOST_PIXELS = 150_000_000
#: No picture file is larger: as many pixels as are opened, in three channels, and not compressed.
MOST_BYTES = 1 << 29
# Odd EXIF, a TIFF tag too many: nothing about the pixels.
_HUSHED = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


@dataclass(frozen=True)
class Files:
    """Opens pictures named by their path below one folder; absolute paths are taken as they are.

    A class and not a closure, so that it can be sent to another process.
    """

    root: Path

    def __call__(self, source: str) -> Image.Image:
        return open_picture(self.root / source)


def open_picture(path: Path) -> Image.Image:
    """The picture at `path` as RGB, 8 bits a channel.

    Raises
    ------
    PictureError
        If there is no such file, it cannot be read, or `decoded` refuses it.
    """
    path = Path(path)
    try:
        known = path.stat()
        if not stat.S_ISREG(known.st_mode):  # a pipe would be waited for, a device never ends
            raise PictureError(f"{path}: not a file", "missing")
        if known.st_size > MOST_BYTES:
            reason = f"{known.st_size:,} bytes are more than the {MOST_BYTES:,} allowed"
            raise PictureError(f"{path}: {reason}", "too large")
        content = path.read_bytes()
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the path, or half a surrogate
        raise PictureError(f"{path}: no such file", "missing") from None
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror}", "unreadable") from error
    return decoded(content, path)


def decoded(content: bytes, name: object) -> Image.Image:
    """The picture in `content`, the bytes of a file of any kind in `SUFFIXES`, as RGB, 8 bits a channel.

    Raises
    ------
    PictureError
        If it is empty, no picture, corrupt, truncated, larger than `MOST_PIXELS`, or in colours that cannot become
        RGB without guessing. One line begins with `name` and says why.
    """
    if not content:
        raise PictureError(f"{name}: the file is empty", "empty")
    _hold_pillow()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                reason = f"{width} x {height} pixels are more than the {MOST_PIXELS:,} allowed"
                raise PictureError(f"{name}: {reason}", "too large")
            image.load()
            return _rgb(image)
    except (PictureError, MemoryError):
        raise
    except _Unfit as reason:
        raise PictureError(f"{name}: {reason}", "unsupported") from None
    except Image.UnidentifiedImageError:
        raise PictureError(
            f"{name}: not a picture ({', '.join(FORMATS)}), or its head is corrupt", "no picture"
        ) from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name}: {error}", "too large") from None
    except Exception as error:  # Pillow's decoders raise what they stumble over: struct.error, KeyError, SyntaxError
        reason = one_line(error)
        raise PictureError(f"{name}: corrupt or truncated ({reason})") from error


def _hold_pillow() -> None:
    """Pillow's settings of the whole process, as they must be here, whatever another library made of them.

    Neither can be set for one thread alone, nor put back while other threads decode: they are set where they are found
    otherwise, and stay. A truncated picture is refused, not filled with grey. Pillow's warnings are neither printed for
    each picture nor, where warnings are errors, lose a good one.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    if warnings.filters[:1] != [_HUSHED]:  # a filter in front of it would win
        warnings.filterwarnings("ignore", module=_HUSHED[3].pattern)


class _Unfit(Exception):
    """Why a picture that opens cannot be used."""


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _eight_bits(image).convert("RGB")
    if image.mode == "F":
        raise _Unfit("floating-point pixels have no agreed range; save the picture with 8 or 16 bits")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the same colours as straight to RGB, without Pillow's warning
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise _Unfit(f"pixels from {values.min()} to {values.max()}; expected 16 bits, 0 to 65535")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def walk(folder: Path) -> Iterator[PurePosixPath]:
    """Every file below `folder`, as a path relative to it, in sorted order folder by folder; hidden ones left out.

    Links to folders are followed, as cluster users link data sets together, except one that leads to a folder
    above itself.
    """
    for here, folders, files in os.walk(folder, followlinks=True, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _loops(Path(here, name)))
        relative = PurePosixPath(Path(here).relative_to(folder).as_posix())
        yield from (relative / name for name in sorted(files) if not name.startswith("."))


def _loops(folder: Path) -> bool:
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _unreadable(error: OSError) -> None:
    raise DataError(f"cannot read the folder {error.filename}: {error.strerror}")


def stamps(root: Path, sources: Iterable[str]) -> list[tuple[int, int]]:
    """Size in bytes and time of last change in ns of every file; (-1, -1) for one that is missing."""
    return [_stamp(os.path.join(root, source)) for source in sources]


def _stamp(path: str) -> tuple[int, int]:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return -1, -1
    return stat.st_size, stat.st_mtime_ns


def dataset_of_files(name: str, root: Path, rows: pd.DataFrame, notes: Iterable[str] = ()) -> Dataset:
    """A dataset of picture files below `root`.

    Parameters
    ----------
    name : str
        Of the dataset.
    root : Path
        The folder that the column `source` is relative to.
    rows : DataFrame
        `image_id`, `source`, any of the rank columns as the source writes them, and, if known, `common`, `group` and
        `split`.
    notes : iterable of str
        What was left out already.

    Raises
    ------
    DataError
        If not one of the files is there, or what `Dataset` refuses. A file that is missing beside others that are
        there stays: opening it fails, and the store's ledger says so.
    """
    notes = list(notes)
    files = stamps(root, rows["source"])
    missing = [source for source, (size, _) in zip(rows["source"], files, strict=True) if size < 0]
    if len(missing) == len(rows):
        raise DataError(
            f"dataset '{name}' has no usable image: no picture below {root}"
            + (f"; none of these is a file: {some(missing)}" if missing else "")
        )
    if missing:
        notes.append(f"{len(missing)} images have no file below {root}: {some(missing)}")
    return dataset_of_rows(name, rows, Files(root), files, notes)


def left_out(reason: str, paths: list) -> list[str]:
    """The note about files that were left out; none if there are none."""
    return [f"{len(paths)} files left out, {reason}: {some(paths)}"] if paths else []


def checked_folder(path: Path) -> Path:
    """`path`, if it is a folder; else a `DataError` that says so."""
    if not path.is_dir():
        raise DataError(f"{path}: {'not a folder' if path.exists() else 'no such folder'}")
    return path


def stays_inside(source: str) -> bool:
    """Whether a relative path stays below its folder: no ``..`` leads out of it."""
    return PurePosixPath(os.path.normpath(source)).parts[:1] != ("..",)
