"""Estimates from one score per image: means, accuracies, calibration, and the correction for chance.

Chance correction is the same everywhere: a metric reports its plain value and, in a column of its own, its chance
level. `adjusted` turns the two into the second metric ``<name>_adjusted`` = (value - chance)/(1 - chance).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import EXACT_METHOD, with_interval, with_note
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import (
    bootstrap_mean,
    bootstrap_weights,
    jackknife_groups,
    jackknife_interval,
    percentile_interval,
    permutation_p,
)

N_BINS = 15
ROUNDING = 1e-12  # a chance level that is nearer to 1 leaves no room for a correction
NO_NAMES = "no test image has a name at this rank"


def jackknife_method(settings: MeasureSettings) -> str:
    """Return how tables describe an interval of the delete-group jackknife.

    Examples
    --------
    >>> jackknife_method(MeasureSettings())
    'delete-group jackknife, at most 40 groups'
    """
    return f"delete-group jackknife, at most {settings.n_groups} groups"


def bootstrap_method(settings: MeasureSettings) -> str:
    """Return how tables describe a percentile interval of the bootstrap.

    Examples
    --------
    >>> bootstrap_method(MeasureSettings())
    'percentile bootstrap, 999 replicates'
    """
    return f"percentile bootstrap, {settings.n_bootstrap} replicates"


def interval(low: float, high: float, method: str, resampled: str = "species") -> dict[str, Any]:
    """Return the fields of an `Estimate` that describe its interval.

    Parameters
    ----------
    low, high : float
        The ends; NaN where the interval is undefined.
    method : str
        How the interval was made.
    resampled : str
        The rank whose taxa were resampled.

    Returns
    -------
    dict
        Empty where the interval is undefined.

    Examples
    --------
    >>> interval(float("nan"), float("nan"), "percentile bootstrap")
    {}
    """
    if not np.isfinite(low):
        return {}
    return {"ci_low": low, "ci_high": high, "ci_method": method, "resampled": resampled}


def mean_score(
    scores: np.ndarray,
    units: np.ndarray,
    rng: np.random.Generator,
    settings: MeasureSettings,
    **counts: Any,
) -> Estimate:
    """Return the mean of per-image scores; its interval resamples `units` and keeps the score of each image.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        One finite score per image, n ≥ 1.
    units : ndarray, shape (n,), int64
        The species of each image.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.
    **counts
        More fields of the `Estimate`: chance, n_taxa, n_excluded, note.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> mean_score(np.array([1.0, 0.0]), np.array([0, 1]), rng, MeasureSettings(), chance=0.25).value
    0.5
    """
    ends = bootstrap_mean(scores, units, rng, settings.n_bootstrap, settings.level)
    return Estimate(
        float(np.mean(scores, dtype=np.float64)),
        **interval(*ends, bootstrap_method(settings)),
        n_images=len(scores),
        **counts,
    )


def adjusted(
    estimate: Estimate,
    chance_replicates: np.ndarray | None = None,
    jackknife: Jackknife | None = None,
    settings: MeasureSettings | None = None,
) -> Estimate:
    """Return an estimate corrected for chance: (value - chance)/(1 - chance).

    Parameters
    ----------
    estimate : Estimate
    chance_replicates : ndarray, shape (G,), optional
        The chance level without each group of the jackknife, where it depends on the sample. Both parts of the
        number are then recomputed without each group, (value_g - chance_g)/(1 - chance_g). Without it the one fixed
        chance level corrects the ends of the interval.
    jackknife : Jackknife, optional
        The groups of `chance_replicates` and of the estimate's replicates; needed with the former.
    settings : MeasureSettings, optional
        `level` is used; needed with `chance_replicates`.

    Returns
    -------
    Estimate
        At most 1, higher is better; 0 at chance, below 0 where the value is worse than chance. Its `null` is that of
        the estimate. An undefined estimate stays undefined. With a chance level of 1, where no image can be wrong, the
        result is undefined. Where the value itself has no interval, neither has the corrected one.

    References
    ----------
    Cohen 1960, Educational and Psychological Measurement 20, 37, eq. 1.

    Examples
    --------
    >>> adjusted(Estimate(0.75, chance=0.5)).value
    0.5
    """
    if np.isnan(estimate.value):
        return estimate
    chance = estimate.chance
    if not chance < 1 - ROUNDING:
        reason = "it has no chance level" if np.isnan(chance) else "chance alone is perfect"
        return Estimate.undefined(reason, estimate.n_images, estimate.n_taxa, estimate.n_excluded)
    low, high = _correct(estimate.ci_low, chance), _correct(estimate.ci_high, chance)
    replicates = None if estimate.replicates is None else _correct(estimate.replicates, chance)
    corrected = replace(
        estimate, value=_correct(estimate.value, chance), chance=0.0, ci_low=low, ci_high=high, replicates=replicates
    )
    if chance_replicates is None or jackknife is None or settings is None or estimate.replicates is None:
        return corrected
    deleted = _correct(estimate.replicates, np.asarray(chance_replicates, dtype=np.float64))
    if np.isnan(estimate.ci_low) or estimate.ci_method == EXACT_METHOD:
        return replace(corrected, replicates=deleted)
    fresh = replace(corrected, ci_low=np.nan, ci_high=np.nan, ci_method="", note="")
    fresh = with_interval(fresh, deleted, jackknife, settings, (-np.inf, 1.0))
    return replace(fresh, note=estimate.note) if np.isfinite(fresh.ci_low) else with_note(fresh, estimate.note)


def _correct(number: Any, chance: Any) -> Any:
    """Return (number - chance)/(1 - chance); NaN where chance is 1."""
    room = np.where(np.asarray(chance) < 1 - ROUNDING, 1 - np.asarray(chance), np.nan)
    corrected = (number - chance) / room
    return corrected if np.ndim(corrected) else float(corrected)


def estimate_top1_accuracy(
    truth: np.ndarray,
    predicted: np.ndarray,
    units: np.ndarray,
    rng: np.random.Generator,
    settings: MeasureSettings,
    train: np.ndarray | None = None,
) -> Estimate:
    """Return the share of images whose taxon is predicted correctly.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n,), int64
        Taxa of the test images. Images of unknown truth (-1) are left out and counted; a prediction of -1 is wrong.
    units : ndarray, shape (n,), int64
        The species of each image, which the interval resamples.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.
    train : ndarray, shape (m,), int64, optional
        Taxa of the training images. Chance is `constant_accuracy` with them. Without them chance is the accuracy of
        always naming the taxon that is most frequent in `truth`, which no constant answer exceeds.

    Returns
    -------
    Estimate
        In [0, 1], higher is better.

    Examples
    --------
    >>> truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    >>> rng = np.random.default_rng(0)
    >>> estimate_top1_accuracy(truth, predicted, np.arange(4), rng, MeasureSettings()).value
    0.75
    """
    known = truth >= 0
    n_excluded = int((~known).sum())
    if not known.any():
        return Estimate.undefined(NO_NAMES, n_excluded=n_excluded)
    truth, right = truth[known], (truth == predicted)[known]
    counts = {
        "chance": constant_accuracy(truth, truth if train is None else train),
        "n_taxa": len(np.unique(truth)),
        "n_excluded": n_excluded,
    }
    return mean_score(right, units[known], rng, settings, **counts)


def constant_accuracy(truth: np.ndarray, train: np.ndarray, k: int = 1) -> float:
    """Return the share of images whose taxon is among the k most frequent taxa of the training images.

    An answer that ignores the images reaches this accuracy.

    Parameters
    ----------
    truth : ndarray, shape (n,), int64
        Taxa of the test images, all known.
    train : ndarray, shape (m,), int64
        Taxa of the training images; -1 is none.
    k : int
        Number of taxa. Where several taxa are equally frequent, the result is the mean over all ways to choose.

    Returns
    -------
    float
        In [0, 1]; 0 without any training image.

    Examples
    --------
    >>> constant_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1]))
    0.75
    """
    taxa, times = np.unique(train[train >= 0], return_counts=True)
    if not len(taxa):
        return 0.0
    last = np.sort(times)[-min(k, len(taxa))]
    sure, tied = times > last, times == last
    share = min((k - sure.sum()) / tied.sum(), 1.0)
    return float((np.isin(truth, taxa[sure]).sum() + share * np.isin(truth, taxa[tied]).sum()) / len(truth))


def estimate_macro_accuracy(
    truth: np.ndarray,
    predicted: np.ndarray,
    units: np.ndarray,
    rng: np.random.Generator,
    settings: MeasureSettings,
) -> Estimate:
    """Return the mean over taxa of the share of their images that are predicted correctly.

    Every taxon has the same weight, however many images it has.

    Parameters
    ----------
    truth, predicted, units, rng, settings
        As for `estimate_top1_accuracy`. A bootstrap replicate leaves out the taxa none of whose species it draws.

    Returns
    -------
    Estimate
        In [0, 1], higher is better. Chance is 1/taxa: every constant answer that names one of the taxa reaches it.

    Examples
    --------
    >>> truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    >>> rng = np.random.default_rng(0)
    >>> estimate_macro_accuracy(truth, predicted, np.arange(4), rng, MeasureSettings()).value
    0.5
    """
    known = truth >= 0
    n_excluded = int((~known).sum())
    if not known.any():
        return Estimate.undefined(NO_NAMES, n_excluded=n_excluded)
    taxa, taxon = np.unique(truth[known], return_inverse=True)
    right = (truth == predicted)[known].astype(np.float64)
    recall = np.bincount(taxon, weights=right) / np.bincount(taxon)
    ends = _macro_interval(right, taxon, units[known], rng, settings)
    return Estimate(
        float(recall.mean()),
        chance=1 / len(taxa),
        **interval(*ends, bootstrap_method(settings)),
        n_images=len(taxon),
        n_taxa=len(taxa),
        n_excluded=n_excluded,
    )


def _macro_interval(
    right: np.ndarray, taxon: np.ndarray, units: np.ndarray, rng: np.random.Generator, settings: MeasureSettings
) -> tuple[float, float]:
    """Return the bootstrap interval of the mean recall; NaN with fewer than two units."""
    _, unit = np.unique(units, return_inverse=True)
    n_units = int(unit.max()) + 1
    if n_units < 2:
        return np.nan, np.nan
    cells, cell = np.unique(taxon * n_units + unit, return_inverse=True)
    cell_taxon, cell_unit = np.divmod(cells, n_units)
    _, starts = np.unique(cell_taxon, return_index=True)
    weights = bootstrap_weights(n_units, settings.n_bootstrap, rng)[:, cell_unit]
    hits = np.add.reduceat(weights * np.bincount(cell, weights=right), starts, axis=1)
    images = np.add.reduceat(weights * np.bincount(cell), starts, axis=1)
    drawn = images > 0
    recall = np.divide(hits, images, out=np.zeros_like(hits), where=drawn)
    return percentile_interval(recall.sum(axis=1) / drawn.sum(axis=1), settings.level)


def estimate_calibration_error(
    confidence: np.ndarray,
    right: np.ndarray,
    units: np.ndarray,
    rng: np.random.Generator,
    settings: MeasureSettings,
) -> Estimate:
    """Return the expected calibration error: how far confidence is from the share of correct answers.

    ECE = Σ_b |Σ_{i in b} (right_i - confidence_i)| / n, over 15 bins of equally many answers, sorted by confidence.

    Parameters
    ----------
    confidence : ndarray, shape (n,), float64
        The probability that the probe gave to each of its answers, n ≥ 1. Equal confidences share a bin.
    right : ndarray, shape (n,), bool
        True where the answer is correct.
    units : ndarray, shape (n,), int64
        The species of each image.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_groups`, `n_calibration_draws` and `level` are used.

    Returns
    -------
    Estimate
        In [0, 1], lower is better. Chance is the error of a perfectly calibrated probe with the same confidences. It
        lies above 0, because few answers scatter: each answer is drawn correct with its own probability. The interval
        leaves out groups of species. A bootstrap would lie too high, since it adds scatter to a sum of absolute values.

    References
    ----------
    Naeini et al. 2015, AAAI, eq. 3; Guo et al. 2017, ICML, eq. 3 (bins of equal width); Nguyen & O'Connor 2015, EMNLP,
    section 3.2 (bins of equally many); Bröcker & Smith 2007, Weather and Forecasting 22, 651 (a calibrated probe).

    Examples
    --------
    >>> confidence, right = np.full(4, 0.75), np.array([True, True, True, False])
    >>> estimate_calibration_error(confidence, right, np.arange(4), np.random.default_rng(0), MeasureSettings()).value
    0.0
    """
    n = len(confidence)
    bins = np.searchsorted(np.sort(confidence), confidence) * N_BINS // n
    _, unit = np.unique(units, return_inverse=True)
    group = jackknife_groups(int(unit.max()) + 1, rng, settings.n_groups)[unit]
    n_groups = int(group.max()) + 1
    excess = np.bincount(group * N_BINS + bins, weights=right - confidence, minlength=n_groups * N_BINS)
    excess, answers = excess.reshape(n_groups, N_BINS), np.bincount(group)
    value = float(np.abs(excess.sum(axis=0)).sum() / n)
    ends = (np.nan, np.nan)
    if n_groups > 1:
        deleted = np.abs(excess.sum(axis=0) - excess).sum(axis=1) / (n - answers)
        ends = jackknife_interval(value, deleted, (0.0, 1.0), settings.level)
    null = [
        np.abs(np.bincount(bins, weights=(rng.random(n) < confidence) - confidence)).sum() / n
        for _ in range(settings.n_calibration_draws)
    ]
    return Estimate(value, chance=float(np.mean(null)), **interval(*ends, jackknife_method(settings)), n_images=n)


def swap_p(differences: np.ndarray, units: np.ndarray, rng: np.random.Generator, n_swaps: int) -> float:
    """Return the two-sided p-value of a mean of paired differences, by random swaps of the two sides of each species.

    Parameters
    ----------
    differences : ndarray, shape (n,)
        Score of the first side less that of the second, for each image.
    units : ndarray, shape (n,), int64
        The species of each image; the images of a species are swapped together.
    rng : numpy.random.Generator
    n_swaps : int
        Number of random swaps.

    Returns
    -------
    float
        (b + 1)/(m + 1): b of the m swaps give a mean that is at least as far from 0. With one image per species and
        scores of 0 and 1 it approximates McNemar's exact test.

    References
    ----------
    McNemar 1947, Psychometrika 12, 153; Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39.

    Examples
    --------
    >>> swap_p(np.zeros(4), np.arange(4), np.random.default_rng(0), n_swaps=99)
    1.0
    """
    _, unit = np.unique(units, return_inverse=True)
    sums = np.bincount(unit, weights=differences)
    sums = sums[sums != 0]
    null = [np.abs(np.where(rng.random(len(sums)) < 0.5, sums, -sums).sum()) for _ in range(n_swaps)]
    return permutation_p(float(np.abs(sums.sum())), np.array(null))
