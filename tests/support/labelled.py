"""Images with labels: taxa of two species each, scattered around a direction of their own."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.clusters import AGREEMENT, PURITY, ClusteredImages, estimate_index
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.kmeans import Clusters
from bioclip_probe.stats.permutation import PermutedLabels

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


def clustered(
    clusters: np.ndarray,
    labels: np.ndarray,
    species: np.ndarray,
    without_groups: np.ndarray | None = None,
    settings: MeasureSettings = DEFAULT,
) -> ClusteredImages:
    """Return images with given clusters; the null permutes species, and the units of the jackknife are species."""
    images = LabelledImages(labels, species)
    permuted = PermutedLabels.of(labels, species, settings.n_null_permutations, np.random.default_rng(1))
    jackknife = Jackknife.of("species", species, np.random.default_rng(2), settings.n_groups)
    return ClusteredImages(images, Clusters(clusters, without_groups), jackknife, permuted, np.random.default_rng)


def cluster_numbers(clusters: np.ndarray, labels: np.ndarray, species: np.ndarray) -> dict[str, Estimate]:
    """Return purity and agreement of clusters and taxa, without intervals."""
    both = clustered(clusters, labels, species)
    return estimate_index(PURITY, both, DEFAULT) | estimate_index(AGREEMENT, both, DEFAULT)
