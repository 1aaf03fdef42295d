"""Temporary: metrics whose functions still have the old signatures, behind the one signature of the registry."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.clades import clade_correlations
from bioclip_probe.metrics.clades import within_clade_correlation as _within_clade
from bioclip_probe.metrics.confounds import residual_cophenetic_correlation as _residual
from bioclip_probe.metrics.dendrogram import dendrogram_agreement as _agreement
from bioclip_probe.metrics.dendrogram import dendrogram_purity as _purity
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.ordinal import distance_by_lca as _by_lca
from bioclip_probe.metrics.ordinal import image_rank_correlations as _image_ranks
from bioclip_probe.metrics.ordinal import lca_auc as _auc
from bioclip_probe.metrics.ordinal import rank_correlations as _ranks
from bioclip_probe.metrics.reliability import noise_ceiling as _ceiling
from bioclip_probe.metrics.retrieval import hierarchical_ap as _hap
from bioclip_probe.metrics.retrieval import mistake_severity as _severity
from bioclip_probe.metrics.retrieval import neighbour_lca_depth as _depth
from bioclip_probe.metrics.retrieval import precision_by_rank as _precision
from bioclip_probe.metrics.retrieval import triplet_accuracy as _triplets
from bioclip_probe.metrics.scores import adjusted
from bioclip_probe.metrics.separation import cluster_agreement as _cluster_agreement
from bioclip_probe.metrics.separation import cluster_purity as _cluster_purity
from bioclip_probe.metrics.separation import knn_purity as _knn
from bioclip_probe.metrics.separation import silhouette as _silhouette
from bioclip_probe.metrics.shape import delta_hyperbolicity as _delta
from bioclip_probe.metrics.shape import geodesic_tree_correlation as _geodesic
from bioclip_probe.metrics.shared import K_NEIGHBOURS, EmbeddingPair, SharedResults
from bioclip_probe.metrics.signal import k_mult as _k_mult
from bioclip_probe.metrics.similarity import similarity as _similarity
from bioclip_probe.metrics.variance import variance_by_rank as _variance
from bioclip_probe.tables import RANKS


def _flat(estimates):
    return [Measurement(name, "species", estimate) for name, estimate in estimates.items()]


def _nested(table):
    return [
        Measurement(metric, rank, estimate)
        for rank, estimates in table.items()
        for metric, estimate in estimates.items()
    ]


def rank_correlations(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat(_ranks(s.vectors, s.species, s.stream("rank_correlations"), s.units, s.executor))


def noise_ceiling(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat(_ceiling(s.vectors, s.species, s.stream("noise_ceiling")))


def k_mult(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat({"k_mult": _k_mult(s.vectors, s.species, s.stream("k_mult"), s.units)})


def geodesic_tree_correlation(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    name = "geodesic_tree_correlation"
    return _flat({name: _geodesic(s.vectors, s.species, s.stream(name), s.units)})


def dendrogram_agreement(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat(_agreement(s.vectors, s.species, s.stream("dendrogram_agreement"), s.units))


def dendrogram_purity(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    labels = {rank: s.placement.at(rank) for rank in RANKS[:-1]}
    found = _purity(s.vectors, s.species, labels, random_stream(s.settings.seed, "dendrogram_purity"))
    return [Measurement("dendrogram_purity", rank, estimate) for rank, estimate in found.items()]


def distance_by_lca(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    rng = random_stream(s.settings.seed, "distance_by_lca")
    return _nested(_by_lca(s.vectors, s.placement, rng, s.executor))


def variance_by_rank(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _nested(_variance(s.vectors, s.placement, random_stream(s.settings.seed, "variance_by_rank")))


def within_clade_correlation(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    clades = clade_correlations(s.vectors, s.placement)
    rows = [
        Measurement("clade_correlation", rank, estimate, taxon=taxon)
        for rank, estimates in clades.items()
        for taxon, estimate in estimates.items()
        if np.isfinite(estimate.value)
    ]
    return rows + _nested(_within_clade(clades, random_stream(s.settings.seed, "within_clade_correlation")))


def image_rank_correlations(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    resampled, swept = s.image_sweep
    return _flat(_image_ranks(swept, resampled))


def neighbour_lca_depth(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat(_depth(s.image_sweep[1], s.stream("neighbour_lca_depth")))


def hierarchical_ap(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat({"hierarchical_ap": _hap(s.image_sweep[1], s.stream("hierarchical_ap"))})


def mistake_severity(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat({"mistake_severity": _severity(s.image_sweep[1], s.stream("mistake_severity"))})


def lca_auc(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    resampled, swept = s.image_sweep
    return _nested(_auc(swept, resampled))


def triplet_accuracy(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _nested(_triplets(s.image_sweep[1], s.stream("triplet_accuracy")))


def precision_by_rank(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    rng = s.stream("precision_by_rank")
    return _nested(_precision(s.vectors, s.placement, rng, s.image_sweep[1], s.executor))


def delta_hyperbolicity(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat({"delta_hyperbolicity": _delta(s.vectors, s.species, s.stream("delta_hyperbolicity"))})


def knn_purity(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    rows = []
    for rank in RANKS:
        for k in K_NEIGHBOURS:
            name = f"knn_purity_{k}"
            rng = s.stream(name, rank)
            purity = _knn(s.neighbors(rank), s.placement.at(rank), s.placement.node, k, rng, s.groups)
            rows += [Measurement(name, rank, purity), Measurement(f"{name}_adjusted", rank, adjusted(purity))]
    return rows


def cluster_purity(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    name, rows = "cluster_purity", []
    for rank in RANKS:
        purity = _cluster_purity(s.clusters(rank), s.placement.at(rank), s.placement.node, s.stream(name, rank))
        rows += [Measurement(name, rank, purity), Measurement(f"{name}_adjusted", rank, adjusted(purity))]
    return rows


def cluster_agreement(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    rows = []
    for rank in RANKS:
        rng = s.stream("cluster_agreement", rank)
        found = _cluster_agreement(s.clusters(rank), s.placement.at(rank), s.placement.node, rng)
        rows += [Measurement(name, rank, estimate) for name, estimate in found.items()]
    return rows


def silhouette(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return [
        Measurement(
            "silhouette",
            rank,
            _silhouette(s.vectors, s.placement.at(rank), s.placement.node, s.stream("silhouette", rank)),
        )
        for rank in RANKS
    ]


def similarity(embeddings, placement, settings=None):
    pair = EmbeddingPair.of(embeddings, placement, settings)
    rng = pair.first.stream("similarity")
    return _flat(_similarity(pair.first.vectors, pair.second.vectors, pair.first.species, rng))


def residual_cophenetic_correlation(embeddings, placement, settings=None):
    pair = EmbeddingPair.of(embeddings, placement, settings)
    name = "residual_cophenetic_correlation"
    rng = pair.first.stream(name)
    return _flat({name: _residual(pair.first.vectors, pair.second.vectors, pair.first.species, rng)})
