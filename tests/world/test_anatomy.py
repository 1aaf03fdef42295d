"""Organs that several body plans share: each state of a trait looks different, and individuals of a species alike."""

from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.world import anatomy
from bioclip_probe.world.evolution import PATTERNS, TRAITS
from bioclip_probe.world.pen import blank_pen

ORGANS = {
    "tail": lambda pen, creature: anatomy.draw_tail(pen, creature, 0, 0),
    "crown": lambda pen, creature: anatomy.draw_crown(pen, creature, 0, 0, 0.3),
    "wing": lambda pen, creature: anatomy.draw_side_wing(pen, creature, 0, 0),
    "spine": lambda pen, creature: anatomy.draw_spines(pen, creature, 0, 0.6, 0.4),
    "gaze": lambda pen, creature: anatomy.draw_eye(pen, creature, 0, 0, 0.3),
    "pattern": lambda pen, creature: anatomy.draw_markings(pen, creature, 0, 0.6, 0.4),
}


def drawn(trait: str, state: int) -> bytes:
    """Return the picture of an organ in a state of its trait."""
    creature, pen = world.creature(17, 3), blank_pen()
    ORGANS[trait](pen, replace(creature, value={**creature.value, trait: state}))
    return pen.image.tobytes()


@pytest.mark.parametrize("trait", ORGANS)
def test_every_state_of_an_organ_looks_different(trait):
    states = range(1 if trait == "wing" else 0, TRAITS[trait][1])  # no creature without wings gets one drawn
    assert len({drawn(trait, state) for state in states}) == len(states)


def test_a_plain_creature_has_a_belly_and_no_pattern():
    creature = world.creature(17, 3)
    plain = replace(creature, value={**creature.value, "pattern": PATTERNS.index("plain")})
    pen, other = blank_pen(), blank_pen()
    anatomy.draw_markings(pen, plain, 0, 0.6, 0.4, belly=False)
    assert pen.image.tobytes() == other.image.tobytes()
    anatomy.draw_markings(pen, plain, 0, 0.6, 0.4)
    assert creature.belly in {colour for _, colour in pen.image.getcolors()}


def test_individuals_differ_in_continuous_traits_and_not_in_states():
    first, second = world.creature(17, 3), world.creature(17, 4)
    for name, (_, states) in TRAITS.items():
        assert (first.value[name] == second.value[name]) == bool(states), name
        assert getattr(first, name) == first.value[name]
    with pytest.raises(AttributeError, match="wingspan"):
        first.wingspan  # noqa: B018


def test_one_generator_makes_one_individual():
    traits = world.traits().iloc[5].to_dict()
    one, same = (anatomy.individual(traits, np.random.default_rng(1)) for _ in range(2))
    assert one == same
    assert one != anatomy.individual(traits, np.random.default_rng(2))
