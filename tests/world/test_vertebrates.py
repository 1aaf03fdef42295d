"""Body plans of vertebrates: each state of a trait that a plan uses changes the drawing."""

import pytest

from bioclip_probe.world.vertebrates import draw_bird, draw_critter, draw_fish
from tests.support.creatures import drawings_by_state


@pytest.mark.parametrize("draw", [draw_critter, draw_bird, draw_fish])
@pytest.mark.parametrize("trait", ["tail", "crown", "wing", "spine", "pattern"])
def test_every_state_of_a_trait_changes_the_drawing(draw, trait):
    drawings = drawings_by_state(draw, trait)
    assert len(set(drawings)) == len(drawings)


@pytest.mark.parametrize("draw, n_different", [(draw_critter, 4), (draw_bird, 2), (draw_fish, 4)])
def test_limbs_change_the_drawing_and_a_bird_has_two_or_three_toes(draw, n_different):
    assert len(set(drawings_by_state(draw, "limbs"))) == n_different
