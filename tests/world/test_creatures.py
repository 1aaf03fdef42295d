"""Creatures in their body plans: they show, and stay in the picture."""

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.world import creatures
from bioclip_probe.world.scene import apply_light, backdrop


@pytest.mark.parametrize("plan", sorted(creatures.PLANS))
def test_the_creature_shows_and_stays_in_the_picture(plan):
    """Most of what a plan draws lies within the picture, and it covers a fair share of it."""
    species = int(np.flatnonzero(world.traits()["plan"] == plan)[0])
    covered, edge = [], []
    for number in range(12):
        view = world.scene_of(species, number)
        empty = apply_light(backdrop(view), view).astype(int)
        drawn = np.abs(np.asarray(world.render(species, number)).astype(int) - empty).sum(axis=2) > 6
        covered.append(drawn.mean())
        edge.append(np.mean([drawn[0].mean(), drawn[-1].mean(), drawn[:, 0].mean(), drawn[:, -1].mean()]))
    assert 0.05 < np.mean(covered) < 0.7
    assert np.mean(edge) < 0.1
