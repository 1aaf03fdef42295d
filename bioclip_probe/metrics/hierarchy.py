"""How far distances between embeddings follow distances on the tree of life.

Tree distance on a taxonomy is the number of ranks below the lowest common ancestor, on a phylogeny the patristic
distance; embedding distance is cosine distance, 1 - u·v. All pairs are used, none is sampled. Which taxa are compared
is said by the placement: ``placement.coarsen(rank)`` for the taxa of a rank, or the placement on a phylogeny.

Between taxa the interval is a bootstrap; where no weights enter (images, differences, balanced ranks) it leaves out
one group of taxa after the other, which the sums of the linear pass allow at no second look at the vectors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import t as student_t

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.all_pairs.balance import balanced_correlation, permuted_balanced_correlations
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import SplitMoments
from bioclip_probe.stats.all_pairs.parts import PartSums, interaction_variance
from bioclip_probe.stats.all_pairs.reweighting import weighted_correlations
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_correlations
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import (
    LEVEL,
    N_BOOT,
    bootstrap_weights,
    effective_freedom,
    expanded_interval,
    jackknife_groups,
    jackknife_interval,
    permutation_p,
)
from bioclip_probe.stats.rows import Rows, Units, unit_of
from bioclip_probe.tree.tree import NO_RANK, Placement, Tree

N_PERMUTATIONS = 999
BOUNDS = (-1.0, 1.0)
EXPANDED = f"percentile bootstrap, {N_BOOT} replicates, expanded by effective degrees of freedom"
FEWEST_UNITS = 100
SAME = 1e-12  # a difference of correlations below this is rounding


def cophenetic_correlation(
    vectors: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    within: np.ndarray | None = None,
    units: Units | None = None,
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
    units : Units, optional
        What the interval resamples; the taxa themselves if not given.

    Returns
    -------
    Estimate
        In [-1, 1], higher is better; 0 without any signal. The interval resamples units; `p_value` is the Mantel test
        with taxa permuted, one-sided, (b + 1)/(m + 1). Undefined with fewer than three taxa, or where all pairs are
        equally far apart on the tree (kingdoms, a star tree). The note warns where the calibration study (see
        tests/calibration) saw the interval hold less than it says: with few species on a dated tree, few whole units.

    Raises
    ------
    DataError
        If a vector is not finite.

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33; Zeng et al. 2023, ICLR, eq. 1 (there with Euclidean centroid distance; for
    directions its square is twice ours); Mantel 1967, Cancer Research 27, 209.
    """
    taxa = Rows.taxa(vectors, placement)
    if reason := taxa.undefined():
        return Estimate.undefined(reason, **taxa.counts)
    value = taxa.sums.correlation()
    strata = None if within is None else taxa.per_tip(within)
    null = permuted_correlations(taxa.sums, N_PERMUTATIONS, rng, strata)
    name, unit = taxa.units(units)
    n_units = int(unit.max()) + 1
    group = jackknife_groups(n_units, rng)
    left = (group != np.arange(group.max() + 1)[:, None]).astype(np.float64)
    weights = np.concatenate([left, bootstrap_weights(n_units, N_BOOT, rng)])
    found = weighted_correlations(taxa.vectors, taxa.tree, weights, None if units is None else unit)
    deleted = np.arctanh(np.clip(found[: len(left)], SAME - 1, 1 - SAME))
    ends = interval(*expanded_interval(found[len(left) :], deleted, n_units), EXPANDED, name)
    return Estimate(
        value,
        chance=0.0,
        **{"resampled": name, **ends},
        p_value=permutation_p(value, null),
        **taxa.counts,
        note=_caution(n_units, name, taxa.tree, units) if ends else "",
    )


def _caution(n_units: int, name: str, tree: Tree, units: Units | None) -> str:
    """Where the calibration study saw 95 % intervals hold less than they say; see tests/calibration."""
    if n_units >= FEWEST_UNITS or (tree.unit == "rank" and units is None):
        return ""
    return f"with {n_units} units ({name}), fewer than {FEWEST_UNITS}, the interval may be too narrow"


def cophenetic_correlation_within(
    vectors: np.ndarray, placement: Placement, labels: Mapping[str, np.ndarray], rng: np.random.Generator
) -> dict[str, Estimate]:
    """CPCC against what separation at and above a rank gives alone: taxa are permuted within taxa of that rank only.

    Parameters
    ----------
    vectors, placement
        As for `cophenetic_correlation`.
    labels : mapping from rank to ndarray, shape (n,), int64
        Of each image, e.g. ``{rank: placement.at(rank)}``; a taxon without a name there (-1) stays where it is.
    rng : numpy.random.Generator

    Returns
    -------
    dict from rank to Estimate
        The value is CPCC itself, its interval that of `cophenetic_correlation`. Chance is the mean of the permuted
        values: how high CPCC is if nothing is known within taxa of that rank. `p_value` is one-sided. Undefined where
        no two taxa can be exchanged.
    """
    taxa = Rows.taxa(vectors, placement)
    reason = taxa.undefined()
    found = {}
    for rank, at in labels.items():
        within = taxa.per_tip(at)
        note = reason or ("" if _exchangeable(within) else f"no two taxa share a {rank}: none can be exchanged")
        if note:
            found[rank] = Estimate.undefined(note, **taxa.counts)
            continue
        value = taxa.sums.correlation()
        null = permuted_correlations(taxa.sums, N_PERMUTATIONS, rng, within)
        found[rank] = Estimate(
            value,
            chance=float(null.mean()),
            resampled=unit_of(taxa.tree),
            p_value=permutation_p(value, null),
            **taxa.counts,
        )
    return found


def image_tree_correlation(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: Units | None = None
) -> Estimate:
    """Pearson correlation of tree distance and embedding distance over all pairs of images, exact.

    Parameters and the meaning of p as in `cophenetic_correlation`; images of one taxon are at tree distance 0. They are
    alike without any regard to the tree, so chance is not 0 but the mean of the permuted values, and the value compares
    between embeddings of the same images only. The interval leaves out one group of units after the other. All of it
    comes from the moments, at O(n d² + nodes·d·(permutations + groups)).
    """
    images = Rows.images(vectors, placement)
    if images.counts["n_taxa"] < 3:
        return Estimate.undefined(images.undefined(), **images.counts)
    name, part = images.parts(units, rng)
    split = SplitMoments.of([(images.vectors, images.tips)], part)
    return streamed_tree_correlation(images.tree, split, rng, name, images.counts["n_excluded"])


def streamed_tree_correlation(
    tree: Tree, split: SplitMoments, rng: np.random.Generator, resampled: str = "species", n_excluded: int = 0
) -> Estimate:
    """`image_tree_correlation` of images that were seen once, in blocks.

    Parameters
    ----------
    tree : Tree
        Its k tips are the groups of `split`, each with images.
    split : SplitMoments
        Its parts are left out one after the other for the interval.
    rng : numpy.random.Generator
    resampled : str
        What the parts were made of.
    n_excluded : int
        Images that are not among them.
    """
    k = len(split.part)
    n_images = int(sum(part.n for part in split.parts))
    counts = {"n_images": n_images, "n_taxa": k if n_images else 0, "n_excluded": n_excluded}
    if counts["n_taxa"] < 3:
        return Estimate.undefined(f"needs at least 3 taxa, found {counts['n_taxa']}", **counts)
    sums = PartSums.of(tree, split)
    value = sums.correlation()
    if math.isnan(value):
        return Estimate.undefined("tree distance or embedding distance does not vary", **counts)
    null = permuted_correlations(TreeSums(tree, split.whole), N_PERMUTATIONS, rng)
    return _left_out(value, sums.without(), resampled, null, counts)


def balanced_tree_correlation(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: Units | None = None
) -> Estimate:
    """CPCC with every rank of a common ancestor at one weight: Pearson of tree distance and centroid distance.

    Nearly all pairs of taxa meet at the deepest splits, which decide the plain correlation alone. Here each rank that
    occurs weighs the same, and the pairs that meet at it share its weight.

    Parameters
    ----------
    vectors, placement, rng, units
        As for `cophenetic_correlation`, in a taxonomy coarsened to one rank.

    Returns
    -------
    Estimate
        In [-1, 1], higher is better; 0 without any signal. The interval leaves out groups of units; `p_value` permutes
        taxa and compares balanced covariances. Undefined, beyond where CPCC is, on a tree without ranks.
    """
    return _balanced(Rows.taxa(vectors, placement), rng, units)


def balanced_image_tree_correlation(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: Units | None = None
) -> Estimate:
    """`image_tree_correlation` with every rank of a common ancestor at one weight, images of one taxon among them.

    As `balanced_tree_correlation`, over pairs of images.
    """
    return _balanced(Rows.images(vectors, placement), rng, units)


def cophenetic_correlation_difference(
    vectors_a: np.ndarray,
    vectors_b: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    units: Units | None = None,
) -> Estimate:
    """CPCC of one embedding less that of another of the same images.

    Parameters
    ----------
    vectors_a, vectors_b : ndarray, shape (n, d), (n, d')
        Unit vectors, of the same images in the same order.
    placement, rng, units
        As for `cophenetic_correlation`.

    Returns
    -------
    Estimate
        In [-2, 2], above 0 where the first follows the tree more closely. Both leave out the same groups of units:
        the interval is value ± t·se of the paired jackknife, and `p_value` is two-sided, that of value/se in Student's
        t, so that p < 0.05 where the interval leaves out 0. It asks whether the difference would be found in other
        species of the same tree, not whether other training runs would repeat it. The part of the variance that the
        jackknife counts twice (up to half of it, where neither follows the tree) is taken away again.

    References
    ----------
    Efron & Stein 1981, Ann. Stat. 9, 586; Kott 2001, J. Off. Stat. 17, 521.
    """
    return _difference(Rows.taxa(vectors_a, placement), Rows.taxa(vectors_b, placement), rng, units)


def image_tree_correlation_difference(
    vectors_a: np.ndarray,
    vectors_b: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    units: Units | None = None,
) -> Estimate:
    """`image_tree_correlation` of one embedding less that of another; see `cophenetic_correlation_difference`."""
    return _difference(Rows.images(vectors_a, placement), Rows.images(vectors_b, placement), rng, units)


def _exchangeable(within: np.ndarray) -> bool:
    return bool(np.any(np.unique(within[within >= 0], return_counts=True)[1] > 1))


def _balanced(rows: Rows, rng: np.random.Generator, units: Units | None) -> Estimate:
    reason = rows.undefined()
    ranks = np.unique(rows.tree.rank[rows.tree.tips])
    if not reason and (len(ranks) > 1 or ranks[0] == NO_RANK):
        reason = "needs a taxonomy whose tips are of one rank"
    if reason:
        return Estimate.undefined(reason, **rows.counts)
    name, part = rows.parts(units, rng)
    whole, *others = NodeSums.parted(rows.vectors, rows.tips, rows.tree, part, int(part.max()) + 1)
    value = balanced_correlation(whole)
    null = permuted_balanced_correlations(rows.sums, whole, N_PERMUTATIONS, rng)
    deleted = np.array([balanced_correlation(sums) for sums in others])
    return _left_out(value, deleted, name, null, rows.counts)


def _left_out(value: float, deleted: np.ndarray, resampled: str, null: np.ndarray, counts: dict[str, int]) -> Estimate:
    """A correlation whose interval comes from its values without groups of units."""
    ends = interval(*jackknife_interval(value, deleted, BOUNDS), JACKKNIFE, resampled)
    p = permutation_p(value, null)
    return Estimate(value, chance=float(null.mean()), **{"resampled": resampled, **ends}, p_value=p, **counts)


def _difference(a: Rows, b: Rows, rng: np.random.Generator, units: Units | None) -> Estimate:
    for which, rows in (("first", a), ("second", b)):
        if reason := rows.undefined():
            return Estimate.undefined(f"{which} embedding: {reason}", **rows.counts)
    name, part = a.parts(units, rng)
    sums = [PartSums.of(rows.tree, SplitMoments.of([(rows.vectors, rows.tips)], part)) for rows in (a, b)]
    value = sums[0].correlation() - sums[1].correlation()
    without = sums[0].without() - sums[1].without()
    if abs(value) < SAME:  # one and the same, but for rounding
        value, without = 0.0, np.zeros(len(without))
    reach = jackknife_interval(value, without)[1] - value
    freedom = effective_freedom(without)
    if len(without) > 3 and reach > 0:
        excess = interaction_variance(sums[0].influence() - sums[1].influence())
        per_reach = student_t.ppf((1 + LEVEL) / 2, freedom)
        reach *= math.sqrt(max(1 - excess * (per_reach / reach) ** 2, 0.5))
    ends = interval(max(value - reach, -2.0), min(value + reach, 2.0), JACKKNIFE, name) if reach >= 0 else {}
    p = _two_sided(value, reach, freedom)
    return Estimate(value, chance=0.0, **{"resampled": name, **ends}, p_value=p, **a.counts)


def _two_sided(value: float, reach: float, freedom: float) -> float:
    """The p of a value whose interval reaches so far to either side, of Student's t."""
    if not math.isfinite(reach):
        return math.nan
    if value == 0:
        return 1.0
    return float(2 * student_t.sf(abs(value) * student_t.ppf((1 + LEVEL) / 2, freedom) / max(reach, SAME), freedom))
