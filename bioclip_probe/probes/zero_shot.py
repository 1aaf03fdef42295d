"""Zero-shot: an image is named by the nearest of the names of taxa, and the probe learns nothing from images.

There are two ways to name the taxa of a rank: by their own names (`zero_shot`), or by the names of the species, whose
probabilities are summed over the species of each taxon (`zero_shot_summed`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.probes.inputs import check_split
from bioclip_probe.probes.learning import DEFAULT_CHUNKS, Chunks
from bioclip_probe.probes.predictions import Predictions, rank_taxa
from bioclip_probe.stats.embeddings import unit_or_zero_rows
from bioclip_probe.stats.threads import matched_threads


def zero_shot(
    vectors: np.ndarray,
    labels: np.ndarray,
    text: Sequence[tuple[np.ndarray, np.ndarray]],
    logit_scale: float,
    chunks: Chunks = DEFAULT_CHUNKS,
) -> list[Predictions]:
    """Name the taxa of each rank by the nearest of their own names.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings of images, of any length.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a label (−1) is left out there.
    text : sequence of R pairs
        Candidate taxa (K,), int64, ascending, and the embeddings of their names (K, d), of any length.
    logit_scale : float
        The factor by which the model multiplies cosines before the softmax: exp of CLIP's parameter of that name.
    chunks : Chunks
        Sizes of the chunks of images that are scored at once.

    Returns
    -------
    list of R Predictions
        The taxa named for every image that has a label there; all are ``test``. With fewer than two candidates, or no
        image, there are none and the note says why. Otherwise the note names the taxa that have images but are no
        candidates; the place of the true taxon is 0 there.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If taxa are not ascending, shapes do not fit, or the scale is not positive.

    Notes
    -----
    The taxon of highest cosine similarity is named; the confidence is its softmax, exp(s·cos) / Σ exp(s·cos) over the
    candidates. Of taxa with equal names the lowest number is named. A vector of length zero has cosine 0 with all
    names. Cost O(n·d·K), memory O(K·d) and chunks of scores.

    References
    ----------
    Radford et al. 2021, ICML, Section 3.1.2.

    Examples
    --------
    >>> names = np.array([3, 7]), np.eye(2)
    >>> predictions = zero_shot(np.array([[0.2, 0.9]]), np.array([[3]]), [names], logit_scale=10.0)
    >>> predictions[0].predicted.tolist(), predictions[0].place.tolist()
    ([7], [2])
    """
    split = _test_split(vectors, labels, logit_scale)
    if len(text) != len(labels):
        raise ValueError(f"expected names for {len(labels)} ranks, got them for {len(text)}")
    results = []
    for own, own_split, (taxa, names) in zip(labels, split, text, strict=True):
        _check_names(taxa, names, vectors.shape[1])
        if obstacle := _obstacle(own_split, taxa):
            results.append(Predictions.undefined(own_split, obstacle))
        else:
            scores = _softmax(vectors, own_split[None], names, logit_scale, chunks)
            record: dict[str, object] = {"names": len(names), "logit_scale": float(logit_scale)}
            results += _predictions(scores, own[None], own_split[None], taxa[None], record)
    return results


def zero_shot_summed(
    vectors: np.ndarray,
    labels: np.ndarray,
    species_names: tuple[np.ndarray, np.ndarray],
    ancestors: np.ndarray,
    logit_scale: float,
    chunks: Chunks = DEFAULT_CHUNKS,
) -> list[Predictions]:
    """Name the taxa of each rank by the summed probability of their species.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings of images, of any length.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a label (−1) is left out there.
    species_names : pair of ndarray
        Species (K,), int64, ascending, and the embeddings of their names (K, d), of any length.
    ancestors : ndarray, shape (R, K), int64
        Taxon of each species at each rank; −1 where it is unknown: the probability of such a species goes to no taxon.
    logit_scale : float
        The same as for `zero_shot`.
    chunks : Chunks
        Sizes of the chunks of images that are scored at once.

    Returns
    -------
    list of R Predictions
        The same as for `zero_shot`; the confidence is the sum for the predicted taxon.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If species are not ascending, shapes do not fit, or the scale is not positive.

    Notes
    -----
    p(taxon) = Σ exp(s·cos) over its species / Σ exp(s·cos) over all species. If every species has a taxon, these sum to
    1. The scores of the species are computed once for all ranks. Cost O(n·(d + R)·K), memory O(K·d) and chunks of
    scores.

    Examples
    --------
    >>> names = np.array([0, 1, 2]), np.eye(3)
    >>> genus = np.array([[7, 3, 3]])
    >>> image = np.array([[0.6, 0.5, 0.5]])
    >>> zero_shot_summed(image, np.array([[3]]), names, genus, logit_scale=1.0)[0].predicted.tolist()
    [3]
    """
    split = _test_split(vectors, labels, logit_scale)
    species, names = species_names
    _check_names(species, names, vectors.shape[1])
    if ancestors.shape != (len(labels), len(species)):
        raise ValueError(f"expected ancestors of shape {(len(labels), len(species))}, got {ancestors.shape}")
    taxa = [np.unique(own[own >= 0]) for own in ancestors]
    obstacles = [_obstacle(*rank) for rank in zip(split, taxa, strict=True)]
    results = [Predictions.undefined(*rank) for rank in zip(split, obstacles, strict=True)]
    ranks = [rank for rank, obstacle in enumerate(obstacles) if not obstacle]
    if ranks:
        scores = _softmax(vectors, split[ranks], names, logit_scale, chunks)
        record: dict[str, object] = {"names": len(names), "logit_scale": float(logit_scale)}
        predictions = _predictions(scores, labels[ranks], split[ranks], ancestors[ranks], record)
        for rank, own in zip(ranks, predictions, strict=True):
            results[rank] = own
    return results


def _test_split(vectors: np.ndarray, labels: np.ndarray, logit_scale: float) -> np.ndarray:
    """Return the split (R, n) that tests every image that has a label."""
    if not 0 < logit_scale < np.inf:
        raise ValueError(f"expected a positive logit scale, got {logit_scale}")
    return check_split(vectors, labels, np.full(labels.shape, "test"))


def _check_names(taxa: np.ndarray, names: np.ndarray, dimension: int) -> None:
    """Raise an error if taxa are not ascending, or the embeddings of their names do not fit or are not finite."""
    if names.shape != (len(taxa), dimension):
        raise ValueError(f"expected names of shape {(len(taxa), dimension)}, got {names.shape}")
    if (np.diff(taxa) <= 0).any():
        raise ValueError("expected taxa in ascending order, each once")
    not_finite = taxa[~np.isfinite(names).all(axis=1)]
    if len(not_finite):
        raise DataError(f"embeddings of names must be finite; not finite: taxon {some(not_finite)}")


def _obstacle(split: np.ndarray, taxa: np.ndarray) -> str:
    """Return the reason why no image can be named at one rank, or an empty string."""
    if len(taxa) < 2:
        return f"{('no taxon', 'only one taxon')[len(taxa)]} to choose from"
    return "" if (split == "test").any() else "no image with a name"


def _predictions(
    scores: Iterator[tuple[np.ndarray, np.ndarray]],
    labels: np.ndarray,
    split: np.ndarray,
    ancestors: np.ndarray,
    record: dict[str, object],
) -> list[Predictions]:
    """Return the predictions of some ranks; the probabilities of names are summed over those of equal `ancestors`."""
    taxa, columns = zip(*(_columns(own) for own in ancestors), strict=True)
    predicted, place = np.full(labels.shape, -1), np.zeros(labels.shape, dtype=np.int64)
    confidence = np.full(labels.shape, np.nan)
    for rows, probability in scores:
        for rank, (own, (order, first)) in enumerate(zip(taxa, columns, strict=True)):
            tested = split[rank, rows] == "test"
            images, summed = rows[tested], (probability if tested.all() else probability[tested])[:, order]
            if len(first) < summed.shape[1]:
                summed = np.add.reduceat(summed, first, axis=1)
            predicted[rank, images], place[rank, images] = rank_taxa(summed, own, labels[rank, images])
            confidence[rank, images] = summed.max(axis=1)
    results = []
    for rank, own in enumerate(taxa):
        no_name = np.setdiff1d(labels[rank, split[rank] == "test"], own)
        note = f"{len(no_name)} taxa have images and no name: {some(no_name)}" if len(no_name) else ""
        results.append(Predictions(predicted[rank], split[rank], record, note, place[rank], confidence[rank]))
    return results


def _columns(ancestors: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray | slice, np.ndarray]]:
    """Return the taxa, ascending, the columns of their names in that order, and the first column of each taxon."""
    order = np.argsort(ancestors, kind="stable")[np.sum(ancestors < 0) :]
    taxa, first = np.unique(ancestors[order], return_index=True)
    consecutive = (np.diff(order) == 1).all()  # as in a tree's order: a slice need not be copied
    return taxa, (slice(order[0], order[-1] + 1) if consecutive else order, first)


def _softmax(
    vectors: np.ndarray, split: np.ndarray, names: np.ndarray, logit_scale: float, chunks: Chunks
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield chunks of the images that are tested at any rank, and the (b, K) probability of each name."""
    tested = np.flatnonzero((split == "test").any(axis=0))
    distinct, column = _distinct_rows(unit_or_zero_rows(names))
    with matched_threads(len(tested) * vectors.shape[1] * len(distinct)):
        for rows in chunks.of(tested, len(column)):
            scores = (unit_or_zero_rows(vectors[rows]) @ distinct.T).astype(np.float64)
            scores = np.exp(logit_scale * (scores - scores.max(axis=1, keepdims=True)))[:, column]
            yield rows, scores / scores.sum(axis=1, keepdims=True)


def _distinct_rows(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows, and the position of each row among them.

    Equal names must have equal scores to the last bit, which a product of all rows does not ensure.
    """
    as_bytes = np.ascontiguousarray(names).view(np.dtype((np.void, names.itemsize * names.shape[1]))).ravel()
    _, first, column = np.unique(as_bytes, return_index=True, return_inverse=True)
    return names[first], column
