"""Encoders that are layers of one model: in figures they stand in order of depth, as shades of the model's colour."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.colors import to_hex, to_rgb

_LAYER = re.compile(r"layer:(\d+):(?:(cls|mean):)?(.+)")
#: So much white is mixed into the colour of the first of several layers; the last one has none.
PALEST = 0.7


@dataclass(frozen=True)
class Layer:
    """One layer of a model.

    Attributes
    ----------
    model : str
        The encoder whose layer it is.
    number : int
        Block of the network, from 1 on.
    pooling : str
        ``cls`` or ``mean`` where the name of the encoder says so.

    Examples
    --------
    >>> Layer.of("layer:6:mean:bioclip"), Layer.of("bioclip")
    (Layer(model='bioclip', number=6, pooling='mean'), None)
    """

    model: str
    number: int
    pooling: str = ""

    @classmethod
    def of(cls, encoder: str) -> Layer | None:
        """Return the layer that an encoder's name stands for, None if it is a whole model.

        Parameters
        ----------
        encoder : str
        """
        match = _LAYER.fullmatch(encoder)
        return cls(match[3], int(match[1]), match[2] or "") if match else None

    @property
    def series(self) -> str:
        """Name of the model with the pooling, under which its layers are one line."""
        return f"{self.model} ({self.pooling})" if self.pooling else self.model


def by_depth(encoders: Iterable[str]) -> list[str]:
    """Return encoders with the layers of each model together, in order of depth, before the model's own embedding.

    Parameters
    ----------
    encoders : iterable of str

    Returns
    -------
    list of str
        Models without layers keep their places.

    Examples
    --------
    >>> by_depth(["clip", "layer:12:bioclip", "bioclip", "layer:2:bioclip"])
    ['clip', 'layer:2:bioclip', 'layer:12:bioclip', 'bioclip']
    """
    encoders = list(encoders)
    layers = {name: Layer.of(name) for name in encoders}
    first: dict[str, int] = {}
    for place, name in enumerate(encoders):
        layer = layers[name]
        first.setdefault(layer.model if layer else name, place)

    def key(name: str) -> tuple[int, int, str, int]:
        layer = layers[name]
        if layer is None:
            return first[name], 1, "", 0
        return first[layer.model], 0, layer.pooling, layer.number

    return sorted(encoders, key=key)


def paler(color: str, place: int, n: int) -> str:
    """Return the colour of one of several layers: the deepest has the colour itself, those before it are paler.

    Parameters
    ----------
    color : str
    place : int
        Of the layer among those that are drawn, from 0 on.
    n : int
        How many are drawn.

    Examples
    --------
    >>> paler("#000000", 2, 3), paler("#000000", 0, 3)
    ('#000000', '#b2b2b2')
    """
    white = PALEST * (1 - (place + 1) / n) * n / max(n - 1, 1)
    red, green, blue = (channel + white * (1 - channel) for channel in to_rgb(color))
    return to_hex((red, green, blue))
