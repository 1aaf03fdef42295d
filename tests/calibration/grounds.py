"""The grounds: the trees on which embeddings are simulated, and random samples of their species."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import world
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree, read_tree, taxonomy

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MAMMALS = DATA / "trees" / "mammals_gumbs2023.nwk"
INAT21 = DATA / "inat21" / "inat21_taxa.csv"
#: On a dated tree, the clades that existed this long ago are called orders.
ORDERS_SINCE = 60.0  # Myr
N_STAR = 1_000


@dataclass(frozen=True, eq=False)
class Ground:
    """A tree whose species are the population from which samples are drawn.

    Attributes
    ----------
    tree : Tree
    cut : float
        The depth of the clades that are called orders.
    """

    tree: Tree
    cut: float

    def unit(self, kind: str) -> np.ndarray:
        """Return the sampling unit of each species, shape (k,); `kind` is ``species``, ``genus`` or ``family``."""
        tips = self.tree.tips
        if kind == "species":
            return np.arange(len(tips))
        if self.tree.unit == "rank":
            return np.unique(self.tree.ancestor_at(kind)[tips], return_inverse=True)[1]
        genera = [str(self.tree.name[tip]).split("_")[0] for tip in tips]
        return np.unique(genera, return_inverse=True)[1]

    def sample(self, n: int, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return all species of n random units, in tree order, and the unit of each species from 0 to n - 1."""
        unit = self.unit(kind)
        n_units = int(unit.max()) + 1
        drawn = rng.choice(n_units, min(n, n_units), replace=False)
        picked = np.flatnonzero(np.isin(unit, drawn))
        return picked, np.unique(unit[picked], return_inverse=True)[1]


def clades_at(tree: Tree, depth: float) -> np.ndarray:
    """Return the highest node at or above each tip that reaches `depth`, shape (k,), int64; the tip if none does."""
    above = np.maximum(tree.parent, 0)
    clade_of = np.where((tree.depth >= depth) & (tree.depth[above] < depth), np.arange(len(tree)), -1).tolist()
    for node, parent in enumerate(tree.parent.tolist()):
        if clade_of[node] < 0 and parent >= 0:
            clade_of[node] = clade_of[parent]
    clade = np.array(clade_of)[tree.tips]
    return np.where(clade < 0, tree.tips, clade)


def subtree(tree: Tree, picked: np.ndarray) -> Tree:
    """Return the tree of some tips; nodes with one child are removed from a phylogeny and kept in a taxonomy."""
    smaller, _ = tree.subset(tree.tips[picked])
    if smaller.unit == "rank":
        return smaller
    children = np.bincount(smaller.parent[1:], minlength=len(smaller))
    keep = children != 1
    keep[0] = True
    nearest = np.arange(len(smaller))
    for node, parent in enumerate(smaller.parent.tolist()):
        if parent >= 0 and not keep[node]:
            nearest[node] = nearest[parent]
    above = nearest[smaller.parent[keep][1:]]
    new = np.cumsum(keep) - 1
    length = np.concatenate([[0.0], smaller.depth[keep][1:] - smaller.depth[above]])
    return Tree(np.concatenate([[-1], new[above]]), length, smaller.name[keep], smaller.rank[keep], smaller.unit)


def _mammals() -> Ground:
    """Return the dated tree of mammals."""
    tree = read_tree(MAMMALS, "Myr")
    return Ground(tree, float(tree.depth.max()) - ORDERS_SINCE)


def _ranked(lineages: pd.DataFrame) -> Ground:
    """Return a taxonomy."""
    tree = taxonomy(lineages[list(RANKS)]).tree
    return Ground(tree, float(tree.depth[tree.rank == RANKS.index("order")].max()))


def _star() -> Ground:
    """Return a star: every species is a child of the root."""
    parent = np.concatenate([[-1], np.zeros(N_STAR, dtype=np.int64)])
    length = np.concatenate([[0.0], np.ones(N_STAR)])
    name = np.array(["root", *(f"star_{number}" for number in range(N_STAR))], dtype=object)
    return Ground(Tree(parent, length, name, np.full(N_STAR + 1, -1), "Myr"), 0.5)


_MAKERS = {
    "mammals": _mammals,
    "iNat21": lambda: _ranked(pd.read_csv(INAT21)),
    "world": lambda: _ranked(world.taxa()),
    "star": _star,
}


def reason_missing(name: str) -> str:
    """Return why a ground is not available, or an empty string if it is."""
    path = {"mammals": MAMMALS, "iNat21": INAT21}.get(name)
    return f"{name}: no file ../shared/{path.relative_to(DATA.parent)}" if path and not path.is_file() else ""


@cache
def ground(name: str) -> Ground:
    """Return a ground by its name in the table.

    ``mammals`` are the 6,286 species of a dated tree (Gumbs et al. 2023), ``iNat21`` its 10,000 species, ``world`` the
    240 species of the built-in world, and ``star`` 1,000 species that share only the root.
    """
    return _MAKERS[name]()
