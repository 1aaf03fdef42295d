import numpy as np

from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.replicates import Replicates
from tests.support.made_up_vectors import random_taxonomy, unit_rows


def rows_with_a_hole() -> Rows:
    rng = np.random.default_rng(0)
    placement = random_taxonomy(8, 20, rng)
    rows = Rows.images(unit_rows(rng.standard_normal((20, 4))), placement)
    tips = np.where(np.arange(20) == 19, -1, rows.tips)
    return Rows(rows.tree, rows.vectors, tips, tips)


def test_each_permutation_moves_every_tip():
    rows = rows_with_a_hole()
    plain = Replicates.jackknife(rows.tips % 3, 3)
    several = plain.with_permutations(rows, np.random.default_rng(1), 5, 7)
    assert several.n_groups == 3 and several.group is not None
    assert several.orders.shape == (5, 8) and np.all(np.sort(several.orders) == np.arange(8))
    assert several.anchors.sum() == 7 and not several.anchors[19]


def test_few_rows_are_all_anchors():
    rows = rows_with_a_hole()
    several = Replicates.none(20).with_permutations(rows, np.random.default_rng(1), 1, 100)
    assert several.anchors.tolist() == (rows.tips >= 0).tolist()


def test_the_same_stream_gives_the_same_permutations():
    rows = rows_with_a_hole()
    one, other = (Replicates.none(20).with_permutations(rows, np.random.default_rng(4), 3, 5) for _ in range(2))
    assert np.array_equal(one.orders, other.orders) and np.array_equal(one.anchors, other.anchors)
