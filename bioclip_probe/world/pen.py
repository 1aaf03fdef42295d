"""A pen that draws in the creature's own coordinates.

The creature looks along +x, y points down, and it fits in a circle of about radius 1. The pen turns, scales, mirrors
and moves all that into the picture, and draws at `SUPER` times the final size for smooth edges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIZE = 64
SUPER = 3
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 26)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 26)[:-1])], axis=1)

Colour = tuple[int, int, int]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Colour `a` with a `share` of `b`."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def oval(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
    """(25, 2) outline of an ellipse turned by `angle` (radians)."""
    c, s = np.cos(angle), np.sin(angle)
    return _CIRCLE * (rx, ry) @ np.array([[c, s], [-s, c]]) + (x, y)


def curve(*points: tuple[float, float], steps: int = 8) -> np.ndarray:
    """A quadratic (3 points) or straight (2 points) line through control points."""
    if len(points) == 2:
        return np.array(points)
    (a, b, c), t = np.array(points), np.linspace(0, 1, steps)[:, None]
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


@dataclass(frozen=True)
class Pen:
    """Draws on `image` through the map p → p @ matrix + offset; `ink` is the colour of outlines."""

    image: Image.Image
    matrix: np.ndarray
    offset: np.ndarray
    ink: Colour

    @property
    def _scale(self) -> float:
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def _flat(self, points: np.ndarray) -> list[float]:
        return (np.asarray(points) @ self.matrix + self.offset).ravel().tolist()

    def shape(self, points: np.ndarray, fill: Colour, outline: float = 0.045) -> None:
        """A filled closed shape with an inked outline."""
        draw, flat = ImageDraw.Draw(self.image), self._flat(points)
        draw.polygon(flat, fill=fill)
        if outline:
            draw.line(flat + flat[:4], fill=self.ink, width=max(1, round(outline * self._scale)), joint="curve")

    def stroke(self, points: np.ndarray, width: float, fill: Colour) -> None:
        """A line with round ends, inked along both sides."""
        self.line(points, width + 0.07, self.ink)
        self.line(points, width, fill)

    def line(self, points: np.ndarray, width: float, fill: Colour) -> None:
        """A line with round ends and no ink."""
        draw, flat = ImageDraw.Draw(self.image), self._flat(points)
        pixels = max(1, round(width * self._scale))
        draw.line(flat, fill=fill, width=pixels, joint="curve")
        radius = pixels / 2
        for x, y in (flat[:2], flat[-2:]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)

    def dot(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """A round dot without outline."""
        (px, py), r = self._flat(np.array([[x, y]])), radius * self._scale
        ImageDraw.Draw(self.image).ellipse((px - r, py - r, px + r, py + r), fill=fill)

    def within(self, points: np.ndarray, fill: Colour, paint: Callable[[Pen], None], outline: float = 0.045) -> None:
        """A shape with a pattern: what `paint` draws is clipped to it."""
        flat = self._flat(points)
        xs, ys = flat[::2], flat[1::2]
        box = int(min(xs)) - 2, int(min(ys)) - 2, int(max(xs)) + 3, int(max(ys)) + 3
        size = box[2] - box[0], box[3] - box[1]
        layer, mask = Image.new("RGB", size, fill), Image.new("L", size)
        inner = Pen(layer, self.matrix, self.offset - box[:2], self.ink)
        paint(inner)
        ImageDraw.Draw(mask).polygon(inner._flat(points), fill=255)
        self.image.paste(layer, box[:2], mask)
        if outline:
            draw = ImageDraw.Draw(self.image)
            draw.line(flat + flat[:4], fill=self.ink, width=max(1, round(outline * self._scale)), joint="curve")
