"""The registry of figures: what each figure of a study shows, the rows it draws, and the function that draws it.

To add a figure, write a file in `bioclip_probe.plots.figures` with its `FigureEntry`, and its line in `REGISTRY`.
"""

from __future__ import annotations

from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.figures import (
    alignment,
    by_metric,
    calibration,
    clade_differences,
    controls,
    differences,
    drilldown,
    endpoints,
    headline,
    layers,
    projection,
    sample_efficiency,
    signal,
    staircase,
    strays,
    variance,
)
from bioclip_probe.plots.figures.by_metric import LINEAR_PANELS as LINEAR_PANELS
from bioclip_probe.plots.figures.by_metric import TEXT as TEXT
from bioclip_probe.tables import check_name

_ENTRIES: tuple[FigureEntry, ...] = (
    endpoints.ENTRY,
    differences.ENTRY,
    headline.ENTRY,
    signal.ENTRY,
    drilldown.TSNE,
    drilldown.UMAP,
    projection.ENTRY,
    variance.ENTRY,
    by_metric.WITHIN_RANKS_ENTRY,
    clade_differences.ENTRY,
    controls.ENTRY,
    by_metric.AGREEMENT_ENTRY,
    by_metric.RELATIVES_ENTRY,
    staircase.ENTRY,
    by_metric.PURITY_ENTRY,
    strays.ENTRY,
    by_metric.SIMILARITY_ENTRY,
    by_metric.ACCURACY_ENTRY,
    alignment.ENTRY,
    sample_efficiency.ENTRY,
    by_metric.ZERO_SHOT_ENTRY,
    calibration.ENTRY,
    by_metric.TEXT_SIDE_ENTRY,
    layers.ENTRY,
)

REGISTRY: dict[str, FigureEntry] = {entry.name: entry for entry in _ENTRIES}


def check_names(names: list[str] | tuple[str, ...]) -> None:
    """Raise an error if one of the names is not the name of a figure.

    Parameters
    ----------
    names : list of str

    Raises
    ------
    ProbeError
        With the nearest names.

    Examples
    --------
    >>> check_names(["headline"])
    """
    for name in names:
        check_name("figure", name, REGISTRY)
