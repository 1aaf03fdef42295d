"""What `bioclip_probe.metrics.shape` means, four points and one path at a time."""

from __future__ import annotations

import math
from itertools import combinations, product

SAME = 1e-9


def euclidean(points) -> list[list[float]]:
    return [[math.dist(a, b) for b in points] for a in points]


def delta(distances) -> float:
    """Half of what the two largest sums of distances of four points may differ by."""
    largest = 0.0
    for i, j, k, m in combinations(range(len(distances)), 4):
        parted = ((i, j, k, m), (i, k, j, m), (i, m, j, k))
        sums = sorted(distances[a][b] + distances[c][d] for a, b, c, d in parted)
        largest = max(largest, (sums[2] - sums[1]) / 2)
    return largest


def delta_from(distances, base: int) -> float:
    """As in Khrulkov et al. 2020: the (max, min) product of Gromov's products about one base point."""
    rows = range(len(distances))
    product_of = [[(distances[base][a] + distances[base][b] - distances[a][b]) / 2 for b in rows] for a in rows]
    return max(
        max(min(product_of[a][c], product_of[c][b]) for c in rows) - product_of[a][b] for a, b in product(rows, rows)
    )


def geodesics(distances, n_neighbours: int) -> list[list[float]]:
    """By Floyd and Warshall, once for the largest step that any way must take, once for the shortest path."""
    rows = range(len(distances))
    step = [list(row) for row in distances]
    for via, a, b in product(rows, rows, rows):
        step[a][b] = min(step[a][b], max(step[a][via], step[via][b]))

    def nearest(a: int) -> float:
        others = sorted(distances[a][b] for b in rows if b != a)
        return others[min(n_neighbours, len(others)) - 1]

    path = [[math.inf] * len(distances) for _ in rows]
    for a, b in product(rows, rows):
        if distances[a][b] <= max(nearest(a), nearest(b), step[a][b]) + SAME:
            path[a][b] = distances[a][b]
    for via, a, b in product(rows, rows, rows):
        path[a][b] = min(path[a][b], path[a][via] + path[via][b])
    return path
