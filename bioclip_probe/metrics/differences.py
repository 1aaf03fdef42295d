"""Differences in tree correlation between two embeddings of the same images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.scores import interval, jackknife_method
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import EmbeddingPair
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums, interaction_variance
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import effective_degrees_of_freedom, jackknife_interval
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.tree.tree import Placement

SAME = 1e-12  # a difference of correlations below this is rounding


def cophenetic_correlation_difference(
    embeddings: tuple[np.ndarray, np.ndarray] | EmbeddingPair,
    placement: Placement,
    settings: MeasureSettings | None = None,
) -> list[Measurement]:
    """Return CPCC of one embedding less that of another of the same images.

    Parameters
    ----------
    embeddings : pair of ndarray, shapes (n, d) and (n, d'), or EmbeddingPair
        Unit vectors of the same images in the same order.
    placement, settings
        As for `cophenetic_correlation`; species are compared.

    Returns
    -------
    list of Measurement
        One, at species, in [-2, 2]; above 0 where the first embedding follows the tree more closely. Both leave out the
        same groups of units: the interval is value ± t·se of the paired jackknife. `p_value` is two-sided, that of
        value/se in Student's t, so that p < 0.05 where the interval leaves out 0. It tests whether other species of the
        same tree would show the difference, not whether other training runs would repeat it. The part of the variance
        that the jackknife counts twice (up to half of it, where neither follows the tree) is subtracted.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Efron & Stein 1981, Ann. Stat. 9, 586; Kott 2001, J. Off. Stat. 17, 521.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> cophenetic_correlation_difference((vectors, vectors[[0, 2, 1]]), placement)[0].value > 0
    True
    """
    pair = EmbeddingPair.of(embeddings, placement, settings)
    name = "cophenetic_correlation_difference"
    rng = pair.first.stream(name)
    estimate = estimate_difference(
        pair.first.taxa("species"), pair.second.taxa("species"), rng, pair.settings, pair.first.units
    )
    return [Measurement(name, "species", estimate)]


def image_tree_correlation_difference(
    embeddings: tuple[np.ndarray, np.ndarray] | EmbeddingPair,
    placement: Placement,
    settings: MeasureSettings | None = None,
) -> list[Measurement]:
    """Return `image_tree_correlation` of one embedding less that of another of the same images.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation_difference`.

    Returns
    -------
    list of Measurement
        As for `cophenetic_correlation_difference`, over all pairs of images.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    As for `cophenetic_correlation_difference`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> image_tree_correlation_difference((vectors, vectors[[0, 2, 1]]), placement)[0].value > 0
    True
    """
    pair = EmbeddingPair.of(embeddings, placement, settings)
    name = "image_tree_correlation_difference"
    rng = pair.first.stream(name)
    estimate = estimate_difference(pair.first.images, pair.second.images, rng, pair.settings, pair.first.units)
    return [Measurement(name, "species", estimate)]


def estimate_difference(
    a: Rows, b: Rows, rng: np.random.Generator, settings: MeasureSettings, units: ResamplingUnits | None = None
) -> Estimate:
    """Return the difference of two correlations with the tree, over the same rows.

    Parameters
    ----------
    a, b : Rows
        Centroids of the same taxa, or the same images.
    rng, settings, units
        As for `estimate_cophenetic_correlation`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> estimate_difference(taxa, taxa, np.random.default_rng(0), MeasureSettings()).value
    0.0
    """
    for which, rows in (("first", a), ("second", b)):
        if reason := rows.reason_undefined():
            return Estimate.undefined(f"{which} embedding: {reason}", **rows.counts)
    name, group = a.jackknife_groups(units, rng, settings.n_groups)
    sums = [JackknifeSums.of(rows.tree, JackknifeMoments.of([(rows.vectors, rows.tips)], group)) for rows in (a, b)]
    value = sums[0].correlation() - sums[1].correlation()
    without = sums[0].without_each_group() - sums[1].without_each_group()
    if abs(value) < SAME:  # equal, but for rounding
        value, without = 0.0, np.zeros(len(without))
    reach = jackknife_interval(value, without, level=settings.level)[1] - value
    freedom = effective_degrees_of_freedom(without)
    if len(without) > 3 and reach > 0:
        excess = interaction_variance(sums[0].influence() - sums[1].influence())
        per_reach = student_t.ppf((1 + settings.level) / 2, freedom)
        reach *= math.sqrt(max(1 - excess * (per_reach / reach) ** 2, 0.5))
    fields: dict[str, Any] = {"resampled": name}
    if reach >= 0:  # not NaN
        fields |= interval(max(value - reach, -2.0), min(value + reach, 2.0), jackknife_method(settings), name)
    p = _two_sided(value, reach, freedom, settings.level)
    return Estimate(value, chance=0.0, **fields, p_value=p, **a.counts)


def _two_sided(value: float, reach: float, freedom: float, level: float) -> float:
    """Return the two-sided p of Student's t for a value whose interval reaches so far to either side."""
    if not math.isfinite(reach):
        return math.nan
    if value == 0:
        return 1.0
    return float(2 * student_t.sf(abs(value) * student_t.ppf((1 + level) / 2, freedom) / max(reach, SAME), freedom))
