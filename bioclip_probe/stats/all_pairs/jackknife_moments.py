"""Moments of images by the jackknife group of their taxa, so that leaving out a group is a subtraction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.tree import read_only


@dataclass(frozen=True, eq=False)
class JackknifeMoments:
    """Moments of the taxa of each jackknife group, which subtract from the total.

    Attributes
    ----------
    jackknife_group : ndarray, shape (k,), int64
        The jackknife group of each taxon, from 0 to J - 1.
    by_group : list of Moments
        The moments of each jackknife group, over its own taxa only, in their order; empty if there is no image.

    Examples
    --------
    >>> moments = JackknifeMoments.of([(np.eye(3), np.array([0, 1, 2]))], np.array([0, 0, 1]))
    >>> moments.total.n, moments.without_group(1).n
    (3.0, 2.0)
    """

    jackknife_group: np.ndarray
    by_group: list[Moments]

    @classmethod
    def of(cls, blocks: Iterable[tuple[np.ndarray, np.ndarray]], jackknife_group: np.ndarray) -> JackknifeMoments:
        """Return the moments of rows that come in blocks, in one pass; the blocks need not fit in memory together.

        Parameters
        ----------
        blocks : iterable of (ndarray of shape (b, d), ndarray of shape (b,))
            Unit vectors, and the taxon of each from 0 to k - 1; rows of -1 are left out.
        jackknife_group : ndarray, shape (k,), int64
            The jackknife group of each taxon; all zero if nothing will be left out.

        Returns
        -------
        JackknifeMoments

        Notes
        -----
        Memory: a block, and k·d + J·d² numbers. The origin is near the mean of the first block.
        """
        n_groups = int(jackknife_group.max(initial=-1)) + 1
        members = [np.flatnonzero(jackknife_group == number) for number in range(n_groups)]
        place = np.zeros(len(jackknife_group), dtype=np.int64)
        for taxa in members:
            place[taxa] = np.arange(len(taxa))
        origin: np.ndarray | None = None
        by_group: list[Moments] = []
        for vectors, taxon in blocks:
            rows = np.flatnonzero(taxon >= 0)
            if not len(rows):
                continue
            if origin is None:
                origin = approximate_mean(vectors[rows])
            rows = rows[np.argsort(jackknife_group[taxon[rows]], kind="stable")]
            stops = np.searchsorted(jackknife_group[taxon[rows]], np.arange(n_groups + 1))
            with matched_threads(len(rows) * vectors.shape[1] ** 2):
                of_block = []
                for number, taxa in enumerate(members):
                    own = rows[stops[number] : stops[number + 1]]
                    of_block.append(Moments.of(vectors[own], place[taxon[own]], len(taxa), origin=origin))
            by_group = [a + b for a, b in zip(by_group, of_block, strict=True)] if by_group else of_block
        return cls(read_only(jackknife_group), by_group)

    def __add__(self, other: JackknifeMoments) -> JackknifeMoments:
        """Return the moments of the images of both; the taxa are the same."""
        if not (self.by_group and other.by_group):
            return self if self.by_group else other
        return JackknifeMoments(
            self.jackknife_group, [a + b for a, b in zip(self.by_group, other.by_group, strict=True)]
        )

    def with_more_taxa(self, into: np.ndarray, jackknife_group: np.ndarray) -> JackknifeMoments:
        """Return the moments of the same images where there are more taxa.

        Parameters
        ----------
        into : ndarray, shape (k,), int64
            The new number of each taxon; ascending.
        jackknife_group : ndarray, shape (K,), int64
            The jackknife group of each of the K taxa. No taxon changes its group.

        Returns
        -------
        JackknifeMoments
        """
        by_group = []
        for number in range(int(jackknife_group.max(initial=-1)) + 1 if self.by_group else 0):
            own, present = np.flatnonzero(jackknife_group == number), into[self.jackknife_group == number]
            moments = self.by_group[number] if number < len(self.by_group) else self.by_group[0].empty()
            by_group.append(moments.coarsen(np.searchsorted(own, present), len(own)))
        return JackknifeMoments(jackknife_group, by_group)

    @cached_property
    def total(self) -> Moments:
        """Moments of all jackknife groups together, with one group of images for each taxon."""
        k, first = len(self.jackknife_group), self.by_group[0]
        counts, sums, norms = np.zeros(k), np.zeros((k, first.sums.shape[1])), np.zeros(k)
        for number, moments in enumerate(self.by_group):
            own = self.jackknife_group == number
            counts[own], sums[own], norms[own] = moments.counts, moments.sums, moments.norms
        second = sum((moments.second for moments in self.by_group), start=np.zeros_like(first.second))
        third = sum((moments.third for moments in self.by_group), start=np.zeros_like(first.third))
        fourths = sum(moments.fourths for moments in self.by_group)
        return Moments(counts, sums, norms, second, third, fourths, first.origin)

    def without_group(self, number: int) -> Moments:
        """Return the moments without one jackknife group, whose taxa are left without images.

        Parameters
        ----------
        number : int
            The jackknife group.

        Returns
        -------
        Moments
        """
        total, left_out, kept = self.total, self.by_group[number], self.jackknife_group != number
        return Moments(
            total.counts * kept,
            total.sums * kept[:, None],
            total.norms * kept,
            total.second - left_out.second,
            total.third - left_out.third,
            total.fourths - left_out.fourths,
            total.origin,
        )
