"""Sums of squares of images between and within taxa at any rank, whole and without each part of their species.

With s_g and n_g the sum and the count of group g, and Q = Σ‖x‖², over n images with sum s::

    SS_total   = Q - ‖s‖²/n
    SS_between = Σ_g ‖s_g‖²/n_g - ‖s‖²/n
    SS_within  = Q - Σ_g ‖s_g‖²/n_g

Leaving out a part of the species changes only the groups that have species in it, so that all parts together cost no
more than the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class SpeciesSums:
    """Count, sum and Σ‖x‖² of the images of each species, and the part with which the jackknife leaves it out.

    Attributes
    ----------
    counts : ndarray, shape (k,), float64
        At least 1.
    sums : ndarray, shape (k, d), float64
    norms : ndarray, shape (k,), float64
    part : ndarray, shape (k,), int64
        From 0 to P - 1, none of them empty.
    """

    counts: np.ndarray
    sums: np.ndarray
    norms: np.ndarray
    part: np.ndarray

    @property
    def n_parts(self) -> int:
        return int(self.part.max(initial=-1)) + 1

    def n(self) -> np.ndarray:
        """Images in all, then without each part, shape (1 + P,)."""
        return self._left(self.counts)

    def total(self) -> np.ndarray:
        """SS_total, shape (1 + P,)."""
        return self._left(self.norms) - self.of_groups(np.zeros(len(self.part), dtype=np.int64))[0]

    def within(self, labels: np.ndarray) -> np.ndarray:
        """SS_within of groups of species, shape (1 + P,)."""
        return self._left(self.norms) - self.of_groups(labels)[0]

    def of_groups(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Σ_g ‖s_g‖²/n_g over groups of species, and how many groups there are.

        Parameters
        ----------
        labels : ndarray, shape (k,), int64
            The group of each species.

        Returns
        -------
        squares, n_groups : ndarray, shape (1 + P,), float64
            Of all species, then without each part.
        """
        _, group = np.unique(labels, return_inverse=True)
        counts, sums = _summed(group, self.counts, self.sums)
        squares = np.einsum("ij,ij->i", sums, sums) / counts
        cells, cell = np.unique(group * self.n_parts + self.part, return_inverse=True)
        of, part = np.divmod(cells, self.n_parts)
        lost, lost_sums = _summed(cell, self.counts, self.sums)
        left, left_sums = counts[of] - lost, sums[of] - lost_sums
        gone = left < 0.5
        kept = np.einsum("ij,ij->i", left_sums, left_sums) / np.where(gone, 1, left)
        change = np.where(gone, 0, kept) - squares[of]
        return (
            squares.sum() + np.concatenate([[0.0], np.bincount(part, change, self.n_parts)]),
            len(counts) - np.concatenate([[0.0], np.bincount(part, gone, self.n_parts)]),
        )

    def _left(self, values: np.ndarray) -> np.ndarray:
        return values.sum() - np.concatenate([[0.0], np.bincount(self.part, values, self.n_parts)])


def _summed(group: np.ndarray, counts: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n_groups = int(group.max(initial=-1)) + 1
    pick = csr_array((np.ones(len(group)), (group, np.arange(len(group)))), shape=(n_groups, len(group)))
    return pick @ counts, pick @ sums
