"""The methods that are tested: a method is one line in `TESTS`, and its interval one in `INTERVALS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import pearsonr

from bioclip_probe.metrics.balanced import estimate_balanced_correlation, reason_undefined
from bioclip_probe.metrics.confounds import (
    distance_correlation,
    estimate_residual_correlation,
    permuted_partial_correlations,
)
from bioclip_probe.metrics.differences import paired_differences
from bioclip_probe.metrics.hierarchy import cophenetic_correlation, estimate_cophenetic_correlation, estimate_within
from bioclip_probe.metrics.image_pairs import estimate_image_correlation, image_tree_correlation
from bioclip_probe.metrics.ordinal import estimate_rank_correlations
from bioclip_probe.metrics.reliability import estimate_noise_ceiling
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.signal import estimate_k_mult
from bioclip_probe.metrics.similarity import estimate_similarity
from bioclip_probe.metrics.variance import variance_by_rank
from bioclip_probe.stats.all_pairs.reweighting import weighted_correlations, weighted_image_correlations
from bioclip_probe.stats.centroids import centroids, tips_with_images
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import permutation_p
from bioclip_probe.stats.rows import Rows, rank_of_tips
from bioclip_probe.tree import patristic_distances
from tests.calibration.designs import SimulatedImages
from tests.calibration.intervals import CANDIDATES, Resampled

#: One estimate, or several that are computed together, by name.
Estimates = Estimate | dict[str, Estimate]
Test = Callable[[SimulatedImages, np.random.Generator, MeasureSettings], Estimates]
#: Lower end, upper end and value, by the name of the interval.
Ends = dict[str, tuple[float, float, float]]


def taxa_of(simulated: SimulatedImages) -> Rows:
    """Return the centroids of the species."""
    return Rows.taxa(simulated.vectors, simulated.placement)


def images_of(simulated: SimulatedImages) -> Rows:
    """Return the images."""
    return Rows.images(simulated.vectors, simulated.placement)


def second_taxa_of(simulated: SimulatedImages) -> Rows:
    """Return the centroids of the species in the second model."""
    return Rows.taxa(simulated.second, simulated.placement)


def jackknife_of(
    rows: Rows, simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings
) -> Jackknife:
    """Return the groups of the sampled units, which are the species by default."""
    units = simulated.units
    name, labels = (units.name, units.labels) if units else (rank_of_tips(rows.tree), rows.groups)
    return Jackknife.of(name, labels, rng, settings.n_groups, dated=rows.tree.unit != "rank")


def cpcc(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return CPCC of the species."""
    taxa = taxa_of(simulated)
    return estimate_cophenetic_correlation(taxa, jackknife_of(taxa, simulated, rng, settings), rng, settings)


def cpcc_within_orders(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return CPCC of the species, with a null that permutes species within orders."""
    taxa = taxa_of(simulated)
    return estimate_within(taxa, {"order": taxa.per_tip(simulated.order)}, rng, settings)["order"]


def all_images(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the tree correlation over all pairs of images."""
    images = images_of(simulated)
    return estimate_image_correlation(images, jackknife_of(images, simulated, rng, settings), rng, settings)


def balanced(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return CPCC with equal weights for the ranks."""
    return _balanced(taxa_of(simulated), simulated, rng, settings)


def balanced_images(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the tree correlation over all pairs of images with equal weights for the ranks."""
    return _balanced(images_of(simulated), simulated, rng, settings)


def _balanced(rows: Rows, simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the correlation over pairs of rows with equal weights for the ranks."""
    jackknife = jackknife_of(rows, simulated, rng, settings)
    sums = [] if reason_undefined(rows) else rows.node_sums(jackknife.of_tips(rows), jackknife.n_groups)
    return estimate_balanced_correlation(rows, sums, jackknife, rng, settings)


def cpcc_difference(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the difference of two models in CPCC."""
    return _difference(cophenetic_correlation, simulated, settings)


def image_difference(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the difference of two models in the tree correlation over all pairs of images."""
    return _difference(image_tree_correlation, simulated, settings)


def _difference(metric: Callable, simulated: SimulatedImages, settings: MeasureSettings) -> Estimate:
    """Return the difference of two models in a metric at species."""
    vectors = (simulated.vectors, simulated.second)
    both = [SharedResults(each, simulated.placement, settings, units=simulated.units) for each in vectors]
    *_, row = paired_differences(*(metric(shared, simulated.placement) for shared in both), settings)
    return row.estimate


def k_mult(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the phylogenetic signal."""
    return estimate_k_mult(centroids(simulated.vectors, simulated.placement), rng, settings, simulated.units)


def residual(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return CPCC beyond a control, with the p-value that the study rejects."""
    taxa, control = taxa_of(simulated), second_taxa_of(simulated)
    estimate = estimate_residual_correlation(taxa, control)
    of_control = distance_correlation(taxa, control)
    null = permuted_partial_correlations(taxa.sums, control.sums, of_control, rng, settings.n_permutations)
    return replace(estimate, p_value=permutation_p(estimate.value, null))


def noise_ceiling(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimates:
    """Return the noise ceiling of CPCC and the numbers beside it."""
    jackknife = jackknife_of(images_of(simulated), simulated, rng, settings)
    return estimate_noise_ceiling(simulated.vectors, simulated.placement, jackknife, rng, settings)


def variance(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimates:
    """Return the variance that two of the seven ranks explain."""
    shared = SharedResults(simulated.vectors, simulated.placement, settings, units=simulated.units)
    rows = variance_by_rank(shared, simulated.placement)
    return {f"{row.metric} of {row.rank}": row.estimate for row in rows if row.rank in ("order", "genus")}


def rank_correlations(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimates:
    """Return Spearman's and Kendall's correlation of the distances between species."""
    return estimate_rank_correlations(taxa_of(simulated), rng, settings, simulated.units)


def between_encoders(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimates:
    """Return the raw similarities of two models; the calibrated ones have the same p-values."""
    taxa, second = taxa_of(simulated), second_taxa_of(simulated)
    jackknife = jackknife_of(taxa, simulated, rng, settings)
    similarities = estimate_similarity(taxa, second, jackknife, rng, settings)
    return {name: similarities[name] for name in ("cka", "rsa", "mutual_knn")}


def pairs_as_independent(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return a correlation whose p-value wrongly takes pairs as independent; the study must detect the mistake."""
    taxa = centroids(simulated.vectors, simulated.placement)
    upper = np.triu_indices(len(taxa.counts), 1)
    distances = 1 - (taxa.directions @ taxa.directions.T)[upper]
    test = pearsonr(patristic_distances(taxa.tree)[upper], distances, alternative="greater")
    return Estimate(float(test.statistic), p_value=float(test.pvalue))


#: Every test by its name in the table.
TESTS: dict[str, Test] = {
    "CPCC": cpcc,
    "CPCC within orders": cpcc_within_orders,
    "all images": all_images,
    "balanced": balanced,
    "balanced images": balanced_images,
    "CPCC difference": cpcc_difference,
    "image difference": image_difference,
    "K_mult": k_mult,
    "residual": residual,
    "noise ceiling": noise_ceiling,
    "variance": variance,
    "ranks": rank_correlations,
    "between encoders": between_encoders,
    "pairs as independent": pairs_as_independent,
}


@dataclass(frozen=True)
class Interval:
    """A statistic and the intervals of it that are tested.

    Attributes
    ----------
    target : callable or None
        ``target(population, unit of each species, units in a sample) -> float``: the value of the statistic in samples
        of this size, from the expected sums over pairs. Pairs within a unit weigh more where there are fewer units.
        None: the mean over the samples takes its place.
    intervals : callable
        ``intervals(sample, unit of each species, rng, settings) -> Ends``.
    """

    target: Callable[[SimulatedImages, np.ndarray, int], float] | None
    intervals: Callable[[SimulatedImages, np.ndarray, np.random.Generator, MeasureSettings], Ends]


def sampling_weights(n_units: int, n: int) -> np.ndarray:
    """Return weights with which pairs within and between units weigh as in samples of n units, shape (1, n_units)."""
    return np.full((1, n_units), (n - 1) / (n_units - 1))


def _cpcc_target(population: SimulatedImages, unit: np.ndarray, n: int) -> float:
    """Return CPCC of the population, weighted as in samples of n units."""
    taxa = centroids(population.vectors, population.placement)
    weights = sampling_weights(int(unit.max()) + 1, n)
    return float(weighted_correlations(taxa.directions, taxa.tree, weights, unit)[0])


def _cpcc_intervals(
    sample: SimulatedImages, unit: np.ndarray, rng: np.random.Generator, settings: MeasureSettings
) -> Ends:
    """Return the candidate intervals of CPCC."""
    taxa = centroids(sample.vectors, sample.placement)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return weighted_correlations(taxa.directions, taxa.tree, weights, unit)

    return candidates(statistic, int(unit.max()) + 1, rng, settings)


def _image_target(population: SimulatedImages, unit: np.ndarray, n: int) -> float:
    """Return the tree correlation over image pairs of the population, weighted as in samples of n units."""
    tree, groups = tips_with_images(population.placement)
    weights = sampling_weights(int(unit.max()) + 1, n)
    return float(weighted_image_correlations(population.vectors, groups, tree, weights, unit)[0])


def _image_intervals(
    sample: SimulatedImages, unit: np.ndarray, rng: np.random.Generator, settings: MeasureSettings
) -> Ends:
    """Return the candidate intervals of the tree correlation over image pairs."""
    tree, groups = tips_with_images(sample.placement)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return weighted_image_correlations(sample.vectors, groups, tree, weights, unit)

    return candidates(statistic, int(unit.max()) + 1, rng, settings)


def candidates(
    statistic: Callable[[np.ndarray], np.ndarray], n_units: int, rng: np.random.Generator, settings: MeasureSettings
) -> Ends:
    """Return every candidate interval of one statistic, a function of weights of units."""
    resampled = Resampled.of(statistic, n_units, rng, settings.n_bootstrap)
    return {name: (*ends(resampled), resampled.value) for name, ends in CANDIDATES.items()}


#: The end of the name of a method whose interval is the one that the package gives.
AS_GIVEN = ", as given"


def as_given(test: Test) -> Interval:
    """Return the interval that a metric of the package gives."""

    def intervals(
        sample: SimulatedImages, unit: np.ndarray, rng: np.random.Generator, settings: MeasureSettings
    ) -> Ends:
        return {
            f"{name}{AS_GIVEN}": (estimate.ci_low, estimate.ci_high, estimate.value)
            for name, estimate in by_name(test(sample, rng, settings)).items()
        }

    return Interval(None, intervals)


def by_name(estimates: Estimates) -> dict[str, Estimate]:
    """Return estimates by name; the name of a single estimate is empty."""
    return estimates if isinstance(estimates, dict) else {"": estimates}


#: Every statistic whose intervals are tested, by its name in the table.
INTERVALS: dict[str, Interval] = {
    "CPCC": Interval(_cpcc_target, _cpcc_intervals),
    "all images": Interval(_image_target, _image_intervals),
} | {
    name + AS_GIVEN: as_given(test)
    for name, test in TESTS.items()
    if name not in ("CPCC within orders", "pairs as independent")
}
