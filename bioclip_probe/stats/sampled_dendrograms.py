"""The dendrogram of all taxa, and those of random halves of them, which give the intervals of its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.dendrograms import Dendrogram
from bioclip_probe.stats.half_samples import half_sample_replicates, half_samples
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows


@dataclass(frozen=True, eq=False)
class SampledDendrograms:
    """Dendrograms of centroids of taxa by average linkage.

    Attributes
    ----------
    taxa : Rows
        k centroids.
    whole : Dendrogram, optional
        That of all taxa; None with fewer than two, or where a centroid has no direction.
    halves : tuple of (ndarray, Dendrogram)
        The rows of each half, in ascending order, and their dendrogram; none with too many taxa.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> jackknife = Jackknife.of("species", placement.node, np.random.default_rng(0))
    >>> dendrograms = SampledDendrograms.of(Rows.taxa(vectors, placement), jackknife, 5, np.random.default_rng(0))
    >>> dendrograms.reason_undefined(3)
    ''
    """

    taxa: Rows
    whole: Dendrogram | None
    halves: tuple[tuple[np.ndarray, Dendrogram], ...]

    @classmethod
    def of(cls, taxa: Rows, jackknife: Jackknife, n_halves: int, rng: np.random.Generator) -> SampledDendrograms:
        """Make the dendrograms.

        Parameters
        ----------
        taxa : Rows
        jackknife : Jackknife
            Of the images of the taxa; halves of its groups are drawn.
        n_halves : int
            Number of halves.
        rng : numpy.random.Generator

        Returns
        -------
        SampledDendrograms
        """
        if len(taxa.vectors) < 2 or np.isnan(taxa.vectors).any():
            return cls(taxa, None, ())
        drawn = half_samples(jackknife.of_tips(taxa), jackknife.n_groups, n_halves, rng)
        rows = [np.flatnonzero(half) for half in drawn]
        halves = [(half, Dendrogram.average_linkage(taxa.vectors[half])) for half in rows if len(half) > 1]
        return cls(taxa, Dendrogram.average_linkage(taxa.vectors), tuple(halves))

    def reason_undefined(self, n_needed: int) -> str:
        """Return why the dendrogram cannot be compared with anything; empty if it can.

        Parameters
        ----------
        n_needed : int
            Least number of taxa.

        Returns
        -------
        str
        """
        if self.taxa.counts["n_taxa"] < n_needed:
            return f"needs at least {n_needed} taxa, found {self.taxa.counts['n_taxa']}"
        lost = int(np.isnan(self.taxa.vectors).any(axis=1).sum())
        return f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""

    def evaluate(
        self, statistics: Callable[[np.ndarray, Dendrogram], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return statistics of all taxa, and their replicates.

        Parameters
        ----------
        statistics : callable
            Takes rows of the taxa, in ascending order, and their dendrogram; returns numbers, NaN where undefined.

        Returns
        -------
        values : ndarray, shape (…)
        replicates : ndarray, shape (B, …), or None
            See `half_sample_replicates`; None without halves.
        """
        assert self.whole is not None
        values = statistics(np.arange(len(self.taxa.vectors)), self.whole)
        if not self.halves:
            return values, None
        of_halves = np.array([statistics(rows, dendrogram) for rows, dendrogram in self.halves])
        return values, half_sample_replicates(values, of_halves)
