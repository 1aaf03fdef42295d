"""Differences between two encoders in any number, measured on the same images.

Every number with an interval keeps its values without each group of the jackknife (`Estimate.replicates`), and two
encoders leave out the same groups of species. The differences of these values are therefore the jackknife of the
difference itself, paired by species, and no metric needs code of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan

import numpy as np

from bioclip_probe.metrics.intervals import SAME, jackknife_error, jackknife_p, with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife

#: Chance levels of two encoders are the same if they differ by less than this share of the standard error of the
#: difference: a test at 0.05 then rejects at most 5.7 % of differences that come from chance alone.
SAME_CHANCE = 0.25
#: Ends of the names of the forms of a metric whose chance level is the same for every encoder.
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
        registry says of the metric. The interval is value ± t·se of the differences without each group. `p_value` is
        two-sided, of no difference, so that p < 0.05 where a 95 % interval leaves out 0. It tests whether other species
        would show the difference, not whether other training runs would repeat it. It is missing where the difference
        can have a cause that the metric is not about, see Notes. Undefined where a side is.

    Notes
    -----
    **When a difference has a p-value.** A number above species rank has as chance what a perfect memoriser of species
    without any tree reaches. Where this chance is the same for both encoders (it is 0 for correlations between species
    and for adjusted numbers, follows from labels for numbers among other species and for probes, and nearly so for
    `pagel_lambda`), encoders differ only if one does better than the other beyond it. Chance counts as the same where
    it differs by less than a quarter of the standard error of the difference. Where it depends on the embedding
    (correlations over pairs of images, average precision, plain purity), two encoders that know nothing of the tree
    differ as soon as images of one species are more alike in one of them: a test would reject, and not because of the
    tree. Such a difference is given with its interval, without a p-value, and the note names the form of the metric to
    look at. Numbers without any chance level have a p-value where more is better or worse: it says that the numbers
    differ.

    Even so, a difference says *that* numbers differ and not why: CPCC differs between encoders of the same tree signal
    if their noise or their number of directions differ, see `pagel_lambda` and `effective_dimension`.

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
    counts = {"n_images": first.n_images, "n_taxa": first.n_taxa, "n_excluded": first.n_excluded}
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
    if reason := _reason_against_test(row.metric, first.chance, second.chance, jackknife_error(deleted)):
        return with_note(estimate, reason)
    return replace(estimate, chance=0.0, p_value=jackknife_p(value, deleted))


def _is_constant(estimate: Estimate) -> bool:
    """Return True if no group of units changes a number, as it is with a share of 1."""
    assert estimate.replicates is not None
    return bool(np.abs(estimate.replicates - estimate.value).max(initial=0.0) < SAME)


def _reason_against_test(metric: str, first: float, second: float, error: float) -> str:
    """Return why the difference in a metric with these chance levels has no p-value; empty if it has one."""
    if isnan(first) and isnan(second):
        return "" if REGISTRY[metric].better != "neither" else "no p: neither more nor less of it is better"
    if abs(first - second) <= max(SAME_CHANCE * error, SAME):
        return ""
    forms = [f"{metric}{form}" for form in COMPARABLE_FORMS if f"{metric}{form}" in REGISTRY]
    look = f"; compare {' or '.join(forms)}" if forms else ""
    return f"no p: chance differs between the encoders ({first:.3f}, {second:.3f}){look}"
