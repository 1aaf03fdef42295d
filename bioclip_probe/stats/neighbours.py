"""The nearest neighbours of every image, exactly, in one blocked sweep over the cosine matrix."""

from __future__ import annotations

import numpy as np

from bioclip_probe.errors import DataError, some

ROUNDING = 1e-5  # more than float32 can err on the cosine of two unit vectors
PAIRS_AT_ONCE = 1 << 14  # pairs whose vectors are gathered together in float64


def nearest_neighbours(
    vectors: np.ndarray,
    k: int,
    groups: np.ndarray | None = None,
    among: np.ndarray | None = None,
    block: int = 512,
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
    Blocks are multiplied in float32; all candidates within 1e-5 of the k-th are then compared in float64, so the
    order does not hang on the block size or on how the machine sums. Cost O(n² d), memory O(block·n).
    """
    if k < 1:
        raise ValueError(f"expected k of at least 1, got {k}")
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; not so in row {some(broken)}")
    n = len(vectors)
    indices = np.full((n, k), -1, dtype=np.int64)
    similarities = np.full((n, k), np.nan)
    rows = np.arange(n) if among is None else np.flatnonzero(among)
    if len(rows) < 2:
        return indices, similarities
    candidates = np.ascontiguousarray(vectors[rows], dtype=np.float32)
    distinct, kind = np.unique(candidates, axis=0, return_inverse=True)
    groups = np.full(len(rows), -1) if groups is None else np.asarray(groups)[rows]
    for start in range(0, len(rows), block):
        anchors = np.arange(start, min(start + block, len(rows)))
        anchor, neighbour = _near_pairs(candidates, groups, anchors, min(k, len(rows) - 1))
        similarity = _cosines(distinct, kind[anchor], kind[neighbour])
        order = np.lexsort((neighbour, -similarity, anchor))
        place = np.arange(len(anchor)) - np.searchsorted(anchor, anchor)
        order, place = order[place < k], place[place < k]
        anchor, neighbour, similarity = anchor[order], neighbour[order], similarity[order]
        indices[rows[anchor], place] = rows[neighbour]
        similarities[rows[anchor], place] = similarity
    return indices, similarities


def _near_pairs(vectors, groups, anchors, k):
    """Anchor and candidate of all pairs that may be among an anchor's k nearest, by anchor."""
    rough = vectors[anchors] @ vectors.T
    rough[np.arange(len(anchors)), anchors] = -np.inf
    grouped = np.flatnonzero(groups[anchors] >= 0)
    if len(grouped):
        rough[grouped] = np.where(groups[anchors[grouped], None] == groups, -np.inf, rough[grouped])
    kth = np.partition(rough, -k, axis=1)[:, -k, None]
    anchor, neighbour = np.nonzero((rough >= kth - ROUNDING) & (rough > -np.inf))
    return anchors[anchor], neighbour


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
