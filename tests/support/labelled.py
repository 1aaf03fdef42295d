"""Images with labels: taxa of two species each, scattered around a direction of their own."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.clusters import estimate_cluster_agreement, estimate_cluster_purity
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate

DEFAULT = MeasureSettings()


def unit_rows32(vectors: np.ndarray) -> np.ndarray:
    """Return the rows with norm 1, float32."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def labelled_world(
    seed: int = 0, n_taxa: int = 6, per_taxon: int = 8, d: int = 12, signal: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors, labels and species of images; every tenth image has no name."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_taxa), per_taxon)
    species = np.arange(len(labels)) // (per_taxon // 2)
    vectors = signal * random.standard_normal((n_taxa, d))[labels] + random.standard_normal((len(labels), d))
    labels = np.where(np.arange(len(labels)) % 10 == 9, -1, labels)
    return unit_rows32(vectors), labels, species


def cluster_purity(clusters: np.ndarray, labels: np.ndarray, species: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Return the purity of clusters."""
    return estimate_cluster_purity(clusters, LabelledImages(labels, species), rng, DEFAULT)


def cluster_agreement(
    clusters: np.ndarray, labels: np.ndarray, species: np.ndarray, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Return the agreement of clusters and taxa."""
    return estimate_cluster_agreement(clusters, LabelledImages(labels, species), rng, DEFAULT)
