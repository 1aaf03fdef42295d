"""The drill-down of Section 4.6: from all life to the species of one genus, always into the largest taxon.

At each rank the six taxa with most images are plotted, and the largest of them is the focus of the next panel. The
images and taxa of a panel depend on the taxonomy alone, so every encoder is drawn in the same panels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement
from bioclip_probe.tree.tree import read_only

FIGURE_RANKS = RANKS[1:]  # the published figure leaves the kingdoms out
N_PLOTTED = 6


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel: the images of the taxon in focus, with their taxa at one rank.

    Attributes
    ----------
    rank : str
        Rank of the taxa of the panel.
    focus : int
        Node of the taxon in focus; 0, the root, for all life.
    rows : ndarray, shape (n,), int64
        Row numbers of the images of the panel: all images of the taxon in focus, ascending.
    taxon : ndarray, shape (n,), int64
        Node of each image at `rank`; −1 where its name at that rank is not known.
    plotted : tuple of int
        Nodes of the taxa with most images, at most six, in alphabetical order; their position gives the colour.
    n_taxa : int
        Number of taxa of that rank in the focus, plotted or not.

    Examples
    --------
    >>> panel = Panel("genus", 0, np.arange(3), np.array([4, 4, -1]), (4,), 1)
    >>> panel.n_images, panel.n_unnamed, panel.n_plotted
    (3, 1, (2,))
    """

    rank: str
    focus: int
    rows: np.ndarray
    taxon: np.ndarray
    plotted: tuple[int, ...]
    n_taxa: int

    @property
    def n_images(self) -> int:
        """Number of images of the panel."""
        return len(self.rows)

    @property
    def n_unnamed(self) -> int:
        """Number of images of the panel without a name at its rank; they belong to none of its taxa."""
        return int((self.taxon < 0).sum())

    @property
    def n_plotted(self) -> tuple[int, ...]:
        """Number of images of each plotted taxon, in the order of `plotted`."""
        return tuple(int((self.taxon == node).sum()) for node in self.plotted)


def drill_down(placement: Placement, ranks: tuple[str, ...] = RANKS) -> list[Panel]:
    """Return the panels of Section 4.6, kingdom to species.

    The six taxa with most images are plotted; ties go to the first in alphabetical order. The next focus is the
    plotted taxon with most images, with the same rule for ties. If no image in the focus has a name
    at a rank, the panel of that rank has no taxa and the focus stays the same.

    Parameters
    ----------
    placement : Placement
        Position of each of the n images in the taxonomy.
    ranks : tuple of str
        Panels to return. The drill-down always begins at kingdom, so this argument changes no panel.

    Returns
    -------
    list of Panel
        One for each of `ranks`, in their order from kingdom to species.

    References
    ----------
    S. Stevens et al. BioCLIP: A Vision Foundation Model for the Tree of Life. CVPR 2024, Section 4.6.

    Examples
    --------
    >>> import pandas as pd
    >>> from bioclip_probe.tree import taxonomy
    >>> lineage = ["Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae"]
    >>> rows = [[*lineage, "Pica", "Pica pica"], [*lineage, "Corvus", "Corvus corax"], [*lineage, "Pica", "Pica pica"]]
    >>> [(panel.rank, panel.n_images) for panel in drill_down(taxonomy(pd.DataFrame(rows, columns=RANKS)))][-2:]
    [('genus', 3), ('species', 2)]
    """
    tree = placement.tree
    panels, focus, rows = [], 0, np.arange(len(placement.node))
    for rank in RANKS:
        taxon = placement.at(rank)[rows]
        nodes, counts = np.unique(taxon[taxon >= 0], return_counts=True)
        sort_key = {node: (str(tree.name[node]), tree.path(node)) for node in nodes.tolist()}
        largest = sorted(
            zip(nodes.tolist(), counts.tolist(), strict=True), key=lambda pair: (-pair[1], sort_key[pair[0]])
        )
        plotted = tuple(sorted((node for node, _ in largest[:N_PLOTTED]), key=lambda node: sort_key[node]))
        panels.append(Panel(rank, focus, read_only(rows), read_only(taxon), plotted, len(nodes)))
        if largest:
            focus = largest[0][0]
            rows = rows[taxon == focus]
    return [panel for panel in panels if panel.rank in ranks]
