"""Individuals, and the organs that several body plans share.

Each body plan uses a trait in its own way, as homologous organs do: a crown is a pair of ears on a critter and a pair
of antennae on a bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.world.evolution import PATTERNS, TRAITS
from bioclip_probe.world.pen import Colour, Pen, curve, mix, oval
from bioclip_probe.world.scene import rgb_color

_INDIVIDUAL_SD = 0.05  # standard deviation of continuous traits between individuals of a species


@dataclass(frozen=True)
class Individual:
    """One creature.

    Attributes
    ----------
    value : dict
        Its traits by name, see `evolution.TRAITS`. Each trait is also an attribute: ``creature.tail``.
    base, second, belly, dark : tuple of int
        Its colours, RGB in 0 to 255: of the body, of the pattern, of the belly, of outlines.
    swing : tuple of float
        Two numbers near 0: the momentary posture.

    Examples
    --------
    >>> from bioclip_probe import world
    >>> creature = world.creature(17, 3)
    >>> creature.tail == creature.value["tail"]
    True
    """

    value: dict[str, float | int | str]
    base: Colour
    second: Colour
    belly: Colour
    dark: Colour
    swing: tuple[float, float]

    def __getattr__(self, name: str) -> Any:
        if name not in TRAITS:
            raise AttributeError(name)
        return self.value[name]


def individual(traits: dict[str, Any], rng: np.random.Generator) -> Individual:
    """Return one creature of a species.

    Continuous traits differ a little between individuals of a species, states do not.

    Parameters
    ----------
    traits : dict
        The traits of the species, a row of `evolution.evolve`.
    rng : Generator

    Returns
    -------
    Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> traits = world.traits().iloc[0].to_dict()
    >>> individual(traits, np.random.default_rng(0)).tail == traits["tail"]
    True
    """
    own = dict(traits)
    for name, (_, states) in TRAITS.items():
        if not states:
            own[name] = traits[name] + rng.normal(0, 0.02 if name == "hue" else _INDIVIDUAL_SD)
            own[name] = own[name] % 1.0 if name == "hue" else float(np.clip(own[name], 0, 0.999))
    hue, full, light = own["hue"], 0.35 + 0.6 * own["saturation"], 0.42 + 0.53 * own["lightness"]
    away = 0.12 + 0.76 * own["accent"]
    return Individual(
        value=own,
        base=rgb_color(hue, full, light),
        second=rgb_color(hue + away, full * 0.9, light - 0.38 if light > 0.65 else light + 0.38),
        belly=rgb_color(hue, full * 0.35, min(1.0, light + 0.3)),
        dark=rgb_color(hue, 0.6, 0.16),
        swing=tuple(rng.normal(0, 1, 2).tolist()),
    )


def draw_markings(pen: Pen, creature: Individual, x: float, rx: float, ry: float, belly: bool = True) -> None:
    """Draw the belly and the pattern of a body around (x, 0).

    Parameters
    ----------
    pen : Pen
    creature : Individual
    x, rx, ry : float
        Centre, half the length and half the width of the body.
    belly : bool
        Draw the belly too.

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_markings(pen, world.creature(0, 0), 0, 0.5, 0.3)
    >>> len(pen.image.getcolors()) > 1
    True
    """
    if belly:
        pen.shape(oval(x, 1.05 * ry, rx * 0.95, ry * 0.75), creature.belly, outline=0)
    kind, fill, n = PATTERNS[creature.pattern], creature.second, 2 + int(4 * creature.density)
    if kind == "banded":
        wide = 0.55 * rx / n
        for centre in x + rx * (2 * (np.arange(n) + 0.5) / n - 1):
            pen.shape([(centre - wide, -2), (centre + wide, -2), (centre + wide, 2), (centre - wide, 2)], fill, 0)
    elif kind == "striped":
        for y in np.linspace(-0.75, 0.75, n) * ry:
            pen.line(curve((x - 2, y), (x, y - 0.25 * ry), (x + 2, y)), 0.5 * ry / n, fill)
    elif kind == "spotted":
        for i in range(3 * n):  # the spiral of a sunflower: even, and the same in all individuals of a species
            r, a = np.sqrt((i + 0.5) / (3 * n)) * 0.92, 2.4 * i
            pen.dot(x + rx * r * np.cos(a), ry * r * np.sin(a), 0.55 * np.sqrt(rx * ry) / np.sqrt(3 * n), fill)
    elif kind == "saddled":
        pen.shape(oval(x - 0.1 * rx, -0.85 * ry, (0.35 + 0.4 * creature.density) * rx, 1.1 * ry), fill, outline=0)
    elif kind == "ringed":
        for r, shade in ((0.62, fill), (0.40, creature.belly), (0.2, fill)):
            pen.shape(oval(x, -0.1 * ry, rx * r, ry * r * 1.1), shade, outline=0)


def draw_eye(pen: Pen, creature: Individual, x: float, y: float, size: float) -> None:
    """Draw an eye: white, golden, or a dark bead.

    Parameters
    ----------
    pen : Pen
    creature : Individual
    x, y : float
        Its centre.
    size : float
        Its radius in an average creature.

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_eye(pen, world.creature(0, 0), 0, 0, 0.1)
    >>> len(pen.image.getcolors()) > 1
    True
    """
    size *= 0.7 + 0.6 * creature.eye
    black, white = (20, 18, 24), (252, 252, 246)
    if creature.gaze != 1:
        pen.dot(x, y, size + 0.035, creature.dark)
        pen.dot(x, y, size, white if creature.gaze == 0 else (246, 196, 60))
        pen.dot(x + 0.25 * size, y, size * 0.58, black)
    else:
        pen.dot(x, y, size * 0.85, black)
    pen.dot(x + 0.05 * size, y - 0.35 * size, size * 0.28, white)


def draw_spines(pen: Pen, creature: Individual, x: float, rx: float, ry: float, y: float = 0.0) -> None:
    """Draw what stands along the back: nothing, teeth, a sail or a mane of knobs.

    Parameters
    ----------
    pen : Pen
    creature : Individual
    x, rx, ry : float
        Centre, half the length and half the width of the body.
    y : float
        Height of its centre.

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> with_teeth = int(world.traits()["spine"].eq(1).argmax())
    >>> draw_spines(pen, world.creature(with_teeth, 0), 0, 0.5, 0.3)
    >>> len(pen.image.getcolors()) > 1
    True
    """
    tops = np.linspace(-0.7, 0.6, 5)
    if creature.spine == 1:
        for u in tops:
            h = ry * np.sqrt(1 - u * u)
            points = [
                (x + rx * (u - 0.14), y - h * 0.9),
                (x + rx * (u - 0.1), y - h - 0.24),
                (x + rx * (u + 0.14), y - h * 0.9),
            ]
            pen.shape(np.array(points), creature.second)
    elif creature.spine == 2:
        sail = curve((x - 0.8 * rx, y - 0.5 * ry), (x - 0.2 * rx, y - 1.7 * ry - 0.45), (x + 0.7 * rx, y - 0.6 * ry))
        pen.shape(sail, mix(creature.second, creature.belly, 0.35))
    elif creature.spine == 3:
        for u in tops:
            pen.shape(oval(x + rx * u, y - ry * np.sqrt(1 - u * u), 0.11, 0.11), creature.belly)


def draw_tail(pen: Pen, creature: Individual, x: float, y: float) -> None:
    """Draw a tail from (x, y) backwards: stub, whip, brush or fork.

    Parameters
    ----------
    pen : Pen
    creature : Individual
    x, y : float
        Its root.

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_tail(pen, world.creature(0, 0), 0, 0)
    >>> len(pen.image.getcolors()) > 1
    True
    """
    long, lift = 0.3 + 0.45 * creature.tail_length, 0.25 + 0.12 * creature.swing[0]
    if creature.tail == 0:
        pen.shape(oval(x - 0.06, y, 0.16, 0.14), creature.belly)
    elif creature.tail == 1:
        pen.stroke(curve((x + 0.1, y), (x - long, y + 0.25), (x - long, y - lift - 0.2)), 0.07, creature.base)
        pen.dot(x - long, y - lift - 0.2, 0.09, creature.second)
    elif creature.tail == 2:
        pen.shape(oval(x - 0.6 * long, y - 0.5 * lift, 0.65 * long, 0.2, 0.5), creature.base)
        pen.shape(oval(x - 1.0 * long, y - 0.5 * lift - 0.2 * long, 0.24 * long + 0.04, 0.12, 0.5), creature.second)
    else:
        for side in (-1, 1):
            end = (x - long, y + side * 0.24 - 0.1 * lift)
            pen.stroke(curve((x + 0.1, y), (x - 0.5 * long, y), end), 0.09, creature.second)


def draw_crown(pen: Pen, creature: Individual, x: float, y: float, size: float) -> None:
    """Draw round ears, long ears, horns or feelers on top of a head at (x, y).

    Parameters
    ----------
    pen : Pen
    creature : Individual
    x, y : float
        Top of the head.
    size : float
        Half the width of the head.

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_crown(pen, world.creature(0, 0), 0, 0, 0.3)
    >>> len(pen.image.getcolors()) > 1
    True
    """
    long = 0.15 + 0.35 * creature.crown_length
    for side, fill in ((0.35, mix(creature.base, creature.dark, 0.3)), (-0.35, creature.base)):
        u = x + side * size
        if creature.crown == 0:
            pen.shape(oval(u, y, 0.07 + 0.3 * long, 0.07 + 0.3 * long), fill)
            pen.dot(u, y, 0.02 + 0.15 * long, creature.belly)
        elif creature.crown == 1:
            pen.shape(oval(u - 0.12, y - 0.7 * long, 0.09, long, -0.35), fill)
        elif creature.crown == 2:
            pen.shape(curve((u - 0.08, y + 0.1), (u - 0.1, y - long), (u + 0.12, y - 1.5 * long)), creature.belly)
        else:
            pen.line(curve((u, y + 0.1), (u, y - long), (u + 0.25, y - 1.3 * long)), 0.03, creature.dark)
            pen.dot(u + 0.25, y - 1.3 * long, 0.075, creature.second)


def draw_side_wing(pen: Pen, creature: Individual, x: float, y: float) -> None:
    """Draw a wing, folded or raised at the side: rounded, pointed or fringed.

    Parameters
    ----------
    pen : Pen
    creature : Individual
    x, y : float
        Its root.

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_side_wing(pen, world.creature(0, 0), 0, 0)
    >>> len(pen.image.getcolors()) > 1
    True
    """
    long, up = 0.35 + 0.35 * creature.wing_size, 0.45 + 0.12 * creature.swing[1]
    fill = mix(creature.base, creature.second, 0.6)
    if creature.wing == 1:
        pen.shape(oval(x - 0.5 * long, y - 0.1, 0.75 * long, 0.2, 0.25), fill)
        pen.shape(oval(x - 0.65 * long, y - 0.13, 0.4 * long, 0.1, 0.25), creature.belly, outline=0.03)
    elif creature.wing == 2:
        pen.shape([(x + 0.15, y), (x - long, y - up - 0.2 * long), (x - 0.35 * long, y + 0.1)], fill)
    else:
        for angle in (0.9, 0.55, 0.2):
            tip = oval(x - 0.6 * long * np.cos(angle), y - 0.6 * long * np.sin(angle), 0.65 * long, 0.09, angle)
            pen.shape(tip, mix(fill, creature.belly, 0.4 * (angle < 0.6)))
