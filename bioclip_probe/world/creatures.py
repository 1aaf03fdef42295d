"""Draw a creature in its body plan."""

from __future__ import annotations

from bioclip_probe.world.anatomy import Individual, individual
from bioclip_probe.world.invertebrates import bug, jelly, star, worm
from bioclip_probe.world.pen import Pen
from bioclip_probe.world.vertebrates import bird, critter, fish

PLANS = {"critter": critter, "bird": bird, "fish": fish, "bug": bug, "worm": worm, "jelly": jelly, "star": star}


def draw(pen: Pen, one: Individual) -> None:
    """Draw the creature; the plan is chosen by its trait `plan`."""
    PLANS[one.value["plan"]](pen, one)


__all__ = ["PLANS", "Individual", "draw", "individual"]
