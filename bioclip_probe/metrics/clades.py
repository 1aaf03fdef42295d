"""The tree correlation inside each clade: that of the species of each order, each family, and its spread.

The deepest splits decide the correlation over all species. Inside a clade, kingdoms and phyla no longer help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement, measurements_by_rank
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

#: Ranks of the clades; in a genus all species are equally far apart.
ANCESTORS = RANKS[: RANKS.index("genus")]
NAMES = ("within_clade_correlation", "within_clade_correlation_sd")
BOUNDS = (-1.0, 1.0)


def within_clade_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return CPCC of the species inside each clade, and its mean and spread over the clades of each rank.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`, in a taxonomy.
    settings : MeasureSettings, optional
        `min_clade_species` and `level` are used.

    Returns
    -------
    list of Measurement
        ``clade_correlation``: one for each clade from ``kingdom`` to ``family`` with at least five species that are not
        all equally far apart; in [-1, 1], higher is better, 0 without any signal inside the clade (null: whole species
        permuted over the tips). A single clade of few species tells little, and has no interval below ten units.
        ``within_clade_correlation``: the mean over the clades of a rank, each at the same weight, in [-1, 1]; higher is
        better, 0 without signal (null: species).
        ``within_clade_correlation_sd``: their standard deviation (n - 1), in [0, √2]; there is no chance level. It
        holds the scatter of few species as well as true differences of clades, so that it is above 0 where clades do
        not differ, and it has no interval.
        The intervals recompute the numbers without each group of units; they are about other species of the same
        clades. The counts `n_images` and `n_taxa` are those of the clades that enter, `n_excluded` counts the images of
        the others; the note gives the number of either.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    The sums of pairs at each node give all clades together, O(species·d² + nodes·d).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> within_clade_correlation(vectors, placement)  # no rank above genus is known
    []
    """
    shared = SharedResults.of(embeddings, placement, settings)
    taxa, jackknife = shared.taxa("species"), shared.jackknife()
    sums = shared.species_node_sums if taxa.counts["n_taxa"] else []
    clades = clade_correlations(taxa, sums, jackknife, shared.settings)
    rows = [
        Measurement("clade_correlation", rank, estimate, taxon=path)
        for rank, by_path in clades.items()
        for path, estimate in by_path.items()
        if np.isfinite(estimate.value)
    ]
    return rows + measurements_by_rank(clade_summaries(clades, jackknife, shared.settings))


def clade_correlations(
    taxa: Rows, sums: Sequence[NodeSums], jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, dict[str, Estimate]]:
    """Return the correlation of tree distance and centroid distance over the pairs of species inside each clade.

    Parameters
    ----------
    taxa : Rows
        Centroids of the species of a taxonomy.
    sums : sequence of NodeSums
        See `Rows.node_sums`: of all species, then without each group. They are not looked at without species.
    jackknife : Jackknife
        Groups of the same images.
    settings : MeasureSettings
        `min_clade_species` and `level` are used.

    Returns
    -------
    dict from rank to dict from path of the clade to Estimate
        All clades of the ranks from ``kingdom`` to ``family`` that occur. Undefined with fewer than
        `min_clade_species` species, or where all of them are equally far apart.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> jackknife = Jackknife.of("species", taxa.groups, np.random.default_rng(0))
    >>> sums = taxa.node_sums(jackknife.of_tips(taxa), jackknife.n_groups)
    >>> clade_correlations(taxa, sums, jackknife, MeasureSettings())
    {}
    """
    if not taxa.counts["n_taxa"]:
        return {}
    tree, lost = taxa.tree, np.isnan(taxa.vectors).any(axis=1)
    values = np.array([np.atleast_1d(pearson(*each.by_clade.T)) for each in sums])
    unit = jackknife.units_of_tips(taxa)
    first = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
    images = np.concatenate([[0], np.cumsum(np.bincount(taxa.groups[taxa.groups >= 0], minlength=len(tree.tips)))])
    cancelled = np.concatenate([[0], np.cumsum(lost)])
    clades: dict[str, dict[str, Estimate]] = {}
    for node in np.flatnonzero((tree.rank >= 0) & (tree.rank < len(ANCESTORS))):
        low, high = first[node], first[tree.stop[node]]
        counts: dict[str, Any] = {"n_images": int(images[high] - images[low]), "n_taxa": int(high - low)}
        if n_lost := cancelled[high] - cancelled[low]:
            reason = f"the images of {n_lost} taxa cancel out: their centroid has no direction"
        else:
            reason = _reason_undefined(high - low, values[0, node], settings.min_clade_species)
        if reason:
            estimate = Estimate.undefined(reason, **counts)
        else:
            estimate = Estimate(float(values[0, node]), chance=0.0, null="species", **counts)
            own = replace(jackknife, n_units=len(np.unique(unit[low:high])))
            estimate = with_interval(estimate, values[1:, node], own, settings, BOUNDS)
        clades.setdefault(RANKS[tree.rank[node]], {})[tree.path(int(node))] = estimate
    return clades


def clade_summaries(
    clades: Mapping[str, Mapping[str, Estimate]], jackknife: Jackknife, settings: MeasureSettings
) -> dict[str, dict[str, Estimate]]:
    """Return mean and spread over the clades of each rank of the correlation inside each clade.

    Parameters
    ----------
    clades : mapping from rank to mapping from path to Estimate
        From `clade_correlations`, with their `replicates`.
    jackknife : Jackknife
        The groups that the clades were computed with.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared, none = SharedResults.of(*corvids()), np.full(3, np.nan)
    >>> clades = {"order": {"A": Estimate(0.25, replicates=none), "B": Estimate(0.75, replicates=none)}}
    >>> summaries = clade_summaries(clades, shared.jackknife(), shared.settings)
    >>> summaries["order"]["within_clade_correlation"].value
    0.5
    """
    return {rank: _summary(list(by_path.values()), jackknife, settings) for rank, by_path in clades.items()}


def _reason_undefined(n_species: int, value: float, n_needed: int) -> str:
    """Return why a clade has no correlation; empty if it has one."""
    if n_species < n_needed:
        return f"needs at least {n_needed} species, found {n_species}"
    return "tree distance or embedding distance does not vary" if np.isnan(value) else ""


def _summary(clades: list[Estimate], jackknife: Jackknife, settings: MeasureSettings) -> dict[str, Estimate]:
    """Return mean and spread of the clades of one rank."""
    entered = [clade for clade in clades if np.isfinite(clade.value)]
    n_images = sum(clade.n_images for clade in entered)
    blank = Estimate(
        np.nan,
        n_images=n_images,
        n_taxa=sum(clade.n_taxa for clade in entered),
        n_excluded=sum(clade.n_images for clade in clades) - n_images,
        note=f"ancestors: {len(entered)} entered, {len(clades) - len(entered)} could not",
    )
    if not entered:
        return dict.fromkeys(NAMES, blank)
    values = np.array([clade.value for clade in entered])
    own = replace(jackknife, n_units=min(sum(clade.n_units for clade in entered), jackknife.n_units))
    mean = replace(blank, value=float(values.mean()), chance=0.0, null="species")
    spread = blank
    if len(values) > 1:
        spread = replace(blank, value=float(values.std(ddof=1)))
        spread = with_note(spread, "no interval: it holds the scatter of few species")
    return dict(zip(NAMES, (with_interval(mean, _means(entered), own, settings, BOUNDS), spread), strict=True))


def _means(clades: Sequence[Estimate]) -> np.ndarray:
    """Return the mean over clades without each group, of the clades that have a correlation without it."""
    replicates = np.array([clade.replicates for clade in clades], dtype=np.float64)
    n_defined = np.isfinite(replicates).sum(axis=0)
    return np.divide(np.nansum(replicates, axis=0), n_defined, out=np.full(len(n_defined), np.nan), where=n_defined > 0)
