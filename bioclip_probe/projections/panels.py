"""The drill-down of Section 4.6: from all life to the species of one genus, always into the largest taxon.

At each rank the six taxa with most images are plotted, and the largest of them is the focus of the next panel. Which
images and which taxa a panel has depends on the taxonomy alone, so every encoder is drawn in the same panels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.methods import METHODS, obstacle
from bioclip_probe.projections.outliers import MODES, cut_outliers
from bioclip_probe.tables import COORDINATES, RANKS
from bioclip_probe.tree import Placement, Tree
from bioclip_probe.tree.tree import read_only

FIGURE_RANKS = RANKS[1:]  # the published figure leaves the kingdoms out
N_PLOTTED = 6
COLUMNS = [name for name in COORDINATES.names if name not in ("run", "encoder", "dataset", "image_id")]


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel: the images of the taxon in focus, by the taxa of one rank.

    Attributes
    ----------
    rank : str
        Rank of the taxa that are told apart.
    focus : int
        Node of the taxon in focus; 0, the root, for all life.
    rows : (n,) int64
        The images embedded: all of the taxon in focus, in ascending order.
    taxon : (n,) int64
        Each image's node at `rank`; −1 where that is a hole.
    plotted : tuple of int
        Nodes of at most six taxa with most images, in alphabetical order; a colour goes with the position.
    n_taxa : int
        Taxa of that rank in the focus, plotted or not.
    """

    rank: str
    focus: int
    rows: np.ndarray
    taxon: np.ndarray
    plotted: tuple[int, ...]
    n_taxa: int

    @property
    def n_images(self) -> int:
        """Images embedded."""
        return len(self.rows)

    @property
    def n_unnamed(self) -> int:
        """Images embedded that have no name at this rank; they belong to no taxon of the panel."""
        return int((self.taxon < 0).sum())

    @property
    def n_plotted(self) -> tuple[int, ...]:
        """Images of each plotted taxon, in the order of `plotted`."""
        return tuple(int((self.taxon == node).sum()) for node in self.plotted)


def drill_down(placement: Placement, ranks: tuple[str, ...] = RANKS) -> list[Panel]:
    """The panels of Section 4.6, kingdom to species.

    The six taxa with most images are plotted, ties going to the alphabetically first; the walk descends into the
    plotted taxon with most images, the alphabetically first on a tie. Where nothing in the focus has a name at a
    rank, that panel has no taxa and the walk goes on from the same focus.

    Parameters
    ----------
    placement : Placement
        Where each of the n images sits in the taxonomy.
    ranks : tuple of str
        Panels to return. The walk always begins at kingdom, so this changes no panel.

    Returns
    -------
    list of Panel
        One for each of `ranks`, in their order from kingdom to species.

    References
    ----------
    S. Stevens et al. BioCLIP: A Vision Foundation Model for the Tree of Life. CVPR 2024, Section 4.6.
    """
    panels, focus, rows = [], 0, np.arange(len(placement.node))
    for rank in RANKS:
        taxon = placement.at(rank)[rows]
        nodes, counts = np.unique(taxon[taxon >= 0], return_counts=True)
        name = {node: (str(placement.tree.name[node]), placement.tree.path(node)) for node in nodes.tolist()}
        largest = sorted(zip(nodes.tolist(), counts.tolist(), strict=True), key=lambda pair: (-pair[1], name[pair[0]]))
        plotted = tuple(sorted((node for node, _ in largest[:N_PLOTTED]), key=name.get))
        panels.append(Panel(rank, focus, read_only(rows), read_only(taxon), plotted, len(nodes)))
        if largest:
            focus = largest[0][0]
            rows = rows[taxon == focus]
    return [panel for panel in panels if panel.rank in ranks]


def project(
    vectors: np.ndarray,
    placement: Placement,
    method: str = "tsne",
    mode: str = "corrected",
    seed: int = 0,
    ranks: tuple[str, ...] = FIGURE_RANKS,
) -> pd.DataFrame:
    """The coordinates of every image in every panel of the drill-down, each panel fitted anew.

    Parameters
    ----------
    vectors : (n, d) float
        One row for each image of `placement`, unit length.
    placement : Placement
        Where each image sits in the taxonomy.
    method : str
        Name in `METHODS`.
    mode : "corrected" or "paper"
        The outlier rule, see `is_outlier`. The authors' script set no seed; a run here always has one, in either
        mode: it is one draw of the same procedure, and can be had again.
    seed : int
        Each panel draws from its own stream, so leaving a rank out changes no other.
    ranks : tuple of str
        The panels to embed.

    Returns
    -------
    DataFrame
        The `COORDINATES` columns without ``run``, ``encoder``, ``dataset`` and ``image_id``; in place of the last,
        ``row`` is the image's row in `vectors`. One row for each image of each panel, in panel order: also those of
        taxa that are not plotted, and those without a name at the rank (``taxon`` missing). A panel that cannot be
        embedded keeps its rows, with NaN coordinates; `record` says why.

    Raises
    ------
    ProbeError
        Unknown method or mode, rows that do not match, or values that are not finite.
    """
    if method not in METHODS:
        raise ProbeError(f"unknown projection '{method}'; expected one of: {', '.join(METHODS)}")
    if mode not in MODES:
        raise ProbeError(f"unknown mode '{mode}'; expected one of: {', '.join(MODES)}")
    _check(vectors, placement)
    frames = []
    for panel in drill_down(placement, ranks):
        inside = vectors[panel.rows]
        points = np.full((panel.n_images, 2), np.nan)
        if not obstacle(inside):
            points = METHODS[method].embed(inside, np.random.default_rng([seed, RANKS.index(panel.rank)]))
        frames.append(_frame(panel, placement.tree, points).assign(method=method))
    columns = dict.fromkeys(("method", "rank", "focus", "taxon"), "str")
    together = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["plotted", "row", "x", "y"])
    together = cut_outliers(together.reindex(columns=[*COLUMNS, "row"]).astype(columns), mode)
    return together.astype({"plotted": bool, "row": "int64", "x": "float64", "y": "float64"})


def record(
    vectors: np.ndarray,
    placement: Placement,
    method: str = "tsne",
    mode: str = "corrected",
    seed: int = 0,
    ranks: tuple[str, ...] = FIGURE_RANKS,
) -> list[dict]:
    """What `project` does with the same arguments: one JSON-able entry for each panel.

    Returns
    -------
    list of dict
        ``rank``, ``focus``, ``n_images``, ``n_taxa``, ``n_unnamed``, ``plotted`` (taxon to images), ``method``,
        ``mode``, ``seed``, ``settings`` (as used for that many images), and ``note``: why a panel was not embedded.
    """
    entries = []
    for panel in drill_down(placement, ranks):
        note = obstacle(vectors[panel.rows])
        paths = [placement.tree.path(node) for node in panel.plotted]
        entries.append(
            {
                "rank": panel.rank,
                "focus": placement.tree.path(panel.focus),
                "n_images": panel.n_images,
                "n_taxa": panel.n_taxa,
                "n_unnamed": panel.n_unnamed,
                "plotted": dict(zip(paths, panel.n_plotted, strict=True)),
                "method": method,
                "mode": mode,
                "seed": seed,
                "settings": {} if note else METHODS[method].settings(panel.n_images),
                "note": note,
            }
        )
    return entries


def _frame(panel: Panel, tree: Tree, points: np.ndarray) -> pd.DataFrame:
    nodes, which = np.unique(panel.taxon, return_inverse=True)
    paths = np.array([tree.path(node) if node >= 0 else None for node in nodes.tolist()], object)
    return pd.DataFrame(
        {
            "rank": panel.rank,
            "focus": tree.path(panel.focus),
            "taxon": pd.Series(paths[which], dtype="str"),
            "plotted": np.isin(panel.taxon, panel.plotted),
            "row": panel.rows,
            "x": points[:, 0],
            "y": points[:, 1],
        }
    )


def _check(vectors: np.ndarray, placement: Placement) -> None:
    if vectors.ndim != 2 or len(vectors) != len(placement.node):
        raise ProbeError(f"expected one vector for each of {len(placement.node)} images, got shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise ProbeError(
            f"{int((~np.isfinite(vectors).all(1)).sum())} vectors have values that are not finite; embed anew"
        )
