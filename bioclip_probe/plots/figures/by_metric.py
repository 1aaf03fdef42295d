"""Figures that draw some metrics with one kind of chart: by rank, as dots, or as a matrix."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe.extraction.prompts import MAIN_TYPE, PLAIN_TYPE
from bioclip_probe.metrics.endpoints import LINEAR
from bioclip_probe.plots.by_rank import by_rank
from bioclip_probe.plots.dots import dots
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.matrix import matrix
from bioclip_probe.plots.selection import OF_TWO_MODELS, Tables, endpoint_tree, measured
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.probes import SEEN, SEEN_CHILDREN, SHUFFLED, UNSEEN

AGREEMENT = (
    "relative_cophenetic_correlation",
    "disattenuated_cophenetic_correlation",
    "balanced_tree_correlation",
    "image_tree_correlation",
    "kendall_tau_b",
    "k_mult_z",
)
WITHIN = ("cophenetic_correlation", "within_clade_correlation")
RELATIVES = ("triplet_accuracy", "average_precision_other_species", "lca_auc")
NEIGHBOURS = ("knn_purity_1_other_species", "cluster_purity_adjusted")
TEXT = ("text_cophenetic_correlation", "image_text_rsa", "image_text_accuracy")
#: The protocols of the linear probe, and the titles of their panels.
LINEAR_PANELS = {
    SEEN: "Other images of the same taxa",
    SEEN_CHILDREN: "Children seen in training",
    UNSEEN: "The same images, children never seen",
    SHUFFLED: "Control: labels shuffled",
}
#: The zero-shot probes, and the titles of their panels.
ZERO_SHOT_PANELS = {"zero_shot": "Names of the rank", "zero_shot_summed": "Names of its species, summed"}

Select = Callable[[Tables, FigureSettings], pd.DataFrame]
Draw = Callable[[pd.DataFrame, FigureSettings], Figure]


def _rows(metrics: tuple[str, ...], **where: object) -> Select:
    """Return the function that selects the measurements of some metrics."""
    return lambda tables, settings: measured(tables, metrics, where, settings)


def _rows_on_endpoint_tree(metrics: tuple[str, ...], **where: object) -> Select:
    """Return the function that selects the measurements of some metrics on the tree of the primary endpoints."""
    return lambda tables, settings: measured(tables, metrics, where, endpoint_tree(tables, settings))


def _panels_by_rank(metrics: tuple[str, ...]) -> Draw:
    """Return the function that draws a panel by rank for each metric."""
    return lambda rows, settings: by_rank(rows, metrics, settings)


AGREEMENT_ENTRY = FigureEntry(
    "agreement",
    "Agreement with the tree, by other measures",
    "CPCC over the value that evolution along the tree would give an embedding of the same spectrum and noise; "
    "CPCC corrected for the scatter of images within species; CPCC with equal weights for the ranks of common "
    "ancestors (otherwise the deepest splits, which hold nearly all pairs, decide alone); the correlation over "
    "all pairs of images; Kendall's tau-b; and K_mult in standard deviations of its values with species permuted. "
    "Grey: chance.",
    lambda rows, settings: dots(rows, AGREEMENT, settings),
    _rows_on_endpoint_tree(AGREEMENT, rank="species", split="all"),
)
WITHIN_RANKS_ENTRY = FigureEntry(
    "within_ranks",
    "How far each rank follows the tree",
    "CPCC over the taxa of the rank; CPCC of the species inside each clade of the rank, mean over clades. Grey: "
    "chance.",
    _panels_by_rank(WITHIN),
    _rows(WITHIN, split="all"),
)
RELATIVES_ENTRY = FigureEntry(
    "relatives",
    "Are relatives nearer?",
    "The share of triplets (an image, a nearer and a farther relative) in which the nearer relative is the closer "
    "one, by the rank of its common ancestor with the image; average precision of finding images of the same "
    "taxon among other species; and how often a pair with its common ancestor at a rank is closer than a pair with "
    "its common ancestor at the next rank above, which may fall below chance where clades differ in scale. Grey: "
    "chance.",
    _panels_by_rank(RELATIVES),
    _rows(RELATIVES, split="all"),
)
PURITY_ENTRY = FigureEntry(
    "purity_by_rank",
    "Purity by rank",
    "Share of images whose nearest image of another species is of their own taxon, and share that lie in a k-means "
    "cluster of their taxon (k = number of taxa), beyond what a model reaches that recognises species and knows no "
    "tree. Grey: chance.",
    _panels_by_rank(NEIGHBOURS),
    _rows(NEIGHBOURS, split="all"),
)
SIMILARITY_ENTRY = FigureEntry(
    "similarity",
    "How alike two models are",
    "Debiased linear CKA, correlation of species distances (RSA), and the share of a species' 10 nearest species "
    "that both agree on; each above what 95 % of permutations reach, so that embeddings of different widths can be "
    "compared.",
    lambda rows, settings: matrix(rows, OF_TWO_MODELS, settings),
    _rows(OF_TWO_MODELS),
)
ACCURACY_ENTRY = FigureEntry(
    "accuracy_by_rank",
    "Linear probes by rank",
    "Macro accuracy (mean over taxa) of a logistic regression on frozen embeddings. Other images: it learnt from "
    "other images of the same taxa. Children seen and never seen: the same images are asked about, by probes in "
    "which all taxa weigh the same; their child taxa (of a family: its genera) were in training, or were held out "
    "whole, so that the probe cannot know a taxon by its children. Control: each child taxon has the label of "
    "another. Grey: chance.",
    lambda rows, settings: by_rank(rows, ("macro_accuracy",), settings, panels=LINEAR_PANELS),
    _rows(("macro_accuracy",), **LINEAR, protocol=list(LINEAR_PANELS), shots=None),
)
ZERO_SHOT_ENTRY = FigureEntry(
    "zero_shot",
    "Named without learning",
    "Accuracy of naming the taxon whose name, in a prompt, lies nearest to the image: names of the rank itself, "
    "and the taxon whose species' names are the most probable together. For models that take text. Grey: chance.",
    lambda rows, settings: by_rank(rows, ("top1_accuracy",), settings, panels=ZERO_SHOT_PANELS, by="probe"),
    _rows(("top1_accuracy",), split="test", probe=list(ZERO_SHOT_PANELS), protocol=MAIN_TYPE),
)
TEXT_SIDE_ENTRY = FigureEntry(
    "text_side",
    "The text side",
    "CPCC of the embeddings of names, without images; correlation between the distances of taxa by their images "
    "and by their names (RSA); share of taxa whose images lie nearest to their own name. For models that take "
    "text. Grey: chance.",
    _panels_by_rank(TEXT),
    _rows(TEXT, protocol=PLAIN_TYPE),
)
