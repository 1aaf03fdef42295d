"""Body plans seen from the side: critter, bird and fish."""

from __future__ import annotations

import numpy as np

from bioclip_probe.world.anatomy import Individual, crown, eye, markings, side_wing, spines, tail
from bioclip_probe.world.pen import Pen, curve, mix, oval


def critter(pen: Pen, one: Individual) -> None:
    """A four-footed (or two- to eight-footed) beast seen from the side."""
    rx, ry = 0.52, 0.25 + 0.20 * one.stoutness
    leg = 0.22 + 0.34 * one.limb_length
    tail(pen, one, -rx * 0.9, -0.1)
    for back in (True, False):  # far legs first, darker
        for u in np.linspace(-0.65, 0.6, one.limbs + 1) if one.limbs else (0.0,):
            stride = 0.10 * one.swing[0] * (1 if back else -1)
            foot = (u * rx + stride + (0.09 if back else 0), ry * 0.75 + leg)
            fill = mix(one.base, one.dark, 0.35) if back else one.base
            pen.stroke([(u * rx + (0.09 if back else 0), ry * 0.5), foot], 0.12, fill)
            if not back:
                pen.shape(oval(foot[0] + 0.04, foot[1], 0.11, 0.06), one.second)
    spines(pen, one, 0, rx, ry)
    pen.within(oval(0, 0, rx, ry), one.base, lambda inner: markings(inner, one, 0, rx, ry))
    if one.wing:
        side_wing(pen, one, -0.05, -0.12)
    size, x, y = 0.22 + 0.14 * one.head, 0.58, -0.28 - 0.10 * one.limb_length + 0.03 * one.swing[1]
    pen.stroke([(0.32, -0.05), (x, y)], 0.22, one.base)
    crown(pen, one, x - 0.05, y - 0.7 * size, size)
    pen.shape(oval(x, y, size, size * 0.92), one.base)
    pen.shape(oval(x + 0.75 * size, y + 0.3 * size, size * 0.5, size * 0.38), one.belly)
    pen.dot(x + 1.15 * size, y + 0.2 * size, 0.05, one.dark)
    eye(pen, one, x + 0.15 * size, y - 0.2 * size, 0.11)


def bird(pen: Pen, one: Individual) -> None:
    """A round body on two thin legs, a beak, a wing and tail feathers."""
    rx, ry = 0.42 + 0.06 * one.head, 0.32 + 0.14 * one.stoutness
    leg = 0.16 + 0.42 * one.limb_length
    feet = (235, 160, 60) if one.gaze != 1 else one.dark
    for u in (-0.05, 0.12):
        foot = (u + 0.07 * one.swing[0] * (1 if u > 0 else -1), ry + leg)
        pen.stroke([(u, ry * 0.7), foot], 0.045, feet)
        for toe in (-0.09, 0.03, 0.13)[: 1 + max(1, one.limbs)]:
            pen.stroke([foot, (foot[0] + toe, foot[1] + 0.05)], 0.03, feet)
    long = 0.3 + 0.5 * one.tail_length
    for i in range(one.tail + 1):
        angle = 0.55 - 0.32 * i
        x, y = -0.3 - 0.5 * long * np.cos(angle), -0.02 - 0.5 * long * np.sin(angle)
        pen.shape(oval(x, y, 0.62 * long, 0.085, angle), one.second if i % 2 else one.base)
    spines(pen, one, -0.05, rx, ry * 0.95)
    pen.within(oval(0, 0, rx, ry), one.base, lambda inner: markings(inner, one, 0, rx, ry))
    if one.wing:
        side_wing(pen, one, 0.05, 0.0)
    size, x, y = 0.2 + 0.1 * one.head, 0.36, -ry - 0.02 + 0.03 * one.swing[1]
    pen.stroke([(0.2, -0.1), (x, y)], 0.26, one.base)
    if one.crown:
        crown(pen, one, x - 0.06, y - 0.75 * size, size * 0.6)
    pen.shape(oval(x, y, size, size), one.base)
    beak = 0.14 + 0.3 * one.crown_length
    tip = (x + size * 0.7 + beak, y + 0.12)
    pen.shape([(x + size * 0.7, y - 0.08), tip, (x + size * 0.6, y + 0.14)], feet)
    eye(pen, one, x + 0.2 * size, y - 0.12 * size, 0.1)


def fish(pen: Pen, one: Individual) -> None:
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
        pen.shape([(root + 0.1, 0), (root - long, -0.3 + sway), (root - long, 0.3 + sway)], fin)
    else:
        for side in (-1, 1):
            pen.shape(oval(root - 0.6 * long, side * 0.16 + sway, 0.75 * long, 0.09, -0.35 * side), fin)
    spines(pen, one, -0.05, 0.75 * rx, ry)
    if one.limbs:
        for u in np.linspace(-0.35, 0.3, one.limbs):
            reach = 0.1 + 0.4 * one.limb_length
            pen.shape([(u, ry * 0.7), (u - 0.22, ry * 0.8 + reach), (u - 0.25, ry * 0.6)], fin)
    body = np.concatenate(
        [
            curve((root - 0.06, -0.08), (-0.1, -1.9 * ry), (rx, 0.0)),
            curve((rx, 0.0), (-0.1, 1.9 * ry), (root - 0.06, 0.08)),
        ]
    )
    pen.within(body, one.base, lambda inner: markings(inner, one, -0.02, rx * 0.85, ry))
    if one.wing:
        reach = 0.25 + 0.4 * one.wing_size
        pen.shape(oval(-0.02 - 0.4 * reach, 0.1, 0.55 * reach, 0.06 + 0.05 * one.wing, -0.5 + 0.2 * one.swing[1]), fin)
    for i in range(one.crown):
        end = (rx + 0.02 + 0.1 * i, 0.2 + 0.3 * one.crown_length)
        pen.line(curve((rx - 0.14, 0.06), (rx, 0.1), end), 0.035, one.dark)
    pen.line(curve((rx - 0.03, 0.03), (rx - 0.1, 0.1), (rx - 0.2, 0.09)), 0.03, one.dark)
    eye(pen, one, rx - 0.27 - 0.12 * one.head, -0.06 - 0.1 * ry, 0.12)
