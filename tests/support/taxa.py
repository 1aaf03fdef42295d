"""Made-up species on trees, and the tree correlations of their images with a random stream of one's own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.metrics.hierarchy import estimate_cophenetic_correlation
from bioclip_probe.metrics.image_pairs import estimate_image_correlation
from bioclip_probe.metrics.ordinal import estimate_distance_by_lca, estimate_rank_correlations
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows, rank_of_tips
from bioclip_probe.tree import Placement, Tree, taxonomy
from tests.support.made_up_vectors import random_taxonomy, signal_vectors

DEFAULT = MeasureSettings()


def rng(seed: int = 0) -> np.random.Generator:
    """Return a random stream."""
    return np.random.default_rng(seed)


def made_up(
    n_species: int = 40, n_images: int = 160, signal: float = 1.0, noise: float = 0.3, d: int = 16, seed: int = 0
) -> tuple[np.ndarray, Placement]:
    """Return unit vectors of species that evolved along a random taxonomy, and their placement."""
    placement = random_taxonomy(n_species, n_images, rng(seed))
    return signal_vectors(placement, d, signal, noise, rng(seed + 1)), placement


def random_phylogeny(n_tips: int, seed: int = 0) -> Tree:
    """Return a tree whose tips join two or three at a time, with branches of any length, some of length 0."""
    draw = rng(seed)
    parent, length = [-1], [0.0]

    def grow(above: int, tips: int) -> None:
        parent.append(above)
        length.append(float(draw.exponential()) * (draw.random() > 0.1))
        node = len(parent) - 1
        if tips > 1:
            n_children = int(draw.integers(1, min(3, tips) + 1))
            sizes = draw.multinomial(tips - n_children, np.full(n_children, 1 / n_children)) + 1
            for size in sizes:
                grow(node, int(size))

    grow(0, n_tips)
    name = np.array([f"n{node}" for node in range(len(parent))], dtype=object)
    return Tree(np.array(parent), np.array(length), name, np.full(len(parent), -1))


def star(n: int) -> Placement:
    """Return one image of each of n kingdoms: all pairs are equally far apart."""
    return taxonomy(pd.DataFrame({"kingdom": [f"K{i}" for i in range(n)]})).coarsen("kingdom")


def star_phylogeny(n: int) -> Tree:
    """Return a tree without ranks whose n tips join at the root."""
    name = np.array([f"n{node}" for node in range(n + 1)], dtype=object)
    return Tree(np.r_[-1, np.zeros(n, dtype=int)], np.r_[0, np.ones(n)], name, np.full(n + 1, -1))


def jackknife_of(rows: Rows, n_groups: int = DEFAULT.n_groups) -> Jackknife:
    """Return a jackknife whose units are the taxa at the tips."""
    return Jackknife.of(rank_of_tips(rows.tree), rows.groups, rng(), n_groups, dated=rows.tree.unit != "rank")


def cophenetic_correlation(
    vectors: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    settings: MeasureSettings = DEFAULT,
    jackknife: Jackknife | None = None,
) -> Estimate:
    """Return CPCC of the taxa at the tips."""
    taxa = Rows.taxa(vectors, placement)
    jackknife = jackknife or jackknife_of(taxa, settings.n_groups)
    return estimate_cophenetic_correlation(taxa, jackknife, rng, settings)


def image_tree_correlation(
    vectors: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    settings: MeasureSettings = DEFAULT,
    jackknife: Jackknife | None = None,
) -> Estimate:
    """Return the tree correlation over pairs of images at the tips."""
    images = Rows.images(vectors, placement)
    jackknife = jackknife or jackknife_of(images, settings.n_groups)
    return estimate_image_correlation(images, jackknife, rng, settings)


def spearman(vectors: np.ndarray, placement: Placement) -> Estimate:
    """Return Spearman's correlation of tree and embedding distance over pairs of taxa."""
    taxa = Rows.taxa(vectors, placement)
    return estimate_rank_correlations(taxa, jackknife_of(taxa), DEFAULT)["spearman"]


def distance_by_lca(vectors: np.ndarray, placement: Placement) -> dict[str, dict[str, Estimate]]:
    """Return the distances of species by the rank of their last common ancestor."""
    taxa = Rows.taxa(vectors, placement.coarsen("species"))
    return estimate_distance_by_lca(taxa, jackknife_of(taxa), DEFAULT)
