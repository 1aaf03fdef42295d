"""Tree distance against embedding distance: correlations over all pairs of taxa, and of images.

Tree distance in a taxonomy is the number of ranks below the lowest common ancestor, on a phylogeny the patristic
distance; embedding distance is cosine distance, 1 - u·v. All pairs are used, none is sampled.

Each metric (``cophenetic_correlation`` …) returns a `Measurement` for every rank; the estimator behind it
(``estimate_cophenetic_correlation`` …) returns the `Estimate` of one set of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.reweighting import weighted_correlations
from bioclip_probe.stats.all_pairs.species_null import SpeciesNull
from bioclip_probe.stats.all_pairs.tree_sums import permuted_correlations
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import bootstrap_weights, expanded_interval, permutation_p
from bioclip_probe.stats.rows import Rows, rank_of_tips
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

BOUNDS = (-1.0, 1.0)
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
        Permutations, replicates, the resampled unit, the seed. At species, which is a primary endpoint,
        `n_primary_permutations` are drawn.

    Returns
    -------
    list of Measurement
        One for each rank, in [-1, 1], higher is better. Chance is the mean with whole species permuted over the tips
        (null: species): 0 at species, and near 0 at a higher rank, where taxa of many species lie near the common mean
        without any regard to the tree. The interval is a percentile bootstrap of units: taxa of the rank, or of
        the rank of `settings.resample` where that is higher. Undefined with fewer than three taxa, or where all pairs
        are equally far apart on the tree (kingdoms, a star tree).

        `p_value` is the Mantel test, one-sided, (b + 1)/(m + 1). **A small p is not knowledge of the tree.** It says
        that relatives are more alike than species at random, which one heritable trait is enough for: vectors that know
        nothing but a habitat that evolved along the tree had p < 0.05 in 61.5 % of draws. What tells them apart are
        the tree signal (`pagel_lambda`), the number of directions (`effective_dimension`) and the tests inside clades
        (`cophenetic_correlation_within`).

        The value grows with the number of independent directions and shrinks with the scatter of images, so that
        models of different width or noise do not compare by CPCC alone.

    Raises
    ------
    DataError
        If the vectors are not finite unit vectors, one for each image.

    Notes
    -----
    The calibration study (tests/calibration) compared intervals: the bootstrap with Hesterberg's expansion covers best,
    with the degrees of freedom that the jackknife of Fisher's z has. The note warns where it covers less than it says.
    `replicates` are the values without each group of units.

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33; Zeng et al. 2023, ICLR, eq. 1 (there with Euclidean centroid distance; for
    directions its square is twice ours); Mantel 1967, Cancer Research 27, 209; Hesterberg 2015, Am. Stat. 69, 371.

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
    primary = replace(shared.settings, n_permutations=shared.settings.n_primary_permutations)
    for rank in shared.ranks:
        of_rank = primary if rank == RANKS[-1] else shared.settings
        rng, taxa = shared.stream(name, rank), shared.taxa(rank)
        null = None if rank == RANKS[-1] or taxa.reason_undefined() else _species_null(shared, rank)
        estimate = estimate_cophenetic_correlation(taxa, shared.jackknife(rank), rng, of_rank, null)
        rows.append(Measurement(name, rank, estimate))
    return rows


def estimate_cophenetic_correlation(
    taxa: Rows,
    jackknife: Jackknife,
    rng: np.random.Generator,
    settings: MeasureSettings,
    null: SpeciesNull | None = None,
) -> Estimate:
    """Return `cophenetic_correlation` of the taxa at the tips of one tree.

    Parameters
    ----------
    taxa : Rows
        Centroids, see `Rows.taxa`.
    jackknife : Jackknife
        Groups of the same images. Its units are what the interval resamples.
    rng : numpy.random.Generator
        It draws the permutations, and then the bootstrap.
    settings : MeasureSettings
        `n_permutations`, `n_null_permutations`, `n_bootstrap` and `level` are used.
    null : SpeciesNull, optional
        The species that are permuted, where the taxa hold several of them; by default the taxa are permuted, and chance
        is 0 exactly.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa, rng = Rows.taxa(*corvids()), np.random.default_rng(0)
    >>> jackknife = Jackknife.of("species", taxa.groups, rng)
    >>> round(estimate_cophenetic_correlation(taxa, jackknife, rng, MeasureSettings()).value, 2)
    0.69
    """
    if reason := taxa.reason_undefined():
        return Estimate.undefined(reason, **taxa.counts)
    value = taxa.sums.correlation()
    chance, p = _chance_and_p(taxa, null, rng, settings)
    unit, own = jackknife.units_of_tips(taxa), jackknife.take(taxa.groups >= 0)
    group = np.zeros(own.n_units, dtype=np.int64)
    group[unit] = jackknife.of_tips(taxa)
    left = (group != np.arange(jackknife.n_groups)[:, None]).astype(np.float64)
    weights = np.concatenate([left, bootstrap_weights(own.n_units, settings.n_bootstrap, rng)])
    units = None if own.n_units == len(unit) else unit
    deleted, drawn = np.split(weighted_correlations(taxa.vectors, taxa.tree, weights, units), [len(left)])
    estimate = Estimate(value, chance=chance, null="species", p_value=p, **taxa.counts)
    return with_bootstrap_interval(estimate, deleted, drawn, own, settings)


def with_bootstrap_interval(
    estimate: Estimate, deleted: np.ndarray, drawn: np.ndarray, jackknife: Jackknife, settings: MeasureSettings
) -> Estimate:
    """Return a correlation with the percentile interval of the bootstrap, expanded for few units.

    Parameters
    ----------
    estimate : Estimate
    deleted : ndarray, shape (G,)
        The number without each group of `jackknife`.
    drawn : ndarray, shape (B,)
        The number in each bootstrap replicate.
    jackknife : Jackknife
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.

    Returns
    -------
    Estimate
        As from `with_interval`, whose rules say where there is no interval.

    Examples
    --------
    >>> jackknife = Jackknife.of("species", np.arange(12), np.random.default_rng(0))
    >>> near = np.linspace(0.45, 0.55, jackknife.n_groups)
    >>> with_bootstrap_interval(Estimate(0.5), near, near, jackknife, MeasureSettings()).n_units
    12
    """
    estimate = with_interval(estimate, deleted, jackknife, settings, BOUNDS)
    if np.isnan(estimate.ci_low):
        return estimate
    fisher_z = np.arctanh(np.clip(deleted, SAME - 1, 1 - SAME))
    low, high = expanded_interval(drawn, fisher_z, jackknife.n_units, settings.level)
    if np.isnan(low):
        estimate = replace(estimate, ci_low=low, ci_high=high, ci_method="")
        return with_note(estimate, "no interval: half of the bootstrap replicates do not exist")
    method = f"percentile bootstrap, {settings.n_bootstrap} replicates, expanded by effective degrees of freedom"
    return replace(estimate, ci_low=low, ci_high=high, ci_method=method)


def _chance_and_p(
    taxa: Rows, null: SpeciesNull | None, rng: np.random.Generator, settings: MeasureSettings
) -> tuple[float, float]:
    """Return the chance level and the p-value of the correlation, with species permuted."""
    sums, value = taxa.sums, taxa.sums.correlation()
    if null is None:
        permuted = permuted_correlations(sums, settings.n_permutations, rng, device=settings.device)
        return 0.0, permutation_p(value, permuted)
    chance = float(null.correlations(settings.n_null_permutations, rng).mean())
    (t,), (tt,) = sums.distance_sums(sums.identity_order)
    c, cc, n_pairs = sums.moments.distance_sum, sums.moments.distance_square_sum, sums.moments.n_pairs
    scale = np.sqrt((tt - t**2 / n_pairs) * (cc - c**2 / n_pairs))  # then covariances have the scale of the value
    return chance, permutation_p(value, null.covariances(settings.n_permutations, rng) / scale)


def _species_null(shared: SharedResults, rank: str) -> SpeciesNull:
    """Return the species whose images make up the taxa of a rank."""
    taxa, node = shared.taxa(rank), shared.placement.node
    named = np.flatnonzero(taxa.groups >= 0)
    _, first, species = np.unique(node[named], return_index=True, return_inverse=True)
    pick = csr_array((np.ones(len(named)), (species, np.arange(len(named)))))
    sums = pick @ shared.vectors[named].astype(np.float64)
    return SpeciesNull(taxa.tree, sums, taxa.groups[named[first]], shared.settings.device)


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
        values: how high CPCC is if nothing is known within the taxa of that rank (null: ``within RANK``). `p_value` is
        one-sided: small where relatives inside the taxa of the rank are alike too, which separation above the rank
        cannot bring about. A species without a name at the rank stays where it is. The interval is that of
        `cophenetic_correlation`, and is not repeated. Undefined where no two species can be exchanged.

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
        null = permuted_correlations(taxa.sums, settings.n_permutations, rng, within, settings.device)
        estimates[rank] = Estimate(
            value,
            chance=float(null.mean()),
            null=f"within {rank}",
            resampled=rank_of_tips(taxa.tree),
            p_value=permutation_p(value, null),
            **taxa.counts,
        )
    return estimates


def _exchangeable(within: np.ndarray) -> bool:
    """Return True if two taxa share a label, so that a permutation within labels can change something."""
    return bool(np.any(np.unique(within[within >= 0], return_counts=True)[1] > 1))
