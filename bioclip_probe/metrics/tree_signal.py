"""Tree signal of the whole embedding: how much of what it says about species is inherited along the tree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.intervals import SAME, with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.evolution import Evolution, fit_each
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import permutation_p
from bioclip_probe.stats.tree_score import TreeScore, permuted_tree_scores
from bioclip_probe.tree.tree import Placement


def pagel_lambda(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return Pagel's λ of the whole embedding: the share of the covariance between species that the tree carries.

    Parameters
    ----------
    embeddings, settings
        As for `cophenetic_correlation`.
    placement : Placement
        The images on a phylogeny, ultrametric or not, or in a taxonomy. The traits of a species are the mean of its
        unit vectors; the mean is not put back on the sphere.

    Returns
    -------
    list of Measurement
        One, at species, in [0, 1]; higher is better. 0 where species are independent given the tree, 1 for Brownian
        motion along it. It does not depend on the number of dimensions or on the scatter of images, and so it compares
        between models on one tree. It says nothing of how many independent traits are inherited: one heritable trait,
        size say, gives a λ of 1. Read it beside `effective_dimension`.

        The summed covariance of the species means is V = g·C_λ + diag(e). C holds the depths of common ancestors below
        the root of the tree, C_λ is C with its off-diagonal times λ, and e_i is the variance of images within species,
        pooled over species, over the number of images of species i. λ and g maximise the pseudo-REML likelihood,
        see `bioclip_probe.stats.brownian_likelihood`. Without a species of two images, e is unknown and taken as 0:
        scatter of images then lowers λ, and the note says so.

        Chance is the mean of λ with the species permuted over the tips (null: species); it is a little above 0,
        because λ cannot be lower. `p_value` is one-sided, (b + 1)/(m + 1), of a permutation test with the same null:
        its statistic is the derivative of the likelihood at λ = 0, which needs no fit. The interval leaves out one
        group of units after the other and fits again. There is none where λ is 0 or 1 without every group. With fewer
        than about five independent directions it covers 0.90 rather than 0.95.

        Undefined with fewer than three species, on a star tree, where the centroids do not vary, and where species
        differ no more than the scatter of their images explains.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(nodes·d) for each try of λ and g, about 20 of them for a fit, and for each permutation.

    References
    ----------
    Pagel 1999, Nature 401, 877; Freckleton et al. 2002, Am. Nat. 160, 712; Ives et al. 2007, Syst. Biol. 56, 252; Adams
    2014, Syst. Biol. 63, 685 and Clavel et al. 2019, Syst. Biol. 68, 93 (many traits).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> pagel_lambda(vectors, placement)[0].value > 0.5
    True
    """
    shared = SharedResults.of(embeddings, placement, settings)
    estimate = replace(
        estimate_pagel_lambda(shared.evolution, shared.jackknife(), shared.stream("pagel_lambda"), shared.settings),
        **shared.taxa("species").counts,
    )
    return [Measurement("pagel_lambda", "species", estimate)]


def estimate_pagel_lambda(
    evolution: Evolution, jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> Estimate:
    """Return `pagel_lambda` of fitted species, without their counts.

    Parameters
    ----------
    evolution : Evolution
        With the groups of `jackknife`.
    jackknife : Jackknife
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_primary_permutations`, `n_null_permutations` and `level` are used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults.of(*corvids())
    >>> few = MeasureSettings(n_primary_permutations=19)
    >>> estimate_pagel_lambda(shared.evolution, shared.jackknife(), np.random.default_rng(0), few).null
    'species'
    """
    if reason := evolution.reason_undefined():
        return Estimate.undefined(reason)
    likelihood, k = evolution.likelihood, len(evolution.group)
    score, permuted = permuted_tree_scores(TreeScore(likelihood, settings.device), settings.n_primary_permutations, rng)
    orders = [rng.permutation(k) for _ in range(settings.n_null_permutations)]
    null = fit_each([likelihood.permuted(order) for order in orders], evolution.fit)
    estimate = Estimate(
        evolution.fit.signal,
        chance=float(np.mean([fit.signal for fit in null if fit is not None])),
        null="species",
        p_value=permutation_p(score, permuted),
        note=evolution.note,
    )
    fits = evolution.fits_without_each
    deleted = np.array([np.nan if fit is None else fit.signal for fit in fits])
    if np.all(np.abs(deleted - estimate.value) < SAME):
        estimate = replace(estimate, resampled=jackknife.rank, n_units=jackknife.n_units, replicates=deleted)
        return with_note(estimate, "no interval: it lies at its bound without every group of units")
    return with_interval(estimate, deleted, jackknife, settings, (0.0, 1.0))
