"""A number with everything that a reader needs to judge it: chance level, interval, counts and a note."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A number with its chance level, its interval and its counts, or the reason why it is undefined.

    Attributes
    ----------
    value : float
        The number; NaN if it is undefined, and then `note` gives the reason.
    chance : float
        The value that is expected without any signal; NaN where that has no meaning.
    ci_low, ci_high : float
        Ends of the confidence interval (95 % by default).
    ci_method : str
        How the interval was made.
    band_low, band_high : float
        Ends of the simultaneous band of the curve by rank that the number is a point of.
    null : str
        The null by which `chance` and `p_value` are meant: ``species`` (whole species permuted over the tips of the
        tree, images staying with their species), ``images`` (labels permuted over images), ``within RANK`` (species
        permuted inside each taxon of the rank), a higher rank (its taxa permuted whole, e.g. ``genus``), or ``axes``
        (coordinates on each principal axis shuffled over images). Empty without a chance level.
    resampled : str
        The unit that was resampled or permuted, a rank such as ``species``.
    n_units : int
        Number of units that were resampled; 0 without an interval.
    p_value : float
        p-value: one-sided, (b + 1)/(m + 1), of a permutation test, or two-sided of a difference.
    n_images, n_taxa, n_excluded : int
        Numbers of images and taxa that entered, and of images that were left out.
    note : str
        Why the value is undefined, or what a reader must know about it.
    replicates : ndarray, shape (G,), optional
        The number without each group of units of the jackknife, in the order of the groups. Two encoders have the same
        groups, so that the differences of their replicates give the interval of their difference. No column of tables.

    Examples
    --------
    >>> Estimate(0.7, chance=0.5, n_images=10).value
    0.7
    >>> Estimate.undefined("needs at least 3 taxa, found 2", n_taxa=2).value
    nan
    """

    value: float
    chance: float = math.nan
    null: str = ""
    ci_low: float = math.nan
    ci_high: float = math.nan
    ci_method: str = ""
    band_low: float = math.nan
    band_high: float = math.nan
    resampled: str = ""
    n_units: int = 0
    p_value: float = math.nan
    n_images: int = 0
    n_taxa: int = 0
    n_excluded: int = 0
    note: str = ""
    replicates: np.ndarray | None = field(default=None, repr=False, compare=False)

    @classmethod
    def undefined(cls, note: str, n_images: int = 0, n_taxa: int = 0, n_excluded: int = 0) -> Estimate:
        """Return an estimate without a value.

        Parameters
        ----------
        note : str
            Why the number is undefined.
        n_images, n_taxa, n_excluded : int
            Counts.

        Returns
        -------
        Estimate
            Its value is NaN.
        """
        return cls(math.nan, n_images=n_images, n_taxa=n_taxa, n_excluded=n_excluded, note=note)
