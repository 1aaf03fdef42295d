"""What a probe returns: the taxon it names for each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """The taxa a probe names, and what it did to get there. Scoring them is a metric's work.

    Attributes
    ----------
    predicted : ndarray, shape (n,), int64, read-only
        Taxon named for each image; −1 for one that is in no part of the split, and for all if the probe is undefined.
        Only those of the test part tell of accuracy.
    split : ndarray, shape (n,), of str, read-only
        ``train``, ``val``, ``test``, or empty for an image left out.
    settings : dict
        What was chosen, on what grounds: JSON-able, for the record.
    note : str
        Why there are no predictions, or what to know of them.
    place : ndarray, shape (n,), int64, read-only
        Place of the truth among the taxa that the probe ranks for the image, 1 is best: so it is 1 just where the
        truth is predicted. 0 where the truth is not among them, and where nothing is predicted.
    confidence : ndarray, shape (n,), float64, read-only
        The probability that the probe gives its answer; NaN where it gives none.
    """

    predicted: np.ndarray
    split: np.ndarray
    settings: dict
    note: str = ""
    place: np.ndarray | None = None
    confidence: np.ndarray | None = None

    def __post_init__(self):
        n = len(self.predicted)
        given = {
            "predicted": self.predicted,
            "split": self.split,
            "place": np.zeros(n, dtype=np.int64) if self.place is None else self.place,
            "confidence": np.full(n, np.nan) if self.confidence is None else self.confidence,
        }
        for name, values in given.items():
            array = np.array(values)
            if array.shape != (n,):
                raise ValueError(f"expected {name} of shape {(n,)}, got {array.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def undefined(cls, split: np.ndarray, note: str) -> Predictions:
        """No predictions, and why."""
        return cls(np.full(len(split), -1, dtype=np.int64), split, {}, note)


def ranked(scores: np.ndarray, taxa: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The answers that scores give, and how far down the list the truth is.

    Parameters
    ----------
    scores : ndarray, shape (b, K)
        The higher, the more the probe is for the taxon; K ≥ 1.
    taxa : ndarray, shape (K,), int64
        Ascending.
    truth : ndarray, shape (b,), int64

    Returns
    -------
    predicted : ndarray, shape (b,), int64
        The taxon of the highest score; of equals the first.
    place : ndarray, shape (b,), int64
        1 + the number of taxa before the truth: those of higher score, and of equals the earlier ones. 0 where the
        truth is none of `taxa`.
    """
    predicted = taxa[np.argmax(scores, axis=1)]
    column = np.minimum(np.searchsorted(taxa, truth), len(taxa) - 1)
    own = np.take_along_axis(scores, column[:, None], axis=1)
    before = np.sum(scores > own, axis=1) + np.sum((scores == own) & (np.arange(len(taxa)) < column[:, None]), axis=1)
    return predicted, np.where(taxa[column] == truth, 1 + before, 0).astype(np.int64)
