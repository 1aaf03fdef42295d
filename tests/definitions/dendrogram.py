"""What `bioclip_probe.metrics.dendrogram` means, pair by pair and triplet by triplet."""

from __future__ import annotations

import math
from itertools import combinations

SAME = 1e-9


def average_linkage(distances) -> dict[frozenset, float]:
    """Height of every clade: the two clusters of least mean distance join, again and again."""
    clusters = [frozenset([i]) for i in range(len(distances))]
    heights = dict.fromkeys(clusters, 0.0)

    def mean(a, b) -> float:
        return math.fsum(distances[i][j] for i in a for j in b) / (len(a) * len(b))

    while len(clusters) > 1:
        a, b = min(combinations(clusters, 2), key=lambda pair: mean(*pair))
        clusters = [cluster for cluster in clusters if cluster not in (a, b)] + [a | b]
        heights[a | b] = mean(a, b)
    return heights


def joining_height(heights, a: int, b: int) -> float:
    return min(height for clade, height in heights.items() if {a, b} <= clade)


def smallest_clade(height, k: int, a: int, b: int) -> list[int]:
    """All that join with `a` no later than `b` does, by the matrix of joining heights."""
    return [c for c in range(k) if c == a or height[a][c] <= height[a][b] + SAME]


def resolution(depth, a: int, b: int, c: int) -> int | None:
    """Which of three is the odd one out: the common ancestor of the other two is deeper than both others."""
    for odd, (x, y) in ((c, (a, b)), (b, (a, c)), (a, (b, c))):
        if depth[x][y] > max(depth[x][odd], depth[y][odd]) + SAME:
            return odd
    return None


def triplet_accuracy(depth, height) -> float:
    """By two matrices: depth of common ancestors, and joining heights; NaN where no triplet is resolved."""
    score = []
    for triplet in combinations(range(len(depth)), 3):
        expected = resolution(depth, *triplet)
        if expected is not None:
            found = resolution([[-h for h in row] for row in height], *triplet)
            score.append(1 / 3 if found is None else float(found == expected))
    return math.fsum(score) / len(score) if score else math.nan


def purity(height, labels) -> float:
    """Heller & Ghahramani 2005."""
    shares = []
    for a, b in combinations(range(len(labels)), 2):
        if labels[a] == labels[b]:
            clade = smallest_clade(height, len(labels), a, b)
            shares.append(sum(labels[c] == labels[a] for c in clade) / len(clade))
    return math.fsum(shares) / len(shares) if shares else math.nan


def clades_of_nodes(nodes, k: int) -> set[frozenset]:
    """The sets of tips below nodes that hold two of them and not all."""
    return {frozenset(tips) for tips in nodes if 1 < len(tips) < k}


def clades_of_heights(height) -> set[frozenset]:
    """The clades of a dendrogram, by the matrix of joining heights: all that join no later than two of them do."""
    k = len(height)
    return clades_of_nodes((smallest_clade(height, k, a, b) for a, b in combinations(range(k), 2)), k)


def clades_of_depths(depth) -> set[frozenset]:
    """The clades of a tree, by the matrix of depths of common ancestors."""
    return clades_of_heights([[-each for each in row] for row in depth])


def robinson_foulds(one: set[frozenset], other: set[frozenset]) -> float:
    """Clades of one of the two only, as a share of the clades of both."""
    return len(one ^ other) / (len(one) + len(other)) if one else math.nan
