"""A number with everything a reader needs to trust it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """One number, its chance level, its interval, what was counted, and why it is undefined if it is.

    Attributes
    ----------
    value : float
        The number; NaN where it is undefined, and then `note` says why.
    chance : float
        What the number is without any signal; NaN where that has no meaning.
    ci_low, ci_high : float
        The 95 % interval.
    ci_method : str
        How the interval was made.
    resampled : str
        The unit that was resampled or permuted, a rank such as ``species``.
    p_value : float
        One-sided permutation p, (b + 1)/(m + 1).
    n_images, n_taxa, n_excluded : int
        Images and taxa that entered, and images that were left out.
    note : str
        Why the value is undefined, or what to know of it.
    """

    value: float
    chance: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    ci_method: str = ""
    resampled: str = ""
    p_value: float = math.nan
    n_images: int = 0
    n_taxa: int = 0
    n_excluded: int = 0
    note: str = ""

    @classmethod
    def undefined(cls, note: str, n_images: int = 0, n_taxa: int = 0, n_excluded: int = 0) -> Estimate:
        """A number that does not exist here, and why."""
        return cls(math.nan, n_images=n_images, n_taxa=n_taxa, n_excluded=n_excluded, note=note)
