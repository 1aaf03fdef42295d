"""Effective dimension: in how many independent directions species differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.evolution import Evolution
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tree.tree import Placement


def effective_dimension(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return in how many independent directions species differ: the participation ratio of their covariance.

    Parameters
    ----------
    embeddings, settings
        As for `cophenetic_correlation`.
    placement : Placement
        The images on a phylogeny, ultrametric or not, or in a taxonomy.

    Returns
    -------
    list of Measurement
        One, at species: (tr R)²/tr(R²), from 1, one trait, to d, all directions alike; neither high nor low is better.
        R is the covariance of species given the tree, from the independent contrasts of the model that `pagel_lambda`
        fits; without tree signal it is the ordinary covariance of species. Two biases are taken off, both without a
        random split. The sampling error of the means is subtracted with the pooled covariance of images within
        species, and tr(R²) comes from products of different contrasts, so that few species do not lower it. The
        first assumes that images scatter alike in all species. An embedding that knows one heritable trait has a high
        λ and a dimension near 1. It has no chance level. The interval leaves out one group of units after the other,
        and fits again. Undefined where `pagel_lambda` is.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(n d²) for n images.

    References
    ----------
    Gao et al. 2017, bioRxiv 214262 (participation ratio); Chen & Qin 2010, Ann. Stat. 38, 808 (tr(R²) without bias).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> 1 <= effective_dimension(vectors, placement)[0].value <= vectors.shape[1]
    True
    """
    shared = SharedResults.of(embeddings, placement, settings)
    estimate = replace(
        estimate_effective_dimension(shared.evolution, shared.jackknife(), shared.settings),
        **shared.taxa("species").counts,
    )
    return [Measurement("effective_dimension", "species", estimate)]


def estimate_effective_dimension(evolution: Evolution, jackknife: Jackknife, settings: MeasureSettings) -> Estimate:
    """Return `effective_dimension` of fitted species, without their counts.

    Parameters
    ----------
    evolution : Evolution
        With the groups of `jackknife`.
    jackknife : Jackknife
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults.of(*corvids())
    >>> round(estimate_effective_dimension(shared.evolution, shared.jackknife(), shared.settings).value, 2)
    1.44
    """
    if reason := evolution.reason_undefined():
        return Estimate.undefined(reason)
    d = evolution.vectors.shape[1]
    covariance = evolution.covariance
    deleted = evolution.squared_trace_without_each()
    # One over the dimension is estimated without bias, and may lie below 1/d; so its interval is made and turned over.
    inverse = with_interval(Estimate(covariance.trace_of_square), deleted, jackknife, settings, (1 / d, 1.0))
    estimate = replace(
        inverse,
        value=covariance.effective_dimension,
        ci_low=1 / inverse.ci_high,
        ci_high=1 / inverse.ci_low,
        replicates=1 / np.clip(deleted, 1 / d, 1.0),
        note=evolution.note,
    )
    if covariance.trace_of_square <= 1 / d:
        estimate = with_note(estimate, "no direction stands out: it lies at its upper bound")
    return with_note(estimate, inverse.note)
