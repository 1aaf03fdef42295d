"""Agreement of k-means clusters with the taxa of one rank.

An image without a name at the rank is in no cluster and is counted in ``n_excluded``. Intervals resample species and
keep the clusters as they are.
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.scores import adjusted, interval, jackknife_method, mean_score
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.partitions import contingency_cells, partition_agreement
from bioclip_probe.stats.resampling import jackknife_groups, jackknife_interval
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement


def cluster_purity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of images whose taxon is the most frequent one of their k-means cluster: Σ_c max_t n_ct / n.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`, in a taxonomy.
    settings : MeasureSettings, optional
        `n_label_permutations`, `n_bootstrap` and `level` are used.

    Returns
    -------
    list of Measurement
        ``cluster_purity`` in (0, 1], higher is better, and ``cluster_purity_adjusted``, corrected for chance, see
        `adjusted`, for each rank, with as many clusters as the rank has taxa. The mean over the starts of k-means. More
        clusters give more purity, so that the value needs its chance level: the mean purity when labels are permuted
        over images (null: images), 20 times for each start. Taxa with a single image take part. The note gives the
        number of clusters and the spread over starts (population standard deviation). In the interval each cluster
        keeps its most frequent taxon; choosing it again in each replicate would raise purity by the absence of species
        alone.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, eq. 16.1.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.value for row in cluster_purity(vectors, placement) if row.rank == "genus"]
    [1.0, 1.0]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name, rows = "cluster_purity", []
    for rank in RANKS:
        images = LabelledImages.at(shared, rank)
        purity = estimate_cluster_purity(shared.clusters(rank), images, shared.stream(name, rank), shared.settings)
        rows += measurements_at(rank, {name: purity, f"{name}_adjusted": adjusted(purity)})
    return rows


def estimate_cluster_purity(
    clusters: np.ndarray, images: LabelledImages, rng: np.random.Generator, settings: MeasureSettings
) -> Estimate:
    """Return `cluster_purity` at one rank.

    Parameters
    ----------
    clusters : ndarray, shape (n_starts, n), int64
        From `kmeans` with the same labels.
    images : LabelledImages
    rng : numpy.random.Generator
        It draws the permutations, and then the replicates.
    settings : MeasureSettings

    Returns
    -------
    Estimate

    Examples
    --------
    >>> images = LabelledImages(np.array([0, 0, 1, 1]), np.arange(4))
    >>> estimate_cluster_purity(np.array([[0, 0, 1, 1]]), images, np.random.default_rng(0), MeasureSettings()).value
    1.0
    """
    if reason := images.reason_undefined():
        return images.undefined(reason)
    starts, taxa = clusters[:, images.named], images.labels[images.named]
    scores = np.stack([_majority(start, taxa) for start in starts])
    # Sorted, so that chance does not depend on the order of rows.
    permuted = [rng.permutation(np.sort(taxa)) for _ in range(settings.n_label_permutations)]
    chance = np.mean([_majority(np.sort(start), labelling).mean() for start in starts for labelling in permuted])
    return mean_score(
        scores.mean(axis=0),
        images.species[images.named],
        rng,
        settings,
        chance=float(chance),
        n_taxa=images.n_taxa,
        n_excluded=images.n_excluded,
        note=_starts_note(starts, scores.mean(axis=1)),
    )


def cluster_agreement(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return adjusted mutual information and adjusted Rand index of k-means clusters and taxa, at each rank.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``cluster_ami`` and ``cluster_ari``, each the mean over the starts of k-means. Both are 1 for equal partitions
        and 0 on average for random ones of the same sizes; higher is better. The note is as in `cluster_purity`. The
        interval is a delete-group jackknife over species with the clusters held fixed: a species drawn twice, as in a
        bootstrap, would add pairs that agree by construction. It describes how far the numbers depend on the species,
        not on the starts.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    As for `partition_agreement`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.value for row in cluster_agreement(vectors, placement) if row.rank == "genus"]
    [1.0, 1.0]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rows = []
    for rank in RANKS:
        rng = shared.stream("cluster_agreement", rank)
        images = LabelledImages.at(shared, rank)
        rows += measurements_at(rank, estimate_cluster_agreement(shared.clusters(rank), images, rng, shared.settings))
    return rows


def estimate_cluster_agreement(
    clusters: np.ndarray, images: LabelledImages, rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `cluster_agreement` at one rank.

    Parameters
    ----------
    clusters, images
        As for `estimate_cluster_purity`.
    rng : numpy.random.Generator
        It draws the groups of the jackknife.
    settings : MeasureSettings
        `n_groups` and `level` are used.

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> images = LabelledImages(np.array([0, 0, 1, 1]), np.arange(4))
    >>> clusters, rng = np.array([[0, 0, 1, 1]]), np.random.default_rng(0)
    >>> estimate_cluster_agreement(clusters, images, rng, MeasureSettings())["cluster_ari"].value
    1.0
    """
    names = ("cluster_ami", "cluster_ari")
    if reason := images.reason_undefined():
        return dict.fromkeys(names, images.undefined(reason))
    named = images.named
    starts, taxa = clusters[:, named], images.labels[named]
    _, unit = np.unique(images.species[named], return_inverse=True)
    group = jackknife_groups(int(unit.max()) + 1, rng, settings.n_groups)[unit]
    agreements = np.array([agreement_without_groups(start, taxa, group) for start in starts])
    estimates = {}
    for name, of_index in zip(names, np.moveaxis(agreements, 2, 0), strict=True):
        value, *deleted = of_index.mean(axis=0)
        ends = jackknife_interval(value, np.array(deleted), (-np.inf, 1.0), settings.level)
        estimates[name] = Estimate(
            float(value),
            chance=0.0,
            **interval(*ends, jackknife_method(settings)),
            n_images=int(named.sum()),
            n_taxa=images.n_taxa,
            n_excluded=images.n_excluded,
            note=_starts_note(starts, of_index[:, 0]),
        )
    return estimates


def agreement_without_groups(clusters: np.ndarray, taxa: np.ndarray, group: np.ndarray) -> list[tuple[float, float]]:
    """Return both indices of agreement of all images, and without each group of species in turn.

    Parameters
    ----------
    clusters, taxa, group : ndarray, shape (n,), int64
        The cluster, the taxon and the jackknife group of each image; groups are numbered from 0.

    Returns
    -------
    list of (float, float)
        Adjusted mutual information and adjusted Rand index, 1 + G pairs; one pair with fewer than three groups.

    Examples
    --------
    >>> agreement_without_groups(np.array([0, 0, 1, 1]), np.array([5, 5, 7, 7]), np.array([0, 1, 0, 1]))
    [(1.0, 1.0)]
    """
    cluster, taxon, cell = contingency_cells(clusters, taxa)
    n_groups = int(group.max()) + 1
    counts = np.bincount(cell * n_groups + group, minlength=len(cluster) * n_groups).reshape(len(cluster), n_groups)
    total = counts.sum(axis=1)
    tables = [total, *(total - counts.T)] if n_groups > 2 else [total]
    return [partition_agreement(cluster, taxon, count) for count in tables]


def _starts_note(starts: np.ndarray, values: np.ndarray) -> str:
    """Return the number of clusters and the spread of a number over the starts of k-means."""
    sizes = sorted({len(np.unique(start)) for start in starts})
    count = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return f"{count} clusters; sd over {len(starts)} starts {np.std(values):.4f}"


def _majority(clusters: np.ndarray, taxa: np.ndarray) -> np.ndarray:
    """Return 1 for images of the most frequent taxon of their cluster, 0 for others; m taxa that tie get 1/m each."""
    cluster, _, cell = contingency_cells(clusters, taxa)
    count = np.bincount(cell)
    _, starts = np.unique(cluster, return_index=True)
    largest = count == np.maximum.reduceat(count, starts)[cluster]
    return (largest / np.add.reduceat(largest.astype(np.int64), starts)[cluster])[cell]
