"""Distances along the surface on which points lie: shortest paths in the graph of their nearest neighbours."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.spatial.distance import pdist, squareform

from bioclip_probe.stats.table_loops import fill
from bioclip_probe.stats.threads import in_threads, n_threads

#: The least length of an edge; longer ones tie up to this share.
SHORTEST = 1e-9
#: Points whose paths a thread finds at once.
BLOCK = 64
#: Share of the mean length of an edge by which the limit of final paths rises.
STEP = 0.5
#: States of a point: its path is below the limit, or beyond it.
NEAR, FAR = 1, 2


def straight_distances(points: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of every two points, which no two points have less than `SHORTEST`.

    Parameters
    ----------
    points : ndarray, shape (m, d)

    Returns
    -------
    ndarray, shape (m, m)

    Examples
    --------
    >>> straight_distances(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 5.0], [5.0, 0.0]]
    """
    return squareform(np.maximum(pdist(points), SHORTEST))


def geodesic_distances(straight: np.ndarray, n_neighbors: int = 10) -> np.ndarray:
    """Return the length of the shortest path between every two points in the graph of their nearest neighbours.

    Parameters
    ----------
    straight : ndarray, shape (m, m)
        Their distances, see `straight_distances`.
    n_neighbors : int
        An edge as long as their distance joins two points if one is among so many nearest points of the other (ties
        with the last of them too), or if any minimum spanning tree joins them, so that there is always a path.

    Returns
    -------
    ndarray, shape (m, m)
        Symmetric, zero diagonal, at least the Euclidean distance.

    Notes
    -----
    A minimum spanning tree joins two points if every other path has a step at least as long as their distance. The tree
    that Prim's algorithm grows has the longest step of the best path to each point. O(m² log m) time, on all cores.

    References
    ----------
    Tenenbaum, de Silva & Langford 2000, Science 290, 2319; Meyer & Sanders 2003, J. Algorithms 49, 114
    (Δ-stepping); Prim 1957, Bell Syst.
    Tech. J. 36, 1389.

    Examples
    --------
    >>> straight = straight_distances(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    >>> geodesic_distances(straight, n_neighbors=1)[0].tolist()
    [0.0, 1.0, 2.0]
    """
    m = len(straight)
    reach = np.maximum(_reaches(straight, min(n_neighbors, m - 1)), 0)
    start, neighbor = _edges(straight, reach, _longest_steps(straight))
    length = straight[np.repeat(np.arange(m), np.diff(start)), neighbor]
    paths, step = np.full((m, m), np.inf), STEP * float(length.mean())

    def find_paths(first: int) -> None:
        """Find the paths from a block of points."""
        _shortest_paths(start, neighbor, length, step, first, paths[first : first + BLOCK])

    for _ in in_threads(find_paths, range(0, m, BLOCK), n_threads(m * len(neighbor))):
        pass
    return np.minimum(paths, paths.T)


@njit(cache=True, nogil=True)
def _reaches(straight: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Return the distance of the last of so many nearest points of each point."""
    reach = np.zeros(len(straight))
    if not n_neighbors:
        return reach
    nearest = np.empty(n_neighbors)
    for row in range(len(straight)):
        fill(nearest, np.inf)
        for other in range(len(straight)):
            distance = straight[row, other]
            if other != row and distance < nearest[-1]:
                at = n_neighbors - 1
                while at and nearest[at - 1] > distance:
                    nearest[at] = nearest[at - 1]
                    at -= 1
                nearest[at] = distance
        reach[row] = nearest[-1]
    return reach


@njit(cache=True, nogil=True)
def _longest_steps(straight: np.ndarray) -> np.ndarray:
    """Return, for every two points, the longest step of the path between them whose longest step is shortest."""
    m = len(straight)
    steps = np.zeros((m, m))
    distance, nearest, inside = straight[0].copy(), np.zeros(m, dtype=np.int64), np.zeros(m, dtype=np.bool_)
    inside[0], joined = True, np.zeros(m, dtype=np.int64)
    for count in range(1, m):
        new = -1
        for point in range(m):
            if not inside[point] and (new < 0 or distance[point] < distance[new]):
                new = point
        for at in range(count):
            old = joined[at]
            steps[new, old] = steps[old, new] = max(steps[nearest[new], old], distance[new])
        inside[new], joined[count] = True, new
        for point in range(m):
            if not inside[point] and straight[new, point] < distance[point]:
                distance[point], nearest[point] = straight[new, point], new
    return steps


@njit(cache=True, nogil=True)
def _edges(straight: np.ndarray, reach: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the neighbours of each point begin, (m + 1,), and the neighbours."""
    m = len(straight)
    start, near = np.zeros(m + 1, dtype=np.int64), np.zeros((m, m), dtype=np.bool_)
    for row in range(m):
        for other in range(m):
            limit = max(max(reach[row], reach[other]), steps[row, other])
            near[row, other] = other != row and straight[row, other] <= (1 + SHORTEST) * limit
            start[row + 1] += near[row, other]
    start = np.cumsum(start)
    neighbor, at = np.empty(start[-1], dtype=np.int64), 0
    for row in range(m):
        for other in range(m):
            if near[row, other]:
                neighbor[at] = other
                at += 1
    return start, neighbor


@njit(cache=True, nogil=True)
def _shortest_paths(
    start: np.ndarray, neighbor: np.ndarray, length: np.ndarray, step: float, first: int, paths: np.ndarray
) -> None:
    """Fill in the lengths of the shortest paths from the points that begin at the first one.

    Points that have been reached wait until all paths up to a limit are final, and the limit rises by a step. Points
    below the limit are taken in any order, which needs no heap; the few whose path becomes shorter are taken again.
    """
    m = len(start) - 1
    near, far, state = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32), np.zeros(m, dtype=np.uint8)
    for source in range(len(paths)):
        path = paths[source]
        near[0], n_near, n_far, limit = first + source, 1, 0, 0.0
        path[first + source] = 0.0
        while n_near:
            while n_near:
                n_near -= 1
                point = near[n_near]
                state[point] = 0
                for edge in range(start[point], start[point + 1]):
                    other, through = neighbor[edge], path[point] + length[edge]
                    if through >= path[other]:
                        continue
                    path[other] = through
                    if through <= limit:
                        if state[other] != NEAR:
                            near[n_near], state[other] = other, NEAR
                            n_near += 1
                    elif not state[other]:
                        far[n_far], state[other] = other, FAR
                        n_far += 1
            lowest = np.inf
            for at in range(n_far):
                if state[far[at]] == FAR:
                    lowest = min(lowest, path[far[at]])
            limit, n_left = lowest + step, 0
            for at in range(n_far):
                point = far[at]
                if state[point] == FAR and path[point] <= limit:
                    near[n_near], state[point] = point, NEAR
                    n_near += 1
                elif state[point] == FAR:
                    far[n_left] = point
                    n_left += 1
            n_far = n_left
