"""What is put to the test. A method is one line in `TESTS` or `INTERVALS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import pearsonr

from bioclip_probe.metrics.hierarchy import cophenetic_correlation, image_tree_correlation, spearman
from bioclip_probe.stats.centroids import centroids, tips_with_images
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.moments import pearson
from bioclip_probe.stats.reweighting import pair_blocks, weighted_image_correlations
from bioclip_probe.tree import patristic_distances
from tests.calibration.designs import Simulated
from tests.calibration.intervals import CANDIDATES, Resampled

Test = Callable[[Simulated, np.random.Generator], Estimate]
Ends = dict[str, tuple[float, float, float]]


def pairs_as_independent(made: Simulated, rng: np.random.Generator) -> Estimate:
    """What not to do, so that the study is seen to find it: the p of a correlation that takes pairs as independent."""
    taxa = centroids(made.vectors, made.placement)
    upper = np.triu_indices(len(taxa.counts), 1)
    found = pearsonr(
        patristic_distances(taxa.tree)[upper], 1 - (taxa.directions @ taxa.directions.T)[upper], alternative="greater"
    )
    return Estimate(float(found.statistic), p_value=float(found.pvalue))


TESTS: dict[str, Test] = {
    "CPCC": lambda made, rng: cophenetic_correlation(made.vectors, made.placement, rng),
    "CPCC within orders": lambda made, rng: cophenetic_correlation(made.vectors, made.placement, rng, made.order),
    "all images": lambda made, rng: image_tree_correlation(made.vectors, made.placement, rng),
    "Spearman": lambda made, rng: spearman(made.vectors, made.placement),
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
    within, between = np.zeros((2, 6))
    for rows, c, t in pair_blocks(taxa.directions, taxa.tree):
        columns = np.arange(rows.start, len(unit))
        pair = columns > np.arange(rows.start, rows.stop)[:, None]
        same = pair & (unit[columns] == unit[rows][:, None])
        for at, values in enumerate(_products(c, t)):
            inside = float(np.sum(values, where=same))
            within[at] += inside
            between[at] += float(np.sum(values, where=pair)) - inside
    weight = float(thinned(int(unit.max()) + 1, n)[0, 0])
    return pearson(*(weight * within + weight**2 * between))


def _cpcc_intervals(made: Simulated, unit: np.ndarray, rng: np.random.Generator) -> Ends:
    taxa = centroids(made.vectors, made.placement)
    member = (unit == np.arange(unit.max() + 1)[:, None]).astype(np.float64)
    c, t = 1 - taxa.directions @ taxa.directions.T, patristic_distances(taxa.tree)
    np.fill_diagonal(c, 0)
    pairs = [member @ values @ member.T for values in _products(c, t)]

    def statistic(weights: np.ndarray) -> np.ndarray:
        within = [weights @ np.diagonal(values) for values in pairs]
        all_of_them = [np.einsum("bj,bj->b", weights @ values, weights) for values in pairs]
        own = [np.square(weights) @ np.diagonal(values) for values in pairs]
        return pearson(*(a - o + w for a, o, w in zip(all_of_them, own, within, strict=True)))

    return candidates(statistic, len(member), rng)


def _products(c: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, ...]:
    """What `pearson` sums, of each pair."""
    one = np.ones_like(c)
    if one.shape[0] == one.shape[1]:
        np.fill_diagonal(one, 0)
    return one, t, c, t * t, c * c, t * c


def _image_target(made: Simulated, unit: np.ndarray, n: int) -> float:
    tree, groups = tips_with_images(made.placement)
    return float(weighted_image_correlations(made.vectors, groups, tree, thinned(len(unit), n))[0])


def _image_intervals(made: Simulated, unit: np.ndarray, rng: np.random.Generator) -> Ends:
    tree, groups = tips_with_images(made.placement)
    return candidates(lambda weights: weighted_image_correlations(made.vectors, groups, tree, weights), len(unit), rng)


def candidates(statistic: Callable[[np.ndarray], np.ndarray], n_units: int, rng: np.random.Generator) -> Ends:
    """Every candidate interval of one statistic of weights of units."""
    resampled = Resampled.of(statistic, n_units, rng)
    return {name: (*ends(resampled), resampled.value) for name, ends in CANDIDATES.items()}


#: Ends the name of a method whose interval is the package's own.
AS_GIVEN = ", as given"


def as_given(test: Test) -> Interval:
    """The interval that a metric of the package gives, whatever it is."""

    def intervals(made: Simulated, unit: np.ndarray, rng: np.random.Generator) -> Ends:
        found = test(made, rng)
        return {"as given": (found.ci_low, found.ci_high, found.value)}

    return Interval(None, intervals)


INTERVALS: dict[str, Interval] = {
    "CPCC": Interval(_cpcc_target, _cpcc_intervals),
    "all images": Interval(_image_target, _image_intervals),
    "CPCC" + AS_GIVEN: as_given(TESTS["CPCC"]),
}
