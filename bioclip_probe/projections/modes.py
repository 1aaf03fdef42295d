"""The two modes of the drill-down: as the authors drew it, and corrected."""

from __future__ import annotations

from bioclip_probe.errors import ProbeError

#: Degrees of freedom of the χ² distribution by which each mode cuts outliers.
MODES = {"paper": 1, "corrected": 2}


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
