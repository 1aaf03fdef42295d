"""The settings of projections, with their defaults and their help; light, so that the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.registry import REGISTRY
from bioclip_probe.tables import DEFAULT_SEED

#: Degrees of freedom of the χ² distribution by which each mode cuts outliers.
MODES = {"paper": 1, "corrected": 2}


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
        Each panel draws from a random stream of its own.

    Raises
    ------
    ProbeError
        If a name is unknown or the seed is negative.

    Examples
    --------
    >>> ProjectionSettings(method="pca").mode
    'corrected'
    >>> ProjectionSettings(method="tnse")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: unknown projection 'tnse'; expected one of: tsne, umap, pca
    """

    method: str = field(default="tsne", metadata={"help": "method that projects images into the plane"})
    mode: str = field(default="corrected", metadata={"help": "outlier rule of Section 4.6"})
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        if self.method not in REGISTRY:
            raise ProbeError(f"unknown projection '{self.method}'; expected one of: {', '.join(REGISTRY)}")
        check_mode(self.mode)
        if self.seed < 0:
            raise ProbeError(f"the seed must be 0 or more; got {self.seed}")


def check_mode(mode: str) -> None:
    """Raise an error if there is no such mode.

    Parameters
    ----------
    mode : str

    Raises
    ------
    ProbeError
        If `mode` is none of `MODES`.

    Examples
    --------
    >>> check_mode("paper")
    """
    if mode not in MODES:
        raise ProbeError(f"unknown mode '{mode}'; expected one of: {', '.join(MODES)}")
