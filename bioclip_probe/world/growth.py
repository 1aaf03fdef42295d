"""Grow the world's tree of life.

Lineages split one at a time, at rates that are themselves inherited with change, so that some clades become rich and
others stay poor. The taxa of a rank are the lineages alive when there were so many of them (`TAXA`): every taxon is a
clade, and the taxonomy is the true tree seen at seven moments.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree
from bioclip_probe.world.names import Namer

TAXA = {"kingdom": 3, "phylum": 7, "class": 14, "order": 30, "family": 60, "genus": 96, "species": 240}
HEIGHT = 600.0  # million years, for the look of it
_RATE_CHANGE = 0.08


def grow(rng: np.random.Generator) -> Tree:
    """The true tree of 240 species, in Myr, with a node wherever a lineage splits and wherever it is named.

    Splits have no name and no rank; the tips are the species, named by their binomials.
    """
    parent, born, rank = _preorder(*_split(rng))
    length = np.zeros(len(parent))
    length[1:] = born[1:] - born[parent[1:]]
    return Tree(parent, length * (HEIGHT / born.max()), _names(parent, rank, rng), rank, unit="Myr")


def lineages(tree: Tree) -> np.ndarray:
    """(tips, ranks) int64: the node of each rank above each species."""
    return np.stack([tree.ancestor_at(rank)[tree.tips] for rank in RANKS], axis=1)


def taxa(tree: Tree) -> pd.DataFrame:
    """One row a species, in tree order: its lineage in RANKS columns."""
    return pd.DataFrame(tree.name[lineages(tree)], columns=list(RANKS)).astype("str")


def _split(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parent, born, rank = [-1], [0.0], [-1]
    alive, rates, now = [0, 0], np.ones(2), 0.0  # node below which each living lineage hangs
    cuts = {number: index for index, number in enumerate(TAXA.values())}

    def add(above: int, label: int) -> int:
        parent.append(above)
        born.append(now)
        rank.append(label)
        return len(parent) - 1

    while True:
        now += rng.exponential(1 / rates.sum())
        if len(alive) in cuts:  # named half-way through the time during which there were just so many
            alive = [add(above, cuts[len(alive)]) for above in alive]
            if len(alive) == TAXA["species"]:
                return np.array(parent), np.array(born), np.array(rank, np.int8)
            now += rng.exponential(1 / rates.sum())
        index = int(rng.choice(len(alive), p=rates / rates.sum()))
        node = add(alive[index], -1)
        alive[index] = node
        alive.append(node)
        rates = np.append(rates, rates[index])
        rates[[index, -1]] *= np.exp(rng.normal(0, _RATE_CHANGE, 2))


def _preorder(parent: np.ndarray, born: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, ...]:
    children: list[list[int]] = [[] for _ in parent]
    for node in range(1, len(parent)):
        children[parent[node]].append(node)
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(reversed(children[node]))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    moved = parent[order]
    return np.where(moved < 0, -1, place[moved]), born[order], rank[order]


def _names(parent: np.ndarray, rank: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Names from the bottom of the ranks up, since a family and an order are named after their first genus."""
    namer, name = Namer(rng), np.full(len(parent), "", dtype=object)
    index = {label: number for number, label in enumerate(RANKS)}
    stems = {}
    for node in np.flatnonzero(rank == index["genus"]):
        name[node], stems[node] = namer.genus()
    for label, ending in (("family", "idae"), ("order", "iformes")):
        for node in np.flatnonzero(rank == index[label]):
            first = next(below for below in stems if below > node)  # preorder: the first genus after a node is its own
            name[node] = namer.after(stems[first], ending)
    for label in ("class", "phylum", "kingdom"):
        for node in np.flatnonzero(rank == index[label]):
            name[node] = namer.higher(label)
    genus = ""
    for node in range(len(parent)):
        if rank[node] == index["genus"]:
            genus = name[node]
        elif rank[node] == index["species"]:
            name[node] = f"{genus} {namer.epithet(genus)}"
    return name
