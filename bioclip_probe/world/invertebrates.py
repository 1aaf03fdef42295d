"""Body plans of the invertebrates: bug, worm, jelly and star."""

from __future__ import annotations

import numpy as np

from bioclip_probe.world.anatomy import Individual, draw_crown, draw_eye, draw_markings, draw_spines
from bioclip_probe.world.evolution import PATTERNS
from bioclip_probe.world.pen import Pen, curve, mix, oval


def draw_bug(pen: Pen, creature: Individual) -> None:
    """Draw a creature like an insect from above: pairs of legs, pairs of wings, antennae.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_bug(pen, world.creature(0, 0))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    ax, ay = 0.34 + 0.12 * creature.tail_length, 0.16 + 0.2 * creature.stoutness
    reach = 0.3 + 0.4 * creature.limb_length
    for i, u in enumerate(np.linspace(-0.28, 0.28, creature.limbs + 2)):
        for side in (-1, 1):
            step = 0.05 * creature.swing[0] * side * (-1) ** i
            knee = (u * 1.3 + 0.08 + step, side * (ay * 0.6 + 0.55 * reach))
            foot = (u * 2.0 + step, side * (ay * 0.6 + reach))
            pen.line([(u, 0), knee, foot], 0.05, creature.dark)
    for side in (-1, 1):
        if creature.tail == 1 or creature.tail == 3:
            pen.line(
                curve(
                    (-0.5, side * 0.05), (-0.7 - 0.1 * creature.tail, side * 0.08), (-0.85, side * 0.1 * creature.tail)
                ),
                0.035,
                creature.dark,
            )
        base, out = (0.3, 0.06 * side), 0.32 + 0.4 * creature.crown_length
        tip = (0.5 + 0.75 * out, side * (0.1 + 0.5 * out))
        pen.line(curve((0.55, base[1]), (0.6 + 0.5 * out, base[1]), tip), 0.035, creature.dark)
        if creature.crown == 1:
            pen.dot(*tip, 0.09, creature.second)
        elif creature.crown == 2:
            pen.line(
                [(tip[0] - 0.15, tip[1] - 0.13 * side), (tip[0] + 0.02, tip[1] - 0.17 * side)], 0.03, creature.dark
            )
            pen.line([(tip[0] - 0.22, tip[1] - 0.04 * side), (tip[0] - 0.2, tip[1] + 0.14 * side)], 0.03, creature.dark)
        elif creature.crown == 3:
            pen.shape(oval(tip[0] - 0.1, tip[1] - 0.05 * side, 0.2, 0.07, 0.8 * side), creature.belly, outline=0.03)
    if creature.tail == 2:
        pen.shape([(-0.45, -0.08), (-0.95, 0.0), (-0.45, 0.08)], creature.dark)
    pen.patterned_shape(
        oval(-0.2, 0, ax, ay), creature.base, lambda inner: draw_markings(inner, creature, -0.2, ax, ay, belly=False)
    )
    if creature.spine == 3:
        for side in (-1, 1):
            pen.dot(-0.2, side * ay, 0.09, creature.belly)
    _draw_top_wings(pen, creature, ay)
    pen.shape(
        oval(0.2, 0, 0.2, 0.14 + 0.1 * creature.stoutness),
        mix(creature.base, creature.second, 0.35 if creature.spine else 0.0),
    )
    size = 0.15 + 0.1 * creature.head
    pen.shape(oval(0.42, 0, size * 0.9, size), creature.base if creature.spine != 1 else creature.second)
    for side in (-1, 1):
        draw_eye(pen, creature, 0.46, side * size * 0.75, 0.085)


def _draw_top_wings(pen: Pen, creature: Individual, ay: float) -> None:
    """Draw no wings (closed wing cases), a rounded pair, two broad pairs, or two narrow pairs."""
    long, open_ = 0.42 + 0.35 * creature.wing_size, 0.1 * creature.swing[1]
    pale = mix(creature.second, (255, 255, 255), 0.25)
    if creature.wing == 0:
        pen.line([(-0.5, 0), (0.05, 0)], 0.04, creature.dark)
        return
    for side in (-1, 1):
        if creature.wing == 1:
            pen.shape(oval(-0.28, side * (0.2 + 0.3 * long), long, 0.17, side * (-0.75 + open_)), pale)
        elif creature.wing == 2:
            rear = oval(-0.3, side * (0.12 + 0.45 * long), 0.75 * long, 0.26, side * (-0.7 + open_))
            fore = oval(0.2, side * (0.12 + 0.6 * long), 0.27, 0.8 * long, side * (-0.35 + open_))
            pen.shape(rear, mix(creature.base, pale, 0.5))
            pen.shape(fore, pale)
            pen.dot(0.27, side * (0.15 + 0.85 * long), 0.11, creature.base)
        else:
            for x, angle in ((-0.05, 0.25), (0.2, -0.15)):
                wing = oval(x, side * (0.1 + 0.7 * long), 0.085, 0.85 * long, side * (angle + open_))
                pen.shape(wing, mix(pale, (255, 255, 255), 0.4))


def draw_worm(pen: Pen, creature: Individual) -> None:
    """Draw a caterpillar, a snake or a snail: a bent row of segments, feet, and in some species a shell.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_worm(pen, world.creature(0, 0))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    n, thick = 9, 0.13 + 0.13 * creature.stoutness
    t = np.linspace(0, 1, n)
    bend = 0.22 + 0.05 * creature.swing[0]
    x = -0.8 + 1.35 * t
    y = (
        bend
        * np.sin(2 * np.pi * (t * (0.6 + 0.4 * creature.tail_length) + 0.15 * creature.swing[1]))
        * (1 - 0.4 * creature.wing / 3)
    )
    if creature.limbs:
        for i in range(1, n - 1, 4 - creature.limbs):
            pen.line(
                [(x[i], y[i]), (x[i] + 0.03, y[i] + thick + 0.08 + 0.18 * creature.limb_length)], 0.06, creature.dark
            )
    if creature.tail == 1:
        pen.stroke(curve((x[0], y[0]), (-0.95, y[0]), (-1.0, y[0] - 0.4)), 0.06, creature.second)
    elif creature.tail == 3:
        for lift in (-0.22, 0.16):
            pen.stroke([(x[0], y[0]), (-1.0, y[0] + lift)], 0.05, creature.second)
    for i in range(n):
        radius = thick * (0.55 + 0.45 * min(1.0, 2.2 * t[i] + 0.25 * (creature.tail == 2)))
        marked = PATTERNS[creature.pattern] == "banded" and (i // (1 + (creature.density < 0.5))) % 2
        pen.shape(oval(x[i], y[i], radius, radius), creature.second if marked else creature.base, outline=0.04)
        if creature.spine == 1:
            pen.shape(
                np.array(
                    [
                        (x[i] - 0.07, y[i] - radius * 0.8),
                        (x[i] - 0.02, y[i] - radius - 0.18),
                        (x[i] + 0.07, y[i] - radius * 0.8),
                    ]
                ),
                creature.second,
            )
        elif creature.spine == 3:
            pen.line([(x[i], y[i] - radius), (x[i] - 0.08, y[i] - radius - 0.22)], 0.025, creature.dark)
        if not marked and PATTERNS[creature.pattern] in ("spotted", "ringed"):
            pen.dot(x[i], y[i], radius * (0.3 + 0.3 * creature.density), creature.second)
    if PATTERNS[creature.pattern] in ("striped", "saddled"):
        lift = 0.0 if PATTERNS[creature.pattern] == "striped" else -0.5 * thick
        pen.line(np.stack([x, y + lift], axis=1), thick * (0.3 + 0.3 * creature.density), creature.second)
    if creature.spine == 2:
        pen.shape(
            np.concatenate([np.stack([x[2:7], y[2:7] - 0.7 * thick], 1), [(x[4], y[4] - thick - 0.4)]]),
            mix(creature.second, creature.belly, 0.35),
        )
    if creature.wing >= 2:
        _draw_shell(pen, creature, -0.2, y[4] - thick)
    _draw_worm_head(pen, creature, x[-1] + 0.08, y[-1] - 0.06)


def _draw_worm_head(pen: Pen, creature: Individual, x: float, y: float) -> None:
    """Draw a round head with a crown, a smile and two eyes."""
    size = 0.17 + 0.12 * creature.head
    draw_crown(pen, creature, x, y - 0.75 * size, size)
    pen.shape(oval(x, y, size, size), mix(creature.base, creature.belly, 0.25))
    pen.line(
        curve((x + 0.3 * size, y + 0.5 * size), (x + 0.6 * size, y + 0.6 * size), (x + 0.85 * size, y + 0.3 * size)),
        0.03,
        creature.dark,
    )
    for u in (0.0, 0.6):
        draw_eye(pen, creature, x + u * size, y - 0.15 * size, 0.08)


def _draw_shell(pen: Pen, creature: Individual, x: float, y: float) -> None:
    """Draw a round or a tall coiled shell."""
    size = 0.26 + 0.16 * creature.wing_size
    if creature.wing == 2:
        pen.patterned_shape(oval(x, y, size, size), creature.second, lambda inner: None)
        angle = np.linspace(0, 4.2 * np.pi, 40)
        spiral = np.stack([np.cos(angle), np.sin(angle)], 1) * (size * 0.85 * angle / angle[-1])[:, None] + (x, y)
        pen.line(spiral, 0.04, creature.dark)
    else:
        for i in range(4):
            pen.shape(
                oval(x - 0.16 * i, y - 0.14 * i + 0.05, size * (1 - 0.22 * i), size * 0.8 * (1 - 0.22 * i), 0.7),
                mix(creature.second, creature.belly, 0.2 * i),
            )


def draw_jelly(pen: Pen, creature: Individual) -> None:
    """Draw a bell with tentacles from the side; the face is on the bell.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_jelly(pen, world.creature(0, 0))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    rx, ry = 0.4 + 0.2 * creature.stoutness, 0.3 + 0.22 * creature.head
    n, long = 5 + 2 * creature.limbs, 0.35 + 0.5 * creature.limb_length
    for i, u in enumerate(np.linspace(-0.8, 0.8, n)):
        sway = 0.15 * np.sin(2.0 * i + creature.swing[0])
        fill = creature.second if i % 2 else creature.base
        if creature.tail == 0:
            pen.stroke([(u * rx, 0), (u * rx * 1.1, long)], 0.05, fill)
        elif creature.tail == 1:
            pen.stroke(
                curve((u * rx, 0), (u * rx + 0.3 * np.sign(sway), 0.5 * long), (u * rx * 1.2 + sway, long)), 0.05, fill
            )
        elif creature.tail == 2:
            pen.stroke([(u * rx, 0), (u * rx * 1.2 + sway, long)], 0.03, fill)
            pen.dot(u * rx * 1.2 + sway, long, 0.1, creature.belly)
        else:
            pen.shape([(u * rx - 0.1, 0), (u * rx + sway, long * 0.9), (u * rx + 0.1, 0)], fill)
    if creature.wing:
        for side in (-1, 1):
            reach = 0.3 + 0.3 * creature.wing_size
            pen.shape(
                oval(
                    side * (rx + 0.25 * reach),
                    -0.12,
                    0.6 * reach,
                    0.08 + 0.06 * creature.wing,
                    side * (-0.6 + 0.2 * creature.swing[1]),
                ),
                mix(creature.second, creature.belly, 0.5),
            )
    if creature.crown:
        draw_crown(pen, creature, 0, -1.15 * ry, 0.8 * rx)
    draw_spines(pen, creature, 0, rx * 0.8, ry * 1.15, -0.1)
    arc = np.linspace(np.pi, 2 * np.pi, 14)
    rim = np.stack([np.cos(arc), np.sin(arc)], 1) * (rx, ry * 1.35) + (0, 0.08)
    hem = [(u * rx, 0.08 + (0.1 if i % 2 else 0.0)) for i, u in enumerate(np.linspace(1, -1, 9))]
    pen.patterned_shape(
        np.concatenate([rim, hem]),
        creature.base,
        lambda inner: draw_markings(inner, creature, 0, rx, ry * 1.2, belly=False),
    )
    for side in (-1, 1):
        draw_eye(pen, creature, side * 0.2 * (rx / 0.45), -0.08, 0.1)
    pen.line(curve((-0.07, 0.03), (0, 0.1), (0.07, 0.03)), 0.03, creature.dark)


def draw_star(pen: Pen, creature: Individual) -> None:
    """Draw arms or petals round a disc with a face.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_star(pen, world.creature(0, 0))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    n, long = 5 + creature.limbs, 0.45 + 0.35 * creature.limb_length
    core, wide = 0.2 + 0.16 * creature.head, (0.10 + 0.13 * creature.stoutness) * 6 / (5 + creature.limbs)
    angles = 2 * np.pi * np.arange(n) / n + 0.15 * creature.swing[0] - np.pi / 2
    if creature.wing:
        for angle in angles + np.pi / n:
            out = core + (0.15 + 0.3 * creature.wing_size) * 0.8
            pen.shape(
                oval(
                    out * np.cos(angle),
                    out * np.sin(angle),
                    0.25 + 0.1 * creature.wing_size,
                    0.05 + 0.04 * creature.wing,
                    angle,
                ),
                mix(creature.second, creature.belly, 0.5),
            )
    for i, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        mid = 0.55 * long + 0.5 * core
        if creature.tail in (0, 2):
            arm = oval(mid * c, mid * s, 0.55 * long + 0.1, wide * (1 + 0.3 * (creature.tail == 2)), angle)
        else:
            arm = np.array([(-s * wide, c * wide), ((long + core) * c, (long + core) * s), (s * wide, -c * wide)]) * 1.0
        pen.shape(arm, creature.second if PATTERNS[creature.pattern] == "banded" and i % 2 else creature.base)
        if PATTERNS[creature.pattern] in ("striped", "saddled"):
            pen.line([(core * c, core * s), (long * c, long * s)], 0.07, creature.second)
        elif PATTERNS[creature.pattern] in ("spotted", "ringed"):
            for r in np.linspace(core + 0.12, long, 2 + int(2 * creature.density)):
                pen.dot(r * c, r * s, 0.055, creature.second)
        if creature.tail >= 2:
            pen.dot((long + 0.9 * core) * c, (long + 0.9 * core) * s, 0.09, creature.belly)
        if creature.spine == 1:
            pen.dot((core + 0.08) * c, (core + 0.08) * s, 0.06, creature.dark)
        if creature.crown == 3:
            pen.line([(long * c, long * s), ((long + 0.35) * c, (long + 0.35) * s)], 0.03, creature.dark)
    disc = mix(creature.base, creature.belly, 0.45) if creature.spine != 2 else creature.second
    pen.shape(oval(0, 0, core, core), disc)
    for side in (-1, 1):
        draw_eye(pen, creature, side * 0.45 * core, -0.12 * core, 0.09)
    pen.line(curve((-0.07, 0.45 * core), (0, 0.65 * core), (0.07, 0.45 * core)), 0.03, creature.dark)
