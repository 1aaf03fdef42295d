"""The text side, written out plainly."""

import numpy as np

from tests.definitions.paths import lineage


def cosine_distance(u, v):
    return 1 - float(np.dot(u, v)) / (np.linalg.norm(u) * np.linalg.norm(v))


def distances_from_root(tree, node, vector_of, root):
    """Distance of each name on the way down to a species from the prompt of all life; holes skipped."""
    return [cosine_distance(vector_of[taxon], root) for taxon in lineage(tree, node) if taxon in vector_of]


def correlation_of_pairs(points, texts):
    """Pearson correlation, over pairs, of the cosine distances of points and of texts."""
    pairs = [(i, j) for i in range(len(points)) for j in range(i)]
    return np.corrcoef([[cosine_distance(each[i], each[j]) for i, j in pairs] for each in (points, texts)])[0, 1]


def centroid(vectors):
    mean = np.mean(vectors, axis=0)
    return mean / np.linalg.norm(mean)


def nearest_own(points, texts, own):
    """Share of points whose nearest text is their own; of k texts equally near 1/k."""
    shares = []
    for point, text in zip(points, own, strict=True):
        distances = [cosine_distance(point, other) for other in texts]
        near = [i for i, distance in enumerate(distances) if distance < min(distances) + 1e-9]
        shares.append((text in near) / len(near))
    return np.mean(shares)
