"""The settings that all figures share: which models are drawn, and the head of the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FigureSettings:
    """The models that a figure draws, and what stands at its head.

    Attributes
    ----------
    models : sequence of str, optional
        Encoders to draw, in this order; all encoders of the table by default. Controls come last.
    controls : sequence of str
        Names of the encoders that are controls, as the record of the run says. They are drawn in grey.
    title : str
        Heading; every figure has one of its own by default.
    simulated : bool
        Print the words "simulated data" on the figure. A table that says so in its rows prints them too.

    Examples
    --------
    >>> FigureSettings(controls=("pixels",)).simulated
    False
    """

    models: Sequence[str] | None = None
    controls: Sequence[str] = ()
    title: str = ""
    simulated: bool = False
