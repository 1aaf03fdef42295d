"""The settings of probes, with their defaults and their help; light, so that the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bioclip_probe.tables import DEFAULT_SEED

#: What a whole study asks by default; ridge and LDA say little that the linear probe does not.
USUAL_PROBES = ("linear", "knn", "simpleshot", "zero_shot")
USUAL_SHOTS = (1, 2, 5, 10)


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of the probes: which are asked, about which images, and after how many.

    Attributes
    ----------
    probes : tuple of str
        Names of the probe registry.
    protocols : tuple of str
        Names of `probes.registry.PROTOCOLS`: what the probes that learn are asked.
    shots : tuple of int
        Ask protocol ``seen`` again after so many images of each taxon: the curve of sample efficiency.
    mode : str
        Folds of SimpleShot: ``corrected`` (independent) or ``paper`` (as published).
    templates : str
        Prompts that names stand in: ``plain`` (`a photo of …`) or ``openai`` (the 81 of published zero-shot numbers).
    names : bool
        Embed the names of taxa, where a model takes text, and measure them; a probe by names does so anyway.
    seed : int
        Of splits and folds.
    device : str
        Where the linear probe learns: ``cpu``, ``cuda``.
    """

    probes: tuple[str, ...] = field(default=USUAL_PROBES, metadata={"help": "probes to ask"})
    protocols: tuple[str, ...] = field(
        default=("seen", "unseen", "shuffled"), metadata={"help": "what the probes that learn are asked"}
    )
    shots: tuple[int, ...] = field(
        default=(), metadata={"help": "ask protocol seen again after K images of each taxon"}
    )
    mode: str = field(default="corrected", metadata={"help": "folds of SimpleShot as published or independent"})
    templates: str = field(
        default="plain",
        metadata={"help": "names in one prompt (plain), or the mean of the 81 that published numbers use"},
    )
    names: bool = field(default=False, metadata={"help": "embed the names of all taxa too, where a model takes text"})
    seed: int = DEFAULT_SEED
    device: str = "cpu"
