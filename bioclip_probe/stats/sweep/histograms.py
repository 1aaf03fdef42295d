"""What follows from counts of pairs by level of tree distance and bin of embedding distance, shape (L, B).

Pairs in one bin are tied. Counts may be fractions: half of the ordered pairs are the pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.tree.tree import read_only


@dataclass(frozen=True, eq=False)
class JointHistogram:
    """Counts of ordered pairs of rows, each pair from either end, by part of their first row.

    Attributes
    ----------
    steps : ndarray, shape (L,), float64
        Tree distance at each level, ascending; where `binned`, the least of those that share the level.
    edges : ndarray, shape (B + 1,), float64
        Ends of the bins of cosine distance.
    by_group : ndarray, shape (G, L, B), int64
        Pairs whose first row is in a part.
    within_group : ndarray, shape (G, L, B), int64
        Pairs both of whose rows are.
    binned : bool
        Several tree distances share a level.
    """

    steps: np.ndarray
    edges: np.ndarray
    by_group: np.ndarray
    within_group: np.ndarray
    binned: bool

    def __post_init__(self) -> None:
        for key in ("steps", "edges", "by_group", "within_group"):
            object.__setattr__(self, key, read_only(getattr(self, key)))

    @property
    def counts(self) -> np.ndarray:
        """All pairs, each once, shape (L, B), float64."""
        return self.by_group.sum(axis=0) / 2

    def without_group(self, part: int) -> np.ndarray:
        """The pairs none of whose rows is in a part: all, less those that touch it."""
        return self.counts - self.by_group[part] + self.within_group[part] / 2

    def leave_one_out(self, statistic: Callable[[np.ndarray], float | np.ndarray]) -> np.ndarray:
        """A statistic of the counts without each part in turn, shape (G, …), as the delete-group jackknife asks."""
        return np.array([statistic(self.without_group(part)) for part in range(len(self.by_group))])


def mid_ranks(counts: np.ndarray) -> np.ndarray:
    """Mean rank of the members of each bin, less the mean of all ranks, so that the ranks sum to 0."""
    upper = np.cumsum(counts)
    return upper - (counts - 1) / 2 - (upper[-1] + 1) / 2


def spearman(counts: np.ndarray) -> float:
    """Spearman correlation of level and bin, ties at their mean rank; NaN where either does not vary.

    Bins that hold equal shares p of the pairs cost a correlation 1 - (1 - p²)^½, less than a millionth at p = 1/1024.
    """
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    row, column = mid_ranks(rows), mid_ranks(columns)
    return pearson(rows.sum(), 0.0, 0.0, rows @ row**2, columns @ column**2, row @ counts @ column)


def kendall_tau_b(counts: np.ndarray) -> float:
    """Kendall's τ-b of level and bin: (C − D)/√((T − T_level)(T − T_bin)); NaN where either does not vary.

    C and D count the pairs of pairs in order and out of order, T all of them, T_level and T_bin those tied in one.

    References
    ----------
    Kendall 1945, Biometrika 33, 239.
    """
    counts = np.asarray(counts, dtype=np.float64)
    above = counts[::-1].cumsum(axis=0)[::-1] - counts  # at a higher level, by bin
    lower = np.cumsum(above, axis=1) - above
    higher = above.sum(axis=1, keepdims=True) - lower - above
    untied = [(side.sum() ** 2 - np.sum(side**2)) / 2 for side in (counts.sum(axis=1), counts.sum(axis=0))]
    if min(untied) <= 0:
        return float("nan")
    return float(np.sum(counts * (higher - lower)) / np.sqrt(untied[0]) / np.sqrt(untied[1]))


def neighbouring_auc(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a pair at each level and one at the next level that occurs: how often the first is the nearer, ties ½.

    Returns
    -------
    auc : ndarray, shape (L,)
        In [0, 1]; NaN at a level without pairs and at the last.
    error : ndarray, shape (L,)
        The most that `auc` can differ from that of distances without bins: half of the share of ties.
    """
    auc, error = np.full((2, len(counts)), np.nan)
    met = np.flatnonzero(counts.sum(axis=1) > 0)
    for level, above in pairwise(met):
        near, far = counts[level], counts[above]
        total = near.sum() * far.sum()
        farther = far.sum() - np.cumsum(far)
        error[level] = near @ far / 2 / total
        auc[level] = near @ farther / total + error[level]
    return auc, error


def quantiles(counts: np.ndarray, edges: np.ndarray, q: tuple[float, ...]) -> np.ndarray:
    """Quantiles of the distance at each level, shape (L, len(q)), the members of a bin spread evenly over it.

    Off by no more than the width of the bin that holds the quantile; NaN at a level without pairs.
    """
    found = np.full((len(counts), len(q)), np.nan)
    for level, row in enumerate(counts):
        full = np.flatnonzero(row > 0)
        if len(full):
            below = np.cumsum(row[full])
            wanted = np.asarray(q) * below[-1]
            place = np.minimum(np.searchsorted(below, wanted * (1 - 1e-12)), len(full) - 1)
            share = 1 - (below[place] - wanted) / row[full][place]
            found[level] = edges[full][place] + share * (edges[full + 1] - edges[full])[place]
    return found
