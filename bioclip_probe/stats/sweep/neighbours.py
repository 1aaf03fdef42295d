"""The nearest neighbours of every image, exactly, from tiles of the cosine matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.stats.sweep.points import BLOCK, Points

PAIRS_AT_ONCE = 1 << 14  # pairs whose vectors are gathered together in float64


def nearest_neighbours(
    vectors: np.ndarray,
    k: int,
    groups: np.ndarray | None = None,
    among: np.ndarray | None = None,
    block: int = BLOCK,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows with the highest cosine similarity to each row, itself and its group left out.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Unit rows.
    k : int
        Neighbours per row, at least 1.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: rows of one group are no neighbours of each other. −1 belongs to no group.
    among : ndarray, shape (n,), bool, optional
        Only these rows have neighbours and are neighbours; all by default. For a statistic at a rank where some
        images have no name, pass ``labels >= 0``.
    block : int
        Rows of the cosine matrix held at once. It changes memory, never the result.

    Returns
    -------
    indices : ndarray, shape (n, k), int64
        Row numbers, nearest first. Equal similarities go to the lower row number. Where a row has fewer than `k`
        candidates the rest is −1.
    similarities : ndarray, shape (n, k), float64
        Cosine similarity, in [−1, 1] up to rounding; NaN where the index is −1.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    Distances are found in float32; all candidates that rounding may have put behind the k-th are then compared in
    float64, so the
    order does not hang on the block size or on how the machine sums. Cost O(n² d), memory O(block·n).
    """
    if k < 1:
        raise ValueError(f"expected k of at least 1, got {k}")
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; not so in row {some(broken)}")
    rows = np.arange(len(vectors)) if among is None else np.flatnonzero(among)
    near = Candidates.of(vectors, rows, k, groups)
    points, found = Points.of(vectors, rows), near.empty_results(len(rows))
    for start, tile in points.tiles(block):
        near.update(start, tile, points, found)
    nearest = near.empty_results(len(vectors))
    for whole, own in zip(nearest, found, strict=True):
        whole[rows] = own
    return nearest


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows among which the nearest of each are found, tile by tile.

    A tile, in float32, tells which rows may be among an anchor's nearest; those are compared in float64.

    Attributes
    ----------
    rows : ndarray, shape (r,), int64
        The number of each, by which neighbours are named and ties decided.
    groups : ndarray, shape (r,), int64
    k : int
    distinct : ndarray, shape (u, d), float32
        Their different vectors; none if `k` is 0.
    kind : ndarray, shape (r,), int64
        Which of them each row has.
    """

    rows: np.ndarray
    groups: np.ndarray
    k: int
    distinct: np.ndarray
    kind: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, rows: np.ndarray, k: int, groups: np.ndarray | None) -> Candidates:
        groups = np.full(len(rows), -1) if groups is None else np.asarray(groups, dtype=np.int64)[rows]
        candidates = np.asarray(vectors[rows if k else rows[:0]], dtype=np.float32)
        return cls(rows, groups, k, *np.unique(candidates, axis=0, return_inverse=True))

    def empty_results(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices and similarities, shape (n, k), of rows that have no neighbour yet."""
        return np.full((n, self.k), -1, dtype=np.int64), np.full((n, self.k), np.nan)

    def update(self, start: int, tile: Any, points: Points, found: tuple[np.ndarray, np.ndarray]) -> None:
        """Write the nearest of the rows from `start` on, whose distances to all rows a tile holds, into `found`."""
        if not self.k or not len(tile):
            return
        anchor, neighbour = points.near(start, tile, self.groups, min(self.k, len(self.rows)))
        similarity = _cosines(self.distinct, self.kind[anchor], self.kind[neighbour])
        order = np.lexsort((self.rows[neighbour], -similarity, anchor))
        place = np.arange(len(anchor)) - np.searchsorted(anchor, anchor)
        order, place = order[place < self.k], place[place < self.k]
        indices, similarities = found
        indices[anchor[order], place] = self.rows[neighbour[order]]
        similarities[anchor[order], place] = similarity[order]


def _cosines(distinct, left, right):
    """Float64 dot product of each pair of distinct vectors; equal pairs give equal bits, and are multiplied once."""
    pairs, pair = np.unique(left * len(distinct) + right, return_inverse=True)
    left, right = np.divmod(pairs, len(distinct))
    cosines = np.empty(len(pairs))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        a, b = distinct[left[part]].astype(np.float64), distinct[right[part]].astype(np.float64)
        cosines[part] = np.einsum("ij,ij->i", a, b)
    return cosines[pair]
