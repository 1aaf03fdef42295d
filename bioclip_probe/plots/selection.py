"""Which rows of a table a figure draws, and a refusal where that is not one row a point."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bioclip_probe.errors import DataError, some

#: Names to print for metrics; any other is printed with its underscores as spaces.
METRIC_LABELS = {
    "cophenetic_correlation": "Cophenetic correlation (CPCC)",
    "cophenetic_correlation_within": "CPCC, permuted within the rank",
    "balanced_tree_correlation": "CPCC, ranks at one weight",
    "disattenuated_cophenetic_correlation": "CPCC over its noise ceiling",
    "within_clade_correlation": "CPCC inside clades of the rank",
    "residual_cophenetic_correlation": "CPCC beyond a control",
    "image_tree_correlation": "Tree correlation over image pairs",
    "balanced_image_tree_correlation": "Image pairs, ranks at one weight",
    "kendall_tau_b": "Kendall's tau-b",
    "k_mult": "Phylogenetic signal (K_mult)",
    "dendrogram_triplet_accuracy": "Triplets of the dendrogram",
    "dendrogram_cophenetic_correlation": "Dendrogram heights",
    "triplet_accuracy": "Triplets in order",
    "average_precision": "Average precision",
    "hierarchical_ap": "Hierarchical average precision (H-AP)",
    "lca_auc": "AUC against the next rank",
    "nested_r2": "Variance explained by the rank",
    "cka": "Debiased CKA",
    "rsa": "RSA",
    "mutual_knn": "Mutual 10 nearest species",
    "cka_calibrated": "Debiased CKA beyond chance",
    "rsa_calibrated": "RSA beyond chance",
    "mutual_knn_calibrated": "Mutual neighbours beyond chance",
    "cluster_purity": "k-means purity",
    "cluster_purity_adjusted": "k-means purity beyond chance",
    "cluster_ami": "k-means AMI",
    "cluster_ari": "k-means ARI",
    **{f"knn_purity_{k}": f"k-NN purity, k = {k}" for k in (1, 5, 10)},
    **{f"knn_purity_{k}_adjusted": f"k-NN purity beyond chance, k = {k}" for k in (1, 5, 10)},
    "spearman": "Spearman correlation",
    "top1_accuracy": "Accuracy",
    "macro_accuracy": "Accuracy, mean over taxa",
    "top5_accuracy": "Truth among the first five",
    "clade_accuracy": "Accuracy inside clades",
    "calibration_error": "Expected calibration error",
    "unseen_gap": "Seen less unseen children",
    "selectivity": "Selectivity over the control task",
    "top1_accuracy_difference": "Difference in accuracy",
    "path_accuracy": "Whole path right",
    "right_prefix": "Ranks right from the top down",
    "consistent_pairs": "Consecutive ranks both right",
    "rank_consistency": "Answers inside the answer above",
    "wrong_answer_severity": "Ranks up from a wrong answer",
    "text_cophenetic_correlation": "CPCC of names",
    "text_radial_tau": "Radial order of nested names",
    "image_text_rsa": "RSA of images and names",
    "image_text_accuracy": "Centroids nearest to their own name",
    "panel_purity": "k-means purity in the panel",
    "panel_purity_2d": "k-means purity in the panel, in the plane",
    "silhouette": "Silhouette",
}


def metric_label(metric: str) -> str:
    """The name of a metric as printed on an axis."""
    if metric in METRIC_LABELS:
        return METRIC_LABELS[metric]
    words = metric.replace("_", " ")
    return words[:1].upper() + words[1:]


def listed(metrics: Iterable[str]) -> str:
    """Metrics in a sentence: ``k-means purity and linear probe accuracy``."""
    first, *rest = (metric_label(metric) for metric in metrics)
    words = [first, *(label[0].lower() + label[1:] if label[1:2].islower() else label for label in rest)]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def select(measurements: pd.DataFrame, metrics: Iterable[str], space: str | None = None) -> pd.DataFrame:
    """The rows of a `MEASUREMENTS` table that a figure of these metrics draws.

    Parameters
    ----------
    measurements : DataFrame
    metrics : iterable of str
        Names of metrics.
    space : str, optional
        ``raw`` or ``centred``; rows without a space are kept. Every space if not given.

    Returns
    -------
    DataFrame
        Rows of those metrics about all taxa (``taxon`` missing) and one encoder (``encoder_b`` missing). Save it
        beside the figure.

    Raises
    ------
    DataError
        If nothing is left.
    """
    keep = measurements["metric"].isin(list(metrics))
    for column in ("taxon", "encoder_b"):
        if column in measurements:
            keep &= measurements[column].fillna("") == ""
    if space is not None and "space" in measurements:
        keep &= measurements["space"].fillna("").isin([space, ""])
    if not keep.any():
        has = measurements["metric"].unique()
        raise DataError(f"no rows to draw for the metric {some(metrics)}; the table has: {some(has, 12)}")
    return measurements[keep].reset_index(drop=True)


def check_one_each(table: pd.DataFrame, keys: list[str]) -> None:
    """Raise `DataError` if two rows would be drawn at one place, naming the columns in which they differ."""
    twice = table.duplicated(keys, keep=False)
    if not twice.any():
        return
    first = table.loc[twice, keys].iloc[0]
    same = table[(table[keys].fillna("") == first.fillna("")).all(axis=1)]
    differ = [name for name in same if name not in keys and len(same[name].astype(str).unique()) > 1]
    place = ", ".join(str(value) for value in first)
    hint = f"they differ in {some(differ)}" if differ else "they are equal"
    raise DataError(f"{len(same)} rows for {place}, a figure draws one; {hint}: select first")
