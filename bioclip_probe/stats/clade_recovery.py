"""Clades that a dendrogram shares with a tree or with labels, and how many it would share by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bioclip_probe.stats.dendrograms import Dendrogram, collapse_short_branches, tip_spans
from bioclip_probe.tree.tree import Tree


@dataclass(frozen=True)
class CladeCounts:
    """Numbers of clades of a tree and of a dendrogram of the same k tips.

    A clade is the set of the tips below an inner node, with at least two tips and not all of them. Inner branches
    without length make no clade, and nodes with one child none of their own.

    Attributes
    ----------
    in_tree, in_dendrogram, in_both : int
        Clades of the tree, of the dendrogram, and of both.
    chance : float
        The mean of `in_both` when the tips of the tree are permuted, exactly.

    Examples
    --------
    >>> counts = CladeCounts(in_tree=3, in_dendrogram=5, in_both=2, chance=0.5)
    >>> counts.recall, counts.precision, counts.robinson_foulds
    (0.6666666666666666, 0.4, 0.5)
    """

    in_tree: int
    in_dendrogram: int
    in_both: int
    chance: float

    @property
    def recall(self) -> float:
        """The share of the tree's clades that the dendrogram has, in [0, 1]; NaN for a star tree."""
        return self.in_both / self.in_tree if self.in_tree else np.nan

    @property
    def precision(self) -> float:
        """The share of the dendrogram's clades that the tree has, in [0, 1]; NaN where all heights tie."""
        return self.in_both / self.in_dendrogram if self.in_dendrogram else np.nan

    @property
    def robinson_foulds(self) -> float:
        """The share of all clades that only one of the two has, in [0, 1]; NaN for a star tree."""
        return 1 - 2 * self.in_both / (self.in_tree + self.in_dendrogram) if self.in_tree else np.nan

    def by_chance(self) -> CladeCounts:
        """Return the counts with as many common clades as permuted tips have on average."""
        return CladeCounts(self.in_tree, self.in_dendrogram, self.chance, self.chance)  # type: ignore[arg-type]


def clade_counts(tree: Tree, dendrogram: Dendrogram) -> CladeCounts:
    """Count the clades of a tree and of a dendrogram.

    Parameters
    ----------
    tree : Tree
        With k tips.
    dendrogram : Dendrogram
        Its row i is tip i of the tree.

    Returns
    -------
    CladeCounts

    Notes
    -----
    O(k): tips are numbered in the order of the tree, so that its clades are intervals. A clade of the dendrogram is one
    of them if its lowest and its highest number are the ends of such an interval, and it has as many tips (Day 1985).
    A random set of b of k tips is a given clade of the tree with b tips with probability 1/C(k, b); the sum of these
    probabilities over all pairs of clades of one size is the mean over permutations.

    References
    ----------
    Robinson & Foulds 1981, Math. Biosci. 53, 131; Day 1985, J. Classif. 2, 7.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> counts = clade_counts(tree, Dendrogram.average_linkage(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])))
    >>> counts.in_both, round(counts.chance, 3)
    (1, 0.333)
    """
    k = len(tree.tips)
    of_tree = _clades(*tip_spans(collapse_short_branches(tree)), k)
    low, high = _lowest_and_highest(dendrogram.collapsed, dendrogram.leaves)
    first, last = dendrogram.spans
    of_dendrogram = _clades(first, last, k)
    filled = high - low + 1 == last - first
    in_both = of_tree & _clades(low[filled], high[filled] + 1, k)
    sizes, other_sizes = (
        np.bincount([last - first for first, last in clades], minlength=k + 1) for clades in (of_tree, of_dendrogram)
    )
    chance = float(np.sum(sizes * other_sizes * probability_of_clade(np.arange(k + 1), k)))
    return CladeCounts(len(of_tree), len(of_dendrogram), len(in_both), chance)


def label_recovery(dendrogram: Dendrogram, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which labels are clades of a dendrogram.

    Parameters
    ----------
    dendrogram : Dendrogram
    labels : ndarray, shape (k,), int64
        The label of each row.

    Returns
    -------
    recovered : ndarray, shape (t,), float64
        1 for a label whose rows are a clade, else 0; for each label of at least two rows and not of all, in ascending
        order.
    chance : ndarray, shape (t,), float64
        Its mean when the labels are permuted over the rows, exactly.

    Notes
    -----
    O(k log k).

    Examples
    --------
    >>> dendrogram = Dendrogram.average_linkage(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.1, 1.0]]))
    >>> label_recovery(dendrogram, np.array([0, 0, 1, 1]))[0].tolist()
    [1.0, 1.0]
    """
    k, (first, last) = len(labels), dendrogram.spans
    own = labels[dendrogram.leaves]
    changes = np.concatenate([[0], np.cumsum(own[1:] != own[:-1])])
    names, counts = np.unique(labels, return_counts=True)
    label = np.searchsorted(names, own[first])
    whole = (changes[last - 1] == changes[first]) & (last - first == counts[label])
    able = (counts > 1) & (counts < k)
    n_clades = np.bincount([last - first for first, last in _clades(first, last, k)], minlength=k + 1)
    chance = n_clades[counts] * probability_of_clade(counts, k)
    return np.isin(np.flatnonzero(able), label[whole]).astype(np.float64), chance[able]


def probability_of_clade(sizes: np.ndarray, k: int) -> np.ndarray:
    """Return the probability that random tips are exactly those of a clade, 1/C(k, size).

    Parameters
    ----------
    sizes : ndarray, int64
    k : int
        Number of tips.

    Returns
    -------
    ndarray, float64

    Examples
    --------
    >>> probability_of_clade(np.array([2, 3]), 4).round(3).tolist()
    [0.167, 0.25]
    """
    return np.exp(gammaln(sizes + 1) + gammaln(k - sizes + 1) - gammaln(k + 1))


def _clades(first: np.ndarray, last: np.ndarray, k: int) -> set[tuple[int, int]]:
    """Return the spans of at least two and not all of k tips."""
    size = last - first
    proper = (size > 1) & (size < k)
    return set(zip(first[proper].tolist(), last[proper].tolist(), strict=True))


def _lowest_and_highest(tree: Tree, leaves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest number of the leaves below each node."""
    low, high = np.full(len(tree), len(leaves)), np.full(len(tree), -1)
    low[tree.tips] = high[tree.tips] = leaves
    lows, highs, parents = low.tolist(), high.tolist(), tree.parent.tolist()
    for node in range(len(tree) - 1, 0, -1):
        above = parents[node]
        lows[above] = min(lows[above], lows[node])
        highs[above] = max(highs[above], highs[node])
    return np.array(lows), np.array(highs)
