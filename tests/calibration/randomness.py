"""The random streams of the calibration study."""

from __future__ import annotations

from zlib import crc32

import numpy as np

SEED = 20_261_124


def generator(*key: object) -> np.random.Generator:
    """Return the random stream of a key; it is the same on every machine."""
    return np.random.default_rng([SEED, *(crc32(str(part).encode()) for part in key)])
