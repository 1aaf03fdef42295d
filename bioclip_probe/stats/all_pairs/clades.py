"""Sums over pairs by the node at which they meet: all that a correlation inside a clade, or by rank, needs.

Two images meet at the lowest common ancestor of their tips. With x the vectors less their mean and q = ‖x‖², half the
squared distance of two vectors, which for unit vectors is their cosine distance, is c = (q_i + q_j)/2 - x_i·x_j, and
over all pairs of a clade of n images, with Q = Σq, F = Σq², s = Σx, D = Σqx, G = Σxxᵀ and a the depth of their tips::

    Σ c              = (nQ - ‖s‖²)/2
    Σ c²             = (nF + Q²)/4 + ‖G‖_F²/2 - D·s
    Σ (a_i + a_j)    = (n - 1) Σa
    Σ (a_i + a_j)²   = (n - 2) Σa² + (Σa)²
    Σ (a_i + a_j) c  = (n Σaq + Q Σa)/2 - Σax·s

What meets at a node is what its clade holds less what its children's clades hold. Distances do not change when all
vectors are moved; without their mean nothing cancels, even where embeddings nearly coincide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.tree.tree import Tree, read_only

BLOCK = 8192
#: Clades of no more rows than this are small in any dimension.
FEWEST = 64


class TreeAggregator:
    """How clades add up, from the tips: O(nodes) on a tree of any shape, and faster than a running sum over the tips.

    Attributes
    ----------
    nodes : ndarray, shape (m,), int64
        The nodes by height: the k tips first, in preorder, then the inner ones, the root last.
    position : ndarray, shape (m,), int64
        Where each node stands among them.
    """

    def __init__(self, tree: Tree) -> None:
        parent, m, k = tree.parent, len(tree), len(tree.tips)
        height = [0] * m
        for node, above in zip(range(m - 1, 0, -1), parent[:0:-1].tolist(), strict=True):
            height[above] = max(height[above], height[node] + 1)
        self.nodes = np.argsort(height, kind="stable")
        self.position = np.argsort(self.nodes)
        children = csr_array((np.ones(m - 1), (self.position[parent[1:]], self.position[1:])), shape=(m, m))
        stops = np.cumsum(np.bincount(height)).tolist()
        self._tips = children[k:, :k]
        self._rises = [children[low:high, k:low] for low, high in itertools.pairwise(stops[1:])]

    def inner_sums(self, values: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """Sums over the tips below each inner node, where value ``orders[p, i]`` stands at tip i.

        Parameters
        ----------
        values : ndarray, shape (k, w)
        orders : ndarray, shape (P, k), int64

        Returns
        -------
        ndarray, shape (m - k, P, w), float64
            By height, as ``nodes[k:]``.
        """
        tips, n_orders = self._tips, len(orders)
        stops = tips.indptr[1:] + tips.nnz * np.arange(n_orders)[:, None]
        indptr = np.concatenate([[0], stops.ravel()]).astype(tips.indptr.dtype)
        picked = csr_array(
            (np.ones(tips.nnz * n_orders), orders[:, tips.indices].ravel().astype(tips.indices.dtype), indptr),
            shape=(tips.shape[0] * n_orders, len(values)),
        )
        shape = (tips.shape[0], n_orders, values.shape[1])
        at = (picked @ values).reshape(n_orders, shape[0], shape[2])
        at = np.ascontiguousarray(at.transpose(1, 0, 2)).reshape(shape[0], shape[1] * shape[2])
        return self._risen(at).reshape(shape)

    def inner_sums_of_tips(self, values: np.ndarray, some: np.ndarray) -> np.ndarray:
        """Sums over those of some tips that are below each inner node, shape (m - k, w), from (len(some), w)."""
        return self._risen(self._tips[:, some] @ values)

    def inner_sums_by_group(self, values: np.ndarray, part: np.ndarray, n_parts: int) -> np.ndarray:
        """Sums over the tips of each part that are below each inner node, shape (m - k, P, w), from (k, w)."""
        at = np.empty((self._tips.shape[0], n_parts, values.shape[1]))
        for number in range(n_parts):
            some = np.flatnonzero(part == number)
            at[:, number] = self._tips[:, some] @ values[some]
        return self._risen(at.reshape(len(at), n_parts * values.shape[1])).reshape(at.shape)

    def _risen(self, at: np.ndarray) -> np.ndarray:
        """Inner nodes with the sums of all tips below, from those with the sums of the tips that hang from them."""
        for children in self._rises:
            low = children.shape[1]
            at[low : low + children.shape[0]] += children @ at[:low]
        return at

    def clade_sums(self, values: np.ndarray) -> np.ndarray:
        """The sum over the tips of each clade, shape (m, w) in the order of the tree's nodes, from (k, w)."""
        inner = self.inner_sums(values, np.arange(len(values))[None])[:, 0]
        return np.concatenate([values, inner])[self.position]


@dataclass(frozen=True, eq=False)
class NodeSums:
    """Σ1, Σt, Σc, Σt², Σc², Σtc over the pairs of rows that meet at each node: tree distance t, cosine distance c.

    The columns are what `moments.pearson` takes: ``pearson(*sums.by_node.sum(axis=0))`` is the correlation over all pairs,
    ``pearson(*sums.by_clade.T)`` that inside each clade. Sums over any set of nodes are sums over their pairs.

    Attributes
    ----------
    tree : Tree
        Of m nodes.
    by_node : ndarray, shape (m, 6), float64
        Over the pairs whose lowest common ancestor is that node; at a tip, the pairs of rows that share it (t = 0).
    """

    tree: Tree
    by_node: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_node", read_only(self.by_node))

    @classmethod
    def of(cls, vectors: np.ndarray, groups: np.ndarray, tree: Tree) -> NodeSums:
        """Sums over all pairs of n rows.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Unit vectors.
        groups : ndarray, shape (n,), int64
            Tip position of each row, -1 leaves it out; a tip may have any number of rows, or none.
        tree : Tree
            Of any shape and depth.

        Notes
        -----
        O(n d² + nodes·d). Memory: a copy of the rows, seven numbers per tip and dimension, and few d × d matrices.
        """
        return cls.with_jackknife(vectors, groups, tree, np.zeros(len(tree.tips), dtype=np.int64), 0)[0]

    @classmethod
    def with_jackknife(
        cls, vectors: np.ndarray, groups: np.ndarray, tree: Tree, part: np.ndarray, n_parts: int
    ) -> list[NodeSums]:
        """Sums over all pairs of rows, then those without each part of the tips, as the delete-group jackknife asks.

        Parameters
        ----------
        vectors, groups, tree
            As for `of`.
        part : ndarray, shape (k,), int64
            The part of each tip, from 0 to ``n_parts - 1``.
        n_parts : int

        Returns
        -------
        list of NodeSums
            1 + n_parts of them.

        Notes
        -----
        All parts together cost about as much as n_parts · O(nodes·d) and one more O(n d²) for each level of large
        clades; nothing is summed anew.
        """
        order = np.argsort(groups, kind="stable")
        order = order[np.searchsorted(groups[order], 0) :]
        rows, tip = np.asarray(vectors)[order], groups[order]
        mean = rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(rows.shape[1])
        starts = np.searchsorted(tip, np.arange(len(tree.tips) + 1))
        first = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
        span = np.stack([starts[first[:-1]], starts[first[tree.stop]]], axis=1)
        squares = gram_squares(rows, mean, span, tree, part[tip], n_parts)
        aggregator, at_tips = TreeAggregator(tree), _tip_sums(rows, mean, tip, tree)
        at_inner = aggregator.inner_sums_of_tips(at_tips, np.arange(len(at_tips)))
        pairs = _pair_sums(np.concatenate([at_tips, at_inner]))
        found = [cls._of_clades(tree, pairs[aggregator.position], squares[0])]
        for number, second in enumerate(squares[1:]):
            out = np.flatnonzero(part == number)
            left = pairs.copy()
            left[out] = 0.0
            left[len(at_tips) :] = _pair_sums(at_inner - aggregator.inner_sums_of_tips(at_tips[out], out))
            found.append(cls._of_clades(tree, left[aggregator.position], second))
        return found

    @classmethod
    def _of_clades(cls, tree: Tree, pairs: np.ndarray, squares: np.ndarray) -> NodeSums:
        """What meets at each node, from the sums over all pairs of each clade and their ‖G‖²."""
        pairs[:, 4] += squares / 2
        met = pairs.copy()
        np.subtract.at(met, tree.parent[1:], pairs[1:])
        met[met[:, 0] < 0.5] = 0.0  # where none meet, rounding would leave traces
        return cls(tree, _by_distance(met, tree))

    @property
    def by_clade(self) -> np.ndarray:
        """The same sums over all pairs of each clade, shape (m, 6): those at its nodes ``v:stop[v]``."""
        below = self.by_node.copy()
        for node in range(len(below) - 1, 0, -1):
            below[self.tree.parent[node]] += below[node]
        return below


def _tip_sums(rows: np.ndarray, mean: np.ndarray, tip: np.ndarray, tree: Tree) -> np.ndarray:
    """n, Σa, Σq, Σa², Σq², Σaq, then Σx, Σqx and Σax of the rows at each tip, shape (k, 6 + 3d)."""
    d, depth = len(mean), tree.depth[tree.tips]
    sums = np.zeros((len(depth), 6 + 3 * d))
    for start in range(0, len(rows), BLOCK):
        x, at = rows[start : start + BLOCK] - mean, tip[start : start + BLOCK]
        q, a = np.einsum("ij,ij->i", x, x), depth[at]
        here = slice(at[0], at[-1] + 1)
        pick = csr_array((np.ones(len(at)), (at - at[0], np.arange(len(at)))), shape=(at[-1] + 1 - at[0], len(at)))
        sums[here, :6] += pick @ np.stack([np.ones(len(at)), a, q, a * a, q * q, a * q], axis=1)
        for place, weight in enumerate((1.0, q[:, None], a[:, None])):
            sums[here, 6 + place * d : 6 + (place + 1) * d] += pick @ (x * weight)
    return sums


def _pair_sums(sums: np.ndarray) -> np.ndarray:
    """Σ1, Σ(a_i + a_j), Σc, Σ(a_i + a_j)², Σc² less its ‖G‖²/2, Σ(a_i + a_j)c over the pairs of clades, shape (…, 6).

    From the sums over the rows of each, as `_tip_sums` has them.
    """
    n, a, q, aa, qq, aq = sums[:, :6].T
    s, qx, ax = np.split(sums[:, 6:], 3, axis=1)
    s_s, qx_s, ax_s = (np.einsum("ij,ij->i", other, s) for other in (s, qx, ax))
    return np.stack(
        [
            n * (n - 1) / 2,
            (n - 1) * a,
            (n * q - s_s) / 2,
            (n - 2) * aa + a * a,
            (n * qq + q * q) / 4 - qx_s,
            (n * aq + q * a) / 2 - ax_s,
        ],
        axis=1,
    )


def _by_distance(met: np.ndarray, tree: Tree) -> np.ndarray:
    """From sums of a_i + a_j to sums of tree distance: a_i + a_j less twice the depth of the node where they meet."""
    n, a, c, aa, cc, ac = met.T
    twice = 2 * tree.depth
    t, tt, tc = a - twice * n, aa - 2 * twice * a + twice**2 * n, ac - twice * c
    for sums in (t, tt, tc):
        sums[tree.tips] = 0.0  # written out, lest rounding say otherwise
    return np.stack([n, t, c, tt, cc, tc], axis=1)


def gram_squares(
    rows: np.ndarray, mean: np.ndarray, span: np.ndarray, tree: Tree, part: np.ndarray, n_parts: int
) -> np.ndarray:
    """‖Σ x xᵀ‖_F² = Σ_ij (x_i·x_j)² over the rows of each clade, x being rows less `mean`; then without each part.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
        Sorted by tip.
    mean : ndarray, shape (d,)
    span : ndarray, shape (m, 2), int64
        The rows of each clade, first and last plus one.
    tree : Tree
    part : ndarray, shape (n,), int64
        From 0 to ``n_parts - 1``.
    n_parts : int

    Returns
    -------
    ndarray, shape (1 + n_parts, m), float64

    Notes
    -----
    Clades of at most d rows are read off the matrix of products of many neighbouring rows; those of more have their
    d × d second moment G, to which children of that size pass on their own. A part's G_p leaves
    ‖G - G_p‖² = ‖G‖² - 2 Σ_{i in p} x_i·G x_i + ‖G_p‖².
    """
    squares = np.zeros((1 + n_parts, len(tree)))
    most = max(len(mean), FEWEST)
    size = span[:, 1] - span[:, 0]
    large = size > most
    topmost = np.flatnonzero(~large & np.concatenate([[True], large[tree.parent[1:]]]))
    for nodes in _packs(topmost, size, most):
        inside = np.arange(nodes[0], tree.stop[nodes[-1]])
        inside = inside[~large[inside] & (size[inside] > 0)]
        low, high = span[nodes[0], 0], span[nodes[-1], 1]
        squares[:, inside] = _squares_of_spans(rows[low:high] - mean, span[inside] - low, part[low:high], n_parts)
    d = len(mean)
    pending: dict[int, tuple[np.ndarray, list[tuple[int, int]]]] = {}
    for node in np.flatnonzero(large)[::-1]:
        second, covered = pending.pop(node, (np.zeros((d, d)), []))
        _add_products(second, rows, mean, _gaps(span[node], covered))
        squares[:, node] = np.sum(second**2)
        if n_parts:
            here = slice(*span[node])
            squares[1:, node] += _change_without(rows[here], mean, second, part[here], n_parts)
        if node:
            above, done = pending.setdefault(tree.parent[node], (np.zeros_like(second), []))
            above += second
            done.append(tuple(span[node]))
    return squares


def _squares_of_spans(x: np.ndarray, spans: np.ndarray, part: np.ndarray, n_parts: int) -> np.ndarray:
    """Σ_ij (x_i·x_j)² over each span of rows, shape (1 + n_parts, s): of all its rows, then without each part."""
    squares = np.square(x @ x.T)

    def along_rows(values: np.ndarray) -> np.ndarray:
        running = np.zeros((len(x), len(x) + 1))
        np.cumsum(values, axis=1, out=running[:, 1:])
        return running

    running = along_rows(squares)
    same = along_rows(squares * (part[:, None] == part)) if n_parts else None
    found = np.empty((1 + n_parts, len(spans)))
    for place, (low, high) in enumerate(spans.tolist()):
        by_row = running[low:high, high] - running[low:high, low]
        found[:, place] = by_row.sum()
        if n_parts:
            lost = 2 * by_row - same[low:high, high] + same[low:high, low]
            found[1:, place] -= np.bincount(part[low:high], weights=lost, minlength=n_parts)
    return found


def _change_without(
    rows: np.ndarray, mean: np.ndarray, second: np.ndarray, part: np.ndarray, n_parts: int
) -> np.ndarray:
    """How ‖G‖² changes when the rows of each part are left out, shape (n_parts,)."""
    change = np.zeros(n_parts)
    order = np.argsort(part, kind="stable")
    stops = np.searchsorted(part[order], np.arange(n_parts + 1))
    for number, (low, high) in enumerate(itertools.pairwise(stops.tolist())):
        if high > low:
            x = rows[order[low:high]] - mean
            own = x.T @ x
            change[number] = np.vdot(own, own) - 2 * np.vdot(own, second)
    return change


def _packs(nodes: np.ndarray, size: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Neighbouring nodes, in packs of at most `most` rows."""
    start, total = 0, 0
    for place, rows in enumerate(size[nodes].tolist()):
        if total + rows > most:
            yield nodes[start:place]
            start, total = place, 0
        total += rows
    if start < len(nodes):
        yield nodes[start:]


def _gaps(span: np.ndarray, covered: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of a span of rows without those covered, which come from the last to the first."""
    start = int(span[0])
    for low, high in reversed(covered):
        if low > start:
            yield start, low
        start = high
    if span[1] > start:
        yield start, int(span[1])


def _add_products(second: np.ndarray, rows: np.ndarray, mean: np.ndarray, gaps: Iterator[tuple[int, int]]) -> None:
    """Add Σ x xᵀ of the rows in some gaps."""
    for low, high in gaps:
        for start in range(low, high, BLOCK):
            x = rows[start : min(start + BLOCK, high)] - mean
            second += x.T @ x
