"""One pass in blocks over the cosine distances of all rows, images or centroids, that never stores their matrix.

The rows stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`); where all tips
are equally deep, a clade is a slice of columns. A tile of distances is one float32 product. From each tile, every pair
is counted in a bin, and the counts of each anchor are reduced to its scores. The counts also give the scores without
each group of the jackknife, and those on trees over whose tips species are permuted.

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
from bioclip_probe.stats.sweep.anchors import AnchorScores, PermutedTips, score_anchors, score_permuted
from bioclip_probe.stats.sweep.binning import Bins, Levels
from bioclip_probe.stats.sweep.counting import JackknifeGroups, Totals, count_pairs
from bioclip_probe.stats.sweep.histograms import JointHistogram
from bioclip_probe.stats.sweep.points import BLOCK, DevicePoints, Points
from bioclip_probe.stats.sweep.replicates import Replicates
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
        Scores of each row as anchor, by level, see `scoring`. Rows that are left out are NaN. The shape is (0, …) if
        anchors are not scored.
    without_group : ndarray, shape (G, N_SCORES, L), float64
        Sums of the scores over anchors without each group of the jackknife: its rows are no anchors and no candidates.
    permuted : ndarray, shape (P, N_SCORES, L), float64
        Sums of the scores over some anchors, with species permuted over the tips.
    permuted_counts : ndarray, shape (P, L, b), float64
        Counts of the pairs of these anchors with all rows by level and coarse bin, with species permuted over the tips.
    tied : ndarray, shape (N_SCORES, L), float64
        Sums of the scores if all other rows were at one distance: the means over random orders.

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
    without_group: np.ndarray
    permuted: np.ndarray
    permuted_counts: np.ndarray
    tied: np.ndarray

    def __post_init__(self) -> None:
        arrays = {key: value for key, value in vars(self).items() if isinstance(value, np.ndarray)}
        for key, value in arrays.items():
            object.__setattr__(self, key, read_only(value))

    @property
    def sums(self) -> np.ndarray:
        """Sums of the scores over all anchors, shape (N_SCORES, L)."""
        return np.nansum(self.scores, axis=0)


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
    replicates: Replicates | None = None,
    anchors: bool = False,
    workers: SweepWorkers = DEFAULT_WORKERS,
) -> Sweep:
    """Look at every pair of rows once from either end, and return counts and scores.

    Parameters
    ----------
    rows : Rows
        Unit vectors at the tips of a tree; rows at no tip are left out.
    replicates : Replicates, optional
        The groups of the jackknife, and the permutations of species; by default all rows are in one group.
    anchors : bool
        Score each row as the anchor of all others.
    workers : SweepWorkers
        What computes the sweep.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        If species are permuted on a tree whose tips are not equally deep.

    Notes
    -----
    O(n² d) in float32; memory O(block·n) and 16·G·L·B bytes of counts for each thread, and a copy of the rows. Each
    anchor costs O(n + G·L·b) more for scores without each group, and O(P·(n + L·b)) more if it is one of those that are
    scored on permuted trees; b is the number of coarse bins, at most 128.

    Examples
    --------
    >>> from bioclip_probe.tree.tree import Placement, Tree
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype=np.float32)
    >>> sweep(Rows.images(vectors, Placement(tree, np.array([2, 3, 4])))).joint.counts.sum(axis=1).tolist()
    [0.0, 1.0, 2.0]
    """
    replicates = Replicates.none(len(rows.tips)) if replicates is None else replicates
    order = np.flatnonzero(rows.tips >= 0)
    order = order[np.lexsort((rows.vectors[order, 0], rows.tips[order]))]
    tips = rows.tips[order]
    points, levels = Points.of(rows.vectors, order), Levels.of(rows.tree, tips)
    with one_thread:
        bins = Bins.of(points, fine=not anchors and bool(levels.clades), block=workers.block)
    jackknife = JackknifeGroups.of(replicates.group[order], replicates.n_groups)
    species = _permuted_tips(rows, order, replicates, levels)
    inputs = SweepInputs(points, levels, bins, jackknife, species, anchors, workers.device, workers.block)
    result = _compute(inputs, workers)
    scores = np.full((len(rows.tips) if anchors else 0, *result.scores.shape[1:]), np.nan)
    scores[order if anchors else order[:0]] = result.scores
    tied = np.zeros(result.scores.shape[1:])
    score_sizes(np.ascontiguousarray(result.scores[:, SIZE]).astype(np.int64), inputs.harmonic, tied)
    joint = JointHistogram(levels.steps, bins.edges, result.by_group, result.within_group, levels.binned)
    without_group, permuted = _replicated_sums(result, replicates.n_groups)
    return Sweep(rows, joint, scores, without_group, permuted, result.permuted / 2, tied)


def _permuted_tips(rows: Rows, order: np.ndarray, replicates: Replicates, levels: Levels) -> PermutedTips:
    """Return the permutations of species for rows in some order."""
    first = last = np.zeros((len(levels.steps), 0), dtype=np.int64)
    if len(replicates.orders):
        if not levels.clades:
            raise ValueError("species can be permuted on a tree whose tips are equally deep only")
        first, last = Levels.of(rows.tree, np.arange(len(rows.tree.tips))).clades
    return PermutedTips(rows.tips[order], replicates.orders, first, last, replicates.anchors[order])


def _replicated_sums(result: SweepResult, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of scores without each group and on permuted trees, from those of each block.

    The former are moved by what the coarse bins change in the sums of all rows, so that they go with these.
    """
    sums = result.sums.sum(axis=0)
    without_group, permuted = sums[1 : 1 + n_groups], sums[1 + n_groups :]
    fine, coarse = result.scores.sum(axis=0), sums[0]
    ratio = np.divide(fine, coarse, out=np.ones_like(fine), where=coarse > 0)
    return without_group * ratio, permuted


class SweepResult(NamedTuple):
    """Results for a range of rows: counts, which are added, and scores, which are concatenated.

    Attributes
    ----------
    by_group, within_group : ndarray, shape (G, L, B), int64
    permuted : ndarray, shape (P, L, b), int64
    scores : ndarray, shape (rows, N_SCORES, L), float64
    sums : ndarray, shape (blocks, 1 + G + P, N_SCORES, L), float64
        Of each block on its own: added in the order of the blocks they have the same bits, whatever computed them.

    Examples
    --------
    >>> counts, scores = np.zeros((1, 2, 3), dtype=np.int64), np.zeros((4, 12, 2))
    >>> SweepResult(counts, counts, counts, scores, scores[None]).scores.shape
    (4, 12, 2)
    """

    by_group: np.ndarray
    within_group: np.ndarray
    permuted: np.ndarray
    scores: np.ndarray
    sums: np.ndarray


#: Number of the fields of a `SweepResult` that are added.
N_ADDED = 3


@dataclass(frozen=True, eq=False)
class SweepInputs:
    """Everything that is needed to compare any of the rows with all rows, in this process or another one.

    Attributes
    ----------
    points : Points
    levels : Levels
    bins : Bins
    groups : JackknifeGroups
    species : PermutedTips
    anchors : bool
    device : str, optional
    block : int

    Examples
    --------
    >>> from bioclip_probe.tree.tree import Tree
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> vectors, rows = np.eye(2, dtype=np.float32), np.arange(2)
    >>> points, groups = Points.of(vectors, rows), JackknifeGroups.of(np.zeros(2, dtype=np.int64), 1)
    >>> levels, bins = Levels.of(tree, rows), Bins.of(points, fine=False)
    >>> species = PermutedTips(rows, np.zeros((0, 2), dtype=np.int64), *levels.clades, np.zeros(2, dtype=bool))
    >>> inputs = SweepInputs(points, levels, bins, groups, species, False, None, block=2)
    >>> inputs.compare(0, 2).by_group.sum(axis=2).tolist()
    [[0, 2]]
    """

    points: Points
    levels: Levels
    bins: Bins
    groups: JackknifeGroups
    species: PermutedTips
    anchors: bool
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
        scores, sums = self._empty_results(start, stop)
        totals = [self._empty_totals() for _ in range(n_threads)]
        blocks = iter(range(start, stop, self.block))  # each thread that is free takes the next one

        def compare_blocks(total: Totals) -> None:
            """Compare blocks of rows with all rows until none is left."""
            for first, tile in points.tiles(self.block, blocks):
                bins, level = points.bins(tile, self.bins.binning), self.levels.of_rows(first, first + len(tile))
                count_pairs(bins, level, first, self.groups, total)
                if self.anchors:
                    own = scores[first - start : first - start + len(tile)], sums[(first - start) // self.block]
                    out = AnchorScores(self.harmonic, self.bins.coarse, *own)
                    score_anchors(bins, level, first, self.groups, out)
                    score_permuted(bins, first, self.species, total, out)

        with one_thread, ThreadPoolExecutor(n_threads) as pool:
            jobs = [pool.submit(compare_blocks, total) for total in totals]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                deque(blocks, maxlen=0)  # after an error, or Ctrl-C, no thread begins another block
            for job in jobs:
                job.result()
        by_group, within_group, permuted = (sum(arrays[1:], arrays[0]) for arrays in zip(*totals, strict=True))
        return SweepResult(by_group, within_group, permuted, scores, sums)

    def _empty_totals(self) -> Totals:
        """Return counts of no pairs."""
        by_group, within_group = np.zeros((2, *self.shape), dtype=np.int64)
        shape = (len(self.species.orders), self.shape[1], self.bins.n_coarse)
        return Totals(by_group, within_group, np.zeros(shape, dtype=np.int64))

    def _empty_results(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores of some rows, and their sums by block, to be filled."""
        n_rows, n_blocks = (stop - start, -(-(stop - start) // self.block)) if self.anchors else (0, 0)
        n_sums, of_anchor = 1 + self.shape[0] + len(self.species.orders), (N_SCORES, self.shape[1])
        return np.zeros((n_rows, *of_anchor)), np.zeros((n_blocks, n_sums, *of_anchor))


def _compute(inputs: SweepInputs, workers: SweepWorkers) -> SweepResult:
    """Return the results of all rows, computed in this process or by the workers of an executor."""
    n, block = len(inputs.points), inputs.block
    if workers.executor is None:
        n_threads = workers.n_threads or _threads(n)
        return inputs.compare(0, n, n_threads)
    least = PER_COUNT * 2 * math.prod(inputs.shape) / max(n * block, 1)
    ranges = [
        (blocks.start * block, min(blocks.stop * block, n)) for blocks in even_ranges(-(-n // block), math.ceil(least))
    ]
    with share_with_workers(inputs) as shared:
        results = ordered_results(workers.executor, _compare_range, [(shared, *rows) for rows in ranges])
        first = next(results)
        by_row = [first[N_ADDED:]]
        for result in results:
            for total, more in zip(first[:N_ADDED], result[:N_ADDED], strict=True):
                np.add(total, more, out=total)
            by_row.append(result[N_ADDED:])
    return SweepResult(*first[:N_ADDED], *(np.concatenate(column) for column in zip(*by_row, strict=True)))


def _compare_range(shared: SharedValue, start: int, stop: int) -> SweepResult:
    return shared.load().compare(start, stop)


def _threads(n: int) -> int:
    return 1 if n < 1000 else min(os.cpu_count() or 1, 8)
