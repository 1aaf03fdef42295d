"""The covariance of species given their tree, and in how many independent directions they differ.

Relatives are no independent samples of the directions in which species differ, and the covariance of the species of a
tree with few old clades has few directions, however many evolution had. So the covariance is that of the standardised
contrasts z_c of the fitted model, which are independent of each other::

    cov(z_c) = (1 - b_c tr W) R + b_c W

R is the covariance of evolution with a trace of 1, W the covariance of images within species, and b_c the sampling
variance of the contrast in units of W. Without tree signal (λ = 0), the contrasts of a star are differences of species
and R is their ordinary covariance. Products of two different contrasts estimate tr(R²) without bias from the number of
species, once the known terms of W are subtracted::

    E Σ_{c≠c'} (z_c·z_c')²  =  Σ_{c≠c'} [a_c a_c' tr(R²) + 2 a_c b_c' tr(RW) + b_c b_c' tr(W²)],  a = 1 - b tr W

References
----------
Chen & Qin 2010, Ann. Stat. 38, 808 and Himeno & Yamada 2014, J. Multivar. Anal. 130, 27 (unbiased tr(Σ²)); Srivastava
2005, J. Jpn. Stat. Soc. 35, 251 (tr(W²) from a sample covariance); Ledoit & Wolf 2004, J. Multivar. Anal. 88, 365
(shrinkage of the spectrum).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from bioclip_probe.stats.brownian_likelihood import BrownianFit, BrownianLikelihood
from bioclip_probe.stats.pruning import contrast_pass, variance_pass


@dataclass(frozen=True, eq=False)
class WithinSpecies:
    """The scatter of images within species, pooled over species.

    Attributes
    ----------
    covariance : ndarray, shape (d, d), float64
        W, without bias; 0 if no species has two images.
    freedom : int
        Its degrees of freedom: images less species.

    Examples
    --------
    >>> WithinSpecies(np.diag([1.0, 3.0]), 100).trace
    4.0
    """

    covariance: np.ndarray
    freedom: int

    @property
    def trace(self) -> float:
        """The trace of W: the variance of images within species, all dimensions together."""
        return float(np.trace(self.covariance))

    @property
    def trace_of_square(self) -> float:
        """The trace of W², without the bias that few images cause if they are normal; at least 0."""
        n = self.freedom
        if n < 2:
            return 0.0
        raw = np.square(self.covariance).sum() - self.trace**2 / n
        return max(float(n**2 / ((n - 1) * (n + 2)) * raw), 0.0)


@dataclass(frozen=True, eq=False)
class ContrastCovariance:
    """The covariance R of evolution, and what its participation ratio is made of.

    Attributes
    ----------
    covariance : ndarray, shape (d, d), float64
        R from all contrasts, with a trace of 1. Sampling makes small eigenvalues smaller and large ones larger;
        some may be below 0.
    trace_of_square : float
        tr(R²) without bias, for a trace of R that is estimated without bias too.
    mean : ndarray, shape (d,), float64
        The phylogenetic mean of the species.

    Examples
    --------
    >>> from bioclip_probe.stats.brownian_likelihood import BrownianTree
    >>> from bioclip_probe.tree.tree import Tree
    >>> tree = Tree(np.r_[-1, np.zeros(400, dtype=int)], np.r_[0.0, np.ones(400)], ["t"] * 401, [-1] * 401)
    >>> means = np.random.default_rng(0).standard_normal((400, 6))
    >>> likelihood = BrownianLikelihood.of(BrownianTree(tree), means, np.zeros(400))
    >>> within = WithinSpecies(np.zeros((6, 6)), 0)
    >>> found = ContrastCovariance.of(likelihood, BrownianFit(0.0, 6.0, 0.0), means, np.ones(400), within)
    >>> round(found.effective_dimension, 1)
    6.0
    """

    covariance: np.ndarray
    trace_of_square: float
    mean: np.ndarray

    @classmethod
    def of(
        cls,
        likelihood: BrownianLikelihood,
        fit: BrownianFit,
        means: np.ndarray,
        counts: np.ndarray,
        within: WithinSpecies,
    ) -> ContrastCovariance:
        """Return the covariance of evolution from the means of the species.

        Parameters
        ----------
        likelihood : BrownianLikelihood
            It says which species enter.
        fit : BrownianFit
            The parameters that the contrasts are standardised with.
        means : ndarray, shape (k, d)
        counts : ndarray, shape (k,)
            Number of images of each species.
        within : WithinSpecies

        Returns
        -------
        ContrastCovariance
        """
        splits = likelihood.splits
        lengths = likelihood.lengths(fit.signal, fit.variance)
        _, share, precision, _ = variance_pass(splits.parent, lengths, likelihood.present)
        origin = means[likelihood.kept].mean(axis=0)
        z, b, mean = contrast_pass(means - origin, 1 / counts, splits.parent, splits.tip, share, precision)
        a = np.maximum(1 - b * within.trace, 0.0)
        products = z.T @ z
        sum_a = max(float(a.sum()), np.finfo(float).tiny)
        trace = (float(np.trace(products)) - b.sum() * within.trace) / sum_a
        crossed = (float(np.sum(products * within.covariance)) - b.sum() * within.trace_of_square) / sum_a
        squares = np.square(products).sum() - np.square(np.einsum("cj,cj->c", z, z)).sum()
        squares -= 2 * _off_diagonal(a, b) * crossed + _off_diagonal(b, b) * within.trace_of_square
        square = float(squares) / max(_off_diagonal(a, a), np.finfo(float).tiny) / trace**2
        covariance = (products - b.sum() * within.covariance) / (sum_a * trace)
        return cls(covariance, square, origin + mean)

    @property
    def effective_dimension(self) -> float:
        """The participation ratio (tr R)²/tr(R²), in [1, d]."""
        d = len(self.covariance)
        return float(1 / np.clip(self.trace_of_square, 1 / d, 1.0))

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues of R whose participation ratio is the effective dimension, and the eigenvectors.

        All eigenvalues of the sample are shifted by one number, which undoes on average what sampling did to their
        spread; those below 0 are set to 0.

        Returns
        -------
        eigenvalues : ndarray, shape (d,), float64
            At least 0, with a sum of 1.
        eigenvectors : ndarray, shape (d, d), float64
            In columns.
        """
        values, vectors = np.linalg.eigh(self.covariance)
        target = self.effective_dimension

        def shifted(shift: float) -> np.ndarray:
            raised = np.maximum(values + shift, 0.0)
            return np.asarray(raised / raised.sum())

        def excess(shift: float) -> float:
            return float(1 / np.square(shifted(shift)).sum()) - target

        low, high = -values[-1] * (1 - 1e-9), 1e3 * values[-1]
        if excess(low) >= 0:
            return shifted(low), vectors
        if excess(high) <= 0:
            return shifted(high), vectors
        return shifted(brentq(excess, low, high)), vectors


def _off_diagonal(x: np.ndarray, y: np.ndarray) -> float:
    """Return Σ_{c≠c'} x_c y_c'."""
    return float(x.sum() * y.sum() - x @ y)
