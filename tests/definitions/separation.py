"""Separation of taxa, written out plainly: one loop for every sum."""

from itertools import combinations

import numpy as np


def cluster_purity(clusters, taxa):
    """The share of images in the largest taxon of their cluster."""
    total = 0
    for cluster in set(clusters.tolist()):
        members = taxa[clusters == cluster].tolist()
        total += max(members.count(taxon) for taxon in set(members))
    return total / len(taxa)


def adjusted_rand(clusters, taxa):
    """Hubert and Arabie's index, over all pairs of images."""
    pairs = list(combinations(range(len(taxa)), 2))
    same_cluster = [clusters[i] == clusters[j] for i, j in pairs]
    same_taxon = [taxa[i] == taxa[j] for i, j in pairs]
    both = sum(c and t for c, t in zip(same_cluster, same_taxon, strict=True))
    expected = sum(same_cluster) * sum(same_taxon) / len(pairs)
    return (both - expected) / ((sum(same_cluster) + sum(same_taxon)) / 2 - expected)


def silhouettes(vectors, labels):
    """The silhouette of each image in cosine distance, half the squared distance at norm 1."""
    vectors = np.asarray(vectors, dtype=np.float64)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = []
    for row in range(len(labels)):
        distances = {}
        for other in range(len(labels)):
            if other != row:
                distances.setdefault(labels[other], []).append(np.sum((vectors[row] - vectors[other]) ** 2) / 2)
        own = distances.pop(labels[row], None)
        if own is None:
            scores.append(0.0)
            continue
        a, b = np.mean(own), min(np.mean(each) for each in distances.values())
        scores.append((b - a) / max(a, b) if max(a, b) > 0 else 0.0)
    return np.array(scores)


def mutual_information(clusters, taxa):
    """In nats: over all pairs of a cluster and a taxon that share images."""
    clusters, taxa, total = list(clusters), list(taxa), 0.0
    n = len(taxa)
    both = list(zip(clusters, taxa, strict=True))
    for cluster, taxon in set(both):
        shared = both.count((cluster, taxon))
        total += shared / n * np.log(n * shared / (clusters.count(cluster) * taxa.count(taxon)))
    return total
