"""What is simulated: embeddings of images of species whose relation to the tree is known.

A species' vector comes first, then images scatter about it and are put on the unit sphere. Scales are those of the
tree: a species' vector has variance `height` in each dimension, and the scatter is a multiple of its root.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.tree import Placement, Tree, brownian
from tests.calibration.grounds import clades_at

IMAGES = 3
SCATTER = 1.0


@dataclass(frozen=True, eq=False)
class Simulated:
    """One simulated study of k species.

    Attributes
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of images, species by species in tree order.
    placement : Placement
    second : ndarray, shape (n, d), or None
        The same images as another model sees them, where the design has two.
    order : ndarray, shape (n,)
        The clade of each image that is called its order.
    units : ResamplingUnits, or None
        What was sampled as a whole, where that is not the species.
    """

    vectors: np.ndarray
    placement: Placement
    second: np.ndarray | None
    order: np.ndarray
    units: ResamplingUnits | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Where a design is simulated: a tree, the depth of its orders, dimensions, and Pagel's λ where there is signal."""

    tree: Tree
    cut: float
    d: int
    signal: float

    @property
    def height(self) -> float:
        return float(self.tree.depth.max())

    @property
    def k(self) -> int:
        return len(self.tree.tips)

    def independent(self, rng: np.random.Generator) -> np.ndarray:
        """Species that know nothing of the tree, shape (k, d)."""
        return np.sqrt(self.height) * rng.standard_normal((self.k, self.d))

    def evolved(self, rng: np.random.Generator) -> np.ndarray:
        """Species after Brownian motion along the tree, shape (k, d)."""
        return brownian(self.tree, self.d, rng, self.signal)[self.tree.tips]

    def images(self, species: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Unit vectors of `counts` images of each species."""
        rows = np.repeat(species, counts, axis=0)
        rows = rows + SCATTER * np.sqrt(self.height) * rng.standard_normal(rows.shape)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def even(self) -> np.ndarray:
        return np.full(self.k, IMAGES)

    def of(self, counts: np.ndarray, vectors: np.ndarray, second: np.ndarray | None = None) -> Simulated:
        order = np.repeat(clades_at(self.tree, self.cut), counts)
        return Simulated(vectors, Placement(self.tree, np.repeat(self.tree.tips, counts)), second, order)


def independent(scene: Scene, rng: np.random.Generator) -> Simulated:
    """No signal: species are independent of each other and of the tree."""
    return scene.of(scene.even(), scene.images(scene.independent(rng), scene.even(), rng))


def signal(scene: Scene, rng: np.random.Generator) -> Simulated:
    """Brownian motion of Pagel's λ along the tree."""
    return scene.of(scene.even(), scene.images(scene.evolved(rng), scene.even(), rng))


def elsewhere(scene: Scene, rng: np.random.Generator) -> Simulated:
    """Strong structure that is not the tree's: evolved along it, then the species exchanged at random."""
    return scene.of(scene.even(), scene.images(rng.permutation(scene.evolved(rng)), scene.even(), rng))


def down_to_order(scene: Scene, rng: np.random.Generator) -> Simulated:
    """Signal among orders and none within: Brownian motion down to the order, then each species on its own."""
    clade = clades_at(scene.tree, scene.cut)
    species = brownian(scene.tree, scene.d, rng)[clade] + 0.5 * scene.independent(rng)
    return scene.of(scene.even(), scene.images(species, scene.even(), rng))


def uneven(scene: Scene, rng: np.random.Generator) -> Simulated:
    """No signal, but some orders have many images a species and others few, and all vectors share a direction.

    The mean of few images lies farther from every other mean: photographers' attention passes for distance.
    """
    _, clade = np.unique(clades_at(scene.tree, scene.cut), return_inverse=True)
    counts = rng.choice([1, 2, 20], int(clade.max()) + 1)[clade]
    species = scene.independent(rng)
    species[:, 0] += 2 * np.sqrt(scene.height * scene.d)
    return scene.of(counts, scene.images(species, counts, rng))


def twice_the_same(scene: Scene, rng: np.random.Generator) -> Simulated:
    """Two models of equal alignment: the same species' vectors, images scattered anew."""
    species = scene.evolved(rng)
    return scene.of(scene.even(), *(scene.images(species, scene.even(), rng) for _ in range(2)))


def evolved_twice(scene: Scene, rng: np.random.Generator) -> Simulated:
    """Two models of one λ that evolved along the tree independently of each other."""
    return scene.of(scene.even(), *(scene.images(scene.evolved(rng), scene.even(), rng) for _ in range(2)))


def unrelated(scene: Scene, rng: np.random.Generator) -> Simulated:
    """Two models that have nothing in common, nor with the tree."""
    return scene.of(scene.even(), *(scene.images(scene.independent(rng), scene.even(), rng) for _ in range(2)))


def one_of_two(scene: Scene, rng: np.random.Generator) -> Simulated:
    """Two models that have nothing in common, of which the second follows the tree."""
    made = (scene.independent(rng), scene.evolved(rng))
    return scene.of(scene.even(), *(scene.images(species, scene.even(), rng) for species in made))


def borrowed(scene: Scene, rng: np.random.Generator) -> Simulated:
    """A model that knows of the tree only what a control (colour, say) tells: the control evolved, the model is the
    control, turned and blurred by each species' own noise. `second` is the control."""
    control = scene.evolved(rng)
    turn = np.linalg.qr(rng.standard_normal((scene.d, scene.d)))[0]
    blurred = control @ turn + scene.independent(rng)
    return scene.of(scene.even(), *(scene.images(species, scene.even(), rng) for species in (blurred, control)))


DESIGNS: dict[str, Callable[[Scene, np.random.Generator], Simulated]] = {
    "no signal": independent,
    "signal": signal,
    "signal elsewhere": elsewhere,
    "signal down to order": down_to_order,
    "uneven images": uneven,
    "twice the same": twice_the_same,
    "evolved twice": evolved_twice,
    "unrelated": unrelated,
    "one of two": one_of_two,
    "borrowed": borrowed,
}
