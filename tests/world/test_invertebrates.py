"""Body plans of invertebrates: states of the traits that a plan uses change the drawing."""

import pytest

from bioclip_probe.world.invertebrates import draw_bug, draw_jelly, draw_star, draw_worm
from tests.support.creatures import drawings_by_state

PLANS = [draw_bug, draw_worm, draw_jelly, draw_star]


@pytest.mark.parametrize("draw", PLANS)
@pytest.mark.parametrize("trait", ["tail", "limbs", "wing"])
def test_every_state_of_tail_limbs_and_wings_changes_the_drawing(draw, trait):
    drawings = drawings_by_state(draw, trait)
    assert len(set(drawings)) == len(drawings)


@pytest.mark.parametrize("draw", PLANS)
@pytest.mark.parametrize("trait", ["crown", "spine", "pattern"])
def test_some_states_of_crown_back_and_pattern_change_the_drawing(draw, trait):
    assert len(set(drawings_by_state(draw, trait))) > 1
