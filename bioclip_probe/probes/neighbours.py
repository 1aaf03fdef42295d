"""Nearest neighbours: an image is named as most of those nearest to it among the images learnt from."""

from __future__ import annotations

import numpy as np

from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.probes.splits import alike, named_parts, unlearnable
from bioclip_probe.stats.sweep.neighbours import Candidates
from bioclip_probe.stats.sweep.points import BLOCK, Points
from bioclip_probe.stats.threads import matched_threads

GRID = (1, 5, 10, 20)


def knn(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, grid: tuple[int, ...] = GRID, refit: bool = True
) -> list[Predictions]:
    """Name the taxa of each rank by a vote of the nearest neighbours.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Unit rows.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a name (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test`` or empty, as from `splits.split_by_image`.
    grid : tuple of int
        Numbers of neighbours to choose from, each at least 1.
    refit : bool
        Images of val vote too once the number is chosen; otherwise those of train alone.

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split, and as confidence the share of votes. An image learnt from is no
        neighbour of itself. Only taxa that have a vote are ranked: the place of the truth is 0 if it has none. With a
        part that is empty, or fewer than two taxa to learn, there are no predictions and the note says why.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid a number below 1.

    Notes
    -----
    Neighbours are those of highest cosine similarity, of equals the first. Most votes win, of equals the taxon whose
    voters are nearer (the sum of their similarities), then the lower number. The number of neighbours is the one with
    the highest top-1 accuracy on val among neighbours in train, of equal ones the largest; the neighbours are then
    those in train and val together. Where there are fewer images than neighbours, all of them vote. Ranks whose images
    are in the same parts share the neighbours. Cost O(n²·d), memory O(n·(d + k)).
    """
    if not len(grid) or min(grid) < 1:
        raise ValueError(f"expected a grid of at least 1 neighbour, got {grid}")
    split = named_parts(vectors, labels, split)
    notes = [unlearnable(*rank) for rank in zip(labels, split, strict=True)]
    found = [Predictions.undefined(*rank) for rank in zip(split, notes, strict=True)]
    ready = np.flatnonzero([not note for note in notes])
    for together in alike(split[ready]):
        ranks = ready[together]
        train, val, test = (np.flatnonzero(split[ranks[0]] == part) for part in ("train", "val", "test"))
        of_val = _neighbours(vectors, train, val, max(grid))
        learnt = np.sort(np.concatenate([train, val])) if refit else train
        of_all = _neighbours(vectors, learnt, np.concatenate([train, val, test]), max(grid))
        for rank in ranks:
            found[rank] = _predictions(of_val, of_all, labels[rank], split[rank], grid, refit)
    return found


def _neighbours(vectors, learnt, asked, k):
    """The rows `asked`, and (len(asked), k) their nearest among the rows `learnt`, nearest first, and similarities."""
    others = asked[~np.isin(asked, learnt)]
    rows = np.concatenate([learnt, others])
    near, points = Candidates.of(vectors, rows, k, None), Points.of(vectors, rows)
    found = near.empty_results(len(rows))
    first = 0 if len(others) < len(asked) else len(learnt)
    with matched_threads((len(rows) - first) * len(rows) * vectors.shape[1]):
        for start, tile in points.tiles(BLOCK, range(first, len(rows), BLOCK)):
            tile[:, len(learnt) :] = np.nan  # what is no number is nearer than nothing: these have no vote
            near.update(start, tile, points, found)
    return rows[first:], *(part[first:] for part in found)


def _predictions(of_val, of_all, labels, split, grid, refit) -> Predictions:
    rows, *near = of_val
    right = {k: np.sum(answers[0] == labels[rows]) for k, answers in _votes(*near, labels, labels[rows], grid)}
    chosen = max(sorted(right, reverse=True), key=right.get)
    predicted, place = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
    confidence = np.full(len(labels), np.nan)
    asked, *near = of_all
    ((_, answers),) = _votes(*near, labels, labels[asked], (chosen,))
    predicted[asked], place[asked], confidence[asked] = answers
    settings = {
        "k": int(chosen),
        "grid": [int(k) for k in grid],
        "val_accuracy": [float(right[k] / len(rows)) for k in grid],
        "learnt_from": "train and val" if refit else "train",
    }
    return Predictions(predicted, split, settings, "", place, confidence)


def _votes(indices, similarities, labels, truth, grid):
    """Each k of the grid, and the taxon named by the first k neighbours, the place of the truth, the share of votes.

    Each neighbour has a column; what is said of its taxon stands in each column of that taxon.
    """
    taxa = np.where(indices >= 0, labels[indices], -1)
    votes, weight = np.zeros(taxa.shape, dtype=np.int64), np.zeros(taxa.shape)
    again = np.zeros(taxa.shape, dtype=bool)  # the taxon has a column before
    for column in range(max(grid)):
        own = taxa[:, column, None]
        same = (taxa == own) & (own >= 0)
        votes += same
        weight += np.where(same, similarities[:, column, None], 0)
        again[:, column] = same[:, :column].any(axis=1)
        if column + 1 in grid:
            met = slice(column + 1)
            heard = np.where(taxa[:, met] >= 0, votes[:, met], -1)
            yield column + 1, _counted(taxa[:, met], heard, weight[:, met], again[:, met], truth)


def _counted(taxa, votes, weight, again, truth):
    best = votes == votes.max(axis=1, keepdims=True)
    nearest = np.where(best, weight, -np.inf)
    best &= nearest == nearest.max(axis=1, keepdims=True)
    named = np.where(best, taxa, np.iinfo(np.int64).max).min(axis=1)
    own = np.argmax(taxa == truth[:, None], axis=1)[:, None]
    own_votes, own_weight = (np.take_along_axis(values, own, axis=1) for values in (votes, weight))
    nearer = (weight > own_weight) | ((weight == own_weight) & (taxa < truth[:, None]))
    before = ~again & ((votes > own_votes) | ((votes == own_votes) & nearer))
    place = np.where((taxa == truth[:, None]).any(axis=1), 1 + before.sum(axis=1), 0)
    return named, place, votes.max(axis=1) / np.sum(taxa >= 0, axis=1)
