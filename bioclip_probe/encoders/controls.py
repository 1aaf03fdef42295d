"""Controls that are no networks: vectors of the pixels and of the colours of a picture.

They stand beside every comparison. A model whose embedding follows the tree no better than these has learnt nothing of
it. (The third control, an untrained network, is built by `open_clip`.) They are computed in float32 on the CPU,
whatever the device and the precision of the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.encoders.encoder import BaseEncoder, check_vectors, package_versions
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.errors import ModelError

if TYPE_CHECKING:
    from PIL import Image

SIDE = 16
BINS = 8
# Pixels that are counted at a time.
_STRIP_PIXELS = 1 << 20


def pixels(image: Image.Image) -> np.ndarray:
    """Return the picture squashed to 16 x 16 pixels.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    ndarray, shape (768,), float32
        In [-1, 1], row by row, red, green and blue. No picture gives the zero vector, whose direction would be
        undefined: no byte maps to zero.

    Examples
    --------
    >>> from PIL import Image
    >>> pixels(Image.new("RGB", (70, 30), "white")).min()
    np.float32(1.0)
    """
    from PIL import Image

    small = _as_rgb(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return (np.asarray(small, dtype=np.float32) / 127.5 - 1).ravel()


def color_histogram(image: Image.Image) -> np.ndarray:
    """Return the square root of the share of pixels in each of 8 x 8 x 8 RGB bins.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    ndarray, shape (512,), float32
        Of norm 1. The dot product of two is the Bhattacharyya coefficient of their colour distributions, in [0, 1].

    References
    ----------
    Bhattacharyya 1943, Bull. Calcutta Math. Soc. 35.

    Examples
    --------
    >>> from PIL import Image
    >>> int(color_histogram(Image.new("RGB", (4, 4), "black")).argmax())
    0
    """
    counts = np.zeros(BINS**3, np.int64)
    step = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, step):  # numbers of all pixels at once would take 48 bytes for each of them
        strip = _as_rgb(image.crop((0, top, image.width, min(top + step, image.height))))
        levels = np.asarray(strip, dtype=np.int64).reshape(-1, 3) * BINS // 256
        counts += np.bincount(levels @ (BINS * BINS, BINS, 1), minlength=BINS**3)
    return np.sqrt(counts / counts.sum()).astype(np.float32)


def _as_rgb(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, which is not copied if it is so already."""
    return image if image.mode == "RGB" else image.convert("RGB")


@dataclass(frozen=True)
class Statistic:
    """A function of a picture, the length of its vectors, and its settings as the record of the encoder has them.

    Examples
    --------
    >>> STATISTICS["pixels"].dimension
    768
    """

    function: Callable[[Image.Image], np.ndarray]
    dimension: int
    settings: dict[str, Any]


STATISTICS = {
    "pixels": Statistic(
        pixels, 3 * SIDE * SIDE, {"size": [SIDE, SIDE], "resize_mode": "squash", "interpolation": "bilinear"}
    ),
    "color-histogram": Statistic(color_histogram, BINS**3, {"size": "as it is", "bins": [BINS] * 3, "space": "RGB"}),
}


@dataclass(frozen=True, eq=False, repr=False)
class PictureStatistic(BaseEncoder):
    """An encoder that is a plain function of the picture; `preprocess` does all the work.

    Attributes
    ----------
    recipe, record
        As of every encoder.
    statistic : callable
        From one picture to its vector.

    Examples
    --------
    >>> from PIL import Image
    >>> encoder = load(Recipe(load, "pixels", "control:pixels"))
    >>> encoder.preprocess(Image.new("RGB", (8, 8))).shape
    (768,)
    """

    statistic: Callable[[Image.Image], np.ndarray]
    has_text: bool = False

    @property
    def portable_transform(self) -> Callable[[Image.Image], np.ndarray]:
        """The statistic itself."""
        return self.statistic

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Return the vector of one picture.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        ndarray, shape (d,), float32
        """
        return self.statistic(image)

    def collate(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors as one array.

        Parameters
        ----------
        pictures : sequence of ndarray

        Returns
        -------
        ndarray, shape (b, d), float32
        """
        return np.asarray(pictures)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors as one read-only array.

        Parameters
        ----------
        batch : ndarray or sequence of ndarray

        Returns
        -------
        ndarray, shape (b, d), float32
        """
        return check_vectors(np.array(batch), len(batch), self.name, self.dimension)

    def parity(self, pictures: Sequence[np.ndarray]) -> None:
        """Return None: the vectors are computed in float32 always.

        Parameters
        ----------
        pictures : sequence of ndarray
        """

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """Raise an error, because a control has no text tower.

        Parameters
        ----------
        texts : sequence of str

        Raises
        ------
        ModelError
            Always.
        """
        raise ModelError(f"{self.name} has no text tower: it is a control computed from pictures only")


def load(recipe: Recipe) -> PictureStatistic:
    """Return the control that a recipe names.

    Parameters
    ----------
    recipe : Recipe
        Its id is ``control:NAME``; its device and precision do not matter.

    Returns
    -------
    PictureStatistic

    Raises
    ------
    ModelError
        If there is no such control.

    Examples
    --------
    >>> load(Recipe(load, "colours", "control:color-histogram")).dimension
    512
    """
    control_name = recipe.id.removeprefix("control:")
    if control_name not in STATISTICS:
        raise ModelError(f"unknown control '{control_name}'; expected one of {', '.join(STATISTICS)}")
    statistic = STATISTICS[control_name]
    record = {
        "name": recipe.name,
        "id": f"control:{control_name}",
        "family": "control",
        "control": True,
        "architecture": control_name,
        "revision": "",
        "sha256": "",
        "files": {},
        "preprocessing": statistic.settings,
        "activation": "",
        "precision": "fp32",
        "device": "cpu",
        "dimension": statistic.dimension,
        "text": False,
        "versions": package_versions(),
    }
    return PictureStatistic(recipe.resolved(record), record, statistic.function)
