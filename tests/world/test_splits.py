"""Which species are held out of training."""

import numpy as np

from bioclip_probe import world
from bioclip_probe.world import splits


def test_a_fifth_is_held_out_with_relatives_in_training():
    taxa, seen = world.taxa(), world.seen_in_training()
    assert (~seen).sum() == splits.HELD_OUT == 48
    assert set(taxa.loc[~seen, "order"]) <= set(taxa.loc[seen, "order"])


def test_whole_genera_and_a_whole_family_are_held_out():
    taxa, seen = world.taxa(), world.seen_in_training()
    gone = {rank: set(taxa.loc[~seen, rank]) - set(taxa.loc[seen, rank]) for rank in ("genus", "family")}
    assert len(gone["family"]) == 1
    assert len(gone["genus"]) >= 5
    assert (taxa.loc[~seen, "genus"].isin(taxa.loc[seen, "genus"])).sum() > 20  # and single species of known genera


def test_the_quarter_is_of_the_seen():
    seen = world.seen_in_training()
    chosen = splits.random_quarter(seen, np.random.default_rng(0))
    assert chosen.sum() == seen.sum() // 4
    assert not np.any(chosen & ~seen)


def test_training_and_evaluation_share_no_individual():
    assert max(splits.EVALUATION) < splits.FIRST_TRAINING
