"""Differences of colours for readers with and without a colour-vision deficiency, and from their background."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

#: Machado, Oliveira & Fernandes 2009, severity 1, in linear RGB.
DEFICIENCIES = {
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "none": np.eye(3),
}
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(rgb: Sequence[int]) -> np.ndarray:
    """Return the linear light of red, green and blue from 0 to 255."""
    share = np.asarray(rgb) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(rgb: Sequence[int], deficiency: str = "none") -> np.ndarray:
    """Return CIE L*a*b* of a colour as a reader sees it."""
    xyz = _TO_XYZ @ np.clip(DEFICIENCIES[deficiency] @ linear(rgb), 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest_pair(colors: Sequence[Sequence[int]], deficiency: str = "none") -> float:
    """Return the least ΔE (CIE 1976) of two of the colours, as a reader sees them."""
    seen = [lab(color, deficiency) for color in colors]
    return min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(seen, 2))


def contrast(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the contrast of two colours as WCAG defines it, from 1 to 21."""
    light = sorted(float(linear(color) @ _TO_XYZ[1]) for color in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)
