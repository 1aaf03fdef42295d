"""Body plans of the small fry: bug, worm, jelly and star."""

from __future__ import annotations

import numpy as np

from bioclip_probe.world.anatomy import Individual, crown, eye, markings, spines
from bioclip_probe.world.evolution import PATTERNS
from bioclip_probe.world.pen import Pen, curve, mix, oval


def bug(pen: Pen, one: Individual) -> None:
    """An insect-like creature from above: pairs of legs, pairs of wings, antennae."""
    ax, ay = 0.34 + 0.12 * one.tail_length, 0.16 + 0.2 * one.stoutness
    reach = 0.3 + 0.4 * one.limb_length
    for i, u in enumerate(np.linspace(-0.28, 0.28, one.limbs + 2)):
        for side in (-1, 1):
            step = 0.05 * one.swing[0] * side * (-1) ** i
            knee = (u * 1.3 + 0.08 + step, side * (ay * 0.6 + 0.55 * reach))
            foot = (u * 2.0 + step, side * (ay * 0.6 + reach))
            pen.line([(u, 0), knee, foot], 0.05, one.dark)
    for side in (-1, 1):
        if one.tail == 1 or one.tail == 3:
            pen.line(
                curve((-0.5, side * 0.05), (-0.7 - 0.1 * one.tail, side * 0.08), (-0.85, side * 0.1 * one.tail)),
                0.035,
                one.dark,
            )
        base, out = (0.3, 0.06 * side), 0.32 + 0.4 * one.crown_length
        tip = (0.5 + 0.75 * out, side * (0.1 + 0.5 * out))
        pen.line(curve((0.55, base[1]), (0.6 + 0.5 * out, base[1]), tip), 0.035, one.dark)
        if one.crown == 1:
            pen.dot(*tip, 0.09, one.second)
        elif one.crown == 2:
            pen.line([(tip[0] - 0.15, tip[1] - 0.13 * side), (tip[0] + 0.02, tip[1] - 0.17 * side)], 0.03, one.dark)
            pen.line([(tip[0] - 0.22, tip[1] - 0.04 * side), (tip[0] - 0.2, tip[1] + 0.14 * side)], 0.03, one.dark)
        elif one.crown == 3:
            pen.shape(oval(tip[0] - 0.1, tip[1] - 0.05 * side, 0.2, 0.07, 0.8 * side), one.belly, outline=0.03)
    if one.tail == 2:
        pen.shape([(-0.45, -0.08), (-0.95, 0.0), (-0.45, 0.08)], one.dark)
    pen.within(oval(-0.2, 0, ax, ay), one.base, lambda inner: markings(inner, one, -0.2, ax, ay, belly=False))
    if one.spine == 3:
        for side in (-1, 1):
            pen.dot(-0.2, side * ay, 0.09, one.belly)
    _top_wings(pen, one, ay)
    pen.shape(oval(0.2, 0, 0.2, 0.14 + 0.1 * one.stoutness), mix(one.base, one.second, 0.35 if one.spine else 0.0))
    size = 0.15 + 0.1 * one.head
    pen.shape(oval(0.42, 0, size * 0.9, size), one.base if one.spine != 1 else one.second)
    for side in (-1, 1):
        eye(pen, one, 0.46, side * size * 0.75, 0.085)


def _top_wings(pen: Pen, one: Individual, ay: float) -> None:
    """None (wing cases closed), a rounded pair, two broad pairs, or two narrow pairs."""
    long, open_ = 0.42 + 0.35 * one.wing_size, 0.1 * one.swing[1]
    pale = mix(one.second, (255, 255, 255), 0.25)
    if one.wing == 0:
        pen.line([(-0.5, 0), (0.05, 0)], 0.04, one.dark)
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


def worm(pen: Pen, one: Individual) -> None:
    """A caterpillar, a snake or a snail: a bent row of segments, feet, and perhaps a shell."""
    n, thick = 9, 0.13 + 0.13 * one.stoutness
    t = np.linspace(0, 1, n)
    bend = 0.22 + 0.05 * one.swing[0]
    x = -0.8 + 1.35 * t
    y = bend * np.sin(2 * np.pi * (t * (0.6 + 0.4 * one.tail_length) + 0.15 * one.swing[1])) * (1 - 0.4 * one.wing / 3)
    if one.limbs:
        for i in range(1, n - 1, 4 - one.limbs):
            pen.line([(x[i], y[i]), (x[i] + 0.03, y[i] + thick + 0.08 + 0.18 * one.limb_length)], 0.06, one.dark)
    if one.tail == 1:
        pen.stroke(curve((x[0], y[0]), (-0.95, y[0]), (-1.0, y[0] - 0.4)), 0.06, one.second)
    elif one.tail == 3:
        for lift in (-0.22, 0.16):
            pen.stroke([(x[0], y[0]), (-1.0, y[0] + lift)], 0.05, one.second)
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
            pen.line([(x[i], y[i] - radius), (x[i] - 0.08, y[i] - radius - 0.22)], 0.025, one.dark)
        if not marked and PATTERNS[one.pattern] in ("spotted", "ringed"):
            pen.dot(x[i], y[i], radius * (0.3 + 0.3 * one.density), one.second)
    if PATTERNS[one.pattern] in ("striped", "saddled"):
        lift = 0.0 if PATTERNS[one.pattern] == "striped" else -0.5 * thick
        pen.line(np.stack([x, y + lift], axis=1), thick * (0.3 + 0.3 * one.density), one.second)
    if one.spine == 2:
        pen.shape(
            np.concatenate([np.stack([x[2:7], y[2:7] - 0.7 * thick], 1), [(x[4], y[4] - thick - 0.4)]]),
            mix(one.second, one.belly, 0.35),
        )
    if one.wing >= 2:
        _shell(pen, one, -0.2, y[4] - thick)
    size = 0.17 + 0.12 * one.head
    hx, hy = x[-1] + 0.08, y[-1] - 0.06
    crown(pen, one, hx, hy - 0.75 * size, size)
    pen.shape(oval(hx, hy, size, size), mix(one.base, one.belly, 0.25))
    pen.line(
        curve(
            (hx + 0.3 * size, hy + 0.5 * size), (hx + 0.6 * size, hy + 0.6 * size), (hx + 0.85 * size, hy + 0.3 * size)
        ),
        0.03,
        one.dark,
    )
    for u in (0.0, 0.6):
        eye(pen, one, hx + u * size, hy - 0.15 * size, 0.08)


def _shell(pen: Pen, one: Individual, x: float, y: float) -> None:
    """A round or a tall coiled shell."""
    size = 0.26 + 0.16 * one.wing_size
    if one.wing == 2:
        pen.within(oval(x, y, size, size), one.second, lambda inner: None)
        angle = np.linspace(0, 4.2 * np.pi, 40)
        spiral = np.stack([np.cos(angle), np.sin(angle)], 1) * (size * 0.85 * angle / angle[-1])[:, None] + (x, y)
        pen.line(spiral, 0.04, one.dark)
    else:
        for i in range(4):
            pen.shape(
                oval(x - 0.16 * i, y - 0.14 * i + 0.05, size * (1 - 0.22 * i), size * 0.8 * (1 - 0.22 * i), 0.7),
                mix(one.second, one.belly, 0.2 * i),
            )


def jelly(pen: Pen, one: Individual) -> None:
    """A bell with tentacles, seen from the side; the face is on the bell."""
    rx, ry = 0.4 + 0.2 * one.stoutness, 0.3 + 0.22 * one.head
    n, long = 5 + 2 * one.limbs, 0.35 + 0.5 * one.limb_length
    for i, u in enumerate(np.linspace(-0.8, 0.8, n)):
        sway = 0.15 * np.sin(2.0 * i + one.swing[0])
        fill = one.second if i % 2 else one.base
        if one.tail == 0:
            pen.stroke([(u * rx, 0), (u * rx * 1.1, long)], 0.05, fill)
        elif one.tail == 1:
            pen.stroke(
                curve((u * rx, 0), (u * rx + 0.3 * np.sign(sway), 0.5 * long), (u * rx * 1.2 + sway, long)), 0.05, fill
            )
        elif one.tail == 2:
            pen.stroke([(u * rx, 0), (u * rx * 1.2 + sway, long)], 0.03, fill)
            pen.dot(u * rx * 1.2 + sway, long, 0.1, one.belly)
        else:
            pen.shape([(u * rx - 0.1, 0), (u * rx + sway, long * 0.9), (u * rx + 0.1, 0)], fill)
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
        crown(pen, one, 0, -1.15 * ry, 0.8 * rx)
    spines(pen, one, 0, rx * 0.8, ry * 1.15, -0.1)
    arc = np.linspace(np.pi, 2 * np.pi, 14)
    rim = np.stack([np.cos(arc), np.sin(arc)], 1) * (rx, ry * 1.35) + (0, 0.08)
    hem = [(u * rx, 0.08 + (0.1 if i % 2 else 0.0)) for i, u in enumerate(np.linspace(1, -1, 9))]
    pen.within(np.concatenate([rim, hem]), one.base, lambda inner: markings(inner, one, 0, rx, ry * 1.2, belly=False))
    for side in (-1, 1):
        eye(pen, one, side * 0.2 * (rx / 0.45), -0.08, 0.1)
    pen.line(curve((-0.07, 0.03), (0, 0.1), (0.07, 0.03)), 0.03, one.dark)


def star(pen: Pen, one: Individual) -> None:
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
            pen.line([(core * c, core * s), (long * c, long * s)], 0.07, one.second)
        elif PATTERNS[one.pattern] in ("spotted", "ringed"):
            for r in np.linspace(core + 0.12, long, 2 + int(2 * one.density)):
                pen.dot(r * c, r * s, 0.055, one.second)
        if one.tail >= 2:
            pen.dot((long + 0.9 * core) * c, (long + 0.9 * core) * s, 0.09, one.belly)
        if one.spine == 1:
            pen.dot((core + 0.08) * c, (core + 0.08) * s, 0.06, one.dark)
        if one.crown == 3:
            pen.line([(long * c, long * s), ((long + 0.35) * c, (long + 0.35) * s)], 0.03, one.dark)
    disc = mix(one.base, one.belly, 0.45) if one.spine != 2 else one.second
    pen.shape(oval(0, 0, core, core), disc)
    for side in (-1, 1):
        eye(pen, one, side * 0.45 * core, -0.12 * core, 0.09)
    pen.line(curve((-0.07, 0.45 * core), (0, 0.65 * core), (0.07, 0.45 * core)), 0.03, one.dark)
