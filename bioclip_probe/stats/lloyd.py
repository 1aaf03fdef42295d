"""Lloyd's iterations of k-means from given centres, exactly, without the products that cannot change anything.

After the first iterations few centres move. Each image remembers how far its own centre is, and a lower bound on how
far every other one is. So all images are compared with the centres that moved only, and those images with all centres
whose own centre moved away beyond the bound (Kaukoranta, Fränti & Nevalainen 2000). In hundreds of dimensions this
leaves out more than bounds by the triangle inequality do (Hamerly, Yinyang), and all that is left are large products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.nearest_centers import Assignment, Change, Points
from bioclip_probe.stats.threads import in_threads, n_threads

#: Iterations stop when the sum of the squared moves of the centres is at most this share of the mean variance.
TOLERANCE = 1e-4
#: Largest number of iterations.
MAX_ITERATIONS = 50


def lloyd(
    points: Points,
    centres: np.ndarray,
    known: Assignment | None = None,
    kept: np.ndarray | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> np.ndarray:
    """Return the clusters of Lloyd's exact iterations.

    Parameters
    ----------
    points : Points
        n images.
    centres : ndarray, shape (k, d), float32
        Where the centres begin.
    known : Assignment, optional
        Of the images to these centres. It may be written.
    kept : ndarray, shape (n,), bool, optional
        Images that are clustered; by default all.
    max_iterations : int

    Returns
    -------
    ndarray, shape (n,), int64
        The nearest centre of each image when no image changed its cluster any more; or when the centres moved by no
        more than the tolerance, or after so many iterations. -1 for images that are not kept.

    Notes
    -----
    The iterations, their end and the treatment of empty clusters are those of scikit-learn's ``KMeans``: a cluster
    without images begins anew at an image that is farthest from its centre. Sums are in float64, products in float32.

    References
    ----------
    Lloyd 1982, IEEE Trans. Inf. Theory 28, 129; Kaukoranta, Fränti & Nevalainen 2000, IEEE Trans. Image Process. 9,
    1337.

    Examples
    --------
    >>> points = Points(np.array([[0.0], [1.0], [5.0], [6.0]], dtype=np.float32))
    >>> lloyd(points, np.array([[0.0], [1.0]], dtype=np.float32)).tolist()
    [0, 0, 1, 1]
    """
    return lloyd_from_each(points, [Start(centres, known, kept)], max_iterations)[0]


class Start(NamedTuple):
    """The start of one run of Lloyd's iterations.

    Attributes
    ----------
    centres, known, kept
        As for `lloyd`.

    Examples
    --------
    >>> Start(np.zeros((1, 2), dtype=np.float32)).known is None
    True
    """

    centres: np.ndarray
    known: Assignment | None = None
    kept: np.ndarray | None = None


def lloyd_from_each(points: Points, starts: Sequence[Start], max_iterations: int = MAX_ITERATIONS) -> list[np.ndarray]:
    """Return the clusters of Lloyd's exact iterations from several starts.

    The runs do not know of each other. They go on together, because images are faster compared with the centres that
    moved in all runs at once.

    Parameters
    ----------
    points : Points
        n images.
    starts : sequence of Start
    max_iterations : int

    Returns
    -------
    list of ndarray, shape (n,), int64
        As from `lloyd`.

    Examples
    --------
    >>> points = Points(np.array([[0.0], [1.0], [5.0], [6.0]], dtype=np.float32))
    >>> starts = [Start(points.rows[[0, 1]]), Start(points.rows[[3, 0]])]
    >>> [clusters.tolist() for clusters in lloyd_from_each(points, starts)]
    [[0, 0, 1, 1], [1, 1, 0, 0]]
    """
    runs = [_Run(points, start) for start in starts]
    active = runs
    for _ in range(max_iterations):
        changes = list(in_threads(_Run.move, active, n_threads(len(active) * points.rows.size)))
        for run, assignment in zip(active, points.update(changes), strict=True):
            run.assign(assignment)
        active = [run for run in active if not run.ended]
        if not active:
            break
    return [run.now for run in runs]


class _Run:
    """One run of iterations: its centres, and the cluster of each image now and before."""

    def __init__(self, points: Points, start: Start) -> None:
        self.points, self.centres = points, start.centres
        self.left_out = np.zeros(len(points), dtype=bool) if start.kept is None else ~start.kept
        self.tolerance = TOLERANCE * _mean_variance(points, self.left_out)
        self.assignment = start.known or points.nearest(start.centres)
        self.now, self.before = self._clusters(), np.full(len(points), -1)
        self.ended, self.shift = False, np.inf

    def move(self) -> Change:
        """Move the centres to the means of their clusters."""
        self.centres, moved, self.shift = _move_centres(self.points.rows, self.centres, self.now, self.before)
        return Change(self.centres, moved, self.assignment)

    def assign(self, assignment: Assignment) -> None:
        """Take over an assignment to the centres, and tell whether the run has ended."""
        self.assignment, self.before = assignment, self.now
        self.now = self._clusters()
        self.ended = self.shift <= self.tolerance or np.array_equal(self.now, self.before)

    def _clusters(self) -> np.ndarray:
        """Return the cluster of each image, −1 for those that are left out."""
        return np.where(self.left_out, -1, self.assignment.cluster)


def _mean_variance(points: Points, left_out: np.ndarray) -> float:
    """Return the mean over dimensions of the variance of the images that are not left out."""
    one = np.where(left_out, -1, 0)
    mean = cluster_sums(points.rows, one, np.zeros(1, dtype=np.int64))[0] / np.sum(~left_out)
    square = float(points.squares[~left_out].mean(dtype=np.float64))
    return (square - float(mean @ mean)) / len(mean)


def _move_centres(
    rows: np.ndarray, centres: np.ndarray, cluster: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the means of the clusters, which of them are not where the centre was, and the sum of squared moves."""
    size = np.bincount(cluster + 1, minlength=len(centres) + 1)[1:]
    empty = np.flatnonzero(size == 0)
    changed = np.full(len(centres) + 1, len(empty) > 0)  # the last one is no cluster: that of images left out
    different = cluster != before
    changed[cluster[different]] = changed[before[different]] = True
    number = np.flatnonzero(changed[:-1])
    sums = cluster_sums(rows, cluster, number)
    if len(empty):
        _fill_empty(rows, centres, cluster, empty, sums, size)
    filled = size[number] > 0
    means = centres.copy()
    means[number[filled]] = sums[filled] / size[number[filled], None]
    moves = means[number].astype(np.float64) - centres[number]
    moved = moves.any(axis=1)
    return means, number[moved], float(np.einsum("ij,ij->", moves, moves))


def cluster_sums(rows: np.ndarray, cluster: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the sums of the rows of some clusters.

    Parameters
    ----------
    rows : ndarray, shape (n, d), float32
    cluster : ndarray, shape (n,), int64
        Cluster of each row; -1 for none.
    chosen : ndarray, shape (c,), int64
        Numbers of the clusters.

    Returns
    -------
    ndarray, shape (c, d), float64

    Examples
    --------
    >>> cluster_sums(np.ones((3, 2), dtype=np.float32), np.array([0, 1, 1]), np.array([1])).tolist()
    [[2.0, 2.0]]
    """
    place = np.full(max(cluster.max(initial=0), chosen.max(initial=0)) + 2, -1)  # the last one is for no cluster
    place[chosen] = np.arange(len(chosen))
    sums = np.zeros((len(chosen), rows.shape[1]))
    _add_rows(rows, cluster, place, sums)
    return sums


def _fill_empty(
    rows: np.ndarray, centres: np.ndarray, cluster: np.ndarray, empty: np.ndarray, sums: np.ndarray, size: np.ndarray
) -> None:
    """Move one of the images that are farthest from their centres into each empty cluster."""
    distance = np.empty(len(rows))
    _squared_distances_to_own(rows, centres, cluster, distance)
    if distance.max() <= 0:
        return  # no more distinct images than clusters
    for one, image in zip(empty, np.argpartition(distance, -len(empty))[: -len(empty) - 1 : -1], strict=True):
        sums[cluster[image]] -= rows[image]
        size[cluster[image]] -= 1
        sums[one], size[one] = rows[image], 1


@njit(cache=True, nogil=True)
def _add_rows(rows: np.ndarray, cluster: np.ndarray, place: np.ndarray, sums: np.ndarray) -> None:
    """Add each row to the sum of its cluster, where that has a place."""
    for row in range(len(rows)):
        at = place[cluster[row]]
        if at >= 0:
            for j in range(rows.shape[1]):
                sums[at, j] += rows[row, j]


@njit(cache=True, nogil=True)
def _squared_distances_to_own(rows: np.ndarray, centres: np.ndarray, cluster: np.ndarray, distance: np.ndarray) -> None:
    """Fill in the squared distance of each row from the centre of its cluster; -1 where it has none."""
    for row in range(len(rows)):
        distance[row] = 0.0 if cluster[row] >= 0 else -1.0
        for j in range(rows.shape[1] if cluster[row] >= 0 else 0):
            distance[row] += (rows[row, j] - centres[cluster[row], j]) ** 2
