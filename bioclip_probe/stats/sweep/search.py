"""The search for the nearest images of every image, on products of its own or on those of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.stats.devices import CPU, uses_torch
from bioclip_probe.stats.sweep.anchors import PermutedTips
from bioclip_probe.stats.sweep.binning import Bins, Levels
from bioclip_probe.stats.sweep.blocks import over_blocks, threads_of
from bioclip_probe.stats.sweep.candidates import inverse_norms
from bioclip_probe.stats.sweep.cells import Cells, cells_of
from bioclip_probe.stats.sweep.comparison import SpaceInputs, SweepInputs
from bioclip_probe.stats.sweep.copies import Copies
from bioclip_probe.stats.sweep.counting import Binning, JackknifeGroups
from bioclip_probe.stats.sweep.device import compare_on_device
from bioclip_probe.stats.sweep.entries import Entries
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists
from bioclip_probe.stats.sweep.points import BLOCK, Points, Space, SpacesOfPoints
from bioclip_probe.stats.sweep.selection import Found, Search, nearest_by_level
from bioclip_probe.tree.tree import Placement


@dataclass(frozen=True, eq=False)
class NeighborSearch:
    """A search for the nearest images of some images at each level of kinship.

    Attributes
    ----------
    rows : ndarray, shape (r,), int64
        The images that have neighbours and are neighbours.
    cell : ndarray, shape (r,), int64
        The cell of each of them.
    cells : Cells
        Their vectors are those of one space.
    k : int
        Number of nearest images for which the lists suffice.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> NeighborSearch.of(vectors, placement, np.arange(3), k=1).order.tolist()
    [2, 1, 0]
    """

    rows: np.ndarray
    cell: np.ndarray
    cells: Cells
    k: int

    @classmethod
    def of(
        cls,
        vectors: np.ndarray,
        placement: Placement,
        jackknife_group: np.ndarray,
        k: int,
        groups: np.ndarray | None = None,
        among: np.ndarray | None = None,
    ) -> NeighborSearch:
        """Return the search whose result is `neighbor_lists` of the same arguments.

        Parameters
        ----------
        vectors, placement, jackknife_group, k, groups, among
            As for `neighbor_lists`.

        Returns
        -------
        NeighborSearch

        Raises
        ------
        DataError
            If a vector is not finite.
        """
        placed = placement.node >= 0
        rows = np.flatnonzero(placed if among is None else among & placed)
        cells, cell = cells_of(vectors, placement, jackknife_group, groups, rows)
        broken = np.flatnonzero(~np.isfinite(cells.vectors).all(axis=1))
        if len(broken):
            raise DataError(
                f"embeddings must be finite; {len(broken)} are not, in rows {some(rows[np.isin(cell, broken)])}"
            )
        return cls(rows, cell, cells, k)

    @property
    def order(self) -> np.ndarray:
        """The images in the order of their cells, shape (r,), int64."""
        return self.rows[np.argsort(self.cell, kind="stable")]

    def in_space(self, vectors: np.ndarray) -> NeighborSearch:
        """Return the same search in another space, in which images of one cell have one vector too.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Unit vectors of all images.

        Returns
        -------
        NeighborSearch
        """
        first = self.order[np.searchsorted(np.sort(self.cell), np.arange(len(self.cells.size)))]
        of_cells = np.ascontiguousarray(vectors[first], dtype=np.float32)
        return replace(self, cells=self.cells._replace(vectors=of_cells, scale=inverse_norms(of_cells)))

    def on_rows(self, space: Space, slack: float) -> Search:
        """Return the compiled search on products of the images in the order of `order`.

        Parameters
        ----------
        space : Space
            Of these images.
        slack : float
            Twice the error of a distance.

        Returns
        -------
        Search
        """
        cell = np.sort(self.cell)
        row = np.searchsorted(cell, np.arange(len(self.cells.size)))
        cell[np.flatnonzero(cell[1:] == cell[:-1]) + 1] = -1
        return self._compiled(space, row, cell, slack)

    def kinship(self, levels: Levels) -> np.ndarray | None:
        """Return the level of kinship of images at each level of tree distance.

        Parameters
        ----------
        levels : Levels
            Of the images in the order of `order`.

        Returns
        -------
        ndarray, shape (L,), int64, or None
            None if images of one level may be at several levels of kinship.
        """
        first, result = self._clades()[0], np.full(len(levels.steps), -1)
        for level, clades in enumerate(first):
            same = [step for step, of_step in enumerate(levels.clades[0]) if np.array_equal(clades, of_step)]
            if not same:
                return None
            result[: same[-1] + 1][result[: same[-1] + 1] < 0] = level
        return None if np.any(result < 0) else result

    def _clades(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the slice of images, in the order of `order`, that meet each image at each level or below."""
        cell = np.sort(self.cell)
        ends = np.searchsorted(cell, np.arange(len(self.cells.size) + 1))
        return ends[self.cells.first][:, cell], ends[self.cells.last][:, cell]

    def levels(self) -> Levels:
        """Return the levels of kinship of the images in the order of `order`.

        Returns
        -------
        Levels
        """
        n, steps = len(self.rows), np.arange(len(self.cells.first), dtype=np.float64)
        no_table = Binning(np.zeros(1, dtype=np.uint8), np.float32(1))
        return Levels(steps, False, np.zeros(n), np.zeros(max(n - 1, 0)), no_table, self._clades())

    def _compiled(self, space: Space, row: np.ndarray, cell: np.ndarray, slack: float) -> Search:
        kind, group = np.unique(self.cells.group, return_inverse=True)  # photographers from 0
        group = group - int(bool(len(kind)) and kind[0] < 0)
        members = np.argsort(group, kind="stable")
        starts = np.searchsorted(group[members], np.arange(group.max(initial=-1) + 2))
        cells = self.cells._replace(group=group)
        return Search(cells, space, row, cell, members, starts, self.k, np.float32(slack))

    def lists(self, found: Sequence[Found]) -> NeighborLists:
        """Return the lists from what was found for each block of rows.

        Parameters
        ----------
        found : sequence
            From `nearest_by_level`, in the order of the blocks.

        Returns
        -------
        NeighborLists
        """
        counts, *columns = [np.concatenate(parts) for parts in zip(*found, strict=True)] or [np.zeros(0, np.int64)] * 4
        start = np.concatenate([[0], np.cumsum(counts[counts >= 0])])
        return NeighborLists(self.rows, self.cell, self.cells, Entries(start, *columns), self.k)


def neighbor_lists(
    vectors: np.ndarray,
    placement: Placement,
    jackknife_group: np.ndarray,
    k: int,
    groups: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> NeighborLists:
    """Return the nearest images of every image at each level of kinship.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors.
    placement : Placement
        The images in a taxonomy.
    jackknife_group : ndarray, shape (n,), int64
        Images of one species are in one group.
    k : int
        Number of nearest images for which the lists suffice.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: images of one group are no neighbours of each other. -1 is no group.
    among : ndarray, shape (n,), bool, optional
        Only these images have neighbours and are neighbours; by default all that are in the taxonomy.

    Returns
    -------
    NeighborLists

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    One float32 product of all pairs, O(n² d), on all cores; all candidates that rounding may have moved are compared in
    float64 (`exact_distance`). A list holds about k + 3 images a level, more where many species are left out together.
    What holds for vectors that nearly coincide is said in `nearest_neighbors`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> neighbor_lists(vectors, placement, np.arange(3), k=1).candidates().sum(axis=1).tolist()
    [2, 2, 2]
    """
    return search_spaces(NeighborSearch.of(vectors, placement, jackknife_group, k, groups, among), [vectors])[0]


def search_spaces(search: NeighborSearch, spaces: Sequence[np.ndarray], device: str = CPU) -> list[NeighborLists]:
    """Return the nearest images of every image in several spaces, from the same products where that is possible.

    Parameters
    ----------
    search : NeighborSearch
        In the first space.
    spaces : sequence of ndarray, shape (n, d)
        Unit vectors of all images in each space, see `SpacesOfPoints`.
    device : str
        ``cpu``, or a device of torch.

    Returns
    -------
    list of NeighborLists
        One for each space.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> search = NeighborSearch.of(vectors, placement, np.arange(3), k=1)
    >>> len(search_spaces(search, [vectors, -vectors]))
    2
    """
    products = SpacesOfPoints.of(spaces, search.order)
    if products is None:
        return [search_spaces(search.in_space(vectors), [vectors], device)[0] for vectors in spaces]
    searches = [search.in_space(vectors) for vectors in spaces]
    of_spaces = zip(searches, products.spaces, products.slacks, strict=True)
    compiled = [one.on_rows(space, slack) for one, space, slack in of_spaces]
    if uses_torch(device) and len(search.rows):
        of_device = _on_device(search, products, compiled, device)
        return [one.lists([found]) for one, found in zip(searches, of_device, strict=True)]
    return _lists_of(searches, compiled, products.points)


def search_together(searches: Sequence[NeighborSearch], vectors: np.ndarray, device: str = CPU) -> list[NeighborLists]:
    """Return the nearest images by several searches among the same images, from the same products.

    Parameters
    ----------
    searches : sequence of NeighborSearch
        They may differ in who is no neighbour of whom.
    vectors : ndarray, shape (n, d)
        Unit vectors of all images.
    device : str
        ``cpu``, or a device of torch, on which each search has products of its own.

    Returns
    -------
    list of NeighborLists

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> each = [NeighborSearch.of(vectors, placement, np.arange(3), 1, groups) for groups in (None, placement.node)]
    >>> [lists.candidates().sum() for lists in search_together(each, vectors)]
    [np.int64(6), np.int64(6)]
    """
    order = searches[0].order
    if uses_torch(device) or not all(np.array_equal(order, search.order) for search in searches):
        return [search_spaces(search, [vectors], device)[0] for search in searches]
    points = Points.of(vectors, order)
    return _lists_of(searches, [search.on_rows(points.space, points.slack) for search in searches], points)


def _lists_of(searches: Sequence[NeighborSearch], compiled: Sequence[Search], points: Points) -> list[NeighborLists]:
    """Return the lists of several searches from the products of the same points."""

    def nearest(start: int, block: np.ndarray) -> list[Found]:
        """Return the entries of a block of rows by each search."""
        return [nearest_by_level(block, start, one) for one in compiled]

    found = list(over_blocks(points, range(0, len(points), BLOCK), nearest, threads_of(points, BLOCK)))
    return [one.lists([of_block[number] for of_block in found]) for number, one in enumerate(searches)]


def _on_device(
    search: NeighborSearch, products: SpacesOfPoints, compiled: Sequence[Search], device: str
) -> list[Found]:
    """Return the nearest candidates of all images in each space, from a sweep on a device that scores no anchors."""
    levels, n = search.levels(), len(search.rows)
    kinship = np.arange(len(levels.steps))
    spaces = tuple(
        SpaceInputs(space, Bins.of(products.points, False, None, space, bound), one, kinship)
        for space, bound, one in zip(products.spaces, products.bounds, compiled, strict=True)
    )
    nothing, one_group = np.zeros((len(levels.steps), 0), np.int64), JackknifeGroups.of(np.zeros(n, np.int64), 1)
    species = PermutedTips(np.zeros(n, np.int64), np.zeros((0, 0), np.int64), nothing, nothing, np.zeros(n, bool))
    inputs = SweepInputs(products.points, levels, one_group, species, Copies.none(n), spaces, False, device, BLOCK)
    return [result.found for result in compare_on_device(inputs)]
