"""Made-up inputs for property tests: trees, tables of lineages, images placed in a tree.

They are small and mean: unary chains, polytomies, branches of length 0, holes at every rank, homonyms, placeholders.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree

#: Branch lengths: of a size, so that differences of sums keep their digits; 0 is one of them, and common.
LENGTHS = st.one_of(st.just(0.0), st.floats(0.001, 10.0), st.integers(1, 5).map(float))
HOLES = (None, "", "nan", "not_classified", "Unknown", "incertae sedis", " NA ")
EPITHETS = ("alba", "nigra", "orégana", "alba minor")


@st.composite
def trees(draw, min_nodes: int = 1, max_nodes: int = 25, lengths: st.SearchStrategy[float] = LENGTHS) -> Tree:
    """A tree of any shape in preorder: each node hangs from one of those on the way up from the node before it."""
    n_nodes = draw(st.integers(min_nodes, max_nodes))
    parent = [-1]
    for node in range(1, n_nodes):
        open_nodes = [node - 1]
        while parent[open_nodes[-1]] >= 0:
            open_nodes.append(parent[open_nodes[-1]])
        parent.append(draw(st.sampled_from(open_nodes)))
    length = [0.0, *draw(st.lists(lengths, min_size=n_nodes - 1, max_size=n_nodes - 1))]
    name = np.array([f"n{node}" for node in range(n_nodes)], dtype=object)
    return Tree(np.array(parent), np.array(length), name, np.full(n_nodes, -1), "Myr")


@st.composite
def lineage_tables(draw, min_rows: int = 1, max_rows: int = 12, holes: bool = True) -> pd.DataFrame:
    """A table of the seven ranks from so few names that taxa meet; one name serves at several ranks and parents.

    With `holes`, any rank may be missing or hold a placeholder, a whole row too; the species is a binomial or an
    epithet.
    """
    n_rows = draw(st.integers(min_rows, max_rows))
    names = st.sampled_from(("Aus", "Bus", "Çus"))
    higher = st.one_of(names, names, st.sampled_from(HOLES)) if holes else names
    epithets = st.sampled_from(EPITHETS)
    species = st.one_of(epithets, st.builds("{} {}".format, names, epithets))
    if holes:
        species = st.one_of(species, species, st.sampled_from(HOLES))
    row = st.tuples(*[higher] * (len(RANKS) - 1), species)
    return pd.DataFrame(draw(st.lists(row, min_size=n_rows, max_size=n_rows)), columns=RANKS, dtype="str")


@st.composite
def placements(draw, tree: Tree | None = None, min_images: int = 1, max_images: int = 20) -> Placement:
    """Images anywhere in a tree: at tips, at inner nodes, nowhere."""
    tree = draw(trees()) if tree is None else tree
    nodes = st.integers(-1, len(tree) - 1)
    return Placement(tree, np.array(draw(st.lists(nodes, min_size=min_images, max_size=max_images)), dtype=np.int64))
