"""Masks of pictures: files that say where in a picture the organism is, opened only where something asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from bioclip_probe.datasets.readers.content import FileContent
from bioclip_probe.datasets.readers.pictures import EncodedPicture, PictureOpener, open_picture

#: Key of `Image.info` under which an opened picture has a function that opens its mask.
MASK = "mask"


class MaskedPicture(EncodedPicture):
    """The bytes of a picture, and the file of its mask.

    Examples
    --------
    >>> MaskedPicture.of(EncodedPicture(b"", "magpie.jpg"), Path("magpie.png")).mask.name
    'magpie.png'
    """

    mask: Path

    @classmethod
    def of(cls, picture: EncodedPicture, mask: Path) -> MaskedPicture:
        """Return a picture with the file of its mask.

        Parameters
        ----------
        picture : EncodedPicture
        mask : Path
        """
        masked = cls(*picture)
        masked.mask = mask
        return masked

    def decode(self) -> Image.Image:
        """Return the picture as RGB, with a function in its `info` that opens the mask, or raise `PictureError`."""
        image = super().decode()
        image.info[MASK] = partial(open_picture, self.mask)
        return image


@dataclass(frozen=True)
class MaskedPictures(PictureOpener):
    """Opener of pictures some of which have masks.

    Attributes
    ----------
    pictures : PictureOpener
    root : Path
        The folder that masks are relative to.
    masks : mapping from str to str
        The path of the mask of each picture, by the picture's source.

    Examples
    --------
    >>> from bioclip_probe.datasets.readers.pictures import PictureFiles
    >>> masked = MaskedPictures(PictureFiles(Path("pictures")), Path("masks"), {"1.jpg": "1.png"})
    >>> masked("1.jpg")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.PictureError: pictures/1.jpg: no such file
    """

    pictures: PictureOpener
    root: Path
    masks: Mapping[str, str]

    def read(self, source: str) -> EncodedPicture:
        """Return the bytes of the picture `source`, or raise `PictureError`."""
        picture = self.pictures.read(source)
        mask = self.masks.get(source)
        return picture if mask is None else MaskedPicture.of(picture, self.root / mask)


@dataclass(frozen=True)
class MaskContent:
    """The content of the files of masks, as a fact of a dataset's fingerprint: they are read when it is asked for.

    Attributes
    ----------
    content : FileContent

    Examples
    --------
    >>> repr(MaskContent(FileContent(Path("."), [])))
    'masks ()'
    """

    content: FileContent

    def __repr__(self) -> str:
        return f"masks {tuple(self.content.marks)}"
