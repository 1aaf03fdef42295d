"""Models whose answer is known: ready vectors of made-up images, with their taxonomy and their dated tree.

The species evolve on a tree that is made here, so that the truths need no data. Its taxonomy is the same tree, cut at
six ages. Models beyond those of `bioclip_probe.world.known_models` come in pairs, or differ in spectrum and scatter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, brownian, taxonomy
from bioclip_probe.tree.newick import parse_newick
from bioclip_probe.world import known_models

#: The name of the dated tree in measurements, and the trees along which species may evolve.
DATED = "dated"
TREES = ("taxonomy", DATED)
#: Age of the root, and the ages of the clades that are called kingdoms … genera, as shares of it.
MYR = 100.0
AGES = (0.88, 0.76, 0.64, 0.52, 0.4, 0.24)
ENDINGS = ("ia", "phyta", "opsida", "ales", "aceae", "us")
SYLLABLES = ("ba", "ce", "di", "fu", "gu", "la", "me", "ni", "po", "ru")


@dataclass(frozen=True, eq=False)
class Species:
    """Made-up species, in a taxonomy and on a dated tree.

    Attributes
    ----------
    lineages : DataFrame, k rows
        The seven ranks of each species.
    newick : str
        The dated tree, ultrametric; its tips are the species.
    """

    lineages: pd.DataFrame
    newick: str

    def __len__(self) -> int:
        return len(self.lineages)

    def evolved(self, tree: str, d: int, rng: np.random.Generator, signal: float = 1.0) -> np.ndarray:
        """Return traits after Brownian motion with Pagel's λ along one of the trees, shape (k, d), variance 1."""
        grown, node = self.placed_on(tree)
        return brownian(grown, d, rng, signal)[node] / np.sqrt(grown.depth[node][:, None])

    def placed_on(self, tree: str) -> tuple[Tree, np.ndarray]:
        """Return a tree and the tip of each species in it."""
        if tree == TREES[0]:
            placement = taxonomy(self.lineages)
            return placement.tree, placement.node
        grown = parse_newick(self.newick, "Myr")
        tips = pd.Index([str(name).replace("_", " ") for name in grown.name[grown.tips]])
        return grown, grown.tips[tips.get_indexer(self.lineages["species"])]

    def images_on(self, tree: str, n_images: int) -> Placement:
        """Return images of each species on a tree, species by species."""
        grown, node = self.placed_on(tree)
        return Placement(grown, np.repeat(node, n_images))


@dataclass(frozen=True, eq=False)
class KnownModels:
    """Ready vectors of one or more models about the same images.

    Attributes
    ----------
    species : Species
    n_images : int
        Images of each species.
    vectors : dict from str to ndarray, shape (n, d)
        By the name of the model, species by species.
    """

    species: Species
    n_images: int
    vectors: dict[str, np.ndarray] = field(default_factory=dict)

    def write(self, folder: Path) -> tuple[list[str], Path]:
        """Write the vectors and the dated tree; return the models as the command line takes them, and the tree."""
        lineages = self.species.lineages.loc[np.repeat(np.arange(len(self.species)), self.n_images)]
        columns = {rank: lineages[rank].to_numpy(dtype=np.str_) for rank in RANKS}
        ids = np.array([f"image{number:05}" for number in range(len(lineages))])
        for name, vectors in self.vectors.items():
            np.savez(folder / f"{name}.npz", ids=ids, vectors=vectors.astype(np.float32), **columns)
        tree = folder / f"{DATED}.nwk"
        tree.write_text(self.species.newick)
        return [f"vectors:{folder / name}.npz" for name in self.vectors], tree


def made_up_species(n: int, rng: np.random.Generator) -> Species:
    """Return n species of a pure-birth tree (Yule 1925), which is made from its tips back to its root."""
    ages = np.cumsum(rng.exponential(1 / np.arange(n, 1, -1)))
    ages *= MYR / ages[-1]
    clade, alive = np.arange(n), list(range(n))  # a clade has the number of one of its species
    merges, at_rank = [], []
    for age in ages:
        while len(at_rank) < len(AGES) and AGES[::-1][len(at_rank)] * MYR < age:
            at_rank.append(clade.copy())
        first, second = rng.choice(alive, 2, replace=False).tolist()
        alive.remove(second)
        clade[clade == second] = first
        merges.append((age, first, second))
    lineages = pd.DataFrame(
        {
            rank: [word(number).capitalize() + ending for number in clades]
            for rank, ending, clades in zip(RANKS, ENDINGS, at_rank[::-1], strict=False)
        }
    )
    lineages["species"] = lineages["genus"] + [f" {word(number)}ata" for number in range(n)]
    return Species(lineages, _newick(lineages["species"], merges))


def word(number: int) -> str:
    """Return a word of three syllables for a number below 1,000."""
    return "".join(SYLLABLES[int(digit)] for digit in f"{number:03}")


def _newick(names: pd.Series, merges: list[tuple[float, int, int]]) -> str:
    """Return the tree of species that merge in pairs, as text."""
    text = dict(enumerate(names.str.replace(" ", "_")))
    born = dict.fromkeys(text, 0.0)
    for age, first, second in merges:
        sides = (f"{text[side]}:{age - born[side]:.9f}" for side in (first, second))
        text[first], born[first] = f"({','.join(sides)})", age
    return text[merges[-1][1]] + ";"


def spectrum(name: str, d: int) -> np.ndarray:
    """Return the variance of each of d dimensions, with sum 1: ``flat``, ``decaying`` as 1/j, or ``steep`` as 1/2ʲ."""
    number = np.arange(1, d + 1, dtype=np.float64)
    variance = {"flat": np.ones(d), "decaying": 1 / number, "steep": 0.5**number}[name]
    return variance / variance.sum()


def images(species: np.ndarray, n_images: int, scatter: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return images around the vectors of species, shape (k · n_images, d).

    Parameters
    ----------
    species : ndarray, shape (k, d)
        Their variances sum to 1 over dimensions.
    n_images : int
    scatter : float or ndarray, shape (k,)
        Root mean squared distance of images from their species, the same in all directions.
    rng : numpy.random.Generator
    """
    k, d = species.shape
    scale = np.repeat(np.broadcast_to(scatter, k), n_images)[:, None] / np.sqrt(d)
    return np.repeat(species, n_images, axis=0) + scale * rng.standard_normal((k * n_images, d))


def independent(k: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Return vectors of species that know no tree; their variances sum to 1."""
    return rng.standard_normal((k, d)) / np.sqrt(d)


def memoriser(rng: np.random.Generator, n: int, n_images: int, d: int = 64, scatter: float = 0.3) -> KnownModels:
    """Return a model that tells species apart and knows nothing of their tree."""
    species = made_up_species(n, rng)
    vectors = known_models.memoriser(species.images_on(TREES[0], n_images), rng, d, scatter)
    return KnownModels(species, n_images, {"memoriser": vectors})


def tree_blind(rng: np.random.Generator, n: int, n_images: int, d: int = 64) -> KnownModels:
    """Return two models that know no tree; images scatter more in the second, and in each more in some species."""
    species = made_up_species(n, rng)
    unequal = np.exp(0.5 * rng.standard_normal(n))
    vectors = {
        name: images(independent(n, d, rng), n_images, scatter * unequal, rng)
        for name, scatter in (("blind", 0.3), ("blind-scattered", 1.5))
    }
    return KnownModels(species, n_images, vectors)


@dataclass(frozen=True)
class Evolution:
    """Evolution of the vectors of a model.

    Attributes
    ----------
    signal : float
        Pagel's λ.
    d : int
        Dimensions.
    shape : str
        See `spectrum`.
    scatter : float
        See `images`.
    """

    signal: float = 1.0
    d: int = 64
    shape: str = "flat"
    scatter: float = 0.3


def evolving(rng: np.random.Generator, n: int, n_images: int, evolution: Evolution, tree: str = DATED) -> KnownModels:
    """Return a model whose species evolved along a tree with Pagel's λ, with a spectrum and a scatter of images."""
    species, d = made_up_species(n, rng), evolution.d
    vectors = species.evolved(tree, d, rng, evolution.signal) * np.sqrt(spectrum(evolution.shape, d))
    return KnownModels(species, n_images, {"brownian": images(vectors, n_images, evolution.scatter, rng)})


def one_trait(rng: np.random.Generator, n: int, n_images: int, tree: str = DATED, d: int = 64) -> KnownModels:
    """Return a model that knows one heritable trait: species lie on an arc, as one Brownian trait says."""
    species = made_up_species(n, rng)
    return KnownModels(
        species, n_images, {"one-trait": known_models.one_trait(species.images_on(tree, n_images), rng, d)}
    )


def habitat(
    rng: np.random.Generator, n: int, n_images: int, tree: str = DATED, d: int = 64, scatter: float = 0.1
) -> KnownModels:
    """Return a model that knows only in which of two habitats a species lives; the habitat is heritable.

    A species lives where one Brownian trait is above its median. Without scatter all its vectors are equal.
    """
    species = made_up_species(n, rng)
    trait = species.evolved(tree, 1, rng)[:, 0]
    vectors = np.zeros((n, d))
    vectors[np.arange(n), (trait > np.median(trait)).astype(int)] = 1
    return KnownModels(species, n_images, {"habitat": images(vectors, n_images, scatter, rng)})


def pure_noise(rng: np.random.Generator, n: int, n_images: int, d: int = 64) -> KnownModels:
    """Return a model that knows nothing: images have independent vectors."""
    species = made_up_species(n, rng)
    return KnownModels(species, n_images, {"noise": known_models.noise(species.images_on(TREES[0], n_images), rng, d)})


def equal_but_for_seed(
    rng: np.random.Generator, n: int, n_images: int, tree: str = DATED, signal: float = 0.5, d: int = 64
) -> KnownModels:
    """Return two models with the same vectors of species; only the scatter of images is drawn twice."""
    species = made_up_species(n, rng)
    vectors = species.evolved(tree, d, rng, signal) * np.sqrt(spectrum("decaying", d))
    return KnownModels(species, n_images, {name: images(vectors, n_images, 0.7, rng) for name in ("first", "second")})


def equal_but_for_noise(
    rng: np.random.Generator, n: int, n_images: int, tree: str = DATED, signal: float = 0.5, d: int = 64
) -> KnownModels:
    """Return two models with the same vectors of species; images scatter little in the first, much in the second."""
    species = made_up_species(n, rng)
    vectors = species.evolved(tree, d, rng, signal) * np.sqrt(spectrum("decaying", d))
    scatters = (("little", 0.05), ("much", 2.0))
    return KnownModels(species, n_images, {name: images(vectors, n_images, size, rng) for name, size in scatters})


def equal_but_for_dimension(
    rng: np.random.Generator, n: int, n_images: int, tree: str = DATED, signal: float = 0.5
) -> KnownModels:
    """Return two models of one λ, one in 8 dimensions and one in 512."""
    species = made_up_species(n, rng)
    vectors = {
        name: images(species.evolved(tree, d, rng, signal) / np.sqrt(d), n_images, 0.3, rng)
        for name, d in (("wide", 512), ("narrow", 8))
    }
    return KnownModels(species, n_images, vectors)


def equal_but_for_padding(
    rng: np.random.Generator, n: int, n_images: int, tree: str = DATED, signal: float = 0.5
) -> KnownModels:
    """Return one model twice: in 16 dimensions, and rotated in 256; all distances are equal."""
    species = made_up_species(n, rng)
    vectors = images(species.evolved(tree, 16, rng, signal) / 4, n_images, 0.5, rng)
    rotation = np.linalg.qr(rng.standard_normal((256, 16)))[0]
    return KnownModels(species, n_images, {"narrow": vectors, "padded": vectors @ rotation.T})
