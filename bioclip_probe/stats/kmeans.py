"""K-means clusters of images, for as many clusters as there are species: one algorithm at every size."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from bioclip_probe.errors import DataError, some

#: Lloyd's iterations stop when the centres move by less than this share of the mean variance.
TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Clusters:
    """K-means clusters of images, and the clusters without each group of the jackknife.

    Attributes
    ----------
    starts : ndarray, shape (S, n), int64
        Clusters of each start; -1 for an image without a name.
    without_groups : ndarray, shape (G, n), int64, optional
        Clusters that the first start gives without each group, see `clusters_without`; -1 for the group too. None
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
        vectors: np.ndarray,
        labels: np.ndarray,
        rng: np.random.Generator,
        group: np.ndarray | None = None,
        n_groups: int | None = None,
    ) -> Clusters:
        """Cluster images, and cluster them again without each group.

        Parameters
        ----------
        vectors, labels, rng
            As for `kmeans`; there are as many clusters as taxa.
        group : ndarray, shape (n,), int64, optional
            Jackknife group of each image; -1 for none. By default images are not clustered again.
        n_groups : int, optional
            Number of groups, some of which may have no image; by default the last one has.

        Returns
        -------
        Clusters
        """
        starts = kmeans(vectors, labels, rng)
        if group is None:
            return cls(starts, None)
        without = []
        for number in range(int(group.max()) + 1 if n_groups is None else n_groups):
            kept = (group >= 0) & (group != number)
            k = len(np.unique(labels[kept & (labels >= 0)]))
            without.append(clusters_without(vectors, starts[0], kept, k))
        return cls(starts, np.array(without))


def kmeans(
    vectors: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    k: int | None = None,
    n_starts: int = 3,
    max_iterations: int = 50,
) -> np.ndarray:
    """Return k-means clusters of the images that have a name, from several starts.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings, or coordinates in a plane.
    labels : ndarray, shape (n,), int64
        Taxon at the rank, -1 for none.
    rng : numpy.random.Generator
    k : int, optional
        Number of clusters; by default the number of taxa in `labels`.
    n_starts : int
        Independent runs, each from its own starting centres. Their spread tells how far the clusters depend on them.
    max_iterations : int
        Largest number of Lloyd's iterations of a run.

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
    `starting_centers`, then scikit-learn's exact Lloyd iterations in float32. For unit rows, Euclidean distance and
    cosine similarity give the same order. Rows are first put in an order of their own, so the order of the input does
    not matter. O(n·k·d·log k) for the centres and O(n·k·d) for each iteration; memory O(n·(d + 256) + k·d).

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], dtype=np.float32)
    >>> clusters = kmeans(vectors, np.array([0, 0, 1, 1]), np.random.default_rng(0), n_starts=1)[0]
    >>> bool(clusters[0] == clusters[1] != clusters[2] == clusters[3])
    True
    """
    named = np.flatnonzero(labels >= 0)
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
    points = _without_mean(vectors[order])
    for start in range(n_starts):
        clusters[start, order] = _lloyd(points, starting_centers(points, k, rng), max_iterations)
    return clusters


def clusters_without(
    vectors: np.ndarray, clusters: np.ndarray, kept: np.ndarray, k: int, max_iterations: int = 50
) -> np.ndarray:
    """Return k-means clusters of some of the images, beginning with the clusters of all.

    Starting where all images ended, and not anew, shows what the left-out images change and not what another start
    would.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        As for `kmeans`.
    clusters : ndarray, shape (n,), int64
        One start of `kmeans`; -1 for images without a cluster.
    kept : ndarray, shape (n,), bool
        Images that stay; those without a cluster are left out anyway.
    k : int
        Number of clusters. Where more clusters than this have images left, the largest ones give the centres; where
        fewer have, the images that are farthest from any centre are centres too.
    max_iterations : int
        Largest number of Lloyd's iterations.

    Returns
    -------
    ndarray, shape (n,), int64
        -1 for images that are left out.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], dtype=np.float32)
    >>> clusters_without(vectors, np.array([0, 0, 1, 1]), np.array([True, True, True, False]), 2).tolist()
    [0, 0, 1, -1]
    """
    rows = np.flatnonzero(kept & (clusters >= 0))
    again = np.full(len(clusters), -1, dtype=np.int64)
    if k >= len(rows):
        again[rows] = np.arange(len(rows))
        return again
    points = _without_mean(vectors[rows])
    number, sizes = np.unique(clusters[rows], return_inverse=True, return_counts=True)[1:]
    order = np.argsort(number, kind="stable")
    sums = np.add.reduceat(points[order], np.cumsum(sizes) - sizes, axis=0, dtype=np.float64)
    centres = (sums / sizes[:, None])[np.sort(np.argsort(-sizes, kind="stable")[:k])].astype(np.float32)
    if len(centres) < k:
        squares = np.einsum("ij,ij->i", points, points)
        nearest = _squared_distances_to(points, squares, centres).min(axis=0)
        while len(centres) < k:
            centres = np.concatenate([centres, points[[np.argmax(nearest)]]])
            nearest = np.minimum(nearest, _squared_distances_to(points, squares, centres[-1:])[0])
    again[rows] = _lloyd(points, centres, max_iterations)
    return again


def _without_mean(rows: np.ndarray) -> np.ndarray:
    """Return a copy with the mean subtracted: float32 then distinguishes distances even if all cosines are near 1."""
    points = rows.astype(np.float32)
    points -= points.mean(axis=0, dtype=np.float64).astype(np.float32)
    return points


def _lloyd(points: np.ndarray, centres: np.ndarray, max_iterations: int) -> np.ndarray:
    """Return the clusters of Lloyd's exact iterations from given centres; `points` may change by rounding."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Fewer distinct points than clusters leave clusters empty; `cluster_purity` reports how many there are.
        warnings.simplefilter("ignore", ConvergenceWarning)
        lloyd = KMeans(len(centres), init=centres, n_init=1, max_iter=max_iterations, tol=TOLERANCE, copy_x=False)
        return np.asarray(lloyd.fit(points).labels_, dtype=np.int64)


def starting_centers(
    points: np.ndarray, k: int, rng: np.random.Generator, centers_per_draw: float = 4, most_candidates: int = 256
) -> np.ndarray:
    """Return points far apart from which k-means starts, by greedy k-means++.

    Parameters
    ----------
    points : ndarray, shape (n, d), float32
        With their mean subtracted; n > k.
    k : int
        Number of centres.
    rng : numpy.random.Generator
    centers_per_draw : float
        Candidates are drawn at once for one further centre per this many centres that there are already.
    most_candidates : int
        Largest number of candidates that are drawn at once. Neither number changes the distribution of the centres,
        only the number of products and rejections, and the memory.

    Returns
    -------
    ndarray, shape (k, d), float32
        Rows of `points`.

    Notes
    -----
    The first centre is any point. For each further centre, ``2 + log k`` candidates are drawn with probability
    proportional to the squared distance from the nearest centre, and the candidate that leaves the least sum of squared
    distances is chosen. scikit-learn does the same, with one small matrix product per centre. Here the candidates of
    many centres are drawn at once and compared with all points in one large product, in a fraction of the time. After a
    candidate was drawn, new centres may have reduced the distances; rejection corrects for this. The candidate is
    accepted with probability (distance now) / (distance when drawn), which gives exactly the distribution of a
    candidate that is drawn now.

    References
    ----------
    Arthur & Vassilvitskii 2007, SODA, 1027, Section 5 for the greedy version; rounds of many candidates as in k-means‖,
    Bahmani et al. 2012, PVLDB 5, 622.

    Examples
    --------
    >>> points = np.array([[0.0], [0.1], [9.0]], dtype=np.float32)
    >>> bool(starting_centers(points, 2, np.random.default_rng(0)).max() == 9)
    True
    """
    n, trials = len(points), 2 + int(math.log(k))
    squares = np.einsum("ij,ij->i", points, points)
    centres = [int(rng.integers(n))]
    nearest = _squared_distances(points, squares, np.array(centres))[0]
    while len(centres) < k:
        # The more centres there are, the less one more changes the distances, and the fewer candidates are rejected.
        wanted = trials * min(max(1, int(len(centres) / centers_per_draw)), k - len(centres))
        candidates = _draw_rows(nearest, max(trials, min(wanted, most_candidates)), rng)
        distances = _squared_distances(points, squares, candidates)
        level = rng.random(len(candidates)) * nearest[candidates]
        accepted: list[int] = []
        for candidate, point in enumerate(candidates):
            if level[candidate] <= nearest[point]:
                accepted.append(candidate)
            if len(accepted) == trials and len(centres) < k:
                remaining = [np.minimum(nearest, distances[each]) for each in accepted]
                best = int(np.argmin([distance.sum() for distance in remaining]))
                nearest = remaining[best]
                centres.append(int(candidates[accepted[best]]))
                accepted = []
    return points[centres]


def _draw_rows(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw row numbers in proportion to their weights, with replacement; uniformly if all weights are zero."""
    total = np.cumsum(weights, dtype=np.float64)
    if not total[-1]:
        return rng.integers(len(weights), size=size)
    rows = np.searchsorted(total, rng.random(size) * total[-1], side="right")
    return np.minimum(rows, len(weights) - 1)  # rounding may reach the total itself


def _squared_distances(points: np.ndarray, squares: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the squared distance of each chosen point to every point, shape (len(chosen), n), float32; 0 to itself."""
    distances = _squared_distances_to(points, squares, points[chosen])
    distances[np.arange(len(chosen)), chosen] = 0
    return distances


def _squared_distances_to(points: np.ndarray, squares: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the squared distance of each centre to every point, shape (c, n), float32."""
    distances = centres @ points.T
    distances *= -2
    distances += squares
    distances += np.einsum("ij,ij->i", centres, centres)[:, None]
    return np.maximum(distances, 0, out=distances)
