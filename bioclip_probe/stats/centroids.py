"""Embeddings of taxa: the mean vector of their images, the number of images, and their spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.group_sums import group_sums
from bioclip_probe.tree.tree import Placement, Tree, read_only


@dataclass(frozen=True, eq=False)
class Centroids:
    """The taxa at the tips of a tree, each with the mean of its images.

    Attributes
    ----------
    tree : Tree
        Its k tips are the taxa that have images, in preorder.
    groups : ndarray, shape (n,), int64
        The tip position of each image, -1 for an image that is at no tip (e.g. without a name at that rank).
    counts : ndarray, shape (k,), int64
        Number of images of each taxon.
    means : ndarray, shape (k, d), float64
        Mean of the unit vectors of each taxon.
    spread : ndarray, shape (k,), float64
        Root mean squared Euclidean distance of a taxon's images from their mean, in [0, 1]: 0 if all images coincide.
        It is sqrt(1 - ‖mean‖²), since the vectors have length 1.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> taxa = centroids(np.eye(3), Placement(tree, np.array([1, 1, 2])))
    >>> taxa.counts.tolist(), taxa.means[0].tolist(), taxa.spread.round(3).tolist()
    ([2, 1], [0.5, 0.5, 0.0], [0.707, 0.0])
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
        """Means normalised to length 1, shape (k, d), float64; NaN where the images of a taxon cancel out."""
        norms = np.linalg.norm(self.means, axis=1, keepdims=True)
        return np.divide(self.means, norms, out=np.full_like(self.means, np.nan), where=norms > 1e-6)


def tips_with_images(placement: Placement) -> tuple[Tree, np.ndarray]:
    """Return the tree without the tips that have no image, and the tip position of each image.

    Parameters
    ----------
    placement : Placement
        The n images in a tree.

    Returns
    -------
    tree : Tree
    groups : ndarray, shape (n,), int64
        -1 for an image that is at no tip.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> subtree, groups = tips_with_images(Placement(tree, np.array([2, 0, 2])))
    >>> subtree.name.tolist(), groups.tolist()
    (['r', 'b'], [0, -1, 0])
    """
    is_tip = placement.tree.stop == np.arange(len(placement.tree)) + 1
    at_tip = (placement.node >= 0) & is_tip[placement.node]
    tree, new = placement.tree.subset(np.unique(placement.node[at_tip]))
    position = np.full(len(tree), -1)
    position[tree.tips] = np.arange(len(tree.tips))
    return tree, np.where(at_tip, position[new[placement.node]], -1)


def centroids(vectors: np.ndarray, placement: Placement) -> Centroids:
    """Return the centroids of the taxa at the tips of a tree.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image of `placement`.
    placement : Placement
        ``placement.coarsen(rank)`` for the taxa of a rank.

    Returns
    -------
    Centroids

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> centroids(np.eye(2), Placement(tree, np.array([1, 2]))).directions.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    tree, groups = tips_with_images(placement)
    if not np.any(groups >= 0):
        return Centroids(tree, groups, np.zeros(0, dtype=np.int64), np.zeros((0, vectors.shape[1])), np.zeros(0))
    order = np.argsort(groups, kind="stable")
    order = order[np.searchsorted(groups[order], 0) :]
    counts = np.bincount(groups[order], minlength=len(tree.tips))
    sums, squares = group_sums(np.asarray(vectors), order, np.concatenate([[0], np.cumsum(counts)]))
    means = sums / counts[:, None]
    # Float32 rows have length 1 only to 1e-7, and the square root would turn that into 3e-4: use their true squares.
    spread = np.sqrt(np.clip(squares / counts - np.einsum("ij,ij->i", means, means), 0, None))
    return Centroids(tree, groups, counts, means, spread)


def image_moments(vectors: np.ndarray, placement: Placement) -> tuple[Tree, Moments]:
    """Return the tree without the tips that have no image, and the moments of the images at each tip.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image of `placement`.
    placement : Placement

    Returns
    -------
    tree : Tree
        With k tips.
    moments : Moments
        With k groups.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], object), [-1] * 3)
    >>> image_moments(np.eye(3), Placement(tree, np.array([1, 1, 2])))[1].counts.tolist()
    [2.0, 1.0]
    """
    tree, groups = tips_with_images(placement)
    if not np.any(groups >= 0):
        return tree, Moments.of(vectors, groups, 0)
    return tree, Moments.of(vectors, groups, len(tree.tips), origin=approximate_mean(vectors[groups >= 0]))
