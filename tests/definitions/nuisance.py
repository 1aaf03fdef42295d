"""Agreement in a column of the images, from its definition: all distances at once, in float64."""

import numpy as np


def column_agreement(vectors: np.ndarray, values: np.ndarray, excluded: np.ndarray) -> tuple[float, float]:
    """Return the share of images whose nearest candidate has their value, and that of all candidates."""
    known = values >= 0
    x = vectors.astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    agrees, chance = [], []
    for i in np.flatnonzero(known):
        others = known & (np.arange(len(x)) != i) & ((excluded != excluded[i]) | (excluded[i] < 0))
        if not others.any():
            continue
        distance = np.sum((x - x[i]) ** 2, axis=1)
        nearest = others & (distance <= distance[others].min())
        agrees.append(np.mean(values[nearest] == values[i]))
        chance.append(np.mean(values[others] == values[i]))
    return float(np.mean(agrees)), float(np.mean(chance))


def purity_within_values(vectors: np.ndarray, values: np.ndarray, taxa: np.ndarray, species: np.ndarray) -> float:
    """Return how often the nearest image of another species and the same value is of the same taxon."""
    x = vectors.astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    right = []
    for i in range(len(x)):
        if values[i] < 0 or taxa[i] < 0:
            continue
        of_value = (values == values[i]) & (taxa >= 0)
        if len(set(taxa[of_value])) < 2:
            continue
        others = of_value & (species != species[i])
        if not np.any(others & (taxa == taxa[i])):
            continue
        distance = np.sum((x - x[i]) ** 2, axis=1)
        nearest = others & (distance <= distance[others].min())
        right.append(np.mean(taxa[nearest] == taxa[i]))
    return float(np.mean(right)) if right else float("nan")
