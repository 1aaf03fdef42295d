"""A pen that draws in the coordinates of a creature.

The creature looks along +x, y points down, and it fits in a circle of about radius 1. The pen turns, scales, mirrors
and moves the creature into the picture. It draws at `SUPERSAMPLING` times the final size, for smooth edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIZE = 64
SUPERSAMPLING = 3
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 26)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 26)[:-1])], axis=1)

Colour = tuple[int, int, int]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return a mixture of two colours.

    Parameters
    ----------
    a, b : tuple of int
        RGB in 0 to 255.
    share : float
        Share of `b`, in [0, 1].

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> mix((0, 0, 0), (100, 200, 50), 0.5)
    (50, 100, 25)
    """
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def oval(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
    """Return the outline of an ellipse.

    Parameters
    ----------
    x, y : float
        Its centre.
    rx, ry : float
        Its half-axes.
    angle : float
        Radians by which it is turned.

    Returns
    -------
    ndarray, shape (25, 2), float64

    Examples
    --------
    >>> oval(0, 0, 2, 1)[0]
    array([2., 0.])
    """
    c, s = np.cos(angle), np.sin(angle)
    return _CIRCLE * (rx, ry) @ np.array([[c, s], [-s, c]]) + (x, y)


def curve(*points: tuple[float, float], steps: int = 8) -> np.ndarray:
    """Return points of a quadratic Bézier curve, or of a straight line.

    Parameters
    ----------
    *points : tuple of float
        Three control points, or two ends.
    steps : int
        Number of points on a curve.

    Returns
    -------
    ndarray, shape (steps, 2) or (2, 2), float64

    Examples
    --------
    >>> curve((0, 0), (1, 2), (2, 0), steps=3)[1]
    array([1., 1.])
    """
    if len(points) == 2:
        return np.array(points)
    (a, b, c), t = np.array(points), np.linspace(0, 1, steps)[:, None]
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


Points = Sequence[tuple[float, float]] | np.ndarray


@dataclass(frozen=True)
class Pen:
    """A pen that draws on a picture in the coordinates of a creature.

    Attributes
    ----------
    image : PIL.Image.Image
    matrix : ndarray, shape (2, 2)
    offset : ndarray, shape (2,)
        A point p of the creature lies at ``p @ matrix + offset`` in the picture, in pixels.
    ink : tuple of int
        Colour of outlines.

    Examples
    --------
    >>> pen = blank_pen()
    >>> pen.dot(0, 0, 0.5, (200, 10, 10))
    >>> pen.image.getpixel((32, 32))
    (200, 10, 10)
    """

    image: Image.Image
    matrix: np.ndarray
    offset: np.ndarray
    ink: Colour

    @property
    def _scale(self) -> float:
        """Return how many pixels one unit of the creature is."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def _flat(self, points: Points) -> list[float]:
        """Return points as a flat list of pixel coordinates."""
        return (np.asarray(points) @ self.matrix + self.offset).ravel().tolist()

    def shape(self, points: Points, fill: Colour, outline: float = 0.045) -> None:
        """Draw a filled closed shape with an outline.

        Parameters
        ----------
        points : array-like, shape (n, 2)
        fill : tuple of int
        outline : float
            Width of the outline; 0 for none.
        """
        draw, flat = ImageDraw.Draw(self.image), self._flat(points)
        draw.polygon(flat, fill=fill)
        if outline:
            draw.line(flat + flat[:4], fill=self.ink, width=max(1, round(outline * self._scale)), joint="curve")

    def stroke(self, points: Points, width: float, fill: Colour) -> None:
        """Draw a line with round ends and outlines along both sides.

        Parameters
        ----------
        points : array-like, shape (n, 2)
        width : float
        fill : tuple of int
        """
        self.line(points, width + 0.07, self.ink)
        self.line(points, width, fill)

    def line(self, points: Points, width: float, fill: Colour) -> None:
        """Draw a line with round ends and no outline.

        Parameters
        ----------
        points : array-like, shape (n, 2)
        width : float
        fill : tuple of int
        """
        draw, flat = ImageDraw.Draw(self.image), self._flat(points)
        pixels = max(1, round(width * self._scale))
        draw.line(flat, fill=fill, width=pixels, joint="curve")
        radius = pixels / 2
        for x, y in (flat[:2], flat[-2:]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)

    def dot(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """Draw a round dot without an outline.

        Parameters
        ----------
        x, y, radius : float
        fill : tuple of int
        """
        (px, py), r = self._flat(np.array([[x, y]])), radius * self._scale
        ImageDraw.Draw(self.image).ellipse((px - r, py - r, px + r, py + r), fill=fill)

    def patterned_shape(
        self, points: Points, fill: Colour, paint: Callable[[Pen], None], outline: float = 0.045
    ) -> None:
        """Draw a filled shape with a pattern that is clipped to it.

        Parameters
        ----------
        points : array-like, shape (n, 2)
        fill : tuple of int
        paint : callable
            Draws the pattern with the pen that it is given.
        outline : float
            Width of the outline; 0 for none.
        """
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


def blank_pen(size: int = SIZE) -> Pen:
    """Return a pen over the middle of a white square, to try out a shape.

    Parameters
    ----------
    size : int
        Side of the square in pixels; a creature of radius 1 fills two thirds of it.

    Returns
    -------
    Pen

    Examples
    --------
    >>> blank_pen(60).image.size
    (60, 60)
    """
    return Pen(Image.new("RGB", (size, size), "white"), np.eye(2) * size / 3, np.full(2, size / 2), (0, 0, 0))
