"""Scores: a number from one score per image, and what answers are worth: accuracy, calibration, differences.

Chance correction is the same everywhere: a metric reports its plain value and, in its own column, the chance level;
`adjusted` makes of them the second metric ``<name>_adjusted`` = (value − chance)/(1 − chance).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import (
    N_BOOTSTRAP,
    N_GROUPS,
    bootstrap_mean,
    bootstrap_weights,
    jackknife_groups,
    jackknife_interval,
    percentile_interval,
    permutation_p,
)

CI_METHOD = f"percentile bootstrap, {N_BOOTSTRAP} replicates"
JACKKNIFE = f"delete-group jackknife, at most {N_GROUPS} groups"
N_BINS = 15


def jackknife_method(settings: MeasureSettings) -> str:
    """Return how tables describe an interval of the delete-group jackknife."""
    return f"delete-group jackknife, at most {settings.n_groups} groups"


def bootstrap_method(settings: MeasureSettings) -> str:
    """Return how tables describe a percentile interval of the bootstrap."""
    return f"percentile bootstrap, {settings.n_bootstrap} replicates"


N_DRAWS = 99  # of a calibrated probe
N_SWAPS = 999


def interval(low: float, high: float, method: str = CI_METHOD, resampled: str = "species") -> dict:
    """The interval fields of an `Estimate` whose taxa were resampled; none of them where it is undefined."""
    if not np.isfinite(low):
        return {}
    return {"ci_low": low, "ci_high": high, "ci_method": method, "resampled": resampled}


def mean_score(scores: np.ndarray, units: np.ndarray, rng: np.random.Generator, **counts) -> Estimate:
    """The mean of per-image scores, with an interval that resamples `units` and keeps each image's score.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        One finite score per image, n ≥ 1.
    units : ndarray, shape (n,), int64
        The species of each image.
    rng : numpy.random.Generator
    **counts
        Further fields of the `Estimate`: chance, n_taxa, n_excluded, note.
    """
    return Estimate(
        float(np.mean(scores, dtype=np.float64)),
        **interval(*bootstrap_mean(scores, units, rng)),
        n_images=len(scores),
        **counts,
    )


def adjusted(estimate: Estimate) -> Estimate:
    """Chance-corrected: (value − chance)/(1 − chance); 0 is chance, 1 is perfect, below 0 is worse than chance.

    The ends of the interval are corrected by the same, fixed chance level. Undefined stays undefined; a chance level
    of 1 (no image could be wrong) makes it so.

    References
    ----------
    Cohen, J. (1960). A coefficient of agreement for nominal scales, eq. 1.
    """
    if np.isnan(estimate.value):
        return estimate
    if not estimate.chance < 1 - 1e-12:
        reason = "it has no chance level" if np.isnan(estimate.chance) else "chance alone is perfect"
        return Estimate.undefined(reason, estimate.n_images, estimate.n_taxa, estimate.n_excluded)

    def correct(number: float) -> float:
        return (number - estimate.chance) / (1 - estimate.chance)

    ends = {"ci_low": correct(estimate.ci_low), "ci_high": correct(estimate.ci_high)}
    return replace(estimate, value=correct(estimate.value), chance=0.0, **ends)


def top1_accuracy(
    truth: np.ndarray,
    predicted: np.ndarray,
    units: np.ndarray,
    rng: np.random.Generator,
    train: np.ndarray | None = None,
) -> Estimate:
    """Share of images whose taxon is predicted right; in [0, 1], higher is better.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n,), int64
        Taxa of the test images. Images of unknown truth (−1) are left out and counted; a prediction of −1 is wrong.
    units : ndarray, shape (n,), int64
        The species of each image, resampled for the interval.
    rng : numpy.random.Generator
    train : ndarray, shape (m,), int64, optional
        Taxa of the training images, by which chance is known; see `constant_accuracy`. Without it chance is that of
        always naming the taxon most frequent in `truth`, the most a constant answer can reach.
    """
    known = truth >= 0
    n_excluded = int((~known).sum())
    if not known.any():
        return Estimate.undefined("no test image has a name at this rank", n_excluded=n_excluded)
    truth, right = truth[known], (truth == predicted)[known]
    chance = constant_accuracy(truth, truth if train is None else train)
    return mean_score(right, units[known], rng, chance=chance, n_taxa=len(np.unique(truth)), n_excluded=n_excluded)


def constant_accuracy(truth: np.ndarray, train: np.ndarray, k: int = 1) -> float:
    """Share of images whose taxon is among the k most frequent of `train`: what is reached without any look at them.

    Parameters
    ----------
    truth : ndarray, shape (n,), int64
        Taxa of the test images, all known.
    train : ndarray, shape (m,), int64
        Taxa of the training images; −1 is none.
    k : int
        Where several taxa are equally frequent, places are drawn among them: the mean over all draws.
    """
    taxa, times = np.unique(train[train >= 0], return_counts=True)
    if not len(taxa):
        return 0.0
    last = np.sort(times)[-min(k, len(taxa))]
    sure, drawn = times > last, times == last
    share = min((k - sure.sum()) / drawn.sum(), 1.0)
    return float((np.isin(truth, taxa[sure]).sum() + share * np.isin(truth, taxa[drawn]).sum()) / len(truth))


def macro_accuracy(truth: np.ndarray, predicted: np.ndarray, units: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Mean over taxa of the share of their images predicted right; in [0, 1], higher is better.

    Every taxon weighs the same, however many images it has. Chance is 1/taxa, which any constant answer that is one
    of them reaches.

    Parameters
    ----------
    truth, predicted, units, rng
        As for `top1_accuracy`. In each bootstrap replicate a taxon none of whose species was drawn is left out of
        the mean.
    """
    known = truth >= 0
    n_excluded = int((~known).sum())
    if not known.any():
        return Estimate.undefined("no test image has a name at this rank", n_excluded=n_excluded)
    taxa, taxon = np.unique(truth[known], return_inverse=True)
    right = (truth == predicted)[known].astype(np.float64)
    recall = np.bincount(taxon, weights=right) / np.bincount(taxon)
    return Estimate(
        float(recall.mean()),
        chance=1 / len(taxa),
        **interval(*_macro_interval(right, taxon, units[known], rng)),
        n_images=len(taxon),
        n_taxa=len(taxa),
        n_excluded=n_excluded,
    )


def _macro_interval(right, taxon, units, rng):
    _, unit = np.unique(units, return_inverse=True)
    n_units = int(unit.max()) + 1
    if n_units < 2:
        return np.nan, np.nan
    cells, cell = np.unique(taxon * n_units + unit, return_inverse=True)
    cell_taxon, cell_unit = np.divmod(cells, n_units)
    _, starts = np.unique(cell_taxon, return_index=True)
    weights = bootstrap_weights(n_units, N_BOOTSTRAP, rng)[:, cell_unit]
    hits = np.add.reduceat(weights * np.bincount(cell, weights=right), starts, axis=1)
    images = np.add.reduceat(weights * np.bincount(cell), starts, axis=1)
    drawn = images > 0
    recall = np.divide(hits, images, out=np.zeros_like(hits), where=drawn)
    return percentile_interval(recall.sum(axis=1) / drawn.sum(axis=1))


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, units: np.ndarray, rng: np.random.Generator
) -> Estimate:
    """Expected calibration error: how far confidence is from the share of right answers; in [0, 1], lower is better.

    ECE = Σ_b |Σ_{i in b} (right_i - confidence_i)| / n, over 15 bins of equally many answers by confidence.

    Parameters
    ----------
    confidence : ndarray, shape (n,), float64
        The probability that the probe gave each of its answers, n ≥ 1. Equal ones share a bin.
    right : ndarray, shape (n,), bool
    units, rng
        As for `top1_accuracy`.

    Returns
    -------
    Estimate
        Chance is what a perfectly calibrated probe of the same confidences shows, above 0 since few answers scatter
        (answers drawn right with their probability, each on its own). The interval leaves out groups of species: a
        bootstrap, which scatters once more what is summed without its sign, would lie too high.

    References
    ----------
    Naeini et al. 2015, AAAI, eq. 3; Guo et al. 2017, ICML, eq. 3 (bins of equal width); Nguyen & O'Connor 2015, EMNLP,
    section 3.2 (bins of equally many); Bröcker & Smith 2007, Weather and Forecasting 22, 651 (a calibrated probe).
    """
    n = len(confidence)
    of_bin = np.searchsorted(np.sort(confidence), confidence) * N_BINS // n
    _, unit = np.unique(units, return_inverse=True)
    group = jackknife_groups(int(unit.max()) + 1, rng)[unit]
    n_groups = int(group.max()) + 1
    excess = np.bincount(group * N_BINS + of_bin, weights=right - confidence, minlength=n_groups * N_BINS)
    excess, answers = excess.reshape(n_groups, N_BINS), np.bincount(group)
    value = float(np.abs(excess.sum(axis=0)).sum() / n)
    ends = ()
    if n_groups > 1:
        deleted = np.abs(excess.sum(axis=0) - excess).sum(axis=1) / (n - answers)
        ends = (*jackknife_interval(value, deleted, (0.0, 1.0)), JACKKNIFE)
    drawn = [
        np.abs(np.bincount(of_bin, weights=(rng.random(n) < confidence) - confidence)).sum() / n for _ in range(N_DRAWS)
    ]
    return Estimate(value, chance=float(np.mean(drawn)), **(interval(*ends) if ends else {}), n_images=n)


def swap_p(differences: np.ndarray, units: np.ndarray, rng: np.random.Generator) -> float:
    """Two-sided p of the mean of paired differences: the two sides of each species are swapped at random.

    Parameters
    ----------
    differences : ndarray, shape (n,)
        Score of one side less that of the other, for each image.
    units : ndarray, shape (n,), int64
        The species of each image: its images are swapped together.
    rng : numpy.random.Generator

    Returns
    -------
    float
        (b + 1)/(m + 1): b of the m = 999 swaps give a mean at least as far from 0. With one image a species and
        scores of 0 and 1 it is McNemar's exact test, but for what is drawn.

    References
    ----------
    McNemar 1947, Psychometrika 12, 153; Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39.
    """
    _, unit = np.unique(units, return_inverse=True)
    sums = np.bincount(unit, weights=differences)
    sums = sums[sums != 0]
    null = [np.abs(np.where(rng.random(len(sums)) < 0.5, sums, -sums).sum()) for _ in range(N_SWAPS)]
    return permutation_p(float(np.abs(sums.sum())), np.array(null))
