"""One pass in blocks over the cosine distances of all rows, images or centroids, that never stores their matrix.

The rows stand in tree order, so row i of the tree distance is a running minimum (see `tree.distances`); where all tips
are equally deep, a clade is a slice of columns. A tile of distances is one float32 product. From each tile, every pair
is counted in a bin, and the counts of each anchor are reduced to its scores. The counts also give the scores without
each group of the jackknife, and those on trees over whose tips species are permuted.

The distance of two unit vectors is ‖u − v‖²/2. Computed about the mean vector, it keeps its digits where embeddings
nearly coincide, as those of an untrained network do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.devices import CPU, uses_torch
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.anchors import PermutedTips
from bioclip_probe.stats.sweep.binning import Bins, Levels, sampled_rows
from bioclip_probe.stats.sweep.comparison import SpaceInputs, SpaceResult, SweepInputs, compare_all
from bioclip_probe.stats.sweep.copies import Copies
from bioclip_probe.stats.sweep.counting import JackknifeGroups
from bioclip_probe.stats.sweep.device import compare_on_device
from bioclip_probe.stats.sweep.histograms import JointHistogram
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists
from bioclip_probe.stats.sweep.points import BLOCK, SpacesOfPoints
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.stats.sweep.scoring import SIZE, score_sizes
from bioclip_probe.stats.sweep.search import NeighborSearch, search_spaces
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.tree.tree import read_only


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
        Scores of each row as anchor, by level, see `scoring`, without its own copies. Rows that are left out are NaN.
        The shape is (0, …) if anchors are not scored.
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
    device : str
        ``cpu``, or the device of torch that does everything, e.g. ``cuda``.
    n_threads : int, optional
        Threads of this process; by default one for small work, else one per processor.
    block : int
        Rows of a tile of distances.

    Examples
    --------
    >>> SweepWorkers(n_threads=2).block
    256
    """

    executor: Executor | None = None
    device: str = CPU
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
    return sweep_spaces([rows], replicates, anchors, workers=workers)[0][0]


def sweep_spaces(
    spaces: Sequence[Rows],
    replicates: Replicates | None = None,
    anchors: bool = False,
    search: NeighborSearch | None = None,
    workers: SweepWorkers = DEFAULT_WORKERS,
    copies: np.ndarray | None = None,
) -> tuple[list[Sweep], list[NeighborLists]]:
    """Look at every pair of rows once from either end, in several spaces and for their nearest neighbours too.

    Parameters
    ----------
    spaces : sequence of Rows
        The same rows at the same tips with other vectors, e.g. raw and centred.
    replicates, anchors, workers
        As for `sweep`.
    search : NeighborSearch, optional
        A search for the nearest of all rows at a tip, in the first space.
    copies : ndarray, shape (n,), int64, optional
        Number of the picture that several rows show; -1 for a row without a copy. An anchor is scored without its own
        copies; all pairs are counted.

    Returns
    -------
    sweeps : list of Sweep
        One for each space.
    lists : list of NeighborLists
        One for each space, from the same products if there is a search; none otherwise.

    Raises
    ------
    ValueError
        If species are permuted on a tree whose tips are not equally deep.

    Notes
    -----
    One product serves all spaces if the vectors of each are those of the first, centred: less the mean of all rows, at
    norm 1. In other spaces another sweep looks at the pairs again.
    """
    first = spaces[0]
    replicates = Replicates.none(len(first.tips)) if replicates is None else replicates
    order = _order(first, search)
    products = SpacesOfPoints.of([rows.vectors for rows in spaces], order)
    if products is None:
        of_each = [search and search.in_space(rows.vectors) for rows in spaces]
        each = [
            sweep_spaces([rows], replicates, anchors, own, workers, copies)
            for rows, own in zip(spaces, of_each, strict=True)
        ]
        return [one for sweeps, _ in each for one in sweeps], [one for _, lists in each for one in lists]
    levels = Levels.of(first.tree, first.tips[order])
    if search and uses_torch(workers.device) and search.kinship(levels) is None:
        sweeps, _ = sweep_spaces(spaces, replicates, anchors, workers=workers, copies=copies)
        return sweeps, search_spaces(search, [rows.vectors for rows in spaces], workers.device)
    searches = [search.in_space(rows.vectors) for rows in spaces] if search else []
    inputs = SweepInputs(
        products.points,
        levels,
        JackknifeGroups.of(replicates.group[order], replicates.n_groups),
        _permuted_tips(first, order, replicates, levels),
        Copies.none(len(order)) if copies is None else Copies.of(copies[order]),
        tuple(_space_inputs(products, searches, levels, anchors, _sampled(spaces, order))),
        anchors,
        workers.device,
        workers.block,
    )
    on_device = uses_torch(workers.device) and len(order)
    results = compare_on_device(inputs) if on_device else compare_all(inputs, workers.executor, workers.n_threads)
    sweeps = [_sweep_of(*of, order, inputs) for of in zip(spaces, results, inputs.spaces, strict=True)]
    return sweeps, [one.lists([result.found]) for one, result in zip(searches, results, strict=False)]


def _space_inputs(
    products: SpacesOfPoints,
    searches: Sequence[NeighborSearch],
    levels: Levels,
    anchors: bool,
    sampled: Sequence[np.ndarray],
) -> Iterator[SpaceInputs]:
    """Yield what is looked for in each space."""
    fine = not anchors and bool(levels.clades)
    for number, of in enumerate(zip(products.spaces, products.bounds, products.slacks, strict=True)):
        space, bound, slack = of
        with one_thread:
            bins = Bins.of(products.points, fine, sampled[number], space, bound)
        if searches:
            kinship = searches[number].kinship(levels) if levels.clades else None
            yield SpaceInputs(space, bins, searches[number].on_rows(space, slack), kinship)
        else:
            yield SpaceInputs(space, bins)


def _sampled(spaces: Sequence[Rows], order: np.ndarray) -> list[np.ndarray]:
    """Return the rows that decide where the bins of each space lie, whatever the order of the rows of a tip is."""
    sorted_rows = (np.lexsort((rows.vectors[order, 0], rows.tips[order])) for rows in spaces)
    return [of_space[sampled_rows(len(order))] for of_space in sorted_rows]


def _order(rows: Rows, search: NeighborSearch | None) -> np.ndarray:
    """Return the rows at tips in tree order; those of a tip are in the order of the search, if there is one."""
    if search is not None:
        order = search.order
        if len(order) != np.sum(rows.tips >= 0) or np.any(np.diff(rows.tips[order], prepend=0) < 0):
            raise ValueError("expected a search among the rows at tips")
        return order
    order = np.flatnonzero(rows.tips >= 0)
    return order[np.lexsort((rows.vectors[order, 0], rows.tips[order]))]


def _sweep_of(rows: Rows, result: SpaceResult, of: SpaceInputs, order: np.ndarray, inputs: SweepInputs) -> Sweep:
    """Return the result in one space."""
    levels, n_groups = inputs.levels, len(inputs.groups.starts) - 1
    scores = np.full((len(rows.tips) if inputs.anchors else 0, *result.scores.shape[1:]), np.nan)
    scores[order if inputs.anchors else order[:0]] = result.scores
    tied = np.zeros(result.scores.shape[1:])
    score_sizes(np.ascontiguousarray(result.scores[:, SIZE]).astype(np.int64), inputs.harmonic, tied)
    joint = JointHistogram(levels.steps, of.bins.edges, result.by_group, result.within_group, levels.binned)
    without_group, permuted = _replicated_sums(result, n_groups)
    return Sweep(rows, joint, scores, without_group, permuted, result.permuted / 2, tied)


def _permuted_tips(rows: Rows, order: np.ndarray, replicates: Replicates, levels: Levels) -> PermutedTips:
    """Return the permutations of species for rows in some order."""
    first = last = np.zeros((len(levels.steps), 0), dtype=np.int64)
    if len(replicates.orders):
        if not levels.clades:
            raise ValueError("species can be permuted on a tree whose tips are equally deep only")
        first, last = Levels.of(rows.tree, np.arange(len(rows.tree.tips))).clades
    return PermutedTips(rows.tips[order], replicates.orders, first, last, replicates.anchors[order])


def _replicated_sums(result: SpaceResult, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of scores without each group and on permuted trees, from those of each block.

    The former are moved by what the coarse bins change in the sums of all rows, so that they go with these.
    """
    sums = result.sums.sum(axis=0)
    without_group, permuted = sums[1 : 1 + n_groups], sums[1 + n_groups :]
    fine, coarse = result.scores.sum(axis=0), sums[0]
    ratio = np.divide(fine, coarse, out=np.ones_like(fine), where=coarse > 0)
    return without_group * ratio, permuted
