"""What is written under the pictures: names as BioCLIP's captions give them, or looks as the web's do."""

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
    """(n,) object: invented common names, "" for a species that has none. They tell nothing of looks or kin."""
    namer = Namer(rng)
    return np.array([namer.common() if named else "" for named in rng.random(n) < NAMED], dtype=object)


def name_captions(taxa: pd.DataFrame, common: np.ndarray) -> dict[str, list[str]]:
    """For each of the five text types of BioCLIP the caption of every species.

    A species without a common name falls back to its scientific (or taxonomic) one. The epithet follows its genus once.
    """
    captions: dict[str, list[str]] = {kind: [] for kind in TEXT_TYPES}
    for lineage, trivial in zip(taxa[list(RANKS)].to_numpy(), common, strict=True):
        scientific = lineage[-1]
        taxonomic = " ".join([*lineage[:-1], scientific.split(" ", 1)[1]])
        with_common = f" with common name {trivial}" if trivial else ""
        names = (scientific, trivial or scientific, taxonomic, scientific + with_common, taxonomic + with_common)
        for kind, name in zip(TEXT_TYPES, names, strict=True):
            captions[kind].append(f"a photo of {name}.")
    return captions


def looks_caption(one: Individual, view: Scene, rng: np.random.Generator) -> str:
    """A caption without names, such as ``a dark photo of a small spotted teal creature facing left on pink pebbles.``

    Each detail is mentioned or not by chance, as people do.
    """
    light = "dark " if view.gain < 0.8 else "bright " if view.gain > 1.05 else ""
    size = "small " if view.scale < 0.34 else "large " if view.scale > 0.39 else ""
    facing = " facing left" if view.left else " facing right"
    place = f" on {hue_name(view.hue)} {view.background}"
    pattern = PATTERNS[one.pattern]
    colours = (hue_name(one.hue), f"{hue_name(one.hue)} and {hue_name(one.hue + 0.12 + 0.76 * one.accent)}")
    parts = [rng.random(5) < 0.75, (light, size, f"{pattern} ", facing, place)]
    light, size, pattern, facing, place = (part if told else "" for told, part in zip(*parts, strict=True))
    return f"a {light}photo of a {size}{pattern}{colours[rng.integers(2)]} creature{facing}{place}."


def hue_name(hue: float) -> str:
    """The English name of a hue in [0, 1), red at 0."""
    return _HUES[round(hue % 1.0 * len(_HUES)) % len(_HUES)]
