"""Simultaneous bands: the level of the whole curve, and what is no curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student_t

from bioclip_probe.metrics.bands import with_bands
from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tables import RANKS

SETTINGS = MeasureSettings()


def mean(scores: np.ndarray, rank: str, metric: str = "silhouette", taxon: str | None = None) -> Measurement:
    """Return the mean over species, each a group of its own."""
    n = len(scores)
    jackknife = Jackknife("species", n, np.arange(n))
    estimate = with_interval(Estimate(float(scores.mean())), (scores.sum() - scores) / (n - 1), jackknife, SETTINGS)
    return Measurement(metric, rank, estimate, taxon)


def curve(n_species: int, correlation: float, random: np.random.Generator, ranks: tuple[str, ...] = RANKS) -> list:
    """Return the means of scores that are correlated between ranks."""
    common, own = random.standard_normal(n_species), random.standard_normal((len(ranks), n_species))
    scores = 0.1 * (np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
    return [mean(each, rank) for rank, each in zip(ranks, scores, strict=True)]


def test_each_point_has_the_interval_of_a_stricter_level():
    rows = with_bands(curve(20, 0.5, np.random.default_rng(0)), SETTINGS)
    for row in rows:
        found = row.estimate
        assert found.band_low < found.ci_low < found.value < found.ci_high < found.band_high
        ratio = (found.band_high - found.value) / (found.ci_high - found.value)
        widest, least = (student_t.ppf((1 + 0.95 ** (1 / 7)) / 2, df) / student_t.ppf(0.975, df) for df in (2, 1e6))
        assert least < ratio < widest
        assert found.band_high - found.value == pytest.approx(found.value - found.band_low)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_whole_curve_lies_in_the_band_at_the_nominal_level(correlation):
    random, inside, pointwise = np.random.default_rng(1), [], []
    for _ in range(300):
        found = [row.estimate for row in with_bands(curve(40, correlation, random), SETTINGS)]
        inside.append(all(each.band_low <= 0 <= each.band_high for each in found))
        pointwise.append(all(each.ci_low <= 0 <= each.ci_high for each in found))
    assert np.mean(inside) >= 0.93
    assert np.mean(pointwise) < np.mean(inside)


def test_two_ranks_one_clade_and_numbers_without_interval_are_no_curve():
    random = np.random.default_rng(0)
    two = curve(20, 0, random, RANKS[:2])
    clades = [mean(random.standard_normal(20), rank, taxon="Aves") for rank in RANKS]
    without = [Measurement("silhouette", rank, Estimate(0.5)) for rank in RANKS]
    for rows in (two, clades, without, []):
        assert with_bands(rows) == rows


def test_curves_are_told_apart_by_their_metric():
    random = np.random.default_rng(0)
    long, short = curve(20, 0, random), curve(20, 0, random, RANKS[:3])
    short = [Measurement("cluster_ami", row.rank, row.estimate) for row in short]
    together = with_bands([*long, *short])
    assert together == [*with_bands(long), *with_bands(short)]
    widths = [
        (row.estimate.band_high - row.value) / (row.estimate.ci_high - row.value) for row in (together[0], together[-1])
    ]
    assert widths[0] > widths[1], "the more ranks, the wider"
