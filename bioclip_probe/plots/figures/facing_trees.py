"""The dendrogram of a model's centroids, face to face with the taxonomy: a line joins each taxon to itself."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bioclip_probe.errors import DataError
from bioclip_probe.plots import style
from bioclip_probe.plots.colors import clade_colors
from bioclip_probe.plots.labels import plural, taxon_name, taxon_text
from bioclip_probe.plots.lines import place_legend
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.dendrograms import Dendrogram
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import SEPARATOR, Placement, Tree

#: Taxa above which names would be too small to read.
MOST_NAMED = 90


@style.styled
def facing_trees(
    vectors: np.ndarray, placement: Placement, settings: FigureSettings | None = None, rank: str = "family"
) -> Figure:
    """Return the taxonomy at the left, the dendrogram of centroids at the right, and a line for each taxon.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of the images, of one model.
    placement : Placement
        The images in their taxonomy.
    settings : FigureSettings, optional
        Its width, title, and mark on simulated data are used.
    rank : str
        The taxa at the tips.

    Returns
    -------
    matplotlib.figure.Figure
        Right: average linkage by the cosine distance of centroids. The dendrogram is turned at its nodes so that few
        lines cross, which changes nothing in it. A clade of the taxonomy has one hue, and the clades inside it are
        shades of it.

    Raises
    ------
    DataError
        If fewer than three taxa have a centroid.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> figure = facing_trees(*corvids(), rank="species")
    >>> len(figure.axes)
    3
    """
    settings = settings or FigureSettings()
    taxa = centroids(np.asarray(vectors), placement.coarsen(rank))
    known = np.isfinite(taxa.directions).all(axis=1)
    if known.sum() < 3:
        raise DataError(f"trees face to face need three taxa of rank {rank} or more")
    tree = taxa.tree.subset(taxa.tree.tips[known])[0]
    dendrogram = Dendrogram.average_linkage(taxa.directions[known])
    paths = [tree.path(int(tip)) for tip in tree.tips]
    colors, legend = clade_colors(paths)
    k, height = len(paths), float(np.clip(0.1 * len(paths) + 1.0, 2.0, 8.0))
    # Names would lie on one another where the figure is cut to the height of a slide.
    named = k <= MOST_NAMED and settings.page > 4 and height + 0.33 <= settings.tallest
    figure = style.new_figure(settings, height, f"{plural(rank)}: the taxonomy and the embedding")
    ratios = (1.6, 2.6 if named else 1.2, 2.0)
    left, middle, right = figure.subplots(1, 3, width_ratios=ratios, sharey=True)
    depth = np.array([_depth(tree, node) for node in range(len(tree))])
    at_left = np.arange(k, dtype=float)
    _draw_tree(left, tree, depth, at_left, colors)
    order = untangled(dendrogram.tree, dendrogram.leaves)
    at_right = np.empty(k)
    at_right[order] = np.arange(k)
    heights = 2 * (dendrogram.tree.depth.max() - dendrogram.tree.depth)
    shown = [colors[leaf] for leaf in dendrogram.leaves]
    _draw_tree(right, dendrogram.tree, heights, at_right[dendrogram.leaves], shown)
    _draw_middle(middle, [at_left, at_right], colors, [_name(path, rank) for path in paths] if named else [])
    _draw_axes(left, right, depth, k)
    entries = [(Line2D([], [], color=color, linewidth=2), name) for name, color in legend.items()]
    if entries:
        place_legend(figure, entries)
    return figure


def _depth(tree: Tree, node: int) -> int:
    """Return the number of ranks from the root to a node, which may skip a rank."""
    return 0 if tree.parent[node] < 0 else int(tree.rank[node]) + 1 if tree.rank[node] >= 0 else 0


def _name(path: str, rank: str) -> str:
    return taxon_text(taxon_name(path.replace(SEPARATOR, "|"), rank, 16), rank)


def untangled(tree: Tree, leaves: np.ndarray) -> np.ndarray:
    """Return leaves from top to bottom, with the children of each node in the order of their mean number.

    Parameters
    ----------
    tree : Tree
    leaves : ndarray, shape (k,), int64
        The number of the leaf at each tip.

    Returns
    -------
    ndarray, shape (k,), int64

    Examples
    --------
    >>> dendrogram = Dendrogram.average_linkage(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]))
    >>> untangled(dendrogram.tree, dendrogram.leaves).tolist()
    [0, 1, 2]
    """
    total, count = np.zeros(len(tree)), np.zeros(len(tree))
    total[tree.tips], count[tree.tips] = leaves, 1
    children: list[list[int]] = [[] for _ in range(len(tree))]
    for node in range(len(tree) - 1, 0, -1):
        parent = tree.parent[node]
        total[parent] += total[node]
        count[parent] += count[node]
        children[parent].append(node)
    number = dict(zip(tree.tips.tolist(), leaves.tolist(), strict=True))
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        if node in number:
            order.append(number[node])
        stack += sorted(children[node], key=lambda child: -total[child] / count[child])
    return np.array(order)


def _draw_tree(axes: Axes, tree: Tree, x: np.ndarray, y_of_tips: np.ndarray, colors: list[str]) -> None:
    """Draw the branches of a tree as right angles; a branch has the colour that all tips below it share."""
    low, high = np.full(len(tree), np.inf), np.full(len(tree), -np.inf)
    y, color = np.zeros(len(tree)), np.full(len(tree), "", dtype=object)
    y[tree.tips], color[tree.tips] = y_of_tips, colors
    segments, inks = [], []
    for node in range(len(tree) - 1, -1, -1):
        if np.isfinite(low[node]):
            y[node] = (low[node] + high[node]) / 2
            segments.append([(x[node], low[node]), (x[node], high[node])])
            inks.append(color[node])
        parent = tree.parent[node]
        if parent >= 0:
            segments.append([(x[parent], y[node]), (x[node], y[node])])
            inks.append(color[node])
            low[parent], high[parent] = min(low[parent], y[node]), max(high[parent], y[node])
            color[parent] = color[node] if color[parent] in ("", color[node]) else style.MUTED
    axes.add_collection(LineCollection(segments, colors=inks, linewidths=0.8, capstyle="projecting"))
    axes.autoscale_view()


def _draw_middle(axes: Axes, ends: list[np.ndarray], colors: list[str], names: list[str]) -> None:
    """Draw a line from each taxon at the left to itself at the right, and its name at both ends."""
    inner = 0.3 if names else 0.02
    segments = [[(inner, left), (1 - inner, right)] for left, right in zip(*ends, strict=True)]
    axes.add_collection(LineCollection(segments, colors=colors, linewidths=0.7, alpha=0.9))
    for number, name in enumerate(names):
        axes.text(0.0, ends[0][number], name, fontsize="small", va="center")
        axes.text(1.0, ends[1][number], name, fontsize="small", va="center", ha="right")
    axes.set_xlim(0, 1)
    axes.axis("off")


def _draw_axes(left: Axes, right: Axes, depth: np.ndarray, k: int) -> None:
    """Draw the ranks below the taxonomy, and the distance below the dendrogram, whose tips are at the left."""
    depths = sorted({int(value) for value in depth if value > 0})
    left.set_xticks(depths, [RANKS[value - 1] for value in depths], rotation=40, ha="right", rotation_mode="anchor")
    left.set_xlim(-0.2, depth.max() + 0.05)
    right.set_xlim(left=-0.01 * right.get_xlim()[1])
    right.set_xlabel("cosine distance")
    left.set_ylim(k - 0.3, -0.7)
    for axes in (left, right):
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    left.set_title("Taxonomy", loc="left")
    right.set_title("Embedding", loc="right")
