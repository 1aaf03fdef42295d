"""Statistics of counts of pairs by level of tree distance and bin of embedding distance, shape (L, B).

Pairs in one bin are tied. Counts may be fractions: half of the ordered pairs are the pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.tree.tree import read_only


@dataclass(frozen=True, eq=False)
class JointHistogram:
    """Counts of ordered pairs of rows, each pair from either end, by the jackknife group of their first row.

    Attributes
    ----------
    steps : ndarray, shape (L,), float64
        Tree distance at each level, ascending; where `binned`, the least of those that share the level.
    edges : ndarray, shape (B + 1,), float64
        Ends of the bins of cosine distance.
    by_group : ndarray, shape (G, L, B), int64
        Pairs whose first row is in a jackknife group.
    within_group : ndarray, shape (G, L, B), int64
        Pairs whose rows are both in it.
    binned : bool
        True if several tree distances share a level.

    Examples
    --------
    >>> pairs = np.array([[[4, 0], [0, 2]]])
    >>> joint = JointHistogram(np.array([0.0, 2.0]), np.array([0.0, 0.5, 1.0]), pairs, pairs, binned=False)
    >>> joint.counts.tolist(), joint.without_group(0).tolist()
    ([[2.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]])
    >>> joint.leave_one_out(np.sum).tolist()
    [0.0]
    """

    steps: np.ndarray
    edges: np.ndarray
    by_group: np.ndarray
    within_group: np.ndarray
    binned: bool

    def __post_init__(self) -> None:
        for key in ("steps", "edges", "by_group", "within_group"):
            object.__setattr__(self, key, read_only(getattr(self, key)))

    @cached_property
    def counts(self) -> np.ndarray:
        """Counts of all pairs, each once, shape (L, B), float64."""
        return read_only(self.by_group.sum(axis=0) / 2)

    def without_group(self, group: int) -> np.ndarray:
        """Return the counts of the pairs with no row in a jackknife group.

        Parameters
        ----------
        group : int

        Returns
        -------
        ndarray, shape (L, B), float64
        """
        return self.counts - self.by_group[group] + self.within_group[group] / 2

    def leave_one_out(self, statistic: Callable[[np.ndarray], float | np.ndarray]) -> np.ndarray:
        """Return a statistic of the counts without each jackknife group in turn.

        Parameters
        ----------
        statistic : callable
            Takes counts of shape (L, B).

        Returns
        -------
        ndarray, shape (G, …)
        """
        return np.array([statistic(self.without_group(group)) for group in range(len(self.by_group))])


def mid_ranks(counts: np.ndarray) -> np.ndarray:
    """Return the mean rank of the members of each bin, minus the mean of all ranks.

    Parameters
    ----------
    counts : ndarray, shape (B,)

    Returns
    -------
    ndarray, shape (B,), float64
        Weighted by the counts, their sum is 0.

    Examples
    --------
    >>> mid_ranks(np.array([1, 2])).tolist()
    [-1.0, 0.5]
    """
    upper = np.cumsum(counts)
    return upper - (counts - 1) / 2 - (upper[-1] + 1) / 2


def spearman(counts: np.ndarray) -> float:
    """Return the Spearman correlation of level and bin, with ties at their mean rank.

    Parameters
    ----------
    counts : ndarray, shape (L, B)

    Returns
    -------
    float
        In [-1, 1]; NaN where either does not vary.

    Notes
    -----
    Bins that hold equal shares p of the pairs reduce a correlation by 1 - (1 - p²)^½: less than a millionth for
    p = 1/1024.

    Examples
    --------
    >>> spearman(np.array([[2.0, 0.0], [0.0, 2.0]]))
    1.0
    """
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    row, column = mid_ranks(rows), mid_ranks(columns)
    return float(pearson(rows.sum(), 0.0, 0.0, rows @ row**2, columns @ column**2, row @ counts @ column))


def kendall_tau_b(counts: np.ndarray) -> float:
    """Return Kendall's τ-b of level and bin, (C − D)/√((T − T_level)(T − T_bin)).

    Parameters
    ----------
    counts : ndarray, shape (L, B)

    Returns
    -------
    float
        In [-1, 1]; NaN where either does not vary.

    Notes
    -----
    C and D count the pairs of pairs in order and out of order, T counts all of them, T_level and T_bin those tied in
    level and in bin.

    References
    ----------
    Kendall 1945, Biometrika 33, 239.

    Examples
    --------
    >>> kendall_tau_b(np.array([[2.0, 0.0], [0.0, 2.0]]))
    1.0
    """
    counts = np.asarray(counts, dtype=np.float64)
    above = counts[::-1].cumsum(axis=0)[::-1] - counts  # at a higher level, by bin
    lower = np.cumsum(above, axis=1) - above
    higher = above.sum(axis=1, keepdims=True) - lower - above
    untied = [(side.sum() ** 2 - np.sum(side**2)) / 2 for side in (counts.sum(axis=1), counts.sum(axis=0))]
    if min(untied) <= 0:
        return float("nan")
    return float(np.sum(counts * (higher - lower)) / np.sqrt(untied[0]) / np.sqrt(untied[1]))


def neighboring_auc(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often a pair at one level is nearer than a pair at the next level that occurs; a tie counts half.

    Parameters
    ----------
    counts : ndarray, shape (L, B)

    Returns
    -------
    auc : ndarray, shape (L,)
        In [0, 1]; NaN at a level without pairs and at the last one.
    error : ndarray, shape (L,)
        The largest possible difference from the value without bins: half of the share of ties.

    Examples
    --------
    >>> neighboring_auc(np.array([[2.0, 0.0], [1.0, 1.0]]))[0].tolist()
    [0.75, nan]
    """
    auc, error = np.full((2, len(counts)), np.nan)
    occurring = np.flatnonzero(counts.sum(axis=1) > 0)
    for level, above in pairwise(occurring):
        near, far = counts[level], counts[above]
        total = near.sum() * far.sum()
        farther = far.sum() - np.cumsum(far)
        error[level] = near @ far / 2 / total
        auc[level] = near @ farther / total + error[level]
    return auc, error


def quantiles(counts: np.ndarray, edges: np.ndarray, q: tuple[float, ...]) -> np.ndarray:
    """Return quantiles of the distance at each level, with the members of a bin spread evenly over it.

    Parameters
    ----------
    counts : ndarray, shape (L, B)
    edges : ndarray, shape (B + 1,)
        Ends of the bins.
    q : tuple of float
        Between 0 and 1.

    Returns
    -------
    ndarray, shape (L, len(q)), float64
        Their error is at most the width of the bin that holds the quantile; NaN at a level without pairs.

    Examples
    --------
    >>> quantiles(np.array([[2.0, 2.0]]), np.array([0.0, 1.0, 3.0]), (0.25, 0.5, 0.75)).tolist()
    [[0.5, 1.0, 2.0]]
    """
    result = np.full((len(counts), len(q)), np.nan)
    for level, row in enumerate(counts):
        full = np.flatnonzero(row > 0)
        if len(full):
            below = np.cumsum(row[full])
            wanted = np.asarray(q) * below[-1]
            place = np.minimum(np.searchsorted(below, wanted * (1 - 1e-12)), len(full) - 1)
            share = 1 - (below[place] - wanted) / row[full][place]
            result[level] = edges[full][place] + share * (edges[full + 1] - edges[full])[place]
    return result
