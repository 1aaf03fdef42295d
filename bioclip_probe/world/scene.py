"""The circumstances of a picture: pose, background and light. They do not depend on the creature."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from bioclip_probe.world.pen import SIZE, SUPERSAMPLING, Colour

BACKGROUNDS = ("plain", "sky", "meadow", "foliage", "pebbles", "water")


@dataclass(frozen=True)
class Scene:
    """The circumstances of one picture, drawn from the same distribution for all taxa.

    Attributes
    ----------
    turn : float
        Radians by which the creature is turned.
    left : bool
        It looks to the left.
    scale : float
        Size of the creature, as a share of the picture.
    shift : tuple of float
        Place of the creature relative to the middle, in shares of the picture.
    background : str
        One of `BACKGROUNDS`.
    hue, tone : float
        Hue and brightness of the background, in [0, 1].
    texture : int
        Seed of the background's details.
    gain : float
        Strength of the light.
    tint : tuple of float
        Strength of its red, green and blue.
    slope : tuple of float
        Change of the light from left to right and from top to bottom.

    Examples
    --------
    >>> random_scene(np.random.default_rng(0)).background in BACKGROUNDS
    True
    """

    turn: float
    left: bool
    scale: float
    shift: tuple[float, float]
    background: str
    hue: float
    tone: float
    texture: int
    gain: float
    tint: tuple[float, float, float]
    slope: tuple[float, float]


def random_scene(rng: np.random.Generator) -> Scene:
    """Return circumstances drawn at random.

    Parameters
    ----------
    rng : Generator

    Returns
    -------
    Scene

    Examples
    --------
    >>> random_scene(np.random.default_rng(4)) == random_scene(np.random.default_rng(4))
    True
    """
    return Scene(
        turn=float(rng.normal(0, 0.35)),
        left=bool(rng.random() < 0.5),
        scale=float(rng.uniform(0.30, 0.43)),
        shift=tuple(rng.uniform(-0.09, 0.09, 2).tolist()),
        background=BACKGROUNDS[rng.integers(len(BACKGROUNDS))],
        hue=float(rng.random()),
        tone=float(rng.uniform(0.25, 0.95)),
        texture=int(rng.integers(2**31)),
        gain=float(rng.uniform(0.65, 1.2)),
        tint=tuple(rng.uniform(0.85, 1.1, 3).tolist()),
        slope=tuple(rng.uniform(-0.3, 0.3, 2).tolist()),
    )


def rgb_color(hue: float, saturation: float, value: float) -> Colour:
    """Return an RGB colour from hue, saturation and value.

    Parameters
    ----------
    hue : float
        Red at 0 and at 1; numbers beyond wrap round.
    saturation, value : float
        In [0, 1]; numbers beyond are cut.

    Returns
    -------
    tuple of int
        In 0 to 255.

    Examples
    --------
    >>> rgb_color(1 / 3, 1, 1)
    (0, 255, 0)
    """
    channels = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    red, green, blue = (round(255 * channel) for channel in channels)
    return red, green, blue


def backdrop(scene: Scene) -> Image.Image:
    """Return the picture without the creature.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    PIL.Image.Image
        A square of `SUPERSAMPLING` times the final size.

    Examples
    --------
    >>> backdrop(random_scene(np.random.default_rng(0))).size
    (192, 192)
    """
    side, rng = SIZE * SUPERSAMPLING, np.random.default_rng(scene.texture)
    ground = rgb_color(scene.hue, rng.uniform(0.1, 0.45), scene.tone)
    if scene.background == "plain":
        return Image.new("RGB", (side, side), ground)
    other = rgb_color(scene.hue + rng.normal(0, 0.06), rng.uniform(0.1, 0.5), scene.tone * rng.uniform(0.6, 1.2))
    if scene.background == "sky":
        steps = np.linspace(0, 1, side)[:, None, None]
        column = (np.array(ground) * (1 - steps) + np.array(other) * steps).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column, (side, side, 3))))
    image = _clouded(ground, other, rng, side)
    {"meadow": _meadow, "foliage": _foliage, "pebbles": _pebbles, "water": _water}[scene.background](image, scene, rng)
    return image


def apply_light(image: Image.Image, scene: Scene) -> np.ndarray:
    """Return a picture at its final size in the light of a scene.

    Parameters
    ----------
    image : PIL.Image.Image
        A square of `SUPERSAMPLING` times the final size.
    scene : Scene

    Returns
    -------
    ndarray, shape (SIZE, SIZE, 3), uint8

    Examples
    --------
    >>> scene = random_scene(np.random.default_rng(0))
    >>> apply_light(backdrop(scene), scene).shape
    (64, 64, 3)
    """
    pixels = np.asarray(image.reduce(SUPERSAMPLING), np.float32)
    ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
    light = scene.gain * (1 + scene.slope[0] * ramp[None, :] + scene.slope[1] * ramp[:, None])
    noise = np.random.default_rng(scene.texture + 1).normal(0, 2.0, (SIZE, SIZE, 1)).astype(np.float32)
    return np.clip(pixels * light[:, :, None] * np.asarray(scene.tint, np.float32) + noise, 0, 255).astype(np.uint8)


def _clouded(a: Colour, b: Colour, rng: np.random.Generator, side: int) -> Image.Image:
    """Return a smooth random mixture of two colours."""
    share = rng.random((5, 5, 1))
    coarse = np.array(a) * (1 - share) + np.array(b) * share
    return Image.fromarray(coarse.astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)


def _shade(scene: Scene, rng: np.random.Generator, spread: float = 0.15) -> Colour:
    """Return a random shade of the background."""
    return rgb_color(
        scene.hue + rng.normal(0, 0.03), rng.uniform(0.2, 0.55), scene.tone * rng.uniform(1 - 2 * spread, 1 + spread)
    )


def _meadow(image: Image.Image, scene: Scene, rng: np.random.Generator) -> None:
    draw, side = ImageDraw.Draw(image), image.width
    for _ in range(26):
        x, y, lean, tall = rng.uniform((0, 0.3, -0.1, 0.15), (1, 1.1, 0.1, 0.45)) * side
        draw.polygon((x - 3, y, x + 3, y, x + lean, y - tall), fill=_shade(scene, rng))


def _foliage(image: Image.Image, scene: Scene, rng: np.random.Generator) -> None:
    draw, side = ImageDraw.Draw(image), image.width
    for _ in range(14):
        x, y, long, wide = rng.uniform((0, 0, 0.12, 0.04), (1, 1, 0.25, 0.09)) * side
        c, s = np.cos(angle := rng.uniform(0, 2 * np.pi)), np.sin(angle)
        leaf = ((-long, 0), (-long / 3, -wide), (long / 3, -wide), (long, 0), (long / 3, wide), (-long / 3, wide))
        draw.polygon([(x + c * u - s * v, y + s * u + c * v) for u, v in leaf], fill=(fill := _shade(scene, rng)))
        vein = tuple(channel * 3 // 4 for channel in fill)
        draw.line((x - c * long, y - s * long, x + c * long, y + s * long), fill=vein, width=2)


def _pebbles(image: Image.Image, scene: Scene, rng: np.random.Generator) -> None:
    draw, side = ImageDraw.Draw(image), image.width
    for _ in range(26):
        x, y, rx, ry = rng.uniform((0, 0, 0.03, 0.02), (1, 1, 0.10, 0.07)) * side
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=_shade(scene, rng))


def _water(image: Image.Image, scene: Scene, rng: np.random.Generator) -> None:
    draw, side = ImageDraw.Draw(image), image.width
    for _ in range(12):
        x, y, long = rng.uniform((0, 0, 0.1), (1, 1, 0.3)) * side
        draw.arc((x - long, y - 8, x + long, y + 8), 10, 170, fill=_shade(scene, rng), width=3)
    for _ in range(6):
        x, y, r = rng.uniform((0, 0, 0.01), (1, 1, 0.03)) * side
        draw.ellipse((x - r, y - r, x + r, y + r), outline=_shade(scene, rng, 0.3), width=2)
