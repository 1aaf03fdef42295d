"""Thumbnails: small pictures on atlases, large WebP pictures that the page decodes when it shows one of them."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from bioclip_probe.errors import PictureError, ProbeError
from bioclip_probe.processors import available_processors
from bioclip_probe.progress import weighted_bar
from bioclip_probe.report.explorer.settings import MOST_PICTURES, THUMBNAILS
from bioclip_probe.stats.threads import in_threads

log = logging.getLogger(__name__)

#: Returns the RGB picture of a source, or raises `PictureError`.
OpenPicture = Callable[[str], Image.Image]

#: Width and height of a thumbnail.
SIZE = 64
#: Thumbnails of an atlas, as a square.
PER_ATLAS = 1024
#: Most bytes of all atlases together.
BUDGET = 25_000_000
NO_THUMBNAIL = -1
_QUALITY = 72
_EFFORT = 2  # of 6; more takes twice the time for 4 % fewer bytes
_GREY = (128, 128, 128)


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Thumbnails of pictures.

    Attributes
    ----------
    kind : str
        ``all``: each picture has its own. ``species``: pictures of a species share that of one of them. ``none``.
    slot : ndarray, shape (n,), int64
        Place of the thumbnail of each picture; `NO_THUMBNAIL` where there is none.
    atlases : list of str
        WebP pictures in base64, each with `PER_ATLAS` places in rows from the upper left.

    Examples
    --------
    >>> Thumbnails.none(2).slot.tolist()
    [-1, -1]
    """

    kind: str
    slot: np.ndarray
    atlases: list[str]

    @classmethod
    def none(cls, n: int) -> Thumbnails:
        """Return no thumbnail for n pictures."""
        return cls("none", np.full(n, NO_THUMBNAIL), [])


def thumbnails_of(
    open_picture: OpenPicture,
    sources: Sequence[str],
    taxon: np.ndarray,
    choice: str = "auto",
    progress: bool = True,
    budget: int = BUDGET,
) -> Thumbnails:
    """Return the thumbnails of pictures.

    Parameters
    ----------
    open_picture : callable
        Returns the RGB picture of a source, or raises `PictureError`.
    sources : sequence of str
        One a picture.
    taxon : ndarray, shape (n,), int64
        The deepest taxon of each picture; the first picture of a taxon stands for it.
    choice : str
        ``all``, ``species``, ``none``, or ``auto``: all up to `MOST_PICTURES`, else one a species.
    progress : bool
    budget : int
        Most bytes of all atlases; pictures beyond it have no thumbnail, and the log says how many.

    Returns
    -------
    Thumbnails

    Raises
    ------
    ProbeError
        If there is no such choice.

    Examples
    --------
    >>> red = Image.new("RGB", (100, 80), "red")
    >>> thumbnails = thumbnails_of(lambda source: red, ["a", "b"], np.array([3, 3]), "species", progress=False)
    >>> thumbnails.slot.tolist(), len(thumbnails.atlases)
    ([0, 0], 1)
    """
    if choice not in THUMBNAILS:
        raise ProbeError(f"unknown choice of thumbnails '{choice}'; expected one of: {', '.join(THUMBNAILS)}")
    if choice == "auto":
        choice = "all" if len(sources) <= MOST_PICTURES else "species"
    if choice == "none":
        return Thumbnails.none(len(sources))
    shared = np.arange(len(sources)) if choice == "all" else np.unique(taxon, return_inverse=True)[1]
    first = np.unique(shared, return_index=True)[1]
    slots, size = np.full(len(first), NO_THUMBNAIL), 0
    atlases: list[str] = []
    n_atlases = -(-len(first) // PER_ATLAS)
    with weighted_bar("thumbnails", (0, n_atlases), (0.0, float(n_atlases)), progress) as bar:
        for start in range(0, len(first), PER_ATLAS):
            bar.begin(f"{start + 1:,} to {min(start + PER_ATLAS, len(first)):,}")
            chosen = [sources[row] for row in first[start : start + PER_ATLAS]]
            tiles = in_threads(lambda source: thumbnail(open_picture, source), chosen, available_processors())
            drawn = list(tiles)
            there = np.array([tile is not None for tile in drawn])
            atlas = _atlas(drawn) if there.any() else b""
            size += len(atlas)
            if size > budget:
                log.warning("thumbnails beyond %d MB are left out: %d", budget // 10**6, len(first) - start)
                break
            if there.any():
                places = len(atlases) * PER_ATLAS + np.arange(len(drawn))
                slots[start : start + len(drawn)] = np.where(there, places, NO_THUMBNAIL)
                atlases.append(base64.b64encode(atlas).decode())
            bar.finish(1)
    return Thumbnails(choice if atlases else "none", slots[shared], atlases)


def thumbnail(open_picture: OpenPicture, source: str) -> Image.Image | None:
    """Return the middle square of a picture, small; None if the picture cannot be opened.

    Parameters
    ----------
    open_picture : callable
        Returns the RGB picture of a source, or raises `PictureError`.
    source : str

    Returns
    -------
    PIL.Image.Image or None

    Examples
    --------
    >>> thumbnail(lambda source: Image.new("RGB", (100, 80), "red"), "a").size
    (64, 64)
    """
    try:
        return ImageOps.fit(open_picture(source), (SIZE, SIZE), Image.Resampling.LANCZOS)
    except PictureError:
        return None


def _atlas(tiles: Sequence[Image.Image | None]) -> bytes:
    """Return thumbnails in rows as one WebP picture, as high as it needs to be."""
    columns = int(np.sqrt(PER_ATLAS))
    atlas = Image.new("RGB", (columns * SIZE, -(-len(tiles) // columns) * SIZE), _GREY)
    for place, tile in enumerate(tiles):
        if tile is not None:
            atlas.paste(tile, (place % columns * SIZE, place // columns * SIZE))
    buffer = io.BytesIO()
    atlas.save(buffer, "WEBP", quality=_QUALITY, method=_EFFORT)
    return buffer.getvalue()
