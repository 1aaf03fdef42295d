"""Squared norms of the second moments of all clades, with and without each jackknife group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bioclip_probe.tree.tree import Tree


@dataclass(frozen=True)
class BlockSizes:
    """Numbers of rows that are processed together. They change time and memory, but results only by rounding.

    Attributes
    ----------
    rows : int
        Rows whose products are added at once.
    small_clade : int
        Clades with no more rows than this are small in any dimension.

    Examples
    --------
    >>> BlockSizes(rows=4).small_clade
    64
    """

    rows: int = 8192
    small_clade: int = 64


DEFAULT_SIZES = BlockSizes()


@dataclass(frozen=True, eq=False)
class CladeRows:
    """Rows sorted by tip, so that the rows of each clade are a slice.

    Attributes
    ----------
    tree : Tree
        With m nodes.
    rows : ndarray, shape (n, d)
        Unit vectors, sorted by tip.
    mean : ndarray, shape (d,), float64
        The mean of the rows.
    span : ndarray, shape (m, 2), int64
        The rows of each clade: the first, and one after the last.
    jackknife_group : ndarray, shape (n,), int64
        The jackknife group of each row, from 0 to ``n_groups - 1``.
    n_groups : int
        Number of jackknife groups; 0 if none is left out.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> CladeRows.of(tree, np.eye(3), np.array([0, 0, 1]), np.zeros(2, dtype=int), n_groups=0).span.tolist()
    [[0, 3], [0, 2], [2, 3]]
    """

    tree: Tree
    rows: np.ndarray
    mean: np.ndarray
    span: np.ndarray
    jackknife_group: np.ndarray
    n_groups: int

    @classmethod
    def of(cls, tree: Tree, rows: np.ndarray, tip: np.ndarray, jackknife_group: np.ndarray, n_groups: int) -> CladeRows:
        """Return the rows with their mean and the span of each clade.

        Parameters
        ----------
        tree : Tree
            With k tips.
        rows : ndarray, shape (n, d)
            Unit vectors, sorted by tip.
        tip : ndarray, shape (n,), int64
            The tip position of each row.
        jackknife_group : ndarray, shape (k,), int64
            The jackknife group of each tip.
        n_groups : int
            Number of jackknife groups; 0 if none is left out.

        Returns
        -------
        CladeRows
        """
        mean = rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(rows.shape[1])
        starts = np.searchsorted(tip, np.arange(len(tree.tips) + 1))
        first_tip = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
        span = np.stack([starts[first_tip[:-1]], starts[first_tip[tree.stop]]], axis=1)
        return cls(tree, rows, mean, span, jackknife_group[tip], n_groups)


def gram_squares(clades: CladeRows, sizes: BlockSizes = DEFAULT_SIZES) -> np.ndarray:
    """Return ‖Σ x xᵀ‖_F² = Σ_ij (x_i·x_j)² over the rows of each clade, where x are the rows minus their mean.

    Parameters
    ----------
    clades : CladeRows
    sizes : BlockSizes

    Returns
    -------
    ndarray, shape (1 + n_groups, m), float64
        Over all rows, then without each jackknife group.

    Notes
    -----
    Clades of at most d rows are read from the matrix of products of many neighbouring rows. Each larger clade has the
    d × d second moment G_p of each group, to which its large children contribute theirs. With G = Σ G_p, leaving out
    group p gives ‖G - G_p‖². Memory: n_groups d × d matrices for each level of large clades.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> rows = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> gram_squares(CladeRows.of(tree, rows, np.array([0, 1]), np.array([0, 1]), n_groups=2)).tolist()
    [[4.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    tree, rows, mean, span = clades.tree, clades.rows, clades.mean, clades.span
    squares = np.zeros((1 + clades.n_groups, len(tree)))
    most = max(len(mean), sizes.small_clade)
    size = span[:, 1] - span[:, 0]
    large = size > most
    topmost = np.flatnonzero(~large & np.concatenate([[True], large[tree.parent[1:]]]))
    for nodes in _packs(topmost, size, most):
        inside = np.arange(nodes[0], tree.stop[nodes[-1]])
        inside = inside[~large[inside] & (size[inside] > 0)]
        low, high = span[nodes[0], 0], span[nodes[-1], 1]
        group = clades.jackknife_group[low:high]
        squares[:, inside] = _squares_of_spans(rows[low:high] - mean, span[inside] - low, group, clades.n_groups)
    pending: dict[int, tuple[np.ndarray, list[tuple[int, int]]]] = {}
    for node in np.flatnonzero(large)[::-1]:
        of_groups, covered = pending.pop(node, (np.zeros((max(clades.n_groups, 1), len(mean), len(mean))), []))
        _add_products(of_groups, clades, list(_gaps(span[node], covered)), sizes.rows)
        second = of_groups.sum(axis=0)
        squares[0, node] = np.vdot(second, second)
        for number in range(clades.n_groups):
            own = of_groups[number]
            squares[1 + number, node] = squares[0, node] + np.vdot(own, own) - 2 * np.vdot(own, second)
        if node and tree.parent[node] in pending:
            above, done = pending[tree.parent[node]]
            above += of_groups
            done.append((span[node, 0], span[node, 1]))
        elif node:
            pending[tree.parent[node]] = of_groups, [(span[node, 0], span[node, 1])]
    return squares


def _squares_of_spans(x: np.ndarray, spans: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Return Σ_ij (x_i·x_j)² over each of s spans of rows, then without each group, shape (1 + n_groups, s)."""
    products = np.square(x @ x.T)

    def cumulated(values: np.ndarray) -> np.ndarray:
        """Return the running sums along each row, from 0."""
        running = np.zeros((len(x), len(x) + 1))
        np.cumsum(values, axis=1, out=running[:, 1:])
        return running

    running = cumulated(products)
    in_own_group = cumulated(products * (group[:, None] == group)) if n_groups else running
    squares = np.empty((1 + n_groups, len(spans)))
    for place, (low, high) in enumerate(spans.tolist()):
        by_row = running[low:high, high] - running[low:high, low]
        squares[:, place] = by_row.sum()
        if n_groups:
            lost = 2 * by_row - in_own_group[low:high, high] + in_own_group[low:high, low]
            squares[1:, place] -= np.bincount(group[low:high], weights=lost, minlength=n_groups)
    return squares


def _packs(nodes: np.ndarray, size: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield neighbouring nodes in packs of at most `most` rows."""
    start, total = 0, 0
    for place, rows in enumerate(size[nodes].tolist()):
        if total + rows > most:
            yield nodes[start:place]
            start, total = place, 0
        total += rows
    if start < len(nodes):
        yield nodes[start:]


def _gaps(span: np.ndarray, covered: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a span of rows that are not covered; `covered` runs from the last one to the first."""
    start = int(span[0])
    for low, high in reversed(covered):
        if low > start:
            yield start, low
        start = high
    if span[1] > start:
        yield start, int(span[1])


def _add_products(of_groups: np.ndarray, clades: CladeRows, gaps: list[tuple[int, int]], block: int) -> None:
    """Add Σ x xᵀ of the rows of each group in some gaps to that of the group, in place."""
    if not gaps:
        return
    rows = np.concatenate([np.arange(*gap) for gap in gaps])
    group = clades.jackknife_group[rows] if clades.n_groups else np.zeros(len(rows), dtype=np.int64)
    rows = rows[np.argsort(group, kind="stable")]
    stops = np.cumsum(np.bincount(group, minlength=len(of_groups)))
    for own, low, high in zip(of_groups, [0, *stops[:-1]], stops, strict=True):
        for start in range(low, high, block):
            x = clades.rows[rows[start : min(start + block, high)]] - clades.mean
            own += x.T @ x
