"""The tree that an embedding draws by itself, average linkage of centroids, against the tree of life."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.dendrograms import Dendrogram, clade_purity, cophenetic_agreement, triplet_agreement
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.tree.tree import Placement

#: With more taxa no dendrogram is drawn anew without each group of them, and there is no interval.
MOST_REDRAWN = 2_000
COPHENETIC, TRIPLETS = "dendrogram_cophenetic_correlation", "dendrogram_triplet_accuracy"
PURITY = "dendrogram_purity"
BOUNDS = {COPHENETIC: (-1.0, 1.0), TRIPLETS: (0.0, 1.0)}
CHANCE = {COPHENETIC: 0.0, TRIPLETS: 1 / 3}
FLAT = {
    COPHENETIC: "tree distance or embedding distance does not vary",
    TRIPLETS: "the tree resolves no triplet of taxa",
}


def dendrogram_agreement(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: ResamplingUnits | None = None
) -> dict[str, Estimate]:
    """Distances and triplets of the dendrogram of centroids against those of the tree.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The taxa joined are its tips, at the cosine distance of their centroids, by average linkage.
    rng : numpy.random.Generator
        For the groups of the jackknife.
    units : ResamplingUnits, optional
        What the intervals resample; the taxa themselves if not given.

    Returns
    -------
    dict from metric to Estimate
        ``dendrogram_cophenetic_correlation``: Pearson of tree distance and joining height over all pairs of taxa; in
        [-1, 1], higher is better, 0 without signal.
        ``dendrogram_triplet_accuracy``: share of the triplets of taxa resolved by the tree that the dendrogram
        resolves alike, which is 1 - the triplet distance; in [0, 1], higher is better. Polytomies and inner branches
        of no length resolve nothing; a triplet that the dendrogram leaves open counts 1/3, which is chance.
        All triplets are counted, none is sampled.

        Intervals leave out one group of units after the other and draw the dendrogram anew; with more than 2,000 taxa
        there is none, and the note says so. Undefined with fewer than three taxa or if the images of a taxon cancel
        out; the correlation also where a distance does not vary, the share on a star tree.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    O(k² d) for k taxa, and O(k · inner nodes) for the triplets; 8 k² bytes.

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33; Critchlow, Pearl & Qian 1996, Syst. Biol. 45, 323 (triplet distance).
    """
    taxa = Rows.taxa(vectors, placement)
    if reason := _undefined(taxa, 3):
        return dict.fromkeys(BOUNDS, Estimate.undefined(reason, **taxa.counts))

    def both(kept: np.ndarray) -> np.ndarray:
        tree = taxa.tree.subset(taxa.tree.tips[kept])[0]
        drawn = Dendrogram.average_linkage(taxa.vectors[kept])
        return np.array([cophenetic_agreement(tree, drawn), triplet_agreement(tree, drawn)])

    values, deleted, name = _redrawn(both, taxa, rng, units)
    return {
        metric: Estimate.undefined(FLAT[metric], **taxa.counts)
        if np.isnan(value)
        else _estimate(float(value), without, BOUNDS[metric], CHANCE[metric], (name, taxa.counts))
        for metric, value, without in zip(BOUNDS, values, deleted.T, strict=True)
    }


def dendrogram_purity(
    vectors: np.ndarray,
    placement: Placement,
    labels: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    units: ResamplingUnits | None = None,
) -> dict[str, Estimate]:
    """How pure the clades of the dendrogram of centroids are, rank by rank.

    Parameters
    ----------
    vectors, placement, rng, units
        As for `dendrogram_agreement`, the placement as a rule ``placement.coarsen("species")``.
    labels : mapping from rank to ndarray, shape (n,), int64
        The taxon of that rank of each image, constant within each tip: ``{rank: placement.at(rank)}``. A taxon
        labelled -1 (no name at that rank) takes no part: the dendrogram is pruned to the others.

    Returns
    -------
    dict from rank to Estimate
        Over all pairs of species of one taxon, the mean share of that taxon among the species of the smallest clade
        that holds both; in (0, 1], higher is better, 1 where every taxon is a clade. Chance is the mean over all ways
        to shuffle the labels, exactly. The interval leaves out one group of units after the other, as in
        `dendrogram_agreement`. Undefined where no two species share a taxon.

    Raises
    ------
    DataError
        If a vector is not finite.

    References
    ----------
    Heller & Ghahramani 2005, ICML, 297.
    """
    taxa = Rows.taxa(vectors, placement)
    if reason := _undefined(taxa, 2):
        return dict.fromkeys(labels, Estimate.undefined(reason, **taxa.counts))
    of_tip = {rank: taxa.per_tip(label) for rank, label in labels.items()}

    def purities(kept: np.ndarray) -> np.ndarray:
        drawn = Dendrogram.average_linkage(taxa.vectors[kept])
        return np.ravel([_purity(drawn, label[kept]) for label in of_tip.values()])

    values, deleted, name = _redrawn(purities, taxa, rng, units)
    found = {}
    for rank, value, chance, without in zip(of_tip, values[::2], values[1::2], deleted.T[::2], strict=True):
        named = of_tip[rank] >= 0
        n_images = int(np.sum(named[taxa.groups[taxa.groups >= 0]]))
        n_taxa = len(np.unique(of_tip[rank][named]))
        counts = {"n_images": n_images, "n_taxa": n_taxa, "n_excluded": len(taxa.groups) - n_images}
        if np.isnan(value):
            found[rank] = Estimate.undefined("no two species share a taxon", **counts)
        else:
            found[rank] = _estimate(float(value), without, (0.0, 1.0), float(chance), (name, counts))
    return found


def _undefined(taxa: Rows, fewest: int) -> str:
    if taxa.counts["n_taxa"] < fewest:
        return f"needs at least {fewest} taxa, found {taxa.counts['n_taxa']}"
    lost = int(np.isnan(taxa.vectors).any(axis=1).sum())
    return f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""


def _purity(drawn: Dendrogram, labels: np.ndarray) -> tuple[float, float]:
    """Purity and chance among the rows with a label."""
    named = labels >= 0
    return clade_purity(drawn.pruned(named), labels[named]) if named.sum() > 1 else (np.nan, np.nan)


def _redrawn(
    statistics: Callable[[np.ndarray], np.ndarray], taxa: Rows, rng: np.random.Generator, units: ResamplingUnits | None
) -> tuple[np.ndarray, np.ndarray, str]:
    """Statistics of all taxa, those without each group of units, and the name of these; no groups if that is dear."""
    k = len(taxa.vectors)
    values = statistics(np.arange(k))
    name, part = taxa.jackknife_groups(units, rng)
    if k > MOST_REDRAWN:
        return values, np.empty((0, len(values))), name
    kept = [np.flatnonzero(part != number) for number in range(int(part.max()) + 1)]
    nothing = np.full(len(values), np.nan)
    return values, np.array([statistics(rows) if len(rows) > 1 else nothing for rows in kept]), name


def _estimate(
    value: float, deleted: np.ndarray, bounds: tuple[float, float], chance: float, of: tuple[str, dict[str, int]]
) -> Estimate:
    name, counts = of
    note = "" if len(deleted) else f"no interval: only up to {MOST_REDRAWN:,} taxa are dendrograms drawn anew"
    ends = interval(*jackknife_interval(value, deleted, bounds), JACKKNIFE, name)
    return Estimate(value, chance=chance, **ends, note=note, **counts)
