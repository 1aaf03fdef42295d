"""Made-up embeddings of images placed in a tree, for property tests of the statistics."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, brownian, taxonomy
from tests.support.strategies import lineage_tables, placements, trees

#: Few and far apart, so that distances tie or clearly differ.
LENGTHS = st.sampled_from((0.0, 0.0, 0.1, 0.25, 1.0, 3.0, 7.5))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@st.composite
def unit_vectors(draw, n: int) -> np.ndarray:
    """Unit vectors in float64: anywhere, or at so few places that many are equal or opposite."""
    d = draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        return unit_rows(rng.standard_normal((n, d)))
    places = rng.integers(-1, 2, (n, d)).astype(float)
    places[~places.any(axis=1), 0] = 1
    return unit_rows(places)


@st.composite
def images_on_trees(draw, max_images: int = 12) -> Placement:
    """Images on a phylogeny, or in a taxonomy with holes, of all ranks or cut at one."""
    if draw(st.booleans()):
        tree = draw(trees(max_nodes=14, lengths=LENGTHS))
        return draw(placements(tree, max_images=max_images))
    placement = taxonomy(draw(lineage_tables(max_rows=max_images)))
    rank = draw(st.sampled_from((None, *RANKS)))
    return placement if rank is None else placement.coarsen(rank)


@st.composite
def vectors_on_trees(draw, max_images: int = 12) -> tuple[np.ndarray, Placement]:
    """Unit vectors and the place of each."""
    placement = draw(images_on_trees(max_images))
    return draw(unit_vectors(len(placement))), placement


@st.composite
def vectors_of_tips(draw, max_nodes: int = 16) -> tuple[np.ndarray, Tree]:
    """A unit vector for each tip of a phylogeny."""
    tree = draw(trees(max_nodes=max_nodes, lengths=LENGTHS))
    return draw(unit_vectors(len(tree.tips))), tree


@st.composite
def images_on_tips(draw, max_images: int = 12, without_tip: bool = False) -> tuple[np.ndarray, np.ndarray, Tree]:
    """Vectors of images, the tip position of each (-1 for none, if asked for), and the tree; tips may have no image."""
    _, tree = draw(vectors_of_tips(max_nodes=max_images))
    tips = st.integers(-1 if without_tip else 0, len(tree.tips) - 1)
    groups = draw(st.lists(tips, min_size=1, max_size=max_images))
    return draw(unit_vectors(len(groups))), np.array(groups), tree


def half_squared_distance(u: np.ndarray, v: np.ndarray) -> float:
    """Half the squared Euclidean distance, which is the cosine distance of unit vectors."""
    return math.fsum((float(a) - float(b)) ** 2 for a, b in zip(u, v, strict=True)) / 2


def random_taxonomy(n_species: int, n_images: int, rng: np.random.Generator) -> Placement:
    """Images of so many species whose branching is uneven, as in a real taxonomy; every species has one at least."""
    lineages = np.zeros((n_species, len(RANKS)), dtype=object)
    labels = np.zeros(n_species, dtype=int)
    for rank in range(len(RANKS) - 1):
        labels = labels * 4 + np.minimum(rng.geometric(0.5, n_species) - 1, 3)
        lineages[:, rank] = [f"{RANKS[rank][0].upper()}{label}" for label in labels]
    lineages[:, -1] = [f"{genus} s{number}" for number, genus in enumerate(lineages[:, -2])]
    rows = np.concatenate([np.arange(n_species), rng.integers(0, n_species, n_images - n_species)])
    return taxonomy(pd.DataFrame(lineages[rows], columns=RANKS))


def signal_vectors(placement: Placement, d: int, signal: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors, float32: species evolved along the tree with Pagel's λ = `signal`, images scattered about them."""
    species = brownian(placement.tree, d, rng, signal)[placement.node]
    scale = noise * np.sqrt(placement.tree.depth.max())
    return unit_rows(species + scale * rng.standard_normal(species.shape)).astype(np.float32)
