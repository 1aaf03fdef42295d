"""How far distances between embeddings follow distances on the tree of life.

Tree distance on a taxonomy is the number of ranks below the lowest common ancestor, on a phylogeny the patristic
distance; embedding distance is cosine distance, 1 - u·v. All pairs are used, none is sampled. Which taxa are compared
is said by the placement: ``placement.coarsen(rank)`` for the taxa of a rank, or the placement on a phylogeny.
"""

from __future__ import annotations

import math

import numpy as np

from bioclip_probe.metrics.scores import CI_METHOD
from bioclip_probe.stats.centroids import Centroids, centroids, tips_with_images
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.moments import Moments, TreeSums, permuted_correlations
from bioclip_probe.stats.pairs import joint_histogram, spearman_correlation
from bioclip_probe.stats.resampling import N_BOOT, bootstrap_weights, percentile_interval, permutation_p
from bioclip_probe.stats.reweighting import weighted_correlations, weighted_image_correlations
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.distances import patristic_distances
from bioclip_probe.tree.tree import NO_RANK, Placement, Tree

N_PERMUTATIONS = 999
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def cophenetic_correlation(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, within: np.ndarray | None = None
) -> Estimate:
    """CPCC: Pearson correlation of tree distance and centroid distance over all pairs of taxa.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The taxa compared are its tips; a centroid is the mean of a taxon's unit vectors, put back on the sphere.
    rng : numpy.random.Generator
    within : ndarray, shape (n,), int64, optional
        A label per image, constant within each taxon, e.g. ``placement.at("order")``: the test then permutes taxa
        within a label only, so that separation above it cannot carry the test; a taxon labelled -1 stays.

    Returns
    -------
    Estimate
        In [-1, 1], higher is better; 0 without any signal. The interval resamples taxa; `p_value` is the Mantel test
        with taxa permuted, one-sided, (b + 1)/(m + 1). Undefined with fewer than three taxa, or where all pairs are
        equally far apart on the tree (kingdoms, a star tree).

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33; Zeng et al. 2023, ICLR, eq. 1 (there with Euclidean centroid distance; for
    directions its square is twice ours); Mantel 1967, Cancer Research 27, 209.
    """
    taxa = centroids(vectors, placement)
    excluded = int(np.sum(taxa.groups < 0))
    if reason := _undefined(taxa):
        return Estimate.undefined(reason, len(taxa.groups) - excluded, len(taxa.counts), excluded)
    directions = taxa.directions
    k = len(directions)
    sums = TreeSums(taxa.tree, Moments.of(directions, np.arange(k), k))
    value = sums.correlation()
    strata = None if within is None else _per_taxon(taxa.groups, within)
    null = permuted_correlations(sums, N_PERMUTATIONS, rng, strata)
    replicates = weighted_correlations(directions, taxa.tree, bootstrap_weights(k, N_BOOT, rng))
    return _estimate(value, replicates, null, taxa.groups, taxa.tree)


def image_tree_correlation(vectors: np.ndarray, placement: Placement, rng: np.random.Generator) -> Estimate:
    """Pearson correlation of tree distance and embedding distance over all pairs of images, exact.

    Parameters and the meaning of interval and p as in `cophenetic_correlation`; images of one taxon are at tree
    distance 0. The value costs O(n d² + nodes·d) by the moments, its interval one blocked sweep over the pairs.
    """
    tree, groups = tips_with_images(placement)
    inside = groups >= 0
    n, k = int(inside.sum()), len(tree.tips) if inside.any() else 0
    if k < 3:
        return Estimate.undefined(f"needs at least 3 taxa, found {k}", n, k, len(groups) - n)
    sums = TreeSums(tree, Moments.of(vectors, groups, k))
    value = sums.correlation()
    if math.isnan(value):
        return Estimate.undefined("tree distance or embedding distance does not vary", n, k, len(groups) - n)
    null = permuted_correlations(sums, N_PERMUTATIONS, rng)
    weights = bootstrap_weights(k, N_BOOT, rng)
    replicates = weighted_image_correlations(vectors, groups, tree, weights)
    return _estimate(value, replicates, null, groups, tree)


def spearman(vectors: np.ndarray, placement: Placement) -> Estimate:
    """Spearman correlation of tree distance and centroid distance over all pairs of taxa, ties at their mean rank.

    As `cophenetic_correlation`, for ranks of the distances; in [-1, 1], higher is better.
    """
    taxa = centroids(vectors, placement)
    excluded = int(np.sum(taxa.groups < 0))
    counts = (len(taxa.groups) - excluded, len(taxa.counts), excluded)
    if reason := _undefined(taxa):
        return Estimate.undefined(reason, *counts)
    value = spearman_correlation(taxa.directions, taxa.tree)
    return Estimate(value, chance=0.0, n_images=counts[0], n_taxa=counts[1], n_excluded=counts[2])


def distance_by_lca(vectors: np.ndarray, placement: Placement) -> dict[str, dict[str, Estimate]]:
    """The staircase: centroid distance of species by the rank of their lowest common ancestor.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    placement : Placement
        In a taxonomy; the species are compared.

    Returns
    -------
    dict from rank to dict from metric to Estimate
        Ranks from ``genus`` up to ``kingdom`` and ``root`` (no known rank in common), those that occur. Where a rank
        is a hole, two species share the next known one above, so that their distance is the most it can be. Metrics
        ``lca_distance_mean`` and ``lca_distance_q05`` … ``q95``, cosine distance in [0, 2]. An embedding that follows
        the tree climbs from rank to rank. All undefined if the images of a species cancel out.
    """
    taxa = centroids(vectors, placement.coarsen("species"))
    if len(taxa.counts) < 2:
        return {}
    excluded = int(np.sum(taxa.groups < 0))
    names = ["lca_distance_mean", *(f"lca_distance_q{round(100 * q):02d}" for q in QUANTILES)]
    if reason := _cancelled(taxa):
        undefined = Estimate.undefined(reason, len(taxa.groups) - excluded, len(taxa.counts), excluded)
        met = np.unique(patristic_distances(taxa.tree)[np.triu_indices(len(taxa.counts), 1)])
        return {lca_rank(step): dict.fromkeys(names, undefined) for step in met}
    histogram = joint_histogram(taxa.directions, taxa.tree)
    table = {}
    for step, mean, quantiles, counts in zip(
        histogram.steps, histogram.mean(), histogram.quantiles(QUANTILES), histogram.counts, strict=True
    ):
        note = f"{counts.sum():,} pairs of species"
        table[lca_rank(step)] = {
            name: Estimate(
                float(value),
                n_images=len(taxa.groups) - excluded,
                n_taxa=len(taxa.counts),
                n_excluded=excluded,
                note=note,
            )
            for name, value in zip(names, [mean, *quantiles], strict=True)
        }
    return table


def lca_rank(step: float) -> str:
    """The rank of the lowest common ancestor of two species `step` ranks apart; ``root`` if they share none."""
    return RANKS[len(RANKS) - 1 - int(step)] if step < len(RANKS) else "root"


def _undefined(taxa: Centroids) -> str:
    """Why a correlation over pairs of these taxa does not exist; empty if it does."""
    if len(taxa.counts) < 3:
        return f"needs at least 3 taxa, found {len(taxa.counts)}"
    if reason := _cancelled(taxa):
        return reason
    k = len(taxa.counts)
    if math.isnan(TreeSums(taxa.tree, Moments.of(taxa.directions, np.arange(k), k)).correlation()):
        return "tree distance or embedding distance does not vary"
    return ""


def _cancelled(taxa: Centroids) -> str:
    lost = int(np.isnan(taxa.directions).any(axis=1).sum())
    return f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""


def _per_taxon(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label of each taxon, from any of its images."""
    found = np.full(groups.max() + 1, -1)
    found[groups[groups >= 0]] = labels[groups >= 0]
    return found


def _unit(tree: Tree) -> str:
    """What the tips are: a rank, species on a phylogeny, ``taxon`` where a taxonomy was not coarsened to one rank."""
    ranks = np.unique(tree.rank[tree.tips])
    if len(ranks) > 1:
        return "taxon"
    return "species" if ranks[0] == NO_RANK else RANKS[ranks[0]]


def _estimate(value: float, replicates: np.ndarray, null: np.ndarray, groups: np.ndarray, tree: Tree) -> Estimate:
    n_images = int(np.sum(groups >= 0))
    low, high = percentile_interval(replicates)
    return Estimate(
        value,
        chance=0.0,
        ci_low=low,
        ci_high=high,
        ci_method=CI_METHOD if math.isfinite(low) else "",
        resampled=_unit(tree),
        p_value=permutation_p(value, null),
        n_images=n_images,
        n_taxa=len(tree.tips),
        n_excluded=len(groups) - n_images,
    )
