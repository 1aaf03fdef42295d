"""Tree distances that are equal but for rounding: one class for the pairs of tips that meet equally high."""

from __future__ import annotations

import numpy as np

from bioclip_probe.tree.tree import Tree

#: Heights that differ by less than this share of the tree's height are equal: float64 adds branches no better.
SAME = 1e-9
#: Branch lengths with more decimals are taken as they are.
MOST_DECIMALS = 8


def with_tied_heights(tree: Tree) -> Tree:
    """Return the same tree with the rank of each height in place of the height, where all tips are equally deep.

    On an ultrametric tree the distance of two tips is twice the height of their common ancestor. Branch lengths are
    published with a few digits, so that the depths of tips differ by rounding, and with them the distances of pairs
    that have the same common ancestor. On the new tree such pairs tie, and so do pairs whose ancestors are equally high
    within that rounding. The order of all other distances stays.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    Tree
        The length of each branch is the difference of two whole numbers, and all tips are at one depth. A tree that is
        not ultrametric is returned as it is: no two of its distances need be equal.

    Notes
    -----
    Heights are sorted. From the lowest one on, a class takes in all heights that exceed its first one by no more than
    the range of the depths of tips, which is the rounding of the tree. So no class is wider than that.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> tied = with_tied_heights(parse_newick("((a:1,b:1.00001):2,c:3);"))
    >>> tied.depth[tied.tips].tolist(), tied.length.tolist()
    ([2.0, 2.0, 2.0], [0.0, 1.0, 1.0, 1.0, 2.0])
    """
    if not tree.is_ultrametric:
        return tree
    depths = tree.depth[tree.tips]
    rounding = max(float(np.ptp(depths)), SAME * float(depths.max(initial=0)))
    height = depths.mean() - tree.depth
    height[tree.tips] = 0.0
    rank, number, lowest = np.zeros(len(tree)), 0, -rounding
    for node in np.argsort(height, kind="stable"):
        if height[node] > lowest + rounding:
            number, lowest = number + 1, height[node]
        rank[node] = number
    length = np.where(tree.parent >= 0, rank[tree.parent] - rank, 0.0)
    return Tree(tree.parent, length, tree.name, tree.rank, tree.unit)


def distance_rounding(tree: Tree) -> float:
    """Return how far the rounding of branch lengths moves a distance of two tips, about.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    float
        Two standard deviations, u·√(m/3), where u is the last decimal of the branch lengths and m the number of
        branches between the two tips that have most. 0 where branch lengths have more than `MOST_DECIMALS` decimals,
        and on an ultrametric tree, where `with_tied_heights` ties what is equal.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> distance_rounding(parse_newick("((a:1.25,b:1):2.5,(c:3,d:1):1);"))
    0.011547005383792514
    """
    for decimals in range(MOST_DECIMALS + 1) if not tree.is_ultrametric else ():
        scaled = tree.length * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-6):
            n_above = np.zeros(len(tree), dtype=np.int64)
            for node in range(1, len(tree)):
                n_above[node] = n_above[tree.parent[node]] + 1
            return float(10.0**-decimals * np.sqrt(2 * n_above.max() / 3))
    return 0.0
