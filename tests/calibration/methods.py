"""The methods that are tested: a method is one line in `TESTS`, and its interval one in `INTERVALS`.

Tests call the public functions of the registry, so that they measure what users see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import pearsonr

from bioclip_probe.metrics.differences import paired_differences
from bioclip_probe.metrics.embedding_pairs import EmbeddingPair
from bioclip_probe.metrics.hierarchy import estimate_within
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.reweighting import weighted_correlations, weighted_image_correlations
from bioclip_probe.stats.centroids import centroids, tips_with_images
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import patristic_distances
from tests.calibration.designs import SimulatedImages
from tests.calibration.intervals import CANDIDATES, Resampled

#: One estimate, or several that are computed together, by name.
Estimates = Estimate | dict[str, Estimate]
Test = Callable[[SimulatedImages, np.random.Generator, MeasureSettings], Estimates]
#: Lower end, upper end and value, by the name of the interval.
Ends = dict[str, tuple[float, float, float]]


def shared_results(
    simulated: SimulatedImages, vectors: np.ndarray, seed: int, settings: MeasureSettings
) -> SharedResults:
    """Return what metrics share of one model; intervals resample the sampled units."""
    units, own = simulated.units, replace(settings, seed=seed)
    if units is not None and simulated.placement.tree.unit == "rank":
        own, units = replace(own, resample=units.name), None
    return SharedResults(vectors, simulated.placement, own, ranks=("species",), units=units)


def of_one(*names: str) -> Test:
    """Return the test of some metrics of one model, at species, which come from one function of the registry."""

    def test(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimates:
        shared = shared_results(simulated, simulated.vectors, int(rng.integers(2**31)), settings)
        return _chosen(_measure(names[0], shared), names)

    return test


def difference(name: str) -> Test:
    """Return the test of the difference of two models in a metric at species."""

    def test(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimates:
        seed = int(rng.integers(2**31))
        both = (simulated.vectors, simulated.second)
        sides = (_measure(name, shared_results(simulated, vectors, seed, settings)) for vectors in both)
        return _chosen(paired_differences(*sides, settings), [f"{name}_difference"])

    return test


def between_encoders(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimates:
    """Return the raw similarities of two models; the calibrated ones have the same p-values."""
    seed = int(rng.integers(2**31))
    both = (simulated.vectors, simulated.second)
    pair = EmbeddingPair(*(shared_results(simulated, vectors, seed, settings) for vectors in both))
    return _chosen(REGISTRY["cka"].function(pair, pair.placement, pair.settings), ["cka", "rsa", "mutual_knn"])


def cpcc_within_orders(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return CPCC of the species, with a null that permutes species within orders, on a dated tree too."""
    taxa = Rows.taxa(simulated.vectors, simulated.placement)
    return estimate_within(taxa, {"order": taxa.per_tip(simulated.order)}, rng, settings)["order"]


def pairs_as_independent(simulated: SimulatedImages, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return a correlation whose p-value wrongly takes pairs as independent; the study must detect the mistake."""
    taxa = centroids(simulated.vectors, simulated.placement)
    upper = np.triu_indices(len(taxa.counts), 1)
    distances = 1 - (taxa.directions @ taxa.directions.T)[upper]
    test = pearsonr(patristic_distances(taxa.tree)[upper], distances, alternative="greater")
    return Estimate(float(test.statistic), p_value=float(test.pvalue))


def _measure(name: str, shared: SharedResults) -> list[Measurement]:
    """Return the numbers of the function that gives a metric."""
    return REGISTRY[name].function(shared, shared.placement, shared.settings)


def _chosen(measurements: Sequence[Measurement], names: Sequence[str]) -> Estimates:
    """Return the estimates of some metrics at species; the estimate itself if there is one name."""
    chosen = {row.metric: row.estimate for row in measurements if row.metric in names and row.rank == "species"}
    return chosen if len(names) > 1 else chosen[names[0]]


#: Every test by its name in the table.
TESTS: dict[str, Test] = {
    "CPCC": of_one("cophenetic_correlation"),
    "CPCC within orders": cpcc_within_orders,
    "all images": of_one("image_tree_correlation"),
    "balanced": of_one("balanced_tree_correlation"),
    "balanced images": of_one("balanced_image_tree_correlation"),
    "K_mult": of_one("k_mult"),
    "λ": of_one("pagel_lambda"),
    "heritable share": of_one("heritable_share"),
    "ranks": of_one("spearman", "kendall_tau_b"),
    "CPCC difference": difference("cophenetic_correlation"),
    "λ difference": difference("pagel_lambda"),
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
