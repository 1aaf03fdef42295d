"""The vicinity of each image: the images around it, found once for all starts of k-means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.devices import tensor
from bioclip_probe.stats.nearest_centers import CHUNK, DEVICE_TILE, Points
from bioclip_probe.stats.threads import in_threads, n_threads

#: Images that a vicinity has on average.
MEAN_SIZE = 192
#: Rows and columns of the tiles of products; a thread holds one tile and its entries.
TILE_ROWS, TILE_COLUMNS = 512, 4096


class Vicinities(NamedTuple):
    """For each image, the images in whose vicinity it is.

    Attributes
    ----------
    reach : ndarray, shape (n,), float32
        The squared distance up to which images are in the vicinity of an image.
    start : ndarray, shape (n + 1,), int64
        Where the entries of each image begin.
    row : ndarray, shape (e,), int32
        The images in whose vicinity it is.
    distance : ndarray, shape (e,), float32
        Their squared distances.

    Examples
    --------
    >>> vicinities = Vicinities.of(Points(np.random.default_rng(0).standard_normal((300, 2), dtype=np.float32)))
    >>> bool((np.diff(vicinities.start) > 0).all())
    True
    """

    reach: np.ndarray
    start: np.ndarray
    row: np.ndarray
    distance: np.ndarray

    @classmethod
    def none(cls, n: int) -> Vicinities:
        """Return vicinities of n images in which there is no image.

        Parameters
        ----------
        n : int

        Returns
        -------
        Vicinities
        """
        nothing = np.zeros(0, dtype=np.int32)
        return cls(np.full(n, -1, np.float32), np.zeros(n + 1, np.int64), nothing, nothing.astype(np.float32))

    def take(self, rows: np.ndarray) -> Vicinities:
        """Return the vicinities of some of the images, in another order.

        Parameters
        ----------
        rows : ndarray, shape (r,), int64

        Returns
        -------
        Vicinities
        """
        number = np.full(len(self.reach), -1, dtype=np.int32)
        number[rows] = np.arange(len(rows))
        size = np.diff(self.start)[rows]
        entry = np.arange(size.sum()) + np.repeat(self.start[rows] - np.cumsum(size) + size, size)
        row, image = number[self.row[entry]], np.repeat(np.arange(len(rows)), size)
        kept = row >= 0
        counts = np.bincount(image[kept], minlength=len(rows))
        start = np.concatenate([[0], np.cumsum(counts)])
        return Vicinities(self.reach[rows], start, row[kept], self.distance[entry[kept]])

    @classmethod
    def of(cls, points: Points, mean_size: int = MEAN_SIZE) -> Vicinities:
        """Return the vicinities of images.

        Parameters
        ----------
        points : Points
        mean_size : int
            Images that a vicinity has on average, about.

        Returns
        -------
        Vicinities

        Notes
        -----
        An image reaches as far as the second nearest of a sample of 2 n/`mean_size` images, which are evenly spaced
        rows. O(n² d) time: half of the products of all pairs; memory 24 n `mean_size` bytes.
        """
        n = len(points)
        sample = np.linspace(0, n - 1, max(2, 2 * n // mean_size)).astype(np.int64)
        reach = np.maximum(points.nearest(points.rows[sample]).second + points.squares, 0)
        of_blocks = _pairs(points, reach) if points.tensor is None else _pairs_on_device(points, reach)
        image, near, distance = (np.concatenate(parts) for parts in zip(*of_blocks, strict=True))
        order, counts = np.argsort(image, kind="stable"), np.bincount(image, minlength=n)
        return cls(reach, np.concatenate([[0], np.cumsum(counts)]), near[order], distance[order])


def _pairs(points: Points, reach: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Return in blocks: an image, another one in whose vicinity it is, and their squared distance."""
    rows, n = points.rows, len(points)

    def pairs(start: int) -> tuple[np.ndarray, ...]:
        """Return the pairs of a block of images with those after them."""
        parts = []
        for column in range(start, n, TILE_COLUMNS):
            products = rows[start : start + TILE_ROWS] @ rows[column : column + TILE_COLUMNS].T
            parts.append(_pairs_of_tile(products, points.squares, reach, start, column))
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    return list(in_threads(pairs, range(0, n, TILE_ROWS), n_threads(n**2)))


def _pairs_on_device(points: Points, reach: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Return the same from a device of torch, which compares each pair of images twice."""
    limit, step = tensor(reach, points.device), max(64, DEVICE_TILE // len(points))
    blocks: list[tuple[np.ndarray, ...]] = []
    for start in range(0, len(points), step):
        distances = points.squared_distances_on_device(points.rows[start : start + step])
        distances.diagonal(start).fill_(float("inf"))
        pairs = (distances < limit).nonzero()
        image, near = pairs.T.int()
        blocks.append(((image + start).cpu().numpy(), near.cpu().numpy(), distances[*pairs.T].cpu().numpy()))
    return blocks


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc", "contract"})
def _pairs_of_tile(
    products: np.ndarray, squares: np.ndarray, reach: np.ndarray, first_row: int, first_column: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which image is in the vicinity of which, of the rows and columns of a tile; each pair of images once."""
    images, near = np.empty((2, 2 * products.size), dtype=np.int32)
    distance = np.empty(2 * products.size, dtype=np.float32)
    count, two, nothing = 0, np.float32(2), np.float32(0)
    for at in range(products.shape[0]):
        row = first_row + at
        for start in range(0, products.shape[1], CHUNK):
            stop, least = min(start + CHUNK, products.shape[1]), np.float32(np.inf)
            for column in range(start, stop):
                other = first_column + column
                apart = squares[row] + squares[other] - two * products[at, column]
                least = min(least, apart - max(reach[row], reach[other]))
            if least > 0:
                continue
            for column in range(start, stop):
                other = first_column + column
                apart = max(squares[row] + squares[other] - two * products[at, column], nothing)
                if other <= row:
                    continue
                if apart < reach[row]:
                    images[count], near[count], distance[count] = other, row, apart
                    count += 1
                if apart < reach[other]:
                    images[count], near[count], distance[count] = row, other, apart
                    count += 1
    return images[:count].copy(), near[:count].copy(), distance[:count].copy()
