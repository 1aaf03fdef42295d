"""The settings of projections, with their defaults and their help; light, so that the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bioclip_probe.tables import DEFAULT_SEED


@dataclass(frozen=True)
class ProjectionSettings:
    """Settings of the drill-down of Section 4.6.

    Attributes
    ----------
    method : str
        Name of the projection registry.
    mode : str
        Outlier rule of Section 4.6: ``corrected`` (two degrees of freedom) or ``paper`` (one).
    seed : int
        Each panel draws from a stream of its own.
    """

    method: str = field(default="tsne", metadata={"help": "how images are laid into the plane"})
    mode: str = field(default="corrected", metadata={"help": "outlier rule of Section 4.6"})
    seed: int = DEFAULT_SEED
