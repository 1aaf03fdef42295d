"""Tree distance and embedding distance by their order alone: rank correlations, the staircase, AUC between ranks.

All pairs are counted in one sweep, by level of tree distance and bin of cosine distance (`stats.sweep`); counts without
a group of taxa follow by subtraction, whence the intervals: a delete-group jackknife over taxa. On a taxonomy a level
is a rank; on a tree with many distances a level holds a 64th of the pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.stats.sweep import histograms
from bioclip_probe.stats.sweep.histograms import JointHistogram
from bioclip_probe.stats.sweep.pairs import spearman_correlation
from bioclip_probe.stats.sweep.sweep import Sweep, lca_rank, sweep
from bioclip_probe.tree.tree import Placement

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CORRELATION, DISTANCE, SHARE = (-1.0, 1.0), (0.0, 2.0), (0.0, 1.0)
STAIRS = ("lca_distance_mean", *(f"lca_distance_q{round(100 * q):02d}" for q in QUANTILES))


def rank_correlations(
    vectors: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    units: ResamplingUnits | None = None,
    executor: Executor | None = None,
) -> dict[str, Estimate]:
    """Spearman's ρ and Kendall's τ-b of tree distance and centroid distance over all pairs of taxa.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The taxa compared are its tips.
    rng : numpy.random.Generator
    units : ResamplingUnits, optional
        What the interval leaves out; the taxa themselves if not given.
    executor : Executor, optional
        Whose workers look at all pairs.

    Returns
    -------
    dict
        ``spearman`` and ``kendall_tau_b``, in [-1, 1], higher is better, 0 without any signal. τ-b cannot reach 1 where
        one side has more ties than the other, as on a taxonomy. On a tree with more than 64 distances ρ is of the
        distances themselves (to a millionth of the largest), τ-b and both intervals of 64 levels. Undefined where
        `cophenetic_correlation` is.

    Raises
    ------
    DataError
        If a vector is not finite.

    References
    ----------
    Spearman 1904, Am. J. Psychol. 15, 72; Kendall 1945, Biometrika 33, 239.
    """
    rows = Rows.taxa(vectors, placement)
    if reason := rows.reason_undefined():
        return dict.fromkeys(("spearman", "kendall_tau_b"), Estimate.undefined(reason, **rows.counts))
    name, part = rows.jackknife_groups(units, rng)
    joint = sweep(rows, part, executor=executor).joint
    exact = spearman_correlation(rows.vectors, rows.tree) if joint.binned else None
    return {
        "spearman": _correlation(joint, histograms.spearman, name, rows, exact),
        "kendall_tau_b": _correlation(joint, histograms.kendall_tau_b, name, rows),
    }


def spearman(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: ResamplingUnits | None = None
) -> Estimate:
    """Spearman correlation of tree distance and centroid distance; see `rank_correlations`."""
    return rank_correlations(vectors, placement, rng, units)["spearman"]


def kendall_tau_b(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: ResamplingUnits | None = None
) -> Estimate:
    """Kendall's τ-b of tree distance and centroid distance; see `rank_correlations`."""
    return rank_correlations(vectors, placement, rng, units)["kendall_tau_b"]


def image_rank_correlations(swept: Sweep, resampled: str = "species") -> dict[str, Estimate]:
    """Spearman's ρ and Kendall's τ-b of tree distance and embedding distance over all pairs of images.

    Parameters
    ----------
    swept : Sweep
        Of ``Rows.images(vectors, placement)``, with the parts that the jackknife leaves out.
    resampled : str
        What the parts are made of.

    Returns
    -------
    dict
        ``image_spearman`` and ``image_kendall_tau_b``, as in `rank_correlations`; images of one taxon are at tree
        distance 0. On a tree with more than 64 distances both are of levels that hold equal shares of the pairs.
    """
    names = ("image_spearman", "image_kendall_tau_b")
    if reason := swept.rows.reason_undefined():
        return dict.fromkeys(names, Estimate.undefined(reason, **swept.rows.counts))
    statistics = (histograms.spearman, histograms.kendall_tau_b)
    found = zip(names, statistics, strict=True)
    return {name: _correlation(swept.joint, of, resampled, swept.rows) for name, of in found}


def lca_auc(swept: Sweep, resampled: str = "species") -> dict[str, dict[str, Estimate]]:
    """How often a pair that meets at a rank is nearer than a pair that meets at the next rank above, ties ½.

    Parameters
    ----------
    swept, resampled
        As for `image_rank_correlations`, on a taxonomy of species.

    Returns
    -------
    dict from rank to ``lca_auc``
        By the rank of the nearer pair's common ancestor, from ``species`` up, those that occur but the last. In [0, 1],
        higher is better, ½ without any signal. Pairs of one rank may lie anywhere on the tree, so this asks for one
        scale of distance all over it; `triplet_accuracy` compares about one anchor. The note says how much bins can
        matter, if they can at all: by half of the ties within them.
    """
    joint = swept.joint
    counts = joint.counts
    auc, error = histograms.neighbouring_auc(counts)
    deleted = joint.leave_one_out(lambda left: histograms.neighbouring_auc(left)[0])
    table = {}
    for level in np.flatnonzero(np.isfinite(auc)):
        ends = interval(*jackknife_interval(auc[level], deleted[:, level], SHARE), JACKKNIFE, resampled)
        note = f"{counts[level].sum():,.0f} pairs; bins can hide {error[level]:.1e}"
        found = Estimate(float(auc[level]), chance=0.5, **ends, note=note, **swept.rows.counts)
        table[lca_rank(joint.steps[level])] = {"lca_auc": found}
    return table


def distance_by_lca(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, executor: Executor | None = None
) -> dict[str, dict[str, Estimate]]:
    """The staircase: centroid distance of species by the rank of their lowest common ancestor.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    placement : Placement
        In a taxonomy; the species are compared.
    rng : numpy.random.Generator
    executor : Executor, optional
        Whose workers look at all pairs of species.

    Returns
    -------
    dict from rank to dict from metric to Estimate
        Ranks from ``genus`` up to ``kingdom`` and ``root`` (no known rank in common), those that occur. Where a rank
        is a hole, two species share the next known one above, so that their distance is the most it can be. Metrics
        ``lca_distance_mean`` and ``lca_distance_q05`` … ``q95``, cosine distance in [0, 2]. An embedding that follows
        the tree climbs from rank to rank. Means are exact, quantiles to the width of a bin. The interval leaves out
        species; it is missing where all pairs of a rank are lost with one group of them. All undefined if the images
        of a species cancel out.
    """
    rows = Rows.taxa(vectors, placement.coarsen("species"))
    if rows.counts["n_taxa"] < 2:
        return {}
    if lost := int(np.isnan(rows.vectors).any(axis=1).sum()):
        reason = f"the images of {lost} taxa cancel out: their centroid has no direction"
        blank = Rows(rows.tree, np.zeros((len(rows.tips), 1)), rows.tips, rows.groups)
        counts = sweep(blank, executor=executor).joint
        met = counts.steps[counts.counts.sum(axis=1) > 0]
        return {lca_rank(step): dict.fromkeys(STAIRS, Estimate.undefined(reason, **rows.counts)) for step in met}
    name, part = rows.jackknife_groups(None, rng)
    joint = sweep(rows, part, executor=executor).joint

    def quantiles(counts: np.ndarray) -> np.ndarray:
        return histograms.quantiles(counts, joint.edges, QUANTILES)

    whole, *left = np.concatenate(
        [
            _mean_distances(rows, part, joint.steps),
            np.stack([quantiles(joint.counts), *joint.leave_one_out(quantiles)]),
        ],
        axis=2,
    )
    table = {}
    for level, counts in enumerate(joint.counts.sum(axis=1)):
        if counts:
            deleted = np.array([values[level] for values in left])
            table[lca_rank(joint.steps[level])] = {
                stair: Estimate(
                    float(value),
                    **interval(*jackknife_interval(value, without, DISTANCE), JACKKNIFE, name),
                    note=f"{counts:,.0f} pairs of species",
                    **rows.counts,
                )
                for stair, value, without in zip(STAIRS, whole[level], deleted.T, strict=True)
            }
    return table


def _mean_distances(rows: Rows, part: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Mean cosine distance at each step, of all pairs and without each part, shape (1 + G, L, 1); not binned."""
    sums = NodeSums.with_jackknife(rows.vectors, rows.tips, rows.tree, part, int(part.max()) + 1)
    step = 2 * (rows.tree.depth[rows.tree.tips[0]] - rows.tree.depth)
    level = np.abs(step[:, None] - steps).argmin(axis=1)
    means = []
    for one in sums:
        pairs, distances = (
            np.bincount(level, weights=one.by_node[:, column], minlength=len(steps)) for column in (0, 2)
        )
        means.append(np.divide(distances, pairs, out=np.full(len(steps), np.nan), where=pairs > 0.5))
    return np.array(means)[:, :, None]


def _correlation(
    joint: JointHistogram,
    statistic: Callable[[np.ndarray], float],
    resampled: str,
    rows: Rows,
    exact: float | None = None,
) -> Estimate:
    value = statistic(joint.counts) if exact is None else exact
    ends = interval(*jackknife_interval(value, joint.leave_one_out(statistic), CORRELATION), JACKKNIFE, resampled)
    note = f"tree distances in {len(joint.steps)} levels" if joint.binned and exact is None else ""
    return Estimate(float(value), chance=0.0, **ends, note=note, **rows.counts)
