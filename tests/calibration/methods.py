"""What is put to the test. A method is one line in `TESTS` or `INTERVALS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
from scipy.stats import pearsonr

from bioclip_probe.metrics import confounds, hierarchy, signal, similarity
from bioclip_probe.metrics.confounds import residual_cophenetic_correlation
from bioclip_probe.metrics.hierarchy import (
    balanced_image_tree_correlation,
    balanced_tree_correlation,
    cophenetic_correlation,
    cophenetic_correlation_difference,
    image_tree_correlation,
    image_tree_correlation_difference,
)
from bioclip_probe.metrics.ordinal import rank_correlations
from bioclip_probe.metrics.reliability import noise_ceiling
from bioclip_probe.metrics.signal import k_mult
from bioclip_probe.metrics.variance import variance_by_rank
from bioclip_probe.stats import rows
from bioclip_probe.stats.all_pairs.reweighting import weighted_correlations, weighted_image_correlations
from bioclip_probe.stats.centroids import centroids, tips_with_images
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tree import patristic_distances
from tests.calibration.designs import Simulated
from tests.calibration.intervals import CANDIDATES, Resampled

#: One metric, or several that are measured together, by name.
Measured = Estimate | dict[str, Estimate]
Test = Callable[[Simulated, np.random.Generator], Measured]
Ends = dict[str, tuple[float, float, float]]


def pairs_as_independent(made: Simulated, rng: np.random.Generator) -> Estimate:
    """What not to do, so that the study is seen to find it: the p of a correlation that takes pairs as independent."""
    taxa = centroids(made.vectors, made.placement)
    upper = np.triu_indices(len(taxa.counts), 1)
    found = pearsonr(
        patristic_distances(taxa.tree)[upper], 1 - (taxa.directions @ taxa.directions.T)[upper], alternative="greater"
    )
    return Estimate(float(found.statistic), p_value=float(found.pvalue))


def between_encoders(made: Simulated, rng: np.random.Generator) -> Measured:
    """The raw scores; the calibrated ones have the same p."""
    found = similarity.similarity(made.vectors, made.second, made.placement, rng)
    return {name: found[name] for name in ("cka", "rsa", "mutual_knn")}


def variance(made: Simulated, rng: np.random.Generator) -> Measured:
    """At two ranks of the seven."""
    found = variance_by_rank(made.vectors, made.placement, rng)
    return {f"{name} of {rank}": found[rank][name] for rank in ("order", "genus") for name in found[rank]}


TESTS: dict[str, Test] = {
    "CPCC": lambda made, rng: cophenetic_correlation(made.vectors, made.placement, rng, None, made.units),
    "CPCC within orders": lambda made, rng: cophenetic_correlation(made.vectors, made.placement, rng, made.order),
    "all images": lambda made, rng: image_tree_correlation(made.vectors, made.placement, rng, made.units),
    "balanced": lambda made, rng: balanced_tree_correlation(made.vectors, made.placement, rng, made.units),
    "balanced images": lambda made, rng: balanced_image_tree_correlation(made.vectors, made.placement, rng, made.units),
    "CPCC difference": lambda made, rng: cophenetic_correlation_difference(
        made.vectors, made.second, made.placement, rng, made.units
    ),
    "image difference": lambda made, rng: image_tree_correlation_difference(
        made.vectors, made.second, made.placement, rng, made.units
    ),
    "K_mult": lambda made, rng: k_mult(made.vectors, made.placement, rng, made.units),
    "residual": lambda made, rng: residual_cophenetic_correlation(
        made.vectors, made.second, made.placement, rng, test=True
    ),
    "noise ceiling": lambda made, rng: noise_ceiling(made.vectors, made.placement, rng),
    "variance": variance,
    "ranks": lambda made, rng: rank_correlations(made.vectors, made.placement, rng, made.units),
    "between encoders": between_encoders,
    "pairs as independent": pairs_as_independent,
}


@dataclass(frozen=True)
class Interval:
    """A statistic and the intervals that are made of it.

    Attributes
    ----------
    target : callable
        Of the whole population, the unit of each of its species, and the units in a sample: what the statistic is in
        samples so large, as far as sums over pairs tell. Where pairs within a unit enter, they are the more the fewer
        units there are. None: the mean over the samples that were drawn.
    intervals : callable
        Of a sample, the unit of each species, and a generator: lower end, upper end and value by name of the interval.
    """

    target: Callable[[Simulated, np.ndarray, int], float] | None
    intervals: Callable[[Simulated, np.ndarray, np.random.Generator], dict[str, tuple[float, float, float]]]


def thinned(n_units: int, n: int) -> np.ndarray:
    """Weights of all units with which pairs within and between units weigh as in samples of n of them, (1, n_units)."""
    return np.full((1, n_units), (n - 1) / (n_units - 1))


def _cpcc_target(made: Simulated, unit: np.ndarray, n: int) -> float:
    taxa = centroids(made.vectors, made.placement)
    return float(weighted_correlations(taxa.directions, taxa.tree, thinned(int(unit.max()) + 1, n), unit)[0])


def _cpcc_intervals(made: Simulated, unit: np.ndarray, rng: np.random.Generator) -> Ends:
    taxa = centroids(made.vectors, made.placement)
    return candidates(
        lambda weights: weighted_correlations(taxa.directions, taxa.tree, weights, unit), int(unit.max()) + 1, rng
    )


def _image_target(made: Simulated, unit: np.ndarray, n: int) -> float:
    tree, groups = tips_with_images(made.placement)
    weights = thinned(int(unit.max()) + 1, n)
    return float(weighted_image_correlations(made.vectors, groups, tree, weights, unit)[0])


def _image_intervals(made: Simulated, unit: np.ndarray, rng: np.random.Generator) -> Ends:
    tree, groups = tips_with_images(made.placement)
    return candidates(
        lambda weights: weighted_image_correlations(made.vectors, groups, tree, weights, unit),
        int(unit.max()) + 1,
        rng,
    )


def candidates(statistic: Callable[[np.ndarray], np.ndarray], n_units: int, rng: np.random.Generator) -> Ends:
    """Every candidate interval of one statistic of weights of units."""
    resampled = Resampled.of(statistic, n_units, rng)
    return {name: (*ends(resampled), resampled.value) for name, ends in CANDIDATES.items()}


#: Where the package keeps how often it permutes and resamples.
COUNTS = {
    "N_PERMUTATIONS": (hierarchy, confounds, signal, similarity),
    "N_BOOTSTRAP": (hierarchy,),
    "N_GROUPS": (rows,),
}


@contextmanager
def fewer(**counts: int) -> Iterator[None]:
    """The package's methods with fewer permutations, replicates or groups: the same p and intervals, but coarser."""
    with ExitStack() as stack:
        for name, count in counts.items():
            for module in COUNTS[name]:
                stack.enter_context(patch.object(module, name, count))
        yield


#: Ends the name of a method whose interval is the package's own.
AS_GIVEN = ", as given"


def as_given(test: Test) -> Interval:
    """The interval that a metric of the package gives, whatever it is."""

    def intervals(made: Simulated, unit: np.ndarray, rng: np.random.Generator) -> Ends:
        return {
            f"{name}{AS_GIVEN}": (found.ci_low, found.ci_high, found.value)
            for name, found in named(test(made, rng)).items()
        }

    return Interval(None, intervals)


def named(measured: Measured) -> dict[str, Estimate]:
    """Estimates by name; a single one has none."""
    return measured if isinstance(measured, dict) else {"": measured}


INTERVALS: dict[str, Interval] = {
    "CPCC": Interval(_cpcc_target, _cpcc_intervals),
    "all images": Interval(_image_target, _image_intervals),
} | {
    name + AS_GIVEN: as_given(test)
    for name, test in TESTS.items()
    if name not in ("CPCC within orders", "pairs as independent")
}
