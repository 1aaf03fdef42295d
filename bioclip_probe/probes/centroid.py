"""SimpleShot: an image is named by the nearest of the mean vectors of a few images of each taxon."""

from __future__ import annotations

import numpy as np

from bioclip_probe.errors import some
from bioclip_probe.probes.inputs import check_split, learning_obstacle
from bioclip_probe.probes.learning import DEFAULT_CHUNKS, Chunks
from bioclip_probe.probes.predictions import Predictions, rank_taxa
from bioclip_probe.stats.embeddings import unit_or_zero_rows
from bioclip_probe.stats.threads import matched_threads


def simpleshot(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, chunks: Chunks = DEFAULT_CHUNKS
) -> list[Predictions]:
    """Name the taxa of each rank by the nearest centroid of the support images.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a label (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train`` for the support, ``test`` for the queries, or empty. ``val`` is support too, since the probe has
        nothing to choose.
    chunks : Chunks
        Sizes of the chunks of images that are scored at once.

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split; no confidence. Without support, without queries, or with fewer
        than two taxa in the support, there are none and the note says why. The note also names the taxa that have
        images but no support.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word.

    Notes
    -----
    The mean of the support images is subtracted from all vectors, which are then divided by their length (a vector at
    the mean stays zero). The centroid of a taxon is the plain mean of its support, and the nearest centroid by
    Euclidean distance is named. The distance is computed as ‖c‖² − 2 x·c, a matrix product. Cost O(n·d·taxa), memory
    O((n + taxa)·d) and chunks of scores.

    References
    ----------
    Wang et al. 2019, SimpleShot, arXiv 1911.04623, sections 3.1 and 3.2 (CL2N).

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]])
    >>> labels, split = np.array([[3, 7, 3]]), np.array([["train", "train", "test"]])
    >>> simpleshot(vectors, labels, split)[0].predicted.tolist()
    [3, 7, 3]
    """
    split = check_split(vectors, labels, split)
    support_or_query = np.where(split == "val", "train", split)
    results = []
    for own, own_split, roles in zip(labels, split, support_or_query, strict=True):
        obstacle, left_out = learning_obstacle(own, roles, ("train", "test")), _taxa_left_out(own, roles)
        if obstacle:
            results.append(Predictions.undefined(own_split, "; ".join(filter(None, (obstacle, left_out)))))
        else:
            results.append(_nearest_centroid(vectors, own, own_split, left_out, chunks))
    return results


def few_shot(
    vectors: np.ndarray, labels: np.ndarray, folds: np.ndarray, chunks: Chunks = DEFAULT_CHUNKS
) -> list[Predictions]:
    """Name the taxa of one rank by `simpleshot`, in each fold.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    folds : ndarray, shape (F, n), of str
        Support and queries from `folds.paper_folds` or `folds.independent_folds`.
    chunks : Chunks
        Sizes of the chunks of images that are scored at once.

    Returns
    -------
    list of F Predictions

    Examples
    --------
    >>> folds = np.array([["train", "train", "test"], ["test", "train", "train"]])
    >>> predictions = few_shot(np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]]), np.array([3, 7, 3]), folds)
    >>> [fold.predicted.tolist() for fold in predictions]
    [[3, 7, 3], [3, 7, 3]]
    """
    return simpleshot(vectors, np.broadcast_to(labels, np.shape(folds)), folds, chunks)


def _taxa_left_out(labels: np.ndarray, split: np.ndarray) -> str:
    """Return the part of the note that names the taxa without support; may be empty."""
    taxa = np.setdiff1d(labels[labels >= 0], labels[split == "train"])
    return f"{len(taxa)} taxa left out, with no image to learn from: {some(taxa)}" if len(taxa) else ""


def _nearest_centroid(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, note: str, chunks: Chunks
) -> Predictions:
    """Return the predictions of one rank that can be learnt."""
    support, named = np.flatnonzero((split == "train") | (split == "val")), np.flatnonzero(split != "")
    mean = vectors[support].mean(axis=0, dtype=np.float64)
    taxa, centroids = _centroids(vectors, support, labels[support], mean, chunks)
    half_squares = np.einsum("ij,ij->i", centroids, centroids) / 2
    predicted, place = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
    with matched_threads(len(named) * vectors.shape[1] * len(taxa)):
        for rows in chunks.of(named, len(taxa)):
            scores = unit_or_zero_rows(vectors[rows] - mean) @ centroids.T
            scores -= half_squares
            predicted[rows], place[rows] = rank_taxa(scores, taxa, labels[rows])
    return Predictions(predicted, split, {"features": "centred on those learnt from, length 1"}, note, place)


def _centroids(
    vectors: np.ndarray, support: np.ndarray, labels: np.ndarray, mean: np.ndarray, chunks: Chunks
) -> tuple[np.ndarray, np.ndarray]:
    """Return the taxa of the support, and the mean of the unit vectors of each after `mean` is subtracted."""
    taxa, taxon, count = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(taxa), vectors.shape[1]))
    for rows in chunks.of(np.argsort(taxon, kind="stable")):
        present, first = np.unique(taxon[rows], return_index=True)
        sums[present] += np.add.reduceat(unit_or_zero_rows(vectors[support[rows]] - mean), first)
    return taxa, sums / count[:, None]
