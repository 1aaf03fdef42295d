"""Zero-shot: an image is named by the nearest of the names of taxa, and nothing is learnt from images.

A rank can be asked in two ways: by the names of its own taxa (`zero_shot`), or by those of the species, whose
probabilities are then summed over the species of each taxon (`zero_shot_summed`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.probes.predictions import Predictions, ranked
from bioclip_probe.probes.splits import named_parts
from bioclip_probe.stats.embeddings import unit_or_zero_rows
from bioclip_probe.stats.threads import matched_threads

ROWS, CELLS = 8192, 1 << 22  # images, and scores of images and taxa, held at once


def zero_shot(
    vectors: np.ndarray,
    labels: np.ndarray,
    text: Sequence[tuple[np.ndarray, np.ndarray]],
    logit_scale: float,
) -> list[Predictions]:
    """Name the taxa of each rank by the nearest of their own names.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings of images; of any length.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a name (−1) is left out there.
    text : sequence of R pairs
        Taxa (K,), int64, ascending, and the embeddings of their names (K, d), of any length.
    logit_scale : float
        What the model multiplies cosines by before the softmax: exp of CLIP's parameter of that name.

    Returns
    -------
    list of R Predictions
        The taxa named for every image that has a name there, all in part ``test``. With fewer than two names to
        choose from, or no image to ask, there are none and the note says why. Else it names the taxa that have
        images but are not among those to choose from: there the place of the truth is 0.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If taxa are not ascending, shapes do not fit, or the scale is not positive.

    Notes
    -----
    The taxon of highest cosine is named; the confidence is its softmax, exp(s·cos) / Σ exp(s·cos) over the taxa of the
    rank. Taxa of one name are told apart by their number only: the lowest is named. A vector of length zero has cosine
    0 with all. Cost O(n·d·K), memory O(K·d) and chunks of scores.

    References
    ----------
    Radford et al. 2021, ICML, Section 3.1.2.
    """
    split = _asked(vectors, labels, logit_scale)
    if len(text) != len(labels):
        raise ValueError(f"expected names for {len(labels)} ranks, got them for {len(text)}")
    found = []
    for own, part, (taxa, names) in zip(labels, split, text, strict=True):
        _check_names(taxa, names, vectors.shape[1])
        note = _unasked(part, taxa)
        found.append(
            Predictions.undefined(part, note)
            if note
            else _answers(vectors, own[None], part[None], names, taxa[None], logit_scale)[0]
        )
    return found


def zero_shot_summed(
    vectors: np.ndarray,
    labels: np.ndarray,
    species: np.ndarray,
    text_vectors: np.ndarray,
    ancestors: np.ndarray,
    logit_scale: float,
) -> list[Predictions]:
    """Name the taxa of each rank by the summed probability of their species.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Embeddings of images; of any length.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a name (−1) is left out there.
    species : ndarray, shape (K,), int64
        Ascending.
    text_vectors : ndarray, shape (K, d), float32
        Embeddings of the names of the species; of any length.
    ancestors : ndarray, shape (R, K), int64
        Taxon of each species at each rank, −1 for a hole: the probability of such a species goes to no taxon there.
    logit_scale : float
        As for `zero_shot`.

    Returns
    -------
    list of R Predictions
        As `zero_shot` gives them; the confidence is the sum for the taxon named.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If species are not ascending, shapes do not fit, or the scale is not positive.

    Notes
    -----
    p(taxon) = Σ exp(s·cos) over its species / Σ exp(s·cos) over all species. Where every species has a taxon, these add
    up to 1. Species are looked at once for all ranks. Cost O(n·(d + R)·K), memory O(K·d) and chunks of scores.
    """
    split = _asked(vectors, labels, logit_scale)
    _check_names(species, text_vectors, vectors.shape[1])
    if ancestors.shape != (len(labels), len(species)):
        raise ValueError(f"expected ancestors of shape {(len(labels), len(species))}, got {ancestors.shape}")
    taxa = [np.unique(own[own >= 0]) for own in ancestors]
    notes = [_unasked(*rank) for rank in zip(split, taxa, strict=True)]
    found = [Predictions.undefined(*rank) for rank in zip(split, notes, strict=True)]
    ready = [rank for rank, note in enumerate(notes) if not note]
    if ready:
        answers = _answers(vectors, labels[ready], split[ready], text_vectors, ancestors[ready], logit_scale)
        for rank, answer in zip(ready, answers, strict=True):
            found[rank] = answer
    return found


def _asked(vectors: np.ndarray, labels: np.ndarray, logit_scale: float) -> np.ndarray:
    """The split, (R, n): every image that has a name is asked about."""
    if not 0 < logit_scale < np.inf:
        raise ValueError(f"expected a positive logit scale, got {logit_scale}")
    return named_parts(vectors, labels, np.full(labels.shape, "test"))


def _check_names(taxa: np.ndarray, names: np.ndarray, dimension: int) -> None:
    if names.shape != (len(taxa), dimension):
        raise ValueError(f"expected names of shape {(len(taxa), dimension)}, got {names.shape}")
    if (np.diff(taxa) <= 0).any():
        raise ValueError("expected taxa in ascending order, each once")
    broken = taxa[~np.isfinite(names).all(axis=1)]
    if len(broken):
        raise DataError(f"embeddings of names must be finite; not so for taxa {some(broken)}")


def _unasked(split: np.ndarray, taxa: np.ndarray) -> str:
    """Why nothing can be asked at one rank; empty if it can."""
    if len(taxa) < 2:
        return f"{('no taxon', 'only one taxon')[len(taxa)]} to choose from"
    return "" if (split == "test").any() else "no image with a name"


def _answers(vectors, labels, split, names, ancestors, logit_scale) -> list[Predictions]:
    """The answers at ranks at which some can be had; the probabilities of names are summed to their `ancestors`."""
    taxa, columns = zip(*(_columns(own) for own in ancestors), strict=True)
    predicted, place = np.full(labels.shape, -1), np.zeros(labels.shape, dtype=np.int64)
    confidence = np.full(labels.shape, np.nan)
    asked = np.flatnonzero((split == "test").any(axis=0))
    for rows, mass in _softmax(vectors, asked, names, logit_scale):
        for rank, (own, (order, first)) in enumerate(zip(taxa, columns, strict=True)):
            there = split[rank, rows] == "test"
            here, scores = rows[there], (mass if there.all() else mass[there])[:, order]
            if len(first) < scores.shape[1]:
                scores = np.add.reduceat(scores, first, axis=1)
            predicted[rank, here], place[rank, here] = ranked(scores, own, labels[rank, here])
            confidence[rank, here] = scores.max(axis=1)
    settings = {"names": len(names), "logit_scale": float(logit_scale)}
    found = []
    for rank, own in enumerate(taxa):
        strange = np.setdiff1d(labels[rank, split[rank] == "test"], own)
        note = f"{len(strange)} taxa have images and no name: {some(strange)}" if len(strange) else ""
        found.append(Predictions(predicted[rank], split[rank], settings, note, place[rank], confidence[rank]))
    return found


def _columns(ancestors):
    """The taxa, ascending, and their names: columns in order of their taxon, and where those of each begin."""
    order = np.argsort(ancestors, kind="stable")[np.sum(ancestors < 0) :]
    taxa, first = np.unique(ancestors[order], return_index=True)
    as_they_lie = (np.diff(order) == 1).all()  # in a tree's order they do, and need not be copied
    return taxa, (slice(order[0], order[-1] + 1) if as_they_lie else order, first)


def _softmax(vectors, asked, names, logit_scale) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunk by chunk the images asked about, and the (b, K) probability of each name."""
    names, column = _distinct(unit_or_zero_rows(names))
    step = max(1, min(ROWS, CELLS // len(column)))
    with matched_threads(len(asked) * vectors.shape[1] * len(names)):
        for start in range(0, len(asked), step):
            rows = asked[start : start + step]
            scores = (unit_or_zero_rows(vectors[rows]) @ names.T).astype(np.float64)
            scores = np.exp(logit_scale * (scores - scores.max(axis=1, keepdims=True)))[:, column]
            yield rows, scores / scores.sum(axis=1, keepdims=True)


def _distinct(names):
    """Different rows, and for each row its place among them: equal names are to score equally, to the last bit."""
    as_bytes = np.ascontiguousarray(names).view(np.dtype((np.void, names.itemsize * names.shape[1]))).ravel()
    _, first, column = np.unique(as_bytes, return_index=True, return_inverse=True)
    return names[first], column
