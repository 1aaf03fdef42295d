"""The body plans of creatures, by name."""

from __future__ import annotations

from bioclip_probe.world.anatomy import Individual, individual
from bioclip_probe.world.invertebrates import draw_bug, draw_jelly, draw_star, draw_worm
from bioclip_probe.world.pen import Pen
from bioclip_probe.world.vertebrates import draw_bird, draw_critter, draw_fish

PLANS = {
    "critter": draw_critter,
    "bird": draw_bird,
    "fish": draw_fish,
    "bug": draw_bug,
    "worm": draw_worm,
    "jelly": draw_jelly,
    "star": draw_star,
}


def draw(pen: Pen, creature: Individual) -> None:
    """Draw a creature in the body plan that its trait `plan` names.

    Parameters
    ----------
    pen : Pen
    creature : Individual

    Examples
    --------
    >>> from bioclip_probe import world
    >>> from bioclip_probe.world.pen import blank_pen
    >>> pen = blank_pen()
    >>> draw(pen, world.creature(17, 3))
    >>> len(pen.image.getcolors()) > 1
    True
    """
    PLANS[str(creature.value["plan"])](pen, creature)


__all__ = ["PLANS", "Individual", "draw", "individual"]
