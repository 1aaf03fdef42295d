"""The squared distances of all pairs of some images, from which the starts of k-means take what they need."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from bioclip_probe.stats.nearest_centers import Points
from bioclip_probe.stats.threads import in_threads, n_threads

#: Images of a block; the distances of two blocks stay in the cache of a processor.
BLOCK = 512


class PairDistances(NamedTuple):
    """The squared distances of all pairs of n images.

    Attributes
    ----------
    table : ndarray, shape (m, m), float32
        Of m images, the n among them.
    place : ndarray, shape (n,), int64
        Where each image is in the table.

    Examples
    --------
    >>> pairs = PairDistances.of(Points(np.array([[0.0], [1.0], [3.0]], dtype=np.float32)))
    >>> pairs.take(np.array([2, 0])).from_images(np.array([0])).tolist()
    [[0.0, 9.0]]
    """

    table: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, points: Points) -> PairDistances:
        """Return the distances of all pairs of images.

        Parameters
        ----------
        points : Points

        Returns
        -------
        PairDistances
            O(n² d) time: half of the products of all pairs; memory 4 n² bytes.
        """
        n, rows = len(points), points.rows
        table = np.empty((n, n), dtype=np.float32)

        def fill(start: int) -> None:
            """Fill in the distances of a block of images from those after it, and back."""
            block = slice(start, start + BLOCK)
            for other_start in range(start, n, BLOCK):
                other = slice(other_start, other_start + BLOCK)
                tile = rows[block] @ rows[other].T
                tile *= -2
                tile += points.squares[block, None]
                tile += points.squares[other]
                np.maximum(tile, 0, out=tile)
                table[block, other], table[other, block] = tile, tile.T

        deque(in_threads(fill, range(0, n, BLOCK), n_threads(n**2)), maxlen=0)
        np.fill_diagonal(table, 0.0)
        return cls(table, np.arange(n))

    def take(self, images: np.ndarray) -> PairDistances:
        """Return the distances of some of the images, in another order.

        Parameters
        ----------
        images : ndarray, shape (r,), int64

        Returns
        -------
        PairDistances
        """
        return PairDistances(self.table, self.place[images])

    def from_images(self, images: np.ndarray) -> np.ndarray:
        """Return the distances of some images from all of the n.

        Parameters
        ----------
        images : ndarray, shape (c,), int64

        Returns
        -------
        ndarray, shape (c, n), float32
        """
        return np.take(self.table[self.place[images]], self.place, axis=1)
