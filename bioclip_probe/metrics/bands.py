"""Simultaneous bands for curves by rank: the whole curve lies inside at the nominal level, not each point alone.

A metric measured at seven ranks has seven intervals of 95 %, and the chance that all of them hold their number is lower
than 95 %. A sentence about the curve ("above chance from order down") needs a band. Each point of the band is the
point's own interval at the level ``level^(1/R)`` for R ranks (Šidák). It holds whatever the dependence between the
ranks, so that it serves all metrics: numbers about taxa leave out other groups at each rank, and have no covariance
between ranks. Where there is one, a band with the quantile of the largest |t| over the ranks (sup-t) is narrower, by
3 % at a correlation of .5 between all of seven ranks, by 13 % at .9. Its quantile would have to come from a covariance
that twenty groups determine poorly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife

#: Numbers at fewer ranks are no curve.
FEWEST_RANKS = 3


def with_bands(measurements: Sequence[Measurement], settings: MeasureSettings | None = None) -> list[Measurement]:
    """Return the measurements of one encoder, those of a curve by rank with the ends of its simultaneous band.

    Parameters
    ----------
    measurements : sequence of Measurement
        Of one encoder in one tree.
    settings : MeasureSettings, optional
        `level` is used.

    Returns
    -------
    list of Measurement
        In the same order. A curve is a metric about all taxa that has an interval at three ranks or more. Its band is
        at least as wide as its intervals.

    References
    ----------
    Šidák 1967, J. Am. Stat. Assoc. 62, 626; Montiel Olea & Plagborg-Møller 2019, J. Appl. Econometrics 34, 1.

    Examples
    --------
    >>> without = np.random.default_rng(0).normal(0.5, 0.01, 20)
    >>> jackknife = Jackknife("species", 60, np.arange(20))
    >>> estimate = with_interval(Estimate(0.5), without, jackknife, MeasureSettings())
    >>> curve = with_bands([Measurement("silhouette", rank, estimate) for rank in ("order", "family", "genus")])
    >>> curve[0].estimate.band_low < estimate.ci_low
    True
    """
    settings = settings or MeasureSettings()
    n_ranks = Counter(_curve(row) for row in measurements if _has_interval(row))
    return [
        replace(row, estimate=_with_band(row, n_ranks[_curve(row)], settings))
        if _has_interval(row) and n_ranks[_curve(row)] >= FEWEST_RANKS
        else row
        for row in measurements
    ]


def _curve(row: Measurement) -> tuple[str, str | None]:
    """Return what the numbers of a curve share."""
    return row.metric, row.split


def _has_interval(row: Measurement) -> bool:
    """Return True for a number about all taxa that has an interval from replicates."""
    return row.taxon is None and row.estimate.replicates is not None and bool(np.isfinite(row.estimate.ci_low))


def _with_band(row: Measurement, n_ranks: int, settings: MeasureSettings) -> Estimate:
    """Return the estimate of one point of a curve with the ends of the band."""
    estimate, entry = row.estimate, REGISTRY[row.metric]
    assert estimate.replicates is not None
    jackknife = Jackknife(estimate.resampled, estimate.n_units, np.arange(len(estimate.replicates)))
    of_band = replace(settings, level=settings.level ** (1 / n_ranks))
    band = with_interval(estimate, estimate.replicates, jackknife, of_band, entry.bounds)
    return replace(estimate, band_low=band.ci_low, band_high=band.ci_high)
