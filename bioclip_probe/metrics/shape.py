"""The shape of an embedding: how close its distances are to those of some tree, and distances along its surface."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.geodesics import geodesic_distances, straight_distances
from bioclip_probe.stats.hyperbolicity import SAME, relative_delta
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.threads import in_threads, n_threads
from bioclip_probe.tree.distances import patristic_distances
from bioclip_probe.tree.tree import Placement


def delta_hyperbolicity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the relative Gromov hyperbolicity of the centroids: how far they are from being the tips of any tree.

    Parameters
    ----------
    embeddings : ndarray, shape (n, d), or SharedResults
        Unit vectors, one per image.
    placement : Placement
        It tells which images are of one species; the tree itself is not used.
    settings : MeasureSettings, optional
        `n_hyperbolicity_species`, `n_hyperbolicity_draws` (100 and 40 by default) and `level` are used.

    Returns
    -------
    list of Measurement
        One, at species: the mean of 2δ/diameter over the draws of species, by Euclidean distance of centroids on the
        unit sphere; in [0, 1], lower is more like a tree, 0 is a tree. It does not say which tree: points without
        structure in many dimensions are all about equally far apart, which is a star tree and has a low value too. So
        there is no chance level, and the value has a meaning only beside the controls. Undefined with fewer species
        than one draw has, since δ grows with their number; if the images of a species cancel out; and where the
        centroids do not vary.

        The interval is value ± t·se with se² = s² (m/(k - m) + 1/B), s² the variance over the B draws of m of the k
        species: the delete-d jackknife. It is too wide rather than too narrow (Hoeffding 1948). There is none if a draw
        holds all species, and none where whole genera or families are resampled, since single species are drawn; the
        note says so.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    δ is exact, over all quadruples: O(m⁴) a draw. Khrulkov et al. fix one base point, which finds between half of it
    and all of it.

    References
    ----------
    Gromov 1987, Hyperbolic groups; Khrulkov et al. 2020, CVPR, 6418; Shao & Wu 1989, Ann. Stat. 17, 1176; Hoeffding
    1948, Ann. Math. Stat. 19, 293.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> delta_hyperbolicity(vectors, placement, MeasureSettings(n_hyperbolicity_species=3))[0].value
    0.0
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name = "delta_hyperbolicity"
    taxa, jackknife = shared.taxa("species"), shared.jackknife()
    estimate = estimate_delta_hyperbolicity(taxa, jackknife, shared.stream(name), shared.settings)
    return [Measurement(name, "species", estimate)]


def estimate_delta_hyperbolicity(
    taxa: Rows, jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> Estimate:
    """Return `delta_hyperbolicity` of some taxa.

    Parameters
    ----------
    taxa : Rows
        Centroids, see `Rows.taxa`.
    jackknife : Jackknife
        Of the images of the taxa; it tells the units.
    rng : numpy.random.Generator
        It draws the taxa.
    settings : MeasureSettings
        `n_hyperbolicity_species`, `n_hyperbolicity_draws` and `level` are used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> taxa, rng, settings = Rows.taxa(vectors, placement), np.random.default_rng(0), MeasureSettings()
    >>> jackknife = Jackknife.of("species", placement.node, rng)
    >>> estimate_delta_hyperbolicity(taxa, jackknife, rng, settings).note
    'needs at least 100 taxa, found 3'
    """
    k, m = taxa.counts["n_taxa"], settings.n_hyperbolicity_species
    if k < m:
        return Estimate.undefined(f"needs at least {m} taxa, found {k}", **taxa.counts)
    if reason := _reason_undefined(taxa):
        return Estimate.undefined(reason, **taxa.counts)
    n_draws = settings.n_hyperbolicity_draws if k > m else 1
    drawn = [taxa.vectors[rng.choice(k, m, replace=False)] for _ in range(n_draws)]
    draws = np.array(list(in_threads(relative_delta, drawn, n_threads(n_draws * m**4 / 24))))
    value = float(draws.mean())
    estimate = Estimate(value, **taxa.counts)
    if n_draws == 1:
        return with_note(estimate, f"no interval: one draw holds all {k} taxa")
    if jackknife.n_units < k:
        return with_note(estimate, f"no interval: the draws are of single taxa, not of units ({jackknife.rank})")
    # Scaled so that the formula of the jackknife over the draws gives the squared error s² (m/(k - m) + 1/B).
    scale = np.sqrt(n_draws * (m / (k - m) + 1 / n_draws)) / (n_draws - 1)
    estimate = with_interval(estimate, value + scale * (draws - value), jackknife, settings, (0.0, 1.0))
    return replace(estimate, ci_method=f"delete-d jackknife, {n_draws} subsamples of {m}" if estimate.ci_method else "")


def geodesic_tree_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the correlation of tree distance with distance along the embedding's own surface.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`; species are compared.
    settings : MeasureSettings, optional
        `n_geodesic_neighbors` and `n_geodesic_species` (10 and 1,000 by default), `resample`, `n_groups` and `level`
        are used.

    Returns
    -------
    list of Measurement
        One, at species: the Pearson correlation over all pairs of species of tree distance and the length of the
        shortest path between centroids in the graph of their nearest neighbours, see `geodesic_distances`; in [-1, 1],
        higher is better, 0 where species are permuted over the tips (null: species). Where it exceeds
        `cophenetic_correlation`, the embedding follows the tree along a bent surface. The interval leaves out one group
        of units after the other and computes neighbours and paths again. Of more than 1,000 species a random 1,000 are
        used, and the note says so. Undefined with fewer than three species, if the images of a species cancel out, and
        where tree distance or centroids do not vary.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(k² (d + log k)) time for k species, and O(k² log k) for each of 20 groups; O(k²) memory.

    References
    ----------
    Tenenbaum, de Silva & Langford 2000, Science 290, 2319.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> round(geodesic_tree_correlation(vectors, placement)[0].value, 2)
    0.76
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name = "geodesic_tree_correlation"
    taxa, jackknife = shared.taxa("species"), shared.jackknife()
    estimate = estimate_geodesic_correlation(taxa, jackknife, shared.stream(name), shared.settings)
    return [Measurement(name, "species", estimate)]


def estimate_geodesic_correlation(
    taxa: Rows, jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> Estimate:
    """Return `geodesic_tree_correlation` of the taxa at the tips of one tree.

    Parameters
    ----------
    taxa : Rows
        Centroids, see `Rows.taxa`.
    jackknife : Jackknife
        Of the images of the taxa.
    rng : numpy.random.Generator
        It draws the taxa where there are too many.
    settings : MeasureSettings
        `n_geodesic_neighbors`, `n_geodesic_species` and `level` are used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> taxa, rng = Rows.taxa(vectors, placement), np.random.default_rng(0)
    >>> jackknife = Jackknife.of("species", placement.node, rng)
    >>> round(estimate_geodesic_correlation(taxa, jackknife, rng, MeasureSettings()).value, 2)
    0.76
    """
    k, most = taxa.counts["n_taxa"], settings.n_geodesic_species
    if k < 3:
        return Estimate.undefined(f"needs at least 3 taxa, found {k}", **taxa.counts)
    if reason := _reason_undefined(taxa):
        return Estimate.undefined(reason, **taxa.counts)
    chosen = np.sort(rng.choice(k, most, replace=False)) if k > most else np.arange(k)
    counts, note = _counts(taxa, chosen), "" if len(chosen) == k else f"a random {most:,} of {k:,} taxa"

    straight = straight_distances(taxa.vectors[chosen])
    patristic = patristic_distances(taxa.tree.subset(taxa.tree.tips[chosen])[0])

    def correlation(kept: np.ndarray) -> float:
        pairs = np.ix_(kept, kept)
        return _correlation(patristic[pairs], straight[pairs], settings.n_geodesic_neighbors)

    value = correlation(np.arange(len(chosen)))
    if np.isnan(value):
        return Estimate.undefined("tree distance or geodesic distance does not vary", **counts)
    estimate = Estimate(value, chance=0.0, null="species", note=note, **counts)
    group = jackknife.of_tips(taxa)[chosen]
    deleted = np.array([correlation(np.flatnonzero(group != number)) for number in range(jackknife.n_groups)])
    of_chosen = jackknife.take(np.isin(taxa.groups, chosen))
    return with_interval(estimate, deleted, of_chosen, settings, (-1.0, 1.0))


def _correlation(patristic: np.ndarray, straight: np.ndarray, n_neighbors: int) -> float:
    """Return the correlation of tree and geodesic distance over all pairs of tips; NaN where it is undefined."""
    if len(straight) < 3:
        return np.nan
    upper = np.triu_indices(len(straight), 1)
    pair = [patristic[upper], geodesic_distances(straight, n_neighbors)[upper]]
    if any(np.ptp(distances) <= SAME * distances.max() for distances in pair):
        return np.nan
    return float(np.corrcoef(pair)[0, 1])


def _counts(taxa: Rows, chosen: np.ndarray) -> dict[str, Any]:
    """Return the counts of the taxa that were chosen."""
    n = int(np.isin(taxa.groups, chosen).sum())
    return {"n_images": n, "n_taxa": len(chosen), "n_excluded": len(taxa.groups) - n}


def _reason_undefined(taxa: Rows) -> str:
    """Return why the centroids have no shape; empty if they have one."""
    lost = int(np.isnan(taxa.vectors).any(axis=1).sum())
    if lost:
        return f"the images of {lost} taxa cancel out: their centroid has no direction"
    return "" if np.ptp(taxa.vectors, axis=0).max() > SAME else "the centroids do not vary"
