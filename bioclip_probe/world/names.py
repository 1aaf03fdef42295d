"""Invented names that look like Latin. None is meant to be the name of a living thing.

As in zoology, a family (-idae) and an order (-iformes) are named after their type genus. An epithet agrees with its
genus in gender, and may be used again in another genus.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_ONSETS = "b br c cr d dr f fl g gl gr l m n p pl pr ph qu r s sc sp st t tr v x z th ch rh h k".split()
_VOWELS = "a e i o u a e i o ae y ei au ia io".split()
_FINALS = "n r l s m d t v p c n r l nt st rd mb lph nc".split()
_GENUS_ENDINGS = ("us", "a", "is", "us", "a", "ops", "ura", "ella", "ius", "yx", "odon", "ina")
_MALE, _FEMALE = ("us", "ius", "odon", "yx"), ("a", "ura", "ella", "ina")
_ENDINGS = {
    "kingdom": ("alia", "aria", "onta"),
    "phylum": ("zoa", "poda", "morpha"),
    "class": ("ata", "oidea", "aspia"),
}

_ADJECTIVES = (
    "lesser greater dusky pale marsh hill river moon dawn hermit noble shy merry solemn common royal drowsy velvet "
    "northern southern harlequin parson beggar queen painted hooded masked spotted banded golden copper silver misty "
    "thorny woolly"
).split()
_FIRST = (
    "bumble puddle whisker thistle button pepper bramble wobble pocket lantern clover tumble saffron nettle muddle"
).split()
_SECOND = (
    "wing snout tail foot back hopper glider nose bell star crest fin whistle creeper moth drake mouse pipit".split()
)


def _stem(rng: np.random.Generator, syllables: int) -> str:
    """Return a random stem."""
    parts = [f"{rng.choice(_ONSETS)}{rng.choice(_VOWELS)}" for _ in range(syllables)]
    return "".join(parts) + str(rng.choice(_FINALS))


class Namer:
    """A source of names that gives out each name once.

    Parameters
    ----------
    rng : Generator
        The names depend on the order of the calls.

    Examples
    --------
    >>> namer = Namer(np.random.default_rng(0))
    >>> genus, stem = namer.genus()
    >>> namer.name_after(stem, "idae") == stem + "idae"
    True
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def _unused(self, make: Callable[[], str]) -> str:
        """Call `make` until it gives a name that has not been given out."""
        while (name := make()) in self._used:
            pass
        self._used.add(name)
        return name

    def genus(self) -> tuple[str, str]:
        """Return the name of a genus and its stem.

        Returns
        -------
        name, stem : str
            For example ``Brevantus`` and ``Brevant``.
        """
        stem = _stem(self._rng, int(self._rng.integers(1, 3)))
        name = self._unused(lambda: (stem + str(self._rng.choice(_GENUS_ENDINGS))).capitalize())
        return name, stem.capitalize()

    def name_after(self, stem: str, ending: str) -> str:
        """Return the name of a family or an order, made from the stem of its type genus.

        Parameters
        ----------
        stem : str
        ending : str
            For example ``idae``.

        Returns
        -------
        str
        """
        if stem + ending in self._used:
            stem = stem + "el"
        return self._unused(lambda: stem + ending)

    def higher_taxon(self, rank: str) -> str:
        """Return the name of a class, a phylum or a kingdom.

        Parameters
        ----------
        rank : str

        Returns
        -------
        str
        """
        endings = _ENDINGS[rank]
        return self._unused(lambda: (_stem(self._rng, 1) + str(self._rng.choice(endings))).capitalize())

    def epithet(self, genus: str) -> str:
        """Return an epithet that is new in a genus and agrees with it in gender.

        Parameters
        ----------
        genus : str

        Returns
        -------
        str
        """
        ending = "us" if genus.endswith(_MALE) else "a" if genus.endswith(_FEMALE) else "e"

        def make() -> str:
            stem = _stem(self._rng, 1) + str(self._rng.choice(["", "at", "in", "os", "ul"]))
            return f"{genus} {stem}{self._rng.choice([ending, ending, 'ensis', 'oides'])}"

        return self._unused(make).split()[1]

    def common_name(self) -> str:
        """Return an English name such as ``spotted bumblewing``, which does not depend on looks or kinship.

        Returns
        -------
        str
        """
        rng = self._rng
        return self._unused(lambda: f"{rng.choice(_ADJECTIVES)} {rng.choice(_FIRST)}{rng.choice(_SECOND)}")
