"""What the numbers of `bioclip_probe.stats` and `bioclip_probe.metrics.hierarchy` mean, pair by pair.

A *pairing* is the list of (tree distance, embedding distance) that a correlation runs over.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from tests.definitions.tree import mrca, path_length, tips

#: Distances that differ by less do not vary: it is what rounding to float32 leaves of equal ones.
SAME = 1e-6


def cosine_distance(u, v) -> float:
    """Of two unit vectors."""
    return 1 - sum(float(a) * float(b) for a, b in zip(u, v, strict=True))


def mean_vector(vectors) -> list[float]:
    return [math.fsum(float(u[axis]) for u in vectors) / len(vectors) for axis in range(len(vectors[0]))]


def unit_vector(vector) -> list[float]:
    length = math.sqrt(math.fsum(float(a) ** 2 for a in vector))
    return [float(a) / length for a in vector]


def spread(vectors) -> float:
    """Root mean squared distance from the mean."""
    mean = mean_vector(vectors)
    return math.sqrt(math.fsum(math.dist(mean, u) ** 2 for u in vectors) / len(vectors))


def pearson(pairing) -> float:
    """Covariance over the root of the product of variances; NaN where one side does not vary."""
    if len(pairing) < 2:
        return math.nan
    for side in zip(*pairing, strict=True):
        if max(side) - min(side) < SAME:
            return math.nan
    n = len(pairing)
    mean_t, mean_c = (math.fsum(side) / n for side in zip(*pairing, strict=True))
    covariance = math.fsum((t - mean_t) * (c - mean_c) for t, c in pairing)
    variance_t = math.fsum((t - mean_t) ** 2 for t, _ in pairing)
    variance_c = math.fsum((c - mean_c) ** 2 for _, c in pairing)
    return covariance / math.sqrt(variance_t * variance_c)


def mean_rank(values, value) -> float:
    """How many are smaller, and half of the others that are as large."""
    return sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2


def spearman(pairing) -> float:
    """Pearson of the mean ranks."""
    ts, cs = [t for t, _ in pairing], [c for _, c in pairing]
    return pearson([(mean_rank(ts, t), mean_rank(cs, c)) for t, c in pairing])


def quantile(values, q: float) -> float:
    """The smallest value that at least a share q of the values does not exceed."""
    return next(value for value in sorted(values) if sum(other <= value for other in values) >= q * len(values) - 1e-9)


def images_of_taxa(placement) -> dict[int, list[int]]:
    """The images at each tip that has any, tips in the order of the tree."""
    at = {tip: [image for image, node in enumerate(placement.node) if node == tip] for tip in tips(placement.tree)}
    return {tip: images for tip, images in at.items() if images}


def directions(vectors, placement) -> dict[int, list[float]]:
    """The mean of each taxon's images, put back on the sphere."""
    taxa = images_of_taxa(placement)
    return {tip: unit_vector(mean_vector([vectors[image] for image in images])) for tip, images in taxa.items()}


def taxon_pairing(vectors, placement, copies: dict[int, int] | None = None, unit: dict[int, int] | None = None):
    """All pairs of taxa; with `copies`, each unit stands there so many times, and no pair is within two of its copies.

    A unit is a taxon, or what `unit` says of it.
    """
    at = directions(vectors, placement)
    tree = placement.tree
    standing = _standing({tip: [tip] for tip in at}, copies, unit)
    return [
        (path_length(tree, a, b), cosine_distance(at[a], at[b]))
        for (a, unit_a, copy_a, _), (b, unit_b, copy_b, _) in combinations(standing, 2)
        if unit_a != unit_b or (copy_a == copy_b and a != b)
    ]


def image_pairing(vectors, placement, copies: dict[int, int] | None = None, unit: dict[int, int] | None = None):
    """All pairs of images at tips; with `copies`, each unit stands there so many times with all of its images.

    Images of two copies of one unit are no pair, images of one copy are.
    """
    return [
        (path_length(placement.tree, a, b), cosine_distance(vectors[i], vectors[j]))
        for (a, unit_a, copy_a, i), (b, unit_b, copy_b, j) in combinations(
            _standing(images_of_taxa(placement), copies, unit), 2
        )
        if unit_a != unit_b or copy_a == copy_b
    ]


def _standing(taxa, copies, unit) -> list[tuple[int, int, int, int]]:
    """Taxon, unit, copy and member of all that stands there."""
    return [
        (tip, own, copy, member)
        for tip, members in taxa.items()
        for own in [tip if unit is None else unit[tip]]
        for copy in range(1 if copies is None else copies[own])
        for member in members
    ]


def cophenetic_correlation(vectors, placement) -> float:
    return pearson(taxon_pairing(vectors, placement)) if len(images_of_taxa(placement)) >= 3 else math.nan


def image_tree_correlation(vectors, placement) -> float:
    return pearson(image_pairing(vectors, placement)) if len(images_of_taxa(placement)) >= 3 else math.nan


def distances_by_lca(vectors, placement, ranks) -> dict[str, list[float]]:
    """Distances between species by the rank of the node where their paths meet, ``root`` above the kingdoms."""
    at = directions(vectors, placement)
    tree, found = placement.tree, {}
    for a, b in combinations(at, 2):
        meeting = tree.rank[mrca(tree, a, b)]
        name = ranks[meeting] if meeting >= 0 else "root"
        found.setdefault(name, []).append(cosine_distance(at[a], at[b]))
    return found


def mantel_correlations(tree_distances, embedding_distances, orders) -> list[float]:
    """Pearson of two matrices after the rows and columns of the second are put in each of the given orders."""
    k = len(tree_distances)
    return [
        pearson([(tree_distances[i][j], embedding_distances[order[i]][order[j]]) for i, j in combinations(range(k), 2)])
        for order in orders
    ]


def matrix(points, distance) -> np.ndarray:
    """Distances between all points, both triangles."""
    return np.array([[distance(a, b) for b in points] for a in points])


def balanced_pearson(by_rank) -> float:
    """Pearson of pairings by rank of the common ancestor, with means over ranks of means over pairs."""
    by_rank = list(by_rank.values())
    for side in zip(*(pair for pairing in by_rank for pair in pairing), strict=True):
        if max(side) - min(side) < SAME:
            return math.nan

    def mean(of) -> float:
        return math.fsum(math.fsum(of(t, c) for t, c in pairing) / len(pairing) for pairing in by_rank) / len(by_rank)

    mean_t, mean_c = mean(lambda t, _: t), mean(lambda _, c: c)
    covariance = mean(lambda t, c: (t - mean_t) * (c - mean_c))
    variance_t, variance_c = mean(lambda t, _: (t - mean_t) ** 2), mean(lambda _, c: (c - mean_c) ** 2)
    return covariance / math.sqrt(variance_t * variance_c)


def parts_of_correlation(by_rank) -> dict[int, float]:
    """What the pairs of each rank add to the mean over all pairs of the product of standardised distances."""
    pairs = [pair for pairing in by_rank.values() for pair in pairing]
    if len(pairs) < 2 or any(max(side) - min(side) < SAME for side in zip(*pairs, strict=True)):
        return dict.fromkeys(by_rank, math.nan)
    means = [math.fsum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    deviations = [
        math.sqrt(math.fsum((value - mean) ** 2 for value in side) / len(pairs))
        for side, mean in zip(zip(*pairs, strict=True), means, strict=True)
    ]
    return {
        rank: math.fsum((t - means[0]) / deviations[0] * (c - means[1]) / deviations[1] for t, c in pairing)
        / len(pairs)
        for rank, pairing in by_rank.items()
    }


def taxa_by_rank(vectors, placement) -> dict[int, list[tuple[float, float]]]:
    """Pairs of taxa by the rank of the node where they meet."""
    at, tree, found = directions(vectors, placement), placement.tree, {}
    for a, b in combinations(at, 2):
        pair = path_length(tree, a, b), cosine_distance(at[a], at[b])
        found.setdefault(int(tree.rank[mrca(tree, a, b)]), []).append(pair)
    return found


def images_by_rank(vectors, placement) -> dict[int, list[tuple[float, float]]]:
    """Pairs of images at tips by the rank of the node where they meet; images of one taxon meet at it."""
    tree, found = placement.tree, {}
    standing = [(tip, image) for tip, images in images_of_taxa(placement).items() for image in images]
    for (a, i), (b, j) in combinations(standing, 2):
        pair = path_length(tree, a, b), cosine_distance(vectors[i], vectors[j])
        found.setdefault(int(tree.rank[mrca(tree, a, b)]), []).append(pair)
    return found
