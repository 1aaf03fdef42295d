"""Evolution of the world: frozen traits, spread states, mimicry rings."""

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import world
from bioclip_probe.world.evolution import RINGS, TRAITS


@pytest.fixture(scope="module")
def traits() -> pd.DataFrame:
    return world.traits()


def test_states_and_ranges(traits):
    for name, (_, states) in TRAITS.items():
        assert traits[name].between(0, states - 1 if states else 1).all(), name
        assert traits[name].dtype == (np.int64 if states else np.float64), name


@pytest.mark.parametrize("name", ["gaze", "limbs", "tail", "crown", "wing", "spine"])
def test_states_are_frozen_at_their_rank(traits, name):
    rank = TRAITS[name][0]
    assert (traits.groupby(world.taxa()[rank])[name].agg(np.ptp) == 0).all()


def test_body_plans_belong_to_classes_and_converge(traits):
    taxa = world.taxa()
    plans = taxa.assign(plan=traits["plan"]).drop_duplicates(["class", "plan"])
    assert len(plans) == taxa["class"].nunique()
    assert plans.drop_duplicates(["phylum", "plan"])["plan"].duplicated().any()  # one plan in two phyla
    assert traits["plan"].nunique() == 7


def test_mimicry_rings_join_genera_of_different_orders(traits):
    taxa = world.taxa()
    for number, looks in enumerate(RINGS):
        members = taxa[traits["ring"] == number]
        assert members["order"].nunique() == members["genus"].nunique() >= 5
        assert members["phylum"].nunique() >= 3
        assert (traits.loc[members.index, "pattern"] == looks["pattern"]).all()


def test_one_seed_one_evolution(traits):
    pd.testing.assert_frame_equal(traits, world.traits())
    assert not traits.equals(world.traits(seed=3))
