"""Nearest neighbours: an image is named by a vote of the nearest training images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numba import njit

from bioclip_probe.probes.device_neighbors import DeviceNeighbors
from bioclip_probe.probes.inputs import image_weights, ranks_with_equal_splits, val_accuracy
from bioclip_probe.probes.learning import DEFAULT_SETTINGS, LearnSettings, LearnTask
from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.probes.scheduling import Learner, learn_one
from bioclip_probe.stats.devices import uses_torch
from bioclip_probe.stats.sweep.neighbors import Candidates
from bioclip_probe.stats.sweep.points import BLOCK, Points
from bioclip_probe.stats.threads import matched_threads

GRID = (1, 5, 10, 20)
#: Neighbours that are searched once for all splits: of each image at most so many, and of all images together.
MOST_NEAR, MOST_ENTRIES = 256, 2**23


def knn(
    vectors: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    settings: LearnSettings = DEFAULT_SETTINGS,
    block: int = BLOCK,
) -> list[Predictions]:
    """Name the taxa of each rank by a vote of the nearest neighbours.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Unit rows.
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a label (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test`` or empty, as from `splits.split_by_image`.
    settings : LearnSettings
        Its grid are numbers of neighbours, each at least 1; by default 1, 5, 10 and 20. With `refit`, val images vote
        too once the number is chosen. It does not use the device and the chunks.
    block : int
        Rows of the cosine matrix that are computed at once. It changes memory and speed only.

    Returns
    -------
    list of R Predictions
        The taxa named for every image of the split, and as confidence the share of votes. A training image is no
        neighbour of itself. Only taxa that have a vote are ranked: the place of the true taxon is 0 if it has none.
        With an empty subset, or fewer than two taxa in train, there are no predictions and the note says why.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word, or the grid a number below 1.

    Notes
    -----
    Neighbours are the images of highest cosine similarity; ties go to the first. The taxon with most votes is named;
    ties go to the taxon with the larger sum of similarities, then to the lower number. The number of neighbours is the
    one with the highest accuracy on val among neighbours in train; ties go to the largest. The final
    neighbours are in train and val together. With `settings.balanced` a vote counts 1/(images of the taxon that can
    vote), and accuracy on val is the mean over taxa. Where there are fewer images than neighbours, all of them vote.
    The nearest images of each are searched once, whatever the split. A split takes those that it learns from; where
    they are too few, it searches again. Cost O(n²·d), memory O(n·d) and 16 bytes for each of the neighbours, which are
    at most 256 of an image and 2²³ in all.

    Examples
    --------
    >>> labels = np.array([[3, 7] * 3])
    >>> split = np.array([["train", "train", "val", "val", "test", "test"]])
    >>> predictions = knn(np.eye(2)[labels[0] // 4], labels, split, LearnSettings(grid=(1,)))
    >>> predictions[0].predicted.tolist()
    [3, 7, 3, 7, 3, 7]
    """
    return learn_one(partial(NeighborsProbe, block=block), vectors, LearnTask(labels, split, settings))


class NeighborsProbe(Learner):
    """The vote of the nearest images, for the vectors of one encoder.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
    device : str
    block : int
        Rows of the cosine matrix that are computed at once.

    Examples
    --------
    >>> NeighborsProbe(np.eye(2, dtype=np.float32)).check(LearnSettings()).grid
    (1, 5, 10, 20)
    """

    def __init__(self, vectors: np.ndarray, device: str = "cpu", block: int = BLOCK) -> None:
        super().__init__(vectors, device)
        self.block = block
        self._near = None if uses_torch(device) else _near(vectors, block)

    def check(self, settings: LearnSettings) -> LearnSettings:
        """Return the settings with a grid, or raise an error if it holds a number below 1."""
        grid = tuple(int(k) for k in settings.or_grid(GRID).grid or ())
        if not grid or min(grid) < 1:
            raise ValueError(f"expected a grid of at least 1 neighbour, got {grid}")
        return replace(settings, grid=grid)

    def groups(self, split: np.ndarray, settings: LearnSettings) -> list[list[int]]:
        """Return the ranks with equal splits, which share the neighbours."""
        return ranks_with_equal_splits(split)

    def work(self, task: LearnTask) -> float:
        """Return the multiply-adds of the products."""
        return float(self.vectors.size) * int(np.sum(task.split[0] != ""))

    def learn(self, task: LearnTask) -> list[Predictions]:
        """Return the predictions of ranks of equal split."""
        settings, split = task.settings, task.split[0]
        train, val, test = (np.flatnonzero(split == subset) for subset in ("train", "val", "test"))
        grid = tuple(int(k) for k in settings.grid or ())
        of_val = self._nearest(train, val, max(grid))
        learnt = np.sort(np.concatenate([train, val])) if settings.refit else train
        named = test if settings.only_test else np.concatenate([train, val, test])
        of_all = self._nearest(learnt, named, max(grid))
        results = []
        for labels in task.labels:
            voters = [_Voters.of(labels, rows, settings.balanced) for rows in (train, learnt)]
            results.append(_predictions((of_val, of_all), voters, labels, split, grid, settings))
        return results

    def _nearest(self, learnt: np.ndarray, named: np.ndarray, k: int) -> _Nearest:
        """Return the `k` nearest of the rows `learnt` to each of the rows `named`."""
        if self._near is None:
            return _search(self.vectors, learnt, named, k, self.block, self.device)
        nearest = _among(self._near, learnt, named, k)
        n_others = len(learnt) - np.isin(named, learnt)  # an image is no neighbour of itself
        too_few = np.sum(nearest.neighbours >= 0, axis=1) < np.minimum(k, n_others)
        if too_few.any():
            found = _search(self.vectors, learnt, named[too_few], k, self.block)
            at = np.argsort(named)[np.searchsorted(np.sort(named), found.rows)]
            nearest.neighbours[at], nearest.similarities[at] = found.neighbours, found.similarities
        return nearest


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The nearest training images of some rows.

    Attributes
    ----------
    rows : ndarray, shape (m,), int64
    neighbours : ndarray, shape (m, k), int64
        Row numbers, nearest first; −1 where there are no more.
    similarities : ndarray, shape (m, k), float64
        NaN where there are no more.
    """

    rows: np.ndarray
    neighbours: np.ndarray
    similarities: np.ndarray


@dataclass(frozen=True, eq=False)
class _Voters:
    """The taxon of each image, shape (n,), and what a vote for it counts, shape (n,): 0 for an image without a vote."""

    taxon: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, rows: np.ndarray, balanced: bool) -> _Voters:
        """Return the votes of some rows."""
        weight = np.zeros(len(labels))
        weight[rows] = image_weights(labels[rows], balanced)
        return cls(labels, weight)


@dataclass(frozen=True, eq=False)
class _Answers:
    """Predicted taxon, place of the true taxon and share of votes of some rows, each of shape (m,)."""

    predicted: np.ndarray
    place: np.ndarray
    share: np.ndarray


def _near(vectors: np.ndarray, block: int) -> _Nearest:
    """Return the nearest of all rows to each row, of which a split takes those that it learns from."""
    n = len(vectors)
    rows, k = np.arange(n), max(min(MOST_NEAR, MOST_ENTRIES // max(n, 1), n - 1), 0)
    return _search(vectors, rows, rows, k, block)


def _among(near: _Nearest, learnt: np.ndarray, named: np.ndarray, k: int) -> _Nearest:
    """Return those of the nearest of all rows that are among `learnt`, at most `k` for each of the rows `named`."""
    may_vote = np.zeros(len(near.rows), dtype=np.bool_)
    may_vote[learnt] = True
    neighbours, similarities = np.full((len(named), k), -1), np.full((len(named), k), np.nan)
    _take(near.neighbours[named], near.similarities[named], may_vote, neighbours, similarities)
    return _Nearest(named, neighbours, similarities)


@njit(cache=True, nogil=True)
def _take(
    near: np.ndarray,
    near_similarities: np.ndarray,
    may_vote: np.ndarray,
    neighbours: np.ndarray,
    similarities: np.ndarray,
) -> None:
    """Write the first of the near rows that may vote, with their similarities."""
    for row in range(len(near)):
        n = 0
        for place in range(near.shape[1]):
            other = near[row, place]
            if n < neighbours.shape[1] and other >= 0 and may_vote[other]:
                neighbours[row, n], similarities[row, n] = other, near_similarities[row, place]
                n += 1


def _search(
    vectors: np.ndarray, learnt: np.ndarray, named: np.ndarray, k: int, block: int, device: str = "cpu"
) -> _Nearest:
    """Return the `k` nearest of the rows `learnt` to each of the rows `named`, from their distances."""
    is_named = np.isin(learnt, named)
    rows = np.concatenate([learnt[~is_named], learnt[is_named], named[~np.isin(named, learnt)]])
    first = len(learnt) - int(is_named.sum())
    candidates, points = Candidates.of(vectors, rows, k, None), Points.of(vectors, rows)
    neighbours, similarities = candidates.empty_results(len(rows))
    if uses_torch(device):
        on_device = DeviceNeighbors(vectors[rows], len(learnt), points.slack, device)
        for start, tile in on_device.tiles(range(first, len(rows))):
            candidates.update(start, tile, on_device, (neighbours, similarities))  # type: ignore[arg-type]
        return _Nearest(rows[first:], neighbours[first:], similarities[first:])
    with matched_threads((len(rows) - first) * len(rows) * vectors.shape[1]):
        for start, tile in points.tiles(block, range(first, len(rows), block)):
            tile[:, len(learnt) :] = np.nan  # NaN is nearer than nothing: the other rows have no vote
            candidates.update(start, tile, points, (neighbours, similarities))
    return _Nearest(rows[first:], neighbours[first:], similarities[first:])


def _predictions(
    nearest: tuple[_Nearest, _Nearest],
    voters: Sequence[_Voters],
    labels: np.ndarray,
    split: np.ndarray,
    grid: Sequence[int],
    settings: LearnSettings,
) -> Predictions:
    """Choose the number of neighbours on val with the first of two sets of voters, and name taxa with the second."""
    (of_val, of_all), truth = nearest, labels[nearest[0].rows]
    accuracy = {
        k: val_accuracy(answers.predicted == truth, truth, settings.balanced)
        for k, answers in _votes(of_val, voters[0], grid)
    }
    chosen = max(sorted(accuracy, reverse=True), key=lambda k: accuracy[k])
    predicted, place = np.full(len(labels), -1), np.zeros(len(labels), dtype=np.int64)
    confidence = np.full(len(labels), np.nan)
    ((_, answers),) = _votes(of_all, voters[1], (chosen,))
    predicted[of_all.rows], place[of_all.rows] = answers.predicted, answers.place
    confidence[of_all.rows] = answers.share
    choice = {
        "k": chosen,
        "grid": list(grid),
        "val_accuracy": [accuracy[k] for k in grid],
        "learnt_from": settings.learnt_from,
    }
    return Predictions(predicted, split, choice, "", place, confidence)


def _votes(nearest: _Nearest, voters: _Voters, grid: Sequence[int]) -> Iterator[tuple[int, _Answers]]:
    """Yield each k of the grid in ascending order, and the answers of the first k neighbours.

    Each neighbour has a column. The votes and similarities of a taxon stand in every column of that taxon.
    """
    truth = voters.taxon[nearest.rows]
    taxa = np.where(nearest.neighbours >= 0, voters.taxon[nearest.neighbours], -1)
    per_vote = np.where(taxa >= 0, voters.weight[nearest.neighbours], 0)
    votes, weight = np.zeros(taxa.shape, dtype=np.int64), np.zeros(taxa.shape)
    repeated = np.zeros(taxa.shape, dtype=bool)  # the taxon has an earlier column
    for column in range(max(grid)):
        own = taxa[:, column, None]
        same = (taxa == own) & (own >= 0)
        votes += same
        weight += np.where(same, nearest.similarities[:, column, None], 0)
        repeated[:, column] = same[:, :column].any(axis=1)
        if column + 1 in grid:
            first = slice(column + 1)
            # Rounded, so that three votes of a third are no less than one whole vote.
            counted = np.round(votes[:, first] * per_vote[:, first], 9)
            valid_votes = np.where(taxa[:, first] >= 0, counted, -1)
            yield column + 1, _count(taxa[:, first], valid_votes, weight[:, first], repeated[:, first], truth)


def _count(
    taxa: np.ndarray, votes: np.ndarray, weight: np.ndarray, repeated: np.ndarray, truth: np.ndarray
) -> _Answers:
    """Return the answers by votes, then by weight, then by the number of the taxon."""
    best = votes == votes.max(axis=1, keepdims=True)
    weight_of_best = np.where(best, weight, -np.inf)
    best &= weight_of_best == weight_of_best.max(axis=1, keepdims=True)
    predicted = np.where(best, taxa, np.iinfo(np.int64).max).min(axis=1)
    own = np.argmax(taxa == truth[:, None], axis=1)[:, None]
    own_votes, own_weight = (np.take_along_axis(values, own, axis=1) for values in (votes, weight))
    wins_tie = (weight > own_weight) | ((weight == own_weight) & (taxa < truth[:, None]))
    before = ~repeated & ((votes > own_votes) | ((votes == own_votes) & wins_tie))
    place = np.where((taxa == truth[:, None]).any(axis=1), 1 + before.sum(axis=1), 0)
    total = np.where(repeated | (taxa < 0), 0, votes).sum(axis=1)
    return _Answers(predicted, place, votes.max(axis=1) / total)
