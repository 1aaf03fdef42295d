"""The populations from which the study of coverage draws species: two models of all species of a tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from bioclip_probe.store.text_embeddings import NAMES, ROOT_RANK, NameEmbeddings
from bioclip_probe.study.measuring import NESTED_TYPE, PLAIN_TYPE
from bioclip_probe.study.probing import TYPES
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree, brownian, read_tree, taxonomy
from bioclip_probe.tree.newick import parse_newick
from tests.calibration.grounds import INAT21, MAMMALS
from tests.calibration.known import made_up_species
from tests.calibration.randomness import generator

KINDS = ("taxonomy", "dated tree")
N_IMAGES, DIMENSIONS, SCATTER = 5, 32, 1.0
N_MADE_UP = 1000


@dataclass(frozen=True, eq=False)
class Population:
    """All species of a tree, and the vectors of their images in two models that evolved independently of each other.

    Attributes
    ----------
    ground : str
        Where the species are from.
    tree : Tree
    lineages : DataFrame, k rows, or None
        On a dated tree there are none.
    models : tuple of ndarray, shape (k, N_IMAGES, d)
        Unit vectors, species in the order of the tips.
    names : tuple of NameEmbeddings
        The names of all taxa of a taxonomy in both models; empty for a dated tree.
    """

    ground: str
    tree: Tree
    lineages: pd.DataFrame | None
    models: tuple[np.ndarray, np.ndarray]
    names: tuple[NameEmbeddings, ...] = ()


@cache
def population(tree: str, signal: float) -> Population:
    """Return the population of a cell: iNat21's species or the mammals, or made-up species where there are no data."""
    ground, grown, lineages = _species(tree)
    rng = generator("coverage", tree, ground, f"{signal:g}")
    height = float(grown.depth.max())
    models, names = [], []
    for number in range(2):
        species = brownian(grown, DIMENSIONS, rng, signal)[grown.tips][:, None]
        rows = species + SCATTER * np.sqrt(height) * rng.standard_normal((len(grown.tips), N_IMAGES, DIMENSIONS))
        models.append((rows / np.linalg.norm(rows, axis=2, keepdims=True)).astype(np.float32))
        if lineages is not None:
            names.append(_named(grown, models[-1], generator("names", tree, f"{signal:g}", number)))
    return Population(ground, grown, lineages, (models[0], models[1]), tuple(names))


def _named(tree: Tree, images: np.ndarray, rng: np.random.Generator) -> NameEmbeddings:
    """Return names of all taxa: the mean of the images of a taxon, and as much noise."""
    sums = np.zeros((len(tree), DIMENSIONS))
    sums[tree.tips] = images.mean(axis=1)
    for node in range(len(tree) - 1, 0, -1):  # children come after their parent
        sums[tree.parent[node]] += sums[node]
    vectors = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    vectors += rng.standard_normal(vectors.shape) / np.sqrt(DIMENSIONS)
    ranks = [ROOT_RANK, *(RANKS[rank] for rank in tree.rank[1:])]
    one = pd.DataFrame({"rank": ranks, "taxon": tree.paths, "text": tree.paths, "row": np.arange(len(tree))})
    table = pd.concat([one.assign(type=kind) for kind in dict.fromkeys((*TYPES, PLAIN_TYPE, NESTED_TYPE))])
    return NameEmbeddings(NAMES.frame(table), vectors.astype(np.float32), 100.0, "plain", None)


@cache
def _species(tree: str) -> tuple[str, Tree, pd.DataFrame | None]:
    """Return the name of the species of a population, their tree, and the lineage of each tip in a taxonomy."""
    if tree == KINDS[0]:
        real = INAT21.is_file()
        rows = pd.read_csv(INAT21) if real else made_up_species(N_MADE_UP, generator("species")).lineages
        placement = taxonomy(rows[list(RANKS)])
        order = np.argsort(placement.node)
        return "iNat21" if real else "made up", placement.tree, rows[list(RANKS)].iloc[order].reset_index(drop=True)
    if MAMMALS.is_file():
        return "mammals", read_tree(MAMMALS, "Myr"), None
    return "made up", parse_newick(made_up_species(N_MADE_UP, generator("species")).newick, "Myr"), None
