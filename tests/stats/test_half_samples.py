"""Random halves of the groups of a jackknife."""

import numpy as np
import pytest

from bioclip_probe.stats.half_samples import half_sample_replicates, half_samples
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import jackknife_interval


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_half_holds_all_rows_of_half_of_the_groups():
    jackknife = Jackknife.of("species", np.arange(100) // 2, rng(), 9)
    for half in half_samples(jackknife.group, 9, 7, rng(1)):
        groups = set(jackknife.group[half])
        assert len(groups) == 4 and not groups & set(jackknife.group[~half])
    assert half_samples(jackknife.group, 9, 0, rng()).shape == (0, 100)


def test_the_error_of_a_mean_is_its_standard_error():
    scores, errors = rng(2).standard_normal((60, 200)), []
    jackknife = Jackknife.of("species", np.arange(200), rng())
    for own in scores:
        of_halves = np.array([own[half].mean() for half in half_samples(jackknife.group, 20, 40, rng(3))])
        replicates = half_sample_replicates(own.mean(), of_halves)
        assert replicates.mean() == pytest.approx(own.mean())
        errors.append(np.sqrt(39 / 40 * np.sum((replicates - replicates.mean()) ** 2)))
    assert np.mean(errors) == pytest.approx(200**-0.5, rel=0.06)


def test_intervals_of_a_mean_cover_it():
    draws = rng(5).normal(1, 1, (300, 60))
    jackknife = Jackknife.of("species", np.arange(60), rng())
    halves = half_samples(jackknife.group, 20, 40, rng(6))
    covered = []
    for own in draws:
        replicates = half_sample_replicates(own.mean(), np.array([own[half].mean() for half in halves]))
        low, high = jackknife_interval(own.mean(), replicates)
        covered.append(low <= 1 <= high)
    assert np.mean(covered) > 0.9
