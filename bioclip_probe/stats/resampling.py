"""Resampling of taxa: the unit is a taxon (as a rule a species), never a pair and never an image.

Images of one species are far from independent, and pairs share their members; species are the nearly independent
unit. Two ways serve. The bootstrap reweights: a replicate draws species with replacement, and every image weighs as
often as its species was drawn. It needs a statistic that takes weights. The delete-group jackknife leaves out one
random group of species after the other and needs nothing but the statistic itself: no species ever meets its own copy,
which would be its perfect neighbour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

N_BOOTSTRAP = 999
N_GROUPS = 40
LEVEL = 0.95
TIE = 1e-6


def bootstrap_weights(n_units: int, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """How often each unit is drawn in each replicate.

    Returns
    -------
    ndarray, shape (n_boot, n_units), float64
        Each row is one multinomial draw of `n_units` out of `n_units`, so it sums to `n_units`.
    """
    # Draws that are counted: the same distribution as `rng.multinomial`, in an eighth of its time.
    drawn = rng.integers(n_units, size=(n_boot, n_units)) + n_units * np.arange(n_boot)[:, None]
    return np.bincount(drawn.ravel(), minlength=n_boot * n_units).reshape(n_boot, n_units).astype(np.float64)


def percentile_interval(replicates: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The central `level` share of the replicates, those that are undefined left aside.

    NaN at both ends if fewer than half of the replicates are defined.
    """
    replicates = np.asarray(replicates, dtype=np.float64)
    defined = replicates[np.isfinite(replicates)]
    if not len(defined) or len(defined) < len(replicates) / 2:
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_mean(
    scores: np.ndarray, units: np.ndarray, rng: np.random.Generator, n_boot: int = N_BOOTSTRAP
) -> tuple[float, float]:
    """95 % percentile interval of the mean of per-image scores, units resampled.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        One finite score per image.
    units : ndarray, shape (n,), int64
        The unit (as a rule the species) each image belongs to.
    rng : numpy.random.Generator
    n_boot : int
        Number of replicates.

    Returns
    -------
    low, high : float
        NaN where there are fewer than two units.

    Notes
    -----
    A replicate is Σ_g w_g S_g / Σ_g w_g n_g, with S_g and n_g the sum of scores and the count of unit g.
    """
    _, unit = np.unique(units, return_inverse=True)
    n_units = int(unit.max(initial=-1)) + 1
    if n_units < 2:
        return np.nan, np.nan
    sums = np.bincount(unit, weights=scores, minlength=n_units)
    counts = np.bincount(unit, minlength=n_units)
    weights = bootstrap_weights(n_units, n_boot, rng)
    return percentile_interval((weights @ sums) / (weights @ counts))


def jackknife_groups(n_units: int, rng: np.random.Generator, n_groups: int = N_GROUPS) -> np.ndarray:
    """A random group for each unit, shape (n_units,), int64; sizes differ by at most one, no group is empty."""
    return rng.permutation(np.arange(n_units) % max(min(n_groups, n_units), 1))


def jackknife_interval(
    value: float, deleted: np.ndarray, bounds: tuple[float, float] = (-np.inf, np.inf), level: float = LEVEL
) -> tuple[float, float]:
    """The interval of a statistic from its values with one group of units left out, shape (G,).

    Returns
    -------
    low, high : float
        ``value ± t · se`` cut off at `bounds`, with se² = (G - 1)/G Σ (θ_g - mean)² (Kott 2001, J. Off. Stat. 17, 521)
        and t of `effective_degrees_of_freedom`. NaN with fewer than three groups, or where any of the values is undefined.
    """
    deleted = np.asarray(deleted, dtype=np.float64)
    n_groups = len(deleted)
    if n_groups < 3 or not np.isfinite(value) or not np.isfinite(deleted).all():
        return np.nan, np.nan
    error = np.sqrt((n_groups - 1) / n_groups * np.sum((deleted - deleted.mean()) ** 2))
    reach = float(student_t.ppf((1 + level) / 2, effective_degrees_of_freedom(deleted)) * error)
    low, high = np.clip([value - reach, value + reach], *bounds)
    return float(low), float(high)


def effective_degrees_of_freedom(deleted: np.ndarray) -> float:
    """Degrees of freedom of the jackknife's variance, from how unequal its G squares are.

    2 G/(κ - 1), with κ the kurtosis of the values with one group left out; at least 2, at most G - 1. Where a few
    species carry a statistic, those of the only old lineage in the sample, there are few (Satterthwaite 1946,
    Biometrics 2, 110).
    """
    pull = deleted - deleted.mean()
    squares = float(np.sum(pull**2))
    kurtosis = len(pull) * float(np.sum(pull**4)) / squares**2 if squares > 0 else 1.0
    return float(np.clip(2 * len(pull) / max(kurtosis - 1, 1e-9), 2, max(len(pull) - 1, 2)))


def expanded_interval(
    replicates: np.ndarray, deleted: np.ndarray, n_units: int, level: float = LEVEL
) -> tuple[float, float]:
    """The percentile interval of a bootstrap, widened for few units as Student's t is.

    Parameters
    ----------
    replicates : ndarray, shape (B,)
        Of the bootstrap.
    deleted : ndarray, shape (G,)
        The statistic without each group of units, which tells the `effective_degrees_of_freedom`.
    n_units : int
        At least 2, else NaN.

    References
    ----------
    Hesterberg 2015, Am. Stat. 69, 371 (expanded percentile interval).
    """
    deleted = deleted[np.isfinite(deleted)]
    if n_units < 2 or len(deleted) < 3:
        return np.nan, np.nan
    tail = norm.cdf(
        np.sqrt(n_units / (n_units - 1)) * student_t.ppf((1 - level) / 2, effective_degrees_of_freedom(deleted))
    )
    return percentile_interval(replicates, 1 - 2 * float(tail))


def jackknife(
    statistic: Callable[[np.ndarray], float],
    units: np.ndarray,
    rng: np.random.Generator,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    n_groups: int = N_GROUPS,
) -> tuple[float, float]:
    """The 95 % interval of any statistic, units resampled: it is computed anew without each group of units.

    Parameters
    ----------
    statistic : callable
        Of the rows that are kept, an ascending array of row numbers.
    units : ndarray, shape (n,), int64
        The unit (as a rule the species) of each row; rows of -1 take no part.
    rng : numpy.random.Generator
    bounds : tuple of float
        The range of the statistic, at which the interval is cut off.
    n_groups : int
        How often the statistic is computed, once more for its own value.
    """
    rows = np.flatnonzero(units >= 0)
    _, unit = np.unique(units[rows], return_inverse=True)
    group = jackknife_groups(int(unit.max(initial=-1)) + 1, rng, n_groups)[unit]
    deleted = [statistic(rows[group != left_out]) for left_out in range(int(group.max(initial=-1)) + 1)]
    return jackknife_interval(statistic(rows), np.array(deleted), bounds)


def permutation_p(observed: float, null: np.ndarray) -> float:
    """One-sided p = (b + 1)/(m + 1): b of the m permuted values are at least as large as the observed one.

    Values within 1e-6 of the observed one count as ties (Phipson & Smyth 2010): permutations that only exchange
    relatives give the observed arrangement again, but for the rounding of its sums, which reaches 1e-8 where
    embeddings nearly coincide. With few taxa many permutations do.
    """
    null = np.asarray(null, dtype=np.float64)
    if not np.isfinite(observed) or not np.all(np.isfinite(null)):
        return np.nan
    slack = TIE * max(1.0, abs(observed), float(np.abs(null).max(initial=0)))
    return (int(np.sum(null >= observed - slack)) + 1) / (len(null) + 1)
