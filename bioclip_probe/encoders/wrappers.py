"""Encoders that are made from another encoder: `layer:N:MODEL`, and models that see only a part of each picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bioclip_probe.encoders.ids import public_id, split_wrapper
from bioclip_probe.encoders.recipe import Encoder, Recipe
from bioclip_probe.errors import ModelError

_RANGE = re.compile(r"layer:(\d+)-(\d+):(.+)")
MAX_RANGE = 200


@dataclass(frozen=True)
class Around:
    """A factory of encoders that are made from another one. It can be pickled and compared, as a recipe asks.

    Attributes
    ----------
    wrap : callable
        From the recipe of the encoder and the recipe of the other one to the encoder.
    inner : callable
        The factory of the other one.

    Examples
    --------
    >>> from bioclip_probe.encoders import controls
    >>> around = Around(lambda recipe, inner: inner.load(), controls.load)
    >>> around(Recipe(around, "mine", "scrambled:control:pixels")).name
    'control:pixels'
    """

    wrap: Callable[[Recipe, Recipe], Encoder]
    inner: Callable[[Recipe], Encoder]

    def __call__(self, recipe: Recipe) -> Encoder:
        """Return the encoder of a recipe.

        Parameters
        ----------
        recipe : Recipe

        Returns
        -------
        Encoder
        """
        _, id = split_wrapper(recipe.id)
        return self.wrap(recipe, replace(recipe, factory=self.inner, name=public_id(id), id=id))


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of encoders, with each range of layers written out.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    tuple of str

    Raises
    ------
    ModelError
        If a range runs backwards or is too long.

    Examples
    --------
    >>> expand(["layer:10-12:bioclip", "pixels"])
    ('layer:10:bioclip', 'layer:11:bioclip', 'layer:12:bioclip', 'pixels')
    """
    expanded: list[str] = []
    for name in names:
        match = _RANGE.fullmatch(name)
        if match is None:
            expanded.append(name)
            continue
        first, last, rest = int(match[1]), int(match[2]), match[3]
        if not first <= last <= first + MAX_RANGE:
            raise ModelError(
                f"'{name}' is not a range of layers; expected layer:FIRST-LAST:MODEL, such as layer:1-12:clip"
            )
        expanded += [f"layer:{number}:{rest}" for number in range(first, last + 1)]
    return tuple(expanded)
