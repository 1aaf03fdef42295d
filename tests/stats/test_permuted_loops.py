import itertools

import numpy as np

from bioclip_probe.stats.permuted_loops import shuffle_within
from tests.support.taxa import rng


def test_strata_are_permuted_as_numpy_permutes_them():
    sizes = [1, 2, 1, 70_000, 5]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    members = rng().permutation(starts[-1] + 3)[: starts[-1]]
    ours, theirs, orders = rng(5), rng(5), np.tile(np.arange(starts[-1] + 3), (2, 1))
    expected = orders.copy()
    shuffle_within(orders, members, starts, ours)
    for order in expected:
        for low, high in itertools.pairwise(starts):
            order[members[low:high]] = theirs.permutation(members[low:high])
    assert np.array_equal(orders, expected)
    assert ours.random() == theirs.random()
