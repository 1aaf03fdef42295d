"""What the species look like: traits that evolve along the true tree by Brownian motion, and where clades converge.

A trait is *frozen* at a rank: it has evolved freely up to that depth and changes little below it (body plans are
older than colours). Its value is that of the species' ancestor there, spread evenly over [0, 1) or over its states by
rank order; a continuous trait keeps a little change of its own below (`_DRIFT`). Colours are frozen nowhere, and hue
goes round the colour circle more than once, so that only close kin share it. On top of this come the *mimicry rings*
(`RINGS`): genera of distant classes that look for all the world alike in colour and pattern. Colour is thus a poor
guide to kinship, and shape a good one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Tree, brownian
from bioclip_probe.world.growth import HEIGHT, lineages, taxa

CLASS_PLANS = tuple("star jelly jelly star worm worm bug worm bug fish fish worm critter bird".split())
PATTERNS = ("plain", "banded", "striped", "spotted", "saddled", "ringed")

# trait: (rank at which it is frozen, number of states; 0 = continuous in [0, 1))
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
    "spine": ("family", 4),  # what stands along the back
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
_TURNS = 2.5  # of the colour circle

# a mimicry ring: the looks its members share
RINGS = (
    {"hue": 0.13, "accent": 0.0, "saturation": 0.95, "lightness": 0.85, "pattern": 1, "density": 0.6},  # wasp
    {"hue": 0.00, "accent": 0.1, "saturation": 0.95, "lightness": 0.55, "pattern": 3, "density": 0.5},  # toadstool
    {"hue": 0.52, "accent": 0.5, "saturation": 0.80, "lightness": 0.70, "pattern": 5, "density": 0.4},  # lagoon
    {"hue": 0.78, "accent": 0.4, "saturation": 0.60, "lightness": 0.45, "pattern": 2, "density": 0.7},  # dusk
)
_RING_GENERA = 7  # genera in each ring, from as many orders as there are


def evolve(tree: Tree, rng: np.random.Generator) -> pd.DataFrame:
    """One row a species, in tree order: `species`, `plan`, `ring` (-1: none) and the columns of TRAITS.

    Continuous traits lie in [0, 1), the others are states 0, 1, … (int64).
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
    """Values at `nodes` as their rank order among the different nodes, in [0, 1)."""
    unique, inverse = np.unique(nodes, return_inverse=True)
    order = np.argsort(np.argsort(values[unique]))
    return (order / len(unique))[inverse]


def _plans(above: np.ndarray) -> np.ndarray:
    """A body plan for every class, in tree order: near classes mostly share one, some fall into a distant phylum's."""
    _, number = np.unique(above[:, RANKS.index("class")], return_inverse=True)
    return np.array(CLASS_PLANS, dtype=object)[number % len(CLASS_PLANS)]


def _converge(traits: pd.DataFrame, kin: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Give the genera of each mimicry ring their common looks, with a little play."""
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
