"""The groups of units that intervals leave out."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.metrics.examples import corvids
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows


@given(st.lists(st.integers(-1, 6), min_size=1, max_size=40), st.integers(1, 8), st.integers(0, 99))
def test_all_images_of_a_unit_are_in_one_group_and_no_group_is_empty(units, n_groups, seed):
    units = np.array(units)
    jackknife = Jackknife.of("species", units, np.random.default_rng(seed), n_groups)
    assert jackknife.n_units == len(set(units[units >= 0]))
    assert jackknife.n_groups == min(n_groups, jackknife.n_units)
    assert all(len(set(jackknife.group[units == unit])) == 1 for unit in set(units))
    assert set(jackknife.group[units < 0]) <= {-1}
    assert set(jackknife.group[units >= 0]) == set(range(jackknife.n_groups))


def test_without_each_leaves_out_one_group_after_the_other():
    scores = np.array([1.0, 2.0, 3.0, 10.0])
    jackknife = Jackknife("species", 2, np.array([0, 0, 1, -1]))
    assert jackknife.without_each(lambda kept: scores[kept].mean()).tolist() == [3.0, 1.5]


def test_groups_of_tips_are_those_of_their_images():
    vectors, placement = corvids()
    jackknife = Jackknife.of("species", placement.node, np.random.default_rng(0))
    rows = Rows.taxa(vectors, placement)
    assert jackknife.of_tips(rows)[rows.groups].tolist() == jackknife.group.tolist()
    assert jackknife.take(np.array([2, 0])).group.tolist() == jackknife.group[[2, 0]].tolist()


def test_units_of_tips_and_of_some_images_are_counted_again():
    vectors, placement = corvids()
    jackknife = Jackknife.of("genus", placement.at("genus"), np.random.default_rng(0))
    rows = Rows.taxa(vectors, placement)
    unit = jackknife.units_of_tips(rows)
    assert unit[rows.groups].tolist() == np.unique(placement.at("genus"), return_inverse=True)[1].tolist()
    same_genus = placement.at("genus") == placement.at("genus")[-1]
    assert jackknife.n_units == 2 and jackknife.take(same_genus).n_units == 1
    assert jackknife.take(np.zeros(3, dtype=bool)).n_units == 0


def test_a_number_without_groups_that_hold_nothing_is_the_number_itself():
    jackknife = Jackknife("species", 3, np.array([0, 1, 2]))
    assert jackknife.padded(0.5, np.array([0.25])).tolist() == [0.25, 0.5, 0.5]


def test_groups_without_an_image_stay_so_that_numbers_of_two_encoders_have_the_same_groups():
    jackknife = Jackknife.of("species", np.arange(30), np.random.default_rng(0), n_groups=6)
    few = jackknife.take(np.flatnonzero(jackknife.group < 2))
    assert (few.n_groups, few.n_units) == (6, 10)
    scores = np.arange(10.0)
    assert few.without_each(lambda kept: scores[kept].mean())[2:].tolist() == [scores.mean()] * 4


def test_widening_moves_each_value_away_from_the_mean():
    jackknife = Jackknife.of("species", np.arange(12), np.random.default_rng(0))
    plain = jackknife.without_each(lambda kept: np.array([kept.sum(), np.flatnonzero(kept).mean()]))
    wider = replace(jackknife, widening=1.5)
    wide = wider.without_each(lambda kept: np.array([kept.sum(), np.flatnonzero(kept).mean()]))
    np.testing.assert_allclose(wide.mean(axis=0), plain.mean(axis=0))
    np.testing.assert_allclose(wide - wide.mean(axis=0), 1.5 * (plain - plain.mean(axis=0)), atol=1e-12)


def test_rows_that_are_taken_keep_the_widening():
    jackknife = replace(Jackknife.of("species", np.arange(12), np.random.default_rng(0)), widening=1.5)
    assert jackknife.take(np.arange(5)).widening == 1.5
