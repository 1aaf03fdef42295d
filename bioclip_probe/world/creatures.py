"""Draw a creature: seven body plans with limbs, wings, tails, crowns, spines, eyes and patterns.

Every plan is a function of a pen and an `Individual`; a plan uses the traits in the way of its own anatomy (a crown is ears on
a critter, a crest on a bird, antennae on a bug), as homologous organs do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.world.pen import Colour, Pen, curve, mix, oval
from bioclip_probe.world.scene import colour
from bioclip_probe.world.evolution import PATTERNS, TRAITS

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


def draw(pen: Pen, one: Individual) -> None:
    """Draw the creature in its body plan."""
    _PLANS[one.value["plan"]](pen, one)


# ---------------------------------------------------------------- what several plans share


def _pattern(pen: Pen, one: Individual, x: float, rx: float, ry: float, belly: bool = True) -> None:
    """Belly and markings of a body of half-length rx and half-width ry around (x, 0)."""
    if belly:
        pen.shape(oval(x, 1.05 * ry, rx * 0.95, ry * 0.75), one.belly, outline=0)
    kind, fill, n = PATTERNS[one.pattern], one.second, 2 + int(4 * one.density)
    if kind == "banded":
        wide = 0.55 * rx / n
        for centre in x + rx * (2 * (np.arange(n) + 0.5) / n - 1):
            pen.shape(
                np.array([(centre - wide, -2), (centre + wide, -2), (centre + wide, 2), (centre - wide, 2)]), fill, 0
            )
    elif kind == "striped":
        for y in np.linspace(-0.75, 0.75, n) * ry:
            pen.stroke(curve((x - 2, y), (x, y - 0.25 * ry), (x + 2, y)), 0.5 * ry / n, fill, inked=False)
    elif kind == "spotted":
        for i in range(3 * n):  # a sunflower's spiral: even, and the same in all of a kind
            r, a = np.sqrt((i + 0.5) / (3 * n)) * 0.92, 2.4 * i
            pen.dot(x + rx * r * np.cos(a), ry * r * np.sin(a), 0.55 * np.sqrt(rx * ry) / np.sqrt(3 * n), fill)
    elif kind == "saddled":
        pen.shape(oval(x - 0.1 * rx, -0.85 * ry, (0.35 + 0.4 * one.density) * rx, 1.1 * ry), fill, outline=0)
    elif kind == "ringed":
        for r, shade in ((0.62, fill), (0.40, one.belly), (0.2, fill)):
            pen.shape(oval(x, -0.1 * ry, rx * r, ry * r * 1.1), shade, outline=0)


def _eye(pen: Pen, one: Individual, x: float, y: float, size: float) -> None:
    size *= 0.7 + 0.6 * one.eye
    black, white = (20, 18, 24), (252, 252, 246)
    if one.gaze != 1:
        pen.dot(x, y, size + 0.035, one.dark)
        pen.dot(x, y, size, white if one.gaze == 0 else (246, 196, 60))
        pen.dot(x + 0.25 * size, y, size * 0.58, black)
    else:
        pen.dot(x, y, size * 0.85, black)
    pen.dot(x + 0.05 * size, y - 0.35 * size, size * 0.28, white)


def _spines(pen: Pen, one: Individual, x: float, rx: float, ry: float, y: float = 0.0) -> None:
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


def _tail(pen: Pen, one: Individual, x: float, y: float) -> None:
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


# ---------------------------------------------------------------- body plans


def _critter(pen: Pen, one: Individual) -> None:
    """A four-footed (or two- to eight-footed) beast seen from the side."""
    rx, ry = 0.52, 0.25 + 0.20 * one.stoutness
    leg = 0.22 + 0.34 * one.limb_length
    _tail(pen, one, -rx * 0.9, -0.1)
    for back in (True, False):  # far legs first, darker
        for u in np.linspace(-0.65, 0.6, one.limbs + 1) if one.limbs else (0.0,):
            stride = 0.10 * one.swing[0] * (1 if back else -1)
            foot = (u * rx + stride + (0.09 if back else 0), ry * 0.75 + leg)
            fill = mix(one.base, one.dark, 0.35) if back else one.base
            pen.stroke(np.array([(u * rx + (0.09 if back else 0), ry * 0.5), foot]), 0.12, fill)
            if not back:
                pen.shape(oval(foot[0] + 0.04, foot[1], 0.11, 0.06), one.second)
    _spines(pen, one, 0, rx, ry)
    pen.within(oval(0, 0, rx, ry), one.base, lambda inner: _pattern(inner, one, 0, rx, ry))
    if one.wing:
        _side_wing(pen, one, -0.05, -0.12)
    size, x, y = 0.22 + 0.14 * one.head, 0.58, -0.28 - 0.10 * one.limb_length + 0.03 * one.swing[1]
    pen.stroke(np.array([(0.32, -0.05), (x, y)]), 0.22, one.base)
    _crown(pen, one, x - 0.05, y - 0.7 * size, size)
    pen.shape(oval(x, y, size, size * 0.92), one.base)
    pen.shape(oval(x + 0.75 * size, y + 0.3 * size, size * 0.5, size * 0.38), one.belly)
    pen.dot(x + 1.15 * size, y + 0.2 * size, 0.05, one.dark)
    _eye(pen, one, x + 0.15 * size, y - 0.2 * size, 0.11)


def _crown(pen: Pen, one: Individual, x: float, y: float, size: float) -> None:
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
            pen.stroke(curve((u, y + 0.1), (u, y - long), (u + 0.25, y - 1.3 * long)), 0.03, one.dark, inked=False)
            pen.dot(u + 0.25, y - 1.3 * long, 0.075, one.second)


def _side_wing(pen: Pen, one: Individual, x: float, y: float) -> None:
    """A wing folded or raised at the side: rounded, pointed or fringed."""
    long, up = 0.35 + 0.35 * one.wing_size, 0.45 + 0.12 * one.swing[1]
    fill = mix(one.base, one.second, 0.6)
    if one.wing == 1:
        pen.shape(oval(x - 0.5 * long, y - 0.1, 0.75 * long, 0.2, 0.25), fill)
        pen.shape(oval(x - 0.65 * long, y - 0.13, 0.4 * long, 0.1, 0.25), one.belly, outline=0.03)
    elif one.wing == 2:
        pen.shape(np.array([(x + 0.15, y), (x - long, y - up - 0.2 * long), (x - 0.35 * long, y + 0.1)]), fill)
    else:
        for angle in (0.9, 0.55, 0.2):
            tip = oval(x - 0.6 * long * np.cos(angle), y - 0.6 * long * np.sin(angle), 0.65 * long, 0.09, angle)
            pen.shape(tip, mix(fill, one.belly, 0.4 * (angle < 0.6)))


def _bird(pen: Pen, one: Individual) -> None:
    """A round body on two thin legs, a beak, a wing and tail feathers."""
    rx, ry = 0.42 + 0.06 * one.head, 0.32 + 0.14 * one.stoutness
    leg = 0.16 + 0.42 * one.limb_length
    feet = (235, 160, 60) if one.gaze != 1 else one.dark
    for u in (-0.05, 0.12):
        foot = (u + 0.07 * one.swing[0] * (1 if u > 0 else -1), ry + leg)
        pen.stroke(np.array([(u, ry * 0.7), foot]), 0.045, feet)
        for toe in (-0.09, 0.03, 0.13)[: 1 + max(1, one.limbs)]:
            pen.stroke(np.array([foot, (foot[0] + toe, foot[1] + 0.05)]), 0.03, feet)
    long = 0.3 + 0.5 * one.tail_length
    for i in range(one.tail + 1):
        angle = 0.55 - 0.32 * i
        x, y = -0.3 - 0.5 * long * np.cos(angle), -0.02 - 0.5 * long * np.sin(angle)
        pen.shape(oval(x, y, 0.62 * long, 0.085, angle), one.second if i % 2 else one.base)
    _spines(pen, one, -0.05, rx, ry * 0.95)
    pen.within(oval(0, 0, rx, ry), one.base, lambda inner: _pattern(inner, one, 0, rx, ry))
    if one.wing:
        _side_wing(pen, one, 0.05, 0.0)
    size, x, y = 0.2 + 0.1 * one.head, 0.36, -ry - 0.02 + 0.03 * one.swing[1]
    pen.stroke(np.array([(0.2, -0.1), (x, y)]), 0.26, one.base)
    if one.crown:
        _crown(pen, one, x - 0.06, y - 0.75 * size, size * 0.6)
    pen.shape(oval(x, y, size, size), one.base)
    beak = 0.14 + 0.3 * one.crown_length
    tip = (x + size * 0.7 + beak, y + 0.12)
    pen.shape(np.array([(x + size * 0.7, y - 0.08), tip, (x + size * 0.6, y + 0.14)]), feet)
    _eye(pen, one, x + 0.2 * size, y - 0.12 * size, 0.1)


def _fish(pen: Pen, one: Individual) -> None:
    """A fish: tail fin by `tail`, dorsal fin by `spine`, barbels by `crown`, flowing fins by `wing`."""
    rx, ry = 0.66, 0.2 + 0.3 * one.stoutness
    fin, long = mix(one.second, one.belly, 0.25), 0.25 + 0.3 * one.tail_length
    sway = 0.08 * one.swing[0]
    root = -0.55
    if one.tail == 0:
        pen.shape(oval(root - 0.5 * long, sway, 0.6 * long, 0.26), fin)
    elif one.tail == 1:
        pen.shape(
            np.array(
                [(root + 0.1, 0), (root - long, -0.42 + sway), (root - 0.5 * long, sway), (root - long, 0.42 + sway)]
            ),
            fin,
        )
    elif one.tail == 2:
        pen.shape(np.array([(root + 0.1, 0), (root - long, -0.3 + sway), (root - long, 0.3 + sway)]), fin)
    else:
        for side in (-1, 1):
            pen.shape(oval(root - 0.6 * long, side * 0.16 + sway, 0.75 * long, 0.09, -0.35 * side), fin)
    _spines(pen, one, -0.05, 0.75 * rx, ry)
    if one.limbs:
        for u in np.linspace(-0.35, 0.3, one.limbs):
            reach = 0.1 + 0.4 * one.limb_length
            pen.shape(np.array([(u, ry * 0.7), (u - 0.22, ry * 0.8 + reach), (u - 0.25, ry * 0.6)]), fin)
    body = np.concatenate(
        [
            curve((root - 0.06, -0.08), (-0.1, -1.9 * ry), (rx, 0.0)),
            curve((rx, 0.0), (-0.1, 1.9 * ry), (root - 0.06, 0.08)),
        ]
    )
    pen.within(body, one.base, lambda inner: _pattern(inner, one, -0.02, rx * 0.85, ry))
    if one.wing:
        reach = 0.25 + 0.4 * one.wing_size
        pen.shape(oval(-0.02 - 0.4 * reach, 0.1, 0.55 * reach, 0.06 + 0.05 * one.wing, -0.5 + 0.2 * one.swing[1]), fin)
    for i in range(one.crown):
        end = (rx + 0.02 + 0.1 * i, 0.2 + 0.3 * one.crown_length)
        pen.stroke(curve((rx - 0.14, 0.06), (rx, 0.1), end), 0.035, one.dark, inked=False)
    pen.stroke(curve((rx - 0.03, 0.03), (rx - 0.1, 0.1), (rx - 0.2, 0.09)), 0.03, one.dark, inked=False)
    _eye(pen, one, rx - 0.27 - 0.12 * one.head, -0.06 - 0.1 * ry, 0.12)


def _bug(pen: Pen, one: Individual) -> None:
    """An insect-like creature from above: pairs of legs, pairs of wings, antennae."""
    ax, ay = 0.34 + 0.12 * one.tail_length, 0.16 + 0.2 * one.stoutness
    reach = 0.3 + 0.4 * one.limb_length
    for i, u in enumerate(np.linspace(-0.28, 0.28, one.limbs + 2)):
        for side in (-1, 1):
            step = 0.05 * one.swing[0] * side * (-1) ** i
            knee = (u * 1.3 + 0.08 + step, side * (ay * 0.6 + 0.55 * reach))
            foot = (u * 2.0 + step, side * (ay * 0.6 + reach))
            pen.stroke(np.array([(u, 0), knee, foot]), 0.05, one.dark, inked=False)
    for side in (-1, 1):
        if one.tail == 1 or one.tail == 3:
            pen.stroke(
                curve((-0.5, side * 0.05), (-0.7 - 0.1 * one.tail, side * 0.08), (-0.85, side * 0.1 * one.tail)),
                0.035,
                one.dark,
                inked=False,
            )
        base, out = (0.3, 0.06 * side), 0.32 + 0.4 * one.crown_length
        tip = (0.5 + 0.75 * out, side * (0.1 + 0.5 * out))
        pen.stroke(curve((0.55, base[1]), (0.6 + 0.5 * out, base[1]), tip), 0.035, one.dark, inked=False)
        if one.crown == 1:
            pen.dot(*tip, 0.09, one.second)
        elif one.crown == 2:
            pen.stroke(
                np.array([(tip[0] - 0.15, tip[1] - 0.13 * side), (tip[0] + 0.02, tip[1] - 0.17 * side)]),
                0.03,
                one.dark,
                inked=False,
            )
            pen.stroke(
                np.array([(tip[0] - 0.22, tip[1] - 0.04 * side), (tip[0] - 0.2, tip[1] + 0.14 * side)]),
                0.03,
                one.dark,
                inked=False,
            )
        elif one.crown == 3:
            pen.shape(oval(tip[0] - 0.1, tip[1] - 0.05 * side, 0.2, 0.07, 0.8 * side), one.belly, outline=0.03)
    if one.tail == 2:
        pen.shape(np.array([(-0.45, -0.08), (-0.95, 0.0), (-0.45, 0.08)]), one.dark)
    pen.within(oval(-0.2, 0, ax, ay), one.base, lambda inner: _pattern(inner, one, -0.2, ax, ay, belly=False))
    if one.spine == 3:
        for side in (-1, 1):
            pen.dot(-0.2, side * ay, 0.09, one.belly)
    _top_wings(pen, one, ay)
    pen.shape(oval(0.2, 0, 0.2, 0.14 + 0.1 * one.stoutness), mix(one.base, one.second, 0.35 if one.spine else 0.0))
    size = 0.15 + 0.1 * one.head
    pen.shape(oval(0.42, 0, size * 0.9, size), one.base if one.spine != 1 else one.second)
    for side in (-1, 1):
        _eye(pen, one, 0.46, side * size * 0.75, 0.085)


def _top_wings(pen: Pen, one: Individual, ay: float) -> None:
    """None (wing cases closed), a rounded pair, two broad pairs, or two narrow pairs."""
    long, open_ = 0.42 + 0.35 * one.wing_size, 0.1 * one.swing[1]
    pale = mix(one.second, (255, 255, 255), 0.25)
    if one.wing == 0:
        pen.stroke(np.array([(-0.5, 0), (0.05, 0)]), 0.04, one.dark, inked=False)
        return
    for side in (-1, 1):
        if one.wing == 1:
            pen.shape(oval(-0.28, side * (0.2 + 0.3 * long), long, 0.17, side * (-0.75 + open_)), pale)
        elif one.wing == 2:
            rear = oval(-0.3, side * (0.12 + 0.45 * long), 0.75 * long, 0.26, side * (-0.7 + open_))
            fore = oval(0.2, side * (0.12 + 0.6 * long), 0.27, 0.8 * long, side * (-0.35 + open_))
            pen.shape(rear, mix(one.base, pale, 0.5))
            pen.shape(fore, pale)
            pen.dot(0.27, side * (0.15 + 0.85 * long), 0.11, one.base)
        else:
            for x, angle in ((-0.05, 0.25), (0.2, -0.15)):
                wing = oval(x, side * (0.1 + 0.7 * long), 0.085, 0.85 * long, side * (angle + open_))
                pen.shape(wing, mix(pale, (255, 255, 255), 0.4))


def _worm(pen: Pen, one: Individual) -> None:
    """A caterpillar, a snake or a snail: a bent row of segments, feet, and perhaps a shell."""
    n, thick = 9, 0.13 + 0.13 * one.stoutness
    t = np.linspace(0, 1, n)
    bend = 0.22 + 0.05 * one.swing[0]
    x = -0.8 + 1.35 * t
    y = bend * np.sin(2 * np.pi * (t * (0.6 + 0.4 * one.tail_length) + 0.15 * one.swing[1])) * (1 - 0.4 * one.wing / 3)
    if one.limbs:
        for i in range(1, n - 1, 4 - one.limbs):
            pen.stroke(
                np.array([(x[i], y[i]), (x[i] + 0.03, y[i] + thick + 0.08 + 0.18 * one.limb_length)]),
                0.06,
                one.dark,
                inked=False,
            )
    if one.tail == 1:
        pen.stroke(curve((x[0], y[0]), (-0.95, y[0]), (-1.0, y[0] - 0.4)), 0.06, one.second)
    elif one.tail == 3:
        for lift in (-0.22, 0.16):
            pen.stroke(np.array([(x[0], y[0]), (-1.0, y[0] + lift)]), 0.05, one.second)
    for i in range(n):
        radius = thick * (0.55 + 0.45 * min(1.0, 2.2 * t[i] + 0.25 * (one.tail == 2)))
        marked = PATTERNS[one.pattern] == "banded" and (i // (1 + (one.density < 0.5))) % 2
        pen.shape(oval(x[i], y[i], radius, radius), one.second if marked else one.base, outline=0.04)
        if one.spine == 1:
            pen.shape(
                np.array(
                    [
                        (x[i] - 0.07, y[i] - radius * 0.8),
                        (x[i] - 0.02, y[i] - radius - 0.18),
                        (x[i] + 0.07, y[i] - radius * 0.8),
                    ]
                ),
                one.second,
            )
        elif one.spine == 3:
            pen.stroke(
                np.array([(x[i], y[i] - radius), (x[i] - 0.08, y[i] - radius - 0.22)]), 0.025, one.dark, inked=False
            )
        if not marked and PATTERNS[one.pattern] in ("spotted", "ringed"):
            pen.dot(x[i], y[i], radius * (0.3 + 0.3 * one.density), one.second)
    if PATTERNS[one.pattern] in ("striped", "saddled"):
        lift = 0.0 if PATTERNS[one.pattern] == "striped" else -0.5 * thick
        pen.stroke(np.stack([x, y + lift], axis=1), thick * (0.3 + 0.3 * one.density), one.second, inked=False)
    if one.spine == 2:
        pen.shape(
            np.concatenate([np.stack([x[2:7], y[2:7] - 0.7 * thick], 1), [(x[4], y[4] - thick - 0.4)]]),
            mix(one.second, one.belly, 0.35),
        )
    if one.wing >= 2:
        _shell(pen, one, -0.2, y[4] - thick)
    size = 0.17 + 0.12 * one.head
    hx, hy = x[-1] + 0.08, y[-1] - 0.06
    _crown(pen, one, hx, hy - 0.75 * size, size)
    pen.shape(oval(hx, hy, size, size), mix(one.base, one.belly, 0.25))
    pen.stroke(
        curve(
            (hx + 0.3 * size, hy + 0.5 * size), (hx + 0.6 * size, hy + 0.6 * size), (hx + 0.85 * size, hy + 0.3 * size)
        ),
        0.03,
        one.dark,
        inked=False,
    )
    for u in (0.0, 0.6):
        _eye(pen, one, hx + u * size, hy - 0.15 * size, 0.08)


def _shell(pen: Pen, one: Individual, x: float, y: float) -> None:
    """A round or a tall coiled shell."""
    size = 0.26 + 0.16 * one.wing_size
    if one.wing == 2:
        pen.within(oval(x, y, size, size), one.second, lambda inner: None)
        angle = np.linspace(0, 4.2 * np.pi, 40)
        spiral = np.stack([np.cos(angle), np.sin(angle)], 1) * (size * 0.85 * angle / angle[-1])[:, None] + (x, y)
        pen.stroke(spiral, 0.04, one.dark, inked=False)
    else:
        for i in range(4):
            pen.shape(
                oval(x - 0.16 * i, y - 0.14 * i + 0.05, size * (1 - 0.22 * i), size * 0.8 * (1 - 0.22 * i), 0.7),
                mix(one.second, one.belly, 0.2 * i),
            )


def _jelly(pen: Pen, one: Individual) -> None:
    """A bell with tentacles, seen from the side; the face is on the bell."""
    rx, ry = 0.4 + 0.2 * one.stoutness, 0.3 + 0.22 * one.head
    n, long = 3 + 2 * one.limbs, 0.35 + 0.5 * one.limb_length
    for i, u in enumerate(np.linspace(-0.8, 0.8, n)):
        sway = 0.15 * np.sin(2.0 * i + one.swing[0])
        fill = one.second if i % 2 else one.base
        if one.tail == 0:
            pen.stroke(np.array([(u * rx, 0), (u * rx * 1.1, long)]), 0.05, fill)
        elif one.tail == 1:
            pen.stroke(
                curve((u * rx, 0), (u * rx + 0.3 * np.sign(sway), 0.5 * long), (u * rx * 1.2 + sway, long)), 0.05, fill
            )
        elif one.tail == 2:
            pen.stroke(np.array([(u * rx, 0), (u * rx * 1.2 + sway, long)]), 0.03, fill)
            pen.dot(u * rx * 1.2 + sway, long, 0.1, one.belly)
        else:
            pen.shape(np.array([(u * rx - 0.1, 0), (u * rx + sway, long * 0.9), (u * rx + 0.1, 0)]), fill)
    if one.wing:
        for side in (-1, 1):
            reach = 0.3 + 0.3 * one.wing_size
            pen.shape(
                oval(
                    side * (rx + 0.25 * reach),
                    -0.12,
                    0.6 * reach,
                    0.08 + 0.06 * one.wing,
                    side * (-0.6 + 0.2 * one.swing[1]),
                ),
                mix(one.second, one.belly, 0.5),
            )
    if one.crown:
        _crown(pen, one, 0, -1.15 * ry, 0.8 * rx)
    _spines(pen, one, 0, rx * 0.8, ry * 1.15, -0.1)
    arc = np.linspace(np.pi, 2 * np.pi, 14)
    rim = np.stack([np.cos(arc), np.sin(arc)], 1) * (rx, ry * 1.35) + (0, 0.08)
    hem = [(u * rx, 0.08 + (0.1 if i % 2 else 0.0)) for i, u in enumerate(np.linspace(1, -1, 9))]
    pen.within(np.concatenate([rim, hem]), one.base, lambda inner: _pattern(inner, one, 0, rx, ry * 1.2, belly=False))
    for side in (-1, 1):
        _eye(pen, one, side * 0.2 * (rx / 0.45), -0.08, 0.1)
    pen.stroke(curve((-0.07, 0.03), (0, 0.1), (0.07, 0.03)), 0.03, one.dark, inked=False)


def _star(pen: Pen, one: Individual) -> None:
    """Arms or petals round a disc with a face."""
    n, long = 5 + one.limbs, 0.45 + 0.35 * one.limb_length
    core, wide = 0.2 + 0.16 * one.head, (0.10 + 0.13 * one.stoutness) * 6 / (5 + one.limbs)
    angles = 2 * np.pi * np.arange(n) / n + 0.15 * one.swing[0] - np.pi / 2
    if one.wing:
        for angle in angles + np.pi / n:
            out = core + (0.15 + 0.3 * one.wing_size) * 0.8
            pen.shape(
                oval(
                    out * np.cos(angle), out * np.sin(angle), 0.25 + 0.1 * one.wing_size, 0.05 + 0.04 * one.wing, angle
                ),
                mix(one.second, one.belly, 0.5),
            )
    for i, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        mid = 0.55 * long + 0.5 * core
        if one.tail in (0, 2):
            arm = oval(mid * c, mid * s, 0.55 * long + 0.1, wide * (1 + 0.3 * (one.tail == 2)), angle)
        else:
            arm = np.array([(-s * wide, c * wide), ((long + core) * c, (long + core) * s), (s * wide, -c * wide)]) * 1.0
        pen.shape(arm, one.second if PATTERNS[one.pattern] == "banded" and i % 2 else one.base)
        if PATTERNS[one.pattern] in ("striped", "saddled"):
            pen.stroke(np.array([(core * c, core * s), (long * c, long * s)]), 0.07, one.second, inked=False)
        elif PATTERNS[one.pattern] in ("spotted", "ringed"):
            for r in np.linspace(core + 0.12, long, 2 + int(2 * one.density)):
                pen.dot(r * c, r * s, 0.055, one.second)
        if one.tail >= 2:
            pen.dot((long + 0.9 * core) * c, (long + 0.9 * core) * s, 0.09, one.belly)
        if one.spine == 1:
            pen.dot((core + 0.08) * c, (core + 0.08) * s, 0.06, one.dark)
        if one.crown == 3:
            pen.stroke(
                np.array([(long * c, long * s), ((long + 0.35) * c, (long + 0.35) * s)]), 0.03, one.dark, inked=False
            )
    disc = mix(one.base, one.belly, 0.45) if one.spine != 2 else one.second
    pen.shape(oval(0, 0, core, core), disc)
    for side in (-1, 1):
        _eye(pen, one, side * 0.45 * core, -0.12 * core, 0.09)
    pen.stroke(curve((-0.07, 0.45 * core), (0, 0.65 * core), (0.07, 0.45 * core)), 0.03, one.dark, inked=False)


_PLANS = {"critter": _critter, "bird": _bird, "fish": _fish, "bug": _bug, "worm": _worm, "jelly": _jelly, "star": _star}
