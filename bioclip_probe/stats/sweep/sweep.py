"""Pass two: one blocked sweep over the cosine distances of all rows, images or centroids, that never stores the matrix.

The rows stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`), and where all
tips are equally deep a clade is a slice of columns. A tile of distances is one float32 product; as it goes by, each
pair is counted in a bin, each anchor's counts are reduced to its scores, and its nearest rows are noted.

The distance of two unit vectors is ‖u − v‖²/2. Taken about the mean vector it keeps its digits where embeddings nearly
coincide, as those of an untrained network do.
"""

from __future__ import annotations

import math
import os
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.counting import (
    N_SCORES,
    SIZE,
    Binning,
    JackknifeGroups,
    Totals,
    fill_levels,
    fill_slices,
    score_sizes,
)
from bioclip_probe.stats.sweep.histograms import JointHistogram
from bioclip_probe.stats.sweep.neighbours import Candidates
from bioclip_probe.stats.sweep.points import BLOCK, DevicePoints, Points
from bioclip_probe.stats.tasks import SharedValue, even_ranges, ordered_results, shared_with_workers
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.distances import neighbour_mrca_depths
from bioclip_probe.tree.tree import Tree, read_only

#: Bins of embedding distance at most where each anchor is scored or levels are many, and elsewhere. See `Bins`.
N_BINS, N_FINE_BINS = 2048, 16_384
#: Levels of tree distance at most; on a tree with more distances each level holds an equal share of the pairs.
N_LEVELS = 64
#: Cells of either distance that bins are made of; the finer ones with the finer bins.
N_TREE_CELLS, N_CELLS, N_FINE_CELLS = 2**16, 2**16, 2**20
#: Rows whose distances to all others decide where bins lie.
N_SAMPLED = 512
#: On a tree whose tips are equally deep and meet at no more depths, clades are slices of rows.
MOST_CLADES = 16
#: Pairs that a task looks at for each count that it sends back, at least.
PER_COUNT = 4
EVEN = 1e-9  # tips whose depths differ by less, relatively, are equally deep


@dataclass(frozen=True, eq=False)
class Sweep:
    """What one sweep over the pairs of some rows found.

    Attributes
    ----------
    rows : Rows
    joint : JointHistogram
    scores : ndarray, shape (n, N_SCORES, L), float64
        Of each row as anchor, by level, in the order of `rows`: triplets in order whose nearer relative is at the
        level, half of those tied within_group a bin, average precision and R-precision where all up to the level are
        relevant, hierarchical AP (in column 0), and rows at the level. Rows left out are NaN; shape (0, …) if not
        asked for.
    chance : ndarray, the same shape
        The same if all others were equally far: the mean over random orders.
    indices, similarities : ndarray, shape (n, k)
        As `nearest_neighbours` has them.
    groups : ndarray, shape (n,), int64
        Rows of one group are no neighbours of each other; -1 is none.
    """

    rows: Rows
    joint: JointHistogram
    scores: np.ndarray
    chance: np.ndarray
    indices: np.ndarray
    similarities: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        for key in ("scores", "chance", "indices", "similarities", "groups"):
            object.__setattr__(self, key, read_only(getattr(self, key)))


def sweep(
    rows: Rows,
    part: np.ndarray | None = None,
    anchors: bool = False,
    k: int = 0,
    groups: np.ndarray | None = None,
    device: str | None = None,
    executor: Executor | None = None,
) -> Sweep:
    """SweepInputs at every pair of rows once from either end.

    Parameters
    ----------
    rows : Rows
        Unit vectors at the tips of a tree; those at no tip are left out.
    part : ndarray, shape (tips,), int64, optional
        The part of each tip that a jackknife leaves out together, from 0 on; all in one by default.
    anchors : bool
        Score each row as the anchor of all others.
    k : int
        Nearest rows to find for each row.
    groups : ndarray, shape (n,), int64, optional
        As for `nearest_neighbours`; it concerns the nearest rows only.
    device : str, optional
        A device of torch that multiplies and counts, e.g. ``cuda``; the processor without torch by default.
    executor : concurrent.futures.Executor, optional
        Its workers look at runs of rows, each by one thread; the threads of this process do by default. They find what
        is handed over in the folder for temporary files: where they are on other machines, set ``TMPDIR`` to one that
        all see.

    Notes
    -----
    O(n² d) in float32; memory O(block·n) and 16·G·L·B bytes of counts for each thread, beside a copy of the rows. The
    result does not hang on how many threads or workers there are.
    """
    order = np.flatnonzero(rows.tips >= 0)
    order = order[np.lexsort((rows.vectors[order, 0], rows.tips[order]))]
    tips = rows.tips[order]
    points, levels = Points.of(rows.vectors, order), Levels.of(rows.tree, tips)
    with one_thread:
        bins = Bins.of(points, fine=not anchors and bool(levels.clades))
    parts = _parts(np.zeros(len(tips), dtype=np.int64) if part is None else part[tips])
    near = Candidates.of(rows.vectors, order, k, groups)
    look = SweepInputs(points, levels, bins, parts, anchors, near, device)
    found = _found(look, executor)
    chance = np.full_like(found.scores, np.nan)
    score_sizes(np.ascontiguousarray(found.scores[:, SIZE]).astype(np.int64), look.harmonic, chance)
    scores = np.full((2, len(rows.tips) if anchors else 0, *chance.shape[1:]), np.nan)
    scores[:, order if anchors else order[:0]] = found.scores, chance
    nearest = near.empty_results(len(rows.tips))
    for whole, own in zip(nearest, (found.indices, found.similarities), strict=True):
        whole[order] = own
    joint = JointHistogram(levels.steps, bins.edges, found.by_group, found.within_group, levels.binned)
    alone = np.full(len(rows.tips), -1)
    return Sweep(rows, joint, *scores, *nearest, alone if groups is None else groups)


class SweepResult(NamedTuple):
    """What the rows of a run see: counts to be added, and rows to be joined to those of the next run."""

    by_group: np.ndarray
    within_group: np.ndarray
    scores: np.ndarray
    indices: np.ndarray
    similarities: np.ndarray


@dataclass(frozen=True, eq=False)
class SweepInputs:
    """All that it takes to look at every pair from the end of any of the rows, here or in another process."""

    points: Points
    levels: Levels
    bins: Bins
    parts: JackknifeGroups
    anchors: bool
    near: Candidates
    device: str | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """JackknifeGroups, levels, bins."""
        return len(self.parts.starts) - 1, len(self.levels.steps), len(self.bins.edges) - 1

    @cached_property
    def harmonic(self) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(self.points) + 1))])

    def at(self, start: int, stop: int, n_threads: int = 1) -> SweepResult:
        """From the rows `start` to `stop`, which are whole blocks.

        A block is one product by one thread, whoever asks for it: so it has the same bits.
        """
        points = self.points if self.device is None else DevicePoints.on(self.device, self.points)
        nearest = self.near.empty_results(len(points))
        scores = np.empty((len(points) if self.anchors else 0, N_SCORES, self.shape[1]))
        totals = [Totals(*np.zeros((2, *self.shape), dtype=np.int64), self.harmonic, scores) for _ in range(n_threads)]
        blocks = iter(range(start, stop, BLOCK))  # the next one to whoever is free

        def share(total: Totals) -> None:
            for first, tile in points.tiles(BLOCK, blocks):
                level = self.levels.of_rows(first, first + len(tile))
                points.tally(first, tile, level, self.bins.binning, self.parts, total)
                self.near.update(first, tile, points, nearest)

        with one_thread, ThreadPoolExecutor(n_threads) as pool:
            jobs = [pool.submit(share, total) for total in totals]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                deque(blocks, maxlen=0)  # after an error, or Ctrl-C, no thread begins another one
            for job in jobs:
                job.result()
        by_group, within_group = (sum(getattr(total, key) for total in totals) for key in ("by_group", "within_group"))
        return SweepResult(by_group, within_group, *(rows[start:stop] for rows in (scores, *nearest)))


def _found(look: SweepInputs, executor: Executor | None) -> SweepResult:
    """What all rows see, looked at here or by the workers of an executor."""
    n = len(look.points)
    if executor is None:
        return look.at(0, n, 1 if look.device else _threads(n))
    least = PER_COUNT * 2 * math.prod(look.shape) / max(n * BLOCK, 1)
    tasks = [
        (blocks.start * BLOCK, min(blocks.stop * BLOCK, n)) for blocks in even_ranges(-(-n // BLOCK), math.ceil(least))
    ]
    with shared_with_workers(look) as handed:
        found = ordered_results(executor, _look_at, [(handed, *task) for task in tasks])
        first = next(found)
        rows = [first[2:]]
        for more in found:
            for whole, own in zip(first[:2], more[:2], strict=True):
                whole += own
            rows.append(more[2:])
    return SweepResult(*first[:2], *(np.concatenate(column) for column in zip(*rows, strict=True)))


def _look_at(handed: SharedValue, start: int, stop: int) -> SweepResult:
    return handed.load().at(start, stop)


def lca_rank(step: float) -> str:
    """The rank of the lowest common ancestor of two species `step` ranks apart; ``root`` if they share none."""
    return RANKS[len(RANKS) - 1 - round(step)] if round(step) < len(RANKS) else "root"


def _threads(n: int) -> int:
    return 1 if n < 1000 else min(os.cpu_count() or 1, 8)


def _parts(part: np.ndarray) -> JackknifeGroups:
    members = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[members], np.arange(int(part.max(initial=-1)) + 2))
    return JackknifeGroups(part.astype(np.int64), members, starts)


@dataclass(frozen=True, eq=False)
class Levels:
    """Tree distance between rows in tree order, as levels from 0 on.

    Attributes
    ----------
    steps : ndarray, shape (L,), float64
        Tree distance at each level; where `binned`, the least of those that share it.
    binned : bool
        Several distances share a level.
    depth : ndarray, shape (n,), float64
        Of each row's tip.
    between : ndarray, shape (n - 1,), float64
        Depth of the common ancestor of each row and the next one.
    binning : Binning
        Level of each cell of tree distance.
    clades : tuple of two ndarrays, shape (L, n), int64
        Where each row's clade of each level starts and stops; empty unless all tips are equally deep.
    """

    steps: np.ndarray
    binned: bool
    depth: np.ndarray
    between: np.ndarray
    binning: Binning
    clades: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, tree: Tree, tips: np.ndarray) -> Levels:
        """Of rows at these tips, ascending; every tip has a row."""
        depth = tree.depth[tree.tips][tips]
        between = depth[:-1].copy()
        between[tips[1:] > tips[:-1]] = neighbour_mrca_depths(tree)
        highest = 2 * float(depth.max(initial=0)) or 1.0
        binning = Binning(np.arange(N_TREE_CELLS, dtype=np.uint16), np.float32((N_TREE_CELLS - 1) / highest))
        if not len(depth) or np.ptp(depth) <= EVEN * highest:
            # Two rows meet where two neighbours between them do: no other distance can occur.
            apart = np.append(0.0, 2 * (depth[:1] - between))
            _, first, met = np.unique(np.round(apart / highest, 9), return_index=True, return_inverse=True)
            if len(first) <= MOST_CLADES:
                return cls(apart[first], False, depth, between, binning, _clades(met[1:], len(first)))
        counts = np.zeros(N_TREE_CELLS, dtype=np.int64)
        for i in _sampled(len(tips)):
            row = np.empty((1, len(tips)), dtype=np.uint16)
            fill_levels(i, between, depth, *binning, row)
            counts += np.bincount(row[0], minlength=N_TREE_CELLS)
        met = counts > 0
        few = met.sum() <= N_LEVELS
        table, first = _table(np.cumsum(met) if few else np.ceil(np.cumsum(counts) / counts.sum() * N_LEVELS))
        binned = not few or len(tips) > N_SAMPLED
        steps = first / np.float64(binning.scale)
        return cls(steps, binned, depth, between, Binning(table.astype(np.uint8), binning.scale), ())

    def between_tips(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Level of pairs of rows, from their clades: how many of the clades of `a` the other is outside of."""
        first, last = self.clades
        return ((b < first[:, a]) | (b >= last[:, a])).sum(axis=0)

    def of_rows(self, start: int, stop: int) -> np.ndarray:
        """Level of rows `start` to `stop` and all rows, shape (stop - start, n), uint8."""
        levels = np.empty((stop - start, len(self.depth)), dtype=np.uint8)
        if self.clades:
            fill_slices(start, *self.clades, levels)
        else:
            fill_levels(start, self.between, self.depth, *self.binning, levels)
        return levels


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of cosine distance, narrow where distances are many and where they are small.

    Attributes
    ----------
    binning : Binning
    edges : ndarray, shape (B + 1,), float64

    Notes
    -----
    Cells of equal width are put together so that a bin holds a B-th of the mean of three measures, taken from up to
    `N_SAMPLED` rows: the share of pairs (ties cost a rank correlation the same everywhere), the logarithm of an
    anchor's rank (precision at the top of its list), and the width itself (quantiles).
    """

    binning: Binning
    edges: np.ndarray

    @classmethod
    def of(cls, points: Points, fine: bool) -> Bins:
        n_bins, n_cells = (N_FINE_BINS, N_FINE_CELLS) if fine else (N_BINS, N_CELLS)
        scale = np.float32(n_cells / points.widest)
        counts = np.zeros(n_cells, dtype=np.int64)
        sampled = _sampled(len(points))
        for start in range(0, len(sampled), BLOCK):
            rows = sampled[start : start + BLOCK]
            tile = points.distances(rows)
            cells = np.clip(tile * scale + np.float32(0.5), 0, n_cells - 1).astype(np.int64)
            cells[np.arange(len(rows)), rows] = -1  # itself
            counts += np.bincount(cells.ravel() + 1, minlength=n_cells + 1)[1:]
        below = np.cumsum(counts)
        met = np.flatnonzero(counts)
        if not len(met):
            met = np.array([0])
        width = np.clip((np.arange(n_cells) - met[0]) / (met[-1] - met[0] + 1), 0, 1)
        rank = np.log1p(below / max(len(sampled), 1)) / np.log1p(max(len(points) - 1, 1))
        measure = (below / max(below[-1], 1) + rank + width) / 3
        changes = (counts > 0) | (np.append(0, counts[:-1]) > 0)
        few = changes.sum() < n_bins  # each distance has a bin of its own
        table, first = _table(np.cumsum(changes) if few else np.ceil(np.minimum(measure, 1) * n_bins))
        edges = np.append(np.maximum(first - 0.5, 0), n_cells) / np.float64(scale)
        return cls(Binning(table.astype(np.uint16), scale), edges)


def _sampled(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, N_SAMPLED).astype(int)) if n else np.zeros(0, dtype=int)


def _table(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each cell from any ascending numbers, and the first cell of each bin."""
    _, first, table = np.unique(place, return_index=True, return_inverse=True)
    return table, first


def _clades(met: np.ndarray, n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each row's clade of each level starts and stops; `met` is the level at which neighbours meet."""
    n = len(met) + 1
    first, last = np.empty((2, n_levels, n), dtype=np.int64)
    for level in range(n_levels):
        cut = np.flatnonzero(met > level) + 1
        starts = np.concatenate([[0], cut, [n]])
        clade = np.searchsorted(cut, np.arange(n), side="right")
        first[level], last[level] = starts[clade], starts[clade + 1]
    return first, last
