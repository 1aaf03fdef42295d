"""Shares of the variance of images that the ranks of a taxonomy explain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, measurements_by_rank, random_stream
from bioclip_probe.metrics.scores import interval, jackknife_method
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.distance_sums import SMALLEST_DISTANCE
from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.all_pairs.variance import SpeciesSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_groups, jackknife_interval
from bioclip_probe.stats.rows import finite_rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

NAMES = ("nested_r2", "variance_ratio")


def variance_by_rank(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of the variance that each rank explains beyond the rank above, and between taxa over within.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        Two for each rank, over the n images that have a name at the rank, with K taxa and P known next ancestors:

        ``nested_r2`` = (SS_between(taxa) - SS_between(ancestors))/SS_total, in [0, 1]. Higher: the rank tells more
        about the position of an image than the ranks above do. Without holes the shares of all ranks add up to the R²
        of species. Chance, for images that are assigned to taxa at random, is (K - P)/(n - 1): it is large where taxa
        have few images. Species that differ independently of the tree give every rank more than that, about
        (K - P)/(species - 1) of their R².
        ``variance_ratio`` = (SS_between/(K - 1))/(SS_within/(n - K)), the pseudo-F of PERMANOVA; at least 0, higher is
        better. Chance is 1, up to the difference of a ratio of means from a mean of ratios. It grows with the images
        per taxon, so that encoders compare over the same images only.

        Both intervals leave out one group of species after the other. Undefined where nothing varies; the ratio also
        with one taxon, or if no taxon has two images that differ.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(n d²) for the moments, of which only the sums are used, and O(species·d) a rank, intervals included.

    References
    ----------
    Anderson 2001, Austral Ecology 26, 32 (pseudo-F).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> rows = variance_by_rank(vectors, placement)
    >>> [(row.rank, round(row.value, 2)) for row in rows if row.metric == "nested_r2"][-2:]
    [('genus', 0.81), ('species', 0.19)]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rng = random_stream(shared.settings.seed, "variance_by_rank")
    return measurements_by_rank(estimate_variance_by_rank(shared.vectors, shared.placement, rng, shared.settings))


def estimate_variance_by_rank(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, dict[str, Estimate]]:
    """Return `variance_by_rank` as a table.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The images in a taxonomy of all ranks.
    rng : numpy.random.Generator
        It draws the groups of the jackknife, rank by rank.
    settings : MeasureSettings
        `n_groups` and `level` are used.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Raises
    ------
    DataError
        If a vector is not finite.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> table = estimate_variance_by_rank(*corvids(), np.random.default_rng(0), MeasureSettings())
    >>> round(table["genus"]["nested_r2"].value, 2)
    0.81
    """
    finite_rows(vectors)
    has_node = placement.node >= 0
    nodes, unit = np.unique(placement.node[has_node], return_inverse=True)
    units = np.full(len(placement), -1)
    units[has_node] = unit
    origin = approximate_mean(vectors[has_node]) if has_node.any() else None
    moments = Moments.of(vectors, units, len(nodes), origin=origin)
    tree = placement.tree
    table = {}
    for rank in RANKS:
        taxon = tree.ancestor_at(rank)[nodes]
        named = taxon >= 0
        n_images = int(moments.counts[named].sum())
        counts: dict[str, Any] = {
            "n_images": n_images,
            "n_taxa": len(np.unique(taxon[named])),
            "n_excluded": len(placement) - n_images,
        }
        if not n_images:
            table[rank] = dict.fromkeys(NAMES, Estimate.undefined("no image has a name at this rank", **counts))
            continue
        group = jackknife_groups(int(named.sum()), rng, settings.n_groups)
        species = SpeciesSums(moments.counts[named], moments.sums[named], moments.norms[named], group)
        table[rank] = _at_rank(species, taxon[named], tree.parent[taxon[named]], counts, settings)
    return table


def _at_rank(
    species: SpeciesSums, taxon: np.ndarray, above: np.ndarray, counts: dict[str, Any], settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return both numbers from the sums of species, the taxon of each at the rank, and that taxon's parent."""
    n = counts["n_images"]
    images, total, within = species.n_images(), species.total_squares(), species.squares_within(taxon)
    squares, k = species.squares_of_means(taxon)
    squares_above, n_above = species.squares_of_means(above)
    varies = total > SMALLEST_DISTANCE * images
    if not varies[0]:
        return dict.fromkeys(NAMES, Estimate.undefined("the vectors do not vary", **counts))
    shares = _ratio(squares - squares_above, total, varies)
    chance = float((k[0] - n_above[0]) / (n - 1))
    estimates = {"nested_r2": _estimate(shares, Estimate(np.nan, chance, **counts), (0.0, 1.0), settings)}
    if reason := _reason_no_ratio(k[0], within[0], n):
        return estimates | {"variance_ratio": Estimate.undefined(reason, **counts)}
    scattered = (k > 1) & (images > k) & (within > SMALLEST_DISTANCE * images)
    between = _ratio(total - within, k - 1, k > 1)
    ratios = _ratio(between, _ratio(within, images - k, scattered), scattered)
    return estimates | {"variance_ratio": _estimate(ratios, Estimate(np.nan, 1.0, **counts), (0.0, np.inf), settings)}


def _reason_no_ratio(k: float, within: float, n: int) -> str:
    """Return why the variance ratio does not exist; empty if it does."""
    if k < 2:
        return "needs at least 2 taxa, found 1"
    if n <= k:
        return "no taxon has two images"
    return "" if within > SMALLEST_DISTANCE * n else "the images of a taxon do not vary"


def _ratio(numerator: np.ndarray, denominator: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the ratio, NaN elsewhere."""
    return np.divide(numerator, denominator, out=np.full(len(where), np.nan), where=where)


def _estimate(values: np.ndarray, blank: Estimate, bounds: tuple[float, float], settings: MeasureSettings) -> Estimate:
    """Return `blank` with the value of all images and its interval, from the values without one group of species."""
    value = float(np.clip(values[0], *bounds))
    ends = jackknife_interval(value, values[1:], bounds, settings.level)
    return replace(blank, value=value, **interval(*ends, jackknife_method(settings)))
