"""Resampling by reweighting: the unit is a taxon (as a rule a species), never a pair and never an image.

Images of one species are far from independent, and pairs share their members; species are the nearly independent
unit. A bootstrap replicate therefore draws species with replacement, and every image weighs as often as its species
was drawn.
"""

from __future__ import annotations

import numpy as np

N_BOOT = 999
LEVEL = 0.95
TIE = 1e-6


def bootstrap_weights(n_units: int, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """How often each unit is drawn in each replicate.

    Returns
    -------
    ndarray, shape (n_boot, n_units), float64
        Each row is one multinomial draw of `n_units` out of `n_units`, so it sums to `n_units`.
    """
    return rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_boot).astype(np.float64)


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
    scores: np.ndarray, units: np.ndarray, rng: np.random.Generator, n_boot: int = N_BOOT
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
