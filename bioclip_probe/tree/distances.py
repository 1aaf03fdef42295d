"""Distances along a tree, from one fact about preorder.

The lowest common ancestor of two neighbouring tips is the parent of the node that follows the first of them, and the
depth of the common ancestor of any two tips is the smallest such depth between them. So row i of the matrix is row
i - 1, cut off from above at one value: O(k²) with no look-up per pair.
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.tree.tree import Tree


def neighbour_mrca_depths(tree: Tree) -> np.ndarray:
    """Depth of the most recent common ancestor of each tip and the next one in preorder, shape (k - 1,)."""
    return tree.depth[tree.parent[tree.tips[:-1] + 1]]


def patristic_rows(tree: Tree, start: int, stop: int) -> np.ndarray:
    """Rows `start` to `stop` of `patristic_distances`, from the diagonal on.

    Returns
    -------
    ndarray, shape (stop - start, k - start), float64
        Entry (a, b) is the distance between tips ``start + a`` and ``start + b``; it is 0 for b < a, so that each pair
        of tips is met once over all rows.
    """
    depth = tree.depth[tree.tips]
    between = neighbour_mrca_depths(tree)
    rows = np.zeros((stop - start, len(depth) - start))
    for a in range(stop - start):
        mrca = np.minimum.accumulate(between[start + a :])
        rows[a, a + 1 :] = depth[start + a] + depth[start + a + 1 :] - 2 * mrca
    return rows


def patristic_distances(tree: Tree, dtype: np.typing.DTypeLike = np.float64) -> np.ndarray:
    """Length of the path between every two tips.

    Parameters
    ----------
    tree : Tree
        With k tips.
    dtype : dtype
        float64, or float32 to halve the memory.

    Returns
    -------
    ndarray, shape (k, k)
        Symmetric, zero diagonal, rows in the order of ``tree.tips``, in ``tree.unit``. On a taxonomy: the number of
        ranks below the lowest common ancestor.

    Notes
    -----
    O(k²) time, the matrix itself in memory.
    """
    depth = tree.depth[tree.tips].astype(dtype)
    between = neighbour_mrca_depths(tree).astype(dtype)
    k = len(depth)
    matrix = np.zeros((k, k), dtype=dtype)
    mrca = depth.copy()  # depth of the common ancestor of tip i and each tip before it; stays in cache
    for i in range(1, k):
        np.minimum(mrca[:i], between[i - 1], out=mrca[:i])
        row = matrix[i, :i]
        np.multiply(mrca[:i], -2, out=row)
        row += depth[:i]
        row += depth[i]
    _mirror(matrix)
    return matrix


def _mirror(matrix: np.ndarray, block: int = 512) -> None:
    """Copy the lower triangle onto the upper one, in place, by blocks that stay in cache."""
    k = len(matrix)
    for i in range(0, k, block):
        rows = slice(i, min(i + block, k))
        for j in range(0, i, block):
            matrix[j : j + block, rows] = matrix[rows, j : j + block].T
        corner = matrix[rows, rows]
        upper = np.triu_indices(len(corner), 1)
        corner[upper] = corner.T[upper]
