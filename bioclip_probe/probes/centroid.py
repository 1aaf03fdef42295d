"""SimpleShot: the nearest of the means of a few images a taxon; and which images these are.

In mode ``paper`` folds are drawn as BioCLIP's authors drew them, so that their numbers can be met; `independent_folds`
mends what is wrong with that.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.probes.predictions import Predictions, ranked
from bioclip_probe.probes.splits import named_parts, unlearnable
from bioclip_probe.stats.embeddings import unit_or_zero_rows
from bioclip_probe.stats.threads import matched_threads

N_FOLDS = 5
ROWS, CELLS = 8192, 1 << 22  # images, and scores of images and taxa, held at once


def simpleshot(vectors: np.ndarray, labels: np.ndarray, split: np.ndarray) -> list[Predictions]:
    """Name the taxa of each rank by the nearest centroid of the images learnt from.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a name (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``test`` or empty; ``val`` is learnt from like ``train``, since there is nothing to choose.

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split; no confidence. Without images to learn from or to be asked about,
        or with fewer than two taxa to learn, there are none and the note says why. It also names the taxa that have
        images but none to learn from.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word.

    Notes
    -----
    The mean of the images learnt from is subtracted from all vectors, which are then brought to length 1 (a vector at
    the mean stays there); the centroids of the taxa are plain means of these, and the nearest by Euclidean distance is
    named. The distance is found as ‖c‖² − 2 x·c, a matrix product. Cost O(n·d·taxa), memory O((n + taxa)·d) and chunks
    of scores.

    References
    ----------
    Wang et al. 2019, SimpleShot, arXiv 1911.04623, sections 3.1 and 3.2 (CL2N).
    """
    split = named_parts(vectors, labels, split)
    split_in_two = np.where(split == "val", "train", split)
    found = []
    for own, part, two in zip(labels, split, split_in_two, strict=True):
        undefined, left_out = unlearnable(own, two, ("train", "test")), _left_out(own, two)
        if undefined:
            found.append(Predictions.undefined(part, "; ".join(filter(None, (undefined, left_out)))))
        else:
            found.append(_nearest_centroid(vectors, own, part, left_out))
    return found


def few_shot(vectors: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> list[Predictions]:
    """What SimpleShot names at one rank in each fold.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
    labels : ndarray, shape (n,), int64
    folds : ndarray, shape (F, n), of str
        As from `paper_folds` or `independent_folds`.

    Returns
    -------
    list of F Predictions
    """
    return simpleshot(vectors, np.broadcast_to(labels, np.shape(folds)), folds)


def paper_folds(labels: np.ndarray, shots: Sequence[int], n_folds: int = N_FOLDS) -> dict[int, np.ndarray]:
    """Support and queries just as BioCLIP's authors drew them.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none, in the order in which their run met the images.
    shots : sequence of int
        Support images a taxon, in the order in which their run took them: 1, 5.
    n_folds : int

    Returns
    -------
    dict of int to ndarray, shape (n_folds, n), of str
        For each of `shots` and each fold ``train`` for the support, ``test`` for the queries.

    Raises
    ------
    DataError
        If a taxon has fewer images than support: their run stops there.

    Notes
    -----
    The taxa are walked over in the order in which they first appear, and the list of images of each is shuffled in
    place by Python's generator, seeded with the number of the fold. The first images are the support and the others
    the queries, of which a taxon may have none. A fold starts from the order that the last one left, and the second of
    `shots` from where the first ended: so folds depend on what was drawn before, and the five of another machine are
    the same five.

    References
    ----------
    Imageomics/bioclip, src/evaluation/few_shot.py, ``split`` and the loop over ``kshot_list``.
    """
    _check(shots, n_folds)
    members: dict[int, list[int]] = {}
    for image in np.flatnonzero(labels >= 0).tolist():
        members.setdefault(int(labels[image]), []).append(image)
    short = sorted(taxon for taxon, images in members.items() if len(images) < max(shots))
    if short:
        raise DataError(
            f"the published few-shot run needs {max(shots)} images of every taxon; "
            f"taxa with fewer: {some(short)}; ask for corrected folds, which leave them out"
        )
    drawn = {}
    for k in shots:
        folds = np.full((n_folds, len(labels)), "", dtype="<U5")
        for fold in range(n_folds):
            stream = random.Random(fold)
            for images in members.values():
                stream.shuffle(images)
                folds[fold, images[:k]] = "train"
                folds[fold, images[k:]] = "test"
        drawn[k] = folds
    return drawn


def independent_folds(
    labels: np.ndarray,
    shots: int,
    rng: np.random.Generator,
    n_folds: int = N_FOLDS,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Support and queries drawn afresh in each fold.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    shots : int
        Support images a taxon.
    rng : numpy.random.Generator
    n_folds : int
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: what shares a group with any support image of a fold is no query there. −1 belongs
        to no group.

    Returns
    -------
    ndarray, shape (n_folds, n), of str
        ``train`` for the support, ``test`` for the queries; empty for images without a name, for taxa with no image
        beyond the support, which `simpleshot` names in its note, and for those that share a group with the support.
    """
    _check([shots], n_folds)
    folds = np.full((n_folds, len(labels)), "", dtype="<U5")
    rows = np.flatnonzero(labels >= 0)
    _, taxon, size = np.unique(labels[rows], return_inverse=True, return_counts=True)
    rows = rows[size[taxon] > shots]
    for split in folds:
        order = rng.permutation(rows)
        order = order[np.argsort(labels[order], kind="stable")]
        place = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
        split[order] = np.where(place < shots, "train", "test")
        if groups is not None:
            met = groups[split == "train"]
            split[(split == "test") & np.isin(groups, met[met >= 0])] = ""
    return folds


def _check(shots, n_folds):
    if not len(shots) or min(shots) < 1 or n_folds < 1:
        raise ValueError(f"expected at least 1 image a taxon and 1 fold, got {list(shots)} and {n_folds}")


def _left_out(labels, split):
    taxa = np.setdiff1d(labels[labels >= 0], labels[split == "train"])
    return f"{len(taxa)} taxa left out, with no image to learn from: {some(taxa)}" if len(taxa) else ""


def _nearest_centroid(vectors, labels, split, note) -> Predictions:
    learnt, asked = np.flatnonzero((split == "train") | (split == "val")), np.flatnonzero(split != "")
    mean = vectors[learnt].mean(axis=0, dtype=np.float64)
    taxa, centroids = _centroids(vectors, learnt, labels[learnt], mean)
    half_squares = np.einsum("ij,ij->i", centroids, centroids) / 2
    predicted, place = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
    step = max(1, min(ROWS, CELLS // len(taxa)))
    with matched_threads(len(asked) * vectors.shape[1] * len(taxa)):
        for start in range(0, len(asked), step):
            rows = asked[start : start + step]
            scores = unit_or_zero_rows(vectors[rows] - mean) @ centroids.T
            scores -= half_squares
            predicted[rows], place[rows] = ranked(scores, taxa, labels[rows])
    return Predictions(predicted, split, {"features": "centred on those learnt from, length 1"}, note, place)


def _centroids(vectors, learnt, labels, mean):
    """The taxa of the images learnt from, and the mean of the vectors of each, less `mean` and brought to length 1."""
    taxa, taxon, count = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(taxon, kind="stable")
    sums = np.zeros((len(taxa), vectors.shape[1]))
    for start in range(0, len(order), ROWS):
        part = order[start : start + ROWS]
        met, first = np.unique(taxon[part], return_index=True)
        sums[met] += np.add.reduceat(unit_or_zero_rows(vectors[learnt[part]] - mean), first)
    return taxa, sums / count[:, None]
