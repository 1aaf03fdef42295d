"""The pictures: size, determinism, and circumstances that know nothing of the taxon."""

import numpy as np
import pytest
from scipy import stats

from bioclip_probe import world
from bioclip_probe.world import creatures
from bioclip_probe.world.pen import SIZE, Pen, mix, oval
from bioclip_probe.world.scene import BACKGROUNDS, backdrop, draw_scene, lit


def test_a_picture_is_determined_by_seed_species_and_number():
    picture = np.asarray(world.render(17, 3))
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    world.render(90, 1)  # what was drawn before plays no part
    np.testing.assert_array_equal(picture, np.asarray(world.render(17, 3)))
    for other in (world.render(17, 4), world.render(18, 3), world.render(17, 3, seed=3)):
        assert np.any(picture != np.asarray(other))


def test_every_species_can_be_drawn():
    for species in range(240):
        assert np.asarray(world.render(species, 0)).std() > 5


@pytest.mark.parametrize("plan", sorted(creatures.PLANS))
def test_the_creature_shows_and_stays_in_the_picture(plan):
    """Most of what a plan draws lies within the picture, and it covers a fair share of it."""
    species = int(np.flatnonzero(world.traits()["plan"] == plan)[0])
    covered, edge = [], []
    for number in range(12):
        view = world.circumstances(species, number)
        empty = lit(backdrop(view), view).astype(int)
        drawn = np.abs(np.asarray(world.render(species, number)).astype(int) - empty).sum(axis=2) > 6
        covered.append(drawn.mean())
        edge.append(np.mean([drawn[0].mean(), drawn[-1].mean(), drawn[:, 0].mean(), drawn[:, -1].mean()]))
    assert 0.05 < np.mean(covered) < 0.7
    assert np.mean(edge) < 0.1


def test_circumstances_are_independent_of_the_taxon():
    """Over many pictures, kingdoms differ in no circumstance by more than chance."""
    kingdoms, names = world.taxa()["kingdom"].factorize()
    views = [(kingdoms[species], world.circumstances(species, n)) for species in range(240) for n in range(10)]
    split = [[view for kingdom, view in views if kingdom == k] for k in range(len(names))]
    for name in ("turn", "scale", "hue", "tone", "gain", "left"):
        groups = [[float(getattr(view, name)) for view in group] for group in split]
        assert stats.kruskal(*groups).pvalue > 1e-3, name
    counts = [[sum(view.background == kind for view in group) for kind in BACKGROUNDS] for group in split]
    assert stats.chi2_contingency(counts).pvalue > 1e-3


def test_a_scene_comes_from_its_generator_alone():
    assert draw_scene(np.random.default_rng(4)) == draw_scene(np.random.default_rng(4))
    assert draw_scene(np.random.default_rng(4)) != draw_scene(np.random.default_rng(5))


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_background_fills_the_picture(background):
    rng = np.random.default_rng(0)
    view = next(view for view in iter(lambda: draw_scene(rng), None) if view.background == background)
    assert lit(backdrop(view), view).shape == (SIZE, SIZE, 3)


def test_the_pen_maps_and_clips():
    from PIL import Image

    image = Image.new("RGB", (60, 60), "white")
    pen = Pen(image, np.eye(2) * 20, np.array([30.0, 30.0]), (0, 0, 0))
    pen.within(oval(0, 0, 1, 0.5), (10, 200, 10), lambda inner: inner.dot(0, 0, 5, (200, 10, 10)), outline=0)
    pixels = np.asarray(image)
    assert tuple(pixels[30, 30]) == (200, 10, 10)
    assert tuple(pixels[5, 30]) == (255, 255, 255)
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)


def test_a_plate_holds_all_its_pictures():
    plate = world.sheet([0, 100], individuals=(0, 1, 2), columns=4)
    assert plate.size == (4 * SIZE, 2 * SIZE)
    np.testing.assert_array_equal(np.asarray(plate)[SIZE:, :SIZE], np.asarray(world.render(100, 1)))
    assert world.sheet([0], zoom=2, columns=1).size == (2 * SIZE, 2 * SIZE)
