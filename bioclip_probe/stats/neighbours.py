"""The nearest neighbours of every image, exactly, from tiles of the cosine matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.stats.points import BLOCK, Points

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
    near = Candidates(vectors, rows, k, groups)
    points = Points.of(vectors, rows)
    for start, tile in points.tiles(block):
        near.see(start, tile, points)
    return near.indices, near.similarities


class Candidates:
    """The nearest of some rows, found tile by tile.

    A tile, in float32, tells which rows may be among an anchor's nearest; those are compared in float64.

    Attributes
    ----------
    indices, similarities : ndarray, shape (n, k)
        As `nearest_neighbours` returns them, filled as tiles are seen.
    """

    def __init__(self, vectors: np.ndarray, rows: np.ndarray, k: int, groups: np.ndarray | None) -> None:
        self.rows, self.k = rows, k
        self.indices = np.full((len(vectors), k), -1, dtype=np.int64)
        self.similarities = np.full((len(vectors), k), np.nan)
        self.groups = np.full(len(rows), -1) if groups is None else np.asarray(groups, dtype=np.int64)[rows]
        if k:
            candidates = np.asarray(vectors[rows], dtype=np.float32)
            self.distinct, self.kind = np.unique(candidates, axis=0, return_inverse=True)

    def see(self, start: int, tile: Any, points: Points) -> None:
        """Take note of the distances of the rows from `start` on to all rows."""
        if not self.k or not len(tile):
            return
        anchor, neighbour = points.near(start, tile, self.groups, min(self.k, len(self.rows)))
        similarity = _cosines(self.distinct, self.kind[anchor], self.kind[neighbour])
        order = np.lexsort((self.rows[neighbour], -similarity, anchor))
        place = np.arange(len(anchor)) - np.searchsorted(anchor, anchor)
        order, place = order[place < self.k], place[place < self.k]
        at = self.rows[anchor[order]], place
        self.indices[at] = self.rows[neighbour[order]]
        self.similarities[at] = similarity[order]


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
