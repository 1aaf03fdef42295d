"""One piece of a study's work, and the key that says what its numbers depend on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import bioclip_probe
from bioclip_probe import provenance
from bioclip_probe.files import sha256_of_chunks, sha256_of_json
from bioclip_probe.study.covered_intervals import FILE as COVERED
from bioclip_probe.study.inputs import Input, Inputs

#: Version of the files of pieces.
FORMAT = 1
#: Rooms whose sources compute numbers.
ROOMS = ("stats", "metrics", "probes", "projections", "tree", "study")
#: Libraries that compute numbers.
LIBRARIES = ("numpy", "scipy", "scikit-learn", "umap-learn", "openTSNE")
#: Settings that change no number beyond its rounding.
WITHOUT_EFFECT = ("device",)
#: Characters of a key in names of files.
KEY_LENGTH = 32


@dataclass(frozen=True)
class Piece:
    """One piece of a study's work: what it is about, and everything that its numbers depend on.

    Attributes
    ----------
    step : str
        ``measure``, ``probe`` or ``project``.
    subject : str
        What the piece is about, for people, e.g. ``bioclip, centred, taxonomy``. It is part of the key.
    inputs : tuple of (str, str)
        Names of the inputs, see `inputs.Inputs.digest`.
    settings : dict
        Settings, JSON-able.
    weight : float
        Its share of the work, relative to other pieces; 1 is one encoder in one space on the taxonomy.
    group : str
        Pieces of one group share intermediate results, so that one process should compute them all. By default a piece
        is alone.
    dependent : bool
        True if the piece is computed from the contents of other pieces of its step.

    Examples
    --------
    >>> Piece("measure", "bioclip, raw, taxonomy", (("vectors", "bioclip"),), {"seed": 0}).weight
    1.0
    """

    step: str
    subject: str
    inputs: tuple[Input, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    group: str = ""
    dependent: bool = False

    def key(self, inputs: Inputs) -> str:
        """Return the key of the piece for the inputs of a sample.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        settings = {name: value for name, value in self.settings.items() if name not in WITHOUT_EFFECT}
        digests = [[*name, inputs.digest(name)] for name in self.inputs]
        return sha256_of_json([program(), self.step, self.subject, digests, settings], default=str)[:KEY_LENGTH]

    @property
    def of_all_metrics(self) -> Piece:
        """The piece of all metrics, of which this one is a part."""
        return replace(self, settings={**self.settings, "metrics": ()})


@dataclass(frozen=True)
class PieceState:
    """A piece of a plan, and whether it is stored.

    Attributes
    ----------
    step, subject, weight, group, dependent
        As of the `Piece`.
    key : str
    exists : bool
        True if the piece will be read and not computed. Its content is not checked here.
    seconds : float
        Time that it took when it was computed; NaN if it is not stored.

    Examples
    --------
    >>> PieceState("measure", "bioclip, raw, taxonomy", "0" * 32, False).exists
    False
    """

    step: str
    subject: str
    key: str
    exists: bool
    weight: float = 1.0
    seconds: float = float("nan")
    group: str = ""
    dependent: bool = False


@cache
def program() -> list[object]:
    """Return what identifies the program that computes numbers: versions, and a digest of its sources.

    Returns
    -------
    list
        JSON-able.

    Examples
    --------
    >>> program()[0] == FORMAT
    True
    """
    home = Path(bioclip_probe.__file__).parent
    sources = [home / "tables.py", *sorted(path for room in ROOMS for path in (home / room).rglob("*.py")), COVERED]
    digest = sha256_of_chunks(path.read_bytes() for path in sources)
    versions = provenance.versions(LIBRARIES)
    return [FORMAT, bioclip_probe.__version__, digest, versions]
