"""Embeddings of taxa: the mean of their images' vectors, how many there are, and how far they scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.tree.tree import Placement, Tree, read_only


@dataclass(frozen=True, eq=False)
class Centroids:
    """The taxa at the tips of a tree, each as the mean of its images.

    Attributes
    ----------
    tree : Tree
        Its k tips are the taxa that have images, in preorder.
    groups : ndarray, shape (n,), int64
        The tip position of each image, -1 for an image that is at no tip (e.g. without a name at that rank).
    counts : ndarray, shape (k,), int64
        Images of each taxon.
    means : ndarray, shape (k, d), float64
        Mean of the unit vectors of each taxon.
    spread : ndarray, shape (k,), float64
        Root mean squared Euclidean distance of a taxon's images from their mean, in [0, 1]: 0 where all images
        coincide, sqrt(1 - ‖mean‖²) since their vectors have length 1.
    """

    tree: Tree
    groups: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    spread: np.ndarray

    def __post_init__(self) -> None:
        for key in ("groups", "counts", "means", "spread"):
            object.__setattr__(self, key, read_only(getattr(self, key)))

    @property
    def directions(self) -> np.ndarray:
        """Means on the unit sphere, shape (k, d), float64; NaN where the images of a taxon cancel out."""
        norms = np.linalg.norm(self.means, axis=1, keepdims=True)
        return np.divide(self.means, norms, out=np.full_like(self.means, np.nan), where=norms > 1e-6)


def tips_with_images(placement: Placement) -> tuple[Tree, np.ndarray]:
    """The tree cut down to the tips that have images, and the tip position of each image.

    Returns
    -------
    tree : Tree
    groups : ndarray, shape (n,), int64
        -1 for an image that is at no tip.
    """
    is_tip = placement.tree.stop == np.arange(len(placement.tree)) + 1
    at_tip = (placement.node >= 0) & is_tip[placement.node]
    tree, new = placement.tree.subset(np.unique(placement.node[at_tip]))
    position = np.full(len(tree), -1)
    position[tree.tips] = np.arange(len(tree.tips))
    return tree, np.where(at_tip, position[new[placement.node]], -1)


def centroids(vectors: np.ndarray, placement: Placement) -> Centroids:
    """Centroids of the taxa at the tips of a placement.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image of `placement`.
    placement : Placement
        ``placement.coarsen(rank)`` for the taxa of a rank.
    """
    tree, groups = tips_with_images(placement)
    if not np.any(groups >= 0):
        return Centroids(tree, groups, np.zeros(0, dtype=np.int64), np.zeros((0, vectors.shape[1])), np.zeros(0))
    order = np.argsort(groups, kind="stable")
    order = order[np.searchsorted(groups[order], 0) :]
    counts = np.bincount(groups[order], minlength=len(tree.tips))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rows = np.asarray(vectors)[order].astype(np.float64, copy=False)
    means = np.add.reduceat(rows, starts, axis=0) / counts[:, None]
    # Not 1 but the squares as they are: float32 rows are unit vectors to 1e-7 only, and the root would make 3e-4 of it.
    squares = np.add.reduceat(np.einsum("ij,ij->i", rows, rows), starts) / counts
    spread = np.sqrt(np.clip(squares - np.einsum("ij,ij->i", means, means), 0, None))
    return Centroids(tree, groups, counts, means, spread)


def image_moments(vectors: np.ndarray, placement: Placement) -> tuple[Tree, Moments]:
    """Moments of the images at the tips of a placement, a group per tip, and the tree cut down to those tips."""
    tree, groups = tips_with_images(placement)
    if not np.any(groups >= 0):
        return tree, Moments.of(vectors, groups, 0)
    return tree, Moments.of(vectors, groups, len(tree.tips), origin=approximate_mean(vectors[groups >= 0]))
