"""SimpleShot and the draws of BioCLIP's authors, written out plainly."""

import random

import numpy as np


def simpleshot(vectors, labels, support, queries):
    """The taxon of the nearest centroid for each query: by broadcasting, as the authors have it."""
    mean = vectors[support].astype(np.float64).mean(axis=0)

    def on_sphere(rows):
        moved = vectors[rows].astype(np.float64) - mean
        return moved / np.linalg.norm(moved, axis=1)[:, None]

    taxa = np.unique(labels[support])
    centroids = np.array([on_sphere(support[labels[support] == taxon]).mean(axis=0) for taxon in taxa])
    distances = np.linalg.norm(centroids[:, None, :] - on_sphere(queries), axis=2)
    return taxa[np.argmin(distances, axis=0)], distances.T


def paper_folds(labels, shots, n_folds):
    """(k, fold) → the support images: one dictionary of lists, shuffled in place again and again."""
    images, drawn = {}, {}
    for image, taxon in enumerate(labels):
        if taxon >= 0:
            images.setdefault(taxon, []).append(image)
    state = random.getstate()
    for k in shots:
        for fold in range(n_folds):
            random.seed(fold)
            drawn[k, fold] = []
            for own in images.values():
                random.shuffle(own)
                drawn[k, fold] += own[:k]
    random.setstate(state)
    return drawn
