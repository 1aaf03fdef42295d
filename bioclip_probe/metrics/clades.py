"""The tree correlation inside each clade: that of the species of each order, each family, and its spread.

The deepest splits decide the correlation over all species. Inside a clade, kingdoms and phyla no longer help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, measurements_by_rank, random_stream
from bioclip_probe.metrics.scores import interval, jackknife_method
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

#: Ranks of the clades; in a genus all species are equally far apart.
ANCESTORS = RANKS[: RANKS.index("genus")]
NAMES = ("within_clade_correlation", "within_clade_correlation_sd")
#: Bounds of a mean of correlations, and of the standard deviation of n correlations, at most sqrt(n/(n - 1)).
BOUNDS = ((-1.0, 1.0), (0.0, float(np.sqrt(2))))


def within_clade_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return CPCC of the species inside each clade, and its mean and spread over the clades of each rank.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`, in a taxonomy.
    settings : MeasureSettings, optional
        `min_clade_species`, `n_groups` and `level` are used.

    Returns
    -------
    list of Measurement
        ``clade_correlation``: one for each clade from ``kingdom`` to ``family`` with at least five species that are not
        all equally far apart; in [-1, 1], higher is better, 0 without any signal inside the clade. A single clade of
        few species tells little.
        ``within_clade_correlation``: the mean over the clades of a rank, each at the same weight, in [-1, 1]; higher is
        better, 0 without signal.
        ``within_clade_correlation_sd``: their standard deviation (n - 1), in [0, √2]. It holds the scatter of few
        species as well as true differences of clades.
        Intervals leave out clades, not species. The counts `n_images` and `n_taxa` are those of the clades that enter,
        `n_excluded` counts the images of the others; the note gives the number of either.

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
    clades = clade_correlations(shared.taxa("species"), shared.settings)
    rows = [
        Measurement("clade_correlation", rank, estimate, taxon=path)
        for rank, by_path in clades.items()
        for path, estimate in by_path.items()
        if np.isfinite(estimate.value)
    ]
    rng = random_stream(shared.settings.seed, "within_clade_correlation")
    return rows + measurements_by_rank(clade_summaries(clades, rng, shared.settings))


def clade_correlations(taxa: Rows, settings: MeasureSettings) -> dict[str, dict[str, Estimate]]:
    """Return the correlation of tree distance and centroid distance over the pairs of species inside each clade.

    Parameters
    ----------
    taxa : Rows
        Centroids of the species of a taxonomy.
    settings : MeasureSettings
        `min_clade_species` is used.

    Returns
    -------
    dict from rank to dict from path of the clade to Estimate
        All clades of the ranks from ``kingdom`` to ``family`` that occur. Undefined with fewer than
        `min_clade_species` species, or where all of them are equally far apart.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> clade_correlations(Rows.taxa(*corvids()), MeasureSettings())
    {}
    """
    tree, lost = taxa.tree, np.isnan(taxa.vectors).any(axis=1)
    sums = NodeSums.of(taxa.vectors, np.where(lost, -1, taxa.tips), tree)
    values = np.atleast_1d(pearson(*sums.by_clade.T))
    first = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
    images = np.concatenate([[0], np.cumsum(np.bincount(taxa.groups[taxa.groups >= 0], minlength=len(tree.tips)))])
    cancelled = np.concatenate([[0], np.cumsum(lost)])
    clades: dict[str, dict[str, Estimate]] = {}
    for node in np.flatnonzero((tree.rank >= 0) & (tree.rank < len(ANCESTORS))) if taxa.counts["n_taxa"] else ():
        low, high = first[node], first[tree.stop[node]]
        counts: dict[str, Any] = {"n_images": int(images[high] - images[low]), "n_taxa": int(high - low)}
        n_lost = cancelled[high] - cancelled[low]
        if n_lost:
            reason = f"the images of {n_lost} taxa cancel out: their centroid has no direction"
        else:
            reason = _reason_undefined(high - low, values[node], settings.min_clade_species)
        estimate = Estimate.undefined(reason, **counts) if reason else Estimate(float(values[node]), 0.0, **counts)
        clades.setdefault(RANKS[tree.rank[node]], {})[tree.path(int(node))] = estimate
    return clades


def clade_summaries(
    clades: Mapping[str, Mapping[str, Estimate]], rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, dict[str, Estimate]]:
    """Return mean and spread over the clades of each rank of the correlation inside each clade.

    Parameters
    ----------
    clades : mapping from rank to mapping from path to Estimate
        From `clade_correlations`.
    rng : numpy.random.Generator
        It draws the groups of the jackknife.
    settings : MeasureSettings
        `n_groups` and `level` are used.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Examples
    --------
    >>> clades = {"order": {"A": Estimate(0.25), "B": Estimate(0.75)}}
    >>> clade_summaries(clades, np.random.default_rng(0), MeasureSettings())["order"]["within_clade_correlation"].value
    0.5
    """
    return {rank: _summary(rank, list(by_path.values()), rng, settings) for rank, by_path in clades.items()}


def _reason_undefined(n_species: int, value: float, n_needed: int) -> str:
    """Return why a clade has no correlation; empty if it has one."""
    if n_species < n_needed:
        return f"needs at least {n_needed} species, found {n_species}"
    return "tree distance or embedding distance does not vary" if np.isnan(value) else ""


def _summary(
    rank: str, clades: list[Estimate], rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return mean and spread of the clades of one rank."""
    entered = [clade for clade in clades if np.isfinite(clade.value)]
    n_images = sum(clade.n_images for clade in entered)
    counts: dict[str, Any] = {
        "n_images": n_images,
        "n_taxa": sum(clade.n_taxa for clade in entered),
        "n_excluded": sum(clade.n_images for clade in clades) - n_images,
        "note": f"ancestors: {len(entered)} entered, {len(clades) - len(entered)} could not",
    }
    values = np.array([clade.value for clade in entered])

    def estimate(statistic: Callable[[np.ndarray], float], chance: float, bounds: tuple[float, float]) -> Estimate:
        def of_rows(rows: np.ndarray) -> float:
            return statistic(values[rows])

        value = of_rows(np.arange(len(values)))
        if np.isnan(value):
            return Estimate.undefined(**counts)
        ends = jackknife(of_rows, np.arange(len(values)), rng, bounds, settings.n_groups, settings.level)
        return Estimate(value, chance, **interval(*ends, jackknife_method(settings), rank), **counts)

    return dict(zip(NAMES, (estimate(_mean, 0.0, BOUNDS[0]), estimate(_sd, np.nan, BOUNDS[1])), strict=True))


def _mean(values: np.ndarray) -> float:
    """Return the mean; NaN without a value."""
    return float(np.mean(values)) if len(values) else np.nan


def _sd(values: np.ndarray) -> float:
    """Return the standard deviation (n - 1); NaN with fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
