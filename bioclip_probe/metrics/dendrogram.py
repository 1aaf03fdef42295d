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
from bioclip_probe.stats.dendrogram_agreement import clade_purity, cophenetic_agreement, triplet_agreement
from bioclip_probe.stats.dendrograms import Dendrogram
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.sampled_dendrograms import SampledDendrograms
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

COPHENETIC, TRIPLETS = "dendrogram_cophenetic_correlation", "dendrogram_triplet_accuracy"
PURITY = "dendrogram_purity"
SHARE = (0.0, 1.0)
BOUNDS = {COPHENETIC: (-1.0, 1.0), TRIPLETS: SHARE}
CHANCE = {COPHENETIC: 0.0, TRIPLETS: 1 / 3}
UNDEFINED = {
    COPHENETIC: "tree distance or embedding distance does not vary",
    TRIPLETS: "the tree resolves no triplet of taxa",
    PURITY: "no two species share a taxon",
}


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
        estimate = estimate_of(values[number], CHANCE[metric], taxa.counts, UNDEFINED[metric])
        own = None if replicates is None else replicates[:, number]
        estimates[metric] = with_halves(estimate, own, jackknife, settings, BOUNDS[metric])
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
        estimate = estimate_of(value, chance, named_counts(dendrograms, label), UNDEFINED[PURITY])
        own = None if replicates is None else replicates[:, 0]
        estimates[rank] = with_halves(estimate, own, jackknife.take(of_images >= 0), settings, SHARE)
    return estimates


def named_counts(dendrograms: SampledDendrograms, label: np.ndarray) -> dict[str, Any]:
    """Return the counts of the species with a label.

    Parameters
    ----------
    dendrograms : SampledDendrograms
    label : ndarray, shape (k,), int64
        Of each species; -1 for none.

    Returns
    -------
    dict from str to int

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> named_counts(SharedResults(*corvids()).dendrograms, np.array([7, 7, -1]))
    {'n_images': 2, 'n_taxa': 1, 'n_excluded': 1}
    """
    named, groups = label >= 0, dendrograms.taxa.groups
    n_images = int(np.sum(named[groups[groups >= 0]]))
    return {"n_images": n_images, "n_taxa": len(np.unique(label[named])), "n_excluded": len(groups) - n_images}


def estimate_of(value: float, chance: float, counts: dict[str, Any], reason: str) -> Estimate:
    """Return an estimate whose null is that of species, without an interval.

    Parameters
    ----------
    value, chance : float
    counts : dict from str to int
        Images and taxa.
    reason : str
        Why the value is undefined where it is NaN.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> estimate_of(np.nan, 0.5, {"n_taxa": 2}, "the tree is a star").note
    'the tree is a star'
    """
    if np.isnan(value):
        return Estimate.undefined(reason, **counts)
    return Estimate(float(value), chance=float(chance), null="species", **counts)


def with_halves(
    estimate: Estimate,
    replicates: np.ndarray | None,
    jackknife: Jackknife,
    settings: MeasureSettings,
    bounds: tuple[float, float],
) -> Estimate:
    """Return an estimate with the interval of its half samples.

    Parameters
    ----------
    estimate : Estimate
    replicates : ndarray, shape (B,), or None
        See `half_sample_replicates`; None with too many taxa.
    jackknife : Jackknife
    settings : MeasureSettings
        `max_dendrogram_species` and `level` are used.
    bounds : (float, float)
        The range of the number.

    Returns
    -------
    Estimate
        See `with_interval`; unchanged where it is undefined.

    Examples
    --------
    >>> jackknife = Jackknife.of("species", np.arange(3000), np.random.default_rng(0))
    >>> with_halves(Estimate(0.5), None, jackknife, MeasureSettings(), (0.0, 1.0)).note
    'no interval: more than 2,000 taxa, too many for one dendrogram a half'
    """
    if np.isnan(estimate.value):
        return estimate
    if replicates is None:
        most = settings.max_dendrogram_species
        return with_note(estimate, f"no interval: more than {most:,} taxa, too many for one dendrogram a half")
    estimate = with_interval(estimate, replicates, jackknife, settings, bounds)
    if "jackknife" not in estimate.ci_method:
        return estimate
    return replace(estimate, ci_method=f"half-sampling, {len(replicates)} halves of the units")
