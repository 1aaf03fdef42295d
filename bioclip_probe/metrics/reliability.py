"""The noise ceiling: the tree correlation that perfect species would have, given how their images scatter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.cross import jackknifed_cross_correlations
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.centroids import tips_with_images
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.group_sums import group_sums
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.threads import in_threads, n_threads
from bioclip_probe.tree.tree import Placement

#: Below this reliability of halves, the corrected value is mostly the error of the correction.
MIN_RELIABILITY = 0.1
NAMES = ("split_half_reliability", "noise_ceiling", "disattenuated_cophenetic_correlation")
#: The null by which the chance level of each is 0; the ceiling has none.
NULLS = ("images", "", "species")
BOUNDS = ((-1.0, 1.0), (-1.0, 1.0), (-np.inf, np.inf))
#: Images that are projected at once.
BLOCK = 8192


def noise_ceiling(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how reliable centroid distances are, the ceiling that this sets to CPCC, and CPCC over its ceiling.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`; species are compared.
    settings : MeasureSettings, optional
        `n_halves` (10 by default) and `level` are used.

    Returns
    -------
    list of Measurement
        Three, at species, all over the species with at least two images; the images of the others are counted as
        excluded. Higher is better.

        ``split_half_reliability``: the images of each species are divided at random into two halves, and the centroid
        distances of one half are correlated with those of the other over all pairs of species; r is the mean over ten
        random divisions. In [-1, 1]; 0 where images know nothing about species (null: images).
        ``noise_ceiling``: sqrt(2r/(1 + r)), the correlation of the distances from all images with noiseless ones, by
        the formula of Spearman and Brown. In [0, 1]; there is no chance level. It is the CPCC that is expected of
        species that follow the tree perfectly and whose images scatter like these. It is an estimate and no bound: a
        measured CPCC can lie above it by error, since images scatter along the tree by accident too, and since the
        assumptions of the notes hold approximately only.
        ``disattenuated_cophenetic_correlation``: CPCC over the ceiling, an estimate of CPCC without scatter. It takes
        off what scatter does, and not what the number of directions does. It exceeds
        1 where CPCC exceeds its ceiling. Chance is 0 (null: whole species permuted over the tips).

        The intervals recompute the numbers without each group of units, with the same halves. Undefined with fewer than
        three such species, where distances do not vary, or where a half has no direction; the last two numbers also
        where r is below 0.1.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(10 (n d + species·d²)). Images are drawn in the order of their vectors, so that neither the order of rows nor the
    names of species matter.

    Spearman and Brown assume that twice the images halve the variance of the noise. That holds while centroids scatter
    less than species differ. With more scatter its square dominates, which falls to a quarter: the ceiling comes out
    too low, and the corrected value too high. Unequal numbers of images raise the distances of species with few images
    in both halves alike, which looks like reliability and works the other way.

    Simulated with 150 species on a taxonomy, λ = 0.7, in 16 and 256 dimensions, with 6, 20 or 2 to 40 images each: the
    corrected value is within 3 % of that of the noiseless species where r > 0.5, within 6 % where r > 0.3, within 12 %
    where r > 0.15 (CPCC itself is 40 % too low there), and up to 40 % too high below 0.1. It is not given there.

    References
    ----------
    Spearman 1904, Am. J. Psychol. 15, 72 (disattenuation); Spearman 1910 and Brown 1910, Br. J. Psychol. 3, 271, 296.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> twice = np.repeat([0, 1, 2], 2)
    >>> [round(row.value, 2) for row in noise_ceiling(vectors[twice], placement.take(twice))]
    [1.0, 1.0, 0.69]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    jackknife, rng = shared.jackknife(), shared.stream("noise_ceiling")
    estimates = estimate_noise_ceiling(shared.vectors, shared.species, jackknife, rng, shared.settings)
    return measurements_at("species", estimates)


def estimate_noise_ceiling(
    vectors: np.ndarray,
    placement: Placement,
    jackknife: Jackknife,
    rng: np.random.Generator,
    settings: MeasureSettings,
) -> dict[str, Estimate]:
    """Return the three numbers of `noise_ceiling`.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The species compared are its tips.
    jackknife : Jackknife
        Groups of the same images.
    rng : numpy.random.Generator
        It draws the halves.
    settings : MeasureSettings
        `n_halves` and `level` are used.

    Returns
    -------
    dict from metric to Estimate

    Raises
    ------
    DataError
        If a vector is not finite.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> twice, rng = np.repeat([0, 1, 2], 2), np.random.default_rng(0)
    >>> images = vectors[twice], placement.take(twice)
    >>> jackknife = Jackknife.of("species", images[1].node, rng)
    >>> estimates = estimate_noise_ceiling(*images, jackknife, rng, MeasureSettings())
    >>> round(estimates["noise_ceiling"].value, 2)
    1.0
    """
    _, tip = tips_with_images(placement)
    n_images = np.bincount(tip[tip >= 0], minlength=1)
    has_two = (tip >= 0) & (n_images[tip] > 1)
    taxa = Rows.taxa(vectors, Placement(placement.tree, np.where(has_two, placement.node, -1)))
    n_single = int(np.sum(n_images == 1))
    note = f"{n_single} species with one image left out" if n_single else ""
    if taxa.counts["n_taxa"] < 3:
        reason = f"needs at least 3 taxa with two images, found {taxa.counts['n_taxa']}"
        return dict.fromkeys(NAMES, Estimate.undefined(reason, **taxa.counts))
    group, own = jackknife.of_tips(taxa), jackknife.take(taxa.groups >= 0)
    halves = random_halves(vectors, taxa.groups, rng, settings.n_halves)
    threads = min(n_threads(taxa.vectors.size * taxa.vectors.shape[1]), settings.n_halves)
    of_halves = in_threads(lambda pair: jackknifed_cross_correlations(pair[0], pair[1], group), halves, threads)
    reliability = np.mean(list(of_halves), axis=0)
    cpcc = np.full(len(reliability), np.nan)
    if not taxa.reason_undefined():
        sums = JackknifeSums.of(taxa.tree, JackknifeMoments.of([(taxa.vectors, taxa.tips)], group))
        cpcc = np.array([sums.correlation(), *sums.without_each_group()])
    ceiling = spearman_brown_ceiling(reliability)
    reasons = _reasons_undefined(reliability[0], taxa.reason_undefined())
    estimates = {}
    for name, values, null, bounds in zip(NAMES, (reliability, ceiling, cpcc / ceiling), NULLS, BOUNDS, strict=True):
        if reasons[name]:
            estimates[name] = Estimate.undefined(reasons[name], **taxa.counts)
            continue
        value, chance = float(values[0]), 0.0 if null else np.nan
        estimate = Estimate(value, chance, null, **taxa.counts, note=note)
        estimates[name] = with_interval(estimate, jackknife.padded(value, values[1:]), own, settings, bounds)
    return estimates


def spearman_brown_ceiling(reliability: np.ndarray) -> np.ndarray:
    """Return the correlation of distances from all images with noiseless ones, by the formula of Spearman and Brown.

    Parameters
    ----------
    reliability : ndarray, shape (m,)
        Correlation r of the distances of two halves.

    Returns
    -------
    ndarray, shape (m,)
        sqrt(2r/(1 + r)); NaN where r is not above 0.

    Examples
    --------
    >>> spearman_brown_ceiling(np.array([1.0, -0.5])).tolist()
    [1.0, nan]
    """
    undefined = np.full(len(reliability), np.nan)
    return np.sqrt(2 * reliability / (1 + reliability), out=undefined, where=reliability > 0)


def _reasons_undefined(reliability: float, no_correlation: str) -> dict[str, str]:
    """Return why each of the three numbers is undefined; empty where it is defined."""
    if np.isnan(reliability):
        return dict.fromkeys(NAMES, "the distances of a half do not vary, or its images cancel out")
    low = f"the halves hardly agree: reliability {reliability:.3f} is below {MIN_RELIABILITY}"
    reason = "" if reliability >= MIN_RELIABILITY else low
    return dict(zip(NAMES, ("", reason, reason or no_correlation), strict=True))


def random_halves(
    vectors: np.ndarray, taxa: np.ndarray, rng: np.random.Generator, n_halves: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the centroids of two random halves of the images of each taxon, some times.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    taxa : ndarray, shape (n,), int64
        The taxon of each image, from 0 to k - 1; -1 for none. Each has at least two images.
    rng : numpy.random.Generator
    n_halves : int
        How many times the images are divided.

    Yields
    ------
    first, second : ndarray, shape (k, d)
        On the unit sphere; NaN where the images of a half cancel out.

    Examples
    --------
    >>> halves = random_halves(np.eye(2), np.array([0, 0]), np.random.default_rng(0), 1)
    >>> sorted(np.concatenate(next(halves)).tolist())
    [[0.0, 1.0], [1.0, 0.0]]
    """
    rows = np.flatnonzero(taxa >= 0)
    rows = rows[np.argsort(taxa[rows], kind="stable")]
    taxon, counts = taxa[rows], np.bincount(taxa[rows])
    starts = np.concatenate([[0], np.cumsum(counts)])
    total, _ = group_sums(vectors, rows, starts)
    mean, along = total.sum(axis=0) / len(rows), np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        along[start : start + BLOCK] = vectors[rows[start : start + BLOCK]].astype(np.float64) @ mean
    by_vector = np.argsort(along, kind="stable")
    in_first = np.concatenate([[0], np.cumsum((counts + 1) // 2)])
    for _ in range(n_halves):
        draw = np.empty(len(rows))
        draw[by_vector] = rng.random(len(rows))
        order = np.lexsort((draw, taxon))
        first = order[(np.arange(len(rows)) - starts[taxon]) % 2 == 0]
        half, _ = group_sums(vectors, rows[first], in_first)
        yield _directions(half), _directions(total - half)


def _directions(sums: np.ndarray) -> np.ndarray:
    """Return the rows on the unit sphere, NaN where the images cancel out."""
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, norms, out=np.full_like(sums, np.nan), where=norms > 1e-6)
