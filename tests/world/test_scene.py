"""Circumstances of a picture: they do not depend on the taxon."""

import numpy as np
import pytest
from scipy import stats

from bioclip_probe import world
from bioclip_probe.world.pen import SIZE
from bioclip_probe.world.scene import BACKGROUNDS, apply_light, backdrop, random_scene


def test_circumstances_are_independent_of_the_taxon():
    """Over many pictures, kingdoms differ in no circumstance by more than chance."""
    kingdoms, names = world.taxa()["kingdom"].factorize()
    views = [(kingdoms[species], world.scene_of(species, n)) for species in range(240) for n in range(10)]
    split = [[view for kingdom, view in views if kingdom == k] for k in range(len(names))]
    for name in ("turn", "scale", "hue", "tone", "gain", "left"):
        groups = [[float(getattr(view, name)) for view in group] for group in split]
        assert stats.kruskal(*groups).pvalue > 1e-3, name
    counts = [[sum(view.background == kind for view in group) for kind in BACKGROUNDS] for group in split]
    assert stats.chi2_contingency(counts).pvalue > 1e-3


def test_a_scene_comes_from_its_generator_alone():
    assert random_scene(np.random.default_rng(4)) == random_scene(np.random.default_rng(4))
    assert random_scene(np.random.default_rng(4)) != random_scene(np.random.default_rng(5))


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_background_fills_the_picture(background):
    rng = np.random.default_rng(0)
    view = next(view for view in iter(lambda: random_scene(rng), None) if view.background == background)
    assert apply_light(backdrop(view), view).shape == (SIZE, SIZE, 3)
