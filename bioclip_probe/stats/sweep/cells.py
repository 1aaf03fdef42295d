"""Images as cells in tree order: groups of images that nothing tells apart, and the kin of each as slices of cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bioclip_probe.stats.sweep.candidates import inverse_norms
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

#: Number of levels: one species, …, one kingdom, the root.
N_LEVELS = len(RANKS) + 1


def level_of(rank: str) -> int:
    """Return the level of images that meet at a rank.

    Parameters
    ----------
    rank : str

    Returns
    -------
    int
        The tree distance of two such images, in ranks.

    Examples
    --------
    >>> level_of("species"), level_of("kingdom")
    (0, 6)
    """
    return len(RANKS) - 1 - RANKS.index(rank)


class Cells(NamedTuple):
    """Groups of images that nothing tells apart, in tree order; most hold a single image.

    The images of a cell have the same vector, the same species and the same photographer.

    Attributes
    ----------
    vectors : ndarray, shape (c, d), float32
    scale : ndarray, shape (c,), float64
        One over the norm of each vector.
    size : ndarray, shape (c,), int64
        Number of images.
    group : ndarray, shape (c,), int64
        Photographer, whose images are no candidates of each other; -1 is none.
    left_out : ndarray, shape (c,), int64
        Jackknife group, from 0.
    first, last : ndarray, shape (L, c), int64
        The cells that meet each cell at each level or below: ``first:last``. Level 0 is its own species.

    Examples
    --------
    >>> one, whole = np.ones(1, dtype=np.int64), np.zeros((1, 1), dtype=np.int64)
    >>> Cells(np.eye(1, dtype=np.float32), np.ones(1), one, -one, one - 1, whole, whole + 1).size
    array([1])
    """

    vectors: np.ndarray
    scale: np.ndarray
    size: np.ndarray
    group: np.ndarray
    left_out: np.ndarray
    first: np.ndarray
    last: np.ndarray


def cells_of(
    vectors: np.ndarray,
    placement: Placement,
    jackknife_group: np.ndarray,
    groups: np.ndarray | None,
    rows: np.ndarray,
) -> tuple[Cells, np.ndarray]:
    """Return the cells of some images, in tree order, and the cell of each image.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors.
    placement : Placement
        The images in a taxonomy.
    jackknife_group : ndarray, shape (n,), int64
        Images of one species are in one group.
    groups : ndarray, shape (n,), int64, optional
        Photographers; -1 is none.
    rows : ndarray, shape (r,), int64
        The images; all are in the taxonomy.

    Returns
    -------
    cells : Cells
    cell : ndarray, shape (r,), int64

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> cells_of(vectors, placement, np.arange(3), None, np.arange(3))[1].tolist()  # the raven, then two magpies
    [2, 1, 0]
    """
    of_rows = np.ascontiguousarray(vectors[rows], dtype=np.float32) + np.float32(0)  # there is no -0 left
    as_bytes = of_rows.view(np.dtype((np.void, of_rows.itemsize * of_rows.shape[1]))).ravel()
    kind = np.unique(as_bytes, return_inverse=True)[1]
    group = np.full(len(rows), -1) if groups is None else np.asarray(groups, dtype=np.int64)[rows]
    key = np.stack([placement.node[rows], kind, group], axis=1)
    _, image, cell, size = np.unique(key, axis=0, return_index=True, return_inverse=True, return_counts=True)
    first, last = _slices(placement, rows[image])
    left_out = np.asarray(jackknife_group, dtype=np.int64)[rows[image]]
    vectors = of_rows[image]
    return Cells(vectors, inverse_norms(vectors), size, group[image], left_out, first, last), cell


def _slices(placement: Placement, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the slice of cells that meet each cell at each level or below; `images` are sorted by their node.

    At a rank without a name, the slice is that of the rank below.
    """
    tree, node = placement.tree, placement.node[images]
    first, last = np.zeros((2, N_LEVELS, len(images)), dtype=np.int64)
    first[0], last[0] = np.searchsorted(node, node), np.searchsorted(node, node, side="right")
    for rank in reversed(RANKS[:-1]):
        level, taxon = level_of(rank), tree.ancestor_at(rank)[node]
        stop = tree.stop[taxon]
        first[level] = np.where(taxon >= 0, np.searchsorted(node, taxon), first[level - 1])
        last[level] = np.where(taxon >= 0, np.searchsorted(node, stop), last[level - 1])
    last[-1] = len(images)
    return first, last
