"""Sums of squares, written out: every image against the mean of its taxon."""

import math

from tests.definitions.hierarchy import mean_vector
from tests.definitions.tree import ancestor_at


def sum_of_squares(vectors) -> float:
    """Squared distances from the mean."""
    mean = mean_vector(vectors)
    return math.fsum(math.dist(mean, u) ** 2 for u in vectors)


def within(vectors, labels) -> float:
    """Sums of squares inside each group, added up."""
    groups = [[u for u, own in zip(vectors, labels, strict=True) if own == label] for label in set(labels)]
    return math.fsum(sum_of_squares(group) for group in groups)


def named(vectors, placement, rank):
    """The images with a name at a rank, the taxon of each, and the nearest known ancestor of that."""
    taxa = [ancestor_at(placement.tree, node, rank) if node >= 0 else -1 for node in placement.node]
    kept = [image for image, taxon in enumerate(taxa) if taxon >= 0]
    return (
        [vectors[image] for image in kept],
        [taxa[image] for image in kept],
        [int(placement.tree.parent[taxa[image]]) for image in kept],
    )


def nested_r2(vectors, placement, rank) -> float:
    """What is left inside ancestors less what is left inside taxa, over all there is; NaN if there is nothing."""
    x, taxa, above = named(vectors, placement, rank)
    if not x or sum_of_squares(x) < 1e-9:
        return math.nan
    return (within(x, above) - within(x, taxa)) / sum_of_squares(x)


def chance_r2(vectors, placement, rank) -> float:
    x, taxa, above = named(vectors, placement, rank)
    return (len(set(taxa)) - len(set(above))) / (len(x) - 1)


def variance_ratio(vectors, placement, rank) -> float:
    x, taxa, _ = named(vectors, placement, rank)
    k = len(set(taxa))
    if k < 2 or len(x) <= k or within(x, taxa) < 1e-9:
        return math.nan
    between = sum_of_squares(x) - within(x, taxa)
    return (between / (k - 1)) / (within(x, taxa) / (len(x) - k))
