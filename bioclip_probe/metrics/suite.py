"""All metrics of one embedding, as rows of the `MEASUREMENTS` table.

Every number draws from a random stream of its own, made of the seed, its name and its rank: adding a metric changes no
other, and two encoders meet the same resampled species and the same permutations, so their difference is paired.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial

import numpy as np

from bioclip_probe.metrics.clades import clade_correlations, within_clade_correlation
from bioclip_probe.metrics.dendrogram import dendrogram_agreement, dendrogram_purity
from bioclip_probe.metrics.hierarchy import (
    balanced_image_tree_correlation,
    balanced_tree_correlation,
    cophenetic_correlation,
    cophenetic_correlation_within,
    image_tree_correlation,
)
from bioclip_probe.metrics.ordinal import distance_by_lca, image_rank_correlations, lca_auc, rank_correlations
from bioclip_probe.metrics.reliability import noise_ceiling
from bioclip_probe.metrics.retrieval import (
    hierarchical_ap,
    mistake_severity,
    neighbour_lca_depth,
    precision_by_rank,
    triplet_accuracy,
)
from bioclip_probe.metrics.scores import adjusted
from bioclip_probe.metrics.separation import cluster_agreement, cluster_purity, knn_purity, silhouette
from bioclip_probe.metrics.shape import delta_hyperbolicity, geodesic_tree_correlation
from bioclip_probe.metrics.signal import k_mult
from bioclip_probe.metrics.variance import variance_by_rank
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.kmeans import kmeans
from bioclip_probe.stats.rows import Rows, Units
from bioclip_probe.stats.sweep.neighbours import nearest_neighbours
from bioclip_probe.stats.sweep.sweep import sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

K_NEIGHBOURS = (1, 5, 10)


def stream(seed: int, *names: str) -> np.random.Generator:
    """The random stream of one number: the same for the same seed and names, on every machine."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def row(metric: str, rank: str, estimate: Estimate, **more: object) -> dict:
    """A row of the `MEASUREMENTS` table."""
    return {"metric": metric, "rank": rank, **vars(estimate), **more}


def measure(
    vectors: np.ndarray,
    placement: Placement,
    groups: np.ndarray | None = None,
    seed: int = 0,
    units: Units | None = None,
    executor: Executor | None = None,
) -> list[dict]:
    """Alignment and separation of one embedding at every rank of a taxonomy.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Unit vectors.
    placement : Placement
        The n images in the taxonomy.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer; images of one group are no neighbours of each other. -1 is no group.
    seed : int
    units : Units, optional
        What intervals of tree agreement resample, e.g. whole genera; species if not given.
    executor : Executor, optional
        Whose workers look at all pairs of images, and of species.

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`: metric, rank, tree and the fields of an `Estimate`.
    """
    species = placement.coarsen("species")
    return [
        *agreement(vectors, species, "taxonomy", seed, units, executor),
        *structure(vectors, species, "taxonomy", seed, units),
        *(row(*each, tree="taxonomy") for each in _by_rank(vectors, placement, seed, executor)),
        *_in_clades(vectors, placement, seed),
        *(row(*each, tree="taxonomy") for each in _relatives(vectors, placement, groups, seed, units, executor)),
        *(row(*each, tree="taxonomy") for each in _separation(vectors, placement, groups, seed)),
    ]


def agreement(
    vectors: np.ndarray,
    placement: Placement,
    tree: str,
    seed: int = 0,
    units: Units | None = None,
    executor: Executor | None = None,
) -> list[dict]:
    """How distances follow any tree whose tips are species: a taxonomy, or a phylogeny called `tree`."""
    single = [cophenetic_correlation, image_tree_correlation]
    if placement.tree.unit == "rank":  # elsewhere there are no ranks to weigh
        single += [balanced_tree_correlation, balanced_image_tree_correlation]
    estimates = {metric.__name__: metric(vectors, placement, _of(metric, seed), units=units) for metric in single}
    estimates |= rank_correlations(vectors, placement, _of(rank_correlations, seed), units, executor)
    estimates |= noise_ceiling(vectors, placement, _of(noise_ceiling, seed))
    return [row(name, "species", estimate, tree=tree) for name, estimate in estimates.items()]


def structure(
    vectors: np.ndarray, placement: Placement, tree: str, seed: int = 0, units: Units | None = None
) -> list[dict]:
    """What follows a tree beyond distances of pairs: phylogenetic signal, the embedding's own tree, its surface."""
    single = (k_mult, geodesic_tree_correlation)
    estimates = {metric.__name__: metric(vectors, placement, _of(metric, seed), units) for metric in single}
    estimates |= dendrogram_agreement(vectors, placement, _of(dendrogram_agreement, seed), units)
    return [row(name, "species", estimate, tree=tree) for name, estimate in estimates.items()]


def _of(metric: Callable, seed: int) -> np.random.Generator:
    return stream(seed, metric.__name__, "species")


def _by_rank(
    vectors: np.ndarray, placement: Placement, seed: int, executor: Executor | None = None
) -> Iterator[tuple[str, str, Estimate]]:
    """Agreement of the taxa of each rank, what separation at a rank gives alone, and what each rank explains."""
    name = "cophenetic_correlation"
    for rank in RANKS[:-1]:
        yield name, rank, cophenetic_correlation(vectors, placement.coarsen(rank), stream(seed, name, rank))
    species = placement.coarsen("species")
    labels = {rank: placement.at(rank) for rank in RANKS[:-1]}
    for metric, of in (
        ("cophenetic_correlation_within", cophenetic_correlation_within),
        ("dendrogram_purity", dendrogram_purity),
    ):
        for rank, estimate in of(vectors, species, labels, stream(seed, metric)).items():
            yield metric, rank, estimate
    for table in (
        distance_by_lca(vectors, placement, stream(seed, "distance_by_lca"), executor),
        variance_by_rank(vectors, placement, stream(seed, "variance_by_rank")),
    ):
        for rank, estimates in table.items():
            for metric, estimate in estimates.items():
                yield metric, rank, estimate


def _relatives(
    vectors: np.ndarray,
    placement: Placement,
    groups: np.ndarray | None,
    seed: int,
    units: Units | None,
    executor: Executor | None = None,
) -> Iterator[tuple[str, str, Estimate]]:
    """What one sweep over all pairs of images tells: ranks of distances, triplets, retrieval, the kin of neighbours."""
    species = placement.coarsen("species")
    of = partial(_of, seed=seed)
    rows = Rows.images(vectors, species)
    resampled, part = rows.parts(units, of(sweep))
    swept = sweep(rows, part, anchors=True, k=max(K_NEIGHBOURS), groups=groups, executor=executor)
    found = image_rank_correlations(swept, resampled) | neighbour_lca_depth(swept, of(neighbour_lca_depth))
    for metric in (hierarchical_ap, mistake_severity):
        found[metric.__name__] = metric(swept, of(metric))
    for name, estimate in found.items():
        yield name, "species", estimate
    for table in (
        lca_auc(swept, resampled),
        triplet_accuracy(swept, of(triplet_accuracy)),
        precision_by_rank(vectors, placement, of(precision_by_rank), swept, executor),
    ):
        for rank, estimates in table.items():
            for name, estimate in estimates.items():
                yield name, rank, estimate
    yield (
        "delta_hyperbolicity",
        "species",
        delta_hyperbolicity(vectors, placement.coarsen("species"), of(delta_hyperbolicity)),
    )


def _in_clades(vectors: np.ndarray, placement: Placement, seed: int) -> Iterator[dict]:
    """Agreement inside each clade that has enough species, a row each, and their mean and spread by rank."""
    clades = clade_correlations(vectors, placement)
    for rank, estimates in clades.items():
        for taxon, estimate in estimates.items():
            if np.isfinite(estimate.value):  # the others are counted in the note of the mean
                yield row("clade_correlation", rank, estimate, taxon=taxon, tree="taxonomy")
    for rank, estimates in within_clade_correlation(clades, stream(seed, "within_clade_correlation")).items():
        for metric, estimate in estimates.items():
            yield row(metric, rank, estimate, tree="taxonomy")


def _separation(
    vectors: np.ndarray, placement: Placement, groups: np.ndarray | None, seed: int
) -> Iterator[tuple[str, str, Estimate]]:
    """Purity of neighbours and clusters, and silhouette, at each rank."""
    neighbours: dict[bytes, np.ndarray] = {}
    for rank in RANKS:
        labels = placement.at(rank)
        named = labels >= 0
        if named.tobytes() not in neighbours:  # one sweep serves all ranks at which the same images have a name
            neighbours[named.tobytes()] = nearest_neighbours(vectors, max(K_NEIGHBOURS), groups, among=named)[0]
        for k in K_NEIGHBOURS:
            name = f"knn_purity_{k}"
            near = neighbours[named.tobytes()]
            purity = knn_purity(near, labels, placement.node, k, stream(seed, name, rank), groups)
            yield name, rank, purity
            yield f"{name}_adjusted", rank, adjusted(purity)
        clusters = kmeans(vectors, labels, stream(seed, "kmeans", rank))
        purity = cluster_purity(clusters, labels, placement.node, stream(seed, "cluster_purity", rank))
        yield "cluster_purity", rank, purity
        yield "cluster_purity_adjusted", rank, adjusted(purity)
        agree = cluster_agreement(clusters, labels, placement.node, stream(seed, "cluster_agreement", rank))
        for name, estimate in agree.items():
            yield name, rank, estimate
        yield "silhouette", rank, silhouette(vectors, labels, placement.node, stream(seed, "silhouette", rank))


def measure_panels(
    panels: Iterable[tuple[str, str, np.ndarray, np.ndarray]], units: np.ndarray, metric: str, seed: int = 0
) -> list[dict]:
    """Cluster purity inside each panel of the drill-down, among the plotted taxa.

    Parameters
    ----------
    panels : iterable of (rank, taxon, points, labels)
        The rank plotted, the path of the taxon in focus, points of shape (n, d), and labels of shape (n,) that are -1
        for images of taxa that are not plotted.
    units : sequence of ndarray
        The species of each image of each panel.
    metric : str
        ``panel_purity`` or ``panel_purity_2d``.
    """
    rows = []
    for (rank, taxon, points, labels), unit in zip(panels, units, strict=True):
        if np.isfinite(points).all():
            clusters = kmeans(points, labels, stream(seed, "kmeans", rank))
            purity = cluster_purity(clusters, labels, unit, stream(seed, metric, rank))
        else:
            purity = Estimate.undefined("the panel could not be projected", n_images=int(np.sum(labels >= 0)))
        rows.append(row(metric, rank, purity, taxon=taxon, tree="taxonomy"))
        rows.append(row(f"{metric}_adjusted", rank, adjusted(purity), taxon=taxon, tree="taxonomy"))
    return rows
