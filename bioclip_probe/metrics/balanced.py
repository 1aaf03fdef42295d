"""Correlations with the tree in which every rank of a common ancestor has the same weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioclip_probe.metrics.image_pairs import BOUNDS, with_null
from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.balance import balanced_correlation, permuted_balanced_correlations
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
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
        One, at species, in [-1, 1]; higher is better, 0 without any signal. Chance is the mean with whole species
        permuted over the tips (null: species); `p_value` is one-sided, and one heritable trait is enough for a small
        one, as for `cophenetic_correlation`. The interval recomputes the correlation without each group of units.
        Undefined, beyond where CPCC is, on a tree without ranks.

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
    name, taxa = "balanced_tree_correlation", shared.taxa("species")
    sums = [] if reason_undefined(taxa) else shared.species_node_sums
    estimate = estimate_balanced_correlation(taxa, sums, shared.jackknife(), shared.stream(name), shared.settings)
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
        As for `balanced_tree_correlation`, over pairs of images; pairs of one species are among them, so that chance,
        what a memoriser of species reaches, is above 0.

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
    name, images, jackknife = "balanced_image_tree_correlation", shared.images, shared.jackknife()
    sums = [] if reason_undefined(images) else images.node_sums(jackknife.of_tips(images), jackknife.n_groups)
    estimate = estimate_balanced_correlation(images, sums, jackknife, shared.stream(name), shared.settings)
    return [Measurement(name, "species", estimate)]


def estimate_balanced_correlation(
    rows: Rows, sums: Sequence[NodeSums], jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> Estimate:
    """Return a correlation of tree distance and embedding distance in which every rank has the same weight.

    Parameters
    ----------
    rows : Rows
        Centroids of taxa, or images.
    sums : sequence of NodeSums
        See `Rows.node_sums`: of all rows, then without each group. They are not looked at where the number is
        undefined.
    jackknife, rng, settings
        As for `estimate_cophenetic_correlation`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa, rng = Rows.taxa(*corvids()), np.random.default_rng(0)
    >>> jackknife = Jackknife.of("species", taxa.groups, rng)
    >>> sums = taxa.node_sums(jackknife.of_tips(taxa), jackknife.n_groups)
    >>> round(estimate_balanced_correlation(taxa, sums, jackknife, rng, MeasureSettings()).value, 2)
    0.76
    """
    if reason := reason_undefined(rows):
        return Estimate.undefined(reason, **rows.counts)
    value, *deleted = (balanced_correlation(each) for each in sums)
    null = permuted_balanced_correlations(rows.sums, sums[0], settings.n_permutations, rng, settings.device)
    estimate = with_null(Estimate(value, **rows.counts), null)
    return with_interval(estimate, np.array(deleted), jackknife.take(rows.groups >= 0), settings, BOUNDS)


def reason_undefined(rows: Rows) -> str:
    """Return why rows have no balanced correlation, or an empty string if they have one.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    str

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> reason_undefined(Rows.taxa(*corvids()))
    ''
    """
    ranks = np.unique(rows.tree.rank[rows.tree.tips])
    if not rows.reason_undefined() and (len(ranks) > 1 or ranks[0] == NO_RANK):
        return "needs a taxonomy whose tips are of one rank"
    return rows.reason_undefined()
