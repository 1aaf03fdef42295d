"""The dendrogram of species centroids (average linkage) against the tree of life."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, measurements_at, random_stream
from bioclip_probe.metrics.scores import interval, jackknife_method
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.dendrograms import Dendrogram, clade_purity, cophenetic_agreement, triplet_agreement
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

COPHENETIC, TRIPLETS = "dendrogram_cophenetic_correlation", "dendrogram_triplet_accuracy"
PURITY = "dendrogram_purity"
BOUNDS = {COPHENETIC: (-1.0, 1.0), TRIPLETS: (0.0, 1.0)}
CHANCE = {COPHENETIC: 0.0, TRIPLETS: 1 / 3}
FLAT = {
    COPHENETIC: "tree distance or embedding distance does not vary",
    TRIPLETS: "the tree resolves no triplet of taxa",
}


def dendrogram_agreement(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how far heights and triplets of the dendrogram of centroids agree with the tree.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`. Average linkage joins the species at the cosine distance of their centroids.

    Returns
    -------
    list of Measurement
        ``dendrogram_cophenetic_correlation``: Pearson correlation of tree distance and joining height over all pairs of
        species; in [-1, 1], higher is better, 0 without signal.
        ``dendrogram_triplet_accuracy``: share of the triplets of species resolved by the tree that the dendrogram
        resolves alike, which is 1 - the triplet distance; in [0, 1], higher is better. Polytomies and inner branches
        without length resolve nothing. A triplet that the dendrogram does not resolve counts 1/3, which is chance.
        All triplets are counted, none is sampled.

        Intervals leave out one group of units after the other and compute the dendrogram again; with more than
        ``settings.max_dendrogram_species`` species there is none, and the note says so. Undefined with fewer than three
        species or if the images of a species cancel out; the correlation also where a distance does not vary, the
        share on a star tree.

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
    rng = shared.stream("dendrogram_agreement")
    estimates = estimate_dendrogram_agreement(shared.taxa("species"), rng, shared.settings, shared.units)
    return measurements_at("species", estimates)


def estimate_dendrogram_agreement(
    taxa: Rows, rng: np.random.Generator, settings: MeasureSettings, units: ResamplingUnits | None = None
) -> dict[str, Estimate]:
    """Return `dendrogram_agreement` of the taxa at the tips of one tree.

    Parameters
    ----------
    taxa : Rows
        Centroids, see `Rows.taxa`.
    rng : numpy.random.Generator
        It draws the groups of the jackknife.
    settings : MeasureSettings
        `max_dendrogram_species`, `n_groups` and `level` are used.
    units : ResamplingUnits, optional
        What the intervals resample; by default the taxa themselves.

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> estimate_dendrogram_agreement(taxa, np.random.default_rng(0), MeasureSettings())[TRIPLETS].value
    1.0
    """
    if reason := _reason_undefined(taxa, 3):
        return dict.fromkeys(BOUNDS, Estimate.undefined(reason, **taxa.counts))

    def agreements(kept: np.ndarray) -> np.ndarray:
        tree = taxa.tree.subset(taxa.tree.tips[kept])[0]
        dendrogram = Dendrogram.average_linkage(taxa.vectors[kept])
        return np.array([cophenetic_agreement(tree, dendrogram), triplet_agreement(tree, dendrogram)])

    jackknifed = _Jackknifed.of(agreements, taxa, units, rng, settings)
    return {
        metric: Estimate.undefined(FLAT[metric], **taxa.counts)
        if np.isnan(jackknifed.values[number])
        else jackknifed.estimate(number, BOUNDS[metric], CHANCE[metric], taxa.counts)
        for number, metric in enumerate(BOUNDS)
    }


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
        Chance is the exact mean over all ways to permute the labels. The interval leaves out one group of species after
        the other, as in `dendrogram_agreement`. Undefined where no two species share a taxon.

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
    rng = random_stream(shared.settings.seed, PURITY)
    estimates = estimate_dendrogram_purity(shared.taxa("species"), labels, rng, shared.settings)
    return [Measurement(PURITY, rank, estimate) for rank, estimate in estimates.items()]


def estimate_dendrogram_purity(
    taxa: Rows,
    labels: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    settings: MeasureSettings,
    units: ResamplingUnits | None = None,
) -> dict[str, Estimate]:
    """Return `dendrogram_purity` of the species at the tips of one tree.

    Parameters
    ----------
    taxa : Rows
        Centroids of the species.
    labels : mapping from rank to ndarray, shape (n,), int64
        The taxon of that rank of each image, constant within each species: ``{rank: placement.at(rank)}``; -1 for none.
    rng, settings, units
        As for `estimate_dendrogram_agreement`.

    Returns
    -------
    dict from rank to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> genera = {"genus": np.array([0, 0, 1])}
    >>> estimate_dendrogram_purity(taxa, genera, np.random.default_rng(0), MeasureSettings())["genus"].value
    1.0
    """
    if reason := _reason_undefined(taxa, 2):
        return dict.fromkeys(labels, Estimate.undefined(reason, **taxa.counts))
    tip_labels = {rank: taxa.per_tip(label) for rank, label in labels.items()}

    def purities(kept: np.ndarray) -> np.ndarray:
        dendrogram = Dendrogram.average_linkage(taxa.vectors[kept])
        return np.ravel([_purity(dendrogram, label[kept]) for label in tip_labels.values()])

    jackknifed = _Jackknifed.of(purities, taxa, units, rng, settings)
    estimates = {}
    for number, (rank, label) in enumerate(tip_labels.items()):
        named = label >= 0
        n_images = int(np.sum(named[taxa.groups[taxa.groups >= 0]]))
        n_taxa = len(np.unique(label[named]))
        counts: dict[str, Any] = {"n_images": n_images, "n_taxa": n_taxa, "n_excluded": len(taxa.groups) - n_images}
        value, chance = jackknifed.values[2 * number : 2 * number + 2]
        if np.isnan(value):
            estimates[rank] = Estimate.undefined("no two species share a taxon", **counts)
        else:
            estimates[rank] = jackknifed.estimate(2 * number, (0.0, 1.0), float(chance), counts)
    return estimates


def _reason_undefined(taxa: Rows, n_needed: int) -> str:
    """Return why no dendrogram can be compared; empty if one can."""
    if taxa.counts["n_taxa"] < n_needed:
        return f"needs at least {n_needed} taxa, found {taxa.counts['n_taxa']}"
    lost = int(np.isnan(taxa.vectors).any(axis=1).sum())
    return f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""


def _purity(dendrogram: Dendrogram, labels: np.ndarray) -> tuple[float, float]:
    """Return purity and chance among the rows with a label."""
    named = labels >= 0
    return clade_purity(dendrogram.subset(named), labels[named]) if named.sum() > 1 else (np.nan, np.nan)


@dataclass(frozen=True, eq=False)
class _Jackknifed:
    """Statistics of all taxa, shape (s,), and without each group of units, shape (G, s); G is 0 with many taxa."""

    values: np.ndarray
    deleted: np.ndarray
    resampled: str
    settings: MeasureSettings

    @classmethod
    def of(
        cls,
        statistics: Callable[[np.ndarray], np.ndarray],
        taxa: Rows,
        units: ResamplingUnits | None,
        rng: np.random.Generator,
        settings: MeasureSettings,
    ) -> _Jackknifed:
        """Compute `statistics`, a function of the rows that are kept, of all taxa and without each group."""
        k = len(taxa.vectors)
        values = statistics(np.arange(k))
        name, group = taxa.jackknife_groups(units, rng, settings.n_groups)
        if k > settings.max_dendrogram_species:
            return cls(values, np.empty((0, len(values))), name, settings)
        kept = [np.flatnonzero(group != number) for number in range(int(group.max()) + 1)]
        nothing = np.full(len(values), np.nan)
        deleted = np.array([statistics(rows) if len(rows) > 1 else nothing for rows in kept])
        return cls(values, deleted, name, settings)

    def estimate(self, number: int, bounds: tuple[float, float], chance: float, counts: dict[str, Any]) -> Estimate:
        """Return one of the statistics with its interval."""
        most = self.settings.max_dendrogram_species
        note = "" if len(self.deleted) else f"no interval: more than {most:,} taxa, too many for one dendrogram a group"
        value = float(self.values[number])
        ends = jackknife_interval(value, self.deleted[:, number], bounds, self.settings.level)
        fields = interval(*ends, jackknife_method(self.settings), self.resampled)
        return Estimate(value, chance=chance, **fields, note=note, **counts)
