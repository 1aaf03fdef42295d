"""Plots: a table in, a matplotlib figure out. Nothing here computes a result.

Each figure of a study is called with results and picks its own rows, ``bp.plots.headline(bp.results.read("out"))``:

======================  ==============================================================================
`endpoints`             the primary endpoints, and what is read beside them
`differences`           the paired difference of every two models in the primary endpoints
`headline`              one number for each model with its interval, raw and centred
`signal`                tree signal against effective dimension, with CPCC as colour
`drilldown`             the figure of Section 4.6, for any set of models; `drilldown_umap` by UMAP
`projection`            what the plane keeps of its panels, over seeds and beside a control
`variance`              at which rank species differ
`within_ranks`          CPCC of the taxa of a rank, and inside its clades
`clades`                where two models differ, clade by clade
`controls`              what is left of CPCC beyond pixels, colours and an untrained network
`agreement`             agreement with the tree by other measures
`relatives`             triplets, average precision and AUC by rank
`staircase`             the distance of two species by the lowest rank that they share
`purity_by_rank`        purity of neighbours and clusters by rank
`strays`                what images are taken for
`similarity`            how alike any two models are
`accuracy_by_rank`      linear probes by rank, under each protocol
`alignment`             accuracy against alignment with the tree
`sample_efficiency`     accuracy by the images of each taxon that the probe learnt from
`zero_shot`             accuracy by names of taxa
`calibration`           confidence of the probes and share of correct answers
`text_side`             how names follow the tree, and agree with images
`layers`                agreement with the tree by layer, for encoders named layer:N:MODEL
======================  ==============================================================================

`facing_trees` draws the dendrogram of a model's centroids face to face with the taxonomy; it needs vectors, which
results do not hold. Charts of any metric take a table: `dots`, `by_rank`, `curves`, `matrix`. All take a
`FigureSettings`: the models to draw, the width on paper, the space, the tree. `save` writes a figure with its table and
its record.
"""

from bioclip_probe.plots.by_rank import by_rank
from bioclip_probe.plots.curves import curves
from bioclip_probe.plots.dots import dots
from bioclip_probe.plots.figures.facing_trees import facing_trees
from bioclip_probe.plots.matrix import matrix
from bioclip_probe.plots.registry import REGISTRY
from bioclip_probe.plots.saving import save
from bioclip_probe.plots.selection import select
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.style import PAPER_COLORS, SAFE_COLORS

accuracy_by_rank = REGISTRY["accuracy_by_rank"]
agreement = REGISTRY["agreement"]
alignment = REGISTRY["alignment"]
calibration = REGISTRY["calibration"]
clades = REGISTRY["clades"]
controls = REGISTRY["controls"]
differences = REGISTRY["differences"]
drilldown = REGISTRY["drilldown"]
drilldown_umap = REGISTRY["drilldown_umap"]
endpoints = REGISTRY["endpoints"]
headline = REGISTRY["headline"]
layers = REGISTRY["layers"]
projection = REGISTRY["projection"]
purity_by_rank = REGISTRY["purity_by_rank"]
relatives = REGISTRY["relatives"]
sample_efficiency = REGISTRY["sample_efficiency"]
signal = REGISTRY["signal"]
similarity = REGISTRY["similarity"]
staircase = REGISTRY["staircase"]
strays = REGISTRY["strays"]
text_side = REGISTRY["text_side"]
variance = REGISTRY["variance"]
within_ranks = REGISTRY["within_ranks"]
zero_shot = REGISTRY["zero_shot"]

__all__ = [
    "PAPER_COLORS",
    "REGISTRY",
    "SAFE_COLORS",
    "FigureSettings",
    "accuracy_by_rank",
    "agreement",
    "alignment",
    "by_rank",
    "calibration",
    "clades",
    "controls",
    "curves",
    "differences",
    "dots",
    "drilldown",
    "drilldown_umap",
    "endpoints",
    "facing_trees",
    "headline",
    "layers",
    "matrix",
    "projection",
    "purity_by_rank",
    "relatives",
    "sample_efficiency",
    "save",
    "select",
    "signal",
    "similarity",
    "staircase",
    "strays",
    "text_side",
    "variance",
    "within_ranks",
    "zero_shot",
]
