"""Drawings of one creature in every state of one of its traits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bioclip_probe import world
from bioclip_probe.world.anatomy import Individual
from bioclip_probe.world.evolution import TRAITS
from bioclip_probe.world.pen import Pen, blank_pen


def drawings_by_state(draw: Callable[[Pen, Individual], None], trait: str) -> list[bytes]:
    """Return the pixels that `draw` gives for each state of a trait, all other traits kept."""
    creature = world.creature(17, 3)
    pixels = []
    for state in range(TRAITS[trait][1]):
        pen = blank_pen(192)
        draw(pen, replace(creature, value={**creature.value, trait: state}))
        pixels.append(pen.image.tobytes())
    return pixels
