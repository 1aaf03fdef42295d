"""What is left of a correlation of pairs beyond a third distance: the correlation of two sets of residuals."""

import math

import numpy as np

from tests.definitions import hierarchy


def residuals(values, given):
    """Of the straight line that fits best."""
    design = np.stack([np.ones(len(given)), given], axis=1)
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def partial(t, c, z) -> float:
    """Correlation of what a line in z leaves of t and of c; NaN where that is nothing, or z does not vary."""
    if np.ptp(z) < hierarchy.SAME:
        return math.nan
    left = residuals(np.array(t), z), residuals(np.array(c), z)
    if min(np.abs(side).max() for side in left) < hierarchy.SAME:
        return math.nan
    return float(np.corrcoef(*left)[0, 1])


def residual_cophenetic_correlation(vectors, control, placement) -> float:
    if len(hierarchy.images_of_taxa(placement)) < 3:
        return math.nan
    t, c = np.array(hierarchy.taxon_pairing(vectors, placement)).T
    z = np.array(hierarchy.taxon_pairing(control, placement))[:, 1]
    return partial(t, c, z) if min(np.ptp(t), np.ptp(c)) > hierarchy.SAME else math.nan
