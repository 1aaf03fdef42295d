"""Confidence intervals of all metrics, from the statistic without each group of units, and their warnings.

Every interval of a number is made here, so that all of them have the same groups, the same rules for few units and the
same warnings.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import betaincinv, stdtr, stdtrit  # of scipy.stats they are the same, and slow for one number

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import effective_degrees_of_freedom, jackknife_interval

#: With fewer species there is no interval, nor with fewer whole clades, which differ more from each other.
FEWEST_UNITS, FEWEST_CLADES = 10, 40
#: With fewer species that share their taxon with another one, no number beyond the species null has an interval.
FEWEST_RELATED = 20
#: With fewer units on a dated tree, or fewer whole clades, the calibration study found that intervals are too narrow.
CAUTIOUS_UNITS = 100
SAME = 1e-12  # differences below this are rounding
EXACT_METHOD = "Clopper-Pearson, by unit"


def with_interval(
    estimate: Estimate,
    deleted: np.ndarray,
    jackknife: Jackknife,
    settings: MeasureSettings,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """Return an estimate with the interval of the delete-group jackknife.

    Parameters
    ----------
    estimate : Estimate
        With its value, its counts and its own note.
    deleted : ndarray, shape (G,)
        The number without each group of `jackknife`.
    jackknife : Jackknife
    settings : MeasureSettings
        `level` is used.
    bounds : (float, float)
        The range of the number. With bounds of 0 and 1 the number is a share: where it is 0 or 1 without every group,
        its interval is the exact one of Clopper and Pearson with the number of units, since a share of 1 from few units
        does not show that the next unit would be right.

    Returns
    -------
    Estimate
        With the ends of the interval, the resampled rank, the number of units and `replicates`. The interval is empty
        with fewer than ten species or forty whole clades, and where the number does not exist without one of the
        groups; the note says why. The note warns where the calibration study (tests/calibration) found that intervals
        cover less than they say.

    References
    ----------
    Kott 2001, J. Off. Stat. 17, 521 (jackknife); Clopper & Pearson 1934, Biometrika 26, 404.

    Examples
    --------
    >>> jackknife = Jackknife.of("species", np.arange(12), np.random.default_rng(0))
    >>> deleted = np.linspace(0.45, 0.55, jackknife.n_groups)
    >>> estimate = with_interval(Estimate(0.5), deleted, jackknife, MeasureSettings(), (0.0, 1.0))
    >>> estimate.ci_low < 0.5 < estimate.ci_high, estimate.n_units
    (True, 12)
    """
    deleted = np.asarray(deleted, dtype=np.float64)
    estimate = replace(estimate, resampled=jackknife.rank, n_units=jackknife.n_units, replicates=deleted)
    if not np.isfinite(estimate.value):
        return estimate
    fewest = FEWEST_CLADES if has_whole_clades(jackknife) else FEWEST_UNITS
    if jackknife.n_units < fewest:
        few = f"no interval: {jackknife.n_units} units ({jackknife.rank}), needs at least {fewest}"
        return with_note(estimate, few)
    if not np.isfinite(deleted).all():
        return with_note(estimate, "no interval: the number does not exist without some of the units")
    same = np.abs(deleted - estimate.value).max(initial=0.0) < SAME
    if bounds == (0.0, 1.0) and same and min(estimate.value, 1 - estimate.value) < SAME:
        low, high = clopper_pearson(round(estimate.value) * jackknife.n_units, jackknife.n_units, settings.level)
        method = EXACT_METHOD
    else:
        low, high = jackknife_interval(estimate.value, deleted, bounds, settings.level)
        method = f"delete-group jackknife, {jackknife.n_groups} groups"
    estimate = replace(estimate, ci_low=low, ci_high=high, ci_method=method)
    return with_note(estimate, caution(jackknife))


def with_share_interval(
    estimate: Estimate, deleted: np.ndarray, jackknife: Jackknife, settings: MeasureSettings
) -> Estimate:
    """Return a share of independent yes-or-no answers with an interval that is right near 0 and 1 too.

    Parameters
    ----------
    estimate, deleted, jackknife, settings
        As for `with_interval`; `n_images` of the estimate is used.

    Returns
    -------
    Estimate
        As from `with_interval`, but with the interval of Korn and Graubard: that of Clopper and Pearson for the number
        of independent answers that has the jackknife's variance, value·(1 - value)/se², at most the number of images.
        A symmetric interval of a share near chance misses too often, since few answers decide its length.

    References
    ----------
    Korn & Graubard 1998, Survey Methodology 24, 193.

    Examples
    --------
    >>> jackknife = Jackknife.of("species", np.arange(20), np.random.default_rng(0))
    >>> right = np.arange(20) < 4
    >>> deleted = jackknife.without_each(lambda kept: right[kept].mean())
    >>> found = with_share_interval(Estimate(0.2, n_images=20), deleted, jackknife, MeasureSettings())
    >>> round(found.ci_low, 2), round(found.ci_high, 2)  # Clopper and Pearson of 20 images: 0.06, 0.44
    (0.05, 0.45)
    """
    found = with_interval(estimate, deleted, jackknife, settings, (0.0, 1.0))
    if np.isnan(found.ci_low) or found.ci_method == EXACT_METHOD:
        return found
    value, tail = found.value, (1 - settings.level) / 2
    deviations = deleted - np.mean(deleted)
    variance = (len(deleted) - 1) / len(deleted) * float(np.sum(deviations**2))
    if variance < SAME**2 or min(value, 1 - value) < SAME:
        return found
    freedom = effective_degrees_of_freedom(np.asarray(deleted))
    fewer = (stdtrit(jackknife.n_units - 1, tail) / stdtrit(freedom, tail)) ** 2
    n = min(value * (1 - value) / variance * float(fewer), float(max(found.n_images, 1)))
    low, high = clopper_pearson(value * n, n, settings.level)
    method = f"Korn-Graubard, delete-group jackknife, {jackknife.n_groups} groups"
    return replace(found, ci_low=low, ci_high=high, ci_method=method)


def without_interval(estimate: Estimate, reason: str) -> Estimate:
    """Return an estimate without its interval; what is known without each group stays for paired differences.

    Parameters
    ----------
    estimate : Estimate
    reason : str
        Why the interval would be wrong, for the note. It stays as it is where there is no interval.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> without_interval(Estimate(0.5, ci_low=0.4, ci_high=0.6), "2 units").note
    'no interval: 2 units'
    """
    if not np.isfinite(estimate.ci_low):
        return estimate
    return with_note(replace(estimate, ci_low=np.nan, ci_high=np.nan, ci_method=""), f"no interval: {reason}")


def with_enough_relatives(estimate: Estimate, taxa: np.ndarray, species: np.ndarray) -> Estimate:
    """Return a number beyond the species null, without its interval where few species have a relative.

    Only species that share their taxon with another species can lie beyond what a memoriser of species reaches. Where
    they are few, such a number rests on them alone, however many other species there are, and the calibration study
    found that its interval is far too narrow.

    Parameters
    ----------
    estimate : Estimate
        With its interval.
    taxa, species : ndarray, shape (n,), int64
        Taxon and species of the images that enter.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> estimate = Estimate(0.5, ci_low=0.4, ci_high=0.6)
    >>> with_enough_relatives(estimate, np.array([0, 0, 1]), np.array([5, 6, 7])).note
    'no interval: 2 species share their taxon with another one, needs at least 20'
    """
    pairs = np.unique(np.stack([taxa, species]), axis=1)
    n_species = np.unique(pairs[0], return_counts=True)[1]
    n_related = int(n_species[n_species > 1].sum())
    if n_related >= FEWEST_RELATED:
        return estimate
    few = f"{n_related} species share their taxon with another one, needs at least {FEWEST_RELATED}"
    return without_interval(estimate, few)


def with_note(estimate: Estimate, note: str) -> Estimate:
    """Return an estimate with one more note.

    Parameters
    ----------
    estimate : Estimate
    note : str
        May be empty.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> with_note(Estimate(0.5, note="12 pairs"), "no interval").note
    '12 pairs; no interval'
    """
    return replace(estimate, note="; ".join(filter(None, (estimate.note, note))))


def has_whole_clades(jackknife: Jackknife) -> bool:
    """Return True if the units are taxa above species, which are left out whole.

    Parameters
    ----------
    jackknife : Jackknife

    Returns
    -------
    bool

    Examples
    --------
    >>> has_whole_clades(Jackknife("genus", 40, np.arange(40)))
    True
    """
    return jackknife.rank not in ("species", "taxon")


def caution(jackknife: Jackknife) -> str:
    """Return a warning where the calibration study found that intervals cover less than they say.

    Parameters
    ----------
    jackknife : Jackknife

    Returns
    -------
    str
        Empty where intervals cover what they say.

    Examples
    --------
    >>> caution(Jackknife("genus", 40, np.arange(40)))
    'with 40 units (genus), fewer than 100, the interval may be too narrow'
    >>> caution(Jackknife("species", 40, np.arange(40)))
    ''
    """
    if jackknife.n_units >= CAUTIOUS_UNITS or not (jackknife.dated or has_whole_clades(jackknife)):
        return ""
    few = f"with {jackknife.n_units} units ({jackknife.rank}), fewer than {CAUTIOUS_UNITS}"
    return f"{few}, the interval may be too narrow"


def clopper_pearson(successes: float, n: float, level: float) -> tuple[float, float]:
    """Return the exact interval of a share of n independent units.

    Parameters
    ----------
    successes, n : float
        0 ≤ successes ≤ n, and n above 0; whole numbers, unless they stand for fewer independent units.
    level : float
        Nominal coverage.

    Returns
    -------
    low, high : float
        In [0, 1].

    References
    ----------
    Clopper & Pearson 1934, Biometrika 26, 404.

    Examples
    --------
    >>> low, high = clopper_pearson(10, 10, 0.95)
    >>> round(low, 3), high
    (0.692, 1.0)
    """
    tail = (1 - level) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def jackknife_p(value: float, deleted: np.ndarray, alternative: str = "two-sided") -> float:
    """Return the p-value of a number that is 0 under its null, from its jackknife replicates.

    Parameters
    ----------
    value : float
        The number, e.g. a difference of two encoders or a value less its chance.
    deleted : ndarray, shape (G,)
        The number without each group of units.
    alternative : str
        ``two-sided`` or ``greater``.

    Returns
    -------
    float
        That of value/se in Student's t with the effective degrees of freedom of the interval, so that p < 0.05 where
        a 95 % interval leaves out 0. 1 for a value of 0; NaN with fewer than three groups, or where the number does not
        exist without one of the groups.

    Examples
    --------
    >>> round(jackknife_p(0.5, np.array([0.4, 0.5, 0.6, 0.5])), 3)
    0.027
    """
    deleted = np.asarray(deleted, dtype=np.float64)
    n_groups = len(deleted)
    if n_groups < 3 or not np.isfinite(value) or not np.isfinite(deleted).all():
        return np.nan
    if abs(value) < SAME:
        return 1.0 if alternative == "two-sided" else 0.5
    error = max(jackknife_error(deleted), SAME)
    freedom = effective_degrees_of_freedom(deleted)
    if alternative == "two-sided":
        return float(2 * stdtr(freedom, -abs(value) / error))
    return float(stdtr(freedom, -value / error))


def jackknife_error(deleted: np.ndarray) -> float:
    """Return the standard error of a number from its values without each of G groups of units.

    Parameters
    ----------
    deleted : ndarray, shape (G,)
        Finite.

    Returns
    -------
    float
        The root of (G - 1)/G Σ (θ_g - mean θ)².

    References
    ----------
    Kott 2001, J. Off. Stat. 17, 521.

    Examples
    --------
    >>> round(jackknife_error(np.array([0.4, 0.5, 0.6])), 3)
    0.115
    """
    return float(np.sqrt((len(deleted) - 1) / len(deleted) * np.sum((deleted - deleted.mean()) ** 2)))
