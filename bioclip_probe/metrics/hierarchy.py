"""Tree distance against embedding distance: correlations over all pairs of taxa, and of images.

Tree distance in a taxonomy is the number of ranks below the lowest common ancestor, on a phylogeny the patristic
distance; embedding distance is cosine distance, 1 - u·v. All pairs are used, none is sampled.

Each metric (``cophenetic_correlation`` …) returns a `Measurement` for every rank; the estimator behind it
(``estimate_cophenetic_correlation`` …) returns the `Estimate` of one set of rows. The interval of a correlation between
taxa is a bootstrap. That of the metrics over images, of differences and of balanced ranks is a delete-group jackknife,
which the sums of the linear pass give without a second pass over the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.scores import interval
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.reweighting import weighted_correlations
from bioclip_probe.stats.all_pairs.tree_sums import permuted_correlations
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import (
    bootstrap_weights,
    expanded_interval,
    jackknife_groups,
    permutation_p,
)
from bioclip_probe.stats.rows import ResamplingUnits, Rows, rank_of_tips
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, Tree

#: With fewer resampled units the interval may be too narrow, as the calibration study found.
FEWEST_UNITS = 100
SAME = 1e-12  # a difference of correlations below this is rounding


def cophenetic_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return CPCC: the Pearson correlation of tree distance and centroid distance over all pairs of taxa.

    Parameters
    ----------
    embeddings : ndarray, shape (n, d), or SharedResults
        Unit vectors, one per image.
    placement : Placement
        The n images in a taxonomy, which is measured at every rank, or on a phylogeny. A centroid is the mean of a
        taxon's unit vectors, put back on the sphere.
    settings : MeasureSettings, optional
        Permutations, replicates, the resampled unit, the seed.

    Returns
    -------
    list of Measurement
        In [-1, 1], higher is better; 0 without any signal (null: species permuted over the tips). The interval
        resamples taxa; `p_value` is the Mantel test, one-sided, (b + 1)/(m + 1). Undefined with fewer than three taxa,
        or where all pairs are equally far apart on the tree (kingdoms, a star tree). The note warns where the
        calibration study (tests/calibration) found that the interval covers less than it says: with few species on a
        dated tree, and with few resampled units.

    Raises
    ------
    DataError
        If the vectors are not finite unit vectors, one for each image.

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33; Zeng et al. 2023, ICLR, eq. 1 (there with Euclidean centroid distance; for
    directions its square is twice ours); Mantel 1967, Cancer Research 27, 209.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> *_, species = cophenetic_correlation(vectors, placement)
    >>> round(species.value, 2)
    0.69
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name, rows = "cophenetic_correlation", []
    for rank in shared.ranks:
        units = shared.units if rank == RANKS[-1] else None
        rng = shared.stream(name, rank)
        estimate = estimate_cophenetic_correlation(shared.taxa(rank), rng, shared.settings, units)
        rows.append(Measurement(name, rank, estimate))
    return rows


def estimate_cophenetic_correlation(
    taxa: Rows, rng: np.random.Generator, settings: MeasureSettings, units: ResamplingUnits | None = None
) -> Estimate:
    """Return `cophenetic_correlation` of the taxa at the tips of one tree.

    Parameters
    ----------
    taxa : Rows
        Centroids, see `Rows.taxa`.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_permutations`, `n_bootstrap`, `n_groups` and `level` are used.
    units : ResamplingUnits, optional
        What the interval resamples; by default the taxa themselves.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> round(estimate_cophenetic_correlation(taxa, np.random.default_rng(0), MeasureSettings()).value, 2)
    0.69
    """
    if reason := taxa.reason_undefined():
        return Estimate.undefined(reason, **taxa.counts)
    value = taxa.sums.correlation()
    null = permuted_correlations(taxa.sums, settings.n_permutations, rng)
    name, unit = taxa.resampling_units(units)
    n_units = int(unit.max()) + 1
    group = jackknife_groups(n_units, rng, settings.n_groups)
    left = (group != np.arange(group.max() + 1)[:, None]).astype(np.float64)
    weights = np.concatenate([left, bootstrap_weights(n_units, settings.n_bootstrap, rng)])
    replicates = weighted_correlations(taxa.vectors, taxa.tree, weights, None if units is None else unit)
    deleted = np.arctanh(np.clip(replicates[: len(left)], SAME - 1, 1 - SAME))
    method = f"percentile bootstrap, {settings.n_bootstrap} replicates, expanded by effective degrees of freedom"
    ends = expanded_interval(replicates[len(left) :], deleted, n_units, settings.level)
    fields = interval(*ends, method, name)
    return Estimate(
        value,
        chance=0.0,
        **{"resampled": name, **fields},
        p_value=permutation_p(value, null),
        **taxa.counts,
        note=_caution(n_units, name, taxa.tree, units) if fields else "",
    )


def _caution(n_units: int, name: str, tree: Tree, units: ResamplingUnits | None) -> str:
    """Return a warning where the calibration study found that the interval covers less than it says."""
    if n_units >= FEWEST_UNITS or (tree.unit == "rank" and units is None):
        return ""
    return f"with {n_units} units ({name}), fewer than {FEWEST_UNITS}, the interval may be too narrow"


def cophenetic_correlation_within(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return CPCC beside a null that permutes species within the taxa of a rank only (stratified Mantel test).

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One for each rank above species. The value is CPCC of species itself. Chance is the mean of the permuted
        values: how high CPCC is if nothing is known within the taxa of that rank (null: within the rank). `p_value` is
        one-sided. A species without a name at the rank stays where it is. Undefined where no two species can be
        exchanged.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Mantel 1967, Cancer Research 27, 209.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.rank for row in cophenetic_correlation_within(vectors, placement)][-1]
    'genus'
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name = "cophenetic_correlation_within"
    taxa = shared.taxa("species")
    rng = random_stream(shared.settings.seed, name)
    labels = {rank: taxa.per_tip(shared.placement.at(rank)) for rank in RANKS[:-1]}
    estimates = estimate_within(taxa, labels, rng, shared.settings)
    return [Measurement(name, rank, estimate) for rank, estimate in estimates.items()]


def estimate_within(
    taxa: Rows, labels: Mapping[str, np.ndarray], rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return `cophenetic_correlation_within` for some ranks.

    Parameters
    ----------
    taxa : Rows
        Centroids of the species.
    labels : mapping from rank to ndarray, shape (taxa,), int64
        The taxon of that rank of each species; -1 for none.
    rng : numpy.random.Generator
        Serves one rank after the other.
    settings : MeasureSettings
        `n_permutations` is used.

    Returns
    -------
    dict from rank to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> within = estimate_within(taxa, {"genus": np.array([0, 1, 1])}, np.random.default_rng(0), MeasureSettings())
    >>> within["genus"].p_value
    1.0
    """
    reason = taxa.reason_undefined()
    estimates = {}
    for rank, within in labels.items():
        note = reason or ("" if _exchangeable(within) else f"no two taxa share a {rank}: none can be exchanged")
        if note:
            estimates[rank] = Estimate.undefined(note, **taxa.counts)
            continue
        value = taxa.sums.correlation()
        null = permuted_correlations(taxa.sums, settings.n_permutations, rng, within)
        estimates[rank] = Estimate(
            value,
            chance=float(null.mean()),
            resampled=rank_of_tips(taxa.tree),
            p_value=permutation_p(value, null),
            **taxa.counts,
        )
    return estimates


def _exchangeable(within: np.ndarray) -> bool:
    """Return True if two taxa share a label, so that a permutation within labels can change something."""
    return bool(np.any(np.unique(within[within >= 0], return_counts=True)[1] > 1))
