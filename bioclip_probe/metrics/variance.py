"""How much of the scatter of images each rank of a taxonomy explains."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.all_pairs.distance_sums import FLAT
from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.all_pairs.variance import SpeciesSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_groups, jackknife_interval
from bioclip_probe.stats.rows import finite_rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

NAMES = ("nested_r2", "variance_ratio")


def variance_by_rank(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator
) -> dict[str, dict[str, Estimate]]:
    """Share of the variance that each rank explains beyond the one above, and variance between taxa over within.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The images in a taxonomy of all ranks.
    rng : numpy.random.Generator
        For the groups of the jackknife.

    Returns
    -------
    dict from rank to dict from metric to Estimate
        Over the images that have a name at the rank, with K taxa, P known next ancestors of theirs, and n images:

        ``nested_r2`` = (SS_between(taxa) - SS_between(ancestors))/SS_total, in [0, 1]. Higher: the rank says more of
        where an image lies than the ranks above do. Without holes the shares of all ranks add up to the R² of species.
        Chance, for images dealt out at random, is (K - P)/(n - 1): it is large where taxa have few images. Species
        that differ without regard to the tree give every rank more than that, about (K - P)/(species - 1) of their R².
        ``variance_ratio`` = (SS_between/(K - 1))/(SS_within/(n - K)), the pseudo-F of PERMANOVA; at least 0, higher is
        better. Chance is 1, if ratios of means are let pass for means of ratios. It grows with the images per taxon:
        compare encoders over the same images only.

        Both intervals leave out one group of species after the other. Undefined where nothing varies; the ratio also
        with one taxon, or if no taxon has two images that differ.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    O(n d²) for the moments, of which the sums alone are used, and O(species·d) a rank, intervals included.

    References
    ----------
    Anderson 2001, Austral Ecology 26, 32 (pseudo-F).
    """
    finite_rows(vectors)
    placed = placement.node >= 0
    nodes, unit = np.unique(placement.node[placed], return_inverse=True)
    units = np.full(len(placement), -1)
    units[placed] = unit
    origin = approximate_mean(vectors[placed]) if placed.any() else None
    moments = Moments.of(vectors, units, len(nodes), origin=origin)
    return {
        rank: _at_rank(moments, placement.tree.ancestor_at(rank)[nodes], placement.tree.parent, len(placement), rng)
        for rank in RANKS
    }


def _at_rank(
    moments: Moments, taxon: np.ndarray, parent: np.ndarray, n_all: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Both measures from the sums of species and the taxon of each, -1 without a name."""
    named = taxon >= 0
    taxon, n = taxon[named], int(moments.counts[named].sum())
    counts = {"n_images": n, "n_taxa": len(np.unique(taxon)), "n_excluded": n_all - n}
    if not n:
        return dict.fromkeys(NAMES, Estimate.undefined("no image has a name at this rank", **counts))
    part = jackknife_groups(len(taxon), rng)
    species = SpeciesSums(moments.counts[named], moments.sums[named], moments.norms[named], part)
    images, total, within = species.n(), species.total(), species.within(taxon)
    squares, k = species.of_groups(taxon)
    above, n_above = species.of_groups(parent[taxon])
    varies = total > FLAT * images
    if not varies[0]:
        return dict.fromkeys(NAMES, Estimate.undefined("the vectors do not vary", **counts))
    shares = _over(squares - above, total, varies)
    chance = float((k[0] - n_above[0]) / (n - 1))
    found = {"nested_r2": _estimate(shares, chance, (0.0, 1.0), counts)}
    if reason := _no_ratio(k[0], within[0], n):
        return found | {"variance_ratio": Estimate.undefined(reason, **counts)}
    scattered = (k > 1) & (images > k) & (within > FLAT * images)
    between = _over(total - within, k - 1, k > 1)
    ratios = _over(between, _over(within, images - k, scattered), scattered)
    return found | {"variance_ratio": _estimate(ratios, 1.0, (0.0, np.inf), counts)}


def _no_ratio(k: float, within: float, n: int) -> str:
    if k < 2:
        return "needs at least 2 taxa, found 1"
    if n <= k:
        return "no taxon has two images"
    return "" if within > FLAT * n else "the images of a taxon do not vary"


def _over(numerator: np.ndarray, denominator: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The ratio, NaN elsewhere."""
    return np.divide(numerator, denominator, out=np.full(len(where), np.nan), where=where)


def _estimate(values: np.ndarray, chance: float, bounds: tuple[float, float], counts: dict) -> Estimate:
    """From the value of all images and those without one group of species."""
    value = float(np.clip(values[0], *bounds))
    return Estimate(
        value, chance=chance, **interval(*jackknife_interval(value, values[1:], bounds), JACKKNIFE), **counts
    )
