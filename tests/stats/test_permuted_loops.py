import itertools

import numpy as np

from bioclip_probe.stats.permuted_loops import shuffle_within
from tests.support.taxa import rng


def test_strata_are_permuted_by_fisher_and_yates():
    starts = np.concatenate([[0], np.cumsum([1, 2, 1, 70_000, 5])])
    members = rng().permutation(starts[-1] + 3)[: starts[-1]]
    draws, orders = rng(5).random((2, starts[-1])), np.tile(np.arange(starts[-1] + 3), (2, 1))
    expected = orders.copy()
    shuffle_within(orders, members, starts, draws)
    for order, uniform in zip(expected, draws, strict=True):
        for low, high in itertools.pairwise(starts):
            own = order[members[low:high]]
            for place in range(high - low - 1, 0, -1):
                other = int(uniform[low + place] * (place + 1))
                own[[place, other]] = own[[other, place]]
            order[members[low:high]] = own
    assert np.array_equal(orders, expected)


def test_every_order_of_a_stratum_is_as_likely_as_any_other():
    n, members = 24_000, np.array([4, 0, 2, 3])
    orders = np.tile(np.arange(5), (n, 1))
    shuffle_within(orders, members, np.array([0, 4]), rng().random((n, 4)))
    assert np.all(orders[:, 1] == 1)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert np.sum((counts - 1000) ** 2 / 1000) < 60  # chi-squared with 23 degrees of freedom: p = 3e-5
