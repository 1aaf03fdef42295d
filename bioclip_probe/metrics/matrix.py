"""The distances of a matrix against embedding distance: correlations over all pairs of taxa, and the Mantel test.

A distance matrix has no clades and no branches, so that of the numbers on a tree only these are defined on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.hierarchy import with_bootstrap_interval
from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.units import unit_jackknife
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.matrix_correlations import (
    permuted_matrix_correlations,
    upper_triangle,
    weighted_matrix_correlations,
)
from bioclip_probe.stats.resampling import bootstrap_weights, permutation_p
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.distance_matrix import MatrixPlacement

BOUNDS = (-1.0, 1.0)
CPCC, SPEARMAN, KENDALL = "cophenetic_correlation", "spearman", "kendall_tau_b"
#: Pairs times groups of the jackknife up to which rank correlations have an interval.
MOST_RANKED = 10**8
NO_TREE = "on a distance matrix, which has no clades"


def matrix_correlations(
    vectors: np.ndarray,
    placement: MatrixPlacement,
    settings: MeasureSettings | None = None,
    units: ResamplingUnits | None = None,
) -> list[Measurement]:
    """Return the correlations of the distances of a matrix and centroid distance over all pairs of taxa.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : MatrixPlacement
        The images on the taxa of a distance matrix.
    settings : MeasureSettings, optional
        Which of the metrics; permutations, replicates, the seed.
    units : ResamplingUnits, optional
        What intervals leave out, by default the taxa of the matrix.

    Returns
    -------
    list of Measurement
        ``cophenetic_correlation`` (Pearson) with the p-value of the Mantel test, ``spearman`` and ``kendall_tau_b``, in
        [-1, 1]; higher is better. Chance is 0 under permutation of the taxa. They are the numbers of the same names on
        a tree whose distances are those of the matrix; the intervals are made alike.

    References
    ----------
    Mantel 1967, Cancer Research 27, 209.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> from bioclip_probe.tree import patristic_distances
    >>> vectors, placement = corvids()
    >>> distance = patristic_distances(placement.tree)
    >>> found = matrix_correlations(vectors, MatrixPlacement(placement.tree, placement.node, distance))
    >>> [(row.metric, round(row.value, 2)) for row in found]
    [('cophenetic_correlation', 0.69), ('spearman', 0.87), ('kendall_tau_b', 0.82)]
    """
    from scipy.stats import kendalltau, spearmanr  # here, because it loads slowly and few studies have a matrix

    settings = settings or MeasureSettings()
    taxa = Rows.taxa(vectors, placement)
    labels = units.labels if units else placement.node
    jackknife = unit_jackknife(units.name if units else RANKS[-1], labels, placement, settings)
    wanted = [name for name in (CPCC, SPEARMAN, KENDALL) if not settings.metrics or name in settings.metrics]
    kept = np.searchsorted(placement.tree.tips, np.unique(placement.node[placement.node >= 0]))
    distance = placement.distance[np.ix_(kept, kept)]
    if reason := _reason_undefined(taxa, distance):
        return [Measurement(name, RANKS[-1], Estimate.undefined(reason, **taxa.counts)) for name in wanted]
    pairs = _Pairs(taxa, distance, 1 - taxa.vectors @ taxa.vectors.T, jackknife, settings)
    estimates: dict[str, Callable[[], Estimate]] = {
        CPCC: pairs.pearson,
        SPEARMAN: lambda: pairs.ranked(lambda a, b: float(spearmanr(a, b).statistic)),
        KENDALL: lambda: pairs.ranked(lambda a, b: float(kendalltau(a, b).statistic)),
    }
    return [Measurement(name, RANKS[-1], with_note(estimates[name](), NO_TREE)) for name in wanted]


def _reason_undefined(taxa: Rows, distance: np.ndarray) -> str:
    """Return why correlations do not exist; empty if they do."""
    if taxa.counts["n_taxa"] < 3:
        return f"needs at least 3 taxa, found {taxa.counts['n_taxa']}"
    if lost := int(np.isnan(taxa.vectors).any(axis=1).sum()):
        return f"the images of {lost} taxa cancel out: their centroid has no direction"
    embedded = upper_triangle(1 - taxa.vectors @ taxa.vectors.T)
    if np.ptp(upper_triangle(distance)) == 0 or np.ptp(embedded) < 1e-12:
        return "tree distance or embedding distance does not vary"
    return ""


class _Pairs:
    """Pairs of some taxa, with their tree distance and embedding distance."""

    def __init__(
        self, taxa: Rows, distance: np.ndarray, embedded: np.ndarray, jackknife: Jackknife, settings: MeasureSettings
    ) -> None:
        self.taxa, self.distance, self.embedded, self.settings = taxa, distance, embedded, settings
        self.unit, self.group = jackknife.units_of_tips(taxa), jackknife.of_tips(taxa)
        self.jackknife = jackknife.take(taxa.groups >= 0)

    def pearson(self) -> Estimate:
        """Return the Pearson correlation with the p-value of the Mantel test, and its interval."""
        settings, rng = self.settings, random_stream(self.settings.seed, CPCC, RANKS[-1])
        value = float(np.corrcoef(upper_triangle(self.distance), upper_triangle(self.embedded))[0, 1])
        permuted = permuted_matrix_correlations(self.distance, self.embedded, settings.n_primary_permutations, rng)
        own, group = self.jackknife, np.zeros(self.jackknife.n_units, dtype=np.int64)
        group[self.unit] = self.group
        left = (group != np.arange(own.n_groups)[:, None]).astype(np.float64)
        weights = np.concatenate([left, bootstrap_weights(own.n_units, settings.n_bootstrap, rng)])
        found = weighted_matrix_correlations(self.distance, self.embedded, weights, self.unit)
        estimate = Estimate(
            value, chance=0.0, null="species", p_value=permutation_p(value, permuted), **self.taxa.counts
        )
        deleted, drawn = np.split(found, [len(left)])
        return with_bootstrap_interval(estimate, deleted, drawn, own, settings)

    def ranked(self, statistic: Callable[[np.ndarray, np.ndarray], float]) -> Estimate:
        """Return a rank correlation with the interval of the delete-group jackknife."""

        def of(kept: np.ndarray) -> float:
            block = np.ix_(kept, kept)
            first, second = upper_triangle(self.distance[block]), upper_triangle(self.embedded[block])
            varies = len(kept) > 2 and np.ptp(first) > 0 and np.ptp(second) > 0
            return statistic(first, second) if varies else np.nan

        k, own = len(self.group), self.jackknife
        estimate = Estimate(of(np.arange(k)), chance=0.0, null="species", **self.taxa.counts)
        if k * (k - 1) / 2 * own.n_groups > MOST_RANKED:
            return with_note(replace(estimate, resampled=own.rank), f"no interval: {k:,} taxa have too many pairs")
        deleted = np.array([of(np.flatnonzero(self.group != group)) for group in range(own.n_groups)])
        return with_interval(estimate, deleted, own, self.settings, BOUNDS)
