"""Plots: a table in, a matplotlib figure out. Nothing here computes a number.

===============  =====================================================================
`drilldown`      the figure of Section 4.6, for any set of models
`dots`           many measures at one look
`headline`       one number for each model with its interval, raw and centred
`by_rank`        purity, probe accuracy or any other metric by rank, with chance
`by_layer`       agreement with the tree by depth, for encoders named layer:N:MODEL
`curves`         a number against the images per taxon that a probe learnt from
`matrix`         how alike any two models are
`staircase`      the distance of two species by the lowest rank that they share
`registry`       the figures of a study: what each shows, its rows, how it is drawn
`selection`      the rows of a table that a figure draws
`saving`         a figure as PDF and PNG with its table and its record
===============  =====================================================================

Every figure takes a `FigureSettings`: the models to draw, the controls among them, the heading.
"""

from bioclip_probe.plots.by_layer import by_layer
from bioclip_probe.plots.by_rank import by_rank
from bioclip_probe.plots.curves import curves
from bioclip_probe.plots.dots import dots
from bioclip_probe.plots.drilldown import drilldown
from bioclip_probe.plots.headline import headline
from bioclip_probe.plots.matrix import matrix
from bioclip_probe.plots.saving import save
from bioclip_probe.plots.selection import select
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.plots.staircase import staircase
from bioclip_probe.plots.style import PAPER_COLORS, SAFE_COLORS

__all__ = [
    "PAPER_COLORS",
    "SAFE_COLORS",
    "FigureSettings",
    "by_layer",
    "by_rank",
    "curves",
    "dots",
    "drilldown",
    "headline",
    "matrix",
    "save",
    "select",
    "staircase",
]
