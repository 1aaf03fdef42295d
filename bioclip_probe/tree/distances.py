"""Distances along a tree, computed from neighbouring tips.

In preorder, the most recent common ancestor (MRCA) of two neighbouring tips is the parent of the node that follows the
first of them. The depth of the MRCA of any two tips is the smallest depth of the MRCAs of neighbours between them. So
each row of the matrix follows from the row before by one minimum with a constant: O(k²) time and no look-up per pair.
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.tree.tree import Tree


def neighbour_mrca_depths(tree: Tree) -> np.ndarray:
    """Return the depth of the most recent common ancestor of each tip and the next tip in preorder.

    Parameters
    ----------
    tree : Tree
        A tree with k tips.

    Returns
    -------
    ndarray, shape (k - 1,), float64

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> neighbour_mrca_depths(parse_newick("((a:1,b:1):2,c:3);")).tolist()
    [2.0, 0.0]
    """
    return tree.depth[tree.parent[tree.tips[:-1] + 1]]


def patristic_rows(tree: Tree, start: int, stop: int) -> np.ndarray:
    """Return the rows from `start` to `stop` of `patristic_distances`, each from the diagonal to its end.

    Parameters
    ----------
    tree : Tree
        A tree with k tips.
    start, stop : int
        The first tip and one past the last tip, as positions in ``tree.tips``.

    Returns
    -------
    ndarray, shape (stop - start, k - start), float64
        Entry (a, b) is the distance between the tips ``start + a`` and ``start + b``. It is 0 for b < a, so that all
        rows together hold each pair of tips once.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> patristic_rows(parse_newick("((a:1,b:1):2,c:3);"), 1, 3).tolist()
    [[0.0, 6.0], [0.0, 0.0]]
    """
    depth = tree.depth[tree.tips]
    between = neighbour_mrca_depths(tree)
    rows = np.zeros((stop - start, len(depth) - start))
    for a in range(stop - start):
        mrca_depth = np.minimum.accumulate(between[start + a :])
        rows[a, a + 1 :] = depth[start + a] + depth[start + a + 1 :] - 2 * mrca_depth
    return rows


def patristic_distances(tree: Tree, dtype: np.typing.DTypeLike = np.float64) -> np.ndarray:
    r"""Return the length of the path between every two tips.

    .. math:: D_{ij} = h_i + h_j - 2 h_{\mathrm{mrca}(i, j)}

    with h the depth of a node below the root.

    Parameters
    ----------
    tree : Tree
        A tree with k tips.
    dtype : dtype
        float64, or float32 for half the memory.

    Returns
    -------
    ndarray, shape (k, k)
        Symmetric with zero diagonal, in ``tree.unit``; rows in the order of ``tree.tips``. On a taxonomy the distance
        of two species is the number of ranks below their most recent common ancestor.

    Notes
    -----
    O(k²) time; the memory is that of the matrix.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> patristic_distances(parse_newick("((a:1,b:1):2,c:3);")).tolist()
    [[0.0, 2.0, 6.0], [2.0, 0.0, 6.0], [6.0, 6.0, 0.0]]
    """
    depth = tree.depth[tree.tips].astype(dtype)
    between = neighbour_mrca_depths(tree).astype(dtype)
    k = len(depth)
    matrix = np.zeros((k, k), dtype=dtype)
    mrca_depth = depth.copy()  # of tip i and each tip before it; this row stays in the processor's cache
    for i in range(1, k):
        np.minimum(mrca_depth[:i], between[i - 1], out=mrca_depth[:i])
        row = matrix[i, :i]
        np.multiply(mrca_depth[:i], -2, out=row)
        row += depth[:i]
        row += depth[i]
    _copy_lower_triangle_to_upper(matrix)
    return matrix


def _copy_lower_triangle_to_upper(matrix: np.ndarray, block: int = 512) -> None:
    """Make a matrix symmetric in place, block by block, so that each block stays in the processor's cache."""
    k = len(matrix)
    for i in range(0, k, block):
        rows = slice(i, min(i + block, k))
        for j in range(0, i, block):
            matrix[j : j + block, rows] = matrix[rows, j : j + block].T
        corner = matrix[rows, rows]
        upper = np.triu_indices(len(corner), 1)
        corner[upper] = corner.T[upper]
