"""Estimates from one score per image: means and accuracies, and the correction for chance.

Chance correction is the same everywhere: a metric reports its plain value and, in a column of its own, its chance
level. `adjusted` turns the two into the second metric ``<name>_adjusted`` = (value - chance)/(1 - chance).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import (
    EXACT_METHOD,
    jackknife_p,
    with_interval,
    with_note,
    with_share_interval,
)
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife

SHARE = (0.0, 1.0)  # range of an accuracy
ROUNDING = 1e-12  # a chance level that is nearer to 1 leaves no room for a correction


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


def estimate_mean(
    scores: np.ndarray,
    jackknife: Jackknife,
    settings: MeasureSettings,
    bounds: tuple[float, float] = SHARE,
    **fields: Any,
) -> Estimate:
    """Return the mean of per-image scores, with the interval of the mean over the images that are left.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        One finite score per image, n ≥ 1. The score of an image does not depend on other images.
    jackknife : Jackknife
        The groups of the same n images.
    settings : MeasureSettings
        `level` is used.
    bounds : (float, float)
        Range of the scores.
    **fields
        More fields of the `Estimate`: chance, null, n_taxa, n_excluded, note.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> jackknife = Jackknife("species", 2, np.array([0, 1]))
    >>> estimate_mean(np.array([1.0, 0.0]), jackknife, MeasureSettings(), chance=0.25).replicates.tolist()
    [0.0, 1.0]
    """
    scores = np.asarray(scores, dtype=np.float64)
    estimate = Estimate(float(scores.mean()), n_images=len(scores), **fields)
    deleted = jackknife.without_each(lambda kept: _mean(scores[kept]))
    if bounds == SHARE:
        return with_share_interval(estimate, deleted, jackknife, settings)
    return with_interval(estimate, deleted, jackknife, settings, bounds)


def _mean(scores: np.ndarray) -> float:
    """Return the mean; NaN without any score."""
    return float(scores.mean()) if len(scores) else np.nan


@dataclass(frozen=True, eq=False)
class TaxaInFolds:
    """Answers by taxon and fold, of which every taxon of a fold has the same weight, and every fold.

    Attributes
    ----------
    cell : ndarray, shape (m,), int64
        The taxon and fold of each answer as one number.
    fold_of_cell : ndarray, shape (c,), int64

    Examples
    --------
    >>> taxa = TaxaInFolds.of(truth=np.array([3, 3, 3, 7]), fold=np.zeros(4, dtype=int))
    >>> taxa.mean(np.array([1.0, 1.0, 1.0, 0.0]))
    0.5
    """

    cell: np.ndarray
    fold_of_cell: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, fold: np.ndarray) -> TaxaInFolds:
        """Return the taxa of some answers.

        Parameters
        ----------
        truth, fold : ndarray, shape (m,), int64

        Returns
        -------
        TaxaInFolds
        """
        _, taxon = np.unique(truth, return_inverse=True)
        folds, fold_number = np.unique(fold, return_inverse=True)
        cells, cell = np.unique(taxon * len(folds) + fold_number, return_inverse=True)
        return cls(cell, cells % max(len(folds), 1))

    def mean(self, scores: np.ndarray, kept: np.ndarray | None = None) -> float:
        """Return the mean over folds of the mean over the taxa of the fold of the mean score of their answers.

        Parameters
        ----------
        scores : ndarray, shape (m,)
        kept : ndarray, shape (m,), bool, optional
            The answers that count; by default all. Taxa and folds without an answer are left out.

        Returns
        -------
        float
            NaN without any answer.
        """
        cell = self.cell if kept is None else self.cell[kept]
        scores = scores if kept is None else scores[kept]
        if not len(cell):
            return np.nan
        n = np.bincount(cell, minlength=len(self.fold_of_cell))
        sums = np.bincount(cell, weights=scores, minlength=len(n))
        fold = self.fold_of_cell[n > 0]
        taxa = np.bincount(fold)
        means = np.bincount(fold, weights=sums[n > 0] / n[n > 0])[taxa > 0] / taxa[taxa > 0]
        return float(means.mean())


def estimate_macro_accuracy(
    truth: np.ndarray,
    predicted: np.ndarray,
    fold: np.ndarray,
    n_choices: np.ndarray,
    jackknife: Jackknife,
    settings: MeasureSettings,
) -> Estimate:
    """Return the mean over taxa of the share of their images that are predicted correctly, averaged over folds.

    Every taxon has the same weight, however many images it has.

    Parameters
    ----------
    truth, predicted : ndarray, shape (m,), int64
        Taxa of the answers, all known; m ≥ 1.
    fold : ndarray, shape (m,), int64
        The fold of each answer.
    n_choices : ndarray, shape (m,), int64
        Number of taxa that the probe of the fold chose among.
    jackknife : Jackknife
        The groups of the same m answers.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    Estimate
        In [0, 1], higher is better. Chance is the mean over folds of 1/(taxa to choose from). A probe without any
        signal is right for that share, whatever the sizes of its taxa, as long as all of them are asked about in the
        fold: the shares of its answers that name each taxon sum to 1. The interval is `with_share_interval`; `p_value`
        is one-sided, of accuracy above chance, by the jackknife of their difference.

    Examples
    --------
    >>> truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    >>> once, two = np.zeros(4, dtype=int), np.full(4, 2)
    >>> jackknife = Jackknife("species", 4, np.arange(4))
    >>> estimate = estimate_macro_accuracy(truth, predicted, once, two, jackknife, MeasureSettings())
    >>> estimate.value, estimate.chance
    (0.5, 0.5)
    """
    taxa, right, blind = TaxaInFolds.of(truth, fold), (truth == predicted).astype(np.float64), 1 / n_choices
    value, chance = taxa.mean(right), taxa.mean(blind)
    deleted, chance_deleted = (jackknife.without_each(partial(taxa.mean, each)) for each in (right, blind))
    estimate = Estimate(value, chance=chance, n_images=len(truth), n_taxa=len(np.unique(truth)))
    estimate = with_share_interval(estimate, deleted, jackknife, settings)
    if np.isnan(estimate.ci_low):
        return estimate
    return replace(estimate, p_value=jackknife_p(value - chance, deleted - chance_deleted, "greater"))


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
