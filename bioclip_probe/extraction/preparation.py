"""Preparation of pictures for the networks: each picture is opened once, and each transform is applied to it once."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from bioclip_probe.datasets.readers.pictures import PictureOpener
from bioclip_probe.errors import DataError, PictureError, ProbeError, one_line

if TYPE_CHECKING:
    from PIL import Image

    from bioclip_probe.encoders import Encoder

#: Opens a picture by its source, as `Dataset.open` does.
OpenPicture = Callable[[str], "Image.Image"]


class Chunk(NamedTuple):
    """Some pictures that are prepared together.

    Attributes
    ----------
    sources : list of str
        The source of each picture.
    groups : tuple of int
        Numbers of the groups of encoders that want them.
    """

    sources: list[str]
    groups: tuple[int, ...]


class PreparedPicture(NamedTuple):
    """A picture as the networks take it.

    Attributes
    ----------
    by_group : list
        For each group of the chunk the prepared picture, or in its place the `PictureError` that says why there is
        none.
    sha256 : str, optional
        Digest of the bytes of the picture, None where its opener does not have them.
    """

    by_group: list[Any]
    sha256: str | None = None


@dataclass(frozen=True)
class EncoderGroup:
    """Encoders that take the same prepared pictures.

    Attributes
    ----------
    encoders : tuple of int
        Positions in the list of encoders.
    transform : callable
        From a picture to what the encoders take a batch of.
    portable : bool
        True if the transform can be sent to another process.
    """

    encoders: tuple[int, ...]
    transform: Callable[[Image.Image], Any]
    portable: bool


def group_encoders(encoders: Sequence[Encoder]) -> list[EncoderGroup]:
    """Return the groups of encoders that can share prepared pictures.

    BioCLIP and CLIP, for instance, see the same 224 × 224 pixels; what differs is scaled later, on the device.

    Parameters
    ----------
    encoders : sequence of Encoder

    Returns
    -------
    list of EncoderGroup
        Every encoder is in one of them.

    Examples
    --------
    >>> from bioclip_probe.encoders import load
    >>> [group.encoders for group in group_encoders([load("pixels"), load("color-histogram"), load("mine=pixels")])]
    [(0, 2), (1,)]
    """
    groups: dict[object, EncoderGroup] = {}
    for number, encoder in enumerate(encoders):
        transform = getattr(encoder, "portable_transform", None)  # an encoder of the user's own may lack it
        if transform is None:
            groups[number] = EncoderGroup((number,), encoder.preprocess, portable=False)
            continue
        key = pickle.dumps((transform, encoder.record["device"]))
        others = groups[key].encoders if key in groups else ()
        groups[key] = EncoderGroup((*others, number), transform, portable=True)
    return list(groups.values())


@dataclass(frozen=True)
class Preparation:
    """Everything that is done to a picture before the networks. Several threads may prepare at once.

    Attributes
    ----------
    open_picture : callable
        Opens a picture by its source.
    transforms : tuple of callable
        The transform of each group of encoders.

    Examples
    --------
    >>> from PIL import Image
    >>> preparation = Preparation(lambda color: Image.new("RGB", (4, 2), color), (lambda image: image.size,))
    >>> [picture.by_group for picture in preparation.prepare(Chunk(["white", "red"], groups=(0,)))]
    [[(4, 2)], [(4, 2)]]
    """

    open_picture: OpenPicture
    transforms: tuple[Callable[[Image.Image], Any], ...]

    def prepare(self, chunk: Chunk) -> list[PreparedPicture]:
        """Return each picture prepared for each group.

        Parameters
        ----------
        chunk : Chunk

        Returns
        -------
        list of PreparedPicture
        """
        return [self._prepared(source, chunk.groups) for source in chunk.sources]

    def _prepared(self, source: str, groups: Sequence[int]) -> PreparedPicture:
        sha256 = None
        try:
            if isinstance(self.open_picture, PictureOpener):
                encoded = self.open_picture.read(source)
                sha256 = encoded.sha256
                image = encoded.decode()
            else:
                image = self.open_picture(source)
        except DataError as error:
            refusal = error if isinstance(error, PictureError) else PictureError(str(error), "unreadable")
            return PreparedPicture([refusal] * len(groups), sha256)
        return PreparedPicture([self._transformed(group, image, source) for group in groups], sha256)

    def _transformed(self, group: int, image: Image.Image, source: str) -> Any:
        try:
            return self.transforms[group](image)
        except (ProbeError, MemoryError):
            raise
        except Exception as error:  # the transform may be anyone's code, and one odd picture must not stop the others
            reason = one_line(error, with_type=True)
            return PictureError(f"{source}: preprocessing failed: {reason}", "preprocessing")
