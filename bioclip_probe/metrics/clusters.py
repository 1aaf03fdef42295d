"""Agreement of k-means clusters with the taxa of one rank, beside what a memoriser of species without a tree reaches.

An image without a name at the rank is in no cluster and is counted in ``n_excluded``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bioclip_probe.metrics.intervals import SAME, with_enough_relatives, with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.scores import adjusted
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.kmeans import Clusters
from bioclip_probe.stats.partitions import cluster_purities, partition_agreements
from bioclip_probe.stats.permutation import PermutedLabels
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement


@dataclass(frozen=True, eq=False)
class Index:
    """A function of clusters and labels that gives one number or several.

    Attributes
    ----------
    names : tuple of str
        Names of the s numbers.
    function : callable
        Takes the clusters of images, shape (n,), and P labellings of them, shape (P, n), and returns the numbers of
        each labelling, shape (P, s).
    bounds : (float, float)
        The range of the numbers.
    corrected : bool
        True if the numbers are 0 on average when labels are permuted over images.

    Examples
    --------
    >>> PURITY.names
    ('cluster_purity',)
    """

    names: tuple[str, ...]
    function: Callable[[np.ndarray, np.ndarray], np.ndarray]
    bounds: tuple[float, float]
    corrected: bool


PURITY = Index(("cluster_purity",), cluster_purities, (0.0, 1.0), corrected=False)
AGREEMENT = Index(("cluster_ami", "cluster_ari"), partition_agreements, (-np.inf, 1.0), corrected=True)


@dataclass(frozen=True, eq=False)
class ClusteredImages:
    """Images with their taxa and clusters, the permutations that give chance, and the groups of the interval.

    Attributes
    ----------
    images : LabelledImages
    clusters : Clusters
    jackknife : Jackknife
        Of the same images.
    permuted : PermutedLabels, optional
        Labels with whole species permuted. None where taxa are species: chance then permutes labels over images.
    stream : callable
        Returns the random stream of permutations of labels over images, from its beginning.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> ClusteredImages.at(SharedResults(vectors, placement), "genus").null
    'species'
    """

    images: LabelledImages
    clusters: Clusters
    jackknife: Jackknife
    permuted: PermutedLabels | None
    stream: Callable[[], np.random.Generator]

    @classmethod
    def at(cls, shared: SharedResults, rank: str) -> ClusteredImages:
        """Return the clustered images of an embedding with their taxa at a rank.

        Parameters
        ----------
        shared : SharedResults
        rank : str

        Returns
        -------
        ClusteredImages
        """
        images, permuted = LabelledImages.at(shared, rank), None
        if rank != RANKS[-1]:
            n, rng = shared.settings.n_null_permutations, shared.stream("species null", rank)
            permuted = PermutedLabels.of(images.labels, shared.placement.node, n, rng)
        stream = partial(shared.stream, "cluster labels", rank)
        return cls(images, shared.clusters(rank), shared.jackknife(), permuted, stream)

    @property
    def null(self) -> str:
        """The name of the null."""
        return "species" if self.permuted else "images"

    def chance(self, index: Index, clusters: np.ndarray, kept: np.ndarray, n_permutations: int) -> np.ndarray:
        """Return the mean of an index over permuted labels.

        Parameters
        ----------
        index : Index
        clusters : ndarray, shape (n,), int64
        kept : ndarray, shape (n,), bool
            Images with a cluster and a label that enter.
        n_permutations : int
            Permutations of labels over images, where taxa are species.

        Returns
        -------
        ndarray, shape (s,)
        """
        if self.permuted:
            return index.function(clusters[kept], self.permuted.without(kept)[:, kept]).mean(axis=0)
        if index.corrected:
            return np.zeros(len(index.names))
        # Sorted, so that chance does not depend on the order of rows.
        labels, rng = np.sort(self.images.labels[kept]), self.stream()
        permuted = np.array([rng.permutation(labels) for _ in range(n_permutations)])
        return index.function(np.sort(clusters[kept]), permuted).mean(axis=0)


def cluster_purity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of images whose taxon is the most frequent one of their k-means cluster: Σ_c max_t n_ct / n.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`, in a taxonomy.
    settings : MeasureSettings, optional
        `n_null_permutations`, `n_label_permutations`, `max_recluster`, `n_groups`, `resample` and `level` are used.

    Returns
    -------
    list of Measurement
        ``cluster_purity`` in (0, 1], higher is better, and ``cluster_purity_adjusted``, corrected for chance, see
        `adjusted`, for each rank, with as many clusters as the rank has taxa. The mean over three starts of k-means, or
        one where images times taxa are more than 5 million. More clusters give more purity, so that the value needs
        its chance level. Above species, chance is the mean purity of
        the same clusters when whole species are permuted over the tips of the tree (null: species), which is what a
        perfect memoriser of species without any tree reaches; at species, when labels are permuted over images (null:
        images). Taxa with a single image take part. The note gives the number of clusters and the spread over starts
        (population standard deviation).

        The interval is a delete-group jackknife: without each group of species the images are clustered again, from
        where all of them ended at the first start, and chance is computed again too. It describes how far the number
        depends on the species. With more than `max_recluster` images times taxa there is none, since clusters that are
        held fixed give intervals that are too narrow.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    Clustering again without each of twenty groups takes less time than the three starts: from where all images ended,
    few iterations are needed, and they compare images with the centres that moved. With 5,000 images of 390 taxa in 512
    dimensions the starts take 1.0 s of one core and the groups 0.3 s.

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
    return _at_each_rank(PURITY, SharedResults.of(embeddings, placement, settings))


def cluster_agreement(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return adjusted mutual information and adjusted Rand index of k-means clusters and taxa, at each rank.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`, in a taxonomy.
    settings : MeasureSettings, optional
        As for `cluster_purity`.

    Returns
    -------
    list of Measurement
        ``cluster_ami`` and ``cluster_ari``, each the mean over the starts of k-means. Both are 1 for equal partitions
        and 0 on average for labels that are permuted over images; higher is better. That correction knows no species:
        a model that recognises species and knows no tree is far above 0 at the ranks above. So their chance above
        species is the mean over permutations of whole species (null: species), and ``cluster_ami_adjusted`` and
        ``cluster_ari_adjusted`` are corrected for it: 0 for a memoriser of species without a tree, 1 for equal
        partitions. At species chance is 0 (null: images). Note and interval are as in `cluster_purity`.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    As for `partition_agreements`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.value for row in cluster_agreement(vectors, placement) if row.rank == "genus"]
    [1.0, 1.0, 1.0, 1.0]
    """
    return _at_each_rank(AGREEMENT, SharedResults.of(embeddings, placement, settings))


def _at_each_rank(index: Index, shared: SharedResults) -> list[Measurement]:
    """Return the numbers of an index at each rank, plain and adjusted."""
    rows = []
    for rank in RANKS:
        rows += measurements_at(rank, estimate_index(index, ClusteredImages.at(shared, rank), shared.settings))
    return rows


def estimate_index(
    index: Index, clustered: ClusteredImages, settings: MeasureSettings, without_interval: str = ""
) -> dict[str, Estimate]:
    """Return `cluster_purity` or `cluster_agreement` of some images.

    Parameters
    ----------
    index : Index
        `PURITY` or `AGREEMENT`.
    clustered : ClusteredImages
    settings : MeasureSettings
        `n_label_permutations`, `max_recluster` and `level` are used.
    without_interval : str, optional
        The note where there are no clusters without each group; by default that there are too many images and taxa.

    Returns
    -------
    dict from metric to Estimate
        ``<name>`` and ``<name>_adjusted`` for each name of the index.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> estimate_index(PURITY, ClusteredImages.at(shared, "genus"), shared.settings)["cluster_purity"].null
    'species'
    """
    images, starts = clustered.images, clustered.clusters.starts
    if reason := images.reason_undefined():
        return {name: images.undefined(reason) for each in index.names for name in (each, f"{each}_adjusted")}
    named, n_permutations = images.named, settings.n_label_permutations
    by_start = np.array([index.function(start[named], images.labels[None, named])[0] for start in starts])
    chance = np.mean([clustered.chance(index, start, named, n_permutations) for start in starts], axis=0)
    deleted = _without_each_group(index, clustered, n_permutations)
    too_many = f"no interval: more than {settings.max_recluster:,} images times taxa, too many to cluster them again"
    jackknife = clustered.jackknife.take(named)
    estimates: dict[str, Estimate] = {}
    for number, name in enumerate(index.names):
        estimate = Estimate(
            float(by_start[:, number].mean()),
            chance=float(chance[number]),
            null=clustered.null,
            n_images=int(named.sum()),
            n_taxa=images.n_taxa,
            n_excluded=images.n_excluded,
            note=_starts_note(starts[:, named], by_start[:, number]),
        )
        if deleted is None:
            estimate = with_note(estimate, without_interval or too_many)
            estimates |= {name: estimate, f"{name}_adjusted": adjusted(estimate)}
            continue
        values, chances = deleted[:, :, number].T
        estimate = _with_varying_interval(with_interval(estimate, values, jackknife, settings, index.bounds))
        beyond = adjusted(estimate, chances, jackknife, settings)
        if clustered.null == "species":
            beyond = with_enough_relatives(beyond, images.labels[named], images.species[named])
        estimates |= {name: estimate, f"{name}_adjusted": beyond}
    return estimates


def _without_each_group(index: Index, clustered: ClusteredImages, n_permutations: int) -> np.ndarray | None:
    """Return values and chance levels without each group, shape (G, 2, s); NaN where taxa cannot be told apart."""
    without, images = clustered.clusters.without_groups, clustered.images
    if without is None:
        return None
    rows = []
    for clusters in without:
        kept = clusters >= 0
        if LabelledImages(images.labels[kept], images.species[kept]).reason_undefined():
            rows.append(np.full((2, len(index.names)), np.nan))
            continue
        value = index.function(clusters[kept], images.labels[None, kept])[0]
        rows.append(np.array([value, clustered.chance(index, clusters, kept, n_permutations)]))
    return np.array(rows)


def _with_varying_interval(estimate: Estimate) -> Estimate:
    """Return the estimate without an interval of width 0, which would only say that few units agree."""
    if estimate.ci_high - estimate.ci_low > SAME or np.isnan(estimate.ci_low):
        return estimate
    estimate = replace(estimate, ci_low=np.nan, ci_high=np.nan, ci_method="")
    return with_note(estimate, "no interval: the number is the same without any of the groups")


def _starts_note(starts: np.ndarray, values: np.ndarray) -> str:
    """Return the number of clusters and the spread of a number over the starts of k-means."""
    sizes = sorted({len(np.unique(start)) for start in starts})
    count = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    spread = f"sd over {len(starts)} starts {np.std(values):.4f}" if len(starts) > 1 else "one start"
    return f"{count} clusters; {spread}"
