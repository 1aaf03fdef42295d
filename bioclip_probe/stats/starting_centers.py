"""The starting centres of k-means, by greedy k-means++, for tens of thousands of centres."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.nearest_centers import Points
from bioclip_probe.stats.pair_distances import PairDistances
from bioclip_probe.stats.vicinities import Vicinities

#: Vectors of the open images are copied when at most this share of them is left.
SHARE_LEFT = 0.9
#: Reductions of the sum of squared distances tie up to this share: two images near to each other reduce it alike.
TIE = 1e-5


class StartingCenters(NamedTuple):
    """The images from which k-means starts.

    Attributes
    ----------
    rows : ndarray, shape (k,), int64
        The image that each centre is.
    cluster : ndarray, shape (n,), int64
        The nearest of these centres to each image.

    Examples
    --------
    >>> StartingCenters(np.array([2]), np.zeros(3, dtype=np.int64)).rows.tolist()
    [2]
    """

    rows: np.ndarray
    cluster: np.ndarray


def starting_centers(
    points: Points,
    k: int,
    rng: np.random.Generator,
    known: Vicinities | PairDistances | None = None,
    centers_per_draw: float = 4,
    most_candidates: int = 256,
) -> StartingCenters:
    """Return points far apart from which k-means starts, by greedy k-means++.

    Parameters
    ----------
    points : Points
        n images; n > k.
    k : int
        Number of centres.
    rng : numpy.random.Generator
    known : Vicinities or PairDistances, optional
        Of the same images. They do not change the centres, only how many products are needed.
    centers_per_draw : float
        Candidates are drawn at once for one further centre per this many centres that there are already.
    most_candidates : int
        Largest number of candidates that are drawn at once. Neither number changes the distribution of the centres,
        only the number of products and rejections, and the memory.

    Returns
    -------
    StartingCenters

    Notes
    -----
    The first centre is any point. For each further centre, ``2 + log k`` candidates are drawn with probability
    proportional to the squared distance from the nearest centre, and the candidate that leaves the least sum of squared
    distances is chosen. scikit-learn does the same, with one small matrix product per centre. Here the candidates of
    many centres are drawn at once and compared with all points in one large product, in a fraction of the time. After a
    candidate was drawn, new centres may have reduced the distances; rejection corrects for this. The candidate is
    accepted with probability (distance now) / (distance when drawn), which gives exactly the distribution of a
    candidate that is drawn now.

    A candidate changes only the images that are nearer to it than to any centre. Once a centre lies in the vicinity of
    an image, all such candidates are listed there, and the image takes no part in the products any more.

    References
    ----------
    Arthur & Vassilvitskii 2007, SODA, 1027, Section 5 for the greedy version; rounds of many candidates as in k-means‖,
    Bahmani et al. 2012, PVLDB 5, 622.

    Examples
    --------
    >>> points = Points(np.array([[0.0], [0.1], [9.0]], dtype=np.float32))
    >>> 2 in starting_centers(points, 2, np.random.default_rng(0)).rows
    True
    """
    n, trials = len(points), n_trials(k)
    start = StartingCenters(np.empty(k, dtype=np.int64), np.zeros(n, dtype=np.int64))
    lists = known if isinstance(known, Vicinities) else Vicinities.none(n)
    opened, count = Opened(points, np.arange(n), np.ones(n, dtype=bool)), 1

    def distances_to_opened(images: np.ndarray) -> np.ndarray:
        """Return the squared distances of some images from the open ones."""
        if isinstance(known, PairDistances):
            return known.from_images(images)
        return opened.points.squared_distances(points.rows[images])

    first = start.rows[0] = rng.integers(n)
    distance = distances_to_opened(np.array([first]))[0]
    distance[first] = 0
    while count < k:
        # The more centres there are, the less one more changes the distances, and the fewer candidates are rejected.
        wanted = trials * min(max(1, int(count / centers_per_draw)), k - count)
        candidates = _draw_rows(distance, max(trials, min(wanted, most_candidates)), rng)
        level = rng.random(len(candidates)) * distance[candidates]
        opened = opened.without(distance <= lists.reach)
        draw = Draw(candidates, level, distances_to_opened(candidates), opened.rows, opened.mask)
        count = _choose(draw, trials, lists, distance, start, count)
    return start


def n_trials(k: int) -> int:
    """Return the number of candidates for each of k centres.

    Parameters
    ----------
    k : int

    Returns
    -------
    int

    Examples
    --------
    >>> n_trials(10_000)
    11
    """
    return 2 + int(math.log(k))


class Opened(NamedTuple):
    """The images that have no centre in their vicinity, or a few more.

    Attributes
    ----------
    points : Points
        Their vectors.
    rows : ndarray, shape (o,), int64
        Their numbers, in ascending order.
    mask : ndarray, shape (n,), bool
        True for them.

    Examples
    --------
    >>> opened = Opened(Points(np.eye(3, dtype=np.float32)), np.arange(3), np.ones(3, dtype=bool))
    >>> opened.without(np.array([True, False, False])).rows.tolist()
    [1, 2]
    """

    points: Points
    rows: np.ndarray
    mask: np.ndarray

    def without(self, closed: np.ndarray) -> Opened:
        """Return the images that are still open.

        Parameters
        ----------
        closed : ndarray, shape (n,), bool

        Returns
        -------
        Opened
            The same as before while few have closed, because their vectors are copied.
        """
        left = self.mask & ~closed
        if left.sum() > SHARE_LEFT * len(self.rows):
            return self
        kept = np.flatnonzero(left[self.rows])
        return Opened(self.points.subset(kept), self.rows[kept], left)


class Draw(NamedTuple):
    """Candidates that were drawn at once.

    Attributes
    ----------
    rows : ndarray, shape (c,), int64
        The image of each candidate.
    level : ndarray, shape (c,), float64
        The candidate is rejected when its squared distance from the nearest centre is below this.
    to_opened : ndarray, shape (c, o), float32
        Squared distance of each candidate from the open images.
    opened, mask : ndarray
        Numbers and mask of the open images, see `Opened`.

    Examples
    --------
    >>> Draw(np.array([0]), np.array([0.5]), np.ones((1, 2), np.float32), np.arange(2), np.ones(2, bool)).rows.tolist()
    [0]
    """

    rows: np.ndarray
    level: np.ndarray
    to_opened: np.ndarray
    opened: np.ndarray
    mask: np.ndarray


def _draw_rows(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw row numbers in proportion to their weights, with replacement; uniformly if all weights are zero."""
    total = np.cumsum(weights, dtype=np.float64)
    if not total[-1]:
        return rng.integers(len(weights), size=size)
    rows = np.searchsorted(total, rng.random(size) * total[-1], side="right")
    return np.minimum(rows, len(weights) - 1)  # rounding may reach the total itself


@njit(cache=True, nogil=True)
def _choose(
    draw: Draw, trials: int, lists: Vicinities, distance: np.ndarray, start: StartingCenters, count: int
) -> int:
    """Choose the next centres among the candidates, and return how many centres there are then."""
    nearest = np.empty(len(draw.opened), distance.dtype)
    _take(distance, draw.opened, nearest)
    accepted, best, most = 0, -1, -1.0
    for candidate in range(len(draw.rows)):
        row = draw.rows[candidate]
        if count == len(start.rows) or draw.level[candidate] > distance[row]:
            continue
        gain = _gain(nearest, draw.to_opened[candidate]) + (0.0 if draw.mask[row] else distance[row])
        for entry in range(lists.start[row], lists.start[row + 1]):
            near = lists.row[entry]
            if not draw.mask[near]:
                gain += max(distance[near] - lists.distance[entry], np.float32(0))
        accepted += 1
        if gain > (1 + TIE) * most:
            best, most = candidate, gain
        if accepted == trials:
            _add_center(draw, best, lists, distance, start, count)
            _take(distance, draw.opened, nearest)
            accepted, most, count = 0, -1.0, count + 1
    return count


@njit(cache=True, nogil=True)
def _take(values: np.ndarray, rows: np.ndarray, taken: np.ndarray) -> None:
    """Write the values of some rows."""
    for at in range(len(rows)):
        taken[at] = values[rows[at]]


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc", "contract"})
def _gain(nearest: np.ndarray, distances: np.ndarray) -> float:
    """Return by how much a candidate reduces the sum of squared distances from the nearest centre."""
    gain = 0.0
    for at in range(len(nearest)):
        gain += max(nearest[at] - distances[at], np.float32(0))
    return gain


@njit(cache=True, nogil=True)
def _add_center(
    draw: Draw, best: int, lists: Vicinities, distance: np.ndarray, start: StartingCenters, count: int
) -> None:
    """Make a candidate the next centre."""
    row = draw.rows[best]
    start.rows[count] = row
    for at in range(len(draw.opened)):
        near = draw.opened[at]
        if draw.to_opened[best, at] < distance[near]:
            distance[near], start.cluster[near] = draw.to_opened[best, at], count
    for entry in range(lists.start[row], lists.start[row + 1]):
        near = lists.row[entry]
        if lists.distance[entry] < distance[near]:
            distance[near], start.cluster[near] = lists.distance[entry], count
    if distance[row] > 0:
        distance[row], start.cluster[row] = 0.0, count
