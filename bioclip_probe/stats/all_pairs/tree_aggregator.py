"""Sums of values over the tips of every clade of a tree."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.tree.tree import Tree


class TreeAggregator:
    """Sparse matrices that add up values from the tips of a tree to its clades, one level of height at a time.

    A sum costs O(nodes) on a tree of any shape, and it is faster than a running sum over the tips.

    Parameters
    ----------
    tree : Tree
        With m nodes, of which k are tips.

    Attributes
    ----------
    nodes : ndarray, shape (m,), int64
        The nodes by height: first the k tips in preorder, then the inner nodes, the root last.
    position : ndarray, shape (m,), int64
        The position of each node in `nodes`.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> TreeAggregator(tree).clade_sums(np.array([[1.0], [10.0], [100.0]])).ravel().tolist()
    [111.0, 11.0, 1.0, 10.0, 100.0]
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
        self._levels = [children[low:high, k:low] for low, high in itertools.pairwise(stops[1:])]

    @classmethod
    def of(cls, tree: Tree) -> TreeAggregator:
        """Return the aggregator of a tree; the last ones are remembered.

        Parameters
        ----------
        tree : Tree

        Returns
        -------
        TreeAggregator
        """
        return _aggregator_of(tree)

    def inner_sums(self, values: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """Return the sums over the tips below each inner node, for P orders of the values at the tips.

        Parameters
        ----------
        values : ndarray, shape (k, w)
        orders : ndarray, shape (P, k), int64
            In order p, value ``orders[p, i]`` stands at tip i.

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
        sums = (picked @ values).reshape(n_orders, shape[0], shape[2])
        sums = np.ascontiguousarray(sums.transpose(1, 0, 2)).reshape(shape[0], shape[1] * shape[2])
        return self._add_children(sums).reshape(shape)

    def inner_sums_of_tips(self, values: np.ndarray, tips: np.ndarray) -> np.ndarray:
        """Return the sums over some of the tips below each inner node.

        Parameters
        ----------
        values : ndarray, shape (t, w)
        tips : ndarray, shape (t,), int64
            The tip position of each row of `values`.

        Returns
        -------
        ndarray, shape (m - k, w), float64
            By height, as ``nodes[k:]``.
        """
        return self._add_children(self._tips[:, tips] @ values)

    def inner_sums_by_group(self, values: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
        """Return the sums over the tips of each group below each inner node.

        Parameters
        ----------
        values : ndarray, shape (k, w)
        group : ndarray, shape (k,), int64
            The group of each tip, from 0 to ``n_groups - 1``.
        n_groups : int

        Returns
        -------
        ndarray, shape (m - k, n_groups, w), float64
            By height, as ``nodes[k:]``.
        """
        sums = np.empty((self._tips.shape[0], n_groups, values.shape[1]))
        for number in range(n_groups):
            tips = np.flatnonzero(group == number)
            sums[:, number] = self._tips[:, tips] @ values[tips]
        return self._add_children(sums.reshape(len(sums), n_groups * values.shape[1])).reshape(sums.shape)

    def clade_sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over the tips of each clade.

        Parameters
        ----------
        values : ndarray, shape (k, w)

        Returns
        -------
        ndarray, shape (m, w), float64
            In the order of the tree's nodes.
        """
        inner = self.inner_sums(values, np.arange(len(values))[None])[:, 0]
        return np.concatenate([values, inner])[self.position]

    def _add_children(self, sums: np.ndarray) -> np.ndarray:
        """Add to each inner node, whose sum is over its tip children, the sums of its inner children; in place."""
        for children in self._levels:
            low = children.shape[1]
            sums[low : low + children.shape[0]] += children @ sums[:low]
        return sums


@lru_cache(maxsize=16)
def _aggregator_of(tree: Tree) -> TreeAggregator:
    return TreeAggregator(tree)
