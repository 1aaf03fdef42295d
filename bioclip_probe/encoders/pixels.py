"""Pixels as bytes: a model's own transform in two parts, so that pictures travel in a quarter of the memory.

The transforms of open_clip and timm resize and crop a picture, whose pixels stay bytes, and then scale the values to
float32. The first part runs where the picture is opened, in another process too. The second part runs on the device of
the network, on a whole batch. Both parts together give what the model's own transform gives, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch
    from PIL import Image


@dataclass(frozen=True)
class PixelTransform:
    """The first part of a transform: from a picture to bytes. It holds no weights and can be pickled.

    Attributes
    ----------
    resize : callable
        From an RGB picture to one of the size that the network takes.

    Examples
    --------
    >>> from PIL import Image
    >>> PixelTransform(lambda image: image.resize((4, 2)))(Image.new("RGB", (8, 8))).shape
    (2, 4, 3)
    """

    resize: Callable[[Image.Image], Image.Image]

    def __call__(self, image: Image.Image) -> np.ndarray:
        """Return the pixels that the network sees.

        Parameters
        ----------
        image : PIL.Image.Image

        Returns
        -------
        ndarray, shape (height, width, 3), uint8
        """
        return np.asarray(self.resize(image))


class Normalization:
    """The second part of a transform: from bytes to the values that the network takes.

    Parameters
    ----------
    mean, std : sequence of float
        Of each colour, for values from 0 to 1.
    device : str
        Device of the batches, as torch names it.

    Examples
    --------
    >>> import torch
    >>> white = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    >>> Normalization((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))(white).unique().item()
    2.0
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: str = "cpu") -> None:
        import torch

        self.device = device
        # As tensors on the device: divided by a plain number, CUDA multiplies by its rounded reciprocal.
        self._full, self._mean, self._std = (
            torch.tensor(step, dtype=torch.float32, device=device).reshape(-1, 1, 1) for step in (255.0, mean, std)
        )

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the values of a batch of pixels; the steps are torchvision's, in their order.

        Parameters
        ----------
        pixels : Tensor, shape (b, height, width, 3), uint8
            On the device.

        Returns
        -------
        Tensor, shape (b, 3, height, width), float32
            On a GPU in the memory layout "channels last", which the bytes have already.
        """
        pixels = pixels.permute(0, 3, 1, 2)
        values = (pixels.contiguous() if self.device == "cpu" else pixels).float()
        return values.div_(self._full).sub_(self._mean).div_(self._std)


class SplitTransform(NamedTuple):
    """Both parts of a transform."""

    pixels: PixelTransform
    normalization: Normalization


def split_transform(transform: Any, device: str = "cpu") -> SplitTransform | None:
    """Return both parts of a transform if it ends as those of open_clip and timm do: with ToTensor and Normalize.

    Parameters
    ----------
    transform : callable
        From a picture to a (3, height, width) float32 tensor.
    device : str
        Device on which batches are normalised, as torch names it.

    Returns
    -------
    SplitTransform or None
        None if it ends otherwise, or the parts would not give equal values for every byte.

    Examples
    --------
    >>> split_transform(print) is None
    True
    """
    import torch
    from PIL import Image
    from torchvision.transforms import Compose, Normalize, ToTensor

    steps: list[Any] = transform.transforms if isinstance(transform, Compose) else []
    if len(steps) < 2 or not isinstance(steps[-2], ToTensor) or type(steps[-1]) is not Normalize:
        return None
    *resizing, to_tensor, normalize = steps
    mean, std = (torch.as_tensor(values).tolist() for values in (normalize.mean, normalize.std))
    every_byte = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    expected = normalize(to_tensor(Image.fromarray(every_byte)))
    if not torch.equal(Normalization(mean, std)(torch.from_numpy(every_byte)[None])[0], expected):
        return None
    return SplitTransform(PixelTransform(Compose(resizing)), Normalization(mean, std, device))
