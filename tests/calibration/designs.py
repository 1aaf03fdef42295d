"""The designs: simulated embeddings of images of species whose relation to the tree is known.

Each species has a vector. Images scatter around it and are normalised to length 1. Scales are those of the tree: the
vector of a species has variance `height` in each dimension, and the scatter is a multiple of its square root.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.tree import Placement, Tree, brownian
from tests.calibration.grounds import clades_at

IMAGES_PER_SPECIES = 3
SCATTER = 1.0


@dataclass(frozen=True, eq=False)
class SimulatedImages:
    """The images of one simulated study of k species.

    Attributes
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of the images, species by species in tree order.
    placement : Placement
    second : ndarray, shape (n, d), or None
        The embedding of the same images by a second model, if the design has two models.
    order : ndarray, shape (n,)
        The clade of each image that is called its order.
    units : ResamplingUnits, or None
        The sampled units, if they are not the species.
    """

    vectors: np.ndarray
    placement: Placement
    second: np.ndarray | None
    order: np.ndarray
    units: ResamplingUnits | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """The tree of a simulation, the depth of its orders, the dimension, and Pagel's λ of designs with signal."""

    tree: Tree
    cut: float
    d: int
    signal: float

    @property
    def height(self) -> float:
        """The depth of the deepest tip."""
        return float(self.tree.depth.max())

    @property
    def k(self) -> int:
        """The number of species."""
        return len(self.tree.tips)

    def independent(self, rng: np.random.Generator) -> np.ndarray:
        """Return species vectors that are independent of the tree, shape (k, d)."""
        return np.sqrt(self.height) * rng.standard_normal((self.k, self.d))

    def evolved(self, rng: np.random.Generator) -> np.ndarray:
        """Return species vectors after Brownian motion along the tree, shape (k, d)."""
        return brownian(self.tree, self.d, rng, self.signal)[self.tree.tips]

    def images(self, species: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return unit vectors of `counts` images of each species."""
        rows = np.repeat(species, counts, axis=0)
        rows = rows + SCATTER * np.sqrt(self.height) * rng.standard_normal(rows.shape)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def equal_counts(self) -> np.ndarray:
        """Return the same number of images for every species."""
        return np.full(self.k, IMAGES_PER_SPECIES)

    def simulated_images(
        self, counts: np.ndarray, vectors: np.ndarray, second: np.ndarray | None = None
    ) -> SimulatedImages:
        """Return images with their places in the tree and their orders."""
        order = np.repeat(clades_at(self.tree, self.cut), counts)
        return SimulatedImages(vectors, Placement(self.tree, np.repeat(self.tree.tips, counts)), second, order)

    def with_equal_counts(self, rng: np.random.Generator, *species_by_model: np.ndarray) -> SimulatedImages:
        """Return images of one or two models, with the same number of images for every species."""
        counts = self.equal_counts()
        return self.simulated_images(counts, *(self.images(species, counts, rng) for species in species_by_model))


def no_signal(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return species that are independent of each other and of the tree."""
    return scene.with_equal_counts(rng, scene.independent(rng))


def signal(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return species after Brownian motion with Pagel's λ along the tree."""
    return scene.with_equal_counts(rng, scene.evolved(rng))


def signal_elsewhere(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return strong structure that is not that of the tree: evolved along it, then the species permuted at random."""
    return scene.with_equal_counts(rng, rng.permutation(scene.evolved(rng)))


def signal_down_to_order(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return signal among orders and none within: Brownian motion down to the order, then independent species."""
    clade = clades_at(scene.tree, scene.cut)
    species = brownian(scene.tree, scene.d, rng)[clade] + 0.5 * scene.independent(rng)
    return scene.with_equal_counts(rng, species)


def uneven_images(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return no signal, but uneven numbers of images by order, and a direction that all vectors share.

    The mean of few images lies farther from every other mean, so that the sampling effort can look like distance.
    """
    _, clade = np.unique(clades_at(scene.tree, scene.cut), return_inverse=True)
    counts = rng.choice([1, 2, 20], int(clade.max()) + 1)[clade]
    species = scene.independent(rng)
    species[:, 0] += 2 * np.sqrt(scene.height * scene.d)
    return scene.simulated_images(counts, scene.images(species, counts, rng))


def twice_the_same(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return two models of equal alignment: the same species vectors, with independent scatter of the images."""
    species = scene.evolved(rng)
    return scene.with_equal_counts(rng, species, species)


def evolved_twice(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return two models of one λ that evolved along the tree independently of each other."""
    counts = scene.equal_counts()
    return scene.simulated_images(counts, *(scene.images(scene.evolved(rng), counts, rng) for _ in range(2)))


def unrelated(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return two models that have nothing in common with each other or with the tree."""
    counts = scene.equal_counts()
    return scene.simulated_images(counts, *(scene.images(scene.independent(rng), counts, rng) for _ in range(2)))


def one_of_two(scene: Scene, rng: np.random.Generator) -> SimulatedImages:
    """Return two models that have nothing in common; the second one follows the tree."""
    return scene.with_equal_counts(rng, scene.independent(rng), scene.evolved(rng))


#: Every design by its name in the table.
DESIGNS: dict[str, Callable[[Scene, np.random.Generator], SimulatedImages]] = {
    "no signal": no_signal,
    "signal": signal,
    "signal elsewhere": signal_elsewhere,
    "signal down to order": signal_down_to_order,
    "uneven images": uneven_images,
    "twice the same": twice_the_same,
    "evolved twice": evolved_twice,
    "unrelated": unrelated,
    "one of two": one_of_two,
}
