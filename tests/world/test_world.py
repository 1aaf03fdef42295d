"""Pictures of the world: they are determined by seed, species and number, and plates hold them."""

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.world.pen import SIZE


def test_a_picture_is_determined_by_seed_species_and_number():
    picture = np.asarray(world.render(17, 3))
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    world.render(90, 1)  # what was drawn before plays no part
    np.testing.assert_array_equal(picture, np.asarray(world.render(17, 3)))
    for other in (world.render(17, 4), world.render(18, 3), world.render(17, 3, seed=3)):
        assert np.any(picture != np.asarray(other))


@pytest.mark.slow
def test_every_species_can_be_drawn():
    for species in range(240):
        assert np.asarray(world.render(species, 0)).std() > 5


def test_a_plate_holds_all_its_pictures():
    plate = world.sheet([0, 100], individuals=(0, 1, 2), columns=4)
    assert plate.size == (4 * SIZE, 2 * SIZE)
    np.testing.assert_array_equal(np.asarray(plate)[SIZE:, :SIZE], np.asarray(world.render(100, 1)))
    assert world.sheet([0], zoom=2, columns=1).size == (2 * SIZE, 2 * SIZE)
