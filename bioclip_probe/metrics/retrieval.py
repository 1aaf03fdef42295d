"""Retrieval of relatives: all other images, sorted by their distance from one image, the anchor.

One sweep (`stats.sweep`) gives the scores of each anchor over all other images, not over a sample of them. Intervals
resample the species of the anchors and keep every score as it is: a species drawn twice would be its own perfect
neighbour. Distances in one bin are tied, and a score is its mean over the orders of those that tie. Images at no tip
of the tree are left out and counted.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, measurements_by_rank
from bioclip_probe.metrics.scores import bootstrap_method, interval, mean_score
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import bootstrap_weights, percentile_interval
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.binning import lca_rank
from bioclip_probe.stats.sweep.scoring import AP, HIERARCHICAL_AP, R_PRECISION, RIGHT, SIZE, TIED
from bioclip_probe.stats.sweep.sweep import Sweep, SweepWorkers, sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

SINGLE_IMAGES, ONE_TAXON = "every taxon has a single image", "only one taxon"


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
        relative is any that meets the anchor higher. In [0, 1], higher is better, chance 1/2; ties count 1/2. All
        triplets have the same weight, so that anchors with many relatives weigh more. The note gives the number of
        triplets and how much the bins of distance can change the value: half of the triplets that tie in one.

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
    rng = shared.stream("triplet_accuracy")
    return measurements_by_rank(estimate_triplet_accuracy(shared.image_sweep[1], rng, shared.settings))


def estimate_triplet_accuracy(
    swept: Sweep, rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, dict[str, Estimate]]:
    """Return `triplet_accuracy` from a sweep.

    Parameters
    ----------
    swept : Sweep
        The sweep over the images of species in a taxonomy, ``sweep(Rows.images(…), anchors=True)``.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.

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
    >>> swept = sweep(Rows.images(*corvids()), anchors=True, k=1)
    >>> estimate_triplet_accuracy(swept, np.random.default_rng(0), MeasureSettings())["genus"]["triplet_accuracy"].value
    1.0
    """
    scores, tips = _anchors(swept)
    size = scores[:, SIZE]
    total = size * (size.sum(axis=1, keepdims=True) - np.cumsum(size, axis=1))
    table = {}
    for level in np.flatnonzero(total.sum(axis=0)):
        value, fields = _ratio(scores[:, RIGHT, level], total[:, level], tips, rng, settings)
        n_triplets = total[:, level].sum()
        hidden = scores[:, TIED, level].sum() / n_triplets
        note = f"{n_triplets:,.0f} triplets; bins can hide {hidden:.1e}"
        estimate = Estimate(value, chance=0.5, **fields, **swept.rows.counts, note=note)
        table[lca_rank(swept.joint.steps[level])] = {"triplet_accuracy": estimate}
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
        better, means over anchors. Chance is exact, over random orders: for AP, with R of N relevant and H_N = Σ 1/i,
        it is q + (1 - q)·H_N/N with q = (R - 1)/(N - 1); for R-precision R/N. An image whose taxon has no other image
        is not scored, and counted in ``n_excluded``; one without a name at the rank is left out altogether.

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
    >>> [row.value for row in precision_by_rank(vectors, placement) if row.rank == "genus"]
    [1.0, 1.0]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rng, swept = shared.stream("precision_by_rank"), shared.image_sweep[1]
    return measurements_by_rank(
        estimate_precision_by_rank(shared.vectors, shared.placement, rng, shared.settings, swept, shared.executor)
    )


def estimate_precision_by_rank(
    vectors: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    settings: MeasureSettings,
    swept: Sweep | None = None,
    executor: Executor | None = None,
) -> dict[str, dict[str, Estimate]]:
    """Return `precision_by_rank` as a table.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    placement : Placement
        The images in a taxonomy.
    rng : numpy.random.Generator
        It serves one rank after the other.
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.
    swept : Sweep, optional
        The sweep over the images of ``placement.coarsen("species")``, with anchors. It serves every rank at which the
        same images have a name; where other images do, another sweep is made.
    executor : Executor, optional
        Its workers make those other sweeps.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> table = estimate_precision_by_rank(vectors, placement, np.random.default_rng(0), MeasureSettings())
    >>> table["genus"]["r_precision"].value
    1.0
    """
    table = {}
    for number, rank in enumerate(RANKS):
        named = placement.at(rank) >= 0
        if swept is None or not np.array_equal(swept.rows.tips >= 0, named):
            of_rank = sweep(Rows.images(vectors, placement.coarsen(rank)), anchors=True, workers=SweepWorkers(executor))
            level = 0
        else:
            of_rank = swept
            level = int(np.searchsorted(swept.joint.steps, len(RANKS) - 1 - number + 0.5)) - 1
        table[rank] = _precision(of_rank, level, (placement.at(rank), placement.node), rng, settings)
    return table


def _precision(
    swept: Sweep,
    level: int,
    taxa_and_species: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
    settings: MeasureSettings,
) -> dict[str, Estimate]:
    """Return both precisions where all images up to a level of a sweep are relevant."""
    names = ("average_precision", "r_precision")
    taxa, species = taxa_and_species
    rows = np.flatnonzero(swept.rows.tips >= 0)
    n_taxa, n_excluded = len(np.unique(taxa[rows])), len(taxa) - len(rows)
    scored = rows[swept.scores[rows, SIZE, : level + 1].sum(axis=1) > 0]
    if n_taxa < 2 or not len(scored):
        one_or_none = ONE_TAXON if n_taxa else "no image has a name at this rank"
        reason = one_or_none if n_taxa < 2 else SINGLE_IMAGES
        return dict.fromkeys(names, Estimate.undefined(reason, len(rows), n_taxa, n_excluded))
    return {
        name: mean_score(
            swept.scores[scored, which, level],
            species[scored],
            rng,
            settings,
            chance=float(swept.chance[scored, which, level].mean()),
            n_taxa=len(np.unique(taxa[scored])),
            n_excluded=len(taxa) - len(scored),
        )
        for name, which in zip(names, (AP, R_PRECISION), strict=True)
    }


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
        (the paper's, with α = 1). Chance is the exact mean over random orders.

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
    name = "hierarchical_ap"
    estimate = estimate_hierarchical_ap(shared.image_sweep[1], shared.stream(name), shared.settings)
    return [Measurement(name, "species", estimate)]


def estimate_hierarchical_ap(swept: Sweep, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return `hierarchical_ap` from a sweep.

    Parameters
    ----------
    swept, rng, settings
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
    >>> swept = sweep(Rows.images(*corvids()), anchors=True, k=1)
    >>> estimate_hierarchical_ap(swept, np.random.default_rng(0), MeasureSettings()).value
    1.0
    """
    scores, tips = _anchors(swept)
    chance = swept.chance[swept.rows.tips >= 0, HIERARCHICAL_AP, 0]
    scored = np.isfinite(scores[:, HIERARCHICAL_AP, 0])
    counts = swept.rows.counts
    if not scored.any():
        return Estimate.undefined(
            "no two images share a taxon" if len(tips) > 1 else "needs at least 2 images", **counts
        )
    return mean_score(
        scores[scored, HIERARCHICAL_AP, 0],
        tips[scored],
        rng,
        settings,
        chance=float(chance[scored].mean()),
        n_taxa=len(np.unique(tips[scored])),
        n_excluded=counts["n_excluded"] + int((~scored).sum()),
    )


def _anchors(swept: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and tips of the images at a tip."""
    if not len(swept.scores) and len(swept.rows.tips):
        raise ValueError("expected a sweep that scored anchors: pass anchors=True")
    rows = np.flatnonzero(swept.rows.tips >= 0)
    return swept.scores[rows], swept.rows.tips[rows]


def _ratio(
    numerators: np.ndarray,
    denominators: np.ndarray,
    units: np.ndarray,
    rng: np.random.Generator,
    settings: MeasureSettings,
) -> tuple[float, dict]:
    """Return the ratio of two sums over images, and the fields of the interval that resamples units."""
    _, unit = np.unique(units, return_inverse=True)
    sums = np.stack([np.bincount(unit, weights=each) for each in (numerators, denominators)], axis=1)
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    if len(sums) < 2:
        return value, {}
    above, below = (bootstrap_weights(len(sums), settings.n_bootstrap, rng) @ sums).T
    replicates = np.divide(above, below, out=np.full(settings.n_bootstrap, np.nan), where=below > 0)
    return value, interval(*percentile_interval(replicates, settings.level), bootstrap_method(settings))
