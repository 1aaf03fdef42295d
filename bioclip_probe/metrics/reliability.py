"""The noise ceiling: the most the tree correlation could be, given how the images of a species scatter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.all_pairs.cross import jackknifed_cross_correlations
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.all_pairs.moments import JackknifeMoments
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree.tree import Placement

N_SPLITS = 10
#: Below this reliability of halves, what the correction gives is mostly its own error.
LEAST = 0.1
NAMES = ("split_half_reliability", "noise_ceiling", "disattenuated_cophenetic_correlation")
BOUNDS = ((-1.0, 1.0), (0.0, 1.0), (-np.inf, np.inf))


def noise_ceiling(vectors: np.ndarray, placement: Placement, rng: np.random.Generator) -> dict[str, Estimate]:
    """How reliable centroid distances are, the ceiling this sets to CPCC, and CPCC as a share of it.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The species compared are its tips.
    rng : numpy.random.Generator

    Returns
    -------
    dict from metric to Estimate
        All over the species that have at least two images; the images of the others are counted as excluded.

        ``split_half_reliability``: each species' images are dealt into two halves, and the centroid distances of one
        half are correlated with those of the other over all pairs of species; r is the mean over 10 deals. In [-1, 1].
        ``noise_ceiling``: sqrt(2r/(1 + r)), the correlation of the distances from all images with noiseless ones, by
        the formula of Spearman and Brown. In [0, 1]. No embedding with such scatter could have a higher CPCC.
        ``disattenuated_cophenetic_correlation``: CPCC over the ceiling, what CPCC would be without scatter; it can
        exceed 1. Higher is better, 0 without any signal.

        Intervals leave out one group of species after the other. Undefined with fewer than three such species, where
        distances do not vary, or where a half has no direction; the last two also where r is below 0.1.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    O(10 (n d + species·d²)). Images are put in an order of their own before they are dealt, so that the order of rows
    does not matter.

    Spearman and Brown assume that twice the images halve the variance of the noise. That holds while centroids scatter
    less than species differ. Beyond, it is the square of the scatter that rules, and falls to a quarter: the ceiling
    comes out too low, and the corrected value too high. Uneven counts put the distances of species with few images up
    in both halves alike, which passes for reliability and works the other way.

    Simulated with 150 species on a taxonomy, λ = 0.7, in 16 and 256 dimensions, with 6, 20 or 2 to 40 images each: the
    corrected value is within 3 % of that of the noiseless species where r > 0.5, within 6 % where r > 0.3, within 12 %
    where r > 0.15 (CPCC itself is 40 % too low there), and up to 40 % too high below 0.1. It is not given there.

    References
    ----------
    Spearman 1904, Am. J. Psychol. 15, 72 (disattenuation); Spearman 1910 and Brown 1910, Br. J. Psychol. 3, 271, 296.
    """
    everything = Rows.taxa(vectors, placement)
    counted = np.bincount(everything.groups[everything.groups >= 0], minlength=1)
    several = (everything.groups >= 0) & (counted[everything.groups] > 1)
    taxa = Rows.taxa(vectors, Placement(placement.tree, np.where(several, placement.node, -1)))
    alone = int(np.sum(counted == 1))
    note = f"{alone} species with one image left out" if alone else ""
    if taxa.counts["n_taxa"] < 3:
        reason = f"needs at least 3 taxa with two images, found {taxa.counts['n_taxa']}"
        return dict.fromkeys(NAMES, Estimate.undefined(reason, **taxa.counts))
    resampled, part = taxa.jackknife_groups(None, rng)
    halves = np.mean([jackknifed_cross_correlations(*pair, part) for pair in _deals(vectors, taxa.groups, rng)], axis=0)
    cpcc = np.full(len(halves), np.nan)
    if not taxa.reason_undefined():
        sums = JackknifeSums.of(taxa.tree, JackknifeMoments.of([(taxa.vectors, taxa.tips)], part))
        cpcc = np.array([sums.correlation(), *sums.without_each_group()])
    ceiling = stepped_up(halves)
    reasons = _reasons(halves[0], taxa.reason_undefined())
    found = {}
    for name, values, bounds in zip(NAMES, (halves, ceiling, cpcc / ceiling), BOUNDS, strict=True):
        if reasons[name]:
            found[name] = Estimate.undefined(reasons[name], **taxa.counts)
            continue
        ends = interval(*jackknife_interval(float(values[0]), values[1:], bounds), JACKKNIFE, resampled)
        chance = np.nan if name == "noise_ceiling" else 0.0
        found[name] = Estimate(float(values[0]), chance, **ends, **taxa.counts, note=note)
    return found


def stepped_up(halves: np.ndarray) -> np.ndarray:
    """sqrt(2r/(1 + r)): what distances from all images correlate with noiseless ones; NaN where r is not above 0."""
    return np.sqrt(2 * halves / (1 + halves), out=np.full(len(halves), np.nan), where=halves > 0)


def _reasons(halves: float, of_tree: str) -> dict[str, str]:
    """Why each of the three is undefined; empty if it is not."""
    if np.isnan(halves):
        return dict.fromkeys(NAMES, "the distances of a half do not vary, or its images cancel out")
    reason = "" if halves >= LEAST else f"the halves hardly agree: reliability {halves:.3f} is below {LEAST}"
    return dict(zip(NAMES, ("", reason, reason or of_tree), strict=True))


def _deals(
    vectors: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The directions of two halves of each taxon's images, as many times as they are dealt."""
    rows = np.flatnonzero(groups >= 0)
    towards = vectors[rows] @ vectors[rows].mean(axis=0, dtype=np.float64)
    rows = rows[np.lexsort((towards, groups[rows]))]
    x, taxon = vectors[rows].astype(np.float64), groups[rows]
    counts = np.bincount(taxon)
    starts = np.cumsum(counts) - counts
    whole = np.add.reduceat(x, starts, axis=0)
    for _ in range(N_SPLITS):
        dealt = np.lexsort((rng.random(len(x)), taxon))
        first = dealt[(np.arange(len(x)) - starts[taxon]) % 2 == 0]
        pick = csr_array((np.ones(len(first)), (taxon[first], first)), shape=(len(counts), len(x)))
        half = pick @ x
        yield _directions(half), _directions(whole - half)


def _directions(sums: np.ndarray) -> np.ndarray:
    """On the unit sphere, NaN where the images cancel out."""
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, norms, out=np.full_like(sums, np.nan), where=norms > 1e-6)
