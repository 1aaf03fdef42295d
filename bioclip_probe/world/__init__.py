"""The built-in world: a simulated tree of life, its creatures, and three small models that learned to see them.

    taxa()                       one row a species: its lineage
    tree()                       the true tree, with branch lengths
    traits()                     what evolved along it
    render(species, individual)  a picture
    sheet(species, individuals)  a plate of pictures
    seen()                       the species that the models met in training
    models()                     the folders of the three models, in open_clip's local-directory layout

Everything is *simulated* and determined by a seed. A picture depends on the seed, the species and the number of the
individual only. README.md in this folder tells how the world is made and what the models learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bioclip_probe.tree import Tree
from bioclip_probe.world import captions, creatures, growth, splits
from bioclip_probe.world.evolution import evolve
from bioclip_probe.world.pen import SIZE, Pen
from bioclip_probe.world.scene import Scene, backdrop, draw_scene, lit

SEED = 2
MODELS = ("world-taxonomic", "world-generic", "world-subset")


@lru_cache(maxsize=4)
def tree(seed: int = SEED) -> Tree:
    """The true tree of the 240 species: branch lengths in Myr, tips named by binomials, taxa named on the way."""
    return growth.grow(np.random.default_rng(seed))


def taxa(seed: int = SEED) -> pd.DataFrame:
    """(240 rows) The lineage of every species in tree order, columns RANKS; `species` is the binomial."""
    return growth.taxa(tree(seed))


def traits(seed: int = SEED) -> pd.DataFrame:
    """(240 rows) What evolved: see `bioclip_probe.world.evolution.evolve`."""
    return evolve(tree(seed), np.random.default_rng((seed, 1)))


def seen(seed: int = SEED) -> np.ndarray:
    """(240,) bool: the species that training may use; the others are held out."""
    return ~splits.held_out(taxa(seed), np.random.default_rng((seed, 4)))


def common_names(seed: int = SEED) -> np.ndarray:
    """(240,) object: the invented common name of every species, "" where it has none; the models were taught them."""
    return captions.common_names(len(taxa(seed)), np.random.default_rng((seed, 6)))


@lru_cache(maxsize=4)
def _species(seed: int) -> tuple[dict, ...]:
    return tuple(traits(seed).to_dict("records"))


def circumstances(species: int, individual: int, seed: int = SEED) -> Scene:
    """Pose, background and light of a picture; drawn from one law for all species."""
    return draw_scene(np.random.default_rng((seed, 2, species, individual)))


def creature(species: int, individual: int, seed: int = SEED) -> creatures.Individual:
    """The individual itself: its traits, colours and bearing."""
    return creatures.individual(_species(seed)[species], np.random.default_rng((seed, 3, species, individual)))


def render(species: int, individual: int, seed: int = SEED) -> Image.Image:
    """The picture (64 × 64, RGB) of one individual of the species in this row of `taxa`."""
    view, one = circumstances(species, individual, seed), creature(species, individual, seed)
    image = backdrop(view)
    side, mirror = image.width, -1.0 if view.left else 1.0
    c, s = np.cos(view.turn), np.sin(view.turn)
    matrix = np.array([[mirror * c, s], [-mirror * s, c]]) * view.scale * side
    creatures.draw(Pen(image, matrix, side * (0.5 + np.array(view.shift)), one.dark), one)
    return Image.fromarray(lit(image, view))


def sheet(
    species: Iterable[int], individuals: Iterable[int] = (0,), seed: int = SEED, columns: int = 16, zoom: int = 1
) -> Image.Image:
    """A plate: the given individuals of each of the given species, row by row, enlarged `zoom` times."""
    individuals = tuple(individuals)
    pictures = [render(kind, number, seed) for kind in species for number in individuals]
    rows = -(-len(pictures) // columns)
    plate = Image.new("RGB", (columns * SIZE, rows * SIZE), "white")
    for place, picture in enumerate(pictures):
        plate.paste(picture, (place % columns * SIZE, place // columns * SIZE))
    return plate.resize((plate.width * zoom, plate.height * zoom), Image.Resampling.NEAREST) if zoom > 1 else plate


def models() -> dict[str, Path]:
    """Where each of the world's models lies: name → folder, to be loaded as ``local-dir:FOLDER``."""
    return {name: Path(__file__).parent / "weights" / name for name in MODELS}


__all__ = [
    "MODELS",
    "SEED",
    "SIZE",
    "circumstances",
    "common_names",
    "creature",
    "models",
    "render",
    "seen",
    "sheet",
    "taxa",
    "traits",
    "tree",
]
