"""Plain definitions of the numbers that the world prints about itself."""

from __future__ import annotations

import math

from bioclip_probe.tables import RANKS


def ranks_apart(a: dict, b: dict) -> int:
    """How many ranks lie below the last common ancestor of two lineages."""
    for depth, rank in enumerate(RANKS):
        if a[rank] != b[rank]:
            return len(RANKS) - depth
    return 0


def cosine(u, v) -> float:
    return sum(x * y for x, y in zip(u, v, strict=True)) / (math.hypot(*u) * math.hypot(*v))


def pearson(xs: list[float], ys: list[float]) -> float:
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True))
    return covariance / math.sqrt(sum((x - mx) ** 2 for x in xs) * sum((y - my) ** 2 for y in ys))


def cpcc(vectors, kinds, lineages: list[dict]) -> float:
    """Pearson of tree distance and cosine distance of centroids of unit vectors, over pairs of species."""
    unit = [[x / math.hypot(*v) for x in v] for v in vectors]
    present = sorted(set(kinds))
    members = {kind: [u for u, own in zip(unit, kinds, strict=True) if own == kind] for kind in present}
    centroid = {kind: [sum(column) / len(rows) for column in zip(*rows, strict=True)] for kind, rows in members.items()}
    pairs = [(a, b) for a in present for b in present if a < b]
    apart = [ranks_apart(lineages[a], lineages[b]) for a, b in pairs]
    return pearson(apart, [1 - cosine(centroid[a], centroid[b]) for a, b in pairs])


def nearest_agrees(vectors, kinds, names) -> float:
    """Share of vectors whose nearest other one (by cosine) bears the same name."""
    hits = 0
    for i, u in enumerate(vectors):
        nearest = max((j for j in range(len(vectors)) if j != i), key=lambda j: cosine(u, vectors[j]))
        hits += names[kinds[nearest]] == names[kinds[i]]
    return hits / len(vectors)
