"""Made-up photographs: JPEGs of the size and with about the detail of those in iNat21."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def jpegs(number: int, size: tuple[int, int] = (500, 375)) -> list[bytes]:
    """Return pictures as JPEG: coloured fields with noise."""
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(number):
        field = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        grain = rng.integers(-15, 16, (size[1], size[0], 3))
        buffer = io.BytesIO()
        Image.fromarray(np.clip(np.asarray(field, int) + grain, 0, 255).astype(np.uint8)).save(
            buffer, "JPEG", quality=90
        )
        encoded.append(buffer.getvalue())
    return encoded
