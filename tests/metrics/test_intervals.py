"""The interval of every metric, its warnings and the p-value that belongs to it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bioclip_probe.metrics.intervals import (
    clopper_pearson,
    jackknife_p,
    with_interval,
    with_note,
    with_share_interval,
)
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife

SETTINGS = MeasureSettings()


def jackknife(n_units: int, rank: str = "species", dated: bool = False) -> Jackknife:
    return Jackknife.of(rank, np.arange(n_units), np.random.default_rng(0), dated=dated)


def test_the_interval_of_a_mean_is_that_of_students_t():
    values = np.random.default_rng(1).normal(size=15)
    deleted = np.array([np.delete(values, i).mean() for i in range(15)])
    estimate = with_interval(Estimate(float(values.mean())), deleted, jackknife(15), SETTINGS)
    error = values.std(ddof=1) / np.sqrt(15)
    assert estimate.ci_high - estimate.value >= stats.t.ppf(0.975, 14) * error - 1e-12
    assert estimate.ci_high - estimate.value == pytest.approx(estimate.value - estimate.ci_low)
    assert estimate.resampled == "species" and estimate.n_units == 15
    assert estimate.replicates.tolist() == deleted.tolist()


def test_nine_units_have_no_interval_and_the_note_says_so():
    estimate = with_interval(Estimate(0.5, note="two taxa"), np.full(9, 0.5), jackknife(9), SETTINGS)
    assert np.isnan(estimate.ci_low) and estimate.note.startswith("two taxa; no interval: 9 units")


def test_a_number_that_does_not_exist_without_some_units_has_no_interval():
    deleted = np.r_[np.nan, np.full(11, 0.5)]
    estimate = with_interval(Estimate(0.5), deleted, jackknife(12), SETTINGS)
    assert np.isnan(estimate.ci_low) and "does not exist without some" in estimate.note


def test_a_perfect_share_of_few_units_has_the_exact_interval():
    estimate = with_interval(Estimate(1.0), np.ones(10), jackknife(10), SETTINGS, (0.0, 1.0))
    assert (estimate.ci_low, estimate.ci_high) == clopper_pearson(10, 10, 0.95)
    assert estimate.ci_low == pytest.approx(0.025 ** (1 / 10))
    assert "Clopper" in estimate.ci_method


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_a_share_of_independent_answers_has_nearly_the_exact_interval(share):
    """Two hundred species of one image: as many independent answers as images."""
    right = np.arange(200) < 200 * share
    groups = Jackknife.of("species", np.arange(200), np.random.default_rng(0), n_groups=200)
    deleted = groups.without_each(lambda kept: right[kept].mean())
    found = with_share_interval(Estimate(share, n_images=200), deleted, groups, SETTINGS)
    low, high = clopper_pearson(200 * share, 200, 0.95)
    assert (found.ci_low, found.ci_high) == (pytest.approx(low, abs=0.04), pytest.approx(high, abs=0.04))
    assert "Korn-Graubard" in found.ci_method and found.replicates.tolist() == deleted.tolist()


def test_a_share_is_never_known_better_than_its_images_allow_nor_worse_than_its_units():
    """Images of a species that are all right or all wrong count as one answer."""
    right = np.repeat(np.arange(50) < 20, 8)
    species = np.repeat(np.arange(50), 8)
    groups = Jackknife.of("species", species, np.random.default_rng(0), n_groups=50)
    deleted = groups.without_each(lambda kept: right[kept].mean())
    found = with_share_interval(Estimate(0.4, n_images=400), deleted, groups, SETTINGS)
    of_species = clopper_pearson(20, 50, 0.95)
    assert found.ci_high - found.ci_low == pytest.approx(of_species[1] - of_species[0], rel=0.05)
    same = with_share_interval(Estimate(0.4, n_images=400), np.full(50, 0.4) + 1e-6 * np.arange(50), groups, SETTINGS)
    by_image = clopper_pearson(160, 400, 0.95)
    assert (same.ci_low, same.ci_high) == pytest.approx(by_image)


def test_few_units_and_perfect_shares_are_those_of_every_interval():
    perfect = with_share_interval(Estimate(1.0), np.ones(10), jackknife(10), SETTINGS)
    assert (perfect.ci_low, perfect.ci_high) == clopper_pearson(10, 10, 0.95)
    assert np.isnan(with_share_interval(Estimate(0.5), np.full(9, 0.5), jackknife(9), SETTINGS).ci_low)


@pytest.mark.parametrize(
    ("rank", "dated", "warned"), [("species", False, False), ("species", True, True), ("genus", False, True)]
)
def test_few_species_of_a_dated_tree_and_few_whole_clades_are_warned_of(rank, dated, warned):
    deleted = np.linspace(0.4, 0.6, 20)
    few = with_interval(Estimate(0.5), deleted, jackknife(40, rank, dated), SETTINGS)
    many = with_interval(Estimate(0.5), deleted, jackknife(100, rank, dated), SETTINGS)
    assert ("may be too narrow" in few.note) == warned
    assert many.note == ""


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=10), st.floats(-1, 1))
def test_p_is_below_5_percent_exactly_where_the_interval_leaves_out_zero(deleted, value):
    deleted = np.array(deleted)
    estimate = with_interval(Estimate(value), deleted, jackknife(10), SETTINGS)
    edge = min(abs(estimate.ci_low), abs(estimate.ci_high))
    if edge > 1e-9 and np.ptp(deleted) > 1e-9:
        excluded = estimate.ci_low > 0 or estimate.ci_high < 0
        assert (jackknife_p(value, deleted) < 0.05) == excluded


def test_one_sided_p_is_half_of_two_sided_p_above_zero():
    deleted = np.array([0.1, 0.2, 0.3, 0.25])
    assert jackknife_p(0.2, deleted, "greater") == pytest.approx(jackknife_p(0.2, deleted) / 2)
    assert jackknife_p(0.0, deleted) == 1.0 and jackknife_p(0.0, deleted, "greater") == 0.5


def test_an_interval_of_nothing_is_nothing():
    undefined = Estimate.undefined("only one taxon")
    assert with_interval(undefined, np.full(12, np.nan), jackknife(12), SETTINGS).note == "only one taxon"
    assert with_note(undefined, "").note == "only one taxon"
