"""Controls that are no networks: what pictures tell by their pixels and colours alone.

They stand beside every comparison. A model whose embedding follows the tree no better than these has learned nothing of
it. (The third control, an untrained network, is built by `open_clip.untrained`.) They are computed in float32 on the
CPU whatever device and precision the networks run at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.encoders.encoder import Recorded, checked, versions
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.errors import ModelError

if TYPE_CHECKING:
    from PIL import Image

SIDE = 16
BINS = 8


def pixels(image: Image.Image) -> np.ndarray:
    """The picture squashed to 16 x 16: (768,) float32 in [-1, 1], row by row, red, green, blue.

    No picture gives the zero vector, whose direction would be undefined: no byte maps to zero.
    """
    from PIL import Image

    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return (np.asarray(small, dtype=np.float32) / 127.5 - 1).ravel()


def color_histogram(image: Image.Image) -> np.ndarray:
    """Square root of the share of pixels in each of 8 x 8 x 8 RGB bins: (512,) float32, of norm 1.

    The dot product of two is the Bhattacharyya coefficient of their colour distributions, in [0, 1].
    """
    levels = np.asarray(image.convert("RGB"), dtype=np.int64).reshape(-1, 3) * BINS // 256
    counts = np.bincount(levels @ (BINS * BINS, BINS, 1), minlength=BINS**3)
    return np.sqrt(counts / counts.sum()).astype(np.float32)


CONTROLS: dict[str, tuple[Callable[[Image.Image], np.ndarray], int, dict[str, Any]]] = {
    "pixels": (pixels, 3 * SIDE * SIDE, {"size": [SIDE, SIDE], "resize_mode": "squash", "interpolation": "bilinear"}),
    "color-histogram": (color_histogram, BINS**3, {"size": "as it is", "bins": [BINS] * 3, "space": "RGB"}),
}


@dataclass(frozen=True, eq=False)
class PictureStatistic(Recorded):
    """An encoder that is a plain function of the picture; all its work is done in `preprocess`."""

    statistic: Callable[[Image.Image], np.ndarray]
    has_text: bool = False

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """The vector of one picture: (d,) float32."""
        return self.statistic(image)

    def collate(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """(b, d) float32: the vectors, stacked."""
        return np.asarray(pictures)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """(b, d) float32: the vectors, stacked."""
        return checked(np.array(batch), len(batch), self.name, self.dimension)

    def parity(self, pictures: Sequence[np.ndarray]) -> None:
        """None: there is no network to compute in less than float32."""

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        raise ModelError(f"{self.name} has no text tower: it is a control computed from pictures only")


def control(control_name: str, recipe: Recipe) -> PictureStatistic:
    """The control `control_name` as an encoder."""
    if control_name not in CONTROLS:
        raise ModelError(f"unknown control '{control_name}'; expected one of {', '.join(CONTROLS)}")
    statistic, dimension, preprocessing = CONTROLS[control_name]
    record = {
        "name": recipe.name,
        "id": f"control:{control_name}",
        "family": "control",
        "architecture": control_name,
        "revision": "",
        "sha256": "",
        "files": {},
        "preprocessing": preprocessing,
        "activation": "",
        "precision": "fp32",
        "device": "cpu",
        "dimension": dimension,
        "text": False,
        "versions": versions(),
    }
    return PictureStatistic(recipe.settled(record), record, statistic)
