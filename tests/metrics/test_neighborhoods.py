from math import comb

import numpy as np
import pytest

from bioclip_probe.metrics.intervals import clopper_pearson
from bioclip_probe.metrics.neighborhoods import agreement_chance, chance_to_be_right, with_exact_ends
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from tests.support.settings import FEW

BOUNDS = (-1.0, 1.0)


def test_agreement_is_the_share_of_pairs_of_units_of_one_taxon():
    assert agreement_chance(np.array([5])) == 1
    assert agreement_chance(np.array([1])) == agreement_chance(np.array([], dtype=int)) == 0
    assert agreement_chance(np.array([3, 1, 0])) == pytest.approx(3 / 6)


def test_a_unit_can_be_right_if_one_of_the_units_drawn_is_of_its_taxon():
    sizes = np.array([4, 3, 1, 0, 2])
    for drawn in range(10):
        expected = sum(size / 10 * (1 - comb(10 - size, drawn) / comb(9, drawn)) for size in sizes)
        assert chance_to_be_right(sizes, np.array([drawn]))[0] == pytest.approx(expected)


@pytest.mark.parametrize("at_end", [0, 1])
def test_an_interval_at_an_end_of_the_range_is_exact(at_end):
    jackknife = Jackknife("species", 30, np.arange(30) % 20, unit=np.arange(30))
    ends = np.tile([-0.2, 0.6], (21, 1))
    low, high = clopper_pearson(30 * at_end, 30, FEW.level)
    found = with_exact_ends(Estimate(ends[0, at_end]), ends[1:, at_end], ends, jackknife, FEW, BOUNDS)
    assert found.value == ends[0, at_end] and np.array_equal(found.replicates, ends[1:, at_end])
    assert (found.ci_low, found.ci_high) == pytest.approx((-0.2 + 0.8 * low, -0.2 + 0.8 * high))
    assert found.ci_method.startswith("Clopper-Pearson")


def test_an_interval_at_an_end_holds_how_the_range_varies():
    jackknife = Jackknife("species", 20, np.arange(20))
    ends = np.column_stack([np.zeros(21), 0.6 + 0.01 * np.random.default_rng(0).standard_normal(21)])
    found = with_exact_ends(Estimate(ends[0, 1]), ends[1:, 1], ends, jackknife, FEW, BOUNDS)
    assert found.ci_low < ends[0, 1] * clopper_pearson(20, 20, FEW.level)[0] + 1e-9
    assert found.ci_high > ends[0, 1] + 0.01


def test_an_interval_inside_the_range_is_that_of_the_jackknife():
    jackknife = Jackknife("species", 20, np.arange(20))
    ends = np.tile([0.0, 0.4], (21, 1))
    found = with_exact_ends(Estimate(0.39), np.append(np.full(19, 0.39), 0.395), ends, jackknife, FEW, BOUNDS)
    assert found.ci_low < 0.39 < found.ci_high and "jackknife" in found.ci_method
    few = with_exact_ends(Estimate(0.4), np.full(5, 0.4), ends[:6], Jackknife("species", 5, np.arange(5)), FEW, BOUNDS)
    assert np.isnan(few.ci_low) and "needs at least 10" in few.note
