"""Retrieval of relatives: all other images, sorted by their distance from one image, the anchor.

One sweep (`stats.sweep`) gives the scores of each anchor over all other images, not over a sample of them. Distances in
one bin are tied, and a score is its mean over the orders of those that tie. Images at no tip of the tree are left out
and counted. Exact copies of the anchor's picture are none of the other images (``SharedResults.copies``): they lie at
distance 0 in every embedding and say nothing of relatives.

Intervals leave out one group of species after the other, as anchors and as candidates (`metrics.intervals`). Their
number of units is that of the species whose images have a score as anchors. Chance is that of the species null: the
mean over permutations of whole species over the tips of the tree, images staying with their species. A memoriser of
species that knows no tree reaches it. The same sweep computes it, with up to ``settings.n_null_anchors`` anchors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement, measurements_by_rank
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.sweep import scoring
from bioclip_probe.stats.sweep.binning import lca_rank
from bioclip_probe.stats.sweep.sweep import Sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

SINGLE_IMAGES, ONE_TAXON = "every taxon has a single image", "only one taxon"
SINGLE_SPECIES = "every taxon has a single species"
SHARE = (0.0, 1.0)


def triplet_accuracy(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of triplets (anchor, nearer relative, farther relative) whose nearer relative is the closer.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One for each rank of the common ancestor of the anchor and the nearer relative, from ``species`` up; the farther
        relative is any that meets the anchor higher. In [0, 1], higher is better; ties count 1/2. All triplets have the
        same weight, so that anchors with many relatives weigh more. Chance is 1/2, by symmetry: above species both
        relatives are of other species than the anchor, and a permutation of species that exchanges the two is as likely
        as any other. At ``species`` the null is that labels are permuted over images. The interval leaves out species
        as anchors and as relatives. Images without a triplet at the rank are counted in ``n_excluded``. The note gives
        the number of triplets and how much the bins of distance can change the value: half of the triplets that tie in
        one.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [(row.rank, row.value) for row in triplet_accuracy(vectors, placement)]
    [('genus', 1.0)]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    table = estimate_triplet_accuracy(shared.image_sweep, shared.jackknife(), shared.settings)
    return measurements_by_rank(table)


def estimate_triplet_accuracy(
    swept: Sweep, jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, dict[str, Estimate]]:
    """Return `triplet_accuracy` from a sweep.

    Parameters
    ----------
    swept : Sweep
        The sweep over the images of species in a taxonomy with the groups of the jackknife, ``shared.image_sweep``.
    jackknife : Jackknife
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Raises
    ------
    ValueError
        If the sweep scored no anchors.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> table = estimate_triplet_accuracy(shared.image_sweep, shared.jackknife(), shared.settings)
    >>> table["genus"]["triplet_accuracy"].value
    1.0
    """
    sums, tips, table = _sums(swept), swept.rows.tips, {}
    for level in np.flatnonzero(sums[scoring.TRIPLETS]):
        column = _Column(scoring.RIGHT, scoring.TRIPLETS, int(level))
        n_triplets = sums[scoring.TRIPLETS, level]
        note = f"{n_triplets:,.0f} triplets; bins can hide {sums[scoring.TIED, level] / n_triplets:.1e}"
        rank = lca_rank(swept.joint.steps[level])
        null = "images" if rank == RANKS[-1] else "species"
        anchors = swept.scores[:, scoring.TRIPLETS, level] > 0
        estimate = Estimate(
            float(column.of(sums)),
            chance=0.5,
            null=null,
            n_images=int(anchors.sum()),
            n_taxa=len(np.unique(tips[anchors])),
            n_excluded=int((~anchors).sum()),
            note=note,
        )
        deleted, of_anchors = column.of(swept.without_group), _with_units_of(jackknife, anchors)
        table[rank] = {"triplet_accuracy": with_interval(estimate, deleted, of_anchors, settings, SHARE)}
    return table


def precision_by_rank(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return average precision and R-precision of finding the images of the same taxon, at each rank.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``average_precision``: the mean over the R images of the anchor's taxon of the share of that taxon among all
        images that are as near as they. ``r_precision``: that share among the R nearest. Both in [0, 1], higher is
        better, means over anchors. ``average_precision_other_species`` and ``r_precision_other_species``, from
        ``kingdom`` to ``genus``: the same once the images of the anchor's own species are taken away, so that
        recognising the species does not help.

        Chance above species is that of the species null: the mean over permutations of whole species over the tips.
        (No formula is known where species have unequal numbers of images.) At ``species`` it is exact, over random
        orders of images: for AP, with R of N relevant and H_N = Σ 1/i, it is q + (1 - q)·H_N/N with
        q = (R - 1)/(N - 1); for R-precision R/N. An anchor without a relevant image is not scored, and counted in
        ``n_excluded``; an image without a name at the rank is left out altogether. An image that is known to a genus
        only counts as of a species with the other images that are known to that genus only.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, ch. 8; ties: McSherry & Najork 2008, ECIR.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [(row.metric, row.value) for row in precision_by_rank(vectors, placement) if row.rank == "genus"][::2]
    [('average_precision', 1.0), ('average_precision_other_species', 1.0)]
    """
    shared, table = SharedResults.of(embeddings, placement, settings), {}
    for rank in RANKS:
        named = shared.placement.at(rank) >= 0
        of_all = np.array_equal(shared.images.tips >= 0, named)
        swept = shared.image_sweep if of_all else shared.sweep_among_named(rank)
        table[rank] = estimate_precision(swept, shared.placement, rank, shared.jackknife(), shared.settings)
    return measurements_by_rank(table)


def estimate_precision(
    swept: Sweep, placement: Placement, rank: str, jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `precision_by_rank` at one rank from a sweep.

    Parameters
    ----------
    swept : Sweep
        The sweep over the images with a name at the rank, ``shared.image_sweep`` or ``shared.sweep_among_named``.
    placement : Placement
        The images in a taxonomy.
    rank : str
    jackknife : Jackknife
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    dict from metric to Estimate

    Raises
    ------
    ValueError
        If the sweep scored no anchors.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> of_sweep = shared.image_sweep, shared.placement
    >>> estimate_precision(*of_sweep, "genus", shared.jackknife(), shared.settings)["r_precision"].value
    1.0
    """
    level = int(np.searchsorted(swept.joint.steps, len(RANKS) - 1 - RANKS.index(rank) + 0.5)) - 1
    columns = {
        "average_precision": _Column(scoring.AP, scoring.SCORED, level),
        "r_precision": _Column(scoring.R_PRECISION, scoring.SCORED, level),
    }
    if rank != RANKS[-1]:
        columns["average_precision_other_species"] = _Column(scoring.AP_OTHER, scoring.SCORED_OTHER, level)
        columns["r_precision_other_species"] = _Column(scoring.R_PRECISION_OTHER, scoring.SCORED_OTHER, level)
    sums, taxa = _sums(swept), placement.at(rank)
    rows = np.flatnonzero(swept.rows.tips >= 0)
    n_taxa, table = len(np.unique(taxa[rows])), {}
    for name, column in columns.items():
        scored = rows[swept.scores[rows, column.below, level] > 0]
        if n_taxa < 2 or not len(scored):
            single = SINGLE_SPECIES if column.below == scoring.SCORED_OTHER else SINGLE_IMAGES
            reason = single if n_taxa >= 2 else ONE_TAXON if n_taxa else "no image has a name at this rank"
            table[name] = Estimate.undefined(reason, len(rows), n_taxa, len(taxa) - len(rows))
            continue
        chance = column.of(swept.tied) if rank == RANKS[-1] else _mean(column.of(swept.permuted))
        estimate = Estimate(
            float(column.of(sums)),
            chance=float(chance),
            null="images" if rank == RANKS[-1] else "species",
            n_images=len(scored),
            n_taxa=len(np.unique(taxa[scored])),
            n_excluded=len(taxa) - len(scored),
        )
        deleted = column.of(swept.without_group)
        deleted[_taxa_without_each(taxa[rows], jackknife.group[rows], len(deleted)) < 2] = np.nan
        table[name] = with_interval(estimate, deleted, _with_units_of(jackknife, scored), settings, SHARE)
    return table


def _taxa_without_each(taxa: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Return how many taxa are left without each group, shape (G,)."""
    taxon, groups = np.unique(np.stack([taxa, group]), axis=1)
    first = np.unique(taxon, return_index=True, return_counts=True)
    lost = groups[first[1][first[2] == 1]]  # the only group of a taxon
    return len(first[0]) - np.bincount(lost, minlength=n_groups)


def hierarchical_ap(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return H-AP: average precision where nearer relatives are more relevant.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One, at species: the mean over anchors of Σ_k (Σ_j min(rel_k, rel_j) / rank_k) / Σ_k rel_k, over relatives k and
        those j that are not farther than k, k itself among them; rank_k is the number of all images not farther than k.
        In [0, 1], higher is better; with two levels it is average precision. Of the L levels that occur in the tree,
        counted from the highest (l = 0, least shared), the relevance is l/(L - 1) over the number of images at level l
        (the paper's, with α = 1). Chance is that of the species null, the mean over permutations of whole species over
        the tips: it is high, because a memoriser of species finds the most relevant images. The interval leaves out
        species as anchors and as relatives, and keeps L.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Ramzi et al. 2022, ECCV, H-AP and its relevance.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> hierarchical_ap(vectors, placement)[0].value
    1.0
    """
    shared = SharedResults.of(embeddings, placement, settings)
    estimate = estimate_hierarchical_ap(shared.image_sweep, shared.jackknife(), shared.settings)
    return [Measurement("hierarchical_ap", "species", estimate)]


def estimate_hierarchical_ap(swept: Sweep, jackknife: Jackknife, settings: MeasureSettings) -> Estimate:
    """Return `hierarchical_ap` from a sweep.

    Parameters
    ----------
    swept, jackknife, settings
        As for `estimate_triplet_accuracy`.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If the sweep scored no anchors.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> estimate_hierarchical_ap(shared.image_sweep, shared.jackknife(), shared.settings).value
    1.0
    """
    column = _Column(scoring.HIERARCHICAL_AP, scoring.SCORED_HIERARCHICAL, 0)
    sums, counts = _sums(swept), swept.rows.counts
    tips = swept.rows.tips
    scored = swept.scores[:, scoring.SCORED_HIERARCHICAL, 0] > 0 if len(swept.scores) else np.zeros(len(tips), bool)
    if not scored.any():
        few = "no two images share a taxon" if counts["n_images"] > 1 else "needs at least 2 images"
        return Estimate.undefined(few, **counts)
    estimate = Estimate(
        float(column.of(sums)),
        chance=float(_mean(column.of(swept.permuted))),
        null="species",
        n_images=int(scored.sum()),
        n_taxa=len(np.unique(tips[scored])),
        n_excluded=len(tips) - int(scored.sum()),
    )
    of_anchors = _with_units_of(jackknife, scored)
    return with_interval(estimate, column.of(swept.without_group), of_anchors, settings, SHARE)


class _Column(NamedTuple):
    """A number that is a ratio of two sums over anchors at one level, see `scoring.RIGHT`."""

    above: int
    below: int
    level: int

    def of(self, sums: np.ndarray) -> np.ndarray:
        """Return the number from sums of shape (…, N_SCORES, L); NaN where it does not exist."""
        above, below = sums[..., self.above, self.level], sums[..., self.below, self.level]
        return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def _with_units_of(jackknife: Jackknife, anchors: np.ndarray) -> Jackknife:
    """Return the same groups with the number of units that the anchors are of: those that a mean over anchors is of."""
    return replace(jackknife, n_units=jackknife.take(anchors).n_units)


def _mean(values: np.ndarray) -> float:
    """Return the mean of the values that exist; NaN if none does."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _sums(swept: Sweep) -> np.ndarray:
    """Return the sums of scores over anchors."""
    if not len(swept.scores) and len(swept.rows.tips):
        raise ValueError("expected a sweep that scored anchors: pass anchors=True")
    return swept.sums
