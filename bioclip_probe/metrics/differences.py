"""Differences between two encoders in any number, measured on the same images.

Every number with an interval keeps its values without each group of the jackknife (`Estimate.replicates`), and two
encoders leave out the same groups of species. The differences of these values are therefore the jackknife of the
difference itself, paired by species, and no metric needs code of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import SAME, jackknife_error, jackknife_p, with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife

#: Chance levels of two encoders that differ by more than this share of the standard error get a note.
NOTED_CHANCE = 0.25
#: Ends of the names of those forms of a metric that recognising species does not change.
COMPARABLE_FORMS = ("_other_species", "_adjusted")


def paired_differences(
    first: Sequence[Measurement],
    second: Sequence[Measurement],
    settings: MeasureSettings | None = None,
    dated: bool = False,
) -> list[Measurement]:
    """Return the difference of two encoders in every number that both have, the first less the second.

    Parameters
    ----------
    first, second : sequence of Measurement
        The measurements of each encoder, made with the same settings on the same images and the same tree: the same
        groups of species are left out in both.
    settings : MeasureSettings, optional
        `level` is used.
    dated : bool
        True on a tree with branch lengths, where few species make intervals too narrow.

    Returns
    -------
    list of Measurement
        One for each metric, rank, clade and split that both encoders have with an interval, named
        ``<metric>_difference``. Above 0 where the number of the first is larger, which is better or worse as the
        registry says of the metric. The interval is value ± t·se of the differences without each group. `chance` is the
        difference of the two chance levels, and `p_value`, two-sided, is that of the value beyond it, see Notes.
        Undefined where a side is.

    Notes
    -----
    A number above species rank has as chance what a perfect memoriser of species without any tree reaches. Between
    species (CPCC, numbers among other species, adjusted numbers) and for probes this is the same for all encoders, so
    that the difference has the chance level 0, and p < 0.05 where a 95 % interval leaves out 0. In other numbers
    (correlations over pairs of images, average precision, plain purity) chance depends on how alike the images of a
    species are: two encoders that know nothing of the tree then differ in it, and a test against 0 would always reject.
    The p-value therefore asks whether the difference is larger, in either direction, than that of the chance levels:
    ``t = (|value| - |chance|)/se``. The standard error is that of the value, which varies more than what is left of it
    beyond chance, so that the test rejects too seldom rather than too often. Recognising species also changes the
    *scale* of such numbers: the note then names the form of the metric that is better to compare.

    A number without any chance level is tested against 0 where more of it is better or worse; p says that the numbers
    differ.

    The test is about other species of the same tree, not about other training runs. It says *that* numbers differ and
    not why: CPCC differs between encoders of the same tree signal if their noise or their number of directions differ,
    see `pagel_lambda` and `effective_dimension`.

    References
    ----------
    Kott 2001, J. Off. Stat. 17, 521; Efron & Stein 1981, Ann. Stat. 9, 586 (the jackknife variance of a difference is
    too large rather than too small).

    Examples
    --------
    >>> from bioclip_probe.metrics.measurement import measurements_at
    >>> without = np.random.default_rng(0).normal(0.5, 0.01, (2, 20))
    >>> jackknife = Jackknife("species", 60, np.arange(20))
    >>> one, other = ([Measurement("silhouette", "family", with_interval(
    ...                    Estimate(0.5 + shift, chance=0.0), values + shift, jackknife, MeasureSettings()))]
    ...               for shift, values in zip((0.2, 0.0), without))
    >>> (row,) = paired_differences(one, other)
    >>> row.metric, round(row.value, 2), row.estimate.p_value < 0.05
    ('silhouette_difference', 0.2, True)
    """
    settings = settings or MeasureSettings()
    of_second = {_key(row): row.estimate for row in second}
    pairs = [(row, of_second[_key(row)]) for row in first if _key(row) in of_second]
    return [
        replace(row, metric=f"{row.metric}{DIFFERENCE}", estimate=_difference(row, other, settings, dated))
        for row, other in pairs
        if f"{row.metric}{DIFFERENCE}" in REGISTRY and _is_paired(row.estimate, other)
    ]


def _key(row: Measurement) -> tuple[str, str, str | None, str | None]:
    """Return what identifies a number of one encoder."""
    return row.metric, row.rank, row.taxon, row.split


def _is_paired(first: Estimate, second: Estimate) -> bool:
    """Return True if both have their values without the same groups of units."""
    if first.replicates is None or second.replicates is None:
        return False
    return len(first.replicates) == len(second.replicates) and first.resampled == second.resampled


def _difference(row: Measurement, second: Estimate, settings: MeasureSettings, dated: bool) -> Estimate:
    """Return the difference of two paired estimates of one number."""
    first, entry = row.estimate, REGISTRY[f"{row.metric}{DIFFERENCE}"]
    counts: dict[str, Any] = {"n_images": first.n_images, "n_taxa": first.n_taxa, "n_excluded": first.n_excluded}
    for which, side in (("first", first), ("second", second)):
        if isnan(side.value):
            return Estimate.undefined(f"{which} encoder: {side.note}", **counts)
    assert first.replicates is not None and second.replicates is not None
    value, deleted = first.value - second.value, first.replicates - second.replicates
    if abs(value) < SAME:  # equal, but for rounding
        value, deleted = 0.0, np.where(np.abs(deleted) < SAME, 0.0, deleted)
    estimate = Estimate(value, null=first.null, resampled=first.resampled, n_units=first.n_units, **counts)
    if isnan(first.ci_low) or isnan(second.ci_low):
        return replace(estimate, note="no interval: one of the two numbers has none")
    if _is_constant(first) and _is_constant(second):
        return replace(estimate, note="no interval: neither number changes when species are left out")
    jackknife = Jackknife(first.resampled, first.n_units, np.arange(len(deleted)), dated)
    estimate = with_interval(estimate, deleted, jackknife, settings, entry.bounds)
    if isnan(first.chance) != isnan(second.chance):
        return with_note(estimate, "no p: only one of the two numbers has a chance level")
    if isnan(first.chance) and entry.better == "neither":
        return with_note(estimate, "no p: neither more nor less of it is better")
    chance = first.chance - second.chance
    beyond = max(abs(value) - (0.0 if isnan(chance) else abs(chance)), 0.0)
    p = jackknife_p(beyond, deleted)
    return with_note(replace(estimate, chance=chance, p_value=p), _caution(row.metric, chance, deleted))


def _is_constant(estimate: Estimate) -> bool:
    """Return True if no group of units changes a number, as it is with a share of 1."""
    assert estimate.replicates is not None
    return bool(np.abs(estimate.replicates - estimate.value).max(initial=0.0) < SAME)


def _caution(metric: str, chance: float, deleted: np.ndarray) -> str:
    """Return a note where chance levels differ and the metric has forms that recognising species does not change."""
    forms = [f"{metric}{form}" for form in COMPARABLE_FORMS if f"{metric}{form}" in REGISTRY]
    if not forms or not abs(chance) > max(NOTED_CHANCE * jackknife_error(deleted), SAME):
        return ""
    return f"chance levels differ by {abs(chance):.3f}: compare {' or '.join(forms)} instead"
