"""The true nearest neighbours of each picture, in full dimension: what the lines of the explorer show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from bioclip_probe.stats.sweep.neighbors import nearest_neighbors

#: Nearest pictures of each picture that the page shows.
N_NEIGHBORS = 5
#: Nearest pictures of each picture that are searched: as many as a t-SNE of perplexity 30 needs.
N_NEAR = 90


class Near(NamedTuple):
    """The nearest pictures of each of n pictures, of any species and group; one search serves neighbours and maps.

    Attributes
    ----------
    rows : ndarray, shape (n, k), int64
        Row numbers, nearest first; -1 where there is no other picture.
    similarity : ndarray, shape (n, k), float64
        Cosine similarity of these; NaN where there is none.
    """

    rows: np.ndarray
    similarity: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, k: int = N_NEAR) -> Near:
        """Return the nearest rows of each row.

        Parameters
        ----------
        vectors : ndarray, shape (n, d), float32
            Unit rows.
        k : int
            Fewer where there are fewer other rows.

        Returns
        -------
        Near

        Examples
        --------
        >>> Near.of(np.eye(3, dtype=np.float32)).rows.tolist()
        [[1, 2], [0, 2], [0, 1]]
        """
        return cls(*nearest_neighbors(vectors, max(min(k, len(vectors) - 1), 1)))

    def outside(self, vectors: np.ndarray, groups: np.ndarray, k: int) -> Near:
        """Return the nearest rows of other groups.

        Parameters
        ----------
        vectors : ndarray, shape (n, d), float32
            The rows that were searched; they are searched again if some row has too few of other groups.
        groups : ndarray, shape (n,), int64
            -1 is no group.
        k : int

        Returns
        -------
        Near

        Examples
        --------
        >>> vectors = np.array([[1.0, 0.0], [0.96, 0.28], [0.28, 0.96]], np.float32)
        >>> Near.of(vectors).outside(vectors, np.array([4, 4, 5]), k=1).rows.ravel().tolist()
        [2, 2, 1]
        """
        own = (self.rows < 0) | ((groups[self.rows] == groups[:, None]) & (groups[:, None] >= 0))
        size = np.where(groups >= 0, np.bincount(groups + 1)[groups + 1], 1) if len(groups) else groups
        if np.any((~own).sum(axis=1) < np.minimum(k, len(groups) - size)):
            return Near(*nearest_neighbors(vectors, k, groups))
        order = np.argsort(own, axis=1, kind="stable")[:, :k]
        there = ~np.take_along_axis(own, order, axis=1)
        rows, similarity = (np.take_along_axis(values, order, axis=1) for values in self)
        missing = ((0, 0), (0, k - order.shape[1]))
        return Near(
            np.pad(np.where(there, rows, -1), missing, constant_values=-1),
            np.pad(np.where(there, similarity, np.nan), missing, constant_values=np.nan),
        )


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
    def of(
        cls,
        vectors: np.ndarray,
        species: np.ndarray,
        groups: np.ndarray,
        k: int = N_NEIGHBORS,
        near: Near | None = None,
    ) -> Neighbors:
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
        near : Near, optional
            Nearest rows of the vectors, if they are known.

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
        near = Near.of(vectors) if near is None else near
        nearest = near.outside(vectors, groups, k)
        others = near.outside(vectors, species, k).rows
        same_group = (groups[others] == groups[:, None]) & (groups[:, None] >= 0)
        others = np.where(same_group, -1, others)
        first = np.argmax(others >= 0, axis=1)
        return cls(*nearest, np.take_along_axis(others, first[:, None], axis=1)[:, 0])

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
