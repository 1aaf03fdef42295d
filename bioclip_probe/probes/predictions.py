"""Predictions: the taxon that a probe names for each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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


def rank_taxa(scores: np.ndarray, taxa: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank the taxa of each image by their scores, and return the best one and the place of the true one.

    Parameters
    ----------
    scores : ndarray, shape (b, K)
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
    predicted = taxa[np.argmax(scores, axis=1)]
    column = np.minimum(np.searchsorted(taxa, truth), len(taxa) - 1)
    own = np.take_along_axis(scores, column[:, None], axis=1)
    before = np.sum(scores > own, axis=1) + np.sum((scores == own) & (np.arange(len(taxa)) < column[:, None]), axis=1)
    return predicted, np.where(taxa[column] == truth, 1 + before, 0).astype(np.int64)
