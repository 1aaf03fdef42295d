"""One pass in blocks over the cosine distances of all rows, images or centroids, that never stores their matrix.

The rows stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`); where all tips
are equally deep, a clade is a slice of columns. A tile of distances is one float32 product. From each tile, every pair
is counted in a bin, the counts of each anchor are reduced to its scores, and its nearest rows are kept.

The distance of two unit vectors is ‖u − v‖²/2. Computed about the mean vector, it keeps its digits where embeddings
nearly coincide, as those of an untrained network do.
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
from bioclip_probe.stats.sweep.binning import Bins, Levels
from bioclip_probe.stats.sweep.counting import JackknifeGroups, Totals
from bioclip_probe.stats.sweep.histograms import JointHistogram
from bioclip_probe.stats.sweep.neighbors import Candidates
from bioclip_probe.stats.sweep.points import BLOCK, DevicePoints, Points
from bioclip_probe.stats.sweep.scoring import N_SCORES, SIZE, score_sizes
from bioclip_probe.stats.tasks import SharedValue, even_ranges, ordered_results, share_with_workers
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.tree.tree import read_only

#: Pairs that a task looks at for each count that it sends back, at least.
PER_COUNT = 4


@dataclass(frozen=True, eq=False)
class Sweep:
    """Result of one sweep over the pairs of some rows.

    Attributes
    ----------
    rows : Rows
        The n rows.
    joint : JointHistogram
        Counts of pairs by level of tree distance and bin of embedding distance.
    scores : ndarray, shape (n, N_SCORES, L), float64
        Scores of each row as anchor, by level: triplets in order whose nearer relative is at the level, half of those
        tied within a bin, average precision and R-precision where all rows up to the level are relevant, hierarchical
        AP (in column 0), and the number of rows at the level. Rows that are left out are NaN. The shape is (0, …) if
        anchors are not scored.
    chance : ndarray, the same shape
        The scores if all other rows were at one distance: the mean over random orders.
    indices, similarities : ndarray, shape (n, k)
        Nearest neighbours, see `nearest_neighbors`.
    groups : ndarray, shape (n,), int64
        Rows of one group are no neighbours of each other; -1 is no group.

    Examples
    --------
    >>> from bioclip_probe.tree.tree import Placement, Tree
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype=np.float32)
    >>> result = sweep(Rows.images(vectors, Placement(tree, np.array([2, 3, 4]))), anchors=True)
    >>> result.scores[:, 0].tolist()  # tips a and b are relatives, and each is nearer to the other than c is
    [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
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


@dataclass(frozen=True)
class SweepWorkers:
    """The workers of a sweep. It changes time and memory; the result does not depend on the number of workers.

    Attributes
    ----------
    executor : concurrent.futures.Executor, optional
        Its workers look at ranges of rows, each in one thread; by default the threads of this process do. The workers
        read shared arrays from the folder for temporary files. Where workers run on other machines, set ``TMPDIR`` to a
        folder that all machines see.
    device : str, optional
        A device of torch that multiplies and counts, e.g. ``cuda``; by default the processor, without torch.
    n_threads : int, optional
        Threads of this process; by default one for small work, else one per processor, at most 8.
    block : int
        Rows of a tile of distances.

    Examples
    --------
    >>> SweepWorkers(n_threads=2).block
    256
    """

    executor: Executor | None = None
    device: str | None = None
    n_threads: int | None = None
    block: int = BLOCK


DEFAULT_WORKERS = SweepWorkers()


def sweep(
    rows: Rows,
    jackknife_group: np.ndarray | None = None,
    anchors: bool = False,
    k: int = 0,
    groups: np.ndarray | None = None,
    workers: SweepWorkers = DEFAULT_WORKERS,
) -> Sweep:
    """Look at every pair of rows once from either end, and return counts, scores and nearest neighbours.

    Parameters
    ----------
    rows : Rows
        Unit vectors at the tips of a tree; rows at no tip are left out.
    jackknife_group : ndarray, shape (tips,), int64, optional
        The jackknife group of each tip, from 0 on; all in one by default.
    anchors : bool
        Score each row as the anchor of all others.
    k : int
        Number of nearest neighbours to find for each row.
    groups : ndarray, shape (n,), int64, optional
        Groups for the nearest neighbours only, see `nearest_neighbors`.
    workers : SweepWorkers
        What computes the sweep.

    Returns
    -------
    Sweep

    Notes
    -----
    O(n² d) in float32; memory O(block·n) and 16·G·L·B bytes of counts for each thread, and a copy of the rows.

    Examples
    --------
    >>> from bioclip_probe.tree.tree import Placement, Tree
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype=np.float32)
    >>> result = sweep(Rows.images(vectors, Placement(tree, np.array([2, 3, 4]))), k=1)
    >>> result.joint.counts.sum(axis=1).tolist(), result.indices.ravel().tolist()
    ([0.0, 1.0, 2.0], [1, 0, 1])
    """
    order = np.flatnonzero(rows.tips >= 0)
    order = order[np.lexsort((rows.vectors[order, 0], rows.tips[order]))]
    tips = rows.tips[order]
    points, levels = Points.of(rows.vectors, order), Levels.of(rows.tree, tips)
    with one_thread:
        bins = Bins.of(points, fine=not anchors and bool(levels.clades), block=workers.block)
    group_of_row = np.zeros(len(tips), dtype=np.int64) if jackknife_group is None else jackknife_group[tips]
    jackknife = JackknifeGroups.of(group_of_row)
    candidates = Candidates.of(rows.vectors, order, k, groups)
    inputs = SweepInputs(points, levels, bins, jackknife, anchors, candidates, workers.device, workers.block)
    result = _compute(inputs, workers)
    chance = np.full_like(result.scores, np.nan)
    score_sizes(np.ascontiguousarray(result.scores[:, SIZE]).astype(np.int64), inputs.harmonic, chance)
    scores = np.full((2, len(rows.tips) if anchors else 0, *chance.shape[1:]), np.nan)
    scores[:, order if anchors else order[:0]] = result.scores, chance
    indices, similarities = candidates.empty_results(len(rows.tips))
    indices[order], similarities[order] = result.indices, result.similarities
    joint = JointHistogram(levels.steps, bins.edges, result.by_group, result.within_group, levels.binned)
    no_groups = np.full(len(rows.tips), -1)
    return Sweep(rows, joint, scores[0], scores[1], indices, similarities, no_groups if groups is None else groups)


class SweepResult(NamedTuple):
    """Results for a range of rows: counts, which are added, and scores and neighbours, which are concatenated.

    Attributes
    ----------
    by_group, within_group : ndarray, shape (G, L, B), int64
    scores : ndarray, shape (rows, N_SCORES, L), float64
    indices, similarities : ndarray, shape (rows, k)

    Examples
    --------
    >>> counts = np.zeros((1, 2, 3), dtype=np.int64)
    >>> SweepResult(counts, counts, np.zeros((4, 7, 2)), np.zeros((4, 1), int), np.zeros((4, 1))).scores.shape
    (4, 7, 2)
    """

    by_group: np.ndarray
    within_group: np.ndarray
    scores: np.ndarray
    indices: np.ndarray
    similarities: np.ndarray


@dataclass(frozen=True, eq=False)
class SweepInputs:
    """Everything that is needed to compare any of the rows with all rows, in this process or another one.

    Attributes
    ----------
    points : Points
    levels : Levels
    bins : Bins
    groups : JackknifeGroups
    anchors : bool
    candidates : Candidates
    device : str, optional
    block : int

    Examples
    --------
    >>> from bioclip_probe.tree.tree import Tree
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> vectors, rows = np.eye(2, dtype=np.float32), np.arange(2)
    >>> points, groups = Points.of(vectors, rows), JackknifeGroups.of(np.zeros(2, dtype=np.int64))
    >>> bins, candidates = Bins.of(points, fine=False), Candidates.of(vectors, rows, 0, None)
    >>> inputs = SweepInputs(points, Levels.of(tree, rows), bins, groups, False, candidates, None, block=2)
    >>> inputs.compare(0, 2).by_group.sum(axis=2).tolist()
    [[0, 2]]
    """

    points: Points
    levels: Levels
    bins: Bins
    groups: JackknifeGroups
    anchors: bool
    candidates: Candidates
    device: str | None
    block: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of jackknife groups, levels and bins."""
        return len(self.groups.starts) - 1, len(self.levels.steps), len(self.bins.edges) - 1

    @cached_property
    def harmonic(self) -> np.ndarray:
        """Harmonic numbers from 0 to n, shape (n + 1,), float64."""
        return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(self.points) + 1))])

    def compare(self, start: int, stop: int, n_threads: int = 1) -> SweepResult:
        """Compare some rows with all rows.

        Parameters
        ----------
        start, stop : int
            The rows: the first, and one after the last. They are whole blocks.
        n_threads : int

        Returns
        -------
        SweepResult

        Notes
        -----
        A block is one product by one thread, whichever thread computes it, so it always has the same bits.
        """
        points = self.points if self.device is None else DevicePoints.on(self.device, self.points)
        nearest = self.candidates.empty_results(len(points))
        scores = np.empty((len(points) if self.anchors else 0, N_SCORES, self.shape[1]))
        totals = [
            Totals(np.zeros(self.shape, np.int64), np.zeros(self.shape, np.int64), self.harmonic, scores)
            for _ in range(n_threads)
        ]
        blocks = iter(range(start, stop, self.block))  # each thread that is free takes the next one

        def compare_blocks(total: Totals) -> None:
            """Compare blocks of rows with all rows until none is left."""
            for first, tile in points.tiles(self.block, blocks):
                level = self.levels.of_rows(first, first + len(tile))
                points.tally(first, tile, level, self.bins.binning, self.groups, total)
                self.candidates.update(first, tile, points, nearest)

        with one_thread, ThreadPoolExecutor(n_threads) as pool:
            jobs = [pool.submit(compare_blocks, total) for total in totals]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                deque(blocks, maxlen=0)  # after an error, or Ctrl-C, no thread begins another block
            for job in jobs:
                job.result()
        by_group = sum((total.by_group for total in totals), np.zeros(self.shape, dtype=np.int64))
        within_group = sum((total.within_group for total in totals), np.zeros(self.shape, dtype=np.int64))
        return SweepResult(by_group, within_group, *(rows[start:stop] for rows in (scores, *nearest)))


def _compute(inputs: SweepInputs, workers: SweepWorkers) -> SweepResult:
    """Return the results of all rows, computed in this process or by the workers of an executor."""
    n, block = len(inputs.points), inputs.block
    if workers.executor is None:
        n_threads = workers.n_threads or (1 if workers.device else _threads(n))
        return inputs.compare(0, n, n_threads)
    least = PER_COUNT * 2 * math.prod(inputs.shape) / max(n * block, 1)
    ranges = [
        (blocks.start * block, min(blocks.stop * block, n)) for blocks in even_ranges(-(-n // block), math.ceil(least))
    ]
    with share_with_workers(inputs) as shared:
        results = ordered_results(workers.executor, _compare_range, [(shared, *rows) for rows in ranges])
        first = next(results)
        by_row = [first[2:]]
        for result in results:
            np.add(first.by_group, result.by_group, out=first.by_group)
            np.add(first.within_group, result.within_group, out=first.within_group)
            by_row.append(result[2:])
    return SweepResult(*first[:2], *(np.concatenate(column) for column in zip(*by_row, strict=True)))


def _compare_range(shared: SharedValue, start: int, stop: int) -> SweepResult:
    return shared.load().compare(start, stop)


def _threads(n: int) -> int:
    return 1 if n < 1000 else min(os.cpu_count() or 1, 8)
