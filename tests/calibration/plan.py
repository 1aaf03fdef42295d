"""The plan of the study: which method is tested on which design, on which tree, and how often."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

#: The number of draws of a setting, by the question and the size of the study.
DRAWS = {
    "null": {"quick": 5, "usual": 100, "long": 500},
    "hazard": {"quick": 5, "usual": 100, "long": 300},
    "coverage": {"quick": 5, "usual": 60, "long": 300},
    "power": {"quick": 2, "usual": 40, "long": 100},
}
SIGNALS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
TREES = ("mammals", "iNat21", "world")
LARGE = ("mammals", "iNat21")
#: Metrics of one model that have a p-value, and those of two models.
ONE = ("CPCC", "all images", "balanced", "balanced images", "K_mult", "λ", "heritable share")
TWO = ("CPCC difference", "λ difference")
#: Methods that need the ranks of a taxonomy.
RANKED = ("balanced", "balanced images", "heritable share")
#: Samples in which many species share an order: ground, design, n, d, λ, units.
WITHIN_ORDERS = (
    ("mammals", "signal down to order", 60),
    ("iNat21", "signal down to order", 8, 16, 1.0, "family"),
    ("world", "signal down to order", 100),
)


@dataclass(frozen=True)
class Setting:
    """One cell of the study.

    Attributes
    ----------
    question : str
        ``null``: how often p is at most 0.05, and whether p is uniform. ``hazard``: the same for a design that a reader
        may take for a null of the test although it is not one. ``coverage``: how often an interval covers the value of
        the whole population. ``power``: how often p is at most 0.05 at this signal, and how often more signal is ranked
        higher.
    ground, design : str
        Names of `grounds.ground` and of `designs.DESIGNS`.
    n, d : int
        Number of units in a sample, and dimension of the vectors.
    signal : float
        Pagel's λ of the species that evolve.
    units : str
        The sampled units: ``species``, or whole taxa of the rank ``genus`` or ``family``.
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
        """The name of the setting in the file of draws; it does not depend on the list of methods."""
        parts = (self.question, self.ground, self.design, self.n, self.d, f"{self.signal:g}", self.units)
        return "|".join(map(str, parts))

    @property
    def sampling(self) -> str:
        """The name of the sample; settings that differ in their signal only have the same species."""
        return replace(self, signal=0.0).key


def setting(question: str, ground: str, design: str, *size: float | str, methods: Iterable[str]) -> Setting:
    """Return a setting without the methods that its tree does not allow."""
    dated = ground in ("mammals", "star")
    return Setting(
        question,
        ground,
        design,
        *size,
        methods=tuple(name for name in methods if not (dated and name.removesuffix(", as given") in RANKED)),
    )


def nulls() -> list[Setting]:
    """Return the settings without the signal that the test looks for."""
    designs = (
        ("no signal", TREES, (*ONE, "pairs as independent")),
        ("signal elsewhere", TREES, (*ONE, "pairs as independent")),
        ("twice the same", TREES, TWO),
        ("unrelated", LARGE, ("between encoders",)),
        ("one of two", LARGE, ("between encoders",)),
    )
    return [
        *(
            setting("null", ground, design, 40, methods=methods)
            for design, grounds, methods in designs
            for ground in grounds
        ),
        *(setting("null", *within, methods=("CPCC within orders",)) for within in WITHIN_ORDERS),
        setting("null", "star", "no signal", 40, methods=ONE),
    ]


def hazards() -> list[Setting]:
    """Return the settings that a reader may take for a null of the test although they are not one."""
    designs = (
        ("uneven images", ONE),
        ("evolved twice", (*TWO, "between encoders")),
        ("unrelated", TWO),
    )
    return [setting("hazard", ground, design, 40, methods=methods) for design, methods in designs for ground in LARGE]


def coverages() -> list[Setting]:
    """Return the settings of samples of a large population, of species and of whole genera or families.

    The intervals that the package gives are tested here for whole genera and families; `coverage` tests them for
    species.
    """
    candidates = ((16, 1.0), (128, 1.0), (32, 0.5), (32, 0.0))
    settings = [
        setting("coverage", ground, "signal", n, d, signal, methods=("CPCC", "all images"))
        for ground, (d, signal), n in itertools.product(LARGE, candidates, (40, 100, 300))
    ]
    whole = (("mammals", "genus"), ("iNat21", "genus"), ("iNat21", "family"))
    return settings + [
        setting("coverage", ground, "signal", n, 32, signal, units, methods=("CPCC", *as_given(ONE)))
        for (ground, units), signal, n in itertools.product(whole, (1.0, 0.5), (40, 100))
    ]


def as_given(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the intervals that the package itself gives."""
    return tuple(f"{name}, as given" for name in names)


def powers() -> list[Setting]:
    """Return the settings with signal from none to Brownian motion."""
    methods = (*ONE, "CPCC within orders", "ranks")
    return [
        setting("power", ground, "signal", 40, 32, signal, methods=methods)
        for ground, signal in itertools.product(LARGE, SIGNALS)
    ]


def study(size: str) -> list[tuple[Setting, int]]:
    """Return every setting with its number of draws; a quick study leaves out the expensive settings."""
    settings = [*nulls(), *hazards(), *coverages(), *powers()]
    if size == "quick":
        settings = [candidate for candidate in settings if _cheap(candidate)]
    return [(planned, DRAWS[planned.question][size]) for planned in settings]


def _cheap(candidate: Setting) -> bool:
    """Return True if draws of the setting take little time."""
    small = candidate.ground != "iNat21" and candidate.n < 100 and candidate.d < 128
    return small and candidate.signal in (0, 1) and candidate.units == "species"
