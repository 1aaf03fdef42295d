"""The species of an embedding as the outcome of Brownian motion along their tree, and without each jackknife group."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bioclip_probe.stats.brownian_likelihood import BrownianFit, BrownianLikelihood, BrownianTree
from bioclip_probe.stats.centroids import Centroids
from bioclip_probe.stats.contrast_covariance import ContrastCovariance, WithinSpecies
from bioclip_probe.stats.rotation import principal_axes
from bioclip_probe.stats.threads import in_threads, n_threads

FLAT = 1e-12  # a variance between species below this is rounding
#: A variance of evolution below this share of that between species is none.
NO_VARIANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Evolution:
    """Brownian motion with Pagel's λ, fitted to the means of species; each part is computed when first needed.

    Attributes
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of the images.
    taxa : Centroids
        The k species, with the mean of their images.
    group : ndarray, shape (k,), int64
        The jackknife group of each species; -1 for none.
    n_groups : int
        Number of jackknife groups; a group may have no species.

    Examples
    --------
    >>> from bioclip_probe.stats.centroids import centroids
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> from bioclip_probe.tree.tree import Placement
    >>> tree = parse_newick("((a:1,b:1):2,(c:1,d:1):2);")
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0], [-0.6, -0.8]])
    >>> evolution = Evolution(vectors, centroids(vectors, Placement(tree, tree.tips)), np.arange(4), 4)
    >>> evolution.reason_undefined(), evolution.fit.signal > 0.5
    ('', True)
    """

    vectors: np.ndarray
    taxa: Centroids
    group: np.ndarray
    n_groups: int

    @classmethod
    def of(cls, vectors: np.ndarray, taxa: Centroids, group: np.ndarray, n_groups: int) -> Evolution:
        """Return the model of an embedding on its principal axes, so that rotating or padding it changes nothing.

        Parameters
        ----------
        vectors, taxa, group, n_groups
            As the attributes of the class, in any axes.

        Returns
        -------
        Evolution
            Its d is the number of dimensions that the images span.
        """
        axes = principal_axes(vectors)
        on_axes = vectors @ axes.astype(vectors.dtype, copy=False)
        return cls(on_axes, replace(taxa, means=taxa.means @ axes), group, n_groups)

    @cached_property
    def likelihood(self) -> BrownianLikelihood:
        """The likelihood of all species."""
        errors = self._within_variance(np.ones(len(self.group), dtype=bool)) / self.taxa.counts
        return BrownianLikelihood.of(BrownianTree(self.taxa.tree), self.taxa.means, errors)

    @cached_property
    def fit(self) -> BrownianFit:
        """The fit to all species."""
        number = n_threads(self.likelihood.blocks.size)
        if number == 1:
            return self.likelihood.fit()
        with ThreadPoolExecutor(number) as threads:
            return self.likelihood.fit(threads=threads)

    @cached_property
    def likelihoods_without_each(self) -> list[BrownianLikelihood | None]:
        """The likelihood without each jackknife group; None where fewer than three species stay."""
        parts: list[BrownianLikelihood | None] = []
        for number in range(self.n_groups):
            kept = self.group != number
            errors = self._within_variance(kept) / self.taxa.counts
            parts.append(replace(self.likelihood, kept=kept, errors=errors) if kept.sum() > 2 else None)
        return parts

    @cached_property
    def fits_without_each(self) -> list[BrownianFit | None]:
        """The fit without each jackknife group; None where fewer than three species stay."""
        return fit_each(self.likelihoods_without_each, self.fit)

    @cached_property
    def covariance(self) -> ContrastCovariance:
        """The covariance of evolution from all species."""
        return ContrastCovariance.of(self.likelihood, self.fit, self.taxa.means, self.taxa.counts, self.within)

    @cached_property
    def within(self) -> WithinSpecies:
        """The scatter of images within species."""
        return self._pooled(self._scatter.sum(axis=0), np.ones(len(self.group), dtype=bool))

    def squared_trace_without_each(self) -> np.ndarray:
        """Return tr(R²), one over the effective dimension, without each jackknife group.

        Returns
        -------
        ndarray, shape (G,), float64
            NaN where fewer than three species stay.
        """
        total, traces = self._scatter.sum(axis=0), np.full(self.n_groups, np.nan)
        parts = zip(self.likelihoods_without_each, self.fits_without_each, strict=True)
        for number, (likelihood, fit) in enumerate(parts):
            if likelihood is not None and fit is not None:
                within = self._pooled(total - self._scatter[number], likelihood.kept)
                part = ContrastCovariance.of(likelihood, fit, self.taxa.means, self.taxa.counts, within)
                traces[number] = part.trace_of_square
        return traces

    def reason_undefined(self) -> str:
        """Return why the model cannot be fitted, or an empty string if it can.

        Returns
        -------
        str
        """
        k = len(self.taxa.counts)
        if k < 3:
            return f"needs at least 3 taxa, found {k}"
        splits, likelihood = self.likelihood.splits, self.likelihood
        depth = splits.depth[splits.tips].mean()
        if splits.is_star:
            return "on a star tree all taxa are equally related"
        if likelihood.scale * depth <= FLAT:
            return "the centroids do not vary"
        if not np.isfinite(likelihood.value(0.0, likelihood.scale)):
            return "no branch parts 2 or more taxa of the tree, and their sampling error is 0"
        if self.fit.variance <= NO_VARIANCE * likelihood.scale:
            return "species differ no more than the scatter of their images explains"
        return ""

    @property
    def note(self) -> str:
        """A note on the sampling error; empty if it is known."""
        unknown = not np.any(self.taxa.counts > 1)
        return "no species has two images: the sampling error of means is taken as 0" if unknown else ""

    @cached_property
    def _scatter(self) -> np.ndarray:
        """Sums of outer products of images about the mean of their species, shape (G + 1, d, d).

        They are by jackknife group; the last is of species without a group.
        """
        d = self.vectors.shape[1]
        scatter, tips = np.zeros((self.n_groups + 1, d, d)), self.taxa.groups
        group = np.where(self.group >= 0, self.group, self.n_groups)
        for number in range(self.n_groups + 1):
            rows = np.flatnonzero((tips >= 0) & (group[tips] == number))
            residuals = self.vectors[rows] - self.taxa.means[tips[rows]]
            scatter[number] = residuals.T @ residuals
        return scatter

    def _pooled(self, scatter: np.ndarray, kept: np.ndarray) -> WithinSpecies:
        """Return the scatter of some species as a covariance."""
        freedom = int((self.taxa.counts[kept] - 1).sum())
        return WithinSpecies(scatter / freedom if freedom else np.zeros_like(scatter), freedom)

    def _within_variance(self, kept: np.ndarray) -> float:
        """Return the variance of images within some species, all dimensions together; 0 if none has two images."""
        counts, spread = self.taxa.counts[kept], self.taxa.spread[kept]
        return float((counts * spread**2).sum() / max((counts - 1).sum(), 1))


def fit_each(likelihoods: list[BrownianLikelihood | None], start: BrownianFit) -> list[BrownianFit | None]:
    """Return the fits of several likelihoods of one tree, on all processors.

    Parameters
    ----------
    likelihoods : list of BrownianLikelihood or None
    start : BrownianFit
        Where each search begins.

    Returns
    -------
    list of BrownianFit or None
        None where there is no likelihood, or where it cannot be fitted.

    Examples
    --------
    >>> fit_each([None], BrownianFit(0.5, 1.0, 0.0))
    [None]
    """

    def one(likelihood: BrownianLikelihood | None) -> BrownianFit | None:
        return None if likelihood is None else likelihood.fit(start)

    work = max((part.blocks.size for part in likelihoods if part is not None), default=0)
    return list(in_threads(one, likelihoods, n_threads(10 * work)))
