"""Shares of the variance of images that the ranks of a taxonomy explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement, measurements_by_rank
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.distance_sums import SMALLEST_DISTANCE
from bioclip_probe.stats.all_pairs.moments import approximate_mean
from bioclip_probe.stats.all_pairs.variance import SpeciesSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.group_sums import group_sums
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import finite_rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

NAMES = ("nested_r2", "variance_ratio")
BOUNDS = {"nested_r2": (0.0, 1.0), "variance_ratio": (0.0, np.inf)}


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
        of species.
        ``variance_ratio`` = (SS_between/(K - 1))/(SS_within/(n - K)), the pseudo-F of PERMANOVA; at least 0, higher is
        better. It grows with the images per taxon, so that encoders compare over the same images only.

        Above species, chance is the mean of `n_null_permutations` permutations of whole species over the tips (null:
        species): what a memoriser of species without a tree reaches, about (K - P)/(species - 1) of the R² of species.
        At species it is what images at random reach (null: images): (K - P)/(n - 1), and a ratio of 1. Since the shares
        add up, variance that high ranks explain is missing at low ones, whose share may lie below chance in a model
        that follows the tree closely; `variance_components` are free of that.

        The intervals recompute the numbers without each group of units. Undefined where nothing varies; the ratio also
        with one taxon, or if no taxon has two images that differ.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(n d) for the sums, and O(species·d) for each rank and each permutation. For
    shares that are free of the sizes of taxa and of images, see `variance_components`.

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
    return measurements_by_rank(
        estimate_variance_by_rank(
            shared.vectors, shared.placement, shared.jackknife(), shared.permuted_labels, shared.settings
        )
    )


def estimate_variance_by_rank(
    vectors: np.ndarray,
    placement: Placement,
    jackknife: Jackknife,
    permuted_labels: Callable[[str], np.ndarray],
    settings: MeasureSettings,
) -> dict[str, dict[str, Estimate]]:
    """Return `variance_by_rank` as a table.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The images in a taxonomy of all ranks.
    jackknife : Jackknife
        Groups of the same images.
    permuted_labels : callable
        Gives the taxa of the images at a rank with whole species permuted, see `SharedResults.permuted_labels`.
    settings : MeasureSettings
        `level` is used.

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
    >>> shared = SharedResults.of(*corvids())
    >>> how = (shared.jackknife(), shared.permuted_labels, shared.settings)
    >>> round(estimate_variance_by_rank(shared.vectors, shared.placement, *how)["genus"]["nested_r2"].value, 2)
    0.81
    """
    finite_rows(vectors)
    rows = np.flatnonzero(placement.node >= 0)
    rows = rows[np.argsort(placement.node[rows], kind="stable")]
    nodes, starts, size = np.unique(placement.node[rows], return_index=True, return_counts=True)
    first = rows[starts]
    origin = approximate_mean(vectors[rows[:: max(1, len(rows) // 1024)]]) if len(rows) else None
    sums, norms = group_sums(vectors, rows, np.append(starts, len(rows)), origin)
    table = {}
    for rank in RANKS:
        taxon = placement.tree.ancestor_at(rank)[nodes]
        named = taxon >= 0
        n_images = int(size[named].sum())
        counts: dict[str, Any] = {
            "n_images": n_images,
            "n_taxa": len(np.unique(taxon[named])),
            "n_excluded": len(placement) - n_images,
        }
        if not n_images:
            table[rank] = dict.fromkeys(NAMES, Estimate.undefined("no image has a name at this rank", **counts))
            continue
        species = SpeciesSums(size[named].astype(np.float64), sums[named], norms[named], jackknife.group[first[named]])
        numbers = _Numbers.of(species, taxon[named], placement.tree.parent)
        chance = {"nested_r2": (numbers.n_taxa - numbers.n_above) / max(n_images - 1, 1), "variance_ratio": 1.0}
        if rank != RANKS[-1]:
            species = replace(species, jackknife_group=np.zeros(int(named.sum()), dtype=np.int64))
            moved = permuted_labels(rank)[:, first[named]]
            permuted = [_Numbers.of(species, labels, placement.tree.parent) for labels in moved]
            chance = {name: float(np.mean([each.values[name][0] for each in permuted])) for name in NAMES}
        null = "images" if rank == RANKS[-1] else "species"
        own = jackknife.take(np.isin(placement.node, nodes[named]))
        table[rank] = {
            name: _estimate(numbers, name, Estimate(np.nan, chance[name], null, **counts), own, settings)
            for name in NAMES
        }
    return table


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Both numbers of a rank, of all species and without each group, and why they may be undefined."""

    values: dict[str, np.ndarray]
    reasons: dict[str, str]
    n_taxa: int
    n_above: int

    @classmethod
    def of(cls, species: SpeciesSums, taxon: np.ndarray, parent: np.ndarray) -> _Numbers:
        """Return the numbers from the sums of species, the taxon of each at the rank, and the parent of each taxon."""
        images, total = species.n_images(), species.total_squares
        squares, k = species.squares_of_means(taxon)
        within = species.squares() - squares
        squares_above, n_above = species.squares_of_means(parent[taxon])
        varies = total > SMALLEST_DISTANCE * images
        scattered = (k > 1) & (images > k) & (within > SMALLEST_DISTANCE * images)
        between = _ratio(total - within, k - 1, k > 1)
        values = {
            "nested_r2": _ratio(squares - squares_above, total, varies),
            "variance_ratio": _ratio(between, _ratio(within, images - k, scattered), scattered),
        }
        flat = "" if varies[0] else "the vectors do not vary"
        reasons = {"nested_r2": flat, "variance_ratio": flat or _reason_no_ratio(k[0], within[0], images[0])}
        return cls(values, reasons, round(k[0]), round(n_above[0]))


def _estimate(
    numbers: _Numbers, name: str, blank: Estimate, jackknife: Jackknife, settings: MeasureSettings
) -> Estimate:
    """Return `blank` with the value and the interval of a number, or the reason why it is undefined."""
    if numbers.reasons[name]:
        return replace(blank, chance=np.nan, null="", note=numbers.reasons[name])
    bounds = BOUNDS[name]
    value = float(np.clip(numbers.values[name][0], *bounds))
    if name == "nested_r2" and numbers.n_taxa == numbers.n_above:
        return replace(blank, value=value, note="no taxon above this rank is divided by it")
    deleted = jackknife.padded(value, numbers.values[name][1:])
    return with_interval(replace(blank, value=value), deleted, jackknife, settings, bounds)


def _reason_no_ratio(k: float, within: float, n: float) -> str:
    """Return why the variance ratio does not exist; empty if it does."""
    if k < 2:
        return "needs at least 2 taxa, found 1"
    if n <= k:
        return "no taxon has two images"
    return "" if within > SMALLEST_DISTANCE * n else "the images of a taxon do not vary"


def _ratio(numerator: np.ndarray, denominator: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the ratio, NaN elsewhere."""
    return np.divide(numerator, denominator, out=np.full(len(where), np.nan), where=where)
