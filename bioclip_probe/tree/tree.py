"""`Tree`: a rooted tree as arrays in preorder, and `Placement`: where images sit in one.

The descendants of node ``i`` are the slice ``i:stop[i]``, so every question about a clade is a question about a slice:
no pointers, no recursion, no sets. The same type holds a Linnaean taxonomy and a dated phylogeny.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bioclip_probe.errors import TreeError, some
from bioclip_probe.tables import RANKS

NO_RANK = -1
SEPARATOR = "|"  # of the names of a path; no name of a taxonomy holds it


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of `array` that cannot be written to; the array itself stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class Tree:
    """A rooted tree of m nodes in preorder.

    Attributes
    ----------
    parent : ndarray, shape (m,), int64
        The parent of each node, always before it: ``parent[i] < i``; the root is node 0 with parent -1.
    length : ndarray, shape (m,), float64
        Length of the branch above each node, in `unit`; at least 0; the root's is 0.
    name : ndarray, shape (m,), object
        Names; tips have unique ones on a phylogeny, paths are unique on a taxonomy.
    rank : ndarray, shape (m,), int8
        Index into `RANKS`, or -1 for a node without rank.
    unit : str
        What a length is: ``rank``, ``Myr``, ``substitutions/site`` or ``unknown``.
    stop : ndarray, shape (m,), int64
        One past the last descendant of each node.

    Raises
    ------
    TreeError
        If the arrays are not a rooted tree in preorder, or a length is negative or not finite.
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
            raise TreeError(f"nothing is above the root: its length must be 0, not {arrays['length'][0]:g}")
        arrays["stop"] = _stops(parent)
        for key, array in arrays.items():
            object.__setattr__(self, key, read_only(array))

    def __len__(self) -> int:
        return len(self.parent)

    def __repr__(self) -> str:
        return f"Tree({len(self.tips):,} tips, {len(self):,} nodes, unit={self.unit!r})"

    @cached_property
    def tips(self) -> np.ndarray:
        """The leaves in preorder, shape (k,), int64."""
        return read_only(np.flatnonzero(self.stop == np.arange(len(self)) + 1))

    @cached_property
    def paths(self) -> list[str]:
        """The `path` of each node."""
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
        """All tips are equally far from the root, to one part in 10⁴ (rounding of published dated trees)."""
        depths = self.depth[self.tips]
        return bool(np.ptp(depths) <= 1e-4 * depths.max())

    def ancestor_at(self, rank: str) -> np.ndarray:
        """The node of `rank` at or above each node, shape (m,), int64; -1 where that rank is a hole or lies below."""
        wanted = RANKS.index(rank)
        found = np.where(self.rank == wanted, np.arange(len(self)), -1).tolist()
        for node, above in enumerate(self.parent.tolist()):
            if found[node] < 0 and above >= 0:
                found[node] = found[above]
        return np.array(found, dtype=np.int64)

    def path(self, node: int, separator: str = SEPARATOR) -> str:
        """The names from below the root down to `node`; a rank that is a hole leaves its place empty.

        On a taxonomy this is the taxon's identity: two taxa of one name never share a path.
        """
        steps = []
        while node > 0:
            steps.append(int(node))
            node = self.parent[node]
        if not steps or self.rank[steps[0]] == NO_RANK:
            return separator.join(str(self.name[step]) for step in reversed(steps))
        places = [""] * (self.rank[steps[0]] + 1)
        for step in steps:
            if self.rank[step] != NO_RANK:
                places[self.rank[step]] = str(self.name[step])
        return separator.join(places)

    def subset(self, keep: np.ndarray) -> tuple[Tree, np.ndarray]:
        """The tree of the nodes in `keep` and all that lie above them.

        Parameters
        ----------
        keep : ndarray, int64
            Node indices, in any order.

        Returns
        -------
        tree : Tree
            Branches and names as they were; a node left with one child stays a node.
        new : ndarray, shape (m,), int64
            The new index of each old node, -1 where it was left out.

        Raises
        ------
        TreeError
            If `keep` names a node that is not there; -1 is none.
        """
        keep = np.asarray(keep, dtype=np.int64)
        if np.any((keep < 0) | (keep >= len(self))):
            raise TreeError(f"the nodes to keep must lie between 0 and {len(self) - 1}")
        wanted = np.zeros(len(self), dtype=bool)
        wanted[0] = True
        wanted[keep] = True
        for node in range(len(self) - 1, 0, -1):
            if wanted[node]:
                wanted[self.parent[node]] = True
        new = np.where(wanted, np.cumsum(wanted) - 1, -1)
        parent = np.where(self.parent[wanted] >= 0, new[self.parent[wanted]], -1)
        tree = Tree(parent, self.length[wanted], self.name[wanted], self.rank[wanted], self.unit)
        return tree, new

    def coarsen(self, rank: str) -> tuple[Tree, np.ndarray]:
        """The tree whose tips are the taxa of `rank`; see `subset` for what is returned."""
        return self.subset(np.flatnonzero(self.rank == RANKS.index(rank)))


def _stops(parent: np.ndarray) -> np.ndarray:
    """One past the last descendant of each node; raises `TreeError` if `parent` is not in preorder."""
    m = len(parent)
    if parent[0] != -1 or np.any(parent[1:] < 0) or np.any(parent >= np.arange(m)):
        raise TreeError("a tree in preorder has its root first, with parent -1, and every parent before its children")
    stop, above = list(range(1, m + 1)), parent.tolist()
    for node in range(m - 1, 0, -1):
        stop[above[node]] = max(stop[above[node]], stop[node])
    stops = np.array(stop)
    # Preorder means that a node lies inside its parent's slice and that slices nest; they nest exactly if each node
    # follows either its parent or the end of an earlier sibling's slice.
    sizes = np.bincount(parent[1:], weights=(stops - np.arange(m))[1:], minlength=m).astype(np.int64) + 1
    if np.any(sizes != stops - np.arange(m)):
        raise TreeError("the nodes are not in preorder: the descendants of a node must follow it without a gap")
    return stops


@dataclass(frozen=True, eq=False)
class Placement:
    """Where each of n images sits in a tree.

    Attributes
    ----------
    tree : Tree
    node : ndarray, shape (n,), int64
        The deepest node known for each image; -1 where the image is not in the tree.
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
        """The taxon of `rank` each image belongs to, shape (n,), int64; -1 where it has no name at that rank."""
        return np.where(self.node >= 0, self.tree.ancestor_at(rank)[self.node], -1)

    def coarsen(self, rank: str) -> Placement:
        """The same images in the tree whose tips are the taxa of `rank`; -1 where an image has no name there."""
        tree, new = self.tree.coarsen(rank)
        taxon = self.at(rank)
        return Placement(tree, np.where(taxon >= 0, new[taxon], -1))

    def take(self, rows: np.ndarray) -> Placement:
        """The placement of some of the images, in the order of `rows`."""
        return Placement(self.tree, self.node[rows])
