"""Clades of the tree of life that the dendrogram of species centroids recovers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.dendrogram import SHARE, estimate_of, named_counts, with_halves
from bioclip_probe.metrics.intervals import EXACT_METHOD, FEWEST_UNITS, clopper_pearson, with_note
from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.clade_recovery import clade_counts, label_recovery
from bioclip_probe.stats.dendrograms import Dendrogram
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.sampled_dendrograms import SampledDendrograms
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

ROBINSON_FOULDS, PRECISION, RECALL = "robinson_foulds", "clade_precision", "clade_recall"
NO_CLADE = "the tree has no clade of some of its taxa"
NO_TAXON = "no taxon has two species or more, and not all of them"
UNDEFINED = {ROBINSON_FOULDS: NO_CLADE, PRECISION: "all taxa join at one height", RECALL: NO_CLADE}


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
        without any tree reaches. The interval is that of `dendrogram_agreement`; there is none for a share of fewer
        than ten clades. One species out of place breaks every clade around it, so that these numbers fall fast with
        noise. Undefined with fewer than three species, if the
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
        n_clades = (counts.in_tree + counts.in_dendrogram, counts.in_dendrogram, counts.in_tree)
        shares = [[each.robinson_foulds, each.precision, each.recall] for each in (counts, counts.by_chance())]
        return np.array([*shares, n_clades])

    values, replicates = dendrograms.evaluate(numbers)
    estimates = {}
    for number, metric in enumerate(metrics):
        value, chance, n_clades = values[:, number]
        own = None if replicates is None else replicates[:, 0, number]
        estimate = estimate_of(value, chance, taxa.counts, UNDEFINED[metric])
        estimates[metric] = _share_of_clades(estimate, own, jackknife, settings, int(n_clades))
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
        counts = named_counts(dendrograms, label) | {"n_taxa": int(n_taxa)}
        own = None if replicates is None else replicates[:, 0]
        estimate, named = estimate_of(value, chance, counts, NO_TAXON), jackknife.take(of_images >= 0)
        estimates[rank] = _share_of_clades(estimate, own, named, settings, int(n_taxa))
    return estimates


def _share_of_clades(
    estimate: Estimate, replicates: np.ndarray | None, jackknife: Jackknife, settings: MeasureSettings, n_clades: int
) -> Estimate:
    """Return a share of so many clades with its interval: few clades have none, and 0 or 1 of all an exact one."""
    if np.isfinite(estimate.value) and n_clades < FEWEST_UNITS:
        return with_note(estimate, f"no interval: a share of {n_clades} clades, needs at least {FEWEST_UNITS}")
    estimate = with_halves(estimate, replicates, jackknife, settings, SHARE)
    if estimate.ci_method != EXACT_METHOD:
        return estimate
    low, high = clopper_pearson(round(estimate.value) * n_clades, n_clades, settings.level)
    return replace(estimate, ci_low=low, ci_high=high, ci_method="Clopper-Pearson, by clade")
