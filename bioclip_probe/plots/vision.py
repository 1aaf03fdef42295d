"""Perceived differences of colours, also with deuteranopia, and shades of a hue that stay apart."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_hex, to_rgb

#: Severe deuteranopia in linear RGB: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE TVCG 15, 2009.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


def lab(rgb: np.ndarray, deuteranopia: bool = False) -> np.ndarray:
    """Return colours as CIE L*a*b*, in which a distance of 2 is just seen.

    Parameters
    ----------
    rgb : ndarray, shape (n, 3), float
        sRGB, from 0 to 1.
    deuteranopia : bool
        As a reader without green cones sees them.

    Returns
    -------
    ndarray, shape (n, 3), float64

    Examples
    --------
    >>> lab(np.ones((1, 3))).round()[0].tolist()
    [100.0, 0.0, 0.0]
    """
    rgb = np.asarray(rgb, np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if deuteranopia:
        linear = np.clip(linear @ DEUTERANOPIA.T, 0, 1)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def separations(rgb: np.ndarray, alpha: float) -> np.ndarray:
    """Return how far any two colours are apart on white paper, for the reader who sees the least of it.

    Parameters
    ----------
    rgb : ndarray, shape (n, 3), float
    alpha : float
        Opacity at which they are drawn.

    Returns
    -------
    ndarray, shape (n, n), float64
        Distance ΔE in CIE L*a*b*: the smaller one of full colour vision and deuteranopia.

    Examples
    --------
    >>> red_and_green = np.array([[0.8, 0.2, 0.0], [0.4, 0.5, 0.0]])
    >>> bool(separations(red_and_green, 1.0)[0, 1] < 20)
    True
    """
    drawn = np.asarray(rgb) * alpha + 1 - alpha
    distances = []
    for seen in (lab(drawn), lab(drawn, deuteranopia=True)):
        distances.append(np.linalg.norm(seen[:, None] - seen[None], axis=2))
    return np.minimum(*distances)


def shades(color: str, n: int, alpha: float, apart: float) -> list[str] | None:
    """Return colours around the hue of one, which readers with deuteranopia can tell apart.

    Parameters
    ----------
    color : str
    n : int
    alpha : float
        Opacity at which they are drawn.
    apart : float
        Least distance ΔE of any two, see `separations`.

    Returns
    -------
    list of str, or None
        From dark to light; None if the hue, and those beside it up to 60 degrees, do not hold so many.

    Examples
    --------
    >>> len(shades("#117733", 4, 0.85, 15))
    4
    """
    base = np.array([to_rgb(color)])
    _, a, b = lab(base)[0]
    for window in (20, 30, 45, 60):
        rgb = _around(float(np.degrees(np.arctan2(b, a))), window)
        distances = separations(np.concatenate([base, rgb]), alpha)
        picked = [int(distances[0, 1:].argmin())]  # the nearest to the colour itself, then the farthest from all before
        nearest = distances[1:, 1:][picked[0]]
        while len(picked) < n:
            picked.append(int(nearest.argmax()))
            if nearest[picked[-1]] < apart:
                break
            nearest = np.minimum(nearest, distances[1:, 1:][picked[-1]])
        else:
            order = sorted(picked, key=lambda number: float(lab(rgb[[number]])[0, 0]))
            return [to_hex(tuple(rgb[number])) for number in order]
    return None


def _around(hue: float, window: float) -> np.ndarray:
    """Return colours of hues within a window, dark to light and dull to vivid, as far as a screen shows them."""
    lightness, chroma, turn = np.meshgrid(
        np.arange(24, 80, 4.0), np.arange(26, 90, 8.0), np.radians(hue + np.linspace(-window, window, 7)), indexing="ij"
    )
    f = (lightness + 16) / 116
    f_all = np.stack([f + chroma * np.cos(turn) / 500, f, f - chroma * np.sin(turn) / 200], axis=-1).reshape(-1, 3)
    xyz = np.where(f_all > 6 / 29, f_all**3, (f_all - 16 / 116) / 7.787) * _WHITE
    linear = xyz @ np.linalg.inv(_TO_XYZ).T
    shown = ((linear >= 0) & (linear <= 1)).all(axis=1)
    linear = linear[shown]
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
