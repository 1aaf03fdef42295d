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


_SHARE, _CORRELATION, _DIFFERENCE = (0.0, 1.0), (-1.0, 1.0), (-2.0, 2.0)
_LOW, _POSITIVE = (float("-inf"), 1.0), (0.0, float("inf"))
# What draws at random among rows or taxa meets others where they are renamed or come in another order.
_DRAWN = ("rotation", "order")
_CLUSTERED, _SHUFFLED = ("order", "names"), ("order",)
_BEYOND = "beyond chance: (purity - chance)/(1 - chance)"
_LCA = "cosine distance of species centroids by the rank of their lowest common ancestor"
_NULL = "above what 95 % of permutations reach: (score - t)/(1 - t), or 0"


def _nearest(k: int) -> str:
    return (
        "share of images whose nearest image is of their taxon"
        if k == 1
        else f"share of the {k} nearest images that are of the same taxon"
    )


_HIERARCHY = (
    Metric("cophenetic_correlation", "CPCC: tree distance against centroid distance, all pairs of taxa", _CORRELATION, "higher", "Sokal & Rohlf 1962; Zeng et al. 2023; p: Mantel 1967"),
    Metric("cophenetic_correlation_within", "CPCC; its chance and p permute species within taxa of the rank only", _CORRELATION, "higher", "Mantel 1967, stratified"),
    Metric("image_tree_correlation", "tree distance against embedding distance, all pairs of images", _CORRELATION, "higher", "by moments, exact"),
    Metric("balanced_tree_correlation", "CPCC with every rank of a common ancestor at one weight", _CORRELATION, "higher", "by moments, exact"),
    Metric("balanced_image_tree_correlation", "tree distance against embedding distance, all pairs of images, every rank of a common ancestor at one weight", _CORRELATION, "higher", "by moments, exact"),
    Metric("clade_correlation", "CPCC of the species inside one clade", _CORRELATION, "higher", "by moments, exact"),
    Metric("within_clade_correlation", "CPCC inside each clade of the rank, mean over clades", _CORRELATION, "higher", "by moments, exact"),
    Metric("within_clade_correlation_sd", "CPCC inside each clade of the rank, standard deviation over clades", (0.0, 2**0.5), "neither", "by moments, exact"),
    Metric("spearman", "rank correlation of tree and centroid distance", _CORRELATION, "higher", "Spearman 1904"),
    Metric("kendall_tau_b", "Kendall's tau-b of tree and centroid distance", _CORRELATION, "higher", "Kendall 1945"),
    *(Metric(f"lca_distance_{which}", f"{which} of {_LCA}", (0.0, 2.0), "neither", "")
      for which in ("mean", "q05", "q25", "q50", "q75", "q95")),
    Metric("k_mult", "phylogenetic signal: 1 under Brownian motion along the tree", _POSITIVE, "higher", "Adams 2014"),
    Metric("dendrogram_cophenetic_correlation", "tree distance against height in the dendrogram of centroids", _CORRELATION, "higher", "Sokal & Rohlf 1962"),
    Metric("dendrogram_triplet_accuracy", "share of the tree's triplets that the dendrogram of centroids resolves alike", _SHARE, "higher", "Critchlow et al. 1996"),
    Metric("dendrogram_purity", "share of a taxon in the smallest clade of the dendrogram that holds two of its species", _SHARE, "higher", "Heller & Ghahramani 2005"),
    Metric("split_half_reliability", "centroid distances from one half of the images against those from the other", _CORRELATION, "higher", "Spearman 1910", _DRAWN),
    Metric("noise_ceiling", "the most that CPCC could be, given the scatter of images within species", _SHARE, "higher", "Spearman 1910; Brown 1910", _DRAWN),
    Metric("disattenuated_cophenetic_correlation", "CPCC over its noise ceiling", (float("-inf"), float("inf")), "higher", "Spearman 1904", _DRAWN),
    Metric("nested_r2", "share of the variance of images that the rank explains beyond the ranks above", _SHARE, "higher", "analysis of variance"),
    Metric("variance_ratio", "variance between taxa over variance within (pseudo-F)", _POSITIVE, "higher", "Anderson 2001"),
)  # fmt: skip
_RELATIVES = (
    Metric("image_spearman", "rank correlation of tree and embedding distance, all pairs of images", _CORRELATION, "higher", "Spearman 1904"),
    Metric("image_kendall_tau_b", "Kendall's tau-b of tree and embedding distance, all pairs of images", _CORRELATION, "higher", "Kendall 1945"),
    Metric("lca_auc", "how often images that meet at a rank are closer than images that meet at the next", _SHARE, "higher", "Mann & Whitney 1947"),
    Metric("triplet_accuracy", "share of all triplets of images whose nearer relative is the closer", _SHARE, "higher", "all triplets, none sampled"),
    Metric("average_precision", "average precision of finding images of the same taxon", _SHARE, "higher", "Manning et al. 2008, ch. 8"),
    Metric("r_precision", "share of the taxon among as many nearest images as it has others", _SHARE, "higher", "Manning et al. 2008, ch. 8"),
    Metric("hierarchical_ap", "average precision where nearer relatives are more relevant (H-AP)", _SHARE, "higher", "Ramzi et al. 2022"),
    *(Metric(f"neighbour_lca_depth_{k}", f"ranks shared with the {k} nearest images" if k > 1 else "ranks shared with the nearest image", (0.0, 7.0), "higher", "")
      for k in (1, 5, 10)),
    Metric("mistake_severity", "ranks up to the common ancestor with the nearest image, where that is of another species", (1.0, 7.0), "lower", "Bertinetto et al. 2020"),
    Metric("geodesic_tree_correlation", "tree distance against distance along the graph of nearest species", _CORRELATION, "higher", "Tenenbaum et al. 2000"),
    Metric("delta_hyperbolicity", "how far from any tree: relative Gromov delta of 100 species", _SHARE, "neither", "Gromov 1987; Khrulkov et al. 2020", ("rotation", "order")),
)  # fmt: skip
_SEPARATION = (
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
)  # fmt: skip
_COMPARISONS = (
    Metric("cophenetic_correlation_difference", "CPCC of the first less CPCC of the second, same species", _DIFFERENCE, "higher", "paired jackknife: Efron & Stein 1981"),
    Metric("image_tree_correlation_difference", "tree correlation of all image pairs, the first less the second", _DIFFERENCE, "higher", "paired jackknife: Efron & Stein 1981"),
    Metric("residual_cophenetic_correlation", "CPCC once the centroid distance of a control is regressed out; no causal control", _CORRELATION, "higher", "Smouse et al. 1986; Guillot & Rousset 2013"),
    Metric("cka", "debiased linear CKA of two encoders' species centroids", _CORRELATION, "neither", "Song et al. 2012; Kornblith et al. 2019"),
    Metric("cka_calibrated", f"debiased linear CKA {_NULL}", _SHARE, "neither", "Gröger et al. 2026", _DRAWN),
    Metric("rsa", "correlation of two encoders' centroid distances over pairs of species", _CORRELATION, "neither", "Kriegeskorte et al. 2008"),
    Metric("rsa_calibrated", f"correlation of two encoders' centroid distances {_NULL}", _SHARE, "neither", "Gröger et al. 2026", _DRAWN),
    Metric("mutual_knn", "share of a species' 10 nearest species that two encoders agree on", _SHARE, "neither", "Huh et al. 2024"),
    Metric("mutual_knn_calibrated", f"share of the 10 nearest species that two encoders agree on, {_NULL}", _SHARE, "neither", "Gröger et al. 2026", _DRAWN),
)  # fmt: skip
_ANSWERS = (
    Metric("top1_accuracy", "share of test images whose taxon the probe names", _SHARE, "higher", "linear probe: Alain & Bengio 2017"),
    Metric("top5_accuracy", "share of test images whose taxon is among the first five that the probe ranks", _SHARE, "higher", ""),
    Metric("macro_accuracy", "share of test images whose taxon the probe names, averaged over taxa", _SHARE, "higher", ""),
    Metric("clade_accuracy", "share of a clade's test images whose taxon the probe names", _SHARE, "higher", ""),
    Metric("calibration_error", "how far a probe's confidence is from its share of right answers, 15 bins of equally many", _SHARE, "lower", "Naeini et al. 2015; Guo et al. 2017; Nguyen & O'Connor 2015"),
    Metric("unseen_gap", "accuracy with children seen in training less accuracy with children held out, same images", _CORRELATION, "lower", ""),
    Metric("selectivity", "accuracy less that of a control task with labels shuffled between children, same images", _CORRELATION, "higher", "Hewitt & Liang 2019"),
    Metric("top1_accuracy_difference", "accuracy of the first less accuracy of the second, same images", _CORRELATION, "higher", "p: McNemar 1947, species swapped whole"),
    Metric("path_accuracy", "share of test images that are named right at every rank", _SHARE, "higher", "Tan et al. 2025"),
    Metric("right_prefix", "ranks named right from the kingdom down to the first error", (0.0, 7.0), "higher", ""),
    Metric("consistent_pairs", "share of pairs of consecutive ranks that are both named right", _SHARE, "higher", "Tan et al. 2025"),
    Metric("rank_consistency", "share of answers that lie inside the answer at the next rank up", _SHARE, "higher", ""),
    Metric("wrong_answer_severity", "ranks from a wrong answer up to the taxon it shares with the truth", (1.0, 7.0), "lower", "Bertinetto et al. 2020"),
)  # fmt: skip
_TEXT = (
    Metric("text_cophenetic_correlation", "CPCC of names: tree distance against distance of the names of taxa", _CORRELATION, "higher", "Sokal & Rohlf 1962; p: Mantel 1967"),
    Metric("text_radial_tau", "Kendall's tau-b of rank and distance of a species' nested names from the name of all life", _CORRELATION, "higher", "Sastry et al. 2025"),
    Metric("image_text_rsa", "correlation of distances of images and of names over pairs of taxa", _CORRELATION, "higher", "Kriegeskorte et al. 2008"),
    Metric("image_text_accuracy", "share of taxa whose images lie nearest to their own name, by centroid", _SHARE, "higher", "Radford et al. 2021"),
)  # fmt: skip

CATALOGUE: dict[str, Metric] = {
    metric.name: metric for metric in (*_HIERARCHY, *_RELATIVES, *_SEPARATION, *_COMPARISONS, *_ANSWERS, *_TEXT)
}


def catalogue() -> pd.DataFrame:
    """The metrics: name, title, bounds, better, source, invariant."""
    return pd.DataFrame([vars(metric) for metric in CATALOGUE.values()])
