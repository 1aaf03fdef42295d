"""Candidates for the 95 % interval of a statistic of species; the package uses those that cover best.

Every candidate gets the same input: the statistic, its bootstrap replicates, and its values without one species or
without one group of species. All of these are values of one statistic that takes weights of species. The scale is that
of a correlation. Candidates on the z scale use its arctanh, whose spread hardly depends on its value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from bioclip_probe.stats.resampling import (
    LEVEL,
    bootstrap_weights,
    expanded_interval,
    jackknife_groups,
    jackknife_interval,
    percentile_interval,
)

#: Correlations are kept this far from ±1 before arctanh.
CLOSEST = 1e-9


@dataclass(frozen=True)
class Resampled:
    """A correlation and its resampled values.

    Attributes
    ----------
    value : float
    replicates : ndarray, shape (B,)
        Bootstrap replicates, without those that are undefined.
    left_out : ndarray, shape (u,)
        Values without each of the u units in turn.
    deleted : ndarray, shape (G,)
        Values without each jackknife group of units in turn.
    """

    value: float
    replicates: np.ndarray
    left_out: np.ndarray
    deleted: np.ndarray

    @classmethod
    def of(
        cls, statistic: Callable[[np.ndarray], np.ndarray], n_units: int, rng: np.random.Generator, n_bootstrap: int
    ) -> Resampled:
        """Return the resampled values of a statistic, a function of weights of units of shape (B, u)."""
        group = jackknife_groups(n_units, rng)
        deleted = group != np.arange(group.max() + 1)[:, None]
        weights = [np.ones((1, n_units)), bootstrap_weights(n_units, n_bootstrap, rng), 1 - np.eye(n_units), deleted]
        values = statistic(np.concatenate(weights).astype(np.float64))
        value, replicates, left_out, deleted = np.split(values, np.cumsum([len(block) for block in weights[:-1]]))
        return cls(float(value[0]), replicates[np.isfinite(replicates)], left_out, deleted)


def percentile(resampled: Resampled) -> tuple[float, float]:
    """Return the percentile interval of the bootstrap."""
    return percentile_interval(resampled.replicates)


def expanded(resampled: Resampled) -> tuple[float, float]:
    """Return the percentile interval, expanded for few units like Student's t (Hesterberg 2015, Am. Stat. 69, 371)."""
    return percentile_interval(resampled.replicates, 1 - 2 * norm.cdf(_expanded_quantiles(resampled)[0]))


def effective(resampled: Resampled) -> tuple[float, float]:
    """Return `expanded` with the effective degrees of freedom of the jackknife, as the package does."""
    return expanded_interval(resampled.replicates, _z(resampled.deleted), len(resampled.left_out))


def bootstrap_z(resampled: Resampled) -> tuple[float, float]:
    """Return z ± t · (standard deviation of the replicates on the z scale)."""
    half_width = student_t.ppf((1 + LEVEL) / 2, len(resampled.left_out) - 1) * np.std(_z(resampled.replicates), ddof=1)
    low, high = np.tanh(_z(resampled.value) + np.array([-half_width, half_width]))
    return float(low), float(high)


def bca(resampled: Resampled) -> tuple[float, float]:
    """Return the BCa interval (Efron 1987, JASA 82, 171), with the acceleration of the jackknife."""
    b = len(resampled.replicates)
    below = np.mean(resampled.replicates < resampled.value) + np.mean(resampled.replicates == resampled.value) / 2
    bias = norm.ppf(np.clip(below, 1 / b, 1 - 1 / b))
    influence = resampled.left_out.mean() - resampled.left_out
    squares = float(np.sum(influence**2))
    acceleration = float(np.sum(influence**3)) / (6 * squares**1.5) if squares > 0 else 0.0
    shifted = bias + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.quantile(resampled.replicates, norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)


def jackknife(resampled: Resampled) -> tuple[float, float]:
    """Return the interval of the delete-group jackknife with G - 1 degrees of freedom for G groups."""
    n = len(resampled.deleted)
    error = np.sqrt((n - 1) / n * np.sum((resampled.deleted - resampled.deleted.mean()) ** 2))
    half_width = student_t.ppf((1 + LEVEL) / 2, n - 1) * error
    low, high = np.clip([resampled.value - half_width, resampled.value + half_width], -1, 1)
    return float(low), float(high)


def jackknife_effective(resampled: Resampled) -> tuple[float, float]:
    """Return the interval of the delete-group jackknife with effective degrees of freedom, as the package does."""
    return jackknife_interval(resampled.value, resampled.deleted, (-1, 1))


def jackknife_z(resampled: Resampled) -> tuple[float, float]:
    """Return the interval of the delete-group jackknife on the z scale."""
    low, high = jackknife_interval(_z(resampled.value), _z(resampled.deleted))
    return float(np.tanh(low)), float(np.tanh(high))


def _z(correlation: np.ndarray | float) -> np.ndarray:
    """Return arctanh of a correlation."""
    return np.arctanh(np.clip(correlation, -1 + CLOSEST, 1 - CLOSEST))


def _expanded_quantiles(resampled: Resampled) -> np.ndarray:
    """Return normal quantiles that expand the spread of the replicates as Student's t expands s/√n."""
    n = len(resampled.left_out)
    return np.sqrt(n / (n - 1)) * student_t.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], n - 1)


#: Every candidate by its name in the table.
CANDIDATES: dict[str, Callable[[Resampled], tuple[float, float]]] = {
    "percentile": percentile,
    "expanded": expanded,
    "effective": effective,
    "bootstrap z": bootstrap_z,
    "BCa": bca,
    "jackknife": jackknife,
    "jackknife effective": jackknife_effective,
    "jackknife z": jackknife_z,
}
