"""Scores: a number from one score per image, and the accuracy of predictions.

Chance correction is the same everywhere: a metric reports its plain value and, in its own column, the chance level;
`adjusted` makes of them the second metric ``<name>_adjusted`` = (value − chance)/(1 − chance).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import N_BOOT, N_GROUPS, bootstrap_mean, bootstrap_weights, percentile_interval

CI_METHOD = f"percentile bootstrap, {N_BOOT} replicates"
JACKKNIFE = f"delete-group jackknife, at most {N_GROUPS} groups"


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
        Taxa of the training images. Chance is then the accuracy on the test images of always naming the taxon most
        frequent in training (the mean over such taxa where several are); without it, that of always naming the
        taxon most frequent in `truth`, the most a constant answer can reach.
    """
    known = truth >= 0
    n_excluded = int((~known).sum())
    if not known.any():
        return Estimate.undefined("no test image has a name at this rank", n_excluded=n_excluded)
    truth, predicted, units = truth[known], predicted[known], units[known]
    taxa, counts = np.unique(truth, return_counts=True)
    chance = counts.max() / len(truth)
    if train is not None:
        seen, times = np.unique(train[train >= 0], return_counts=True)
        favourites = seen[times == times.max(initial=0)]
        chance = float(np.isin(truth, favourites).sum() / len(truth) / max(len(favourites), 1))
    right = (truth == predicted).astype(np.float64)
    return mean_score(right, units, rng, chance=float(chance), n_taxa=len(taxa), n_excluded=n_excluded)


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
    weights = bootstrap_weights(n_units, N_BOOT, rng)[:, cell_unit]
    hits = np.add.reduceat(weights * np.bincount(cell, weights=right), starts, axis=1)
    images = np.add.reduceat(weights * np.bincount(cell), starts, axis=1)
    drawn = images > 0
    recall = np.divide(hits, images, out=np.zeros_like(hits), where=drawn)
    return percentile_interval(recall.sum(axis=1) / drawn.sum(axis=1))
