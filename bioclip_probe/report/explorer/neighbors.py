"""The true nearest neighbours of each picture, in full dimension: what the lines of the explorer show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from bioclip_probe.stats.sweep.neighbors import nearest_neighbors

#: Nearest pictures of each picture that the page shows.
N_NEIGHBORS = 5


class Neighbors(NamedTuple):
    """The nearest pictures of each of n pictures, by cosine similarity.

    Attributes
    ----------
    nearest : ndarray, shape (n, k), int64
        Row numbers, nearest first; -1 where there is no other picture.
    similarity : ndarray, shape (n, k), float64
        Cosine similarity of these; NaN where there is none.
    relative : ndarray, shape (n,), int64
        The nearest picture of another species; -1 where there is none.
    """

    nearest: np.ndarray
    similarity: np.ndarray
    relative: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, species: np.ndarray, groups: np.ndarray, k: int = N_NEIGHBORS) -> Neighbors:
        """Return the neighbours of each row.

        Parameters
        ----------
        vectors : ndarray, shape (n, d), float32
            Unit rows.
        species : ndarray, shape (n,), int64
            -1 where it is not known.
        groups : ndarray, shape (n,), int64
            Observation or photographer; pictures of one group are no neighbours of each other. -1 is no group.
        k : int

        Returns
        -------
        Neighbors
            Among the `k` nearest of other species, the nearest of another group stands for relatives.

        Examples
        --------
        >>> vectors = np.array([[1.0, 0.0], [0.96, 0.28], [0.28, 0.96], [0.0, 1.0]], np.float32)
        >>> neighbors = Neighbors.of(vectors, np.array([7, 7, 8, 8]), np.full(4, -1), k=1)
        >>> neighbors.nearest.ravel().tolist(), neighbors.relative.tolist()
        ([1, 0, 3, 2], [2, 2, 1, 1])
        """
        nearest, similarity = nearest_neighbors(vectors, k, groups)
        others, _ = nearest_neighbors(vectors, k, species)
        same_group = (groups[others] == groups[:, None]) & (groups[:, None] >= 0)
        others = np.where(same_group, -1, others)
        first = np.argmax(others >= 0, axis=1)
        return cls(nearest, similarity, np.take_along_axis(others, first[:, None], axis=1)[:, 0])

    def reordered(self, order: np.ndarray) -> Neighbors:
        """Return the neighbours of the pictures in another order, under their new row numbers.

        Parameters
        ----------
        order : ndarray, shape (n,), int64
            The old row of each new row.

        Returns
        -------
        Neighbors

        Examples
        --------
        >>> neighbors = Neighbors(np.array([[1], [0], [1]]), np.array([[0.9], [0.9], [0.5]]), np.array([2, 2, -1]))
        >>> neighbors.reordered(np.array([2, 0, 1])).nearest.ravel().tolist()
        [2, 2, 1]
        """
        new_row = np.full(len(order) + 1, -1)  # the last one stands for no neighbour
        new_row[order] = np.arange(len(order))
        return Neighbors(new_row[self.nearest[order]], self.similarity[order], new_row[self.relative[order]])

    def as_table(self) -> pd.DataFrame:
        """Return the neighbours as a table, as `from_table` reads it."""
        columns = {f"nearest_{j}": self.nearest[:, j] for j in range(self.nearest.shape[1])}
        columns |= {f"similarity_{j}": self.similarity[:, j] for j in range(self.nearest.shape[1])}
        return pd.DataFrame({**columns, "relative": self.relative})

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Neighbors:
        """Return the neighbours that `as_table` wrote.

        Examples
        --------
        >>> neighbors = Neighbors(np.array([[1], [0]]), np.array([[0.9], [0.9]]), np.array([-1, -1]))
        >>> Neighbors.from_table(neighbors.as_table()).nearest.tolist()
        [[1], [0]]
        """
        nearest = table[[name for name in table if name.startswith("nearest_")]].to_numpy()
        similarity = table[[name for name in table if name.startswith("similarity_")]].to_numpy()
        return cls(nearest, similarity, table["relative"].to_numpy())
