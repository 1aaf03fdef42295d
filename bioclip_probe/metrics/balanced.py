"""Correlations with the tree in which every rank of a common ancestor has the same weight."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.image_pairs import jackknifed
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.balance import balanced_correlation, permuted_balanced_correlations
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.tree.tree import NO_RANK, Placement


def balanced_tree_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return CPCC of species in which every rank of a common ancestor has the same weight.

    Nearly all pairs of species meet at the deepest splits, which decide the plain correlation alone. Here each rank
    that occurs weighs the same, and the pairs that meet at it share its weight.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One, at species, in [-1, 1]; higher is better, 0 without any signal. Chance and `p_value` permute species
        (null: species); the interval leaves out groups of units. Undefined, beyond where CPCC is, on a tree without
        ranks.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> round(balanced_tree_correlation(vectors, placement)[0].value, 2)
    0.76
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name = "balanced_tree_correlation"
    estimate = estimate_balanced_correlation(shared.taxa("species"), shared.stream(name), shared.settings, shared.units)
    return [Measurement(name, "species", estimate)]


def balanced_image_tree_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return `image_tree_correlation` in which every rank of a common ancestor has the same weight.

    Parameters
    ----------
    embeddings, placement, settings
        As for `balanced_tree_correlation`.

    Returns
    -------
    list of Measurement
        As for `balanced_tree_correlation`, over pairs of images; pairs of one species are among them.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> round(balanced_image_tree_correlation(vectors, placement)[0].value, 2)
    0.76
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name = "balanced_image_tree_correlation"
    estimate = estimate_balanced_correlation(shared.images, shared.stream(name), shared.settings, shared.units)
    return [Measurement(name, "species", estimate)]


def estimate_balanced_correlation(
    rows: Rows, rng: np.random.Generator, settings: MeasureSettings, units: ResamplingUnits | None = None
) -> Estimate:
    """Return a correlation of tree distance and embedding distance in which every rank has the same weight.

    Parameters
    ----------
    rows : Rows
        Centroids of taxa, or images.
    rng, settings, units
        As for `estimate_cophenetic_correlation`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> round(estimate_balanced_correlation(taxa, np.random.default_rng(0), MeasureSettings()).value, 2)
    0.76
    """
    reason = rows.reason_undefined()
    ranks = np.unique(rows.tree.rank[rows.tree.tips])
    if not reason and (len(ranks) > 1 or ranks[0] == NO_RANK):
        reason = "needs a taxonomy whose tips are of one rank"
    if reason:
        return Estimate.undefined(reason, **rows.counts)
    name, group = rows.jackknife_groups(units, rng, settings.n_groups)
    sums, *without_group = NodeSums.with_jackknife(rows.vectors, rows.tips, rows.tree, group, int(group.max()) + 1)
    value = balanced_correlation(sums)
    null = permuted_balanced_correlations(rows.sums, sums, settings.n_permutations, rng)
    deleted = np.array([balanced_correlation(others) for others in without_group])
    return jackknifed(value, deleted, null, Estimate(value, resampled=name, **rows.counts), settings)
