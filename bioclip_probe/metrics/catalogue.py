"""The catalogue of metrics: what a reader must know of each number."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Metric:
    """What a reader must know of a number.

    `bounds` is the closed range of its value; `better` is ``higher``, ``lower`` or ``neither``; `invariant` names the
    changes that leave it as it is, but for rounding: ``rotation`` of the embedding, ``order`` of rows, ``names`` of
    taxa. Some projections are moved by rounding alone, so that what is measured in the plane promises little.
    """

    name: str
    title: str
    bounds: tuple[float, float]
    better: str
    source: str
    invariant: tuple[str, ...] = ("rotation", "order", "names")


_SHARE, _CORRELATION = (0.0, 1.0), (-1.0, 1.0)
_LOW = (float("-inf"), 1.0)
# k-means starts at random images: another rotation, other starts. Chance is met by shuffling the names as they are sorted.
_CLUSTERED, _SHUFFLED = ("order", "names"), ("order",)
_BEYOND = "beyond chance: (purity - chance)/(1 - chance)"
_LCA = "cosine distance of species centroids by the rank of their lowest common ancestor"


def _nearest(k: int) -> str:
    return (
        "share of images whose nearest image is of their taxon"
        if k == 1
        else f"share of the {k} nearest images that are of the same taxon"
    )


CATALOGUE: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "cophenetic_correlation",
            "CPCC: tree distance against centroid distance, all pairs of taxa",
            _CORRELATION,
            "higher",
            "Sokal & Rohlf 1962; Zeng et al. 2023; p: Mantel 1967",
        ),
        Metric(
            "image_tree_correlation",
            "tree distance against embedding distance, all pairs of images",
            _CORRELATION,
            "higher",
            "by moments, exact",
        ),
        Metric("spearman", "rank correlation of tree and centroid distance", _CORRELATION, "higher", "Spearman 1904"),
        *(Metric(f"lca_distance_{which}", f"{which} of {_LCA}", (0.0, 2.0), "neither", "")
          for which in ("mean", "q05", "q25", "q50", "q75", "q95")),
        *(Metric(f"knn_purity_{k}", _nearest(k), _SHARE, "higher", "leave-one-out")
          for k in (1, 5, 10)),
        *(Metric(f"knn_purity_{k}_adjusted", f"{_nearest(k)}, {_BEYOND}", _LOW, "higher", "Cohen 1960")
          for k in (1, 5, 10)),
        Metric("cluster_purity", "share of images in a k-means cluster of their taxon, k = taxa", _SHARE, "higher", "Manning et al. 2008, eq. 16.1", _CLUSTERED),
        Metric("cluster_purity_adjusted", f"share of images in a k-means cluster of their taxon, {_BEYOND}", _LOW, "higher", "Cohen 1960", _SHUFFLED),
        Metric("cluster_ami", "adjusted mutual information of k-means clusters and taxa", _LOW, "higher", "Vinh et al. 2010", _CLUSTERED),
        Metric("cluster_ari", "adjusted Rand index of k-means clusters and taxa", _LOW, "higher", "Hubert & Arabie 1985", _CLUSTERED),
        Metric("silhouette", "mean cosine silhouette of the taxa", _CORRELATION, "higher", "Rousseeuw 1987"),
        Metric("panel_purity", "k-means purity, k = plotted taxa, in a panel of Section 4.6, full dimension", _SHARE, "higher", "as cluster_purity", _CLUSTERED),
        Metric("panel_purity_adjusted", f"k-means purity in a panel of Section 4.6, full dimension, {_BEYOND}", _LOW, "higher", "Cohen 1960", _SHUFFLED),
        Metric("panel_purity_2d", "k-means purity, k = plotted taxa, in a panel of Section 4.6, in the plane", _SHARE, "higher", "as cluster_purity", ("names",)),
        Metric("panel_purity_2d_adjusted", f"k-means purity in a panel of Section 4.6, in the plane, {_BEYOND}", _LOW, "higher", "Cohen 1960", ()),
        Metric("top1_accuracy", "share of test images whose taxon the probe names", _SHARE, "higher", "linear probe: Alain & Bengio 2017"),
        Metric("macro_accuracy", "share of test images whose taxon the probe names, averaged over taxa", _SHARE, "higher", ""),
    )
}  # fmt: skip


def catalogue() -> pd.DataFrame:
    """The metrics: name, title, bounds, better, source, invariant."""
    return pd.DataFrame([vars(metric) for metric in CATALOGUE.values()])
