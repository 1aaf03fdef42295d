"""The settings of a verification, with their defaults and their help; light, so that the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bioclip_probe.errors import ProbeError


@dataclass(frozen=True)
class VerifySettings:
    """Settings of a verification.

    Attributes
    ----------
    data : str
        The dataset with the pictures, as `datasets.load` takes it; by default the one that the folder names.
    tree : Path, optional
        The file of the phylogeny; by default the one that the folder names.
    models : tuple of str
        The encoders by their names on this machine, ``NAME=ID`` for one of the folder's names; by default those that
        the folder names. Python code (``custom:``) is run only if it is named here.
    everything : bool
        Recompute all numbers, with all probes and projections. By default the primary endpoints are computed from
        the vectors, and the scores of the probe from its stored answers.
    n_pictures : int
        Pictures that are embedded again, of those in ``witness.npz``.
    rounding : float
        Numbers are equal if they differ by no more than this, plus as large a share of them. A p-value may differ by
        one permutation.
    cosine : float
        Vectors are equal if their cosine is at least this.
    progress : bool
        Show how far the computation is.

    Raises
    ------
    ProbeError
        If a number is out of its range.

    Examples
    --------
    >>> VerifySettings().n_pictures
    16
    """

    data: str = field(
        default="", metadata={"help": "dataset with the pictures; default: the one that the folder names"}
    )
    tree: Path | None = field(
        default=None, metadata={"help": "file of the phylogeny; default: the one that the folder names"}
    )
    models: tuple[str, ...] = field(
        default=(), metadata={"help": "models of other names here, NAME=ID; Python code is run only if named here"}
    )
    everything: bool = field(default=False, metadata={"help": "recompute all numbers, with all probes"})
    n_pictures: int = field(default=16, metadata={"help": "pictures that are embedded again, at most 64"})
    rounding: float = field(default=1e-5, metadata={"help": "largest difference of equal numbers"})
    cosine: float = 0.999
    progress: bool = True

    def __post_init__(self) -> None:
        if self.n_pictures < 1:
            raise ProbeError(f"at least 1 picture is embedded again; got {self.n_pictures}")
        if not 0 <= self.rounding < 1:
            raise ProbeError(f"the rounding lies between 0 and 1; got {self.rounding}")


DEFAULTS = VerifySettings()
