"""The growth of the world's tree of life.

Lineages split one at a time, at rates that are themselves inherited with change, so that some clades become large and
others stay small. The taxa of a rank are the lineages that live when their number is that of `TAXA`. So every taxon is
a clade, and the taxonomy shows the true tree at seven moments.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree
from bioclip_probe.world.names import Namer

TAXA = {"kingdom": 3, "phylum": 7, "class": 14, "order": 30, "family": 60, "genus": 96, "species": 240}
HEIGHT = 600.0  # million years; only the unit of branch lengths depends on it
_RATE_CHANGE = 0.08  # standard deviation of the change of log rate at a split


def grow(rng: np.random.Generator) -> Tree:
    """Return the true tree of 240 species, with a node where a lineage splits and where it is named.

    Splits have no name and no rank. The tips are the species, named by their binomials.

    Parameters
    ----------
    rng : Generator

    Returns
    -------
    Tree
        Branch lengths in Myr.

    References
    ----------
    Heard 1996, Evolution 50, 2141 (rates of splitting that are inherited with change).

    Examples
    --------
    >>> tree = grow(np.random.default_rng(0))
    >>> len(tree.tips), tree.unit
    (240, 'Myr')
    """
    parent, born, rank = _preorder(*_split(rng))
    length = np.zeros(len(parent))
    length[1:] = born[1:] - born[parent[1:]]
    return Tree(parent, length * (HEIGHT / born.max()), _names(parent, rank, rng), rank, unit="Myr")


def lineages(tree: Tree) -> np.ndarray:
    """Return the node of each rank above each species.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    ndarray, shape (species, ranks), int64

    Examples
    --------
    >>> lineages(grow(np.random.default_rng(0))).shape
    (240, 7)
    """
    return np.stack([tree.ancestor_at(rank)[tree.tips] for rank in RANKS], axis=1)


def taxa(tree: Tree) -> pd.DataFrame:
    """Return the lineage of each species, in the order of the tree.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    DataFrame
        One row a species; columns `tables.RANKS`, `species` is the binomial.

    Examples
    --------
    >>> taxa(grow(np.random.default_rng(0)))["kingdom"].nunique()
    3
    """
    return pd.DataFrame(tree.name[lineages(tree)], columns=list(RANKS)).astype("str")


def _split(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return parent, time of birth and rank of each node, in the order in which the nodes appear."""
    parent, born, rank = [-1], [0.0], [-1]
    alive, rates, now = [0, 0], np.ones(2), 0.0  # `alive`: the node above each living lineage
    cuts = {number: index for index, number in enumerate(TAXA.values())}

    def add(above: int, label: int) -> int:
        parent.append(above)
        born.append(now)
        rank.append(label)
        return len(parent) - 1

    while True:
        now += rng.exponential(1 / rates.sum())
        if len(alive) in cuts:  # the lineages get names in the middle of the time in which there are this many
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
    """Return parent, time of birth and rank of each node in preorder."""
    children: list[list[int]] = [[] for _ in parent]
    for node in range(1, len(parent)):
        children[parent[node]].append(node)
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(reversed(children[node]))
    new_number = np.empty(len(order), np.int64)
    new_number[order] = np.arange(len(order))
    old_parent = parent[order]
    return np.where(old_parent < 0, -1, new_number[old_parent]), born[order], rank[order]


def _names(parent: np.ndarray, rank: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the names of all nodes; genera come first, because families and orders are named after them."""
    namer, name = Namer(rng), np.full(len(parent), "", dtype=object)
    index = {label: position for position, label in enumerate(RANKS)}
    stems = {}
    for node in np.flatnonzero(rank == index["genus"]):
        name[node], stems[node] = namer.genus()
    for label, ending in (("family", "idae"), ("order", "iformes")):
        for node in np.flatnonzero(rank == index[label]):
            # In preorder, the first genus after a node is below it.
            first = next(below for below in stems if below > node)
            name[node] = namer.name_after(stems[first], ending)
    for label in ("class", "phylum", "kingdom"):
        for node in np.flatnonzero(rank == index[label]):
            name[node] = namer.higher_taxon(label)
    genus = ""
    for number, own_rank in enumerate(rank):
        if own_rank == index["genus"]:
            genus = name[number]
        elif own_rank == index["species"]:
            name[number] = f"{genus} {namer.epithet(genus)}"
    return name
