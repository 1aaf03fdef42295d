"""The figure of sample efficiency: accuracy of the linear probe by the images of each taxon that it learnt from."""

from __future__ import annotations

import pandas as pd

from bioclip_probe.errors import DataError
from bioclip_probe.plots.curves import curves
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.selection import Tables, measured
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.probes import SEEN


def efficiency_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return the accuracy of the linear probe by shots, at the ranks that have a point after a number of images.

    Parameters
    ----------
    tables : mapping from str to DataFrame
    settings : FigureSettings

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If the probe learnt from all images only.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models("family").assign(metric="top1_accuracy", tree="taxonomy", split="test", probe="linear")
    >>> table = table.assign(protocol="seen")
    >>> len(efficiency_rows({"measurements": table.assign(shots=5)}, FigureSettings()))
    2
    """
    where = {"probe": "linear", "split": "test", "protocol": SEEN}
    rows = measured(tables, ("top1_accuracy",), where, settings)
    ranks = rows.loc[rows["shots"].notna(), "rank"].unique()
    if not len(ranks):
        raise DataError("no probe was asked after a number of images a taxon; ask with --shots 1 2 5 10")
    return rows[rows["rank"].isin(ranks)].reset_index(drop=True)


ENTRY = FigureEntry(
    "sample_efficiency",
    "How few images suffice",
    "Accuracy of the linear probe by the number of training images of each taxon, on the same test images (a taxon "
    "with fewer gives all that it has). Right end: trained on all images. In brackets: taxa. Grey: chance.",
    lambda rows, settings: curves(rows, settings),
    efficiency_rows,
)
