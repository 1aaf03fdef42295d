"""Temporary: metrics whose functions still have the old signatures, behind the one signature of the registry."""

from __future__ import annotations

from bioclip_probe.metrics.measurement import Measurement
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
from bioclip_probe.metrics.shared import K_NEIGHBOURS, SharedResults
from bioclip_probe.tables import RANKS


def _flat(estimates):
    return [Measurement(name, "species", estimate) for name, estimate in estimates.items()]


def _nested(table):
    return [
        Measurement(metric, rank, estimate)
        for rank, estimates in table.items()
        for metric, estimate in estimates.items()
    ]


def neighbour_lca_depth(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat(_depth(s.image_sweep[1], s.stream("neighbour_lca_depth")))


def hierarchical_ap(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat({"hierarchical_ap": _hap(s.image_sweep[1], s.stream("hierarchical_ap"))})


def mistake_severity(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _flat({"mistake_severity": _severity(s.image_sweep[1], s.stream("mistake_severity"))})


def triplet_accuracy(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    return _nested(_triplets(s.image_sweep[1], s.stream("triplet_accuracy")))


def precision_by_rank(embeddings, placement, settings=None):
    s = SharedResults.of(embeddings, placement, settings)
    rng = s.stream("precision_by_rank")
    return _nested(_precision(s.vectors, s.placement, rng, s.image_sweep[1], s.executor))


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
