"""Random halves of the units: intervals of statistics that a few units can rearrange, such as dendrograms.

The delete-group jackknife multiplies what one group changes by the number of groups. That is right for smooth
statistics. Where leaving out any few species changes which clusters join, it counts the same change once for each
group, and its intervals are two to four times too wide. Half of the units differ from all by as much as two samples
differ from each other, so nothing is multiplied.
"""

from __future__ import annotations

import numpy as np


def half_samples(group: np.ndarray, n_groups: int, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return random halves of the groups of a jackknife.

    Parameters
    ----------
    group : ndarray, shape (k,), int64
        The group of each row, see `Jackknife`.
    n_groups : int
        Number of groups, G.
    n_samples : int
        Number of halves.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_samples, k), bool
        True for the rows of ⌊G/2⌋ groups drawn without replacement.

    Examples
    --------
    >>> half_samples(np.arange(6), 6, 4, np.random.default_rng(0)).sum(axis=1).tolist()
    [3, 3, 3, 3]
    """
    drawn = [np.isin(group, rng.permutation(n_groups)[: n_groups // 2]) for _ in range(n_samples)]
    return np.array(drawn, dtype=bool).reshape(n_samples, len(group))


def half_sample_replicates(values: np.ndarray, of_halves: np.ndarray) -> np.ndarray:
    """Return replicates of statistics whose jackknife interval is that of half-sampling.

    Parameters
    ----------
    values : ndarray, shape (…)
        The statistics of all rows.
    of_halves : ndarray, shape (B, …)
        The statistics of each half.

    Returns
    -------
    ndarray, shape (B, …)
        ``value + (θ_b - mean θ)/√(B - 1)``. The formula of the jackknife, (B - 1)/B Σ (r_b - mean r)², then gives the
        mean squared deviation of the halves, which estimates the variance of the statistic of all rows.

    References
    ----------
    McCarthy 1969, Rev. Int. Stat. Inst. 37, 239 (half samples); Shao & Wu 1989, Ann. Stat. 17, 1176 (statistics that
    are not smooth need many units left out); Politis & Romano 1994, Ann. Stat. 22, 2031.

    Examples
    --------
    >>> half_sample_replicates(np.array([0.5]), np.array([[0.0], [1.0]])).ravel().tolist()
    [0.0, 1.0]
    """
    return values + (of_halves - of_halves.mean(axis=0)) / np.sqrt(max(len(of_halves) - 1, 1))
