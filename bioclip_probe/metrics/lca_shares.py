"""The shares of CPCC: how much of it comes from the pairs of species that meet at each rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

#: Ranks of common ancestors of two species, from the top down.
ANCESTORS = ("root", *RANKS[:-1])
BOUNDS = (-1.0, 1.0)


def cophenetic_share(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the part of CPCC that comes from the pairs of species whose lowest common ancestor is of each rank.

    CPCC is a mean over pairs, z(t)·z(c) with tree distance t and centroid distance c both standardised over all pairs.
    The part of a rank is the sum of these products over the pairs that meet there, divided by the number of all pairs:
    (share of the pairs that meet there) · z(t) · mean z(c). The parts of all ranks add up to CPCC exactly.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One for each rank at which two species meet, ``root`` above the kingdoms, as in `distance_by_lca`. In [-1, 1];
        higher is better, 0 without any signal (null: whole species permuted over the tips). Above 0, pairs that meet at
        the rank are on the right side of the average pair: closer than it at a low rank, farther apart at a high one.
        Below 0, they are on the wrong side. A rank at which few pairs meet, or whose tree distance is near the mean,
        contributes little whatever the model knows; the note gives the share of pairs. Divide by CPCC for shares of 1,
        where CPCC is clearly above 0. The interval recomputes the part without each group of units. Undefined where
        CPCC of species is undefined.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(species·d² + nodes·d), from the sums over pairs by common ancestor.

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33 (CPCC).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [(row.rank, round(row.value, 2)) for row in cophenetic_share(vectors, placement)]
    [('root', 0.23), ('genus', 0.46)]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    taxa = shared.taxa("species")
    sums = [] if taxa.reason_undefined() else shared.species_node_sums
    estimates = estimate_cophenetic_shares(taxa, sums, shared.jackknife(), shared.settings)
    return [Measurement("cophenetic_share", rank, estimate) for rank, estimate in estimates.items()]


def estimate_cophenetic_shares(
    taxa: Rows, sums: Sequence[NodeSums], jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `cophenetic_share` by rank.

    Parameters
    ----------
    taxa : Rows
        Centroids of the species of a taxonomy.
    sums : sequence of NodeSums
        See `Rows.node_sums`: of all species, then without each group. They are not looked at where CPCC is undefined.
    jackknife : Jackknife
        Groups of the same images.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    dict from rank to Estimate
        Where CPCC is undefined, one for ``root`` that says why.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> jackknife = Jackknife.of("species", taxa.groups, np.random.default_rng(0))
    >>> sums = taxa.node_sums(jackknife.of_tips(taxa), jackknife.n_groups)
    >>> shares = estimate_cophenetic_shares(taxa, sums, jackknife, MeasureSettings())
    >>> round(sum(share.value for share in shares.values()), 2)
    0.69
    """
    if reason := taxa.reason_undefined():
        return {ANCESTORS[0]: Estimate.undefined(reason, **taxa.counts)}
    parts = np.array([parts_by_rank(each) for each in sums])
    n_pairs = _by_rank(sums[0], sums[0].by_node[:, 0])
    own = jackknife.take(taxa.groups >= 0)
    blank = Estimate(np.nan, chance=0.0, null="species", **taxa.counts)
    estimates = {}
    for number in np.flatnonzero(n_pairs):
        note = f"{n_pairs[number] / n_pairs.sum():.1%} of the pairs meet there"
        estimate = replace(blank, value=float(parts[0, number]), note=note)
        estimates[ANCESTORS[number]] = with_interval(estimate, parts[1:, number], own, settings, BOUNDS)
    return estimates


def parts_by_rank(sums: NodeSums) -> np.ndarray:
    """Return the parts of the correlation of tree distance and cosine distance that come from pairs of each rank.

    Parameters
    ----------
    sums : NodeSums
        Over pairs of species of a taxonomy.

    Returns
    -------
    ndarray, shape (7,), float64
        In the order of `ANCESTORS`. The sum is the correlation; NaN where a distance does not vary.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> parts_by_rank(taxa.node_sums(np.zeros(3, dtype=np.int64), 0)[0]).round(2).tolist()
    [0.23, 0.0, 0.0, 0.0, 0.0, 0.0, 0.46]
    """
    if np.isnan(pearson(*sums.by_node.sum(axis=0))):
        return np.full(len(ANCESTORS), np.nan)
    n_pairs, *totals = sums.by_node.sum(axis=0)
    mean_t, mean_c, mean_tt, mean_cc, _ = np.array(totals) / n_pairs
    n, t, c, _, _, tc = sums.by_node.T
    covariance = tc - mean_t * c - mean_c * t + mean_t * mean_c * n
    scale = n_pairs * np.sqrt((mean_tt - mean_t**2) * (mean_cc - mean_c**2))
    return _by_rank(sums, covariance) / scale


def _by_rank(sums: NodeSums, of_nodes: np.ndarray) -> np.ndarray:
    """Return the sums of numbers of nodes by rank, in the order of `ANCESTORS`; tips, where no species meet, are 0."""
    return np.bincount(sums.tree.rank + 1, of_nodes, len(RANKS) + 1)[: len(ANCESTORS)]
