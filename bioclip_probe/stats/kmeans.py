"""K-means that copes with as many clusters as there are species: one algorithm at every size."""

from __future__ import annotations

import math
import warnings

import numpy as np

from bioclip_probe.errors import DataError, some

N_STARTS = 3
#: Lloyd's iterations stop here, or where the centres move by less than `TOLERANCE` of the mean variance.
MAX_ITERATIONS = 50
TOLERANCE = 1e-4
#: Candidates are drawn ahead for one centre in so many of those there are, and for so many candidates at most. Neither
#: changes the distribution of the centres, only how many products there are, how many rejections, and the memory.
AHEAD = 4
MOST_CANDIDATES = 256


def kmeans(
    vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator, k: int | None = None, n_starts: int = N_STARTS
) -> np.ndarray:
    """Clusters of the images that have a name, by k-means from several starts.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings, or coordinates in a plane.
    labels : ndarray, shape (n,), int64
        Taxon at the rank, −1 for none.
    rng : numpy.random.Generator
    k : int, optional
        Number of clusters; by default the number of taxa in `labels`.
    n_starts : int
        Independent runs, each from its own starting centres: their spread tells how far the clusters depend on them.

    Returns
    -------
    ndarray, shape (n_starts, n), int64
        Cluster of each image, −1 where `labels` is.

    Raises
    ------
    DataError
        If the vector of an image that has a name is not finite.

    Notes
    -----
    `starting_centres`, then scikit-learn's exact Lloyd iterations in float32, at most 50 of them. On unit rows
    Euclidean and cosine order agree. Rows are put in an order of their own first, so that the order they come in does
    not matter. O(n·k·d·log k) for the centres and O(n·k·d) for each iteration; memory O(n·(d + 256) + k·d).
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    named = np.flatnonzero(labels >= 0)
    broken = named[~np.isfinite(vectors[named]).all(axis=1)]
    if len(broken):
        raise DataError(f"embeddings must be finite; not so in row {some(broken)}")
    clusters = np.full((n_starts, len(labels)), -1, dtype=np.int64)
    k = len(np.unique(labels[named])) if k is None else k
    if k >= len(named):
        clusters[:, named] = np.arange(len(named))
        return clusters
    along = np.einsum("ij,j->i", vectors[named], rng.standard_normal(vectors.shape[1]))
    order = named[np.argsort(along, kind="stable")]
    # About their mean, where float32 tells distances apart even if all cosines are near 1.
    points = vectors[order].astype(np.float32, copy=False)
    points -= points.mean(axis=0, dtype=np.float64).astype(np.float32)
    for start in range(n_starts):
        centres = starting_centres(points, k, rng)
        with warnings.catch_warnings():
            # Fewer distinct points than k leaves clusters empty; `cluster_purity` says how many there are.
            warnings.simplefilter("ignore", ConvergenceWarning)
            lloyd = KMeans(k, init=centres, n_init=1, max_iter=MAX_ITERATIONS, tol=TOLERANCE, copy_x=False)
            clusters[start, order] = lloyd.fit(points).labels_
    return clusters


def starting_centres(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Points far apart to start k-means from, by greedy k-means++, shape (k, d).

    Parameters
    ----------
    points : ndarray, shape (n, d), float32
        About their mean; n > k.
    k : int
    rng : numpy.random.Generator

    Notes
    -----
    The first centre is any point. For each further one ``2 + log k`` candidates are drawn with probability
    proportional to the squared distance from the nearest centre so far, and the one that leaves the least sum of
    squared distances stays: what scikit-learn does, one small matrix product a centre. Here the candidates of many
    centres are drawn at once and meet all points in one large product, a fraction of the time. That the distances
    have shrunk since a candidate was drawn is made good by rejection: it is kept with probability (distance now) /
    (distance when drawn), which gives the distribution of one drawn now, exactly.

    References
    ----------
    Arthur & Vassilvitskii 2007, SODA, 1027, Section 5 for the greedy version; rounds of many candidates as in k-means‖,
    Bahmani et al. 2012, PVLDB 5, 622.
    """
    n, trials = len(points), 2 + int(math.log(k))
    squares = np.einsum("ij,ij->i", points, points)
    centres = [int(rng.integers(n))]
    nearest = _squared_distances(points, squares, centres)[0]
    while len(centres) < k:
        # The more centres there are, the less one more changes the distances, and the fewer candidates are rejected.
        wanted = trials * min(max(1, int(len(centres) / AHEAD)), k - len(centres))
        drawn = _drawn(nearest, max(trials, min(wanted, MOST_CANDIDATES)), rng)
        distances = _squared_distances(points, squares, drawn)
        level = rng.random(len(drawn)) * nearest[drawn]
        waiting: list[int] = []
        for candidate, point in enumerate(drawn):
            if level[candidate] <= nearest[point]:
                waiting.append(candidate)
            if len(waiting) == trials and len(centres) < k:
                left = [np.minimum(nearest, distances[each]) for each in waiting]
                best = int(np.argmin([rest.sum() for rest in left]))
                nearest = left[best]
                centres.append(int(drawn[waiting[best]]))
                waiting = []
    return points[centres]


def _drawn(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Row numbers drawn in proportion to their weights, with replacement; any of them where all weights are zero."""
    total = np.cumsum(weights, dtype=np.float64)
    if not total[-1]:
        return rng.integers(len(weights), size=size)
    drawn = np.searchsorted(total, rng.random(size) * total[-1], side="right")
    return np.minimum(drawn, len(weights) - 1)  # should rounding reach the total itself


def _squared_distances(points: np.ndarray, squares: np.ndarray, chosen: np.ndarray | list[int]) -> np.ndarray:
    """Squared distance of each chosen point to every point, shape (len(chosen), n), float32; 0 to itself."""
    distances = points[chosen] @ points.T
    distances *= -2
    distances += squares
    distances += squares[chosen, None]
    np.maximum(distances, 0, out=distances)
    distances[np.arange(len(chosen)), chosen] = 0
    return distances
