"""Hubs: images that are among the nearest neighbours of very many others.

In many dimensions some points become neighbours of nearly everything, and the lists of neighbours then say less. Images
at exactly one distance tie, and counts are means over random orders of tied images. Images without a name at species
rank are left out and counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists
from bioclip_probe.tree.tree import Placement

#: Nearest images whose choices are counted, as in the literature.
K = 10
ALIKE = "every image is a neighbour of equally many"
ROUNDING = 1e-9  # a variance of the counts below this is 0 but for rounding


def hubness(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the skewness of how often an image is among the 10 nearest of the others.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``hubness``, at species: E[(N − μ)³]/σ³ of N, the number of images that have an image among their 10 nearest. 0
        where N is symmetric about its mean, 1 and more where a few images are neighbours of very many; lower is
        better. There is no chance level: hubs have nothing to do with taxa. Neighbours chosen at random would give 0.3.
        The interval leaves out groups of species, as images and as neighbours.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Radovanović, Nanopoulos & Ivanović 2010, J. Mach. Learn. Res. 11, 2487, eq. 1 and section 3.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> hubness(*corvids())[0].estimate.note  # each of three birds is a neighbour of the other two
    'every image is a neighbour of equally many'
    """
    shared = SharedResults.of(embeddings, placement, settings)
    estimate = estimate_hubness(shared.neighbors("species"), shared.jackknife(), shared.settings)
    return [Measurement("hubness", "species", estimate)]


def estimate_hubness(lists: NeighborLists, jackknife: Jackknife, settings: MeasureSettings, k: int = K) -> Estimate:
    """Return `hubness`.

    Parameters
    ----------
    lists : NeighborLists
        Of the images with a name at species rank.
    jackknife : Jackknife
        Of all images; its groups are those of the lists.
    settings : MeasureSettings
        `level` is used.
    k : int
        Number of nearest images.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())  # a magpie is the nearest of both others
    >>> lists = shared.neighbors("species")
    >>> round(estimate_hubness(lists, shared.jackknife(), shared.settings, k=1).value, 2)
    0.0
    """

    def skewness(left_out: int) -> float:
        """Return the skewness of the k-occurrence without a jackknife group."""
        kept, counts = lists.kept(left_out), lists.occurrences(k, left_out)
        if not kept.any():
            return np.nan
        deviations = counts - np.average(counts, weights=kept)
        variance = np.average(deviations**2, weights=kept)
        return float(np.average(deviations**3, weights=kept) / variance**1.5) if variance > ROUNDING else np.nan

    value, *without = lists.without_each(skewness)
    n, n_species = len(lists.rows), int(lists.taxa(0).max(initial=-1)) + 1
    counts: dict[str, Any] = {"n_images": n, "n_taxa": n_species, "n_excluded": len(jackknife.group) - n}
    if not np.isfinite(value):
        return Estimate.undefined(ALIKE if n else "no image has a name at this rank", **counts)
    deleted = jackknife.padded(value, np.array(without))
    return with_interval(Estimate(value, **counts), deleted, jackknife.take(lists.rows), settings)
