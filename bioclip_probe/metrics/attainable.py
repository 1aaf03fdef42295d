"""Attainable CPCC: what Brownian motion along the tree would give an embedding of the same spectrum and noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.evolution import Evolution
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.threads import in_threads, n_threads
from bioclip_probe.tree.tree import Placement

#: Below this attainable CPCC, a ratio to it says nothing.
LEAST_ATTAINABLE = 0.05
#: Draws that are simulated at a time, each of which needs the memory of several embeddings of the species.
MOST_THREADS = 8


def attainable_cophenetic_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the CPCC that Brownian motion along the tree would give on average, and CPCC over it.

    CPCC rises with the number of independent directions and falls with the scatter of images. Two embeddings with the
    same tree signal can differ in it from 0.2 to 0.9. The attainable value holds these two as they are and sets
    Pagel's λ to 1.

    Parameters
    ----------
    embeddings, settings
        As for `cophenetic_correlation`.
    placement : Placement
        The images on a phylogeny, ultrametric or not, or in a taxonomy.

    Returns
    -------
    list of Measurement
        At species. ``attainable_cophenetic_correlation``, in [-1, 1], is the mean CPCC of `n_attainable_draws`
        simulated embeddings. Their species evolve along the tree from the phylogenetic mean, with the spectrum, the
        variance and the effective dimension of the covariance of evolution; each mean gets the sampling error of its
        number of images; then the means are put on the sphere. One draw can reach more than the mean: with few
        independent directions single draws differ by 0.15, and the note gives their standard deviation. It has no
        interval.
        ``relative_cophenetic_correlation`` is CPCC over it: 0 without signal (null: species permuted over the tips), 1
        on average for Brownian motion along the tree; it can exceed 1, by the luck of one evolution or where old
        splits stand out more than under Brownian motion. Higher is better. It compares embeddings of unequal width
        only near λ = 1: with ever more directions CPCC comes near 1 for any λ above 0, and so does the ratio (λ = 0.5,
        100 species: 0.5 with 8 flat directions, 0.95 with 512). `pagel_lambda` compares them. The interval is that of
        CPCC over a
        fixed attainable value, which leaves out one group of units after the other in CPCC, widened by the standard
        error of the mean of the draws. It does not know that the spectrum and the noise of the simulation are
        themselves estimates. Undefined where the attainable value is below 0.05.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(k·d²) for each draw, with k species.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.metric for row in attainable_cophenetic_correlation(vectors, placement)]
    ['attainable_cophenetic_correlation', 'relative_cophenetic_correlation']
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rng = shared.stream("attainable_cophenetic_correlation")
    taxa = shared.taxa("species")
    estimates = estimate_attainable(taxa, shared.evolution, shared.jackknife(), rng, shared.settings)
    return [Measurement(name, "species", estimate) for name, estimate in estimates.items()]


def estimate_attainable(
    taxa: Rows, evolution: Evolution, jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `attainable_cophenetic_correlation` of the species at the tips of one tree.

    Parameters
    ----------
    taxa : Rows
        Centroids of the species.
    evolution : Evolution
        Of the same species, with the groups of `jackknife`.
    jackknife : Jackknife
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_attainable_draws` and `level` are used.

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults.of(*corvids())
    >>> rng = np.random.default_rng(0)
    >>> found = estimate_attainable(shared.taxa("species"), shared.evolution, shared.jackknife(), rng, shared.settings)
    >>> list(found)
    ['attainable_cophenetic_correlation', 'relative_cophenetic_correlation']
    """
    names = ("attainable_cophenetic_correlation", "relative_cophenetic_correlation")
    if reason := taxa.reason_undefined() or evolution.reason_undefined():
        return dict.fromkeys(names, Estimate.undefined(reason, **taxa.counts))
    simulation = Simulation.of(taxa, evolution)
    normals = (simulation.normals(rng) for _ in range(settings.n_attainable_draws))
    threads = min(n_threads(taxa.vectors.size * taxa.vectors.shape[1]), MOST_THREADS)
    draws = in_threads(lambda drawn: simulation.centroids(*drawn).sums.correlation(), normals, threads)
    values = np.array(list(draws))
    n_draws = f"mean of {len(values)} draws, standard deviation {values.std():.2f}"
    attainable = Estimate(float(values.mean()), note=n_draws, **taxa.counts)
    attainable = with_note(attainable, evolution.note)
    if attainable.value < LEAST_ATTAINABLE:
        reason = f"the attainable CPCC is {attainable.value:.2f}, below {LEAST_ATTAINABLE}"
        return dict(zip(names, (attainable, Estimate.undefined(reason, **taxa.counts)), strict=True))
    sums = JackknifeSums.of(taxa.tree, JackknifeMoments.of([(taxa.vectors, taxa.tips)], evolution.group))
    value, deleted = taxa.sums.correlation(), sums.without_each_group()
    deleted = np.pad(deleted, (0, jackknife.n_groups - len(deleted)), constant_values=value)  # groups without species
    relative = Estimate(value / attainable.value, chance=0.0, null="species", note=evolution.note, **taxa.counts)
    relative = with_interval(relative, deleted / attainable.value, jackknife, settings)
    error = relative.value / attainable.value * float(values.std()) / np.sqrt(len(values))
    return dict(zip(names, (attainable, _widened(relative, error, settings)), strict=True))


@dataclass(frozen=True, eq=False)
class Simulation:
    """Embeddings whose species evolved along the tree by Brownian motion, with a spectrum and a noise that are given.

    Attributes
    ----------
    taxa : Rows
        Centroids of the k species.
    evolution : Evolution
        Of the same species.
    evolve, scatter : ndarray, shape (d, d), float32
        They turn independent traits into those of a species, and into the sampling error of one image. Rounding to
        float32 changes the correlation of a draw by about 1e-7.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults.of(*corvids())
    >>> simulation = Simulation.of(shared.taxa("species"), shared.evolution)
    >>> simulation.centroids(*simulation.normals(np.random.default_rng(0))).vectors.shape
    (3, 2)
    """

    taxa: Rows
    evolution: Evolution
    evolve: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, taxa: Rows, evolution: Evolution) -> Simulation:
        """Return the simulation with the spectrum, the variance and the noise of some species.

        Parameters
        ----------
        taxa : Rows
            Centroids of the species.
        evolution : Evolution
            Of the same species.

        Returns
        -------
        Simulation
        """
        values, directions = evolution.covariance.spectrum()
        noise_values, noise_directions = np.linalg.eigh(evolution.within.covariance)
        evolve = (directions * np.sqrt(evolution.fit.variance * values)).T
        scatter = (noise_directions * np.sqrt(np.maximum(noise_values, 0.0))).T
        return cls(taxa, evolution, evolve.astype(np.float32), scatter.astype(np.float32))

    def normals(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the random numbers of one draw.

        Parameters
        ----------
        rng : numpy.random.Generator

        Returns
        -------
        steps : ndarray, shape (m, d), float64
            One for each branch of the tree.
        errors : ndarray, shape (k, d), float64
        """
        d = len(self.evolve)
        steps = rng.standard_normal((len(self.evolution.likelihood.splits.parent), d))
        return steps, rng.standard_normal((len(self.taxa.vectors), d))

    def centroids(self, steps: np.ndarray, errors: np.ndarray) -> Rows:
        """Return the centroids of one draw.

        Parameters
        ----------
        steps, errors
            As `normals` returns them.

        Returns
        -------
        Rows
        """
        covariance, splits = self.evolution.covariance, self.evolution.likelihood.splits
        means = covariance.mean + splits.traits(steps).astype(np.float32) @ self.evolve
        means += (errors.astype(np.float32) @ self.scatter) / np.sqrt(self.evolution.taxa.counts)[:, None]
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return replace(self.taxa, vectors=rotate_into_span(means))


def _widened(estimate: Estimate, error: float, settings: MeasureSettings) -> Estimate:
    """Return an estimate whose interval holds one more, independent standard error; without an interval it stays."""
    half = float(ndtri((1 + settings.level) / 2)) * error
    low = estimate.value - np.hypot(estimate.value - estimate.ci_low, half)
    high = estimate.value + np.hypot(estimate.ci_high - estimate.value, half)
    method = f"{estimate.ci_method}, and the error of the draws" if estimate.ci_method else ""
    return replace(estimate, ci_low=float(low), ci_high=float(high), ci_method=method)
