"""Kinship of nearest neighbours: how far up the tree an image meets the images nearest to it.

Chance is exact under the species null, in which whole species are permuted over the tips of the tree and images stay
with their species: a neighbour of the own species stays one, and a neighbour of another species meets the image where
two species drawn at random meet. Images at exactly one distance tie, and scores are means over random orders of tied
images. Intervals leave out groups of species, as images and as neighbours, and compute the number again. Images without
a name at species rank are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bioclip_probe.metrics.image_pass import K_NEIGHBORS
from bioclip_probe.metrics.intervals import FEWEST_UNITS, with_note, without_interval
from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.nearest import NO_NAME, ONE_TAXON, SINGLE_IMAGES
from bioclip_probe.metrics.neighborhoods import with_exact_ends
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

#: Ranks from an image up to where it meets a neighbour, by level.
HEIGHTS = np.arange(len(RANKS) + 1)
ROUNDING = 1e-9  # shares below this are 0 but for rounding


def neighbour_lca_depth(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how many ranks an image shares with its nearest images, on average.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``neighbour_lca_depth_1``, ``_5`` and ``_10``, at species: the mean depth of the common ancestor, in ranks: 7
        for one species, 6 for one genus, 0 where nothing is shared. Higher is better. Chance is that of the species
        null: 7 for a neighbour of the own species, the mean depth of two species for another one. An image with fewer
        candidates is scored on those it has; one without any is left out.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> round(neighbour_lca_depth(vectors, placement)[0].value, 2)  # two magpies share six ranks
    4.0
    """
    shared = SharedResults.of(embeddings, placement, settings)
    lists, jackknife = shared.neighbors("species"), shared.jackknife()
    estimates = {
        f"neighbour_lca_depth_{k}": estimate_lca_depth(lists, k, jackknife, shared.settings) for k in K_NEIGHBORS
    }
    return measurements_at("species", estimates)


def estimate_lca_depth(lists: NeighborLists, k: int, jackknife: Jackknife, settings: MeasureSettings) -> Estimate:
    """Return `neighbour_lca_depth` of the k nearest images.

    Parameters
    ----------
    lists : NeighborLists
        Of the images with a name at species rank.
    k : int
    jackknife : Jackknife
        Of all images; its groups are those of the lists.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> lists = shared.neighbors("species")
    >>> round(estimate_lca_depth(lists, 1, shared.jackknife(), shared.settings).value, 2)
    4.0
    """
    scored = np.any(lists.candidates() > 0, axis=1)
    if reason := _reason_undefined(lists, scored):
        return _undefined(reason, lists, jackknife)

    def depth(left_out: int) -> tuple[float, float]:
        """Return the mean depth and its chance without a jackknife group."""
        shares = lists.shares(k, 0, left_out)
        by_level = _mean(shares, lists.kept(left_out) * shares.any(axis=1))
        chance = (1 - by_level[0]) * (lists.meeting_levels(left_out) @ HEIGHTS)
        return len(RANKS) - float(by_level @ HEIGHTS), len(RANKS) - float(chance)

    estimate = _estimate(lists, scored, depth, jackknife, settings, (0.0, float(len(RANKS))))
    err = scored & (lists.shares(k)[:, 0] < 1 - ROUNDING)
    n_units = jackknife.take(lists.rows[err[lists.cell]]).n_units
    if 0 < n_units < FEWEST_UNITS:
        # A few rare and severe mistakes decide the mean: in trials such intervals were too narrow.
        few = f"{n_units} units ({jackknife.rank}) have a neighbour of another species"
        estimate = without_interval(estimate, few)
    return estimate


def mistake_severity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how far up the tree an image meets its nearest image where that is of another species.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One, at species: the mean height of the common ancestor, in ranks: 1 for one genus, 7 where nothing is shared;
        lower is better. Chance is the mean height over pairs of species: that of the species null. Only images with a
        candidate of their own species enter. Read it beside `knn_purity`: fewer mistakes may be worse ones.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Bertinetto et al. 2020, CVPR, "Making better mistakes": mean height of the common ancestor over mistakes.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> mistake_severity(vectors, placement)[0].estimate.note
    'every taxon has a single image'
    """
    shared = SharedResults.of(embeddings, placement, settings)
    estimate = estimate_mistake_severity(shared.neighbors("species"), shared.jackknife(), shared.settings)
    return [Measurement("mistake_severity", "species", estimate)]


def estimate_mistake_severity(lists: NeighborLists, jackknife: Jackknife, settings: MeasureSettings) -> Estimate:
    """Return `mistake_severity`.

    Parameters
    ----------
    lists, jackknife, settings
        As for `estimate_lca_depth`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> estimate_mistake_severity(shared.neighbors("species"), shared.jackknife(), shared.settings).note
    'every taxon has a single image'
    """
    candidates = lists.candidates()
    if reason := _reason_undefined(lists, np.any(candidates > 0, axis=1)):
        return _undefined(reason, lists, jackknife)
    has_own = candidates[:, 0] > 0
    mistakes = has_own * (1 - lists.shares(1)[:, 0])
    scored = mistakes > ROUNDING
    if not scored.any():
        reason = "no nearest image is of another species" if has_own.any() else SINGLE_IMAGES
        return _undefined(reason, lists, jackknife)

    def severity(left_out: int) -> tuple[float, float]:
        """Return the mean height over mistakes and its chance without a jackknife group."""
        shares = lists.shares(1, 0, left_out)
        shares[:, 0] = 0
        by_level = _mean(shares, lists.kept(left_out) * (lists.candidates(left_out)[:, 0] > 0))
        total = by_level.sum()
        height = float(by_level @ HEIGHTS / total) if total > ROUNDING else np.nan
        return height, float(lists.meeting_levels(left_out) @ HEIGHTS)

    estimate = _estimate(lists, scored, severity, jackknife, settings, (1.0, float(len(RANKS))))
    size = lists.cells.size
    return with_note(estimate, f"{mistakes @ size:,.4g} mistakes of {has_own @ size:,} images")


def _reason_undefined(lists: NeighborLists, scored: np.ndarray) -> str:
    """Return why there is no kinship; empty if there is."""
    n_species = int(lists.taxa(0).max(initial=-1)) + 1
    if n_species < 2:
        return (NO_NAME, ONE_TAXON)[n_species]
    return "" if scored.any() else "no image has a candidate"


def _undefined(reason: str, lists: NeighborLists, jackknife: Jackknife) -> Estimate:
    """Return an undefined estimate with its counts."""
    n = len(lists.rows)
    return Estimate.undefined(reason, n, int(lists.taxa(0).max(initial=-1)) + 1, len(jackknife.group) - n)


def _mean(shares: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted mean over cells of the shares by level; NaN without any weight."""
    total = weight.sum()
    return weight @ shares / total if total else np.full(shares.shape[1], np.nan)


def _estimate(
    lists: NeighborLists,
    scored: np.ndarray,
    statistic: Callable[[int], tuple[float, float]],
    jackknife: Jackknife,
    settings: MeasureSettings,
    bounds: tuple[float, float],
) -> Estimate:
    """Return the estimate of a statistic, which returns a value and its chance; `scored` are the cells that enter."""
    (value, chance), *without = lists.without_each(statistic)
    rows = lists.rows[scored[lists.cell]]
    estimate = Estimate(
        value,
        chance=chance,
        null="species",
        n_images=len(rows),
        n_taxa=len(np.unique(lists.taxa(0)[scored])),
        n_excluded=len(jackknife.group) - len(rows),
    )
    deleted = jackknife.padded(value, np.array([one for one, _ in without]))
    ends = np.tile(bounds, (len(deleted) + 1, 1))
    return with_exact_ends(estimate, deleted, ends, jackknife.take(rows), settings, bounds)
