"""The registry of metrics: what a reader must know about each number, and the function that returns it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from bioclip_probe import tables
from bioclip_probe.errors import ProbeError
from bioclip_probe.metrics import (
    accuracies,
    answer_pairs,
    attainable,
    balanced,
    calibration,
    clades,
    clusters,
    components,
    confounds,
    consistency,
    dendrogram,
    dendrogram_clades,
    dimension,
    hierarchy,
    hubs,
    image_pairs,
    kinship,
    lca_shares,
    nearest,
    nuisance,
    ordinal,
    panels,
    paths,
    projection_quality,
    reliability,
    retrieval,
    separation,
    shape,
    signal,
    similarity,
    text,
    text_images,
    tree_signal,
    variance,
)
from bioclip_probe.tables import Entry


@dataclass(frozen=True)
class MetricEntry(Entry):
    """One number: its name, its meaning, and the function that returns it.

    Several numbers that come from one computation share a function, which returns them all.

    Attributes
    ----------
    name : str
        As in the column ``metric`` of measurements.
    title : str
        Its label in figures.
    notes : str
        Its meaning, in one line.
    function : callable, optional
        ``function(subject, placement, settings) -> list of Measurement``. None for a difference of two encoders:
        `differences.paired_differences` makes it of the measurements of both.
    bounds : (float, float)
        The closed range of its value.
    better : str
        ``higher``, ``lower`` or ``neither``.
    source : str
        The publication that it is from.
    invariant : tuple of str
        Changes that do not change it beyond rounding: ``rotation`` of the embedding, ``order`` of rows, ``names`` of
        taxa. Rounding alone changes some projections, so that numbers in the plane promise little.
    subject : str
        The kind of thing that it measures, the `subject` of a class: ``embeddings`` (`SharedResults`), ``pair``
        (`EmbeddingPair`), ``control pair`` (`ControlPair`), ``panels`` (`Panels`), ``answers`` (`Answers`), ``seen and
        unseen answers`` (`UnseenPair`), ``seen and shuffled answers`` (`ShuffledPair`), ``answers of two
        models``, ``answers at all ranks`` (`PathAnswers`) or ``text`` (`TextEmbeddings`).
    needs_ranks : bool
        It is defined in a taxonomy only, and not on a phylogeny.
    by_part : bool
        It is also given for each part of the dataset, such as species that a model has not seen.
    version : int
        Raise it when the number changes for the same input: by another formula, null or resampling, or a corrected
        error. It is part of the protocol, see `study.protocol_id`, whose number is then raised too.

    Examples
    --------
    >>> REGISTRY["silhouette"].title
    'Silhouette'
    """

    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    better: str = "higher"
    source: str = ""
    invariant: tuple[str, ...] = ("rotation", "order", "names")
    subject: str = "embeddings"
    needs_ranks: bool = False
    by_part: bool = False
    version: int = 1


SHARE, CORRELATION = (0.0, 1.0), (-1.0, 1.0)
ADJUSTED, POSITIVE, DISTANCE = (float("-inf"), 1.0), (0.0, float("inf")), (0.0, 2.0)
UNBOUNDED, DIMENSION = (float("-inf"), float("inf")), (1.0, float("inf"))
# Metrics that draw at random among rows or taxa draw others where these are renamed or come in another order.
DRAWN, CLUSTERED, SHUFFLED = ("rotation", "order"), ("order", "names"), ("order",)

_HIERARCHY = (
    MetricEntry("cophenetic_correlation", "Cophenetic correlation (CPCC)", "CPCC: tree distance against centroid distance, all pairs of taxa; one heritable trait is enough for a small p", hierarchy.cophenetic_correlation, CORRELATION, "higher", "Sokal & Rohlf 1962; Zeng et al. 2023; p: Mantel 1967", by_part=True),
    MetricEntry("cophenetic_correlation_within", "CPCC, permuted within the rank", "CPCC; its chance and p permute species within taxa of the rank only", hierarchy.cophenetic_correlation_within, CORRELATION, "higher", "Mantel 1967, stratified", needs_ranks=True),
    MetricEntry("cophenetic_share", "Part of CPCC by common ancestor", "part of CPCC from pairs of species by the rank of their lowest common ancestor; the parts add up to CPCC", lca_shares.cophenetic_share, CORRELATION, "higher", "by moments, exact", needs_ranks=True),
    MetricEntry("image_tree_correlation", "Tree correlation over image pairs", "tree distance against embedding distance, all pairs of images", image_pairs.image_tree_correlation, CORRELATION, "higher", "by moments, exact", by_part=True),
    MetricEntry("balanced_tree_correlation", "CPCC, ranks at one weight", "CPCC with every rank of a common ancestor at one weight", balanced.balanced_tree_correlation, CORRELATION, "higher", "by moments, exact", needs_ranks=True, by_part=True),
    MetricEntry("balanced_image_tree_correlation", "Image pairs, ranks at one weight", "tree distance against embedding distance, all pairs of images, every rank of a common ancestor at one weight", balanced.balanced_image_tree_correlation, CORRELATION, "higher", "by moments, exact", needs_ranks=True, by_part=True),
    MetricEntry("clade_correlation", "CPCC inside one clade", "CPCC of the species inside one clade", clades.within_clade_correlation, CORRELATION, "higher", "by moments, exact", needs_ranks=True),
    MetricEntry("within_clade_correlation", "CPCC inside clades of the rank", "CPCC inside each clade of the rank, mean over clades", clades.within_clade_correlation, CORRELATION, "higher", "by moments, exact", needs_ranks=True),
    MetricEntry("within_clade_correlation_sd", "CPCC inside clades of the rank, standard deviation", "CPCC inside each clade of the rank, standard deviation over clades", clades.within_clade_correlation, (0.0, 2**0.5), "neither", "by moments, exact", needs_ranks=True),
    MetricEntry("spearman", "Spearman correlation", "rank correlation of tree and centroid distance", ordinal.rank_correlations, CORRELATION, "higher", "Spearman 1904", by_part=True),
    MetricEntry("kendall_tau_b", "Kendall's tau-b", "Kendall's tau-b of tree and centroid distance", ordinal.rank_correlations, CORRELATION, "higher", "Kendall 1945", by_part=True),
    MetricEntry("lca_distance_mean", "Centroid distance by common ancestor, mean", "mean of cosine distance of species centroids by the rank of their lowest common ancestor", ordinal.distance_by_lca, DISTANCE, "neither", "", needs_ranks=True),
    MetricEntry("lca_distance_q05", "Centroid distance by common ancestor, 5 % quantile", "5 % quantile of cosine distance of species centroids by the rank of their lowest common ancestor", ordinal.distance_by_lca, DISTANCE, "neither", "", needs_ranks=True),
    MetricEntry("lca_distance_q25", "Centroid distance by common ancestor, 25 % quantile", "25 % quantile of cosine distance of species centroids by the rank of their lowest common ancestor", ordinal.distance_by_lca, DISTANCE, "neither", "", needs_ranks=True),
    MetricEntry("lca_distance_q50", "Centroid distance by common ancestor, 50 % quantile", "50 % quantile of cosine distance of species centroids by the rank of their lowest common ancestor", ordinal.distance_by_lca, DISTANCE, "neither", "", needs_ranks=True),
    MetricEntry("lca_distance_q75", "Centroid distance by common ancestor, 75 % quantile", "75 % quantile of cosine distance of species centroids by the rank of their lowest common ancestor", ordinal.distance_by_lca, DISTANCE, "neither", "", needs_ranks=True),
    MetricEntry("lca_distance_q95", "Centroid distance by common ancestor, 95 % quantile", "95 % quantile of cosine distance of species centroids by the rank of their lowest common ancestor", ordinal.distance_by_lca, DISTANCE, "neither", "", needs_ranks=True),
    MetricEntry("pagel_lambda", "Tree signal (Pagel's λ)", "share of the covariance between species that the tree carries: 1 under Brownian motion along it", tree_signal.pagel_lambda, SHARE, "higher", "Pagel 1999; Ives et al. 2007"),
    MetricEntry("effective_dimension", "Effective dimension of species", "participation ratio of the covariance of species given their tree", dimension.effective_dimension, DIMENSION, "neither", "Gao et al. 2017"),
    MetricEntry("attainable_cophenetic_correlation", "CPCC under Brownian motion", "the CPCC that Brownian motion along the tree would give with the same spectrum and noise", attainable.attainable_cophenetic_correlation, CORRELATION, "neither", "Felsenstein 1985", invariant=DRAWN),
    MetricEntry("relative_cophenetic_correlation", "CPCC over that of Brownian motion", "CPCC over what Brownian motion along the tree would give with the same spectrum and noise", attainable.attainable_cophenetic_correlation, UNBOUNDED, "higher", "Felsenstein 1985", invariant=DRAWN),
    MetricEntry("k_mult", "Phylogenetic signal (K_mult)", "phylogenetic signal: 1 under Brownian motion along the tree", signal.k_mult, POSITIVE, "higher", "Adams 2014"),
    MetricEntry("k_mult_z", "K_mult, standardised (z)", "K_mult less its mean over permutations of species, in their standard deviations", signal.k_mult, UNBOUNDED, "higher", "Adams & Collyer 2019", invariant=DRAWN),
    MetricEntry("dendrogram_cophenetic_correlation", "Dendrogram heights", "tree distance against height in the dendrogram of centroids", dendrogram.dendrogram_agreement, CORRELATION, "higher", "Sokal & Rohlf 1962"),
    MetricEntry("dendrogram_triplet_accuracy", "Triplets of the dendrogram", "share of the tree's triplets that the dendrogram of centroids resolves alike", dendrogram.dendrogram_agreement, SHARE, "higher", "Critchlow et al. 1996"),
    MetricEntry("dendrogram_purity", "Purity of dendrogram clades", "share of a taxon in the smallest clade of the dendrogram that holds two of its species", dendrogram.dendrogram_purity, SHARE, "higher", "Heller & Ghahramani 2005", needs_ranks=True),
    MetricEntry("robinson_foulds", "Clades that tree and dendrogram do not share", "normalised Robinson-Foulds distance of the dendrogram of species centroids and the tree: share of all their clades that only one of the two has", dendrogram_clades.clade_recovery, SHARE, "lower", "Robinson & Foulds 1981"),
    MetricEntry("clade_recall", "Taxa that are clades of the dendrogram", "share of the tree's clades (at a rank: of its taxa with two species or more) that are clades of the dendrogram of species centroids", dendrogram_clades.clade_recovery, SHARE, "higher", "Robinson & Foulds 1981; Day 1985"),
    MetricEntry("clade_precision", "Clades of the dendrogram that are in the tree", "share of the clades of the dendrogram of species centroids that are clades of the tree; low where the tree has polytomies", dendrogram_clades.clade_recovery, SHARE, "higher", "Robinson & Foulds 1981; Day 1985"),
    MetricEntry("split_half_reliability", "Split-half reliability of distances", "centroid distances from one half of the images against those from the other", reliability.noise_ceiling, CORRELATION, "higher", "Spearman 1910", by_part=True),
    MetricEntry("noise_ceiling", "Noise ceiling of CPCC", "the CPCC of species that follow the tree perfectly and whose images scatter as these do", reliability.noise_ceiling, SHARE, "higher", "Spearman 1910; Brown 1910", by_part=True),
    MetricEntry("disattenuated_cophenetic_correlation", "CPCC over its noise ceiling", "CPCC over its noise ceiling: an estimate of CPCC without scatter", reliability.noise_ceiling, UNBOUNDED, "higher", "Spearman 1904", by_part=True),
    MetricEntry("nested_r2", "Variance explained by the rank", "share of the variance of images that the rank explains beyond the ranks above", variance.variance_by_rank, SHARE, "higher", "analysis of variance", needs_ranks=True),
    MetricEntry("variance_ratio", "Variance between over within taxa (pseudo-F)", "variance between taxa over variance within (pseudo-F)", variance.variance_by_rank, POSITIVE, "higher", "Anderson 2001", needs_ranks=True),
    MetricEntry("variance_component", "Variance component of the rank", "share of the variance of images that arises at the rank, by nested random effects", components.variance_components, UNBOUNDED, "neither", "Henderson 1953", needs_ranks=True),
    MetricEntry("variance_component_between_species", "Variance component of the rank, between species", "share of the variance between species that arises at the rank, by nested random effects", components.variance_components, UNBOUNDED, "neither", "Henderson 1953", needs_ranks=True),
    MetricEntry("heritable_share", "Heritable share", "share of the variance between species that arises above species: what relatives share", components.variance_components, UNBOUNDED, "higher", "Henderson 1953; Lynch & Walsh 1998", needs_ranks=True, by_part=True),
)  # fmt: skip

_RELATIVES = (
    MetricEntry("image_spearman", "Spearman correlation over image pairs", "rank correlation of tree and embedding distance, all pairs of images", ordinal.image_rank_correlations, CORRELATION, "higher", "Spearman 1904", needs_ranks=True),
    MetricEntry("image_kendall_tau_b", "Kendall's tau-b over image pairs", "Kendall's tau-b of tree and embedding distance, all pairs of images", ordinal.image_rank_correlations, CORRELATION, "higher", "Kendall 1945", needs_ranks=True),
    MetricEntry("lca_auc", "AUC against the next rank", "how often images that meet at a rank are closer than images that meet at the next; below 1/2 where distances have another scale in one clade than in another", ordinal.lca_auc, SHARE, "higher", "Mann & Whitney 1947", needs_ranks=True),
    MetricEntry("triplet_accuracy", "Triplets in order", "share of all triplets of images whose nearer relative is the closer", retrieval.triplet_accuracy, SHARE, "higher", "all triplets, none sampled", needs_ranks=True),
    MetricEntry("average_precision", "Average precision", "average precision of finding images of the same taxon", retrieval.precision_by_rank, SHARE, "higher", "Manning et al. 2008, ch. 8", needs_ranks=True),
    MetricEntry("r_precision", "R-precision", "share of the taxon among as many nearest images as it has others", retrieval.precision_by_rank, SHARE, "higher", "Manning et al. 2008, ch. 8", needs_ranks=True),
    MetricEntry("average_precision_other_species", "Average precision among other species", "average precision of finding images of the same taxon and of another species; images of the own species are left out", retrieval.precision_by_rank, SHARE, "higher", "Manning et al. 2008, ch. 8", needs_ranks=True),
    MetricEntry("r_precision_other_species", "R-precision among other species", "share of the taxon among as many nearest images of other species as it has there", retrieval.precision_by_rank, SHARE, "higher", "Manning et al. 2008, ch. 8", needs_ranks=True),
    MetricEntry("hierarchical_ap", "Hierarchical average precision (H-AP)", "average precision where nearer relatives are more relevant (H-AP)", retrieval.hierarchical_ap, SHARE, "higher", "Ramzi et al. 2022", needs_ranks=True),
    MetricEntry("neighbour_lca_depth_1", "Ranks shared with the nearest image", "ranks shared with the nearest image", kinship.neighbour_lca_depth, (0.0, 7.0), "higher", "", needs_ranks=True),
    MetricEntry("neighbour_lca_depth_5", "Ranks shared with the 5 nearest images", "ranks shared with the 5 nearest images", kinship.neighbour_lca_depth, (0.0, 7.0), "higher", "", needs_ranks=True),
    MetricEntry("neighbour_lca_depth_10", "Ranks shared with the 10 nearest images", "ranks shared with the 10 nearest images", kinship.neighbour_lca_depth, (0.0, 7.0), "higher", "", needs_ranks=True),
    MetricEntry("mistake_severity", "Ranks up from a wrong nearest image", "ranks up to the common ancestor with the nearest image, where that is of another species", kinship.mistake_severity, (1.0, 7.0), "lower", "Bertinetto et al. 2020", needs_ranks=True),
    MetricEntry("hubness", "Hubness", "skewness of how often an image is among the 10 nearest of the others: hubs are neighbours of very many", hubs.hubness, UNBOUNDED, "lower", "Radovanović et al. 2010", needs_ranks=True),
    MetricEntry("geodesic_tree_correlation", "Tree correlation along geodesics", "tree distance against distance along the graph of nearest species", shape.geodesic_tree_correlation, CORRELATION, "higher", "Tenenbaum et al. 2000"),
    MetricEntry("delta_hyperbolicity", "Relative delta hyperbolicity", "how far from any tree: relative Gromov delta of 100 species", shape.delta_hyperbolicity, SHARE, "neither", "Gromov 1987; Khrulkov et al. 2020", invariant=DRAWN, needs_ranks=True),
)  # fmt: skip

_SEPARATION = (
    MetricEntry("knn_purity_1", "k-NN purity, k = 1", "share of images whose nearest image is of their taxon", nearest.knn_purity, SHARE, "higher", "leave-one-out", needs_ranks=True),
    MetricEntry("knn_purity_5", "k-NN purity, k = 5", "share of the 5 nearest images that are of the same taxon", nearest.knn_purity, SHARE, "higher", "leave-one-out", needs_ranks=True),
    MetricEntry("knn_purity_10", "k-NN purity, k = 10", "share of the 10 nearest images that are of the same taxon", nearest.knn_purity, SHARE, "higher", "leave-one-out", needs_ranks=True),
    MetricEntry("knn_purity_1_adjusted", "k-NN purity beyond chance, k = 1", "share of images whose nearest image is of their taxon, beyond chance: (purity - chance)/(1 - chance)", nearest.knn_purity, ADJUSTED, "higher", "Cohen 1960", needs_ranks=True),
    MetricEntry("knn_purity_5_adjusted", "k-NN purity beyond chance, k = 5", "share of the 5 nearest images that are of the same taxon, beyond chance: (purity - chance)/(1 - chance)", nearest.knn_purity, ADJUSTED, "higher", "Cohen 1960", needs_ranks=True),
    MetricEntry("knn_purity_10_adjusted", "k-NN purity beyond chance, k = 10", "share of the 10 nearest images that are of the same taxon, beyond chance: (purity - chance)/(1 - chance)", nearest.knn_purity, ADJUSTED, "higher", "Cohen 1960", needs_ranks=True),
    MetricEntry("knn_purity_1_other_species", "k-NN purity among other species, k = 1", "share of images whose nearest image of another species is of their taxon", nearest.knn_purity_other_species, SHARE, "higher", "leave-one-species-out", needs_ranks=True),
    MetricEntry("knn_purity_5_other_species", "k-NN purity among other species, k = 5", "share of the 5 nearest images of other species that are of the same taxon", nearest.knn_purity_other_species, SHARE, "higher", "leave-one-species-out", needs_ranks=True),
    MetricEntry("knn_purity_10_other_species", "k-NN purity among other species, k = 10", "share of the 10 nearest images of other species that are of the same taxon", nearest.knn_purity_other_species, SHARE, "higher", "leave-one-species-out", needs_ranks=True),
    MetricEntry("knn_purity_1_other_children", "1-NN purity among other child taxa", "share of images whose nearest image of another child taxon (of another genus, at family) is of their taxon", nearest.knn_purity_other_children, SHARE, "higher", "leave-one-child-out", needs_ranks=True),
    MetricEntry("cluster_purity", "k-means purity", "share of images in a k-means cluster of their taxon, k = taxa", clusters.cluster_purity, SHARE, "higher", "Manning et al. 2008, eq. 16.1", invariant=CLUSTERED, needs_ranks=True),
    MetricEntry("cluster_purity_adjusted", "k-means purity beyond chance", "share of images in a k-means cluster of their taxon, beyond chance: (purity - chance)/(1 - chance)", clusters.cluster_purity, ADJUSTED, "higher", "Cohen 1960", invariant=SHUFFLED, needs_ranks=True),
    MetricEntry("cluster_ami", "k-means AMI", "adjusted mutual information of k-means clusters and taxa", clusters.cluster_agreement, ADJUSTED, "higher", "Vinh et al. 2010", invariant=CLUSTERED, needs_ranks=True),
    MetricEntry("cluster_ami_adjusted", "k-means AMI beyond chance", "adjusted mutual information of k-means clusters and taxa, beyond that of species permuted over the tips: (value - chance)/(1 - chance)", clusters.cluster_agreement, ADJUSTED, "higher", "Cohen 1960", invariant=SHUFFLED, needs_ranks=True),
    MetricEntry("cluster_ari", "k-means ARI", "adjusted Rand index of k-means clusters and taxa", clusters.cluster_agreement, ADJUSTED, "higher", "Hubert & Arabie 1985", invariant=CLUSTERED, needs_ranks=True),
    MetricEntry("cluster_ari_adjusted", "k-means ARI beyond chance", "adjusted Rand index of k-means clusters and taxa, beyond that of species permuted over the tips: (value - chance)/(1 - chance)", clusters.cluster_agreement, ADJUSTED, "higher", "Cohen 1960", invariant=SHUFFLED, needs_ranks=True),
    MetricEntry("silhouette", "Silhouette", "mean cosine silhouette of the taxa", separation.silhouette, CORRELATION, "higher", "Rousseeuw 1987", needs_ranks=True),
    MetricEntry("panel_purity", "k-means purity in the panel", "k-means purity, k = plotted taxa, in a panel of Section 4.6, full dimension", panels.panel_purity, SHARE, "higher", "as cluster_purity", invariant=CLUSTERED, subject="panels"),
    MetricEntry("panel_purity_adjusted", "k-means purity in the panel beyond chance", "k-means purity in a panel of Section 4.6, full dimension, beyond chance: (purity - chance)/(1 - chance)", panels.panel_purity, ADJUSTED, "higher", "Cohen 1960", invariant=SHUFFLED, subject="panels"),
    MetricEntry("panel_purity_2d", "k-means purity in the panel, in the plane", "k-means purity, k = plotted taxa, in a panel of Section 4.6, in the plane", panels.panel_purity_2d, SHARE, "higher", "as cluster_purity", invariant=("names",), subject="panels"),
    MetricEntry("panel_purity_2d_adjusted", "k-means purity in the panel beyond chance, in the plane", "k-means purity in a panel of Section 4.6, in the plane, beyond chance: (purity - chance)/(1 - chance)", panels.panel_purity_2d, ADJUSTED, "higher", "Cohen 1960", invariant=(), subject="panels"),
    MetricEntry("panel_purity_2d_seeds", "k-means purity in the plane, mean over seeds", "k-means purity in a panel of Section 4.6, in the plane, mean over seeds of the projection; chance: vectors of the same spectrum without structure", projection_quality.panel_purity_2d_seeds, SHARE, "higher", "control: Horn 1965", invariant=("names",), subject="panels"),
    MetricEntry("panel_purity_2d_seeds_sd", "k-means purity in the plane, sd over seeds", "standard deviation over seeds of the projection of k-means purity in a panel of Section 4.6, in the plane", projection_quality.panel_purity_2d_seeds, SHARE, "lower", "", invariant=("names",), subject="panels"),
    MetricEntry("panel_trustworthiness", "Trustworthiness of the plane", "how far the 5 nearest images in the plane of a panel of Section 4.6 are neighbours in full dimension", projection_quality.panel_trustworthiness, SHARE, "higher", "Venna & Kaski 2001", invariant=("names",), subject="panels"),
    MetricEntry("panel_trustworthiness_seeds", "Trustworthiness of the plane, mean over seeds", "trustworthiness of the plane of a panel of Section 4.6, mean over seeds of the projection; chance: vectors of the same spectrum without structure", projection_quality.panel_trustworthiness_seeds, SHARE, "higher", "Venna & Kaski 2001; control: Horn 1965", invariant=("names",), subject="panels"),
    MetricEntry("panel_trustworthiness_seeds_sd", "Trustworthiness of the plane, sd over seeds", "standard deviation over seeds of the projection of trustworthiness of the plane of a panel of Section 4.6", projection_quality.panel_trustworthiness_seeds, SHARE, "lower", "", invariant=("names",), subject="panels"),
)  # fmt: skip

_COMPARISONS = (
    MetricEntry("residual_cophenetic_correlation", "CPCC beyond a control", "CPCC once the centroid distance of a control is regressed out; no causal control", confounds.residual_cophenetic_correlation, CORRELATION, "higher", "Smouse et al. 1986; Guillot & Rousset 2013", subject="control pair"),
    MetricEntry("cka", "Debiased CKA", "debiased linear CKA of two encoders' species centroids", similarity.encoder_similarity, CORRELATION, "neither", "Song et al. 2012; Kornblith et al. 2019", subject="pair"),
    MetricEntry("cka_calibrated", "Debiased CKA beyond chance", "debiased linear CKA above what 95 % of permutations reach: (score - t)/(1 - t), or 0", similarity.encoder_similarity, SHARE, "neither", "Gröger et al. 2026", invariant=DRAWN, subject="pair"),
    MetricEntry("rsa", "RSA", "correlation of two encoders' centroid distances over pairs of species", similarity.encoder_similarity, CORRELATION, "neither", "Kriegeskorte et al. 2008", subject="pair"),
    MetricEntry("rsa_calibrated", "RSA beyond chance", "correlation of two encoders' centroid distances above what 95 % of permutations reach: (score - t)/(1 - t), or 0", similarity.encoder_similarity, SHARE, "neither", "Gröger et al. 2026", invariant=DRAWN, subject="pair"),
    MetricEntry("mutual_knn", "Mutual 10 nearest species", "share of a species' 10 nearest species that two encoders agree on", similarity.encoder_similarity, SHARE, "neither", "Huh et al. 2024", subject="pair"),
    MetricEntry("mutual_knn_calibrated", "Mutual neighbours beyond chance", "share of the 10 nearest species that two encoders agree on, above what 95 % of permutations reach: (score - t)/(1 - t), or 0", similarity.encoder_similarity, SHARE, "neither", "Gröger et al. 2026", invariant=DRAWN, subject="pair"),
)  # fmt: skip

_ANSWERS = (
    MetricEntry("top1_accuracy", "Accuracy", "share of test images whose taxon the probe names", accuracies.top1_accuracy, SHARE, "higher", "linear probe: Alain & Bengio 2017", subject="answers"),
    MetricEntry("top5_accuracy", "Truth among the first five", "share of test images whose taxon is among the first five that the probe ranks", accuracies.top5_accuracy, SHARE, "higher", "", subject="answers"),
    MetricEntry("macro_accuracy", "Accuracy, mean over taxa", "share of test images whose taxon the probe names, averaged over taxa", accuracies.macro_accuracy, SHARE, "higher", "", subject="answers"),
    MetricEntry("clade_accuracy", "Accuracy inside clades", "share of a clade's test images whose taxon the probe names", accuracies.clade_accuracy, SHARE, "higher", "", subject="answers", needs_ranks=True),
    MetricEntry("calibration_error", "Expected calibration error", "how far a probe's confidence is from its share of right answers, 15 bins of equally many", calibration.calibration_error, SHARE, "lower", "Naeini et al. 2015; Guo et al. 2017; Nguyen & O'Connor 2015", subject="answers"),
    MetricEntry("unseen_gap", "Seen less unseen children", "accuracy over taxa with children seen in training less that with children held out, same probes and images", answer_pairs.unseen_gap, CORRELATION, "lower", "", subject="seen and unseen answers"),
    MetricEntry("selectivity", "Selectivity over the control task", "accuracy less that of a control task with labels shuffled between children, same images", answer_pairs.selectivity, CORRELATION, "higher", "Hewitt & Liang 2019", subject="seen and shuffled answers"),
    MetricEntry("path_accuracy", "Whole path right", "share of test images that are named right at every rank", paths.path_accuracy, SHARE, "higher", "Tan et al. 2025", subject="answers at all ranks"),
    MetricEntry("right_prefix", "Ranks right from the top down", "ranks named right from the kingdom down to the first error", paths.right_prefix, (0.0, 7.0), "higher", "", subject="answers at all ranks"),
    MetricEntry("consistent_pairs", "Consecutive ranks both right", "share of pairs of consecutive ranks that are both named right", paths.consistent_pairs, SHARE, "higher", "Tan et al. 2025", subject="answers at all ranks"),
    MetricEntry("rank_consistency", "Answers inside the answer above", "share of answers that lie inside the answer at the next rank up", consistency.rank_consistency, SHARE, "higher", "", subject="answers at all ranks"),
    MetricEntry("wrong_answer_severity", "Ranks up from a wrong answer", "ranks from a wrong answer up to the taxon it shares with the truth", consistency.wrong_answer_severity, (1.0, 7.0), "lower", "Bertinetto et al. 2020", subject="answers at all ranks"),
)  # fmt: skip

_COLUMNS = (
    MetricEntry("column_agreement", "Nearest image of the same value", "share of images whose nearest image has the same value of a column, e.g. photographer", nuisance.column_agreement, SHARE, "lower", "leave-one-out", subject="column of the images"),
    MetricEntry("column_agreement_other_species", "Nearest other species of the same value", "share of images whose nearest image of another species has the same value of a column", nuisance.column_agreement, SHARE, "lower", "leave-one-out", subject="column of the images"),
    MetricEntry("knn_purity_1_within_values", "Nearest other species inside one value", "share of images whose nearest image of another species, among those of the same value of a column, is of their taxon", nuisance.knn_purity_within_values, SHARE, "higher", "leave-one-out", needs_ranks=True, subject="column of the images"),
    MetricEntry("cophenetic_correlation_within_values", "CPCC against permutation inside values", "CPCC of species beside a null that permutes species inside the values of a column only", nuisance.cophenetic_correlation_within_values, CORRELATION, "higher", "Mantel 1967", subject="column of the images"),
)  # fmt: skip

_TEXT = (
    MetricEntry("text_cophenetic_correlation", "CPCC of names", "CPCC of names: tree distance against distance of the names of taxa", text.text_cophenetic_correlation, CORRELATION, "higher", "Sokal & Rohlf 1962; p: Mantel 1967", subject="text"),
    MetricEntry("text_radial_tau", "Radial order of nested names", "Kendall's tau-b of rank and distance of a species' nested names from the name of all life", text.text_radial_tau, CORRELATION, "higher", "Sastry et al. 2025", subject="text"),
    MetricEntry("image_text_rsa", "RSA of images and names", "correlation of distances of images and of names over pairs of taxa", text_images.image_text_rsa, CORRELATION, "higher", "Kriegeskorte et al. 2008", subject="text"),
    MetricEntry("image_text_accuracy", "Centroids nearest to their own name", "share of taxa whose images lie nearest to their own name, by centroid", text_images.image_text_accuracy, SHARE, "higher", "Radford et al. 2021", subject="text"),
)  # fmt: skip

#: Commands that give the numbers of other subjects than embeddings.
COMMANDS = {
    "answers": "probe",
    "answers at all ranks": "probe",
    "answers of two models": "probe",
    "seen and shuffled answers": "probe",
    "seen and unseen answers": "probe",
    "panels": "project",
}

#: The name of a metric with this end is the difference of two encoders in it.
DIFFERENCE = "_difference"
#: The subject of a difference, by the subject of the metric. Other subjects are not compared between encoders.
_COMPARED = {
    "embeddings": "pair",
    "answers": "answers of two models",
    "answers at all ranks": "answers of two models",
}


def _difference(entry: MetricEntry) -> MetricEntry:
    """Return the entry of the difference of two encoders in a metric."""
    low, high = entry.bounds
    return replace(
        entry,
        name=f"{entry.name}{DIFFERENCE}",
        title=f"{entry.title}: difference",
        notes=f"{entry.notes}; of one encoder less that of another, same images",
        function=None,
        bounds=(low - high, high - low),
        source="paired jackknife: Kott 2001",
        subject=_COMPARED[entry.subject],
    )


_ALONE = (*_HIERARCHY, *_RELATIVES, *_SEPARATION, *_COMPARISONS, *_ANSWERS, *_COLUMNS, *_TEXT)
_DIFFERENCES = (_difference(entry) for entry in _ALONE if entry.subject in _COMPARED)

REGISTRY: dict[str, MetricEntry] = {entry.name: entry for entry in (*_ALONE, *_DIFFERENCES)}


def catalogue() -> pd.DataFrame:
    """Return the metrics as a table.

    Returns
    -------
    DataFrame
        Columns name, title, notes, bounds, better, source, invariant, subject and version.

    Examples
    --------
    >>> catalogue()["name"][0]
    'cophenetic_correlation'
    """
    columns = ("name", "title", "notes", "bounds", "better", "source", "invariant", "subject", "version")
    return tables.catalogue(REGISTRY, columns)


def check_metrics(names: Iterable[str]) -> None:
    """Raise an error if a name is no metric, or is a metric of a probe or of panels.

    Parameters
    ----------
    names : iterable of str

    Raises
    ------
    ProbeError
        With the nearest names, or with the command that gives the number.

    Examples
    --------
    >>> check_metrics(["silhouette"])
    >>> check_metrics(["panel_purity"])
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: 'panel_purity' is measured by `bioclip-probe project`
    """
    for name in names:
        tables.check_name("metric", name, REGISTRY)
        if REGISTRY[name].subject in COMMANDS:
            raise ProbeError(f"'{name}' is measured by `bioclip-probe {COMMANDS[REGISTRY[name].subject]}`")
