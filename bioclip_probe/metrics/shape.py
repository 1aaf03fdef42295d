"""The shape of an embedding: how nearly its distances are those of some tree, and where paths within it lead."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.distance import pdist, squareform
from scipy.stats import t as student_t

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import LEVEL, jackknife_interval
from bioclip_probe.stats.rows import ResamplingUnits, Rows, rank_of_tips
from bioclip_probe.tree.distances import patristic_distances
from bioclip_probe.tree.tree import Placement, Tree

#: Taxa of a draw. δ is a maximum and grows with their number: only one number for all makes data sets comparable.
SAMPLE = 100
N_DRAWS = 40
SUBSAMPLED = f"delete-d jackknife, {N_DRAWS} subsamples of {SAMPLE}"

K_NEIGHBOURS = 10
#: Of more taxa, so many at random: each group of the jackknife takes all shortest paths anew.
MOST_TAXA = 1_000

#: Unit vectors closer than this are at one place; also the least length of an edge, since 0 means none to scipy.
SAME = 1e-6
SHORTEST = 1e-9


def delta_hyperbolicity(vectors: np.ndarray, placement: Placement, rng: np.random.Generator) -> Estimate:
    """Relative Gromov hyperbolicity 2δ/diameter of the centroids: how far they are from being the tips of any tree.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        Says which images are of one taxon; the tree itself takes no part.
    rng : numpy.random.Generator
        Draws the taxa.

    Returns
    -------
    Estimate
        Mean of 2δ/diameter over 40 draws of 100 taxa, by Euclidean distance of centroids on the unit sphere; in
        [0, 1], lower is more like a tree, 0 is a tree. Which tree it does not say: points without structure in many
        dimensions are all about equally far apart, which is a star and has a low value too. So there is no chance
        level, and it says something only beside the controls. Undefined with fewer than 100 taxa, since δ grows with
        their number and would compare with nothing; if the images of a taxon cancel out; where the centroids do not
        vary.

        The interval is value ± t·se with se² = s² (m/(k - m) + 1/B), s² the variance over the B draws of m of the k
        taxa: the delete-d jackknife. It is too wide rather than too narrow (Hoeffding 1948). None with
        exactly 100 taxa, of which there is but one draw.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    δ is exact, over all quadruples: O(m⁴) a draw. Khrulkov et al. fix one base point, which finds between half of it
    and all of it.

    References
    ----------
    Gromov 1987, Hyperbolic groups; Khrulkov et al. 2020, CVPR, 6418; Shao & Wu 1989, Ann. Stat. 17, 1176; Hoeffding
    1948, Ann. Math. Stat. 19, 293.
    """
    taxa = Rows.taxa(vectors, placement)
    k = taxa.counts["n_taxa"]
    if k < SAMPLE:
        return Estimate.undefined(f"needs at least {SAMPLE} taxa, found {k}", **taxa.counts)
    if reason := _without_shape(taxa):
        return Estimate.undefined(reason, **taxa.counts)
    n_draws = N_DRAWS if k > SAMPLE else 1
    draws = np.array([relative_delta(taxa.vectors[rng.choice(k, SAMPLE, replace=False)]) for _ in range(n_draws)])
    value, ends = float(draws.mean()), {}
    if n_draws > 1:
        error = draws.std(ddof=1) * np.sqrt(SAMPLE / (k - SAMPLE) + 1 / n_draws)
        reach = float(student_t.ppf((1 + LEVEL) / 2, n_draws - 1) * error)
        ends = interval(max(value - reach, 0.0), min(value + reach, 1.0), SUBSAMPLED, rank_of_tips(taxa.tree))
    return Estimate(value, **ends, **taxa.counts)


def relative_delta(points: np.ndarray) -> float:
    """2δ/diameter of points (m, d) by Euclidean distance; 0 where they are all at one place."""
    distances = squareform(pdist(points))
    diameter = distances.max()
    return 2 * gromov_delta(distances) / diameter if diameter > SAME else 0.0


def gromov_delta(distances: np.ndarray) -> float:
    """Gromov's δ of a metric space (m, m), by its four points: the smallest δ such that, of the three ways to part any
    four points into pairs, the two with the largest sums of distances differ by no more than 2δ. 0 on a tree.
    """
    largest = 0.0
    for j in range(1, len(distances) - 2):
        # All i < j, and all pairs of points after j: parted as ij|kl, ik|jl, il|jk.
        first = distances[:j, j, None, None] + distances[None, j + 1 :, j + 1 :]
        second = distances[:j, j + 1 :, None] + distances[j, None, None, j + 1 :]
        third = second.transpose(0, 2, 1)
        high, low = np.maximum(second, third), np.minimum(second, third)
        gap = np.maximum(first, high) - np.maximum(np.minimum(first, high), low)
        largest = max(largest, float(gap.max()))
    return largest / 2


def geodesic_tree_correlation(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: ResamplingUnits | None = None
) -> Estimate:
    """Correlation of tree distance with distance along the embedding's own surface.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The taxa compared are its tips.
    rng : numpy.random.Generator
        For the groups of the jackknife, and for which taxa are taken where there are more than 1,000.
    units : ResamplingUnits, optional
        What the interval resamples; the taxa themselves if not given.

    Returns
    -------
    Estimate
        Pearson over all pairs of taxa of tree distance and the length of the shortest path between centroids from near
        one to near one, see `geodesic_distances`; in [-1, 1], higher is better, 0 without signal. Where it exceeds
        `cophenetic_correlation`, the tree is followed along a bent surface. The interval leaves out one group of units
        after the other and finds neighbours and paths anew. Of more than 1,000 taxa a random 1,000 are taken; the
        note says so. Undefined with fewer than three taxa, if the images of a taxon cancel out, where tree distance
        or centroids do not vary.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    With 10 neighbours. O(k² (d + log k)) time for k taxa, once more for each of 40 groups; O(k²) memory.

    References
    ----------
    Tenenbaum, de Silva & Langford 2000, Science 290, 2319.
    """
    taxa = Rows.taxa(vectors, placement)
    k = taxa.counts["n_taxa"]
    if k < 3:
        return Estimate.undefined(f"needs at least 3 taxa, found {k}", **taxa.counts)
    if reason := _without_shape(taxa):
        return Estimate.undefined(reason, **taxa.counts)
    name, part = taxa.jackknife_groups(units, rng)
    chosen = np.sort(rng.choice(k, MOST_TAXA, replace=False)) if k > MOST_TAXA else np.arange(k)
    counts, note = _counts(taxa, chosen), "" if len(chosen) == k else f"a random {MOST_TAXA:,} of {k:,} taxa"

    def correlation(kept: np.ndarray) -> float:
        return _correlation(taxa.tree.subset(taxa.tree.tips[kept])[0], taxa.vectors[kept])

    value = correlation(chosen)
    if np.isnan(value):
        return Estimate.undefined("tree distance or geodesic distance does not vary", **counts)
    part = part[chosen]
    deleted = np.array([correlation(chosen[part != number]) for number in np.unique(part)])
    ends = interval(*jackknife_interval(value, deleted, (-1.0, 1.0)), JACKKNIFE, name)
    return Estimate(value, chance=0.0, **ends, note=note, **counts)


def geodesic_distances(points: np.ndarray, n_neighbours: int = K_NEIGHBOURS) -> np.ndarray:
    """Length of the shortest path between every two points in the graph of their nearest neighbours.

    Parameters
    ----------
    points : ndarray, shape (m, d)
    n_neighbours : int
        Two points are joined by their Euclidean distance if one is among so many nearest of the other, ties with the
        last of them too, or if they are joined in any minimum spanning tree, so that there is always a path.

    Returns
    -------
    ndarray, shape (m, m)
        Symmetric, zero diagonal, at least the Euclidean distance.
    """
    straight = np.maximum(pdist(points), SHORTEST)
    # A minimum spanning tree joins two points if no way round has shorter steps; single linkage knows those steps.
    steps = squareform(cophenet(linkage(straight, "single")))
    straight = squareform(straight)
    last = min(n_neighbours, len(points) - 1)
    reach = np.partition(straight, last, axis=1)[:, last]  # the point itself, at 0, is before them
    near = straight <= (1 + SHORTEST) * np.maximum(np.maximum(reach[:, None], reach), steps)
    return dijkstra(csr_array(np.where(near, straight, 0.0)))


def _correlation(tree: Tree, points: np.ndarray) -> float:
    if len(points) < 3:
        return np.nan
    upper = np.triu_indices(len(points), 1)
    pair = [patristic_distances(tree)[upper], geodesic_distances(points)[upper]]
    if any(np.ptp(distances) <= SAME * distances.max() for distances in pair):
        return np.nan
    return float(np.corrcoef(pair)[0, 1])


def _counts(taxa: Rows, chosen: np.ndarray) -> dict[str, int]:
    n = int(np.isin(taxa.groups, chosen).sum())
    return {"n_images": n, "n_taxa": len(chosen), "n_excluded": len(taxa.groups) - n}


def _without_shape(taxa: Rows) -> str:
    lost = int(np.isnan(taxa.vectors).any(axis=1).sum())
    if lost:
        return f"the images of {lost} taxa cancel out: their centroid has no direction"
    return "" if np.ptp(taxa.vectors, axis=0).max() > SAME else "the centroids do not vary"
