"""The comparison of blocks of rows with all rows, in this process, by the workers of an executor, or on a device."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from threading import get_ident
from typing import NamedTuple

import numpy as np

from bioclip_probe.stats.sweep.anchors import AnchorScores, PairInputs, PermutedTips, compare_rows
from bioclip_probe.stats.sweep.binning import Bins, Levels
from bioclip_probe.stats.sweep.blocks import over_blocks, threads_of
from bioclip_probe.stats.sweep.copies import Copies
from bioclip_probe.stats.sweep.counting import JackknifeGroups, Totals
from bioclip_probe.stats.sweep.points import Points, Space
from bioclip_probe.stats.sweep.scoring import N_SCORES
from bioclip_probe.stats.sweep.selection import Found, Search, nearest_by_level
from bioclip_probe.stats.tasks import SharedValue, even_ranges, ordered_results, share_with_workers

#: Pairs that a task looks at for each count that it sends back, at least.
PER_COUNT = 4


class SpaceResult(NamedTuple):
    """Results for a range of rows in one space: counts, which are added, and more, which is concatenated.

    Attributes
    ----------
    by_group, within_group : ndarray, shape (G, L, B), int64
    permuted : ndarray, shape (P, L, b), int64
    scores : ndarray, shape (rows, N_SCORES, L), float64
    sums : ndarray, shape (blocks, 1 + G + P, N_SCORES, L), float64
        Of each block on its own: added in the order of the blocks they have the same bits, whatever computed them.
    n_neighbors, neighbor, distance, level : ndarray
        The nearest candidates of the rows, as `nearest_by_level` returns them; empty without a search.

    Examples
    --------
    >>> counts, scores, empty = np.zeros((1, 2, 3), dtype=np.int64), np.zeros((4, 12, 2)), np.zeros(0)
    >>> SpaceResult(counts, counts, counts, scores, scores[None], *[empty] * 4).scores.shape
    (4, 12, 2)
    """

    by_group: np.ndarray
    within_group: np.ndarray
    permuted: np.ndarray
    scores: np.ndarray
    sums: np.ndarray
    n_neighbors: np.ndarray
    neighbor: np.ndarray
    distance: np.ndarray
    level: np.ndarray

    @property
    def found(self) -> Found:
        """The nearest candidates."""
        return self.n_neighbors, self.neighbor, self.distance, self.level


#: Number of the fields of a `SpaceResult` that are added.
N_ADDED = 3
NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0), np.zeros(0, np.uint8))


@dataclass(frozen=True, eq=False)
class SpaceInputs:
    """The points of one space, and the questions that the sweep answers about them.

    Attributes
    ----------
    space : Space
    bins : Bins
    search : Search, optional
        A search for the nearest rows.
    kinship : ndarray, shape (L,), int64, optional
        The level of kinship, in the search, of rows at each level of tree distance; only a device needs it.

    Examples
    --------
    >>> points = Points.of(np.eye(2, dtype=np.float32), np.arange(2))
    >>> SpaceInputs(points.space, Bins.of(points, fine=False)).search is None
    True
    """

    space: Space
    bins: Bins
    search: Search | None = None
    kinship: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SweepInputs:
    """Everything that is needed to compare any of the rows with all rows, in this process or another one.

    Attributes
    ----------
    points : Points
    levels : Levels
    groups : JackknifeGroups
    species : PermutedTips
    copies : Copies
    spaces : tuple of SpaceInputs
        The spaces whose distances follow from the products of the points.
    anchors : bool
        Score each row as anchor.
    device : str
    block : int

    Examples
    --------
    >>> from bioclip_probe.tree.tree import Tree
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> vectors, rows = np.eye(2, dtype=np.float32), np.arange(2)
    >>> points, groups = Points.of(vectors, rows), JackknifeGroups.of(np.zeros(2, dtype=np.int64), 1)
    >>> levels, space = Levels.of(tree, rows), SpaceInputs(points.space, Bins.of(points, fine=False))
    >>> species = PermutedTips(rows, np.zeros((0, 2), dtype=np.int64), *levels.clades, np.zeros(2, dtype=bool))
    >>> inputs = SweepInputs(points, levels, groups, species, Copies.none(2), (space,), False, "cpu", block=2)
    >>> inputs.compare(0, 2)[0].by_group.sum(axis=2).tolist()
    [[0, 2]]
    """

    points: Points
    levels: Levels
    groups: JackknifeGroups
    species: PermutedTips
    copies: Copies
    spaces: tuple[SpaceInputs, ...]
    anchors: bool
    device: str
    block: int

    @cached_property
    def harmonic(self) -> np.ndarray:
        """Harmonic numbers from 0 to n, shape (n + 1,), float64."""
        return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, len(self.points) + 1))])

    def n_counts(self) -> int:
        """Return the number of counts of all spaces."""
        shape = len(self.groups.starts) - 1, len(self.levels.steps)
        return 2 * math.prod(shape) * sum(len(of.bins.edges) - 1 for of in self.spaces)

    def compare(self, start: int, stop: int, threads: int = 1) -> list[SpaceResult]:
        """Compare some rows with all rows.

        Parameters
        ----------
        start, stop : int
            The rows: the first, and one after the last. They are whole blocks.
        threads : int

        Returns
        -------
        list of SpaceResult
            One for each space.
        """
        results = [self.empty_results(start, stop) for _ in self.spaces]
        totals: dict[int, list[Totals]] = {}  # by thread
        compiled = [
            PairInputs(of.space, of.bins.binning, self.levels.table, self.groups, self.species) for of in self.spaces
        ]

        def compare_block(first: int, products: np.ndarray) -> list[Found]:
            """Compare a block of rows with all rows in each space, and return what was found."""
            found = []
            mine = totals.get(get_ident())
            if mine is None:
                mine = totals[get_ident()] = [self.empty_totals(of) for of in self.spaces]
            for of, inputs, total, (scores, sums) in zip(self.spaces, compiled, mine, results, strict=True):
                of_rows = scores[first - start : first - start + len(products)]
                of_block = sums[(first - start) // self.block] if self.anchors else scores
                out = AnchorScores(self.harmonic, of.bins.coarse, self.copies, of_rows, of_block)
                compare_rows(products, first, inputs, total, out, self.anchors)
                found.append(nearest_by_level(products, first, of.search) if of.search else NOTHING)
            return found

        found = list(over_blocks(self.points, range(start, stop, self.block), compare_block, threads))
        added = [self.empty_totals(of) for of in self.spaces]
        for mine in totals.values():
            for total, more in zip(added, mine, strict=True):
                for counts, of_thread in zip(total, more, strict=True):
                    np.add(counts, of_thread, out=counts)
        columns = [[np.concatenate(part) for part in zip(NOTHING, *of, strict=True)] for of in zip(*found, strict=True)]
        columns = columns or [list(NOTHING)] * len(self.spaces)
        return [SpaceResult(*of[0], *of[1], *of[2]) for of in zip(added, results, columns, strict=True)]

    def empty_totals(self, of: SpaceInputs) -> Totals:
        """Return counts of no pairs in one space.

        Parameters
        ----------
        of : SpaceInputs

        Returns
        -------
        Totals
        """
        n_groups, n_levels, n_orders = len(self.groups.starts) - 1, len(self.levels.steps), len(self.species.orders)
        by_group, within_group = np.zeros((2, n_groups, n_levels, len(of.bins.edges) - 1), dtype=np.int64)
        return Totals(by_group, within_group, np.zeros((n_orders, n_levels, of.bins.n_coarse), dtype=np.int64))

    def empty_results(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores of some rows, and their sums by block, to be filled.

        Parameters
        ----------
        start, stop : int
            As for `compare`.

        Returns
        -------
        scores : ndarray, shape (rows, N_SCORES, L), float64
            Of no rows if anchors are not scored.
        sums : ndarray, shape (blocks, 1 + G + P, N_SCORES, L), float64
        """
        n_rows, n_blocks = (stop - start, -(-(stop - start) // self.block)) if self.anchors else (0, 0)
        n_sums, of_anchor = len(self.groups.starts) + len(self.species.orders), (N_SCORES, len(self.levels.steps))
        return np.zeros((n_rows, *of_anchor)), np.zeros((n_blocks, n_sums, *of_anchor))


def compare_all(inputs: SweepInputs, executor: Executor | None, threads: int | None) -> list[SpaceResult]:
    """Return the results of all rows, computed in this process or by the workers of an executor.

    Parameters
    ----------
    inputs : SweepInputs
    executor : Executor, optional
    threads : int, optional
        Threads of this process.

    Returns
    -------
    list of SpaceResult
        One for each space.
    """
    n, block = len(inputs.points), inputs.block
    if executor is None:
        return inputs.compare(0, n, threads or threads_of(inputs.points, block))
    least = PER_COUNT * inputs.n_counts() / max(n * block, 1)
    ranges = [
        (blocks.start * block, min(blocks.stop * block, n)) for blocks in even_ranges(-(-n // block), math.ceil(least))
    ]
    with share_with_workers(inputs) as shared:
        results = ordered_results(executor, _compare_range, [(shared, *rows) for rows in ranges])
        first = next(results)
        by_row = [[of[N_ADDED:] for of in first]]
        for result in results:
            for total, of in zip(first, result, strict=True):
                for counts, more in zip(total[:N_ADDED], of[:N_ADDED], strict=True):
                    np.add(counts, more, out=counts)
            by_row.append([of[N_ADDED:] for of in result])
    return [
        SpaceResult(*total[:N_ADDED], *(np.concatenate(column) for column in zip(*parts, strict=True)))
        for total, parts in zip(first, zip(*by_row, strict=True), strict=True)
    ]


def _compare_range(shared: SharedValue, start: int, stop: int) -> list[SpaceResult]:
    return shared.load().compare(start, stop)
