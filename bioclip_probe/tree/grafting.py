"""New tips on a phylogeny: species that it lacks, at the crown of their genus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioclip_probe.tree.tree import NO_RANK, Tree


def graft(tree: Tree, crowns: Sequence[int], names: Sequence[str]) -> tuple[Tree, np.ndarray, np.ndarray]:
    """Return a tree with new tips below some of its nodes.

    Parameters
    ----------
    tree : Tree
    crowns : sequence of int
        The node below which each new tip hangs: the last common ancestor of a genus. Where the genus has a single tip,
        that tip; the branch to it is then cut in half, and the new tips hang from the middle.
    names : sequence of str
        The names of the new tips.

    Returns
    -------
    tree : Tree
        A new tip is as deep as the mean of the tips below its node, so that an ultrametric tree stays one.
    new_index : ndarray, shape (m,), int64
        The new index of each old node.
    tips : ndarray, shape (new tips,), int64
        The index of each new tip.

    References
    ----------
    Jin & Qian 2019, Ecography 42, 1353 (V.PhyloMaker, scenario 1: polytomies at the crown of a genus).

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> tree, _, tips = graft(parse_newick("((a:1,b:1):2,c:3);"), [1, 4], ["d", "e"])
    >>> tree.name.tolist(), tree.length.tolist(), tips.tolist()
    (['', '', 'a', 'b', 'd', '', 'c', 'e'], [0.0, 2.0, 1.0, 1.0, 1.0, 1.5, 1.5, 1.5], [4, 7])
    """
    m, parent, depth = len(tree), tree.parent.tolist(), tree.depth.tolist()
    name, middle = tree.name.tolist(), {}
    for crown in dict.fromkeys(crowns):
        if tree.stop[crown] == crown + 1 and crown > 0:  # a tip: a node in the middle of its branch
            middle[crown] = len(parent)
            depth.append((depth[parent[crown]] + depth[crown]) / 2)
            parent.append(parent[crown])
            parent[crown] = middle[crown]
            name.append("")
    for crown, own in zip(crowns, names, strict=True):
        tips = tree.tips[slice(*tree.tips.searchsorted([crown, tree.stop[crown]]))]
        depth.append(float(tree.depth[tips].mean()))
        parent.append(middle.get(crown, crown))
        name.append(own)
    order = _preorder(parent, m)
    index = np.empty(len(order), dtype=np.int64)
    index[order] = np.arange(len(order))
    parents = np.array([-1 if parent[node] < 0 else index[parent[node]] for node in order], dtype=np.int64)
    depths = np.array(depth)[order]
    length = np.where(parents >= 0, np.maximum(depths - depths[parents], 0), 0.0)
    old = order < m
    length[old] = np.where(np.isin(order[old], list(middle)), length[old], tree.length[order[old]])
    grown = Tree(parents, length, np.array(name, dtype=object)[order], np.full(len(order), NO_RANK), tree.unit)
    return grown, index[:m], index[len(order) - len(names) :]


def _preorder(parent: Sequence[int], m: int) -> np.ndarray:
    """Return the nodes in preorder. Children keep their order, and new nodes come where they belong."""
    children: list[list[int]] = [[] for _ in parent]
    for node in range(m):
        if parent[node] >= m:  # the middle of the branch to an old tip takes the place of the tip
            children[parent[parent[node]]].append(parent[node])
        if parent[node] >= 0:
            children[parent[node]].append(node)
    for node in range(m, len(parent)):
        if node not in children[parent[node]]:
            children[parent[node]].append(node)
    order, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(reversed(children[node]))
    return np.array(order, dtype=np.int64)
