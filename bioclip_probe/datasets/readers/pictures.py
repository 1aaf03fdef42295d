"""Picture files: list them, detect that they changed, and open one as RGB.

An encoder gets what the users of open_clip give it, ``Image.open(path).convert("RGB")``: transparency is dropped, an
animation gives its first frame, and the EXIF orientation is *not* applied. There is one exception: Pillow clips 16-bit
greyscale to white, which destroys the picture, so this module scales 0..65535 to 0..255.

The bytes decide which format a file has, not its name. Only the formats in `FORMATS` are opened: Pillow knows many
more, and would run Ghostscript on an EPS file from an unknown source.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from bioclip_probe.errors import DataError, PictureError, one_line, some
from bioclip_probe.files import sha256_of_bytes

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm"})
# Pillow's names for the formats in `SUFFIXES`. Its JPEG also opens the MPO files of phones: their first picture.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

#: A small file can claim to be an enormous picture and fill the memory. The largest herbarium scans have fewer pixels.
MAX_PIXELS = 150_000_000
#: No picture file is larger: `MAX_PIXELS` in three channels, without compression.
MAX_BYTES = 1 << 29
# Pillow warns about odd EXIF data or one TIFF tag too many; these say nothing about the pixels.
_PILLOW_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


class EncodedPicture(NamedTuple):
    """The bytes of a picture file, not decoded.

    Attributes
    ----------
    content : bytes
    name : object
        Name of the picture, for error messages.

    Examples
    --------
    >>> EncodedPicture(b"Pica hudsonia", "magpie.jpg").sha256[:12]
    'aa2e17471997'
    """

    content: bytes
    name: object

    @property
    def sha256(self) -> str:
        """SHA-256 digest of the bytes, 64 hexadecimal digits."""
        return sha256_of_bytes(self.content)

    def decode(self) -> Image.Image:
        """Return the picture as RGB, or raise `PictureError`; see `decode_picture`."""
        return decode_picture(self.content, self.name)


class PictureOpener(ABC):
    """Opener of pictures whose bytes can be had too.

    The same bytes are hashed and decoded, and copies are found without decoding anything. Openers are objects and no
    functions, so that they can be pickled and sent to another process.

    Examples
    --------
    >>> class Nothing(PictureOpener):
    ...     def read(self, source):
    ...         return EncodedPicture(b"", source)
    >>> Nothing()("magpie.jpg")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: magpie.jpg: the file is empty
    """

    @abstractmethod
    def read(self, source: str) -> EncodedPicture:
        """Return the bytes of the picture `source`, or raise `PictureError`."""

    def __call__(self, source: str) -> Image.Image:
        """Return the picture `source`, or raise `PictureError`."""
        return self.read(source).decode()


@dataclass(frozen=True)
class PictureFiles(PictureOpener):
    """Opener of pictures that are named by their path below one folder.

    Attributes
    ----------
    root : Path
        The folder. An absolute path is used as it is.

    Examples
    --------
    >>> PictureFiles(Path("pictures"))("none.jpg")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: pictures/none.jpg: no such file
    """

    root: Path

    def read(self, source: str) -> EncodedPicture:
        """Return the bytes of the picture `source`, or raise `PictureError`."""
        return read_picture(self.root / source)


def open_picture(path: Path) -> Image.Image:
    """Open a picture file as RGB, 8 bits a channel.

    Parameters
    ----------
    path : Path

    Returns
    -------
    PIL.Image.Image
        Mode RGB, loaded.

    Raises
    ------
    PictureError
        If the file is missing or cannot be read, or `decode_picture` refuses its content.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "grey.png"
    ...     Image.new("L", (8, 6)).save(path)
    ...     open_picture(path).mode
    'RGB'
    """
    return read_picture(path).decode()


def read_picture(path: Path) -> EncodedPicture:
    """Return the bytes of a picture file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    EncodedPicture

    Raises
    ------
    PictureError
        If the file is missing, too large, or cannot be read.

    Examples
    --------
    >>> read_picture(Path("none.jpg"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: none.jpg: no such file
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever, and a device never ends
            raise PictureError(f"{path}: not a file", "missing")
        if status.st_size > MAX_BYTES:
            reason = f"{status.st_size:,} bytes are more than the {MAX_BYTES:,} allowed"
            raise PictureError(f"{path}: {reason}", "too large")
        content = path.read_bytes()
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the path, or half a surrogate pair
        raise PictureError(f"{path}: no such file", "missing") from None
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror}", "unreadable") from error
    return EncodedPicture(content, path)


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
        If the content is empty, no picture, corrupt, truncated, larger than `MAX_PIXELS`, or in colours that cannot
        become RGB without guessing. The message is one line: the name and the reason.

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
            width, height = image.size
            if width * height > MAX_PIXELS:
                reason = f"{width} x {height} pixels are more than the {MAX_PIXELS:,} allowed"
                raise PictureError(f"{name}: {reason}", "too large")
            image.load()
            return _as_rgb(image)
    except (PictureError, MemoryError):
        raise
    except _UnsupportedColours as reason:
        raise PictureError(f"{name}: {reason}", "unsupported") from None
    except Image.UnidentifiedImageError:
        raise PictureError(
            f"{name}: not a picture ({', '.join(FORMATS)}), or its header is corrupt", "no picture"
        ) from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name}: {error}", "too large") from None
    except Exception as error:  # Pillow's decoders raise many types: struct.error, KeyError, SyntaxError
        raise PictureError(f"{name}: corrupt or truncated ({one_line(error)})") from error


def _set_pillow_options() -> None:
    """Set the two options of Pillow that hold for the whole process, if another library changed them.

    Neither can be set for one thread alone, or be restored while other threads decode, so both stay set. Truncated
    pictures must be refused, not filled with grey. Pillow's warnings must neither be printed for each picture nor,
    where warnings are errors, lose a good one.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    if warnings.filters[:1] != [_PILLOW_FILTER]:  # a filter in front of it would win
        warnings.filterwarnings("ignore", module=_PILLOW_FILTER[3].pattern)


class _UnsupportedColours(Exception):
    """Reason why a picture that opens cannot become RGB."""


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _as_eight_bits(image).convert("RGB")
    if image.mode == "F":
        raise _UnsupportedColours("floating-point pixels have no agreed range; save the picture with 8 or 16 bits")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the same colours as straight to RGB, without Pillow's warning
    return image.convert("RGB")


def _as_eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise _UnsupportedColours(f"pixels from {values.min()} to {values.max()}; expected 16 bits, 0 to 65535")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def walk_files(folder: Path) -> Iterator[PurePosixPath]:
    """Yield every file below a folder except hidden ones, in sorted order folder by folder.

    Links to folders are followed, because cluster users link data sets together; a link to a folder above itself is
    not.

    Parameters
    ----------
    folder : Path

    Yields
    ------
    PurePosixPath
        Path relative to `folder`.

    Raises
    ------
    DataError
        If a folder cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("b.jpg", "a.jpg", ".hidden"):
    ...         Path(folder, name).touch()
    ...     [str(file) for file in walk_files(Path(folder))]
    ['a.jpg', 'b.jpg']
    """
    for current, folders, files in os.walk(folder, followlinks=True, onerror=_raise_unreadable):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not _links_upwards(Path(current, name))
        )
        relative = PurePosixPath(Path(current).relative_to(folder).as_posix())
        yield from (relative / name for name in sorted(files) if not name.startswith("."))


def _links_upwards(folder: Path) -> bool:
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _raise_unreadable(error: OSError) -> None:
    raise DataError(f"cannot read the folder {error.filename}: {error.strerror}")


def file_stamps(root: Path, sources: Iterable[str]) -> list[tuple[int, int]]:
    """Return the size and the time of the last change of every file.

    Parameters
    ----------
    root : Path
        The folder that the sources are relative to.
    sources : iterable of str

    Returns
    -------
    list of (int, int)
        Size in bytes and time in ns; (-1, -1) for a missing file.

    Examples
    --------
    >>> file_stamps(Path("nowhere"), ["none.jpg"])
    [(-1, -1)]
    """
    return [_file_stamp(os.path.join(root, source)) for source in sources]


def _file_stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return -1, -1
    return status.st_size, status.st_mtime_ns


def notes_on_left_out(reason: str, paths: Sequence[object]) -> list[str]:
    """Return the note about files that were left out, or an empty list if there are none.

    Parameters
    ----------
    reason : str
    paths : sequence

    Returns
    -------
    list of str
        One note at most.

    Examples
    --------
    >>> notes_on_left_out("no pictures", ["README.md"])
    ['1 files left out, no pictures: README.md']
    """
    return [f"{len(paths)} files left out, {reason}: {some(paths)}"] if paths else []


def check_folder(path: Path) -> Path:
    """Return `path` if it is a folder.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If it is none.

    Examples
    --------
    >>> check_folder(Path("nowhere"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere: no such folder
    """
    if not path.is_dir():
        raise DataError(f"{path}: {'not a folder' if path.exists() else 'no such folder'}")
    return path


def stays_inside(source: str) -> bool:
    """Return True if a relative path stays below its folder, i.e. no ``..`` leads out of it.

    Parameters
    ----------
    source : str

    Returns
    -------
    bool

    Examples
    --------
    >>> stays_inside("birds/../1.jpg"), stays_inside("birds/../../1.jpg")
    (True, False)
    """
    return PurePosixPath(os.path.normpath(source)).parts[:1] != ("..",)
