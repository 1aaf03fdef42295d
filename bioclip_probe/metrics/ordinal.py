"""Tree distance and embedding distance by their order: rank correlations, AUC between ranks, the staircase.

One sweep counts all pairs by level of tree distance and bin of cosine distance (`stats.sweep`). Counts without a group
of species follow by subtraction, so that the delete-group jackknife needs no second sweep. In a taxonomy a level is a
rank; on a tree with many distances a level holds a 64th of the pairs. Distances that differ by rounding only are tied
(`stats.sweep.ties`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement, measurements_at, measurements_by_rank
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep import histograms
from bioclip_probe.stats.sweep.binning import Levels, lca_rank
from bioclip_probe.stats.sweep.histograms import JointHistogram
from bioclip_probe.stats.sweep.pairs import spearman_correlation
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.stats.sweep.sweep import Sweep, sweep
from bioclip_probe.stats.sweep.ties import with_tied_heights
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CORRELATION, DISTANCE, SHARE = (-1.0, 1.0), (0.0, 2.0), (0.0, 1.0)
#: Metrics of `distance_by_lca`.
LCA_DISTANCES = ("lca_distance_mean", *(f"lca_distance_q{round(100 * q):02d}" for q in QUANTILES))


def rank_correlations(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return Spearman's ρ and Kendall's τ-b of tree distance and centroid distance over all pairs of species.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`.

    Returns
    -------
    list of Measurement
        ``spearman`` and ``kendall_tau_b``, in [-1, 1]; higher is better. Chance is 0, exactly, under the species null:
        for every permutation of species there is an equally likely one that exchanges two pairs. τ-b cannot reach 1
        where one side has more ties than the other, as in a taxonomy. Where the tips of a dated tree are equally deep,
        pairs with the same common ancestor tie, and so do pairs whose ancestors are equally old within the rounding of
        the tree. On a tree with more than 64 distances, ρ uses the distances themselves (to a millionth of the
        largest); τ-b and both intervals use 64 levels. Undefined where `cophenetic_correlation` is undefined. The
        interval leaves out one group of species after the other.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Spearman 1904, Am. J. Psychol. 15, 72; Kendall 1945, Biometrika 33, 239.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [round(row.value, 2) for row in rank_correlations(vectors, placement)]
    [0.87, 0.82]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    taxa, jackknife = shared.taxa("species"), shared.jackknife()
    swept = None if taxa.reason_undefined() else shared.species_sweep
    return measurements_at("species", estimate_rank_correlations(taxa, jackknife, shared.settings, swept))


def estimate_rank_correlations(
    taxa: Rows, jackknife: Jackknife, settings: MeasureSettings, swept: Sweep | None = None
) -> dict[str, Estimate]:
    """Return `rank_correlations` of the taxa at the tips of one tree.

    Parameters
    ----------
    taxa : Rows
        Centroids, see `Rows.taxa`.
    jackknife : Jackknife
        Of the images of the taxa.
    settings : MeasureSettings
        `level` is used.
    swept : Sweep, optional
        The sweep over the taxa with the groups of the jackknife and tied tree distances, if there is one.

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> table = estimate_rank_correlations(shared.taxa("species"), shared.jackknife(), shared.settings)
    >>> round(table["spearman"].value, 2)
    0.87
    """
    if reason := taxa.reason_undefined():
        return dict.fromkeys(("spearman", "kendall_tau_b"), Estimate.undefined(reason, **taxa.counts))
    if swept is None:
        tied = Rows(with_tied_heights(taxa.tree), taxa.vectors, taxa.tips, taxa.groups)
        swept = sweep(tied, Replicates.jackknife(jackknife.of_tips(taxa), jackknife.n_groups))
    pairs = _CountedPairs(taxa, swept.joint, jackknife, settings)
    exact = spearman_correlation(swept.rows.vectors, swept.rows.tree) if swept.joint.binned else None
    return {
        "spearman": pairs.correlation(histograms.spearman, 0.0, exact),
        "kendall_tau_b": pairs.correlation(histograms.kendall_tau_b, 0.0),
    }


def image_rank_correlations(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return Spearman's ρ and Kendall's τ-b of tree distance and embedding distance over all pairs of images.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`.

    Returns
    -------
    list of Measurement
        ``image_spearman`` and ``image_kendall_tau_b``, in [-1, 1]; higher is better. Images of one species are at tree
        distance 0, so that recognising species alone gives more than 0. Chance is therefore that of the species null:
        the mean over ``n_null_permutations`` permutations of whole species over the tips, from the pairs of up to
        ``n_null_anchors`` images with all others. There is no p-value from so few permutations. The interval leaves out
        one group of species after the other.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.metric for row in image_rank_correlations(vectors, placement)]
    ['image_spearman', 'image_kendall_tau_b']
    """
    shared = SharedResults.of(embeddings, placement, settings)
    of_images = shared.image_sweep, shared.jackknife(), shared.settings
    return measurements_at("species", estimate_image_rank_correlations(*of_images))


def estimate_image_rank_correlations(
    swept: Sweep, jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `image_rank_correlations` from a sweep.

    Parameters
    ----------
    swept : Sweep
        The sweep over the images of species in a taxonomy with the groups of the jackknife, ``shared.image_sweep``.
    jackknife : Jackknife
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> table = estimate_image_rank_correlations(shared.image_sweep, shared.jackknife(), shared.settings)
    >>> round(table["image_spearman"].value, 2)
    0.87
    """
    names = ("image_spearman", "image_kendall_tau_b")
    if reason := swept.rows.reason_undefined():
        return dict.fromkeys(names, Estimate.undefined(reason, **swept.rows.counts))
    pairs, table = _CountedPairs(swept.rows, swept.joint, jackknife, settings), {}
    for name, statistic in zip(names, (histograms.spearman, histograms.kendall_tau_b), strict=True):
        null = [statistic(counts) for counts in swept.permuted_counts]
        table[name] = pairs.correlation(statistic, float(np.mean(null)) if null else np.nan)
    return table


def lca_auc(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how often images that meet at a rank are closer than images that meet at the next rank above.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One for each rank of the closer pair's common ancestor, from ``species`` up to the last but one rank that
        occurs. In [0, 1], higher is better; ties count 1/2. Chance is 1/2: above species under the species null, by
        symmetry, and at ``species`` with labels permuted over images. Pairs of one rank may lie anywhere on the tree,
        so that the metric asks for one scale of distance all over it. A value below 1/2, as is common at ``family``,
        does not mean that relatives are farther apart than others. It means that scales differ among clades: those that
        give most pairs at this rank are wide, and those that give most pairs at the next rank are compact.
        `triplet_accuracy` compares about one anchor and does not depend on such scales. The interval leaves out one
        group of species after the other. The note says how much the bins of distance can change the value: half of the
        ties within them.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Mann & Whitney 1947, Ann. Math. Stat. 18, 50.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [(row.rank, row.value) for row in lca_auc(vectors, placement)]
    [('genus', 1.0)]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    return measurements_by_rank(estimate_lca_auc(shared.image_sweep, shared.jackknife(), shared.settings))


def estimate_lca_auc(swept: Sweep, jackknife: Jackknife, settings: MeasureSettings) -> dict[str, dict[str, Estimate]]:
    """Return `lca_auc` from a sweep.

    Parameters
    ----------
    swept, jackknife, settings
        As for `estimate_image_rank_correlations`.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> estimate_lca_auc(shared.image_sweep, shared.jackknife(), shared.settings)["genus"]["lca_auc"].value
    1.0
    """
    joint = swept.joint
    counts = joint.counts
    auc, error = histograms.neighboring_auc(counts)
    deleted = joint.leave_one_out(lambda left: histograms.neighboring_auc(left)[0])
    table = {}
    for level in np.flatnonzero(np.isfinite(auc)):
        note = f"{counts[level].sum():,.0f} pairs; bins can hide {error[level]:.1e}"
        rank = lca_rank(joint.steps[level])
        null = "images" if rank == RANKS[-1] else "species"
        estimate = Estimate(float(auc[level]), chance=0.5, null=null, note=note, **swept.rows.counts)
        table[rank] = {"lca_auc": with_interval(estimate, deleted[:, level], jackknife, settings, SHARE)}
    return table


def distance_by_lca(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the staircase: centroid distance of species by the rank of their lowest common ancestor.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``lca_distance_mean`` and ``lca_distance_q05`` … ``q95``, cosine distance in [0, 2], for each rank that occurs
        from ``genus`` up to ``kingdom`` and ``root`` (no known rank in common). Where a rank is a hole, two species
        share the next known rank above, so that their tree distance is the most that it can be. In an embedding that
        follows the tree the distance grows from rank to rank; there is no chance level. Means are exact, quantiles to
        the width of a bin. The interval leaves out one group of species after the other; it is missing where one group
        takes part in all pairs of a rank. All are undefined if the images of a species cancel out.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> rows = distance_by_lca(vectors, placement)
    >>> [(row.rank, round(row.value, 2)) for row in rows if row.metric == "lca_distance_mean"]
    [('genus', 0.2), ('root', 0.7)]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    taxa, jackknife = shared.taxa("species"), shared.jackknife()
    swept = None if taxa.reason_undefined() else shared.species_sweep
    return measurements_by_rank(estimate_distance_by_lca(taxa, jackknife, shared.settings, swept))


def estimate_distance_by_lca(
    taxa: Rows, jackknife: Jackknife, settings: MeasureSettings, swept: Sweep | None = None
) -> dict[str, dict[str, Estimate]]:
    """Return `distance_by_lca` of the species at the tips of a taxonomy.

    Parameters
    ----------
    taxa : Rows
        Centroids of the species.
    jackknife, settings, swept
        As for `estimate_rank_correlations`.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> list(estimate_distance_by_lca(shared.taxa("species"), shared.jackknife(), shared.settings))
    ['genus', 'root']
    """
    if taxa.counts["n_taxa"] < 2:
        return {}
    if lost := int(np.isnan(taxa.vectors).any(axis=1).sum()):
        reason = f"the images of {lost} taxa cancel out: their centroid has no direction"
        levels, tips = Levels.of(taxa.tree, taxa.tips), np.arange(len(taxa.tips))
        steps = levels.steps[np.unique(levels.between_tips(tips[1:], tips[:-1]))]  # no other level can occur
        undefined = Estimate.undefined(reason, **taxa.counts)
        return {lca_rank(step): dict.fromkeys(LCA_DISTANCES, undefined) for step in steps}
    left_out = Replicates.jackknife(jackknife.of_tips(taxa), jackknife.n_groups)
    joint = (sweep(taxa, left_out) if swept is None else swept).joint
    statistics = np.concatenate([_mean_distances(taxa, left_out, joint.steps), _quantiles(joint)], axis=2)
    table = {}
    for level, n_pairs in enumerate(joint.counts.sum(axis=1)):
        if n_pairs:
            note = f"{n_pairs:,.0f} pairs of species"
            estimates = {}
            for metric, (value, *deleted) in zip(LCA_DISTANCES, statistics[:, level].T, strict=True):
                estimate = Estimate(float(value), note=note, **taxa.counts)
                estimates[metric] = with_interval(estimate, np.array(deleted), jackknife, settings, DISTANCE)
            table[lca_rank(joint.steps[level])] = estimates
    return table


def _quantiles(joint: JointHistogram) -> np.ndarray:
    """Return the quantiles at each level, of all pairs and without each group, shape (1 + G, L, quantiles)."""

    def quantiles(counts: np.ndarray) -> np.ndarray:
        return histograms.quantiles(counts, joint.edges, QUANTILES)

    return np.stack([quantiles(joint.counts), *joint.leave_one_out(quantiles)])


def _mean_distances(rows: Rows, left_out: Replicates, steps: np.ndarray) -> np.ndarray:
    """Return the mean distance at each step, of all pairs and without each group, shape (1 + G, L, 1); not binned."""
    sums = NodeSums.with_jackknife(rows.vectors, rows.tips, rows.tree, left_out.group, left_out.n_groups)
    step = 2 * (rows.tree.depth[rows.tree.tips[0]] - rows.tree.depth)
    level = np.abs(step[:, None] - steps).argmin(axis=1)
    means = []
    for one in sums:
        pairs, distances = (
            np.bincount(level, weights=one.by_node[:, column], minlength=len(steps)) for column in (0, 2)
        )
        means.append(np.divide(distances, pairs, out=np.full(len(steps), np.nan), where=pairs > 0.5))
    return np.array(means)[:, :, None]


@dataclass(frozen=True, eq=False)
class _CountedPairs:
    """The pairs of some rows, counted by tree distance and embedding distance with the groups of the jackknife."""

    rows: Rows
    joint: JointHistogram
    jackknife: Jackknife
    settings: MeasureSettings

    def correlation(
        self, statistic: Callable[[np.ndarray], float], chance: float, exact: float | None = None
    ) -> Estimate:
        """Return a rank correlation of the counts; `exact` replaces its value where that is known without levels.

        The numbers without each group are then moved by what the levels change in the number itself.
        """
        binned, deleted = statistic(self.joint.counts), self.joint.leave_one_out(statistic)
        value = binned if exact is None else exact
        levels = f"tree distances in {len(self.joint.steps)} levels"
        note = levels if self.joint.binned and exact is None else ""
        estimate = Estimate(float(value), chance=chance, null="species", note=note, **self.rows.counts)
        return with_interval(estimate, deleted + (value - binned), self.jackknife, self.settings, CORRELATION)
