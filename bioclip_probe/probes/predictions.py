"""Predictions: the taxon that a probe names for each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from bioclip_probe.stats.threads import in_threads, n_threads


@dataclass(frozen=True)
class Predictions:
    """The taxa that a probe names at one rank, and the settings that it chose. A metric scores them.

    Attributes
    ----------
    predicted : ndarray, shape (n,), int64, read-only
        Taxon named for each image. −1 for an image in no subset of the split, and for all images if the probe is
        undefined. Only the test images measure accuracy: the probe has learnt from the others.
    split : ndarray, shape (n,), of str, read-only
        ``train``, ``val``, ``test``, or empty for an image that is left out.
    settings : dict
        Chosen hyperparameters and the val accuracy that chose them: JSON-able, for the record.
    note : str
        The reason why there are no predictions, or a remark on them; may be empty.
    place : ndarray, shape (n,), int64, read-only
        Place of the true taxon among the taxa that the probe ranks for the image; 1 is best, so it is 1 exactly where
        the prediction is right. 0 where the true taxon is not ranked, and where nothing is predicted.
    confidence : ndarray, shape (n,), float64, read-only
        Probability that the probe gives to its prediction; NaN where it gives none.

    Raises
    ------
    ValueError
        If the arrays differ in length.

    Examples
    --------
    >>> predictions = Predictions(np.array([4, 7]), np.array(["train", "test"]), {"k": 5})
    >>> predictions.predicted.tolist(), predictions.place.tolist()
    ([4, 7], [0, 0])
    """

    predicted: np.ndarray
    split: np.ndarray
    settings: dict[str, object]
    note: str = ""
    place: np.ndarray | None = None
    confidence: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.predicted)
        arrays = {
            "predicted": self.predicted,
            "split": self.split,
            "place": np.zeros(n, dtype=np.int64) if self.place is None else self.place,
            "confidence": np.full(n, np.nan) if self.confidence is None else self.confidence,
        }
        for name, values in arrays.items():
            array = np.array(values)
            if array.shape != (n,):
                raise ValueError(f"expected {name} of shape {(n,)}, got {array.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def undefined(cls, split: np.ndarray, note: str) -> Predictions:
        """Return predictions that name no taxon, with the reason why.

        Parameters
        ----------
        split : ndarray, shape (n,), of str
        note : str
            The reason.

        Returns
        -------
        Predictions
        """
        return cls(np.full(len(split), -1, dtype=np.int64), split, {}, note)


def rank_taxa(scores: Any, taxa: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank the taxa of each image by their scores, and return the best one and the place of the true one.

    Parameters
    ----------
    scores : ndarray or torch.Tensor, shape (b, K)
        Score of each taxon for each image, higher is more likely; K ≥ 1.
    taxa : ndarray, shape (K,), int64
        Taxa of the columns, in ascending order.
    truth : ndarray, shape (b,), int64
        True taxon of each image.

    Returns
    -------
    predicted : ndarray, shape (b,), int64
        The taxon of the highest score; ties go to the lowest taxon.
    place : ndarray, shape (b,), int64
        1 + the number of taxa before the true one: those with a higher score, and lower taxa with an equal score. 0
        where the true taxon is not among `taxa`.

    Examples
    --------
    >>> rank_taxa(np.array([[0.1, 0.7, 0.2]]), np.array([3, 5, 8]), np.array([8]))
    (array([5]), array([2]))
    """
    predicted, place, _ = _rank(scores, taxa, truth, with_probability=False)
    return predicted, place


def rank_with_probability(
    scores: Any, taxa: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank the taxa as `rank_taxa` does, and return also the softmax of the highest score.

    Parameters
    ----------
    scores, taxa, truth
        As for `rank_taxa`; scores are logarithms of probabilities, up to a number for each image.

    Returns
    -------
    predicted, place : ndarray, shape (b,), int64
    probability : ndarray, shape (b,), float64
        Probability of the predicted taxon.

    Examples
    --------
    >>> rank_with_probability(np.array([[0.0, 0.0]]), np.array([3, 5]), np.array([5]))
    (array([3]), array([2]), array([0.5]))
    """
    return _rank(scores, taxa, truth, with_probability=True)


def best_columns(scores: Any) -> np.ndarray:
    """Return the column of the highest score of each row; ties go to the first.

    Parameters
    ----------
    scores : ndarray or torch.Tensor, shape (b, K)

    Returns
    -------
    ndarray, shape (b,), int64

    Examples
    --------
    >>> best_columns(np.array([[0.2, 0.5, 0.5]])).tolist()
    [1]
    """
    return scores.argmax(axis=1) if isinstance(scores, np.ndarray) else scores.argmax(dim=1).cpu().numpy()


def _rank(
    scores: Any, taxa: np.ndarray, truth: np.ndarray, with_probability: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return predicted taxa, places of the true ones and probabilities, these NaN if they are not wanted."""
    own = np.minimum(np.searchsorted(taxa, truth), len(taxa) - 1)
    if isinstance(scores, np.ndarray):
        best, before, probability = _rank_on_processors(scores, own, with_probability)
    else:
        best, before, probability = _rank_on_device(scores, own, with_probability)
    return taxa[best], np.where(taxa[own] == truth, 1 + before, 0), probability


def _rank_on_processors(
    scores: np.ndarray, own: np.ndarray, with_probability: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the best column, the number of columns before the own one, and the softmax of the best of each row."""
    n = len(scores)
    best, before, probability = np.empty(n, np.int64), np.empty(n, np.int64), np.full(n, np.nan)
    threads = n_threads(scores.size)

    def rank_share(share: int) -> None:
        rows = slice(n * share // threads, n * (share + 1) // threads)
        rank_rows(scores[rows], own[rows], with_probability, best[rows], before[rows], probability[rows])

    for _ in in_threads(rank_share, range(threads), threads):
        pass
    return best, before, probability


@njit(cache=True, nogil=True)
def rank_rows(
    scores: np.ndarray,
    own: np.ndarray,
    with_probability: bool,
    best: np.ndarray,
    before: np.ndarray,
    probability: np.ndarray,
) -> None:  # pragma: no cover
    """Write the results of `_rank_on_processors` for some rows."""
    for i in range(scores.shape[0]):
        row, column = scores[i], own[i]
        highest, number, total = row[0], 0, 0.0
        for j in range(1, len(row)):
            if row[j] > highest:
                highest, number = row[j], j
        best[i], mine, count = number, row[column], 0
        for j in range(len(row)):
            count += (row[j] > mine) | ((row[j] == mine) & (j < column))
        before[i] = count
        if with_probability:
            for j in range(len(row)):
                total += np.exp(row[j] - highest)
            probability[i] = 1 / total


def _rank_on_device(scores: Any, own: np.ndarray, with_probability: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `_rank_on_processors` returns, computed by torch where the scores are."""
    import torch

    column = torch.from_numpy(own).to(scores.device)[:, None]
    mine = scores.gather(1, column)
    lower = torch.arange(scores.shape[1], device=scores.device) < column
    before = ((scores > mine) | ((scores == mine) & lower)).sum(dim=1)
    probability = torch.full((len(own),), torch.nan)
    if with_probability:
        probability = 1 / (scores - scores.amax(dim=1, keepdim=True)).exp_().sum(dim=1, dtype=torch.float64)
    return tuple(array.cpu().numpy() for array in (scores.argmax(dim=1), before, probability))  # type: ignore[return-value]
