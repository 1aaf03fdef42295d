"""The settings of probes, with their defaults and their help; light, so that the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bioclip_probe.errors import ProbeError
from bioclip_probe.probes.registry import PROTOCOLS, REGISTRY, SEEN, SEEN_CHILDREN, SHUFFLED, UNSEEN
from bioclip_probe.tables import DEFAULT_SEED, TEMPLATES, check_name, check_no_text
from bioclip_probe.torch_device import check_device

#: The probes of a whole study by default. Ridge regression and LDA add little to the linear probe.
USUAL_PROBES = ("linear", "knn", "simpleshot", "zero_shot")
USUAL_SHOTS = (1, 2, 5, 10)
DEFAULT_PROTOCOLS = (SEEN, SEEN_CHILDREN, UNSEEN, SHUFFLED)
#: Folds of SimpleShot, and sets of prompts.
MODES = ("corrected", "paper")


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of the probes: which ones are run, and how they are tested.

    Attributes
    ----------
    probes : tuple of str
        Names of the probe registry.
    protocols : tuple of str
        Names of `probes.registry.PROTOCOLS`: how the probes that learn are tested.
    shots : tuple of int
        Repeat protocol ``seen`` with this many train images of each taxon: the curve of sample efficiency.
    mode : str
        Folds of SimpleShot: ``corrected`` (independent) or ``paper`` (as published).
    templates : str
        Prompts in which the names of taxa stand: ``plain`` (`a photo of …`) or ``openai`` (the 81 prompts of published
        zero-shot numbers).
    names : bool
        Embed the names of taxa, where a model takes text, and measure them. Zero-shot probes embed them in any case.
    n_deals : int
        Times that the children of taxa are dealt to folds anew, in the protocols ``seen-children`` and ``unseen``.
        Their numbers are means over the deals.
    own_split : bool
        Divide the images of protocol ``seen`` at random, even where the dataset has train and test images of its own.
    seed : int
        Seed of splits and folds.
    device : str
        Device on which the probes that learn are fitted: ``cpu``, ``cuda``; the study takes ``auto`` too.

    Raises
    ------
    ProbeError
        If a name is unknown, a number of shots or of deals or the seed is out of range, or there are shots without
        protocol ``seen``.

    Examples
    --------
    >>> ProbeSettings(probes=("ridge", "lda"), shots=(1, 5)).protocols
    ('seen', 'seen-children', 'unseen', 'shuffled')
    >>> ProbeSettings(protocols=("unseen",), shots=(1,))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: shots need protocol seen: name it too
    """

    probes: tuple[str, ...] = field(default=USUAL_PROBES, metadata={"help": "probes to run"})
    protocols: tuple[str, ...] = field(
        default=DEFAULT_PROTOCOLS, metadata={"help": "how the probes that learn are tested"}
    )
    shots: tuple[int, ...] = field(
        default=(), metadata={"help": "repeat protocol seen with K train images of each taxon"}
    )
    mode: str = field(default=MODES[0], metadata={"help": "folds of SimpleShot as published or independent"})
    templates: str = field(
        default=TEMPLATES[0],
        metadata={"help": "names in one prompt (plain), or the mean of the 81 that published numbers use"},
    )
    names: bool = field(default=False, metadata={"help": "embed the names of all taxa too, where a model takes text"})
    n_deals: int = field(
        default=3,
        metadata={"help": "times that children are dealt to folds anew, for protocols seen-children, unseen"},
    )
    own_split: bool = field(
        default=False,
        metadata={"help": "divide the images of protocol seen anew, even where the dataset has train and test images"},
    )
    seed: int = DEFAULT_SEED
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_no_text("probes", self.probes)
        check_no_text("protocols", self.protocols)
        check_device(self.device)
        for name in self.probes:
            check_name("probe", name, REGISTRY)
        for name in self.protocols:
            check_name("protocol", name, PROTOCOLS)
        if any(k < 1 for k in self.shots):
            raise ProbeError(f"shots are numbers of images a taxon, at least 1; got {', '.join(map(str, self.shots))}")
        if self.shots and self.protocols and SEEN not in self.protocols:
            raise ProbeError(f"shots need protocol {SEEN}: name it too")
        if self.mode not in MODES:
            raise ProbeError(f"unknown mode '{self.mode}'; expected one of: {', '.join(MODES)}")
        if self.templates not in TEMPLATES:
            raise ProbeError(f"templates are {' or '.join(TEMPLATES)}; got '{self.templates}'")
        if self.n_deals < 1:
            raise ProbeError(f"children are dealt to folds at least once; got {self.n_deals}")
        if self.seed < 0:
            raise ProbeError(f"the seed must be 0 or more; got {self.seed}")
