"""The looks of the species: traits that evolve along the true tree by Brownian motion, and clades that converge.

A trait is *frozen* at a rank: it evolves freely above that rank and changes little below it (body plans are older than
colours). Its value is that of the species' ancestor at that rank, spread evenly over [0, 1) or over its states by rank
order; a continuous trait keeps a little change of its own below (`_DRIFT`). Colours are frozen at no rank, and hue goes
round the colour circle more than once, so that only close relatives share it. In addition there are *mimicry rings*
(`RINGS`): genera of distant classes that look alike in colour and pattern. So colour tells little of kinship, and shape
tells much.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree, brownian
from bioclip_probe.world.growth import HEIGHT, lineages, taxa

CLASS_PLANS = tuple("star jelly jelly star worm worm bug worm bug fish fish worm critter bird".split())
PATTERNS = ("plain", "banded", "striped", "spotted", "saddled", "ringed")

# Trait to the rank at which it is frozen and its number of states; 0 states: continuous in [0, 1).
TRAITS = {
    "gaze": ("kingdom", 3),  # white eyes, dark beads, golden eyes
    "stoutness": ("class", 0),
    "head": ("class", 0),
    "eye": ("class", 0),
    "limbs": ("order", 4),
    "tail": ("order", 4),
    "crown": ("order", 4),  # ears, antennae, horns or tentacles
    "limb_length": ("family", 0),
    "wing": ("family", 4),
    "spine": ("family", 4),  # nothing, teeth, a sail or a mane of knobs along the back
    "tail_length": ("family", 0),
    "crown_length": ("genus", 0),
    "wing_size": ("genus", 0),
    "pattern": ("genus", len(PATTERNS)),
    "saturation": ("genus", 0),
    "density": ("species", 0),
    "lightness": ("species", 0),
    "accent": ("species", 0),  # hue of the pattern, relative to the body's
    "hue": ("species", 0),
}
_DRIFT = 0.12
_TURNS = 2.5  # of hue round the colour circle

# The looks that the members of each mimicry ring share.
RINGS = (
    {"hue": 0.13, "accent": 0.0, "saturation": 0.95, "lightness": 0.85, "pattern": 1, "density": 0.6},  # wasp
    {"hue": 0.00, "accent": 0.1, "saturation": 0.95, "lightness": 0.55, "pattern": 3, "density": 0.5},  # toadstool
    {"hue": 0.52, "accent": 0.5, "saturation": 0.80, "lightness": 0.70, "pattern": 5, "density": 0.4},  # lagoon
    {"hue": 0.78, "accent": 0.4, "saturation": 0.60, "lightness": 0.45, "pattern": 2, "density": 0.7},  # dusk
)
_RING_GENERA = 7  # genera in each ring, all of different orders


def evolve(tree: Tree, rng: np.random.Generator) -> pd.DataFrame:
    """Return the traits of each species.

    Parameters
    ----------
    tree : Tree
    rng : Generator

    Returns
    -------
    DataFrame
        One row a species, in the order of the tree: `species`, `plan`, `ring` (−1: none) and the columns of `TRAITS`.
        Continuous traits lie in [0, 1); the others are states 0, 1, … (int64).

    Examples
    --------
    >>> from bioclip_probe.world.growth import grow
    >>> evolve(grow(np.random.default_rng(0)), np.random.default_rng(1)).shape
    (240, 22)
    """
    above, kin = lineages(tree), taxa(tree)
    values = brownian(tree, len(TRAITS), rng) / np.sqrt(HEIGHT)  # variance 1 at the tips
    traits = pd.DataFrame({"species": kin["species"], "plan": _plans(above)})
    for column, (name, (rank, states)) in zip(values.T, TRAITS.items(), strict=True):
        frozen = _spread(column, above[:, RANKS.index(rank)])
        if states:
            traits[name] = (frozen * states).astype(np.int64)
        else:
            drift = 0 if rank == "species" else _DRIFT
            traits[name] = (1 - drift) * frozen + drift * _spread(column, tree.tips)
    hue = values[tree.tips, list(TRAITS).index("hue")]
    traits["hue"] = (hue * _TURNS) % 1.0
    return _converge(traits, kin, rng)


def _spread(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return the rank order of values among the different nodes, scaled to [0, 1)."""
    unique, inverse = np.unique(nodes, return_inverse=True)
    order = np.argsort(np.argsort(values[unique]))
    return (order / len(unique))[inverse]


def _plans(above: np.ndarray) -> np.ndarray:
    """Return a body plan for each species: near classes mostly share one, and some share that of a distant phylum."""
    _, number = np.unique(above[:, RANKS.index("class")], return_inverse=True)
    return np.array(CLASS_PLANS, dtype=object)[number % len(CLASS_PLANS)]


def _converge(traits: pd.DataFrame, kin: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Give the genera of each mimicry ring their common looks, with small differences."""
    traits = traits.assign(ring=np.int64(-1))
    genera = kin.drop_duplicates("genus").sample(frac=1, random_state=rng)
    free = genera.drop_duplicates("order")["genus"].tolist()
    for number, looks in enumerate(RINGS):
        members, free = free[:_RING_GENERA], free[_RING_GENERA:]
        rows = kin["genus"].isin(members).to_numpy()
        traits.loc[rows, "ring"] = number
        for name, value in looks.items():
            if TRAITS[name][1]:
                traits.loc[rows, name] = value
            else:
                shared = value + rng.normal(0, 0.02, rows.sum())
                traits.loc[rows, name] = shared % 1.0 if name == "hue" else np.clip(shared, 0, 0.999)
    return traits
