"""Alignment inside each clade: the tree correlation of the species of each order, each family, and its spread.

The correlation over all species is decided by the deepest splits. Whether an embedding also follows the tree where
kingdoms and phyla no longer help is asked here, one ancestor after the other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

#: Of three species all three pairs share a member: their correlation is noise. Five have ten pairs.
FEWEST_SPECIES = 5
#: In a genus all species are equally far apart.
ANCESTORS = RANKS[: RANKS.index("genus")]
NAMES = ("within_clade_correlation", "within_clade_correlation_sd")
#: Of a mean of correlations, and of the standard deviation of n values, at most sqrt(n/(n - 1)).
BOUNDS = ((-1.0, 1.0), (0.0, float(np.sqrt(2))))


def clade_correlations(vectors: np.ndarray, placement: Placement) -> dict[str, dict[str, Estimate]]:
    """Correlation of tree distance and centroid distance over the pairs of species inside each ancestor.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The images in a taxonomy; species are compared.

    Returns
    -------
    dict from rank to dict from path of the ancestor to Estimate
        Ranks from ``kingdom`` to ``family`` that occur, every ancestor of the rank. In [-1, 1], higher is better, 0
        without any signal inside the clade. Undefined with fewer than 5 species (10 pairs), or where all of them are
        equally far apart. A single clade of few species says little; see `within_clade_correlation` for all of a rank.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    All clades together from the sums of pairs at each node, O(species·d² + nodes·d).
    """
    taxa = Rows.taxa(vectors, placement.coarsen("species"))
    tree, lost = taxa.tree, np.isnan(taxa.vectors).any(axis=1)
    sums = NodeSums.of(taxa.vectors, np.where(lost, -1, taxa.tips), tree)
    values = np.atleast_1d(pearson(*sums.by_clade.T))
    first = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
    images = np.concatenate([[0], np.cumsum(np.bincount(taxa.groups[taxa.groups >= 0], minlength=len(tree.tips)))])
    cancelled = np.concatenate([[0], np.cumsum(lost)])
    found: dict[str, dict[str, Estimate]] = {}
    for node in np.flatnonzero((tree.rank >= 0) & (tree.rank < len(ANCESTORS))) if taxa.counts["n_taxa"] else ():
        low, high = first[node], first[tree.stop[node]]
        counts = {"n_images": int(images[high] - images[low]), "n_taxa": int(high - low)}
        if cancelled[high] > cancelled[low]:
            reason = (
                f"the images of {cancelled[high] - cancelled[low]} taxa cancel out: their centroid has no direction"
            )
        else:
            reason = _undefined(high - low, values[node])
        estimate = Estimate.undefined(reason, **counts) if reason else Estimate(float(values[node]), 0.0, **counts)
        found.setdefault(RANKS[tree.rank[node]], {})[tree.path(node)] = estimate
    return found


def within_clade_correlation(
    clades: Mapping[str, Mapping[str, Estimate]], rng: np.random.Generator
) -> dict[str, dict[str, Estimate]]:
    """Mean and spread over the ancestors of each rank of the correlation inside each.

    Parameters
    ----------
    clades : mapping from rank to mapping from path to Estimate
        What `clade_correlations` found.
    rng : numpy.random.Generator
        For the groups of the jackknife.

    Returns
    -------
    dict from rank to dict from metric to Estimate
        ``within_clade_correlation``, the mean over ancestors, each at one weight, in [-1, 1]; higher is better, 0
        without signal. ``within_clade_correlation_sd``, their standard deviation (n - 1), in [0, √2]: scatter of few
        species as well as true differences of clades. Intervals leave out ancestors, not species. `n_images` and
        `n_taxa` count those of the ancestors that enter, `n_excluded` the images of the others; the note says how
        many ancestors there are of either.
    """
    return {rank: _summary(rank, list(of_rank.values()), rng) for rank, of_rank in clades.items()}


def _undefined(n_species: int, value: float) -> str:
    if n_species < FEWEST_SPECIES:
        return f"needs at least {FEWEST_SPECIES} species, found {n_species}"
    return "tree distance or embedding distance does not vary" if np.isnan(value) else ""


def _summary(rank: str, clades: list[Estimate], rng: np.random.Generator) -> dict[str, Estimate]:
    entered = [clade for clade in clades if np.isfinite(clade.value)]
    n_images = sum(clade.n_images for clade in entered)
    counts = {
        "n_images": n_images,
        "n_taxa": sum(clade.n_taxa for clade in entered),
        "n_excluded": sum(clade.n_images for clade in clades) - n_images,
        "note": f"ancestors: {len(entered)} entered, {len(clades) - len(entered)} could not",
    }
    values = np.array([clade.value for clade in entered])
    found = {}
    for name, bounds, fewest in zip(NAMES, BOUNDS, (1, 2), strict=True):
        if len(values) < fewest:
            found[name] = Estimate.undefined(**counts)
            continue
        statistic = _sd if name.endswith("_sd") else _mean
        ends = jackknife(lambda rows, statistic=statistic: statistic(values[rows]), np.arange(len(values)), rng, bounds)
        chance = 0.0 if statistic is _mean else np.nan
        found[name] = Estimate(statistic(values), chance, **interval(*ends, JACKKNIFE, rank), **counts)
    return found


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def _sd(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
