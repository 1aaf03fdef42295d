"""The nearest centres of images, on all cores or on a device of torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.devices import tensor, uses_torch
from bioclip_probe.stats.threads import in_threads, n_threads

#: Products of images with centres that a thread holds at once, but at least those of so many images; and the same on a
#: device of torch.
TILE, TILE_ROWS, DEVICE_TILE = 2**20, 384, 2**28
#: Distances that a thread computes at once, which stay in its cache.
CACHED = 2**18
#: Up to so many centres, products in a compiled loop are faster than those of the linear algebra.
FEW = 12
#: Columns whose least value is found before any of them is looked at.
CHUNK = 64


class Assignment(NamedTuple):
    """The cluster of each image, with what tells whether it may change. The arrays are written in place.

    A *score* is the squared distance less the squared norm of the image, ‖c‖² − 2 x·c.

    Attributes
    ----------
    cluster : ndarray, shape (n,), int64
    score : ndarray, shape (n,), float32
        That of the own centre.
    second : ndarray, shape (n,), float32
        A lower bound on the scores of all other centres; -inf for an image that must be compared with all of them.

    Examples
    --------
    >>> Assignment.of(np.array([1, 0])).second.tolist()
    [-inf, -inf]
    """

    cluster: np.ndarray
    score: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, cluster: np.ndarray) -> Assignment:
        """Return an assignment of which the clusters only are known.

        Parameters
        ----------
        cluster : ndarray, shape (n,), int64

        Returns
        -------
        Assignment
        """
        n = len(cluster)
        return cls(np.array(cluster), np.full(n, np.inf, dtype=np.float32), np.full(n, -np.inf, dtype=np.float32))


class Change(NamedTuple):
    """Centres of which some have moved since images were assigned to them.

    Attributes
    ----------
    centres : ndarray, shape (k, d), float32
        Where they are now.
    moved : ndarray, shape (m,), int64
        Those that have moved, in ascending order.
    assignment : Assignment
        Of the images to the centres before. It may be written.

    Examples
    --------
    >>> Change(np.zeros((3, 1), dtype=np.float32), np.array([1]), Assignment.of(np.array([0, 2]))).moved.tolist()
    [1]
    """

    centres: np.ndarray
    moved: np.ndarray
    assignment: Assignment


class Points:
    """Images that are compared with centres, on the processor or on a device of torch.

    Parameters
    ----------
    rows : ndarray, shape (n, d), float32
        With their mean subtracted: float32 then distinguishes distances even if all cosines are near 1.
    device : str
        See `bioclip_probe.stats.devices`.

    Attributes
    ----------
    squares : ndarray, shape (n,), float32
        The squared norm of each image.
    tensor : torch.Tensor, shape (n, d), optional
        The images on a device of torch.

    Examples
    --------
    >>> points = Points(np.array([[0.0], [1.0], [5.0]], dtype=np.float32))
    >>> points.nearest(np.array([[1.0], [4.0]], dtype=np.float32)).cluster.tolist()
    [0, 0, 1]
    """

    def __init__(self, rows: np.ndarray, device: str = "cpu") -> None:
        self.rows, self.device = rows, device
        self.squares = np.einsum("ij,ij->i", rows, rows)
        self.tensor: Any = tensor(rows, device) if uses_torch(device) else None

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, rows: np.ndarray) -> Points:
        """Return some of the images.

        Parameters
        ----------
        rows : ndarray, int64

        Returns
        -------
        Points
        """
        return Points(self.rows[rows], self.device)

    def squared_distances(self, columns: np.ndarray) -> np.ndarray:
        """Return the squared distance of other vectors from each image.

        Parameters
        ----------
        columns : ndarray, shape (c, d), float32

        Returns
        -------
        ndarray, shape (c, n), float32
            0 or more.
        """
        if self.tensor is not None:
            return self.squared_distances_on_device(columns).cpu().numpy()
        own = np.einsum("ij,ij->i", columns, columns)[:, None]
        distances, step = np.empty((len(columns), len(self)), dtype=np.float32), max(64, CACHED // len(columns))

        def fill(start: int) -> None:
            """Fill in the distances of a block of images."""
            block = slice(start, start + step)
            tile = columns @ self.rows[block].T
            tile *= -2
            tile += self.squares[block]
            tile += own
            np.maximum(tile, 0, out=distances[:, block])

        deque(in_threads(fill, range(0, len(self), step), n_threads(distances.size)), maxlen=0)
        return distances

    def squared_distances_on_device(self, columns: np.ndarray) -> Any:
        """Return `squared_distances` where the images are on a device of torch.

        Parameters
        ----------
        columns : ndarray, shape (c, d), float32

        Returns
        -------
        torch.Tensor, shape (c, n), float32
        """
        others = tensor(columns, self.device)
        distances = others.square().sum(dim=1)[:, None] + tensor(self.squares, self.device)
        return distances.addmm_(others, self.tensor.T, alpha=-2).clamp_(min=0)

    def nearest(self, centres: np.ndarray) -> Assignment:
        """Compare all images with all centres.

        Parameters
        ----------
        centres : ndarray, shape (k, d), float32

        Returns
        -------
        Assignment
            The nearest centre, the first one where several are; `second` is the score of the next one. O(n·k·d).
        """
        assignment = Assignment.of(np.full(len(self), -1))
        if self.tensor is not None:
            self._compare_on_device(centres, assignment)
        else:
            self._compare_with_all(centres, np.arange(len(self)), assignment)
        return assignment

    def update(self, changes: Sequence[Change]) -> list[Assignment]:
        """Return assignments after some of their centres have moved.

        Parameters
        ----------
        changes : sequence of Change
            Of runs that do not know of each other. All images are compared with the centres that moved in any of them
            together, because large products are faster than small ones.

        Returns
        -------
        list of Assignment
            As from `nearest`, but that `second` may be too low. A device of torch compares all with all.
        """
        if self.tensor is not None:
            return [self.nearest(change.centres) for change in changes]
        known = [change.assignment.second > -np.inf for change in changes]
        some = [number for number, (change, rows) in enumerate(zip(changes, known, strict=True)) if rows.any()]
        uncertain = np.zeros((len(changes), len(self)), dtype=bool)
        if some:
            own, rows = [changes[number] for number in some], np.arange(len(self))
            uncertain[some] = self._compare(own, rows, [known[number] for number in some])
        for change, own_known, own_uncertain in zip(changes, known, uncertain, strict=True):
            self._compare_with_all(change.centres, np.flatnonzero(~own_known | own_uncertain), change.assignment)
        return [change.assignment for change in changes]

    def _compare_with_all(self, centres: np.ndarray, rows: np.ndarray, known: Assignment) -> None:
        """Compare rows with all centres."""
        known.cluster[rows], known.score[rows], known.second[rows] = -1, np.inf, np.inf
        self._compare([Change(centres, np.arange(len(centres)), known)], rows, [np.ones(len(self), dtype=bool)])

    def _compare(self, changes: Sequence[Change], rows: np.ndarray, known: Sequence[np.ndarray]) -> np.ndarray:
        """Compare those rows that are known in each change with the centres that moved in it.

        Return for each change, shape (changes, n), where the own centre moved and another one that did not may be
        nearer.
        """
        columns = np.concatenate([change.centres[change.moved] for change in changes])
        squares = np.einsum("ij,ij->i", columns, columns)
        first = np.cumsum([0, *(len(change.moved) for change in changes)])
        places = [np.full(len(change.centres), -1) for change in changes]
        for place, change in zip(places, changes, strict=True):
            place[change.moved] = np.arange(len(change.moved))
        uncertain = np.zeros((len(changes), len(self)), dtype=bool)
        step = max(TILE_ROWS, TILE // max(len(columns), 1))

        def compare(start: int) -> None:
            """Compare a block of rows."""
            part = rows[start : start + step]
            block = self.rows[start : start + step] if len(rows) == len(self) else self.rows[part]
            products = _few_products(block, columns) if len(columns) <= FEW else block @ columns.T
            for number, change in enumerate(changes):
                lines, columns_of = np.flatnonzero(known[number][part]), (first[number], first[number + 1])
                arguments = squares, columns_of, change.moved, places[number], part, change.assignment
                uncertain[number, part[lines]] = _compare_block(products, lines, *arguments)

        deque(in_threads(compare, range(0, len(rows), step), n_threads(len(rows) * len(columns))), maxlen=0)
        return uncertain

    def _compare_on_device(self, centres: np.ndarray, known: Assignment) -> None:
        """Compare all rows with all centres on the device."""
        columns, start = tensor(centres, self.device), 0
        squares = columns.square().sum(dim=1)
        for block in self.tensor.split(max(64, DEVICE_TILE // len(centres))):
            scores = squares.addmm(block, columns.T, alpha=-2)
            score, cluster = scores.min(dim=1)
            second = scores.scatter_(1, cluster[:, None], float("inf")).amin(dim=1)
            for values, result in zip(known, (cluster, score, second), strict=True):
                values[start : start + len(block)] = result.cpu().numpy()
            start += len(block)


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc", "contract"})
def _compare_block(
    products: np.ndarray,
    lines: np.ndarray,
    squares: np.ndarray,
    columns: tuple[int, int],
    chosen: np.ndarray,
    column_of: np.ndarray,
    rows: np.ndarray,
    known: Assignment,
) -> np.ndarray:
    """Update the assignment of some rows from their products with chosen centres; return which are uncertain.

    The products of row ``rows[line]`` with these centres are those of a line in some of the columns.
    """
    two, uncertain = np.float32(2), np.empty(len(lines), dtype=np.bool_)
    own_squares = squares[columns[0] : columns[1]]
    n_columns = len(own_squares)
    for at in range(len(lines)):
        row, own_products = rows[lines[at]], products[lines[at], columns[0] : columns[1]]
        best, score, second = known.cluster[row], known.score[row], known.second[row]
        own = column_of[best] if best >= 0 else -1
        if own >= 0:
            score = own_squares[own] - two * own_products[own]
        for start in range(0, n_columns, CHUNK):
            stop = min(start + CHUNK, n_columns)
            least = np.float32(np.inf)
            for column in range(start, stop):
                least = min(least, own_squares[column] - two * own_products[column])
            if least > max(score, second):
                continue
            for column in range(start, stop):
                value = own_squares[column] - two * own_products[column]
                if column == own:
                    continue
                if value < score or (value == score and chosen[column] < best):
                    best, score, second = chosen[column], value, min(score, second)
                else:
                    second = min(second, value)
        known.cluster[row], known.score[row], known.second[row] = best, score, second
        uncertain[at] = own >= 0 and score >= second
    return uncertain


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc", "contract"})
def _few_products(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the products of rows with a few columns, four of which are read with each row at once."""
    n_columns, d, zero = len(columns), rows.shape[1], np.float32(0)
    products = np.empty((len(rows), n_columns), dtype=np.float32)
    for row in range(len(rows)):
        for first in range(0, n_columns - n_columns % 4, 4):
            a, b, c, e = zero, zero, zero, zero
            for j in range(d):
                x = rows[row, j]
                a += x * columns[first, j]
                b += x * columns[first + 1, j]
                c += x * columns[first + 2, j]
                e += x * columns[first + 3, j]
            products[row, first], products[row, first + 1] = a, b
            products[row, first + 2], products[row, first + 3] = c, e
        for column in range(n_columns - n_columns % 4, n_columns):
            a = zero
            for j in range(d):
                a += rows[row, j] * columns[column, j]
            products[row, column] = a
    return products
