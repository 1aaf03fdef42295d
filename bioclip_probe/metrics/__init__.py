"""Metrics: each returns a number. `catalogue` says what each is; `measure` computes all of them at every rank.

===============  ============================================================================
`hierarchy`      tree distance against embedding distance, over species and over images
`ordinal`        the same by ranks; the distance of two species by what they share
`retrieval`      triplets, average precision, the kinship of nearest neighbours
`clades`         the same inside each clade
`variance`       what taxa of each rank explain
`reliability`    the most that the scatter of images lets be reached
`confounds`      what is left once a control is taken out
`separation`     purity of neighbours and clusters, silhouette
`signal`         phylogenetic signal
`dendrogram`     the tree that the embedding itself would draw
`shape`          how tree-like the embedding is, whatever the tree
`similarity`     two encoders beside each other
`scores`         numbers from one score an image, accuracy and calibration of answers
`answers`        all of a probe's answers at one rank; two protocols, two models
`paths`          answers across ranks
`text`           names of taxa, and images beside their names
`suite`          all of it on one embedding; `comparisons` on two
===============  ============================================================================

To add one: write a function that takes arrays and returns an `Estimate`, add its line to `catalogue.CATALOGUE` and its
call to `suite`, and test it against its plain definition.
"""

from bioclip_probe.metrics.answers import (
    Answers,
    clade_accuracies,
    compare_answers,
    score_answers,
    selectivity,
    unseen_gap,
)
from bioclip_probe.metrics.catalogue import CATALOGUE, Metric, catalogue
from bioclip_probe.metrics.comparisons import compare, compare_with_control
from bioclip_probe.metrics.paths import PathAnswers, score_paths
from bioclip_probe.metrics.suite import agreement, measure, measure_panels, stream, structure
from bioclip_probe.metrics.text import measure_image_text, measure_text

__all__ = [
    "CATALOGUE",
    "Answers",
    "Metric",
    "PathAnswers",
    "agreement",
    "catalogue",
    "clade_accuracies",
    "compare",
    "compare_answers",
    "compare_with_control",
    "measure",
    "measure_image_text",
    "measure_panels",
    "measure_text",
    "score_answers",
    "score_paths",
    "selectivity",
    "stream",
    "structure",
    "unseen_gap",
]
