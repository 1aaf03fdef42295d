"""K-means clusters of images, for as many clusters as there are species: one algorithm at every size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.stats.devices import uses_torch
from bioclip_probe.stats.lloyd import Start, cluster_sums, lloyd_from_each
from bioclip_probe.stats.nearest_centers import Assignment, Change, Points
from bioclip_probe.stats.pair_distances import PairDistances
from bioclip_probe.stats.starting_centers import n_trials, starting_centers
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.stats.vicinities import Vicinities

#: Independent runs of k-means.
N_STARTS = 3
#: Images times taxa up to which k-means is started several times.
MOST_STARTED_AGAIN = 5_000_000
#: The distances of all pairs of this many images are kept, at most: 484 MB. Of more images vicinities are.
MOST_IN_PAIRS = 11_000
#: Images times groups that are left out together, at most.
MOST_TOGETHER = 2**22


@dataclass(eq=False)
class Images:
    """Images that are clustered, at several ranks that share the distances of pairs of images.

    Attributes
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings, or coordinates in a plane.
    device : str
        See `bioclip_probe.stats.devices`.
    most_clusters : int
        The largest number of clusters that they will have at any rank.

    Examples
    --------
    >>> len(Images(np.eye(3, dtype=np.float32)).points(np.array([0, 2])))
    2
    """

    vectors: np.ndarray
    device: str = "cpu"
    most_clusters: int = 0
    _rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64), repr=False)
    _known: Vicinities | PairDistances | None = field(default=None, repr=False)

    def points(self, rows: np.ndarray) -> Points:
        """Return some images with their mean subtracted.

        Parameters
        ----------
        rows : ndarray, shape (r,), int64

        Returns
        -------
        Points
            In float32, which then distinguishes distances even if all cosines are near 1.
        """
        points = self.vectors[rows].astype(np.float32)
        points -= points.mean(axis=0, dtype=np.float64).astype(np.float32)
        return Points(points, self.device)

    def known_distances(
        self, points: Points, rows: np.ndarray, k: int, n_starts: int
    ) -> Vicinities | PairDistances | None:
        """Return the distances of pairs of some images, or their vicinities, where they save more than they cost.

        Parameters
        ----------
        points : Points
            From ``points(rows)``.
        rows : ndarray, shape (r,), int64
        k : int
            Number of clusters.
        n_starts : int

        Returns
        -------
        Vicinities or PairDistances, optional
            None for few clusters. They are kept for the next rank.
        """
        place = np.full(len(self.vectors), -1)
        place[self._rows] = np.arange(len(self._rows))
        if self._known is not None and place[rows].min() >= 0:
            return self._known.take(place[rows])
        most = max(k, self.most_clusters)
        # They take half of all pairs; without them every candidate takes a product with all images.
        if n_starts * n_trials(most) * most <= len(rows):
            return None
        in_pairs = len(rows) <= MOST_IN_PAIRS and not uses_torch(self.device)
        self._rows, self._known = rows, PairDistances.of(points) if in_pairs else Vicinities.of(points)
        return self._known


@dataclass(frozen=True, eq=False)
class Clusters:
    """K-means clusters of images, and the clusters without each group of the jackknife.

    Attributes
    ----------
    starts : ndarray, shape (S, n), int64
        Clusters of each start; -1 for an image without a name.
    without_groups : ndarray, shape (G, n), int64, optional
        Clusters that the first start gives without each group, see `clusters_without_each`; -1 for the group too. None
        where they would take too long.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], dtype=np.float32)
    >>> labels, group = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> Clusters.of(vectors, labels, np.random.default_rng(0), group).without_groups.shape
    (2, 4)
    """

    starts: np.ndarray
    without_groups: np.ndarray | None

    @classmethod
    def of(
        cls,
        images: Images | np.ndarray,
        labels: np.ndarray,
        rng: np.random.Generator,
        group: np.ndarray | None = None,
        n_groups: int | None = None,
    ) -> Clusters:
        """Cluster images, and cluster them again without each group.

        Parameters
        ----------
        images, labels, rng
            As for `kmeans`; there are as many clusters as taxa. There is one start where images times taxa are more
            than `MOST_STARTED_AGAIN`, where others take long and change little.
        group : ndarray, shape (n,), int64, optional
            Jackknife group of each image; -1 for none. By default images are not clustered again.
        n_groups : int, optional
            Number of groups, some of which may have no image; by default the last one has.

        Returns
        -------
        Clusters
        """
        images = images if isinstance(images, Images) else Images(images)
        with one_thread:
            rows = np.flatnonzero(labels >= 0)
            n_starts = N_STARTS if len(rows) * len(np.unique(labels[rows])) <= MOST_STARTED_AGAIN else 1
            starts = kmeans(images, labels, rng, n_starts=n_starts)
            if group is None:
                return cls(starts, None)
            if not len(rows):
                return cls(starts, np.full((n_groups or int(group.max()) + 1, len(labels)), -1))
            points, k = images.points(rows), len(np.unique(labels[rows]))
            known = images.known_distances(points, rows, k, n_starts)
            whole = WholeClusters.of(points, starts[0, rows], known if isinstance(known, PairDistances) else None)

            n_groups, without = int(group.max()) + 1 if n_groups is None else n_groups, []
            at_once = max(1, MOST_TOGETHER // len(rows))
            for first in range(0, n_groups, at_once):
                numbers = range(first, min(first + at_once, n_groups))
                kept = [(group[rows] >= 0) & (group[rows] != number) for number in numbers]
                n_taxa = [len(np.unique(labels[rows[some]])) for some in kept]
                without += clusters_without_each(whole, kept, n_taxa)
            clusters = np.full((n_groups, len(labels)), -1)
            clusters[:, rows] = np.array(without)
            return cls(starts, clusters)


def kmeans(
    images: Images | np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    k: int | None = None,
    n_starts: int = N_STARTS,
) -> np.ndarray:
    """Return k-means clusters of the images that have a name, from several starts.

    Parameters
    ----------
    images : Images, or ndarray, shape (n, d), float32
        Embeddings, or coordinates in a plane.
    labels : ndarray, shape (n,), int64
        Taxon at the rank, -1 for none.
    rng : numpy.random.Generator
    k : int, optional
        Number of clusters; by default the number of taxa in `labels`.
    n_starts : int
        Independent runs, each from its own starting centres. Their spread tells how far the clusters depend on them.

    Returns
    -------
    ndarray, shape (n_starts, n), int64
        Cluster of each image, -1 where `labels` is.

    Raises
    ------
    DataError
        If the vector of an image that has a name is not finite.

    Notes
    -----
    `starting_centers`, then `lloyd`. For unit rows, Euclidean distance and cosine similarity give the same order. Rows
    are first put in an order of their own, so the order of the input does not matter. O(n·k·d·log k) for the centres or
    O(n²·d) where that is less, and O(n·k·d) for the first iteration; memory O(n·(d + 256) + k·d), and up to 484 MB for
    the distances of all pairs of images.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], dtype=np.float32)
    >>> clusters = kmeans(vectors, np.array([0, 0, 1, 1]), np.random.default_rng(0), n_starts=1)[0]
    >>> bool(clusters[0] == clusters[1] != clusters[2] == clusters[3])
    True
    """
    images = images if isinstance(images, Images) else Images(images)
    vectors, named = images.vectors, np.flatnonzero(labels >= 0)
    broken = named[~np.isfinite(vectors[named]).all(axis=1)]
    if len(broken):
        raise DataError(f"embeddings must be finite; {len(broken)} are not, in rows {some(broken)}")
    clusters = np.full((n_starts, len(labels)), -1, dtype=np.int64)
    k = len(np.unique(labels[named])) if k is None else k
    if k >= len(named):
        clusters[:, named] = np.arange(len(named))
        return clusters
    along = np.einsum("ij,j->i", vectors[named], rng.standard_normal(vectors.shape[1]))
    order = named[np.argsort(along, kind="stable")]
    with one_thread:
        points = images.points(order)
        known = images.known_distances(points, order, k, n_starts)
        centers = [starting_centers(points, k, rng, known) for _ in range(n_starts)]
        starts = [Start(points.rows[each.rows], Assignment.of(each.cluster)) for each in centers]
        clusters[:, order] = lloyd_from_each(points, starts)
    return clusters


@dataclass(frozen=True, eq=False)
class WholeClusters:
    """Clusters of images, from which those without some of the images begin.

    Attributes
    ----------
    points : Points
        n images.
    clusters : ndarray, shape (n,), int64
        One start of `kmeans`.
    centres : ndarray, shape (k, d), float32
        The means of the clusters; 0 where there is no image.
    assignment : Assignment
        Of the images to these centres.
    pairs : PairDistances, optional
        Of the images, where they are known.

    Examples
    --------
    >>> points = Points(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], dtype=np.float32))
    >>> WholeClusters.of(points, np.array([0, 0, 1])).assignment.cluster.tolist()
    [0, 0, 1]
    """

    points: Points
    clusters: np.ndarray
    centres: np.ndarray
    assignment: Assignment
    pairs: PairDistances | None = None

    @classmethod
    def of(cls, points: Points, clusters: np.ndarray, pairs: PairDistances | None = None) -> WholeClusters:
        """Compare all images with the means of their clusters.

        Parameters
        ----------
        points, clusters, pairs
            As the attributes.

        Returns
        -------
        WholeClusters
        """
        number, sizes = np.arange(int(clusters.max(initial=-1)) + 1), np.bincount(clusters)
        centres = cluster_sums(points.rows, clusters, number) / np.maximum(sizes, 1)[:, None]
        centres = centres.astype(np.float32)
        return cls(points, clusters, centres, points.nearest(centres), pairs)

    def squared_distances(self, image: int) -> np.ndarray:
        """Return the squared distance of all images from one of them.

        Parameters
        ----------
        image : int

        Returns
        -------
        ndarray, shape (n,), float32
        """
        if self.pairs is not None:
            return self.pairs.from_images(np.array([image]))[0]
        return self.points.squared_distances(self.points.rows[[image]])[0]

    def without(self, kept: np.ndarray, chosen: np.ndarray) -> Change:
        """Return the means of chosen clusters without some images, and which of them lie elsewhere than with these.

        Parameters
        ----------
        kept : ndarray, shape (n,), bool
            Images that stay.
        chosen : ndarray, shape (c,), int64
            The clusters, each with an image that stays, in ascending order.

        Returns
        -------
        Change
        """
        number = np.full(len(self.centres), -1)
        number[chosen] = np.arange(len(chosen))
        smaller = np.intersect1d(self.clusters[~kept], chosen)
        sums = cluster_sums(self.points.rows, np.where(kept, self.clusters, -1), smaller)
        centres = self.centres[chosen]
        centres[number[smaller]] = sums / np.bincount(self.clusters[kept])[smaller, None]
        cluster = number[self.assignment.cluster]
        second = np.where(cluster < 0, -np.inf, self.assignment.second).astype(np.float32)
        return Change(centres, number[smaller], Assignment(cluster, self.assignment.score.copy(), second))

    def with_farthest(self, centres: np.ndarray, assignment: Assignment, kept: np.ndarray, k: int) -> Start:
        """Return k centres to start from: some, and if they are fewer the images that are farthest from any.

        Parameters
        ----------
        centres : ndarray, shape (c, d), float32
        assignment : Assignment
            Of the images to these centres.
        kept : ndarray, shape (n,), bool
            Images that stay.
        k : int

        Returns
        -------
        Start
        """
        nearest, added = np.where(kept, np.maximum(assignment.score + self.points.squares, 0), -1), list[int]()
        while len(centres) + len(added) < k:
            added.append(int(np.argmax(nearest)))
            nearest = np.minimum(nearest, self.squared_distances(added[-1]))
        if added:
            new = np.arange(len(centres), k)
            centres = np.concatenate([centres, self.points.rows[added]])
            (assignment,) = self.points.update([Change(centres, new, assignment)])
        return Start(centres, assignment, kept)


def clusters_without_each(
    whole: WholeClusters, kept: Sequence[np.ndarray], n_clusters: Sequence[int]
) -> list[np.ndarray]:
    """Return k-means clusters of some of the images, several times, beginning with the clusters of all.

    Starting where all images ended, and not anew, shows what the left-out images change and not what another start
    would.

    Parameters
    ----------
    whole : WholeClusters
        Of n images.
    kept : sequence of ndarray, shape (n,), bool
        Images that stay, each time.
    n_clusters : sequence of int
        Number of clusters, each time. Where more clusters than this have images left, the largest ones give the
        centres; where fewer have, the images that are farthest from any centre are centres too.

    Returns
    -------
    list of ndarray, shape (n,), int64
        -1 for images that are left out.

    Examples
    --------
    >>> points = Points(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], dtype=np.float32))
    >>> whole = WholeClusters.of(points, np.array([0, 0, 1, 1]))
    >>> clusters_without_each(whole, [np.array([True, True, True, False])], [2])
    [array([ 0,  0,  1, -1])]
    """
    clusters = [np.where(some, np.cumsum(some) - 1, -1) for some in kept]  # of every image alone
    numbers = [number for number, k in enumerate(n_clusters) if k < kept[number].sum()]
    changes = []
    for number in numbers:
        sizes = np.bincount(whole.clusters[kept[number]])
        k = min(n_clusters[number], np.count_nonzero(sizes))
        changes.append(whole.without(kept[number], np.sort(np.argsort(-sizes, kind="stable")[:k])))
    starts = [
        whole.with_farthest(change.centres, assignment, kept[number], n_clusters[number])
        for number, change, assignment in zip(numbers, changes, whole.points.update(changes), strict=True)
    ]
    for number, found in zip(numbers, lloyd_from_each(whole.points, starts), strict=True):
        clusters[number] = found
    return clusters
