"""How well the taxa of one rank are separated: by neighbours, by clusters, by silhouette.

Each number comes with its chance level; `scores.adjusted` corrects for it. An image without a name at the rank
(label −1) takes no part, neither as an image to be scored nor as a neighbour or a member of a cluster, and is counted
in ``n_excluded``. Intervals resample species and keep every image's score as it is: neighbours, clusters and taxon
sums are not found anew in a replicate, since a species drawn twice would then be its own perfect neighbour.
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.metrics.scores import JACKKNIFE, interval, mean_score
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.partitions import contingency_cells, partition_agreement
from bioclip_probe.stats.resampling import jackknife_groups, jackknife_interval

N_PERMUTATIONS = 20
ROUNDING = 1e-6  # a cosine distance below this is zero but for the rounding of float32 vectors


def knn_purity(
    neighbours: np.ndarray,
    labels: np.ndarray,
    units: np.ndarray,
    k: int,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
) -> Estimate:
    """Mean share of an image's `k` nearest neighbours that are of its own taxon; in [0, 1], higher is better.

    Parameters
    ----------
    neighbours : ndarray, shape (n, ≥ k), int64
        From `stats.neighbours.nearest_neighbours` with ``among=labels >= 0`` and the same `groups`. One sweep serves
        every rank at which the same images have a name.
    labels : ndarray, shape (n,), int64
        Taxon at the rank, −1 for none.
    units : ndarray, shape (n,), int64
        The species of each image, resampled for the interval.
    k : int
        Neighbours counted. An image with fewer candidates is scored on those it has.
    rng : numpy.random.Generator
    groups : ndarray, shape (n,), int64, optional
        As given to `nearest_neighbours`.

    Returns
    -------
    Estimate
        An image without any other candidate of its taxon can never be right: it is not scored, stays a candidate
        for the others, and counts in ``n_excluded``. ``n_taxa`` counts the taxa scored. Chance is the mean over
        scored images of the share of their candidates that are of their taxon; without groups or single images that
        is Σ n_t(n_t − 1)/(n(n − 1)), and it is the exact mean over permutations of the labels. The note says the most
        that can be reached where taxa have k images or fewer.

    Raises
    ------
    ValueError
        If `neighbours` was made among other rows or with other groups, or is narrower than `k`.
    """
    named = labels >= 0
    n_named = int(named.sum())
    n_taxa = len(np.unique(labels[named]))
    if n_taxa < 2:
        return Estimate.undefined(_too_few(n_taxa), n_named, n_taxa, len(labels) - n_named)
    same, candidates = _candidates(labels, groups)
    anchors = np.flatnonzero(same > 0)
    if not len(anchors):
        return Estimate.undefined("every taxon has a single image", n_named, n_taxa, len(labels) - n_named)
    near = _checked_neighbours(neighbours, k, anchors, labels, groups)
    present = near >= 0
    share = ((labels[near] == labels[anchors, None]) & present).sum(axis=1) / present.sum(axis=1)
    reachable = float(np.mean(np.minimum(same[anchors] / present.sum(axis=1), 1)))
    return mean_score(
        share,
        units[anchors],
        rng,
        chance=float(np.mean(same[anchors] / candidates[anchors])),
        n_taxa=len(np.unique(labels[anchors])),
        n_excluded=len(labels) - len(anchors),
        note=f"at most {reachable:.3f} can be reached: some taxa have few images" if reachable < 1 - 1e-12 else "",
    )


def _too_few(n_taxa: int) -> str:
    return "only one taxon" if n_taxa else "no image has a name at this rank"


def _candidates(labels, groups):
    """How many candidates of its own taxon, and how many in all, each image has; 0 where it has no name."""
    named = labels >= 0
    group = np.arange(len(labels))
    if groups is not None:
        group = np.where(groups >= 0, groups, groups.max(initial=0) + 1 + group)
    _, taxon, in_taxon = np.unique(labels[named], return_inverse=True, return_counts=True)
    _, own, in_group = np.unique(group[named], return_inverse=True, return_counts=True)
    _, both, in_both = np.unique(taxon * len(in_group) + own, return_inverse=True, return_counts=True)
    same, candidates = np.zeros(len(labels), dtype=np.int64), np.zeros(len(labels), dtype=np.int64)
    same[named] = in_taxon[taxon] - in_both[both]
    candidates[named] = named.sum() - in_group[own]
    return same, candidates


def _checked_neighbours(neighbours, k, anchors, labels, groups):
    """The first `k` neighbours of the anchors, or an error if they were not made for these labels and groups."""
    if k < 1 or neighbours.shape[1] < k:
        raise ValueError(f"expected at least k = {k} ≥ 1 neighbours per image, got {neighbours.shape[1]}")
    near = neighbours[anchors, :k]
    present = near >= 0
    strangers = present & (labels[near] < 0)
    if strangers.any() or not present.any(axis=1).all():
        raise ValueError("neighbours were not made among the images with a name: pass among=labels >= 0")
    if groups is not None:
        own = groups[anchors, None]
        if (present & (own >= 0) & (groups[near] == own)).any():
            raise ValueError("neighbours hold members of the same group: pass the same groups")
    return near


def cluster_purity(clusters: np.ndarray, labels: np.ndarray, units: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Share of images whose taxon is the most frequent one of their cluster: Σ_c max_t n_ct / n; in (0, 1].

    Higher is better. More clusters give more purity, whence the chance level.

    Parameters
    ----------
    clusters : ndarray, shape (n_starts, n), int64
        From `stats.kmeans.kmeans` with the same `labels`.
    labels, units, rng
        As for `knn_purity`.

    Returns
    -------
    Estimate
        The mean over the starts. Chance is the mean purity when labels are permuted over images, 20 times for each
        start. Taxa with a single image take part. The note gives the number of clusters and the spread over starts
        (population standard deviation). In the interval each cluster keeps the taxon it is named after; naming it anew
        in each replicate would raise purity by the mere absence of species.
    """
    named = labels >= 0
    n_taxa, undefined = _clusterable(labels, named)
    if undefined:
        return undefined
    found, taxa = clusters[:, named], labels[named]
    scores = np.stack([_majority(start, taxa) for start in found])
    # Sorted, so that chance does not depend on the order of rows.
    mixed = [rng.permutation(np.sort(taxa)) for _ in range(N_PERMUTATIONS)]
    chance = np.mean([_majority(np.sort(start), labelling).mean() for start in found for labelling in mixed])
    return mean_score(
        scores.mean(axis=0),
        units[named],
        rng,
        chance=float(chance),
        n_taxa=n_taxa,
        n_excluded=int((~named).sum()),
        note=_starts_note(found, scores.mean(axis=1)),
    )


def cluster_agreement(
    clusters: np.ndarray, labels: np.ndarray, units: np.ndarray, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Adjusted mutual information and adjusted Rand index of clusters and taxa, each the mean over the starts.

    Both are 1 for equal partitions and 0 on average for random ones of the same sizes; higher is better.

    Parameters
    ----------
    clusters, labels, units, rng
        As for `cluster_purity`.

    Returns
    -------
    dict
        ``cluster_ami`` and ``cluster_ari``. The note is as in `cluster_purity`. The interval is a delete-group
        jackknife over species with the clusters held fixed: a species drawn twice, as in a bootstrap, would add pairs
        that agree by construction. It tells how far the numbers hang on the species, not on the starts.

    References
    ----------
    As in `stats.partitions.partition_agreement`.
    """
    named = labels >= 0
    n_taxa, undefined = _clusterable(labels, named)
    if undefined:
        return {"cluster_ami": undefined, "cluster_ari": undefined}
    found = clusters[:, named]
    _, unit = np.unique(units[named], return_inverse=True)
    group = jackknife_groups(int(unit.max()) + 1, rng)[unit]
    starts = np.array([_agreement_by_group(start, labels[named], group) for start in found])
    table = {}
    for name, each in zip(("cluster_ami", "cluster_ari"), np.moveaxis(starts, 2, 0), strict=True):
        whole, *deleted = each.mean(axis=0)
        low, high = jackknife_interval(whole, np.array(deleted), (-np.inf, 1.0))
        table[name] = Estimate(
            float(whole),
            chance=0.0,
            **interval(low, high, JACKKNIFE),
            n_images=int(named.sum()),
            n_taxa=n_taxa,
            n_excluded=int((~named).sum()),
            note=_starts_note(found, each[:, 0]),
        )
    return table


def _agreement_by_group(clusters, taxa, group):
    """Both indices of all images, then without each group of species in turn, shape (1 + groups, 2)."""
    cluster, taxon, cell = contingency_cells(clusters, taxa)
    n_groups = int(group.max()) + 1
    counts = np.bincount(cell * n_groups + group, minlength=len(cluster) * n_groups).reshape(len(cluster), n_groups)
    whole = counts.sum(axis=1)
    left = [whole, *(whole - counts.T)] if n_groups > 2 else [whole]
    return [partition_agreement(cluster, taxon, count) for count in left]


def _clusterable(labels, named):
    """The number of taxa, and the undefined estimate if they cannot be told apart by clusters."""
    n_named = int(named.sum())
    n_taxa = len(np.unique(labels[named]))
    n_excluded = len(labels) - n_named
    if n_taxa < 2:
        return n_taxa, Estimate.undefined(_too_few(n_taxa), n_named, n_taxa, n_excluded)
    if n_taxa == n_named:
        return n_taxa, Estimate.undefined("every taxon has a single image", n_named, n_taxa, n_excluded)
    return n_taxa, None


def _starts_note(found, values):
    sizes = sorted({len(np.unique(start)) for start in found})
    count = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return f"{count} clusters; sd over {len(found)} starts {np.std(values):.4f}"


def _majority(clusters, taxa):
    """1 for each image of the most frequent taxon of its cluster, 0 for others; m taxa that tie get 1/m each."""
    cluster, _, cell = contingency_cells(clusters, taxa)
    count = np.bincount(cell)
    _, starts = np.unique(cluster, return_index=True)
    largest = count == np.maximum.reduceat(count, starts)[cluster]
    return (largest / np.add.reduceat(largest.astype(np.int64), starts)[cluster])[cell]


def silhouette(
    vectors: np.ndarray, labels: np.ndarray, units: np.ndarray, rng: np.random.Generator, block: int = 1024
) -> Estimate:
    """Mean silhouette of the taxa in cosine distance; in [−1, 1], higher is better separated.

    An image's silhouette is (b − a)/max(a, b), with a its mean distance to the other images of its taxon and b the
    least mean distance to another taxon; 0 if its taxon has no other image, or if both are 0.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Unit rows.
    labels, units, rng
        As for `knn_purity`.
    block : int
        Rows compared with all taxa at once.

    Returns
    -------
    Estimate
        Without a chance level: random labels give a value at or a little below 0, which depends on the data.

    Notes
    -----
    With unit rows the mean cosine distance of u to the taxon with sum s_g is 1 − u·s_g/n_g, so that no pair of images
    is ever formed: O(n·taxa·d) time and O(block·taxa) memory, exact. In the interval the sums stay as they are.

    References
    ----------
    Rousseeuw, P. J. (1987). J. Comput. Appl. Math. 20, 53–65.
    """
    named = labels >= 0
    n_taxa, undefined = _clusterable(labels, named)
    if undefined:
        return undefined
    _, taxon, size = np.unique(labels[named], return_inverse=True, return_counts=True)
    rows = vectors[named]
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; not so in row {some(np.flatnonzero(named)[broken])}")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    sums = np.add.reduceat(rows[np.argsort(taxon, kind="stable")], starts, axis=0, dtype=np.float64)
    scores = np.empty(len(rows))
    for start in range(0, len(rows), block):
        part = slice(start, start + block)
        scores[part] = _silhouettes(rows[part].astype(np.float64), taxon[part], sums, size)
    return mean_score(scores, units[named], rng, n_taxa=n_taxa, n_excluded=int((~named).sum()))


def _silhouettes(rows, taxon, sums, size):
    each = np.arange(len(rows))
    towards = rows @ sums.T
    others = size[taxon] - 1
    within = 1 - (towards[each, taxon] - np.sum(rows * rows, axis=1)) / np.maximum(others, 1)
    between = 1 - towards / size
    between[each, taxon] = np.inf
    between = between.min(axis=1)
    within, between = (np.where(distance < ROUNDING, 0.0, distance) for distance in (within, between))
    larger = np.maximum(within, between)
    scored = (others > 0) & (larger > 0)
    return np.divide(between - within, larger, out=np.zeros(len(rows)), where=scored)
