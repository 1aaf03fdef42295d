"""Projections: embeddings to points in the plane, and the drill-down of Section 4.6 that draws them.

A method takes vectors and gives coordinates. To add one, write a file with its function and its ``settings``,
and a line in `METHODS`.

================  ==========================================================================
`METHODS`         the methods by name; `catalogue` is the same as a table
`drill_down`      the panels of Section 4.6: which images, which six taxa, at each rank
`project`         the coordinates of every image of every panel, as a table
`cut_outliers`    the points that the drawing leaves out, by either mode's rule
`record`          what was embedded in each panel and with which settings, for the run's record
================  ==========================================================================
"""

from __future__ import annotations

import pandas as pd

from bioclip_probe.projections.methods import METHODS, Method
from bioclip_probe.projections.outliers import MODES, cut_outliers, is_outlier, squared_mahalanobis
from bioclip_probe.projections.panels import FIGURE_RANKS, Panel, drill_down, project, record

__all__ = [
    "FIGURE_RANKS",
    "METHODS",
    "MODES",
    "Method",
    "Panel",
    "catalogue",
    "cut_outliers",
    "drill_down",
    "is_outlier",
    "project",
    "record",
    "squared_mahalanobis",
]


def catalogue() -> pd.DataFrame:
    """The methods: their name, what each does, and where it comes from."""
    return pd.DataFrame([(m.name, m.what, m.source) for m in METHODS.values()], columns=["name", "what", "source"])
