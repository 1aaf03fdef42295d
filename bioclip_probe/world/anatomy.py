"""An individual, and the organs that several body plans share.

Plans use a trait in the way of their own anatomy, as homologous organs do: a crown is ears on a critter and antennae
on a bug.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.world.evolution import PATTERNS, TRAITS
from bioclip_probe.world.pen import Colour, Pen, curve, mix, oval
from bioclip_probe.world.scene import colour

_PLAY = 0.05  # how much individuals of a species differ in their continuous traits


@dataclass(frozen=True)
class Individual:
    """The traits of one creature (`value`), its colours, and its momentary bearing (`swing`, two numbers near 0)."""

    value: dict[str, float | int | str]
    base: Colour
    second: Colour
    belly: Colour
    dark: Colour
    swing: tuple[float, float]

    def __getattr__(self, name: str):
        if name not in TRAITS:
            raise AttributeError(name)
        return self.value[name]


def individual(traits: dict, rng: np.random.Generator) -> Individual:
    """One creature of the species with these traits (a row of `evolution.evolve` as a dict)."""
    own = dict(traits)
    for name, (_, states) in TRAITS.items():
        if not states:
            own[name] = traits[name] + rng.normal(0, 0.02 if name == "hue" else _PLAY)
            own[name] = own[name] % 1.0 if name == "hue" else float(np.clip(own[name], 0, 0.999))
    hue, full, light = own["hue"], 0.35 + 0.6 * own["saturation"], 0.42 + 0.53 * own["lightness"]
    away = 0.12 + 0.76 * own["accent"]
    return Individual(
        value=own,
        base=colour(hue, full, light),
        second=colour(hue + away, full * 0.9, light - 0.38 if light > 0.65 else light + 0.38),
        belly=colour(hue, full * 0.35, min(1.0, light + 0.3)),
        dark=colour(hue, 0.6, 0.16),
        swing=tuple(rng.normal(0, 1, 2).tolist()),
    )


def markings(pen: Pen, one: Individual, x: float, rx: float, ry: float, belly: bool = True) -> None:
    """Belly and markings of a body of half-length rx and half-width ry around (x, 0)."""
    if belly:
        pen.shape(oval(x, 1.05 * ry, rx * 0.95, ry * 0.75), one.belly, outline=0)
    kind, fill, n = PATTERNS[one.pattern], one.second, 2 + int(4 * one.density)
    if kind == "banded":
        wide = 0.55 * rx / n
        for centre in x + rx * (2 * (np.arange(n) + 0.5) / n - 1):
            pen.shape([(centre - wide, -2), (centre + wide, -2), (centre + wide, 2), (centre - wide, 2)], fill, 0)
    elif kind == "striped":
        for y in np.linspace(-0.75, 0.75, n) * ry:
            pen.line(curve((x - 2, y), (x, y - 0.25 * ry), (x + 2, y)), 0.5 * ry / n, fill)
    elif kind == "spotted":
        for i in range(3 * n):  # a sunflower's spiral: even, and the same in all of a kind
            r, a = np.sqrt((i + 0.5) / (3 * n)) * 0.92, 2.4 * i
            pen.dot(x + rx * r * np.cos(a), ry * r * np.sin(a), 0.55 * np.sqrt(rx * ry) / np.sqrt(3 * n), fill)
    elif kind == "saddled":
        pen.shape(oval(x - 0.1 * rx, -0.85 * ry, (0.35 + 0.4 * one.density) * rx, 1.1 * ry), fill, outline=0)
    elif kind == "ringed":
        for r, shade in ((0.62, fill), (0.40, one.belly), (0.2, fill)):
            pen.shape(oval(x, -0.1 * ry, rx * r, ry * r * 1.1), shade, outline=0)


def eye(pen: Pen, one: Individual, x: float, y: float, size: float) -> None:
    size *= 0.7 + 0.6 * one.eye
    black, white = (20, 18, 24), (252, 252, 246)
    if one.gaze != 1:
        pen.dot(x, y, size + 0.035, one.dark)
        pen.dot(x, y, size, white if one.gaze == 0 else (246, 196, 60))
        pen.dot(x + 0.25 * size, y, size * 0.58, black)
    else:
        pen.dot(x, y, size * 0.85, black)
    pen.dot(x + 0.05 * size, y - 0.35 * size, size * 0.28, white)


def spines(pen: Pen, one: Individual, x: float, rx: float, ry: float, y: float = 0.0) -> None:
    """What stands along the back: nothing, teeth, a sail or a mane of knobs."""
    tops = np.linspace(-0.7, 0.6, 5)
    if one.spine == 1:
        for u in tops:
            h = ry * np.sqrt(1 - u * u)
            points = [
                (x + rx * (u - 0.14), y - h * 0.9),
                (x + rx * (u - 0.1), y - h - 0.24),
                (x + rx * (u + 0.14), y - h * 0.9),
            ]
            pen.shape(np.array(points), one.second)
    elif one.spine == 2:
        sail = curve((x - 0.8 * rx, y - 0.5 * ry), (x - 0.2 * rx, y - 1.7 * ry - 0.45), (x + 0.7 * rx, y - 0.6 * ry))
        pen.shape(sail, mix(one.second, one.belly, 0.35))
    elif one.spine == 3:
        for u in tops:
            pen.shape(oval(x + rx * u, y - ry * np.sqrt(1 - u * u), 0.11, 0.11), one.belly)


def tail(pen: Pen, one: Individual, x: float, y: float) -> None:
    """A tail from (x, y) backwards: stub, whip, brush or fork."""
    long, lift = 0.3 + 0.45 * one.tail_length, 0.25 + 0.12 * one.swing[0]
    if one.tail == 0:
        pen.shape(oval(x - 0.06, y, 0.16, 0.14), one.belly)
    elif one.tail == 1:
        pen.stroke(curve((x + 0.1, y), (x - long, y + 0.25), (x - long, y - lift - 0.2)), 0.07, one.base)
        pen.dot(x - long, y - lift - 0.2, 0.09, one.second)
    elif one.tail == 2:
        pen.shape(oval(x - 0.6 * long, y - 0.5 * lift, 0.65 * long, 0.2, 0.5), one.base)
        pen.shape(oval(x - 1.0 * long, y - 0.5 * lift - 0.2 * long, 0.24 * long + 0.04, 0.12, 0.5), one.second)
    else:
        for side in (-1, 1):
            end = (x - long, y + side * 0.24 - 0.1 * lift)
            pen.stroke(curve((x + 0.1, y), (x - 0.5 * long, y), end), 0.09, one.second)


def crown(pen: Pen, one: Individual, x: float, y: float, size: float) -> None:
    """Round ears, long ears, horns or feelers on top of a head at (x, y)."""
    long = 0.15 + 0.35 * one.crown_length
    for side, fill in ((0.35, mix(one.base, one.dark, 0.3)), (-0.35, one.base)):
        u = x + side * size
        if one.crown == 0:
            pen.shape(oval(u, y, 0.07 + 0.3 * long, 0.07 + 0.3 * long), fill)
            pen.dot(u, y, 0.02 + 0.15 * long, one.belly)
        elif one.crown == 1:
            pen.shape(oval(u - 0.12, y - 0.7 * long, 0.09, long, -0.35), fill)
        elif one.crown == 2:
            pen.shape(curve((u - 0.08, y + 0.1), (u - 0.1, y - long), (u + 0.12, y - 1.5 * long)), one.belly)
        else:
            pen.line(curve((u, y + 0.1), (u, y - long), (u + 0.25, y - 1.3 * long)), 0.03, one.dark)
            pen.dot(u + 0.25, y - 1.3 * long, 0.075, one.second)


def side_wing(pen: Pen, one: Individual, x: float, y: float) -> None:
    """A wing folded or raised at the side: rounded, pointed or fringed."""
    long, up = 0.35 + 0.35 * one.wing_size, 0.45 + 0.12 * one.swing[1]
    fill = mix(one.base, one.second, 0.6)
    if one.wing == 1:
        pen.shape(oval(x - 0.5 * long, y - 0.1, 0.75 * long, 0.2, 0.25), fill)
        pen.shape(oval(x - 0.65 * long, y - 0.13, 0.4 * long, 0.1, 0.25), one.belly, outline=0.03)
    elif one.wing == 2:
        pen.shape([(x + 0.15, y), (x - long, y - up - 0.2 * long), (x - 0.35 * long, y + 0.1)], fill)
    else:
        for angle in (0.9, 0.55, 0.2):
            tip = oval(x - 0.6 * long * np.cos(angle), y - 0.6 * long * np.sin(angle), 0.65 * long, 0.09, angle)
            pen.shape(tip, mix(fill, one.belly, 0.4 * (angle < 0.6)))
