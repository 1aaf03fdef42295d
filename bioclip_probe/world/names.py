"""Invented Latin-looking names: none is meant to be the name of anything alive.

As in zoology a family is named after its type genus (-idae) and so is an order (-iformes); an epithet agrees with its
genus in gender and may be used again in another genus.
"""

from __future__ import annotations

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
    parts = [f"{rng.choice(_ONSETS)}{rng.choice(_VOWELS)}" for _ in range(syllables)]
    return "".join(parts) + str(rng.choice(_FINALS))


class Namer:
    """Gives out names, each once. `rng` is consumed in the order of the calls."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng
        self._given: set[str] = set()

    def _once(self, make) -> str:
        while (name := make()) in self._given:
            pass
        self._given.add(name)
        return name

    def genus(self) -> tuple[str, str]:
        """A genus and its stem, e.g. ``("Brevantus", "Brevant")``."""
        stem = _stem(self._rng, int(self._rng.integers(1, 3)))
        name = self._once(lambda: (stem + str(self._rng.choice(_GENUS_ENDINGS))).capitalize())
        return name, stem.capitalize()

    def after(self, stem: str, ending: str) -> str:
        """A family or order named after the stem of its type genus."""
        if stem + ending in self._given:
            stem = stem + "el"
        return self._once(lambda: stem + ending)

    def higher(self, rank: str) -> str:
        """A class, phylum or kingdom."""
        endings = _ENDINGS[rank]
        return self._once(lambda: (_stem(self._rng, 1) + str(self._rng.choice(endings))).capitalize())

    def epithet(self, genus: str) -> str:
        """An epithet not yet used in `genus`, in its gender."""
        ending = "us" if genus.endswith(_MALE) else "a" if genus.endswith(_FEMALE) else "e"

        def make() -> str:
            stem = _stem(self._rng, 1) + str(self._rng.choice(["", "at", "in", "os", "ul"]))
            return f"{genus} {stem}{self._rng.choice([ending, ending, 'ensis', 'oides'])}"

        return self._once(make).split()[1]

    def common(self) -> str:
        """An English name such as ``spotted bumblewing``; it says nothing of the looks or the kin of its bearer."""
        rng = self._rng
        return self._once(lambda: f"{rng.choice(_ADJECTIVES)} {rng.choice(_FIRST)}{rng.choice(_SECOND)}")
