"""Sums of squares between and within taxa of any rank, with and without each jackknife group of species.

With s_g and n_g the sum and the count of group g, and Q = Σ‖x‖², over n images with sum s::

    SS_total   = Q - ‖s‖²/n
    SS_between = Σ_g ‖s_g‖²/n_g - ‖s‖²/n
    SS_within  = Q - Σ_g ‖s_g‖²/n_g

Leaving out a jackknife group changes only the taxa that have species in it, so all groups together cost no more than
the sums of all species.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.group_sums import group_sums


@dataclass(frozen=True, eq=False)
class SpeciesSums:
    """Count, sum and Σ‖x‖² of the images of each of k species, and its jackknife group.

    All sums have 1 + J values: of all species, then without each of the J jackknife groups.

    Attributes
    ----------
    counts : ndarray, shape (k,), float64
        At least 1.
    sums : ndarray, shape (k, d), float64
    norms : ndarray, shape (k,), float64
    jackknife_group : ndarray, shape (k,), int64
        From 0 to J - 1. A group without species is left out for nothing.

    Examples
    --------
    >>> sums = SpeciesSums(np.ones(3), np.array([[0.0], [1.0], [5.0]]), np.array([0.0, 1.0, 25.0]), np.array([0, 0, 1]))
    >>> sums.n_images().tolist(), sums.total_squares.tolist()
    ([3.0, 1.0, 2.0], [14.0, 0.0, 0.5])
    >>> (sums.squares() - sums.squares_of_means(np.array([7, 7, 8]))[0]).tolist()
    [0.5, 0.0, 0.5]
    """

    counts: np.ndarray
    sums: np.ndarray
    norms: np.ndarray
    jackknife_group: np.ndarray

    @property
    def n_groups(self) -> int:
        """Number of jackknife groups."""
        return int(self.jackknife_group.max(initial=-1)) + 1

    def n_images(self) -> np.ndarray:
        """Return the number of images.

        Returns
        -------
        ndarray, shape (1 + J,), float64
        """
        return self._without_each_group(self.counts)

    def squares(self) -> np.ndarray:
        """Return Σ‖x‖². Less `squares_of_means` it is the sum of squares within taxa.

        Returns
        -------
        ndarray, shape (1 + J,), float64
        """
        return self._without_each_group(self.norms)

    @cached_property
    def total_squares(self) -> np.ndarray:
        """SS_total, the sum of squares about the mean of all images, shape (1 + J,), float64."""
        one_taxon = np.zeros(len(self.jackknife_group), dtype=np.int64)
        return self.squares() - self.squares_of_means(one_taxon)[0]

    def squares_of_means(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Σ_g ‖s_g‖²/n_g over taxa, which is Σ_g n_g ‖mean_g‖², and the number of taxa.

        Parameters
        ----------
        labels : ndarray, shape (k,), int64
            The taxon of each species.

        Returns
        -------
        squares, n_taxa : ndarray, shape (1 + J,), float64
        """
        _, taxon = np.unique(labels, return_inverse=True)
        counts, sums = _sums_by_group(taxon, self.counts, self.sums)
        squares = np.einsum("ij,ij->i", sums, sums) / counts
        # Each cell holds the species of one taxon that are in one jackknife group.
        cells, cell = np.unique(taxon * self.n_groups + self.jackknife_group, return_inverse=True)
        taxon_of_cell, group_of_cell = np.divmod(cells, self.n_groups)
        cell_counts, cell_sums = _sums_by_group(cell, self.counts, self.sums)
        kept_counts, kept_sums = counts[taxon_of_cell] - cell_counts, sums[taxon_of_cell] - cell_sums
        gone = kept_counts < 0.5
        kept_squares = np.einsum("ij,ij->i", kept_sums, kept_sums) / np.where(gone, 1, kept_counts)
        change = np.where(gone, 0, kept_squares) - squares[taxon_of_cell]
        return (
            squares.sum() + np.concatenate([[0.0], np.bincount(group_of_cell, change, self.n_groups)]),
            len(counts) - np.concatenate([[0.0], np.bincount(group_of_cell, gone, self.n_groups)]),
        )

    def _without_each_group(self, values: np.ndarray) -> np.ndarray:
        return values.sum() - np.concatenate([[0.0], np.bincount(self.jackknife_group, values, self.n_groups)])


def _sums_by_group(group: np.ndarray, counts: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    of_counts = np.bincount(group, counts)
    starts = np.searchsorted(group[order := np.argsort(group, kind="stable")], np.arange(len(of_counts) + 1))
    return of_counts, group_sums(sums, order, starts)[0]
