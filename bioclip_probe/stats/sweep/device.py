"""The comparison of rows with all rows on a device of torch: counts, scores and candidates, of which only sums return.

The steps are those of `anchors` and `scoring`, for a block of rows at once. Counting is one addition into a table for
each pair. The counts of an anchor tell how far its nearest rows lie at each level, so that they need no sorting: the
few rows within that distance go to the processor, which compares them in float64.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from bioclip_probe.stats.devices import free_bytes, tensor
from bioclip_probe.stats.sweep import binning
from bioclip_probe.stats.sweep.anchors import PermutedTips
from bioclip_probe.stats.sweep.comparison import NOTHING, SpaceInputs, SpaceResult, SweepInputs
from bioclip_probe.stats.sweep.device_scores import scores_of_counts
from bioclip_probe.stats.sweep.scoring import N_SCORES
from bioclip_probe.stats.sweep.selection import Found, nearest_by_level, select_nearest
from bioclip_probe.stats.threads import n_threads

if TYPE_CHECKING:
    import torch

#: Rows of a block, at most.
MOST_ROWS = 2048
#: Bytes that a pair of rows takes while it is counted, and a count while it is scored.
BYTES_OF_PAIR, BYTES_OF_COUNT = 64, 96
#: Rows whose nearest candidates one thread selects at once.
SELECTED_AT_ONCE = 128
#: Pairs on permuted trees that are counted at once.
MOST_PERMUTED = 2**26


def compare_on_device(inputs: SweepInputs) -> list[SpaceResult]:
    """Compare all rows with all rows on the device of the inputs.

    Parameters
    ----------
    inputs : SweepInputs

    Returns
    -------
    list of SpaceResult
        One for each space, with a single block of sums.

    Notes
    -----
    The numbers are those of ``inputs.compare`` to rounding: pairs next to the edge of a bin may move to the next one.
    """
    n, device = len(inputs.points), inputs.device
    data, levels = tensor(inputs.points.data[:, :-2], device), _Levels(inputs)
    rows_at_once = _rows_at_once(inputs)
    with ThreadPoolExecutor(n_threads(n**2)) as pool:
        spaces = [_SpaceOnDevice(inputs, of, pool) for of in inputs.spaces]
        for start in range(0, n, rows_at_once):
            rows = slice(start, min(start + rows_at_once, n))
            products, level = data[rows] @ data.T, levels.of_rows(rows)
            for space in spaces:
                space.compare(rows, products, level)
        return [space.result() for space in spaces]


def _rows_at_once(inputs: SweepInputs) -> int:
    """Return how many rows fit into half the free memory of the device."""
    n_groups, n_levels = len(inputs.groups.starts) - 1, len(inputs.levels.steps)
    n_coarse = n_groups * binning.N_COARSE_BINS if inputs.anchors else 0
    n_bins = max(len(of.bins.edges) - 1 for of in inputs.spaces) + n_coarse
    of_row = BYTES_OF_PAIR * len(inputs.points) + BYTES_OF_COUNT * n_levels * n_bins
    return int(np.clip(free_bytes(inputs.device) // 2 // of_row, 1, MOST_ROWS))


class _Levels:
    """The levels of rows on the device.

    A clade begins at one row, so two rows of a clade have the same first row.
    """

    def __init__(self, inputs: SweepInputs) -> None:
        self._levels, self._device = inputs.levels, inputs.device
        clades = inputs.levels.clades
        self._first = tensor(clades[0], inputs.device, "int32") if clades else None

    def of_rows(self, rows: slice) -> torch.Tensor:
        """Return the level of some rows and all rows, shape (b, n), uint8: how many clades do not hold both."""
        import torch

        if self._first is None:
            return tensor(self._levels.of_rows(rows.start, rows.stop), self._device)
        shape = rows.stop - rows.start, self._first.shape[1]
        level = torch.zeros(shape, dtype=torch.uint8, device=self._device)
        for first in self._first:
            level += first[rows, None] != first[None, :]
        return level


class _SpaceOnDevice:
    """The results in one space, which grow block by block."""

    def __init__(self, inputs: SweepInputs, of: SpaceInputs, pool: Executor) -> None:
        import torch

        device = inputs.device
        self.inputs, self.of, self.pool, self.device = inputs, of, pool, device
        self.n_groups, self.n_levels = len(inputs.groups.starts) - 1, len(inputs.levels.steps)
        self.n_bins, self.n_coarse = len(of.bins.edges) - 1, of.bins.n_coarse
        self.half, self.weight = tensor(of.space.half, device), tensor(of.space.weight, device)
        self.table = tensor(of.bins.binning.bins, device, "int64")
        self.coarse = tensor(of.bins.coarse, device, "int64")
        self.group = tensor(inputs.groups.group, device, "int64")
        self.members = tensor(_padded_members(inputs), device, "int64")
        self.harmonic = tensor(inputs.harmonic, device)
        counts = (self.n_groups, self.n_levels * self.n_bins)
        self.by_group, self.within_group = torch.zeros((2, *counts), dtype=torch.int64, device=device)
        n_orders = len(inputs.species.orders)
        of_orders = (n_orders, self.n_levels * self.n_coarse)
        self.permuted = torch.zeros(of_orders, dtype=torch.int64, device=device)
        of_sums = (1 + self.n_groups + n_orders, N_SCORES, self.n_levels)
        self.sums = torch.zeros(of_sums, dtype=torch.float64, device=device)
        self.trees = _PermutedTrees(inputs.species, device) if n_orders and inputs.anchors else None
        self.ends = tensor(np.append(of.bins.edges[1:], np.inf), device, "float32")
        self.scores: list[np.ndarray] = []
        self.found: list[Future[Found]] = []

    def compare(self, rows: slice, products: torch.Tensor, level: torch.Tensor) -> None:
        """Count the pairs of a block of rows, score its rows, and search their neighbours."""
        import torch

        own = torch.arange(rows.start, rows.stop, device=self.device)
        distance = products * (self.weight[rows, None] * self.weight)
        distance = torch.sub(self.half[rows, None] + self.half, distance, out=distance)
        last, scale = len(self.table) - 1, float(self.of.bins.binning.scale)
        half = torch.tensor(0.5, device=self.device)
        bins = self.table[torch.add(half, distance, alpha=scale).clamp_(0, last).to(torch.int64)]
        place = level.to(torch.int64).mul_(self.n_bins).add_(bins)
        fine = self.counted(place, own, self.n_levels * self.n_bins)
        self.by_group.index_add_(0, self.group[rows], fine.to(torch.int64))
        self._count_within_groups(rows, own, place)
        if self.inputs.anchors:
            self.scores.append(self._scores(fine, place, rows))
            bins = self.coarse[bins]
            self._score_without_groups(rows, own, bins, level)
            if self.trees is not None:
                self.trees.add_scores(self, rows, bins)
        if self.of.search is not None:
            self._search(rows, own, distance, level, fine)

    def counted(self, place: torch.Tensor, own: torch.Tensor, size: int) -> torch.Tensor:
        """Return how many other rows have each place, shape (b, size), int32; `own` is the column of each row."""
        import torch

        counts = torch.zeros((len(place), size), dtype=torch.int32, device=self.device)
        one = torch.ones((1, 1), dtype=torch.int32, device=self.device)
        counts.scatter_add_(1, place, one.expand(place.shape))
        return counts.scatter_add_(1, place.gather(1, own[:, None]), -one.expand(len(place), 1))

    def without_copies(self, counts: torch.Tensor, place: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Return counts of other rows without the copies of some rows.

        `counts` and `place` have P rows for each of them, one after the other.
        """
        import torch

        position, copy = (tensor(of, self.device, "int64") for of in self.inputs.copies.pairs(rows))
        if not len(position):
            return counts
        n_each = len(place) // len(rows)
        at = (position[:, None] * n_each + torch.arange(n_each, device=self.device)).flatten()
        place_of_copy = place[at, copy.repeat_interleave(n_each)]
        return counts.index_put((at, place_of_copy), -torch.ones_like(at, dtype=counts.dtype), accumulate=True)

    def _scores(self, fine: torch.Tensor, place: torch.Tensor, rows: slice) -> np.ndarray:
        """Return the scores of a block of rows with all other rows but their copies."""
        counts = self.without_copies(fine, place, np.arange(rows.start, rows.stop))
        return scores_of_counts(counts.view(-1, self.n_levels, self.n_bins), self.harmonic).cpu().numpy()

    def _count_within_groups(self, rows: slice, own: torch.Tensor, place: torch.Tensor) -> None:
        """Count the pairs whose rows are in one jackknife group."""
        import torch

        group = self.group[rows]
        members = self.members[group]
        counted = ((members >= 0) & (members != own[:, None])).to(torch.int64)
        place = place.gather(1, members.clamp(min=0)) + group[:, None] * self.within_group.shape[1]
        self.within_group.view(-1).scatter_add_(0, place.view(-1), counted.view(-1))

    def _score_without_groups(self, rows: slice, own: torch.Tensor, coarse: torch.Tensor, level: torch.Tensor) -> None:
        """Add the scores of the rows from coarse bins: with all rows, and without each other jackknife group."""
        import torch

        shape = (-1, self.n_groups, self.n_levels, self.n_coarse)
        place = (self.group * self.n_levels + level).mul_(self.n_coarse).add_(coarse)
        counts = self.counted(place, own, self.n_groups * self.n_levels * self.n_coarse)
        by_group = self.without_copies(counts, place, np.arange(rows.start, rows.stop)).view(shape)
        every = by_group.sum(dim=1, dtype=torch.int32)
        self.sums[0] += scores_of_counts(every, self.harmonic).sum(dim=0)
        kept = (every[:, None] - by_group).flatten(0, 1)
        scores = scores_of_counts(kept, self.harmonic).view(-1, self.n_groups, N_SCORES, self.n_levels)
        is_own = torch.arange(self.n_groups, device=self.device) == self.group[rows, None]
        self.sums[1 : 1 + self.n_groups] += scores.masked_fill_(is_own[:, :, None, None], 0).sum(dim=0)

    def _search(
        self, rows: slice, own: torch.Tensor, distance: torch.Tensor, level: torch.Tensor, fine: torch.Tensor
    ) -> None:
        """Find the rows that may be among the nearest at each level; the processor selects from them meanwhile."""
        import torch

        search = self.of.search
        assert search is not None
        upto = fine.view(-1, self.n_levels, self.n_bins).cumsum(dim=2, dtype=torch.int32)
        limit = self.ends[(upto < 2 * search.k).sum(dim=2)]  # the end of the bin with which there are enough
        within = (limit + float(search.slack)).gather(1, level.to(torch.int64))
        anchor, other = (distance <= within).nonzero(as_tuple=True)
        first = torch.bincount(anchor, minlength=len(own)).cumsum(dim=0)
        of_pairs = [part.cpu().numpy() for part in (other.to(torch.int32), level[anchor, other], limit)]
        ends = np.concatenate([[0], first.cpu().numpy()])
        for start in range(0, len(own), SELECTED_AT_ONCE):
            part = slice(start, min(start + SELECTED_AT_ONCE, len(own)))
            mine = slice(ends[part.start], ends[part.stop])
            chunk = (of_pairs[0][mine], of_pairs[1][mine], of_pairs[2][part])
            of_rows = ends[part.start : part.stop + 1] - ends[part.start]
            self.found.append(self.pool.submit(self._select, rows.start + start, of_rows, *chunk))

    def _select(self, start: int, first: np.ndarray, other: np.ndarray, level: np.ndarray, limit: np.ndarray) -> Found:
        """Return the nearest of the candidates of some rows; of all rows, where the candidates do not suffice."""
        search, kinship = self.of.search, self.of.kinship
        assert search is not None and kinship is not None
        of_kinship = np.full((len(limit), len(search.cells.first)), np.inf, dtype=np.float32)
        for of_level, at in zip(limit.T, kinship.tolist(), strict=True):
            np.minimum(of_kinship[:, at], of_level, out=of_kinship[:, at])
        suffice, *found = select_nearest(start, first, other, kinship[level], of_kinship, search)
        if suffice:
            counts, neighbor, distance, of_entry = found
            return counts, neighbor, distance, of_entry
        products = self.inputs.points.products(slice(start, start + len(limit)))
        return nearest_by_level(products, start, search)

    def result(self) -> SpaceResult:
        """Return the results of all blocks."""
        shape = (-1, self.n_levels, self.n_bins)
        counts = [
            self.by_group.view(shape),
            self.within_group.view(shape),
            self.permuted.view(-1, self.n_levels, self.n_coarse),
        ]
        of_anchor = (N_SCORES, self.n_levels)
        scores = np.concatenate([np.zeros((0, *of_anchor)), *self.scores])
        sums = self.sums.cpu().numpy()[None] if self.inputs.anchors else np.zeros((0, *self.sums.shape))
        found = [np.concatenate(part) for part in zip(NOTHING, *(job.result() for job in self.found), strict=True)]
        by_group, within_group, permuted = (part.cpu().numpy() for part in counts)
        return SpaceResult(by_group, within_group, permuted, scores, sums, *found)


class _PermutedTrees:
    """The trees over whose tips species are permuted, on the device."""

    def __init__(self, species: PermutedTips, device: str) -> None:
        self.tip, self.orders = tensor(species.tip, device, "int64"), tensor(species.orders, device, "int64")
        self.first = tensor(species.first, device, "int32")
        self.anchors, self.device = species.anchors, device

    def add_scores(self, space: _SpaceOnDevice, rows: slice, coarse: torch.Tensor) -> None:
        """Add the counts and the scores of those rows of a block that are anchors here."""
        n_orders, n_levels, n_coarse = len(self.orders), space.n_levels, space.n_coarse
        anchors = np.flatnonzero(self.anchors[rows])
        at_once = max(1, MOST_PERMUTED // (n_orders * len(self.tip)))
        for start in range(0, len(anchors), at_once):
            some = tensor(anchors[start : start + at_once], self.device, "int64")
            own = some + rows.start
            place = self._levels(self.tip[own])[:, :, self.tip].mul_(n_coarse).add_(coarse[some][:, None])
            place = place.flatten(0, 1)
            counts = space.counted(place, own.repeat_interleave(n_orders), n_levels * n_coarse)
            space.permuted += counts.view(-1, *space.permuted.shape).sum(dim=0)
            counts = space.without_copies(counts, place, anchors[start : start + at_once] + rows.start)
            scores = scores_of_counts(counts.view(-1, n_levels, n_coarse), space.harmonic)
            space.sums[len(space.sums) - n_orders :] += scores.view(-1, n_orders, *scores.shape[1:]).sum(dim=0)

    def _levels(self, tips: torch.Tensor) -> torch.Tensor:
        """Return the level of some tips and all tips on each tree, shape (tips, P, k), int64."""
        import torch

        level = torch.zeros((len(tips), *self.orders.shape), dtype=torch.int64, device=self.device)
        for first in self.first:
            moved = first[self.orders]
            level += moved[:, tips].T[:, :, None] != moved
        return level


def _padded_members(inputs: SweepInputs) -> np.ndarray:
    """Return the rows of each jackknife group, shape (G, most), filled up with -1."""
    groups = inputs.groups
    sizes = np.diff(groups.starts)
    members = np.full((len(sizes), sizes.max(initial=0)), -1)
    members[np.arange(members.shape[1]) < sizes[:, None]] = groups.members
    return members
