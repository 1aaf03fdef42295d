"""The primary endpoints of each model, and the numbers that are read beside them."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe.plots.dots import dots
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.selection import Tables, endpoint_tree, measured
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.probes import UNSEEN
from bioclip_probe.tables import agrees

METRICS = (
    "cophenetic_correlation",
    "pagel_lambda",
    "effective_dimension",
    "heritable_share",
    "knn_purity_1_other_species",
    "macro_accuracy",
)
TITLES = {
    "knn_purity_1_other_species": "1-NN among other species, family",
    "macro_accuracy": "Family named, genus never seen",
}


def endpoint_rows(tables: Tables, settings: FigureSettings) -> pd.DataFrame:
    """Return the primary endpoints, and the numbers that are read beside them.

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
        If none is defined.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models("species").assign(metric="pagel_lambda", tree="taxonomy", split="all")
    >>> len(endpoint_rows({"measurements": table}, FigureSettings()))
    2
    """
    settings = endpoint_tree(tables, settings)
    rows = measured(tables, METRICS, {"rank": ["species", "family"]}, settings)
    of_images = rows["rank"].eq("species") & rows["split"].eq("all") & rows["probe"].isna()
    neighbors = rows["metric"].eq("knn_purity_1_other_species") & rows["rank"].eq("family")
    probe = {"probe": "linear", "split": "test", "rank": "family", "protocol": UNSEEN, "shots": None}
    of_probe = agrees(rows, {**probe, "metric": "macro_accuracy"})
    kept = (of_images & ~rows["metric"].eq("knn_purity_1_other_species")) | neighbors | of_probe
    return rows[kept].reset_index(drop=True)


def draw_endpoints(rows: pd.DataFrame, settings: FigureSettings) -> Figure:
    """Return a panel of dots for each number.

    Parameters
    ----------
    rows : DataFrame
        As `endpoint_rows` returns them.
    settings : FigureSettings

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> len(draw_endpoints(two_models("species").assign(metric="pagel_lambda"), FigureSettings()).axes)
    1
    """
    return dots(rows, METRICS, settings, titles=TITLES)


ENTRY = FigureEntry(
    "endpoints",
    "Does the embedding follow the tree?",
    "CPCC: correlation of tree distance and distance of species. Tree signal (Pagel's λ): share of what the "
    "embedding says about species that is inherited along the tree; read it with the effective dimension, the "
    "number of independent directions in which species differ, since one heritable trait has a high λ too. "
    "Heritable share: variance above species over variance between species. 1-NN: is the nearest image of another "
    "species of the same family? Unseen children: does a family probe name genera that it never saw? Bars: 95 % "
    "intervals. Grey: chance. The first three are on the phylogeny where there is one.",
    draw_endpoints,
    endpoint_rows,
)
