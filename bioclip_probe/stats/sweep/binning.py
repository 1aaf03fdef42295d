"""Levels of tree distance and bins of embedding distance, in which a sweep counts pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.sweep.counting import Binning, LevelTable, count_cells, fill_levels, fill_levels_from_clades
from bioclip_probe.stats.sweep.points import BLOCK, Points, Space
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.distances import neighbour_mrca_depths
from bioclip_probe.tree.tree import Tree

#: Largest number of bins of embedding distance: where anchors are scored or levels are many, and elsewhere. See `Bins`.
N_BINS, N_FINE_BINS = 2048, 16_384
#: Number of coarse bins, at most: for scores without each group of the jackknife, and on permuted trees.
N_COARSE_BINS = 128
#: Largest number of levels of tree distance; on a tree with more distances each level holds an equal share of pairs.
N_LEVELS = 64
#: Cells of tree distance and embedding distance that bins are made of; fine bins are made of fine cells.
N_TREE_CELLS, N_CELLS, N_FINE_CELLS = 2**16, 2**16, 2**20
#: Rows whose distances to all others decide where bins lie.
N_SAMPLED = 512
#: With at most this many levels, on a tree whose tips are equally deep, clades are stored as slices of rows.
MOST_CLADES = 16
#: Tips whose depths differ by less than this share are equally deep.
EVEN = 1e-9


@dataclass(frozen=True, eq=False)
class Levels:
    """Tree distance between rows in tree order, as levels from 0 on.

    Attributes
    ----------
    steps : ndarray, shape (L,), float64
        Tree distance at each level; where `binned`, the least of those that share it.
    binned : bool
        True if several distances share a level.
    depth : ndarray, shape (n,), float64
        Depth of the tip of each row.
    between : ndarray, shape (n - 1,), float64
        Depth of the common ancestor of each row and the next one.
    binning : Binning
        The level of each cell of tree distance.
    clades : tuple of two ndarrays, shape (L, n), int64
        First row of the clade of each row at each level, and one after its last row; empty unless all tips are equally
        deep.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> levels = Levels.of(tree, np.array([0, 1, 2]))
    >>> levels.steps.tolist(), levels.of_rows(0, 3).tolist()
    ([0.0, 2.0, 4.0], [[0, 1, 2], [1, 0, 2], [2, 2, 0]])
    """

    steps: np.ndarray
    binned: bool
    depth: np.ndarray
    between: np.ndarray
    binning: Binning
    clades: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, tree: Tree, tips: np.ndarray) -> Levels:
        """Return the levels of rows at some tips.

        Parameters
        ----------
        tree : Tree
        tips : ndarray, shape (n,), int64
            The tip position of each row, ascending. Every tip has a row.

        Returns
        -------
        Levels
        """
        depth = tree.depth[tree.tips][tips]
        between = depth[:-1].copy()
        between[tips[1:] > tips[:-1]] = neighbour_mrca_depths(tree)
        highest = 2 * float(depth.max(initial=0)) or 1.0
        binning = Binning(np.arange(N_TREE_CELLS, dtype=np.uint16), np.float32((N_TREE_CELLS - 1) / highest))
        if not len(depth) or np.ptp(depth) <= EVEN * highest:
            # The common ancestor of two rows is that of two neighbours between them: no other distance can occur.
            apart = np.append(0.0, 2 * (depth[:1] - between))
            _, first, level = np.unique(np.round(apart / highest, 9), return_index=True, return_inverse=True)
            if len(first) <= MOST_CLADES:
                return cls(apart[first], False, depth, between, binning, _clades(level[1:], len(first)))
        counts = np.zeros(N_TREE_CELLS, dtype=np.int64)
        for i in sampled_rows(len(tips)):
            row = np.empty((1, len(tips)), dtype=np.uint16)
            fill_levels(i, between, depth, binning.bins, binning.scale, row)
            counts += np.bincount(row[0], minlength=N_TREE_CELLS)
        occurring = counts > 0
        few = occurring.sum() <= N_LEVELS
        table, first = _bin_table(np.cumsum(occurring) if few else np.ceil(np.cumsum(counts) / counts.sum() * N_LEVELS))
        binned = not few or len(tips) > N_SAMPLED
        steps = first / np.float64(binning.scale)
        return cls(steps, bool(binned), depth, between, Binning(table.astype(np.uint8), binning.scale), ())

    @property
    def table(self) -> LevelTable:
        """The arrays from which compiled loops fill in levels."""
        first, last = self.clades or np.zeros((2, 0, len(self.depth)), dtype=np.int64)
        bins = np.zeros(1, dtype=np.uint8) if self.clades else self.binning.bins
        return LevelTable(self.between, self.depth, bins, self.binning.scale, first, last)

    def between_tips(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the level of pairs of rows from their clades, where all tips are equally deep.

        Parameters
        ----------
        a, b : ndarray, shape (p,), int64
            Row numbers.

        Returns
        -------
        ndarray, shape (p,), int64
            The number of clades of `a` that `b` is outside of.
        """
        first, last = self.clades
        return ((b < first[:, a]) | (b >= last[:, a])).sum(axis=0)

    def of_rows(self, start: int, stop: int) -> np.ndarray:
        """Return the level of some rows and all rows.

        Parameters
        ----------
        start, stop : int
            The rows: the first, and one after the last.

        Returns
        -------
        ndarray, shape (stop - start, n), uint8
        """
        levels = np.empty((stop - start, len(self.depth)), dtype=np.uint8)
        if self.clades:
            fill_levels_from_clades(start, self.clades[0], self.clades[1], levels)
        else:
            fill_levels(start, self.between, self.depth, self.binning.bins, self.binning.scale, levels)
        return levels


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of cosine distance, narrow where distances are many and where they are small.

    Attributes
    ----------
    binning : Binning
    edges : ndarray, shape (B + 1,), float64
        Ends of the bins.

    Notes
    -----
    Cells of equal width are merged so that each of the B bins holds an equal share of the mean of three measures, taken
    from up to `N_SAMPLED` rows: the share of pairs (ties then cost a rank correlation the same everywhere), the
    logarithm of an anchor's rank (for precision at the top of its list), and the width itself (for quantiles).

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> bins = Bins.of(Points.of(vectors, np.arange(3)), fine=False)
    >>> bool(bins.edges[0] == 0 and bins.edges[-1] >= 1)
    True
    """

    binning: Binning
    edges: np.ndarray

    @property
    def coarse(self) -> np.ndarray:
        """The coarse bin of each bin, shape (B,), int64: its own where there are at most `N_COARSE_BINS` bins."""
        n_bins = len(self.edges) - 1
        return np.arange(n_bins) * min(N_COARSE_BINS, n_bins) // n_bins

    @property
    def n_coarse(self) -> int:
        """Number of coarse bins."""
        return min(N_COARSE_BINS, len(self.edges) - 1)

    @classmethod
    def of(
        cls,
        points: Points,
        fine: bool,
        sampled: np.ndarray | None = None,
        space: Space | None = None,
        bound: float | None = None,
    ) -> Bins:
        """Return bins that suit the distances of some points.

        Parameters
        ----------
        points : Points
        fine : bool
            Use `N_FINE_BINS` instead of `N_BINS`.
        sampled : ndarray of int, optional
            The points whose distances decide where bins lie, by default `sampled_rows` of them.
        space : Space, optional
            The space of the distances, by default that of the points.
        bound : float, optional
            A bound on these distances, by default that of the points.

        Returns
        -------
        Bins
        """
        n_bins, n_cells = (N_FINE_BINS, N_FINE_CELLS) if fine else (N_BINS, N_CELLS)
        scale, space = np.float32(n_cells / (bound or points.bound)), space or points.space
        counts = np.zeros(n_cells, dtype=np.int64)
        sampled = sampled_rows(len(points)) if sampled is None else sampled
        for start in range(0, len(sampled), BLOCK):
            rows = sampled[start : start + BLOCK]
            count_cells(points.products(rows), rows, space, scale, counts)
        below = np.cumsum(counts)
        occurring = np.flatnonzero(counts)
        if not len(occurring):
            occurring = np.array([0])
        width = np.clip((np.arange(n_cells) - occurring[0]) / (occurring[-1] - occurring[0] + 1), 0, 1)
        ranks = np.log1p(np.append(0, below[occurring]) / max(len(sampled), 1)) / np.log1p(max(len(points) - 1, 1))
        rank = np.repeat(ranks, np.diff(occurring, prepend=0, append=n_cells))
        measure = (below / max(below[-1], 1) + rank + width) / 3
        changes = (counts > 0) | (np.append(0, counts[:-1]) > 0)
        few = changes.sum() < n_bins  # then each distance has its own bin
        table, first = _bin_table(np.cumsum(changes) if few else np.ceil(np.minimum(measure, 1) * n_bins))
        edges = np.append(np.maximum(first - 0.5, 0), n_cells) / np.float64(scale)
        return cls(Binning(table.astype(np.uint16), scale), edges)


def lca_rank(step: float) -> str:
    """Return the rank of the lowest common ancestor of two species at a tree distance in a taxonomy.

    Parameters
    ----------
    step : float
        Tree distance in ranks.

    Returns
    -------
    str
        A rank; ``root`` if they share no rank.

    Examples
    --------
    >>> lca_rank(0.0), lca_rank(2.0), lca_rank(7.0)
    ('species', 'family', 'root')
    """
    return RANKS[len(RANKS) - 1 - round(step)] if round(step) < len(RANKS) else "root"


def sampled_rows(n: int) -> np.ndarray:
    """Return up to `N_SAMPLED` numbers below n, evenly spaced.

    Parameters
    ----------
    n : int

    Returns
    -------
    ndarray of int

    Examples
    --------
    >>> sampled_rows(3).tolist()
    [0, 1, 2]
    """
    return np.unique(np.linspace(0, n - 1, N_SAMPLED).astype(int)) if n else np.zeros(0, dtype=int)


def _bin_table(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bin of each cell from ascending numbers, equal within a bin, and the first cell of each bin."""
    starts = np.append(True, place[1:] != place[:-1])
    return np.cumsum(starts) - 1, np.flatnonzero(starts)


def _clades(level: np.ndarray, n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the clade of each row starts and stops at each level; `level` is that of neighbouring rows."""
    n = len(level) + 1
    first, last = np.empty((2, n_levels, n), dtype=np.int64)
    for number in range(n_levels):
        cut = np.flatnonzero(level > number) + 1
        starts = np.concatenate([[0], cut, [n]])
        clade = np.searchsorted(cut, np.arange(n), side="right")
        first[number], last[number] = starts[clade], starts[clade + 1]
    return first, last
