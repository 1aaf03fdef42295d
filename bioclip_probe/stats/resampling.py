"""Confidence intervals by resampling species, and permutation p-values.

The unit that is resampled is a taxon (as a rule a species), never a pair of images and never an image. Images of one
species are far from independent, and pairs share their members; species are nearly independent.

* The **bootstrap** draws species with replacement. In a replicate, each image weighs as often as its species was drawn,
  so the statistic must accept weights.
* The **delete-a-group jackknife** divides species into random groups and leaves out one group at a time. It works with
  any statistic. No species meets its own copy, which would be its perfect neighbour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, stdtrit  # of scipy.stats they are the same functions, and slow for one number

from bioclip_probe.stats.defaults import LEVEL, N_GROUPS


def bootstrap_weights(n_units: int, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each unit is drawn in each bootstrap replicate.

    Parameters
    ----------
    n_units : int
        Number of units, e.g. species; at least 1.
    n_bootstrap : int
        Number of replicates.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_bootstrap, n_units), float64
        Each row is a multinomial draw of `n_units` out of `n_units`, so its sum is `n_units`.

    Examples
    --------
    >>> bootstrap_weights(4, 2, np.random.default_rng(0)).sum(axis=1).tolist()
    [4.0, 4.0]
    """
    # Counting the drawn units gives the distribution of `rng.multinomial` in an eighth of its time.
    drawn = rng.integers(n_units, size=(n_bootstrap, n_units)) + n_units * np.arange(n_bootstrap)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_bootstrap * n_units)
    return counts.reshape(n_bootstrap, n_units).astype(np.float64)


def percentile_interval(replicates: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval that holds the central share `level` of the replicates.

    Parameters
    ----------
    replicates : ndarray, shape (B,)
        Values of the statistic. Values that are not finite are ignored.
    level : float
        Nominal coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        NaN if fewer than half of the replicates are finite.

    Examples
    --------
    >>> percentile_interval(np.arange(101.0), level=0.5)
    (25.0, 75.0)
    """
    replicates = np.asarray(replicates, dtype=np.float64)
    defined = replicates[np.isfinite(replicates)]
    if not len(defined) or len(defined) < len(replicates) / 2:
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def jackknife_groups(n_units: int, rng: np.random.Generator, n_groups: int = N_GROUPS) -> np.ndarray:
    """Return a random jackknife group for each unit.

    Parameters
    ----------
    n_units : int
        Number of units, e.g. species.
    rng : numpy.random.Generator
    n_groups : int
        Number of groups; with fewer units than this, each unit is a group.

    Returns
    -------
    ndarray, shape (n_units,), int64
        Group numbers from 0. No group is empty and the sizes of groups differ by at most one.

    Examples
    --------
    >>> np.bincount(jackknife_groups(7, np.random.default_rng(0), n_groups=3)).tolist()
    [3, 2, 2]
    """
    return rng.permutation(np.arange(n_units) % max(min(n_groups, n_units), 1))


def jackknife_interval(
    value: float, leave_one_out: np.ndarray, bounds: tuple[float, float] = (-np.inf, np.inf), level: float = LEVEL
) -> tuple[float, float]:
    """Return the delete-a-group jackknife interval of a statistic.

    Parameters
    ----------
    value : float
        The statistic of all units.
    leave_one_out : ndarray, shape (G,)
        The statistic without each group of units in turn.
    bounds : tuple of float
        Range of the statistic; the interval is cut off there.
    level : float
        Nominal coverage.

    Returns
    -------
    low, high : float
        ``value ± t · se``, with se² = (G - 1)/G Σ (θ_g - mean θ)² and t the quantile of Student's distribution with
        `effective_degrees_of_freedom`. NaN with fewer than three groups, or if any of the values is undefined.

    References
    ----------
    Kott 2001, J. Off. Stat. 17, 521.

    Examples
    --------
    >>> low, high = jackknife_interval(0.5, np.array([0.49, 0.5, 0.51]))
    >>> round(low, 3), round(high, 3)
    (0.45, 0.55)
    """
    leave_one_out = np.asarray(leave_one_out, dtype=np.float64)
    n_groups = len(leave_one_out)
    if n_groups < 3 or not np.isfinite(value) or not np.isfinite(leave_one_out).all():
        return np.nan, np.nan
    error = np.sqrt((n_groups - 1) / n_groups * np.sum((leave_one_out - leave_one_out.mean()) ** 2))
    half_width = float(stdtrit(effective_degrees_of_freedom(leave_one_out), (1 + level) / 2) * error)
    low, high = np.clip([value - half_width, value + half_width], *bounds)
    return float(low), float(high)


def effective_degrees_of_freedom(leave_one_out: np.ndarray) -> float:
    """Return the degrees of freedom of a jackknife variance, from how unequal its G squared deviations are.

    They are few where a few species determine a statistic, e.g. the species of the only old lineage in the sample.

    Parameters
    ----------
    leave_one_out : ndarray, shape (G,)
        The statistic without each group in turn; finite.

    Returns
    -------
    float
        2 G/(κ - 1), where κ is the kurtosis of the values; at least 2 and at most G - 1.

    References
    ----------
    Satterthwaite 1946, Biometrics 2, 110.

    Examples
    --------
    >>> effective_degrees_of_freedom(np.array([1.0, -1.0, 1.0, -1.0]))
    3.0
    """
    deviations = leave_one_out - leave_one_out.mean()
    squares = float(np.sum(deviations**2))
    kurtosis = len(deviations) * float(np.sum(deviations**4)) / squares**2 if squares**2 > 0 else 1.0
    return float(np.clip(2 * len(deviations) / max(kurtosis - 1, 1e-9), 2, max(len(deviations) - 1, 2)))


def expanded_interval(
    replicates: np.ndarray, leave_one_out: np.ndarray, n_units: int, level: float = LEVEL
) -> tuple[float, float]:
    """Return a percentile bootstrap interval that is widened for few units, as Student's t is.

    Parameters
    ----------
    replicates : ndarray, shape (B,)
        Values of the bootstrap replicates.
    leave_one_out : ndarray, shape (G,)
        The statistic without each group of units in turn, from which `effective_degrees_of_freedom` follow. Values
        that are not finite are ignored.
    n_units : int
        Number of units.
    level : float
        Nominal coverage.

    Returns
    -------
    low, high : float
        NaN with fewer than two units or fewer than three finite values in `leave_one_out`.

    References
    ----------
    Hesterberg 2015, Am. Stat. 69, 371 (expanded percentile interval).

    Examples
    --------
    >>> low, high = expanded_interval(np.linspace(0, 1, 101), np.array([0.4, 0.5, 0.6]), n_units=3)
    >>> low < percentile_interval(np.linspace(0, 1, 101))[0]
    True
    """
    leave_one_out = leave_one_out[np.isfinite(leave_one_out)]
    if n_units < 2 or len(leave_one_out) < 3:
        return np.nan, np.nan
    quantile = stdtrit(effective_degrees_of_freedom(leave_one_out), (1 - level) / 2)
    tail = ndtr(np.sqrt(n_units / (n_units - 1)) * quantile)
    return percentile_interval(replicates, 1 - 2 * float(tail))


def jackknife(
    statistic: Callable[[np.ndarray], float],
    units: np.ndarray,
    rng: np.random.Generator,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    n_groups: int = N_GROUPS,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Return the delete-a-group jackknife interval of any statistic, with units resampled.

    Parameters
    ----------
    statistic : callable
        Takes an ascending array of row numbers and returns the statistic of these rows.
    units : ndarray, shape (n,), int64
        The resampling unit (as a rule the species) of each row. Rows of -1 are left out.
    rng : numpy.random.Generator
    bounds : tuple of float
        Range of the statistic; the interval is cut off there.
    n_groups : int
        Number of jackknife groups. The statistic is computed once for each group and once for all rows.
    level : float
        Nominal coverage.

    Returns
    -------
    low, high : float
        See `jackknife_interval`.

    Examples
    --------
    >>> values = np.array([0.0, 1.0, 2.0, 3.0])
    >>> low, high = jackknife(lambda rows: values[rows].mean(), np.arange(4), np.random.default_rng(0))
    >>> low < 1.5 < high
    True
    """
    rows = np.flatnonzero(units >= 0)
    _, unit = np.unique(units[rows], return_inverse=True)
    group = jackknife_groups(int(unit.max(initial=-1)) + 1, rng, n_groups)[unit]
    leave_one_out = [statistic(rows[group != left_out]) for left_out in range(int(group.max(initial=-1)) + 1)]
    return jackknife_interval(statistic(rows), np.array(leave_one_out), bounds, level)


def permutation_p(observed: float, null: np.ndarray, tie_tolerance: float = 1e-6) -> float:
    """Return the one-sided p-value of a permutation test, (b + 1)/(m + 1).

    Parameters
    ----------
    observed : float
        The statistic of the data.
    null : ndarray, shape (m,)
        The statistic after each of m permutations, of which b values are at least as large as the observed one.
    tie_tolerance : float
        Values count as equal if they differ by less than this share of the largest of 1 and all magnitudes. With few
        taxa many permutations only exchange close relatives and give the observed arrangement again. Their values
        differ from the observed one by rounding, which reaches 1e-8 where embeddings nearly coincide.

    Returns
    -------
    float
        In (0, 1]; NaN if any of the values is undefined.

    References
    ----------
    Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39.

    Examples
    --------
    >>> permutation_p(0.9, np.array([0.1, 0.2, 0.9]))
    0.5
    """
    null = np.asarray(null, dtype=np.float64)
    if not np.isfinite(observed) or not np.all(np.isfinite(null)):
        return np.nan
    slack = tie_tolerance * max(1.0, abs(observed), float(np.abs(null).max(initial=0)))
    return (int(np.sum(null >= observed - slack)) + 1) / (len(null) + 1)
