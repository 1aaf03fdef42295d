"""Rows whose pairs a correlation runs over, images or centroids of taxa, and units that are resampled together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums
from bioclip_probe.stats.centroids import Centroids, centroids, tips_with_images
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import NO_RANK, Placement, Tree


@dataclass(frozen=True, eq=False)
class ResamplingUnits:
    """Groups of taxa that are resampled together where taxa are not independent, e.g. genera or families.

    Attributes
    ----------
    name : str
        Name of the kind of unit, e.g. ``genus``.
    labels : ndarray, shape (n,), int64
        The unit of each image, constant within each taxon, e.g. ``placement.at("genus")``. A taxon labelled -1 (it has
        no name at that rank) is a unit of its own.

    Examples
    --------
    >>> ResamplingUnits("genus", np.array([4, 4, 9])).name
    'genus'
    """

    name: str
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Rows:
    """Unit vectors of images, or of centroids of taxa, at the tips of a tree.

    Correlations of tree distance and embedding distance run over all pairs of them.

    Attributes
    ----------
    tree : Tree
        Every tip has at least one image.
    vectors : ndarray, shape (r, d)
        Unit vectors; NaN for a centroid without direction.
    tips : ndarray, shape (r,), int64
        The tip position of each row; rows of -1 are left out.
    groups : ndarray, shape (n,), int64
        The tip position of each image; -1 for an image that is at no tip.
    moments : Moments, optional
        Of the rows, with one group for each tip, where they are known already.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1.0, 1.0]), np.array(["r", "a", "b"], object), [-1] * 3)
    >>> taxa = Rows.taxa(np.eye(3), Placement(tree, np.array([1, 1, 2])))
    >>> taxa.counts
    {'n_images': 3, 'n_taxa': 2, 'n_excluded': 0}
    >>> taxa.reason_undefined()
    'needs at least 3 taxa, found 2'
    """

    tree: Tree
    vectors: np.ndarray
    tips: np.ndarray
    groups: np.ndarray
    moments: Moments | None = None

    @classmethod
    def taxa(cls, vectors: np.ndarray, placement: Placement) -> Rows:
        """Return the centroids of the taxa at the tips, normalised to length 1.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Unit vectors of images.
        placement : Placement
            The n images in a tree.

        Returns
        -------
        Rows
            One row for each taxon that has images.

        Raises
        ------
        DataError
            If a vector is not finite.
        """
        return cls.of_centroids(centroids(finite_rows(vectors), placement))

    @classmethod
    def of_centroids(cls, taxa: Centroids) -> Rows:
        """Return centroids as rows of length 1, in no more dimensions than there are taxa.

        Fewer dimensions are faster, and all that is measured of them are their products.

        Parameters
        ----------
        taxa : Centroids

        Returns
        -------
        Rows
            In the dimensions of the images where the images of a taxon cancel out; its row is NaN.
        """
        vectors = taxa.directions
        if not np.isnan(vectors).any():
            vectors = rotate_into_span(vectors)
        return cls(taxa.tree, vectors, np.arange(len(taxa.counts)), taxa.groups)

    @classmethod
    def images(cls, vectors: np.ndarray, placement: Placement) -> Rows:
        """Return the images at the tips.

        Parameters
        ----------
        vectors : ndarray, shape (n, d)
            Unit vectors of images.
        placement : Placement
            The n images in a tree.

        Returns
        -------
        Rows
            One row for each image.

        Raises
        ------
        DataError
            If a vector is not finite.
        """
        tree, groups = tips_with_images(placement)
        return cls(tree, finite_rows(vectors), groups, groups)

    @cached_property
    def counts(self) -> dict[str, Any]:
        """Numbers of images and taxa that enter, and of images that are left out."""
        n = int(np.sum(self.groups >= 0))
        return {"n_images": n, "n_taxa": len(self.tree.tips) if n else 0, "n_excluded": len(self.groups) - n}

    @cached_property
    def sums(self) -> TreeSums:
        """Sums over all pairs of rows, from which their correlation follows."""
        if self.moments is not None:
            return TreeSums(self.tree, self.moments)
        rows = np.flatnonzero(self.tips >= 0)
        origin = approximate_mean(self.vectors[rows[:: max(1, len(rows) // 1024)]])
        return TreeSums(self.tree, Moments.of(self.vectors, self.tips, len(self.tree.tips), origin=origin))

    def node_sums(self, group: np.ndarray, n_groups: int) -> list[NodeSums]:
        """Return the sums over pairs of rows by common ancestor: over all pairs, then without each group of tips.

        Parameters
        ----------
        group : ndarray, shape (k,), int64
            The jackknife group of each tip, see `Jackknife.of_tips`.
        n_groups : int

        Returns
        -------
        list of NodeSums
            Of length 1 + n_groups. Centroids without direction are left out.
        """
        lost = np.isnan(self.vectors).any(axis=1)
        return NodeSums.with_jackknife(self.vectors, np.where(lost, -1, self.tips), self.tree, group, n_groups)

    def reason_undefined(self) -> str:
        """Return why a correlation over pairs of these rows does not exist, or an empty string if it does.

        Returns
        -------
        str
        """
        if self.counts["n_taxa"] < 3:
            return f"needs at least 3 taxa, found {self.counts['n_taxa']}"
        if lost := int(np.isnan(self.vectors).any(axis=1).sum()):
            return f"the images of {lost} taxa cancel out: their centroid has no direction"
        if math.isnan(self.sums.correlation()):
            return "tree distance or embedding distance does not vary"
        return ""

    def per_tip(self, labels: np.ndarray) -> np.ndarray:
        """Return the label of each taxon, from labels of its images.

        Parameters
        ----------
        labels : ndarray, shape (n,), int64
            A label for each image, constant within each taxon.

        Returns
        -------
        ndarray, shape (k,), int64
            In the order of the tips.
        """
        label = np.full(len(self.tree.tips), -1)
        label[self.groups[self.groups >= 0]] = labels[self.groups >= 0]
        return label


def finite_rows(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors unchanged, or raise an error if a row is not finite.

    Unlike `bioclip_probe.stats.embeddings.check_vectors`, it accepts rows of any length.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)

    Returns
    -------
    ndarray, shape (n, d)
        The same array.

    Raises
    ------
    DataError
        If a row is not finite; the message names such rows.

    Examples
    --------
    >>> finite_rows(np.array([[1.0, 0.0], [np.nan, 1.0]]))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: vectors must be finite; 1 are not, in rows 1
    """
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise DataError(f"vectors must be finite; {len(bad)} are not, in rows {some(bad)}")
    return vectors


def rank_of_tips(tree: Tree) -> str:
    """Return the rank of the tips of a tree.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    str
        A rank; ``species`` on a phylogeny; ``taxon`` in a taxonomy whose tips have different ranks.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0]), np.array([0.0, 1.0]), np.array(["life", "Pica"], object), [-1, 5])
    >>> rank_of_tips(tree)
    'genus'
    """
    ranks = np.unique(tree.rank[tree.tips])
    if len(ranks) > 1:
        return "taxon"
    return "species" if ranks[0] == NO_RANK else RANKS[ranks[0]]
