"""Exact nearest neighbours of every row, from tiles of the matrix of cosine distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.stats.sweep.candidates import exact_distances, inverse_norms
from bioclip_probe.stats.sweep.points import BLOCK, Points


def nearest_neighbors(
    vectors: np.ndarray,
    k: int,
    groups: np.ndarray | None = None,
    among: np.ndarray | None = None,
    block: int = BLOCK,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` rows with the highest cosine similarity to each row, without itself and its group.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Unit rows.
    k : int
        Neighbours per row, at least 1.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: rows of one group are no neighbours of each other. -1 is no group.
    among : ndarray, shape (n,), bool, optional
        Only these rows have neighbours and are neighbours; all by default. For a statistic at a rank where some
        images have no name, pass ``labels >= 0``.
    block : int
        Rows of the cosine matrix that are computed at once. It changes memory, never the result.

    Returns
    -------
    indices : ndarray, shape (n, k), int64
        Row numbers, nearest first. Of equal similarities the lower row number comes first. If a row has fewer than `k`
        candidates, the rest is -1.
    similarities : ndarray, shape (n, k), float64
        Cosine similarity, in [-1, 1] up to rounding; NaN where the index is -1.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If `k` is less than 1.

    Notes
    -----
    Distances are computed in float32. All candidates that rounding may have put behind the k-th are then compared in
    float64, by ‖a − b‖²/2 of the rows at norm 1, so the order does not depend on the block size or on how the machine
    sums. Cost O(n² d), memory O(block·n).

    Vectors that nearly coincide have the neighbours that float64 gives, as far as float32 tells them apart: a number in
    [0.5, 1) is stored in steps of 6e-8. Below a spread of 1e-6 about a common direction, neighbours are those of the
    stored, rounded vectors; below 1e-8 vectors are stored as equal, and tie.

    Examples
    --------
    >>> indices, similarities = nearest_neighbors(np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], np.float32), k=1)
    >>> indices.ravel().tolist(), similarities.ravel().round(3).tolist()
    ([1, 2, 1], [0.6, 0.8, 0.8])
    """
    if k < 1:
        raise ValueError(f"expected k of at least 1, got {k}")
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; {len(broken)} are not, in rows {some(broken)}")
    rows = np.arange(len(vectors)) if among is None else np.flatnonzero(among)
    candidates = Candidates.of(vectors, rows, k, groups)
    points, nearest = Points.of(vectors, rows), candidates.empty_results(len(rows))
    for start, tile in points.tiles(block):
        candidates.update(start, tile, points, nearest)
    indices, similarities = candidates.empty_results(len(vectors))
    indices[rows], similarities[rows] = nearest
    return indices, similarities


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows among which the nearest neighbours of each are searched, tile by tile.

    A tile, in float32, tells which rows may be among the nearest of an anchor; those are compared in float64.

    Attributes
    ----------
    rows : ndarray, shape (r,), int64
        The number of each row, by which neighbours are named and ties are decided.
    groups : ndarray, shape (r,), int64
        Rows of one group are no neighbours of each other; -1 is no group.
    k : int
        Neighbours per row; 0 searches none.
    vectors : ndarray, shape (r, d), float32
        The vectors of the rows; none if `k` is 0.
    scale : ndarray, shape (r,), float64
        One over the norm of each vector.

    Examples
    --------
    >>> vectors, rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32), np.arange(3)
    >>> candidates, points = Candidates.of(vectors, rows, k=1, groups=None), Points.of(vectors, rows)
    >>> results = candidates.empty_results(3)
    >>> for start, tile in points.tiles():
    ...     candidates.update(start, tile, points, results)
    >>> results[0].ravel().tolist()
    [1, 0, 0]
    """

    rows: np.ndarray
    groups: np.ndarray
    k: int
    vectors: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, rows: np.ndarray, k: int, groups: np.ndarray | None) -> Candidates:
        """Return some rows as candidates.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Unit vectors.
        rows : ndarray, shape (r,), int64
            The rows that have neighbours and are neighbours.
        k : int
            Neighbours per row.
        groups : ndarray, shape (n,), int64, optional
            Rows of one group are no neighbours of each other; -1 is no group.

        Returns
        -------
        Candidates
        """
        groups = np.full(len(rows), -1) if groups is None else np.asarray(groups, dtype=np.int64)[rows]
        candidates = np.ascontiguousarray(vectors[rows if k else rows[:0]], dtype=np.float32)
        return cls(rows, groups, k, candidates, inverse_norms(candidates))

    def empty_results(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return indices and similarities of rows that have no neighbour yet.

        Parameters
        ----------
        n : int
            Number of rows.

        Returns
        -------
        indices : ndarray, shape (n, k), int64
            All -1.
        similarities : ndarray, shape (n, k), float64
            All NaN.
        """
        return np.full((n, self.k), -1, dtype=np.int64), np.full((n, self.k), np.nan)

    def update(self, start: int, tile: Any, points: Points, results: tuple[np.ndarray, np.ndarray]) -> None:
        """Write the nearest neighbours of the rows of a tile.

        Parameters
        ----------
        start : int
            The first row of the tile.
        tile : ndarray, shape (b, r), float32, or a tensor
            Distances of these rows and all rows, from ``points.tiles``.
        points : Points
        results : tuple of ndarray
            Indices and similarities of all rows, as `empty_results` returns them; filled for the rows of the tile.
        """
        if not self.k or not len(tile):
            return
        anchor, neighbour = points.candidates(start, tile, self.groups, min(self.k, len(self.rows)))
        distance = exact_distances(self.vectors, self.scale, anchor, neighbour)
        order = np.lexsort((self.rows[neighbour], distance, anchor))
        place = np.arange(len(anchor)) - np.searchsorted(anchor, anchor)
        order, place = order[place < self.k], place[place < self.k]
        indices, similarities = results
        indices[anchor[order], place] = self.rows[neighbour[order]]
        similarities[anchor[order], place] = 1 - distance[order]
