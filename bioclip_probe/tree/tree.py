"""Rooted trees as arrays in preorder, and the placement of images in a tree.

The descendants of node ``i`` are the nodes ``i:stop[i]``, so that every clade is a slice: no pointers, no recursion, no
sets. The same type holds a Linnaean taxonomy and a dated phylogeny.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bioclip_probe.errors import TreeError, some
from bioclip_probe.tables import RANKS

NO_RANK = -1
#: Stands between the names of a path. No name of a taxonomy contains it.
SEPARATOR = "|"
#: Depths of tips may differ by this share of the largest one in an ultrametric tree: published dated trees are rounded.
ULTRAMETRIC_TOLERANCE = 1e-4


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a view of an array that cannot be written to; the array itself stays as it is.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    ndarray

    Examples
    --------
    >>> read_only(np.arange(3)).flags.writeable
    False
    """
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class Tree:
    """A rooted tree of m nodes in preorder.

    Attributes
    ----------
    parent : ndarray, shape (m,), int64
        The parent of each node, which comes before it: ``parent[i] < i``. The root is node 0 and has parent -1.
    length : ndarray, shape (m,), float64
        Length of the branch above each node, at least 0, in `unit`. That of the root is 0.
    name : ndarray, shape (m,), object
        Names of the nodes. On a taxonomy the paths are unique; on a phylogeny several tips may share a name.
    rank : ndarray, shape (m,), int8
        Index into `RANKS`, or -1 for a node without rank.
    unit : str
        Unit of the lengths: ``rank``, ``Myr``, ``substitutions/site`` or ``unknown``.
    stop : ndarray, shape (m,), int64
        One past the last descendant of each node. It is computed from `parent`.

    Raises
    ------
    TreeError
        If the arrays are not a rooted tree in preorder, or a length is negative or not finite.

    Examples
    --------
    >>> names = ["", "Pica", "Pica pica", "Pica nuttalli"]
    >>> tree = Tree(parent=[-1, 0, 1, 1], length=[0, 2, 1, 1], name=names, rank=[-1, 5, 6, 6])
    >>> tree
    Tree(2 tips, 4 nodes, unit='unknown')
    >>> tree.depth[tree.tips].tolist()
    [3.0, 3.0]
    >>> tree.ancestor_at("genus").tolist()
    [-1, 1, 1, 1]
    >>> smaller, new_index = tree.subset(np.array([3]))
    >>> smaller.name.tolist(), new_index.tolist()
    (['', 'Pica', 'Pica nuttalli'], [0, 1, -1, 2])
    """

    parent: np.ndarray
    length: np.ndarray
    name: np.ndarray
    rank: np.ndarray
    unit: str = "unknown"
    stop: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        parent = np.asarray(self.parent, dtype=np.int64)
        arrays = {
            "parent": parent,
            "length": np.asarray(self.length, dtype=np.float64),
            "name": np.asarray(self.name, dtype=object),
            "rank": np.asarray(self.rank, dtype=np.int8),
        }
        if not len(parent) or any(array.shape != parent.shape for array in arrays.values()):
            raise TreeError("a tree needs at least a root, and parent, length, name and rank of one length")
        bad = np.flatnonzero(~np.isfinite(arrays["length"]) | (arrays["length"] < 0))
        if len(bad):
            offenders = some(arrays["name"][node] or f"node {node}" for node in bad)
            raise TreeError(f"branch lengths must be finite and at least 0; {len(bad)} are not: {offenders}")
        if arrays["length"][0] != 0:
            raise TreeError(f"no branch is above the root: its length must be 0, not {arrays['length'][0]:g}")
        arrays["stop"] = _stops(parent)
        for key, array in arrays.items():
            object.__setattr__(self, key, read_only(array))

    def __len__(self) -> int:
        return len(self.parent)

    def __repr__(self) -> str:
        return f"Tree({len(self.tips):,} tips, {len(self):,} nodes, unit={self.unit!r})"

    @cached_property
    def tips(self) -> np.ndarray:
        """The nodes without children, in preorder, shape (k,), int64."""
        return read_only(np.flatnonzero(self.stop == np.arange(len(self)) + 1))

    @cached_property
    def paths(self) -> list[str]:
        """The `path` of each node, a list of m strings."""
        return [self.path(node) for node in range(len(self))]

    @cached_property
    def depth(self) -> np.ndarray:
        """Distance of each node from the root, shape (m,), float64, in `unit`."""
        depth, parent = self.length.tolist(), self.parent.tolist()
        for node in range(1, len(depth)):
            depth[node] += depth[parent[node]]
        return read_only(np.array(depth))

    @property
    def is_ultrametric(self) -> bool:
        """True if all tips are equally far from the root, to one part in 10⁴: published dated trees are rounded."""
        depths = self.depth[self.tips]
        return bool(np.ptp(depths) <= ULTRAMETRIC_TOLERANCE * depths.max())

    def ancestor_at(self, rank: str) -> np.ndarray:
        """Return the node of a rank at or above each node.

        Parameters
        ----------
        rank : str
            One of `RANKS`.

        Returns
        -------
        ndarray, shape (m,), int64
            -1 for a node that is above this rank or whose lineage has no name at it.
        """
        is_of_rank = self.rank == RANKS.index(rank)
        ancestor = np.where(is_of_rank, np.arange(len(self)), -1).tolist()
        for node, parent in enumerate(self.parent.tolist()):
            if ancestor[node] < 0 and parent >= 0:
                ancestor[node] = ancestor[parent]
        return np.array(ancestor, dtype=np.int64)

    def path(self, node: int, separator: str = SEPARATOR) -> str:
        """Return the names from the first node below the root down to a node.

        On a taxonomy the path identifies a taxon: two taxa of the same name never share a path. A rank without a name
        leaves an empty place between two separators.

        Parameters
        ----------
        node : int
        separator : str
            Stands between the names.

        Returns
        -------
        str
            Empty for the root.
        """
        steps: list[int] = []
        while node > 0:
            steps.append(int(node))
            node = self.parent[node]
        if not steps or self.rank[steps[0]] == NO_RANK:
            return separator.join(str(self.name[step]) for step in reversed(steps))
        names = [""] * (self.rank[steps[0]] + 1)
        for step in steps:
            if self.rank[step] != NO_RANK:
                names[self.rank[step]] = str(self.name[step])
        return separator.join(names)

    def subset(self, keep: np.ndarray) -> tuple[Tree, np.ndarray]:
        """Return the tree of some nodes and of all their ancestors.

        Parameters
        ----------
        keep : ndarray, int64
            Nodes, in any order.

        Returns
        -------
        tree : Tree
            Names and branch lengths stay the same. A node stays even if it has one child left.
        new_index : ndarray, shape (m,), int64
            The new index of each old node, -1 for a node that is left out.

        Raises
        ------
        TreeError
            If `keep` holds a number that is no node, e.g. -1.
        """
        keep = np.asarray(keep, dtype=np.int64)
        if np.any((keep < 0) | (keep >= len(self))):
            raise TreeError(f"the nodes to keep must lie between 0 and {len(self) - 1}")
        kept = np.zeros(len(self), dtype=bool)
        kept[0] = True
        kept[keep] = True
        for node in range(len(self) - 1, 0, -1):
            if kept[node]:
                kept[self.parent[node]] = True
        new_index = np.where(kept, np.cumsum(kept) - 1, -1)
        parent = np.where(self.parent[kept] >= 0, new_index[self.parent[kept]], -1)
        tree = Tree(parent, self.length[kept], self.name[kept], self.rank[kept], self.unit)
        return tree, new_index

    def coarsen(self, rank: str) -> tuple[Tree, np.ndarray]:
        """Return the tree whose tips are the taxa of a rank.

        Parameters
        ----------
        rank : str
            One of `RANKS`.

        Returns
        -------
        tree : Tree
        new_index : ndarray, shape (m,), int64
            As for `subset`.
        """
        return self.subset(np.flatnonzero(self.rank == RANKS.index(rank)))


def _stops(parent: np.ndarray) -> np.ndarray:
    """Return one past the last descendant of each node, or raise `TreeError` if `parent` is not in preorder."""
    m = len(parent)
    if parent[0] != -1 or np.any(parent[1:] < 0) or np.any(parent >= np.arange(m)):
        raise TreeError("a tree in preorder has its root first, with parent -1, and every parent before its children")
    stop, parents = list(range(1, m + 1)), parent.tolist()
    for node in range(m - 1, 0, -1):
        above = parents[node]
        if stop[node] > stop[above]:  # a call of max takes three times as long, and trees are made by the thousand
            stop[above] = stop[node]
    stops = np.array(stop)
    # In preorder the slices of the children fill the slice of their parent without a gap and without overlap. This is
    # so exactly if the sizes of the children add up to the size of the parent, less the parent itself.
    sizes = np.bincount(parent[1:], weights=(stops - np.arange(m))[1:], minlength=m).astype(np.int64) + 1
    if np.any(sizes != stops - np.arange(m)):
        raise TreeError("the nodes are not in preorder: the descendants of a node must follow it without a gap")
    return stops


@dataclass(frozen=True, eq=False)
class Placement:
    """The node of each of n images in a tree.

    Attributes
    ----------
    tree : Tree
    node : ndarray, shape (n,), int64
        The deepest node that is known for each image, -1 for an image that is not in the tree.

    Raises
    ------
    TreeError
        If a number is no node of the tree.

    Examples
    --------
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> placement = Placement(parse_newick("((a:1,b:1):2,c:3);"), np.array([2, 2, 4, -1]))
    >>> placement.tree.name[placement.node[:3]].tolist()
    ['a', 'a', 'c']
    >>> placement.take(np.array([2])).node.tolist()
    [4]
    """

    tree: Tree
    node: np.ndarray

    def __post_init__(self) -> None:
        node = np.asarray(self.node, dtype=np.int64)
        if node.ndim != 1 or np.any(node < -1) or np.any(node >= len(self.tree)):
            raise TreeError(f"a placement needs nodes from -1 to {len(self.tree) - 1}, one per image")
        object.__setattr__(self, "node", read_only(node))

    def __len__(self) -> int:
        return len(self.node)

    def at(self, rank: str) -> np.ndarray:
        """Return the taxon of a rank that each image belongs to.

        Parameters
        ----------
        rank : str
            One of `RANKS`.

        Returns
        -------
        ndarray, shape (n,), int64
            Nodes; -1 for an image that has no name at this rank.
        """
        return np.where(self.node >= 0, self.tree.ancestor_at(rank)[self.node], -1)

    def coarsen(self, rank: str) -> Placement:
        """Return the placement of the same images in the tree whose tips are the taxa of a rank.

        Parameters
        ----------
        rank : str
            One of `RANKS`.

        Returns
        -------
        Placement
            The node is -1 for an image that has no name at this rank.
        """
        tree, new_index = self.tree.coarsen(rank)
        taxon = self.at(rank)
        return Placement(tree, np.where(taxon >= 0, new_index[taxon], -1))

    def take(self, rows: np.ndarray) -> Placement:
        """Return the placement of some of the images.

        Parameters
        ----------
        rows : ndarray
            Row numbers, in any order, or a mask.

        Returns
        -------
        Placement
            In the order of `rows`.
        """
        return Placement(self.tree, self.node[rows])
