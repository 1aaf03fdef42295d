"""The units that intervals leave out: species, or taxa of a higher rank, in groups that serve all numbers."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.measurement import random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement


def taxon_jackknife(placement: Placement, rank: str, settings: MeasureSettings) -> Jackknife:
    """Return the groups of taxa of a rank that intervals leave out, the same for every number and every encoder.

    Parameters
    ----------
    placement : Placement
        The images in a taxonomy.
    rank : str
        Rank of the units; those of ``settings.resample`` are taken where that is the higher rank.
    settings : MeasureSettings
        `resample`, `n_groups` and `seed` are used.

    Returns
    -------
    Jackknife
        Of the images of the placement. An image without a name at the rank belongs to its deepest known taxon, a unit
        of its own.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxon_jackknife(corvids()[1], "species", MeasureSettings(resample="genus")).rank
    'genus'
    """
    rank = min(rank, settings.resample, key=RANKS.index)
    labels = placement.node if rank == RANKS[-1] else placement.at(rank)
    return unit_jackknife(rank, labels, placement, settings)


def unit_jackknife(name: str, units: np.ndarray, placement: Placement, settings: MeasureSettings) -> Jackknife:
    """Return the groups of given units that intervals leave out.

    Parameters
    ----------
    name : str
        Rank of the units.
    units : ndarray, shape (n,), int64
        The unit of each image, -1 for none.
    placement : Placement
        The images in a taxonomy, or on a phylogeny.
    settings : MeasureSettings
        `n_groups` and `seed` are used.

    Returns
    -------
    Jackknife
        An image without a unit belongs to its deepest known taxon, a unit of its own.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> unit_jackknife("genus", np.array([4, 4, -1]), corvids()[1], MeasureSettings()).n_units
    2
    """
    units = np.where((units < 0) & (placement.node >= 0), len(placement.tree) + placement.node, units)
    dated = placement.tree.unit != "rank"
    return Jackknife.of(name, units, random_stream(settings.seed, "jackknife", name), settings.n_groups, dated)
