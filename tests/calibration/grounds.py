"""The trees the simulations stand on, and samples of their species."""

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
#: Dated clades stand for orders: those alive so long ago.
ORDERS_SINCE = 60.0  # Myr
N_STAR = 1_000


@dataclass(frozen=True, eq=False)
class Ground:
    """A tree whose species are the population that samples are drawn from.

    Attributes
    ----------
    tree : Tree
    cut : float
        The depth at which the clades stand that are called orders here.
    """

    tree: Tree
    cut: float

    def unit(self, kind: str) -> np.ndarray:
        """The unit of each species that is sampled as one, shape (k,), int64: ``species``, ``genus`` or ``family``."""
        tips = self.tree.tips
        if kind == "species":
            return np.arange(len(tips))
        if self.tree.unit == "rank":
            return np.unique(self.tree.ancestor_at(kind)[tips], return_inverse=True)[1]
        genera = [str(self.tree.name[tip]).split("_")[0] for tip in tips]
        return np.unique(genera, return_inverse=True)[1]

    def sample(self, n: int, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """All species of n units drawn at random, in tree order, and the unit of each from 0 to n - 1."""
        unit = self.unit(kind)
        n_units = int(unit.max()) + 1
        drawn = rng.choice(n_units, min(n, n_units), replace=False)
        picked = np.flatnonzero(np.isin(unit, drawn))
        return picked, np.unique(unit[picked], return_inverse=True)[1]


def clades_at(tree: Tree, depth: float) -> np.ndarray:
    """The node that first reaches `depth` at or above each tip, shape (k,), int64; the tip itself if none does."""
    above = np.maximum(tree.parent, 0)
    found = np.where((tree.depth >= depth) & (tree.depth[above] < depth), np.arange(len(tree)), -1).tolist()
    for node, parent in enumerate(tree.parent.tolist()):
        if found[node] < 0 and parent >= 0:
            found[node] = found[parent]
    clade = np.array(found)[tree.tips]
    return np.where(clade < 0, tree.tips, clade)


def cut_down(tree: Tree, picked: np.ndarray) -> Tree:
    """The tree of some of its tips; a phylogeny without nodes of one child, a taxonomy with them."""
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
    tree = read_tree(MAMMALS, "Myr")
    return Ground(tree, float(tree.depth.max()) - ORDERS_SINCE)


def _ranked(lineages: pd.DataFrame) -> Ground:
    tree = taxonomy(lineages[list(RANKS)]).tree
    return Ground(tree, float(tree.depth[tree.rank == RANKS.index("order")].max()))


def _star() -> Ground:
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


def missing(name: str) -> str:
    """Why a ground is not to be had; empty if it is."""
    path = {"mammals": MAMMALS, "iNat21": INAT21}.get(name)
    return f"{name}: no file ../shared/{path.relative_to(DATA.parent)}" if path and not path.is_file() else ""


@cache
def ground(name: str) -> Ground:
    """``mammals``: 6,286 dated mammals (Gumbs et al. 2023); ``iNat21``: its 10,000 species; ``world``: the built-in
    world's 240; ``star``: 1,000 species that share nothing but the root."""
    return _MAKERS[name]()
