"""The registry of projections; importing this module is cheap.

To add a projection, write a file with its function and the function of its settings, add functions that import them and
an entry here, and its test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioclip_probe.tables import Entry
from bioclip_probe.tables import catalogue as entries_as_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class ProjectionEntry(Entry):
    """One projection of the registry.

    Attributes
    ----------
    function : callable
        ``function(vectors (n, d), rng, mode) -> (n, 2) float64``; only t-SNE depends on the mode.
    settings : callable
        ``settings(n, mode) -> dict``: every setting that the function uses for n images, JSON-able.
    source : str
        The publication of the method.
    in_threads : bool
        True if it can project several panels side by side in threads. UMAP cannot: it holds the interpreter's lock, and
        its compiled loops must not be entered twice.
    version : int
        Raise it when its coordinates change for the same input, see `metrics.registry.MetricEntry`.
    """

    function: Callable[[np.ndarray, np.random.Generator, str], np.ndarray]
    settings: Callable[[int, str], dict[str, object]]
    source: str
    in_threads: bool = False
    version: int = 1


# Each function imports its method when it is called: `--help` needs the names only, and would wait for NumPy.
def _tsne(vectors: np.ndarray, rng: np.random.Generator, mode: str) -> np.ndarray:
    from bioclip_probe.projections.tsne import tsne

    return tsne(vectors, rng, mode)


def _tsne_settings(n: int, mode: str) -> dict[str, object]:
    from bioclip_probe.projections.tsne import tsne_settings

    return tsne_settings(n, mode)


def _umap(vectors: np.ndarray, rng: np.random.Generator, mode: str) -> np.ndarray:
    from bioclip_probe.projections.umap import umap

    return umap(vectors, rng, mode)


def _umap_settings(n: int, mode: str) -> dict[str, object]:
    from bioclip_probe.projections.umap import umap_settings

    return umap_settings(n, mode)


def _pca(vectors: np.ndarray, rng: np.random.Generator, mode: str) -> np.ndarray:
    from bioclip_probe.projections.pca import pca

    return pca(vectors, rng, mode)


def _pca_settings(n: int, mode: str) -> dict[str, object]:
    from bioclip_probe.projections.pca import pca_settings

    return pca_settings(n, mode)


REGISTRY: dict[str, ProjectionEntry] = {
    entry.name: entry
    for entry in (
        ProjectionEntry(
            name="tsne",
            title="t-SNE, as in the paper's figure: keeps near neighbours; openTSNE, or scikit-learn in `paper` mode",
            function=_tsne,
            settings=_tsne_settings,
            source="van der Maaten & Hinton 2008",
            in_threads=True,
        ),
        ProjectionEntry(
            name="umap",
            title="UMAP with umap-learn's defaults: keeps near neighbours, and more of what lies between groups",
            function=_umap,
            settings=_umap_settings,
            source="McInnes et al. 2018",
        ),
        ProjectionEntry(
            name="pca",
            title="the plane of largest variance: linear, so that no distance in it is larger than the true one",
            function=_pca,
            settings=_pca_settings,
            source="Pearson 1901",
        ),
    )
}


def catalogue() -> pd.DataFrame:
    """Return the projections as a table.

    Returns
    -------
    DataFrame
        Columns name, title and source.

    Examples
    --------
    >>> catalogue()["name"].tolist()
    ['tsne', 'umap', 'pca']
    """
    return entries_as_table(REGISTRY, ("name", "title", "source"))
