"""The built-in world: a simulated tree of life, its creatures, and three small models trained on their pictures.

============================ ===================================================================
``taxa()``                   the lineage of each species
``tree()``                   the true tree, with branch lengths
``traits()``                 the traits that evolved along it
``render(species, number)``  a picture
``sheet(species, numbers)``  a plate of pictures
``seen_in_training()``       the species that the models met in training
``models()``                 the folders of the three models, in open_clip's layout
`known_models`               made-up models whose answer is known: a memoriser, one trait, Brownian motion, noise
============================ ===================================================================

Everything is *simulated* and determined by a seed. A picture depends only on the seed, the species and the number of
the individual. README.md in this folder tells how the world is made and what the models learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bioclip_probe.tree import Tree
from bioclip_probe.world import captions, creatures, growth, known_models, splits
from bioclip_probe.world.evolution import evolve
from bioclip_probe.world.pen import SIZE, Pen
from bioclip_probe.world.scene import Scene, apply_light, backdrop, random_scene

SEED = 2
MODELS = ("world-taxonomic", "world-generic", "world-subset")


@lru_cache(maxsize=4)
def tree(seed: int = SEED) -> Tree:
    """Return the true tree of the 240 species, with all taxa as named nodes.

    Parameters
    ----------
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    Tree
        Branch lengths in Myr; the tips are named by their binomials.

    Examples
    --------
    >>> len(tree().tips)
    240
    """
    return growth.grow(np.random.default_rng(seed))


def taxa(seed: int = SEED) -> pd.DataFrame:
    """Return the lineage of each species, in the order of the tree.

    Parameters
    ----------
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    DataFrame
        One row a species; columns `tables.RANKS`, `species` is the binomial.

    Examples
    --------
    >>> taxa().shape
    (240, 7)
    """
    return growth.taxa(tree(seed))


def traits(seed: int = SEED) -> pd.DataFrame:
    """Return the traits of each species, in the order of the tree.

    Parameters
    ----------
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    DataFrame
        See `evolution.evolve`.

    Examples
    --------
    >>> "pattern" in traits()
    True
    """
    return evolve(tree(seed), np.random.default_rng((seed, 1)))


def seen_in_training(seed: int = SEED) -> np.ndarray:
    """Return which species training may use; the others are held out.

    Parameters
    ----------
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    ndarray, shape (240,), bool

    Examples
    --------
    >>> int(seen_in_training().sum())
    192
    """
    return ~splits.held_out_species(taxa(seed), np.random.default_rng((seed, 4)))


def common_names(seed: int = SEED) -> np.ndarray:
    """Return the invented common name of each species; the models have learnt them.

    Parameters
    ----------
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    ndarray, shape (240,), object
        Empty for a species without a common name.

    Examples
    --------
    >>> len(common_names())
    240
    """
    return captions.common_names(len(taxa(seed)), np.random.default_rng((seed, 6)))


@lru_cache(maxsize=4)
def _species(seed: int) -> tuple[dict, ...]:
    return tuple(traits(seed).to_dict("records"))


def scene_of(species: int, individual: int, seed: int = SEED) -> Scene:
    """Return pose, background and light of a picture, drawn from the same distribution for all species.

    Parameters
    ----------
    species : int
        Row of the species in `taxa`.
    individual : int
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    Scene

    Examples
    --------
    >>> scene_of(17, 3) == scene_of(17, 3)
    True
    """
    return random_scene(np.random.default_rng((seed, 2, species, individual)))


def creature(species: int, individual: int, seed: int = SEED) -> creatures.Individual:
    """Return the individual in a picture: its traits, colours and posture.

    Parameters
    ----------
    species : int
        Row of the species in `taxa`.
    individual : int
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    Individual

    Examples
    --------
    >>> creature(17, 3).value["plan"] == traits()["plan"][17]
    True
    """
    return creatures.individual(_species(seed)[species], np.random.default_rng((seed, 3, species, individual)))


def render(species: int, individual: int, seed: int = SEED) -> Image.Image:
    """Draw the picture of one individual.

    Parameters
    ----------
    species : int
        Row of the species in `taxa`.
    individual : int
    seed : int
        The world that grows from it. The models belong to the default one.

    Returns
    -------
    PIL.Image.Image
        RGB, 64 × 64.

    Examples
    --------
    >>> render(17, 3).size
    (64, 64)
    """
    scene, animal = scene_of(species, individual, seed), creature(species, individual, seed)
    image = backdrop(scene)
    side, mirror = image.width, -1.0 if scene.left else 1.0
    c, s = np.cos(scene.turn), np.sin(scene.turn)
    matrix = np.array([[mirror * c, s], [-mirror * s, c]]) * scene.scale * side
    creatures.draw(Pen(image, matrix, side * (0.5 + np.array(scene.shift)), animal.dark), animal)
    return Image.fromarray(apply_light(image, scene))


def sheet(
    species: Iterable[int], individuals: Iterable[int] = (0,), seed: int = SEED, columns: int = 16, zoom: int = 1
) -> Image.Image:
    """Draw a plate of pictures, row by row: all individuals of the first species, then those of the next.

    Parameters
    ----------
    species : iterable of int
        Rows of the species in `taxa`.
    individuals : iterable of int
    seed : int
        The world that grows from it. The models belong to the default one.
    columns : int
        Pictures side by side.
    zoom : int
        Factor by which the plate is enlarged.

    Returns
    -------
    PIL.Image.Image

    Examples
    --------
    >>> sheet([0, 1, 2], columns=2).size
    (128, 128)
    """
    individuals = tuple(individuals)
    pictures = [render(row, number, seed) for row in species for number in individuals]
    rows = -(-len(pictures) // columns)  # rounded up
    plate = Image.new("RGB", (columns * SIZE, rows * SIZE), "white")
    for position, picture in enumerate(pictures):
        plate.paste(picture, (position % columns * SIZE, position // columns * SIZE))
    return plate.resize((plate.width * zoom, plate.height * zoom), Image.Resampling.NEAREST) if zoom > 1 else plate


def models() -> dict[str, Path]:
    """Return the folders of the world's models, which can be loaded as ``local-dir:FOLDER``.

    Returns
    -------
    dict from str to Path

    Examples
    --------
    >>> list(models())
    ['world-taxonomic', 'world-generic', 'world-subset']
    """
    return {name: Path(__file__).parent / "weights" / name for name in MODELS}


__all__ = [
    "MODELS",
    "SEED",
    "SIZE",
    "common_names",
    "creature",
    "known_models",
    "models",
    "render",
    "scene_of",
    "seen_in_training",
    "sheet",
    "taxa",
    "traits",
    "tree",
]
