"""The calibration of probes: their confidence against the share of their answers that are correct."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.answers import Answers, measure_answers
from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tree.tree import Placement

N_BINS = 15


def calibration_error(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the expected calibration error, see `estimate_calibration_error`.

    Parameters
    ----------
    answers, placement
        As for `top1_accuracy`.
    settings : MeasureSettings, optional
        `n_calibration_draws`, `level` and `seed` are used.

    Returns
    -------
    list of Measurement
        One, in [0, 1], lower is better. Undefined for probes that give no probabilities. Probabilities of a probe whose
        taxa are balanced in training are those of equally frequent taxa, so there each taxon has the same weight.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> round(calibration_error(corvid_answers())[0].value, 2)
    0.33
    """
    return measure_answers("calibration_error", answers, settings, _estimate_calibration)


def _estimate_calibration(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the calibration error, undefined for probes without probabilities."""
    tested = answers.tested
    if np.isnan(tested.confidence).any():
        return Estimate.undefined("the probe gives no probabilities")
    weight = None
    if answers.balanced:
        _, taxon, count = np.unique(tested.truth, return_inverse=True, return_counts=True)
        weight = 1 / count[taxon]
    return estimate_calibration_error(tested.confidence, tested.right, tested.left_out, rng, settings, weight)


def estimate_calibration_error(
    confidence: np.ndarray,
    right: np.ndarray,
    jackknife: Jackknife,
    rng: np.random.Generator,
    settings: MeasureSettings,
    weight: np.ndarray | None = None,
) -> Estimate:
    """Return the expected calibration error: how far confidence is from the share of correct answers.

    ECE = Σ_b |Σ_{i in b} w_i (right_i - confidence_i)| / Σ w_i, over 15 bins of equally many answers, sorted by
    confidence.

    Parameters
    ----------
    confidence : ndarray, shape (n,), float64
        The probability that the probe gave to each of its answers, n ≥ 1. Equal confidences share a bin.
    right : ndarray, shape (n,), bool
        True where the answer is correct.
    jackknife : Jackknife
        The groups of the same n answers.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_calibration_draws` and `level` are used.
    weight : ndarray, shape (n,), optional
        Weight w of each answer; by default 1.

    Returns
    -------
    Estimate
        In [0, 1], lower is better. Chance is the error of a perfectly calibrated probe with the same confidences. It
        lies above 0, because few answers scatter: each answer is drawn correct with its own probability. The interval
        recomputes the error without each group of units, in the same bins.

    References
    ----------
    Naeini et al. 2015, AAAI, eq. 3; Guo et al. 2017, ICML, eq. 3 (bins of equal width); Nguyen & O'Connor 2015, EMNLP,
    section 3.2 (bins of equally many); Bröcker & Smith 2007, Weather and Forecasting 22, 651 (a calibrated probe).

    Examples
    --------
    >>> confidence, right = np.full(4, 0.75), np.array([True, True, True, False])
    >>> jackknife = Jackknife("species", 4, np.arange(4))
    >>> rng = np.random.default_rng(0)
    >>> estimate_calibration_error(confidence, right, jackknife, rng, MeasureSettings()).value
    0.0
    """
    n = len(confidence)
    weight = np.ones(n) if weight is None else weight
    bins = np.searchsorted(np.sort(confidence), confidence) * N_BINS // n
    excess = weight * (right - confidence)

    def error(kept: np.ndarray) -> float:
        total = weight[kept].sum()
        return float(np.abs(np.bincount(bins[kept], weights=excess[kept])).sum() / total) if total > 0 else np.nan

    null = [
        np.abs(np.bincount(bins, weights=weight * ((rng.random(n) < confidence) - confidence))).sum() / weight.sum()
        for _ in range(settings.n_calibration_draws)
    ]
    estimate = Estimate(error(np.ones(n, dtype=bool)), chance=float(np.mean(null)), n_images=n)
    return with_interval(estimate, jackknife.without_each(error), jackknife, settings, (0.0, 1.0))
