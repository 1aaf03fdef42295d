"""Controls that see only a part of each picture: how much of a model's agreement with the tree is left.

``scrambled:MODEL`` sees the tiles of each picture in random order: colours and textures stay, the shape is lost.
``silhouette:MODEL`` sees the organism as a black shape on white, and ``background:MODEL`` the picture without the
organism, which is filled with the mean colour of its surroundings. Both need a mask of each picture, which a table
names in a column `mask`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.encoders.controls import PictureStatistic
from bioclip_probe.encoders.ids import public_id, split_wrapper
from bioclip_probe.encoders.network import Network
from bioclip_probe.encoders.pixels import PixelTransform, SplitTransform
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.errors import ModelError, PictureError
from bioclip_probe.files import sha256_of_chunks

if TYPE_CHECKING:
    from PIL import Image

TILES = 8  # along each side
#: Key under which `Image.info` holds the mask of a picture, or a function that opens it: an image of the same size,
#: the organism brighter than half of its brightest value.
MASK = "mask"


def scrambled(image: Image.Image) -> Image.Image:
    """Return a picture with its 8 x 8 tiles in random order, always the same for the same picture.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    PIL.Image.Image
        Of the largest size below that of the picture that divides into tiles. A picture with a side of fewer than eight
        pixels is returned as it is.

    Examples
    --------
    >>> from PIL import Image
    >>> picture = Image.linear_gradient("L").convert("RGB")
    >>> both = [np.asarray(image).ravel() for image in (picture, scrambled(picture))]
    >>> np.array_equal(*both), np.array_equal(*map(np.sort, both))
    (False, True)
    """
    from PIL import Image

    pixels = np.asarray(image.convert("RGB"))
    height, width = (side // TILES for side in pixels.shape[:2])
    if not height or not width:
        return image
    tiles = pixels[: height * TILES, : width * TILES].reshape(TILES, height, TILES, width, 3).swapaxes(1, 2)
    tiles = tiles.reshape(TILES * TILES, height, width, 3)
    digest = sha256_of_chunks(row.tobytes() for row in pixels)
    order = np.random.default_rng(int(digest[:16], 16)).permutation(len(tiles))
    rows = tiles[order].reshape(TILES, TILES, height, width, 3).swapaxes(1, 2)
    return Image.fromarray(rows.reshape(height * TILES, width * TILES, 3))


def silhouette(image: Image.Image) -> Image.Image:
    """Return the organism of a picture as a black shape on white.

    Parameters
    ----------
    image : PIL.Image.Image
        With its mask, see `MASK`.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    PictureError
        If the picture has no mask, or a mask of another size.

    Examples
    --------
    >>> from PIL import Image
    >>> picture = Image.new("RGB", (2, 1), "red")
    >>> picture.info["mask"] = Image.fromarray(np.array([[255, 0]], np.uint8))
    >>> [silhouette(picture).getpixel((x, 0)) for x in (0, 1)]
    [(0, 0, 0), (255, 255, 255)]
    """
    from PIL import Image

    shape = np.where(_mask_of(image), 0, 255).astype(np.uint8)
    return Image.fromarray(np.repeat(shape[:, :, None], 3, axis=2))


def background(image: Image.Image) -> Image.Image:
    """Return a picture whose organism is filled with the mean colour of what surrounds it.

    Parameters
    ----------
    image : PIL.Image.Image
        With its mask, see `MASK`.

    Returns
    -------
    PIL.Image.Image
        Grey where the organism fills the picture.

    Raises
    ------
    PictureError
        If the picture has no mask, or a mask of another size.

    Examples
    --------
    >>> from PIL import Image
    >>> picture = Image.fromarray(np.array([[[9, 9, 9], [0, 0, 255]]], np.uint8))
    >>> picture.info["mask"] = Image.fromarray(np.array([[255, 0]], np.uint8))
    >>> background(picture).getpixel((0, 0))
    (0, 0, 255)
    """
    from PIL import Image

    mask = _mask_of(image)
    pixels = np.array(image.convert("RGB"))
    # The picture may be as large as any: no copy of its surroundings is made for their mean.
    pixels[mask] = 127 if mask.all() else np.rint(pixels.mean(axis=(0, 1), where=~mask[:, :, None]))
    return Image.fromarray(pixels)


def _mask_of(image: Image.Image) -> np.ndarray:
    """Return True where the organism is."""
    mask = image.info.get(MASK)
    mask = mask() if callable(mask) else mask
    if mask is None:
        raise PictureError(
            "it has no mask; silhouette: and background: need a table with a column mask", "preprocessing"
        )
    if mask.size != image.size:
        sizes = f"{mask.size[0]} x {mask.size[1]} and {image.size[0]} x {image.size[1]}"
        raise PictureError(f"its mask has another size than the picture: {sizes} pixels", "preprocessing")
    values = np.asarray(mask.convert("L"))
    return values > values.max(initial=0) / 2


ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "scrambled": scrambled,
    "silhouette": silhouette,
    "background": background,
}


@dataclass(frozen=True)
class Chain:
    """Two functions of a picture, one after the other. It can be pickled if they can.

    Attributes
    ----------
    first, second : callable

    Examples
    --------
    >>> Chain(abs, str)(-3)
    '3'
    """

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, image: Any) -> Any:
        """Return what the second function makes of the result of the first.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        object
        """
        return self.second(self.first(image))


def load(recipe: Recipe, inner: Recipe) -> Network | PictureStatistic:
    """Return an encoder that sees altered pictures.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``scrambled:MODEL``, ``silhouette:MODEL`` or ``background:MODEL``.
    inner : Recipe
        Of the model.

    Returns
    -------
    Network or PictureStatistic

    Raises
    ------
    ModelError
        If the model cannot be had.

    Examples
    --------
    >>> from bioclip_probe.encoders import load as load_by_name
    >>> encoder = load_by_name("scrambled:color-histogram")
    >>> encoder.record["picture"], encoder.record["control"]
    ('scrambled', True)
    """
    kind, _ = split_wrapper(recipe.id)
    alter, encoder = ALTERATIONS[kind], inner.build()
    record = {
        **encoder.record,
        "name": recipe.name,
        "id": public_id(recipe.id),
        "control": True,
        "picture": "+".join([kind, *([encoder.record["picture"]] if "picture" in encoder.record else [])]),
        "text": False,
    }
    if isinstance(encoder, PictureStatistic):
        return replace(
            encoder, recipe=recipe.resolved(record), record=record, statistic=Chain(alter, encoder.statistic)
        )
    if not isinstance(encoder, Network):
        raise ModelError(f"{encoder.name} is neither a network nor a statistic of the picture")
    split = encoder.split
    if split is not None:
        split = SplitTransform(PixelTransform(Chain(alter, split.pixels.resize)), split.normalization)
    transform = Chain(alter, encoder.transform)
    return replace(
        encoder, recipe=recipe.resolved(record), record=record, transform=transform, split=split, forward_text=None
    )
