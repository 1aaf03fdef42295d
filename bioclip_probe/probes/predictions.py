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
    """

    predicted: np.ndarray
    split: np.ndarray
    settings: dict
    note: str = ""

    def __post_init__(self):
        for name in ("predicted", "split"):
            array = np.array(getattr(self, name))
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def undefined(cls, split: np.ndarray, note: str) -> Predictions:
        """No predictions, and why."""
        return cls(np.full(len(split), -1, dtype=np.int64), split, {}, note)
