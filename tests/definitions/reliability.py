"""Reliability of the distances between species: two halves of their images, pair by pair."""

import math

from tests.definitions.hierarchy import cophenetic_correlation, cosine_distance, mean_vector, pearson, unit_vector


def half_correlation(halves) -> float:
    """Of the distances of the first halves and those of the second; `halves` holds two lists of vectors a species."""
    a, b = ([unit_vector(mean_vector(each[side])) for each in halves] for side in (0, 1))
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    return pearson([(cosine_distance(a[i], a[j]), cosine_distance(b[i], b[j])) for i, j in pairs])


def ceiling(r: float) -> float:
    """Spearman and Brown for twice the length; the root, since a reliability is the square of a correlation."""
    return math.sqrt(r * 2 / (1 + r))


def disattenuated(vectors, placement, r: float) -> float:
    return cophenetic_correlation(vectors, placement) / ceiling(r)
