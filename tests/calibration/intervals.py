"""Candidates for the 95 % interval of a statistic of species, side by side; what holds best goes into the package.

Each candidate sees the same things: the statistic itself, its bootstrap replicates, its values with one species or one
group of species left out, all of which are weightings of the species to a statistic that takes weights. The scale is
that of a correlation: z candidates work with arctanh of it, where its spread hardly depends on its height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from bioclip_probe.stats.resampling import (
    LEVEL,
    N_BOOTSTRAP,
    bootstrap_weights,
    expanded_interval,
    jackknife_groups,
    jackknife_interval,
    percentile_interval,
)

#: Correlations are kept so far from ±1 before arctanh.
CLOSEST = 1e-9


@dataclass(frozen=True)
class Resampled:
    """What a resampled correlation is known by.

    Attributes
    ----------
    value : float
    replicates : ndarray, shape (B,)
        Of the bootstrap, the undefined ones left aside.
    left_out : ndarray, shape (u,)
        Without each of the u units in turn.
    deleted : ndarray, shape (G,)
        Without each group of units in turn.
    """

    value: float
    replicates: np.ndarray
    left_out: np.ndarray
    deleted: np.ndarray

    @classmethod
    def of(cls, statistic: Callable[[np.ndarray], np.ndarray], n_units: int, rng: np.random.Generator) -> Resampled:
        """From a statistic of weights of units, shape (B, u)."""
        group = jackknife_groups(n_units, rng)
        deleted = group != np.arange(group.max() + 1)[:, None]
        weights = [np.ones((1, n_units)), bootstrap_weights(n_units, N_BOOTSTRAP, rng), 1 - np.eye(n_units), deleted]
        found = statistic(np.concatenate(weights).astype(np.float64))
        value, replicates, left_out, deleted = np.split(found, np.cumsum([len(part) for part in weights[:-1]]))
        return cls(float(value[0]), replicates[np.isfinite(replicates)], left_out, deleted)


def percentile(of: Resampled) -> tuple[float, float]:
    return percentile_interval(of.replicates)


def expanded(of: Resampled) -> tuple[float, float]:
    """The percentile interval widened for few units as Student's t is (Hesterberg 2015, Am. Stat. 69, 371)."""
    return percentile_interval(of.replicates, 1 - 2 * norm.cdf(_widened(of)[0]))


def effective(of: Resampled) -> tuple[float, float]:
    """As `expanded`, with as many degrees of freedom as the groups of the jackknife tell: the package's own."""
    return expanded_interval(of.replicates, _z(of.deleted), len(of.left_out))


def bootstrap_z(of: Resampled) -> tuple[float, float]:
    """z ± t · standard deviation of the replicates' z."""
    reach = student_t.ppf((1 + LEVEL) / 2, len(of.left_out) - 1) * np.std(_z(of.replicates), ddof=1)
    low, high = np.tanh(_z(of.value) + np.array([-reach, reach]))
    return float(low), float(high)


def bca(of: Resampled) -> tuple[float, float]:
    """Bias-corrected and accelerated (Efron 1987, JASA 82, 171), acceleration from the jackknife."""
    b = len(of.replicates)
    below = np.mean(of.replicates < of.value) + np.mean(of.replicates == of.value) / 2
    bias = norm.ppf(np.clip(below, 1 / b, 1 - 1 / b))
    pull = of.left_out.mean() - of.left_out
    squares = float(np.sum(pull**2))
    acceleration = float(np.sum(pull**3)) / (6 * squares**1.5) if squares > 0 else 0.0
    shifted = bias + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.quantile(of.replicates, norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    return float(low), float(high)


def jackknife(of: Resampled) -> tuple[float, float]:
    """The delete-group jackknife with a degree of freedom for each group but one."""
    n = len(of.deleted)
    error = np.sqrt((n - 1) / n * np.sum((of.deleted - of.deleted.mean()) ** 2))
    reach = student_t.ppf((1 + LEVEL) / 2, n - 1) * error
    low, high = np.clip([of.value - reach, of.value + reach], -1, 1)
    return float(low), float(high)


def jackknife_effective(of: Resampled) -> tuple[float, float]:
    """The delete-group jackknife with effective degrees of freedom: the package's own."""
    return jackknife_interval(of.value, of.deleted, (-1, 1))


def jackknife_z(of: Resampled) -> tuple[float, float]:
    """The delete-group jackknife on the z scale."""
    low, high = jackknife_interval(_z(of.value), _z(of.deleted))
    return float(np.tanh(low)), float(np.tanh(high))


def _z(correlation):
    return np.arctanh(np.clip(correlation, -1 + CLOSEST, 1 - CLOSEST))


def _widened(of: Resampled) -> np.ndarray:
    """Normal quantiles that make of the replicates' spread what t makes of s/√n."""
    n = len(of.left_out)
    return np.sqrt(n / (n - 1)) * student_t.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], n - 1)


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
