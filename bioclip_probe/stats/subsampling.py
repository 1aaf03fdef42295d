"""Random samples with equally many images of every taxon, so that photographic effort cannot decide a result."""

from __future__ import annotations

import numpy as np


def balanced_rows(groups: np.ndarray, n_per_taxon: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return random rows, exactly `n_per_taxon` of each taxon that has that many.

    Parameters
    ----------
    groups : ndarray, shape (n,), int64
        The taxon of each image, -1 for none.
    n_per_taxon : int
        At least 1.
    rng : numpy.random.Generator
        Repeat with other generators to see how far a result depends on the choice of images.

    Returns
    -------
    rows : ndarray, int64
        Row numbers, ascending.
    n_left_out : int
        Number of taxa that have fewer images and are left out.

    Raises
    ------
    ValueError
        If `n_per_taxon` is less than 1.

    Examples
    --------
    >>> balanced_rows(np.array([4, 4, 9, -1]), 2, np.random.default_rng(0))
    (array([0, 1]), 1)
    """
    if n_per_taxon < 1:
        raise ValueError(f"expected at least 1 image per taxon, got {n_per_taxon}")
    shuffled = rng.permutation(np.flatnonzero(groups >= 0))
    order = shuffled[np.argsort(groups[shuffled], kind="stable")]
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    enough = counts >= n_per_taxon
    rows = order[(place < n_per_taxon) & np.repeat(enough, counts)]
    return np.sort(rows), int(np.sum(~enough))
