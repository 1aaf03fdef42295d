"""Which method meets which design, on which tree, how often."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

#: Draws of a setting, by question and size of the study.
DRAWS = {
    "null": {"quick": 20, "usual": 200, "long": 1_000},
    "hazard": {"quick": 20, "usual": 200, "long": 1_000},
    "coverage": {"quick": 20, "usual": 100, "long": 400},
    "power": {"quick": 4, "usual": 40, "long": 200},
}
SIGNALS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
TREES = ("mammals", "iNat21", "world")
#: Samples in which many species share an order: ground, design, n, d, λ, units.
WITHIN_ORDERS = (
    ("mammals", "signal down to order", 80),
    ("iNat21", "signal down to order", 12, 16, 1.0, "family"),
    ("world", "signal down to order", 120),
)


@dataclass(frozen=True)
class Setting:
    """One cell of the study.

    Attributes
    ----------
    question : str
        ``null``: how often is p at most 0.05, is it uniform. ``hazard``: the same where a reader may take the
        design for a null and the test may not. ``coverage``: how often does an interval hold the value of
        the whole population. ``power``: how often is p at most 0.05 at this signal, and is more signal ranked higher.
    ground, design : str
        Keys of `grounds` and of `designs.DESIGNS`.
    n, d : int
        Units in a sample, dimensions of the vectors.
    signal : float
        Pagel's λ of what evolves.
    units : str
        What is drawn as a whole: ``species``, ``genus``, ``family``.
    methods : tuple of str
    """

    question: str
    ground: str
    design: str
    n: int
    d: int = 16
    signal: float = 1.0
    units: str = "species"
    methods: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Names the setting in the store of draws; does not hang on the list of methods."""
        parts = (self.question, self.ground, self.design, self.n, self.d, f"{self.signal:g}", self.units)
        return "|".join(map(str, parts))

    @property
    def sampling(self) -> str:
        """Settings of one sampling look at the same species, whatever their signal."""
        return replace(self, signal=0.0).key


def nulls() -> list[Setting]:
    """Designs without the signal that the test is for."""
    free = ("CPCC", "all images", "Spearman", "pairs as independent")
    settings = [Setting("null", ground, "no signal", 40, methods=free) for ground in TREES]
    settings += [Setting("null", ground, "signal elsewhere", 40, methods=free) for ground in TREES]
    settings += [
        Setting("null", ground, design, 40, methods=("between encoders",))
        for ground, design in itertools.product(("mammals", "iNat21"), ("unrelated", "one of two"))
    ]
    settings += [Setting("null", *within, methods=("CPCC within orders",)) for within in WITHIN_ORDERS]
    return [*settings, Setting("null", "star", "no signal", 40, methods=("CPCC", "all images", "Spearman"))]


def hazards() -> list[Setting]:
    """Designs whose null is true but for something else that moves the test."""
    settings = [Setting("hazard", ground, "uneven images", 40, methods=("CPCC", "all images")) for ground in TREES]
    settings += [
        Setting("hazard", ground, "evolved twice", 40, methods=("between encoders",))
        for ground in ("mammals", "iNat21")
    ]
    return settings


def coverages() -> list[Setting]:
    """Samples of a large population, by species and by whole genera or families."""
    signals = ((16, 1.0), (128, 1.0), (32, 0.5), (32, 0.0))
    settings = [
        Setting("coverage", ground, "signal", n, d, signal, methods=("CPCC", "all images", "CPCC, as given"))
        for ground, (d, signal), n in itertools.product(("mammals", "iNat21"), signals, (40, 100, 300))
    ]
    whole = (("mammals", "genus"), ("iNat21", "genus"), ("iNat21", "family"))
    settings += [
        Setting("coverage", ground, "signal", n, 32, signal, units, methods=("CPCC", "CPCC, as given"))
        for (ground, units), signal, n in itertools.product(whole, (1.0, 0.5), (40, 100))
    ]
    return settings


def powers() -> list[Setting]:
    """Signal from none to Brownian motion."""
    methods = ("CPCC", "CPCC within orders", "all images", "Spearman")
    return [
        Setting("power", ground, "signal", 40, 32, signal, methods=methods)
        for ground, signal in itertools.product(("mammals", "iNat21"), SIGNALS)
    ]


def study(size: str) -> list[tuple[Setting, int]]:
    """Every setting and how often it is drawn; a quick study leaves out the dear ones."""
    settings = [*nulls(), *hazards(), *coverages(), *powers()]
    if size == "quick":
        settings = [setting for setting in settings if _cheap(setting)]
    return [(setting, DRAWS[setting.question][size]) for setting in settings]


def _cheap(setting: Setting) -> bool:
    return setting.n < 100 and setting.d < 128 and setting.signal in (0, 1) and setting.units == "species"
