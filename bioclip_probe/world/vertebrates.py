"""Body plans seen from the side: critter, bird and fish."""

from __future__ import annotations

import numpy as np

from bioclip_probe.world.anatomy import (
    Individual,
    draw_crown,
    draw_eye,
    draw_markings,
    draw_side_wing,
    draw_spines,
    draw_tail,
)
from bioclip_probe.world.pen import Pen, curve, mix, oval


def draw_critter(pen: Pen, creature: Individual) -> None:
    """Draw a beast with two to eight feet from the side.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_critter(pen, world.creature(0, 0))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    rx, ry = 0.52, 0.25 + 0.20 * creature.stoutness
    leg = 0.22 + 0.34 * creature.limb_length
    draw_tail(pen, creature, -rx * 0.9, -0.1)
    for back in (True, False):  # far legs first, darker
        for u in np.linspace(-0.65, 0.6, creature.limbs + 1) if creature.limbs else (0.0,):
            stride = 0.10 * creature.swing[0] * (1 if back else -1)
            foot = (u * rx + stride + (0.09 if back else 0), ry * 0.75 + leg)
            fill = mix(creature.base, creature.dark, 0.35) if back else creature.base
            pen.stroke([(u * rx + (0.09 if back else 0), ry * 0.5), foot], 0.12, fill)
            if not back:
                pen.shape(oval(foot[0] + 0.04, foot[1], 0.11, 0.06), creature.second)
    draw_spines(pen, creature, 0, rx, ry)
    pen.patterned_shape(oval(0, 0, rx, ry), creature.base, lambda inner: draw_markings(inner, creature, 0, rx, ry))
    if creature.wing:
        draw_side_wing(pen, creature, -0.05, -0.12)
    size, x, y = 0.22 + 0.14 * creature.head, 0.58, -0.28 - 0.10 * creature.limb_length + 0.03 * creature.swing[1]
    pen.stroke([(0.32, -0.05), (x, y)], 0.22, creature.base)
    draw_crown(pen, creature, x - 0.05, y - 0.7 * size, size)
    pen.shape(oval(x, y, size, size * 0.92), creature.base)
    pen.shape(oval(x + 0.75 * size, y + 0.3 * size, size * 0.5, size * 0.38), creature.belly)
    pen.dot(x + 1.15 * size, y + 0.2 * size, 0.05, creature.dark)
    draw_eye(pen, creature, x + 0.15 * size, y - 0.2 * size, 0.11)


def draw_bird(pen: Pen, creature: Individual) -> None:
    """Draw a round body on two thin legs, with a beak, a wing and tail feathers.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_bird(pen, world.creature(0, 0))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    rx, ry = 0.42 + 0.06 * creature.head, 0.32 + 0.14 * creature.stoutness
    leg = 0.16 + 0.42 * creature.limb_length
    feet = (235, 160, 60) if creature.gaze != 1 else creature.dark
    for u in (-0.05, 0.12):
        foot = (u + 0.07 * creature.swing[0] * (1 if u > 0 else -1), ry + leg)
        pen.stroke([(u, ry * 0.7), foot], 0.045, feet)
        for toe in (-0.09, 0.03, 0.13)[: 1 + max(1, creature.limbs)]:
            pen.stroke([foot, (foot[0] + toe, foot[1] + 0.05)], 0.03, feet)
    long = 0.3 + 0.5 * creature.tail_length
    for i in range(creature.tail + 1):
        angle = 0.55 - 0.32 * i
        x, y = -0.3 - 0.5 * long * np.cos(angle), -0.02 - 0.5 * long * np.sin(angle)
        pen.shape(oval(x, y, 0.62 * long, 0.085, angle), creature.second if i % 2 else creature.base)
    draw_spines(pen, creature, -0.05, rx, ry * 0.95)
    pen.patterned_shape(oval(0, 0, rx, ry), creature.base, lambda inner: draw_markings(inner, creature, 0, rx, ry))
    if creature.wing:
        draw_side_wing(pen, creature, 0.05, 0.0)
    size, x, y = 0.2 + 0.1 * creature.head, 0.36, -ry - 0.02 + 0.03 * creature.swing[1]
    pen.stroke([(0.2, -0.1), (x, y)], 0.26, creature.base)
    if creature.crown:
        draw_crown(pen, creature, x - 0.06, y - 0.75 * size, size * 0.6)
    pen.shape(oval(x, y, size, size), creature.base)
    beak = 0.14 + 0.3 * creature.crown_length
    tip = (x + size * 0.7 + beak, y + 0.12)
    pen.shape([(x + size * 0.7, y - 0.08), tip, (x + size * 0.6, y + 0.14)], feet)
    draw_eye(pen, creature, x + 0.2 * size, y - 0.12 * size, 0.1)


def draw_fish(pen: Pen, creature: Individual) -> None:
    """Draw a fish: `tail` gives its tail fin, `spine` its dorsal fin, `crown` its barbels, `wing` its flowing fins.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw_fish(pen, world.creature(0, 0))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    rx, ry = 0.66, 0.2 + 0.3 * creature.stoutness
    fin, long = mix(creature.second, creature.belly, 0.25), 0.25 + 0.3 * creature.tail_length
    sway = 0.08 * creature.swing[0]
    root = -0.55
    if creature.tail == 0:
        pen.shape(oval(root - 0.5 * long, sway, 0.6 * long, 0.26), fin)
    elif creature.tail == 1:
        pen.shape(
            np.array(
                [(root + 0.1, 0), (root - long, -0.42 + sway), (root - 0.5 * long, sway), (root - long, 0.42 + sway)]
            ),
            fin,
        )
    elif creature.tail == 2:
        pen.shape([(root + 0.1, 0), (root - long, -0.3 + sway), (root - long, 0.3 + sway)], fin)
    else:
        for side in (-1, 1):
            pen.shape(oval(root - 0.6 * long, side * 0.16 + sway, 0.75 * long, 0.09, -0.35 * side), fin)
    draw_spines(pen, creature, -0.05, 0.75 * rx, ry)
    if creature.limbs:
        for u in np.linspace(-0.35, 0.3, creature.limbs):
            reach = 0.1 + 0.4 * creature.limb_length
            pen.shape([(u, ry * 0.7), (u - 0.22, ry * 0.8 + reach), (u - 0.25, ry * 0.6)], fin)
    body = np.concatenate(
        [
            curve((root - 0.06, -0.08), (-0.1, -1.9 * ry), (rx, 0.0)),
            curve((rx, 0.0), (-0.1, 1.9 * ry), (root - 0.06, 0.08)),
        ]
    )
    pen.patterned_shape(body, creature.base, lambda inner: draw_markings(inner, creature, -0.02, rx * 0.85, ry))
    if creature.wing:
        reach = 0.25 + 0.4 * creature.wing_size
        pen.shape(
            oval(-0.02 - 0.4 * reach, 0.1, 0.55 * reach, 0.06 + 0.05 * creature.wing, -0.5 + 0.2 * creature.swing[1]),
            fin,
        )
    for i in range(creature.crown):
        end = (rx + 0.02 + 0.1 * i, 0.2 + 0.3 * creature.crown_length)
        pen.line(curve((rx - 0.14, 0.06), (rx, 0.1), end), 0.035, creature.dark)
    pen.line(curve((rx - 0.03, 0.03), (rx - 0.1, 0.1), (rx - 0.2, 0.09)), 0.03, creature.dark)
    draw_eye(pen, creature, rx - 0.27 - 0.12 * creature.head, -0.06 - 0.1 * ry, 0.12)
