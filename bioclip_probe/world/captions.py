"""Captions of the pictures: names, as in BioCLIP's captions, or looks, as in captions of the web."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS
from bioclip_probe.world.creatures import Individual
from bioclip_probe.world.evolution import PATTERNS
from bioclip_probe.world.names import Namer
from bioclip_probe.world.scene import Scene

TEXT_TYPES = ("scientific", "common", "taxonomic", "scientific_common", "taxonomic_common")
NAMED = 0.7  # share of the species that have a common name
_HUES = ("red", "orange", "yellow", "lime", "green", "teal", "turquoise", "blue", "indigo", "violet", "magenta", "pink")


def common_names(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return invented common names, which do not depend on looks or kinship.

    Parameters
    ----------
    n : int
        Number of species.
    rng : Generator

    Returns
    -------
    ndarray, shape (n,), object
        Empty for a species without a common name.

    Examples
    --------
    >>> len(common_names(3, np.random.default_rng(0)))
    3
    """
    namer = Namer(rng)
    return np.array([namer.common_name() if named else "" for named in rng.random(n) < NAMED], dtype=object)


def name_captions(taxa: pd.DataFrame, common: np.ndarray) -> dict[str, list[str]]:
    """Return the caption of every species in each of the five text types of BioCLIP.

    A species without a common name gets its scientific (or taxonomic) one. The epithet follows its genus once.

    Parameters
    ----------
    taxa : DataFrame
        One row a species, columns `tables.RANKS`.
    common : ndarray, shape (species,), object
        Common names; empty where there is none.

    Returns
    -------
    dict from str to list of str

    Examples
    --------
    >>> import pandas as pd
    >>> taxa = pd.DataFrame([["A", "B", "C", "D", "E", "Pica", "Pica hudsonia"]], columns=[*RANKS])
    >>> name_captions(taxa, np.array(["magpie"]))["taxonomic_common"]
    ['a photo of A B C D E Pica hudsonia with common name magpie.']
    """
    captions: dict[str, list[str]] = {kind: [] for kind in TEXT_TYPES}
    for lineage, common_name in zip(taxa[list(RANKS)].to_numpy(), common, strict=True):
        scientific = lineage[-1]
        taxonomic = " ".join([*lineage[:-1], scientific.split(" ", 1)[1]])
        with_common = f" with common name {common_name}" if common_name else ""
        names = (scientific, common_name or scientific, taxonomic, scientific + with_common, taxonomic + with_common)
        for kind, name in zip(TEXT_TYPES, names, strict=True):
            captions[kind].append(f"a photo of {name}.")
    return captions


def looks_caption(creature: Individual, scene: Scene, rng: np.random.Generator) -> str:
    """Return a caption without names.

    An example is "a dark photo of a small spotted teal creature facing left on pink pebbles." Each detail is mentioned
    or left out at random, as people do.

    Parameters
    ----------
    creature : Individual
    scene : Scene
    rng : Generator

    Returns
    -------
    str

    Examples
    --------
    >>> from bioclip_probe import world
    >>> rng = np.random.default_rng(0)
    >>> "creature" in looks_caption(world.creature(17, 3), world.scene_of(17, 3), rng)
    True
    """
    light = "dark " if scene.gain < 0.8 else "bright " if scene.gain > 1.05 else ""
    size = "small " if scene.scale < 0.34 else "large " if scene.scale > 0.39 else ""
    facing = " facing left" if scene.left else " facing right"
    place = f" on {hue_name(scene.hue)} {scene.background}"
    pattern = PATTERNS[creature.pattern]
    colours = (
        hue_name(creature.hue),
        f"{hue_name(creature.hue)} and {hue_name(creature.hue + 0.12 + 0.76 * creature.accent)}",
    )
    parts = [rng.random(5) < 0.75, (light, size, f"{pattern} ", facing, place)]
    light, size, pattern, facing, place = (part if mentioned else "" for mentioned, part in zip(*parts, strict=True))
    return f"a {light}photo of a {size}{pattern}{colours[rng.integers(2)]} creature{facing}{place}."


def hue_name(hue: float) -> str:
    """Return the English name of a hue.

    Parameters
    ----------
    hue : float
        Red at 0 and at 1; numbers beyond wrap round.

    Returns
    -------
    str

    Examples
    --------
    >>> hue_name(1 / 3)
    'green'
    """
    return _HUES[round(hue % 1.0 * len(_HUES)) % len(_HUES)]
