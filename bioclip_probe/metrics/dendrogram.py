"""The dendrogram of species centroids (average linkage) against the tree of life.

Average linkage is not smooth: a few species more or less change which clades join. Intervals therefore compare random
halves of the units, see `bioclip_probe.stats.half_samples`; leaving out one small group at a time gave intervals of
twice to four times the width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.clade_recovery import clade_counts, label_recovery
from bioclip_probe.stats.dendrograms import Dendrogram, clade_purity, cophenetic_agreement, triplet_agreement
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.sampled_dendrograms import SampledDendrograms
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

COPHENETIC, TRIPLETS = "dendrogram_cophenetic_correlation", "dendrogram_triplet_accuracy"
PURITY = "dendrogram_purity"
ROBINSON_FOULDS, PRECISION, RECALL = "robinson_foulds", "clade_precision", "clade_recall"
SHARE = (0.0, 1.0)
BOUNDS = {COPHENETIC: (-1.0, 1.0), TRIPLETS: SHARE}
CHANCE = {COPHENETIC: 0.0, TRIPLETS: 1 / 3}
NO_CLADE = "the tree has no clade of some of its taxa"
UNDEFINED = {
    COPHENETIC: "tree distance or embedding distance does not vary",
    TRIPLETS: "the tree resolves no triplet of taxa",
    PURITY: "no two species share a taxon",
    ROBINSON_FOULDS: NO_CLADE,
    PRECISION: "all taxa join at one height",
    RECALL: NO_CLADE,
}
NO_TAXON = "no taxon has two species or more, and not all of them"


def dendrogram_agreement(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how far heights and triplets of the dendrogram of centroids agree with the tree.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`. Average linkage joins the species at the cosine distance of their centroids.
    settings : MeasureSettings, optional
        `max_dendrogram_species`, `n_half_samples`, `n_groups`, `resample` and `level` are used.

    Returns
    -------
    list of Measurement
        ``dendrogram_cophenetic_correlation``: Pearson correlation of tree distance and joining height over all pairs of
        species; in [-1, 1], higher is better, 0 by chance.
        ``dendrogram_triplet_accuracy``: share of the triplets of species resolved by the tree that the dendrogram
        resolves alike, which is 1 - the triplet distance; in [0, 1], higher is better. Polytomies and inner branches
        without length resolve nothing. A triplet that the dendrogram does not resolve counts 1/3, which is chance.
        All triplets are counted, none is sampled.

        Chance is the exact mean over permutations of species over the tips (null: species). Intervals compute the
        dendrogram again for random halves of the units; with more than ``settings.max_dendrogram_species`` species
        there is none, and the note says so. Undefined with fewer than three species or if the images of a species
        cancel out; the correlation also where a distance does not vary, the share on a star tree.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33; Critchlow, Pearl & Qian 1996, Syst. Biol. 45, 323 (triplet distance).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [round(row.value, 2) for row in dendrogram_agreement(vectors, placement)]
    [1.0, 1.0]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    estimates = estimate_dendrogram_agreement(shared.dendrograms, shared.jackknife(), shared.settings)
    return measurements_at("species", estimates)


def estimate_dendrogram_agreement(
    dendrograms: SampledDendrograms, jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `dendrogram_agreement` of the taxa at the tips of one tree.

    Parameters
    ----------
    dendrograms : SampledDendrograms
    jackknife : Jackknife
        Its halves are those of the dendrograms.
    settings : MeasureSettings
        `max_dendrogram_species` and `level` are used.

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> estimate_dendrogram_agreement(shared.dendrograms, shared.jackknife(), shared.settings)[TRIPLETS].value
    1.0
    """
    taxa = dendrograms.taxa
    if reason := dendrograms.reason_undefined(3):
        return dict.fromkeys(BOUNDS, Estimate.undefined(reason, **taxa.counts))

    def agreements(rows: np.ndarray, dendrogram: Dendrogram) -> np.ndarray:
        tree = taxa.tree.subset(taxa.tree.tips[rows])[0]
        return np.array([cophenetic_agreement(tree, dendrogram), triplet_agreement(tree, dendrogram)])

    values, replicates = dendrograms.evaluate(agreements)
    estimates = {}
    for number, metric in enumerate(BOUNDS):
        estimate = _estimate(metric, values[number], CHANCE[metric], taxa.counts)
        own = None if replicates is None else replicates[:, number]
        estimates[metric] = _with_halves(estimate, own, jackknife, settings, BOUNDS[metric])
    return estimates


def dendrogram_purity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how pure the clades of the dendrogram of centroids are, at each rank above species.

    Parameters
    ----------
    embeddings, placement, settings
        As for `dendrogram_agreement`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One for each rank above species. Over all pairs of species of one taxon, the mean share of that taxon among the
        species of the smallest clade of the dendrogram that holds both; in (0, 1], higher is better, 1 where every
        taxon is a clade. Species without a name at the rank are left out, and the dendrogram is pruned to the others.
        Chance is the exact mean over all ways to permute species over the tips (null: species). The interval is that of
        `dendrogram_agreement`. Undefined where no two species share a taxon.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Heller & Ghahramani 2005, ICML, 297.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [(row.rank, row.value) for row in dendrogram_purity(vectors, placement)][-1]
    ('genus', 1.0)
    """
    shared = SharedResults.of(embeddings, placement, settings)
    labels = {rank: shared.placement.at(rank) for rank in RANKS[:-1]}
    estimates = estimate_dendrogram_purity(shared.dendrograms, labels, shared.jackknife(), shared.settings)
    return [Measurement(PURITY, rank, estimate) for rank, estimate in estimates.items()]


def estimate_dendrogram_purity(
    dendrograms: SampledDendrograms, labels: Mapping[str, np.ndarray], jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `dendrogram_purity` of the species at the tips of one tree.

    Parameters
    ----------
    dendrograms : SampledDendrograms
        Of the species.
    labels : mapping from rank to ndarray, shape (n,), int64
        The taxon of that rank of each image, constant within each species: ``{rank: placement.at(rank)}``; -1 for none.
    jackknife, settings
        As for `estimate_dendrogram_agreement`.

    Returns
    -------
    dict from rank to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> genera = {"genus": shared.placement.at("genus")}
    >>> estimates = estimate_dendrogram_purity(shared.dendrograms, genera, shared.jackknife(), shared.settings)
    >>> estimates["genus"].value
    1.0
    """
    taxa = dendrograms.taxa
    if reason := dendrograms.reason_undefined(2):
        return dict.fromkeys(labels, Estimate.undefined(reason, **taxa.counts))
    estimates = {}
    for rank, of_images in labels.items():
        label = taxa.per_tip(of_images)

        def purity(rows: np.ndarray, dendrogram: Dendrogram, label: np.ndarray = label) -> np.ndarray:
            named = label[rows] >= 0
            if named.sum() < 2:
                return np.full(2, np.nan)
            return np.array(clade_purity(dendrogram.subset(named), label[rows][named]))

        (value, chance), replicates = dendrograms.evaluate(purity)
        estimate = _estimate(PURITY, value, chance, _named_counts(dendrograms, label))
        own = None if replicates is None else replicates[:, 0]
        estimates[rank] = _with_halves(estimate, own, jackknife.take(of_images >= 0), settings, SHARE)
    return estimates


def clade_recovery(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how many clades the dendrogram of centroids and the tree have in common.

    Parameters
    ----------
    embeddings, placement, settings
        As for `dendrogram_agreement`.

    Returns
    -------
    list of Measurement
        All in [0, 1]. A clade is a set of species below one inner node, not of one species alone and not of all.
        ``robinson_foulds``, at species: the clades that only one of the two has, as a share of the clades of both, the
        normalised Robinson-Foulds distance of rooted trees; lower is better.
        ``clade_recall``: the share of the tree's clades that are clades of the dendrogram, at species; and at each rank
        above in a taxonomy, the share of its taxa (with two species or more) that are; higher is better. Species
        without a name at the rank are left out, and the dendrogram is pruned to the others.
        ``clade_precision``, at species: the share of the dendrogram's clades that are clades of the tree; higher is
        better. A dendrogram joins two at a time, and a taxonomy many: even one that has every taxon as a clade has
        clades inside genera that no taxonomy names, so that precision is low and the distance high. Compare them
        between models, and with chance, on the same species only.

        Chance is the exact mean over permutations of species over the tips (null: species): what a memoriser of species
        without any tree reaches. The interval is that of `dendrogram_agreement`. One species out of place breaks every
        clade around it, so that these numbers fall fast with noise. Undefined with fewer than three species, if the
        images of a species cancel out, and on a star tree.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Robinson & Foulds 1981, Math. Biosci. 53, 131.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [(row.metric, row.value) for row in clade_recovery(vectors, placement) if row.rank == "species"]
    [('robinson_foulds', 0.0), ('clade_precision', 1.0), ('clade_recall', 1.0)]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    dendrograms, jackknife = shared.dendrograms, shared.jackknife()
    rows = measurements_at("species", estimate_clade_recovery(dendrograms, jackknife, shared.settings))
    if shared.has_ranks:
        labels = {rank: shared.placement.at(rank) for rank in RANKS[:-1]}
        by_rank = estimate_taxon_recall(dendrograms, labels, jackknife, shared.settings)
        rows += [Measurement(RECALL, rank, estimate) for rank, estimate in by_rank.items()]
    return rows


def estimate_clade_recovery(
    dendrograms: SampledDendrograms, jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return the numbers of `clade_recovery` about all clades of a tree.

    Parameters
    ----------
    dendrograms, jackknife, settings
        As for `estimate_dendrogram_agreement`.

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> estimate_clade_recovery(shared.dendrograms, shared.jackknife(), shared.settings)["robinson_foulds"].value
    0.0
    """
    taxa, metrics = dendrograms.taxa, (ROBINSON_FOULDS, PRECISION, RECALL)
    if reason := dendrograms.reason_undefined(3):
        return dict.fromkeys(metrics, Estimate.undefined(reason, **taxa.counts))

    def numbers(rows: np.ndarray, dendrogram: Dendrogram) -> np.ndarray:
        counts = clade_counts(taxa.tree.subset(taxa.tree.tips[rows])[0], dendrogram)
        both = (counts, counts.by_chance())
        return np.array([[each.robinson_foulds, each.precision, each.recall] for each in both])

    values, replicates = dendrograms.evaluate(numbers)
    estimates = {}
    for number, metric in enumerate(metrics):
        value, chance = values[:, number]
        own = None if replicates is None else replicates[:, 0, number]
        estimate = _estimate(metric, value, chance, taxa.counts)
        estimates[metric] = _with_halves(estimate, own, jackknife, settings, SHARE)
    return estimates


def estimate_taxon_recall(
    dendrograms: SampledDendrograms, labels: Mapping[str, np.ndarray], jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return the share of the taxa of each rank that are clades of the dendrogram.

    Parameters
    ----------
    dendrograms, labels, jackknife, settings
        As for `estimate_dendrogram_purity`.

    Returns
    -------
    dict from rank to Estimate
        `n_taxa` counts the taxa that may be clades: of two species or more, and not of all.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> genera = {"genus": shared.placement.at("genus")}
    >>> estimates = estimate_taxon_recall(shared.dendrograms, genera, shared.jackknife(), shared.settings)
    >>> estimates["genus"].value, estimates["genus"].n_taxa
    (1.0, 1)
    """
    taxa = dendrograms.taxa
    if reason := dendrograms.reason_undefined(3):
        return dict.fromkeys(labels, Estimate.undefined(reason, **taxa.counts))
    estimates = {}
    for rank, of_images in labels.items():
        label = taxa.per_tip(of_images)

        def recall(rows: np.ndarray, dendrogram: Dendrogram, label: np.ndarray = label) -> np.ndarray:
            named = label[rows] >= 0
            if named.sum() > 1:
                recovered, chance = label_recovery(dendrogram.subset(named), label[rows][named])
                if len(recovered):
                    return np.array([recovered.mean(), chance.mean(), len(recovered)])
            return np.array([np.nan, np.nan, 0])

        (value, chance, n_taxa), replicates = dendrograms.evaluate(recall)
        counts = _named_counts(dendrograms, label) | {"n_taxa": int(n_taxa)}
        if np.isnan(value):
            estimates[rank] = Estimate.undefined(NO_TAXON, **counts)
            continue
        own = None if replicates is None else replicates[:, 0]
        estimate = _estimate(RECALL, value, chance, counts)
        estimates[rank] = _with_halves(estimate, own, jackknife.take(of_images >= 0), settings, SHARE)
    return estimates


def _named_counts(dendrograms: SampledDendrograms, label: np.ndarray) -> dict[str, Any]:
    """Return the counts of the species with a label."""
    named, groups = label >= 0, dendrograms.taxa.groups
    n_images = int(np.sum(named[groups[groups >= 0]]))
    return {"n_images": n_images, "n_taxa": len(np.unique(label[named])), "n_excluded": len(groups) - n_images}


def _estimate(metric: str, value: float, chance: float, counts: dict[str, Any]) -> Estimate:
    """Return an estimate without its interval; undefined where the value is NaN."""
    if np.isnan(value):
        return Estimate.undefined(UNDEFINED[metric], **counts)
    return Estimate(float(value), chance=float(chance), null="species", **counts)


def _with_halves(
    estimate: Estimate,
    replicates: np.ndarray | None,
    jackknife: Jackknife,
    settings: MeasureSettings,
    bounds: tuple[float, float],
) -> Estimate:
    """Return an estimate with the interval of its half samples."""
    if np.isnan(estimate.value):
        return estimate
    if replicates is None:
        most = settings.max_dendrogram_species
        return with_note(estimate, f"no interval: more than {most:,} taxa, too many for one dendrogram a half")
    estimate = with_interval(estimate, replicates, jackknife, settings, bounds)
    if "jackknife" not in estimate.ci_method:
        return estimate
    return replace(estimate, ci_method=f"half-sampling, {len(replicates)} halves of the units")
