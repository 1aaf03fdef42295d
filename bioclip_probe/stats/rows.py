"""What a correlation of pairs runs over, images or centroids of taxa, and the units that are resampled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums
from bioclip_probe.stats.centroids import centroids, tips_with_images
from bioclip_probe.stats.resampling import N_GROUPS, jackknife_groups
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import NO_RANK, Placement, Tree


@dataclass(frozen=True, eq=False)
class ResamplingUnits:
    """What is resampled where taxa are not independent: whole genera, families, clades.

    Attributes
    ----------
    name : str
        What a unit is called, e.g. ``genus``.
    labels : ndarray, shape (n,), int64
        The unit of each image, constant within each taxon, e.g. ``placement.at("genus")``. A taxon labelled -1 (no
        name at that rank) is a unit of its own.
    """

    name: str
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows whose pairs a correlation runs over, images or centroids of taxa, at the tips of a tree.

    Attributes
    ----------
    tree : Tree
    vectors : ndarray, shape (r, d)
        Unit vectors.
    tips : ndarray, shape (r,), int64
        The tip position of each; -1 leaves it out.
    groups : ndarray, shape (n,), int64
        The tip position of each image, -1 for one at no tip.
    """

    tree: Tree
    vectors: np.ndarray
    tips: np.ndarray
    groups: np.ndarray

    @classmethod
    def taxa(cls, vectors: np.ndarray, placement: Placement) -> Rows:
        """Centroids, back on the sphere."""
        found = centroids(finite_rows(vectors), placement)
        return cls(found.tree, found.directions, np.arange(len(found.counts)), found.groups)

    @classmethod
    def images(cls, vectors: np.ndarray, placement: Placement) -> Rows:
        tree, groups = tips_with_images(placement)
        return cls(tree, finite_rows(vectors), groups, groups)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Images and taxa that enter, and images left out."""
        n = int(np.sum(self.groups >= 0))
        return {"n_images": n, "n_taxa": len(self.tree.tips) if n else 0, "n_excluded": len(self.groups) - n}

    @cached_property
    def sums(self) -> TreeSums:
        origin = approximate_mean(self.vectors[self.tips >= 0])
        return TreeSums(self.tree, Moments.of(self.vectors, self.tips, len(self.tree.tips), origin=origin))

    def reason_undefined(self) -> str:
        """Why a correlation over pairs of these rows does not exist; empty if it does."""
        if self.counts["n_taxa"] < 3:
            return f"needs at least 3 taxa, found {self.counts['n_taxa']}"
        if lost := int(np.isnan(self.vectors).any(axis=1).sum()):
            return f"the images of {lost} taxa cancel out: their centroid has no direction"
        if math.isnan(self.sums.correlation()):
            return "tree distance or embedding distance does not vary"
        return ""

    def per_tip(self, labels: np.ndarray) -> np.ndarray:
        """The label of each taxon, from any of its images."""
        found = np.full(len(self.tree.tips), -1)
        found[self.groups[self.groups >= 0]] = labels[self.groups >= 0]
        return found

    def resampling_units(self, units: ResamplingUnits | None) -> tuple[str, np.ndarray]:
        """What is resampled, and the unit of each tip, from 0 on."""
        if units is None:
            return rank_of_tips(self.tree), np.arange(len(self.tree.tips))
        labels = self.per_tip(units.labels)
        alone = labels < 0
        labels[alone] = labels.max(initial=-1) + 1 + np.arange(alone.sum())
        return units.name, np.unique(labels, return_inverse=True)[1]

    def jackknife_groups(self, units: ResamplingUnits | None, rng: np.random.Generator) -> tuple[str, np.ndarray]:
        """What is resampled, and the part of each tip that the jackknife leaves out together."""
        name, unit = self.resampling_units(units)
        return name, jackknife_groups(int(unit.max()) + 1, rng, N_GROUPS)[unit]


def finite_rows(vectors: np.ndarray) -> np.ndarray:
    """The vectors themselves; raises `DataError` naming the rows where one is not finite."""
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise DataError(f"vectors must be finite; {len(bad)} are not, in rows {some(bad)}")
    return vectors


def rank_of_tips(tree: Tree) -> str:
    """What the tips are: a rank, species on a phylogeny, ``taxon`` where a taxonomy was not coarsened to one rank."""
    ranks = np.unique(tree.rank[tree.tips])
    if len(ranks) > 1:
        return "taxon"
    return "species" if ranks[0] == NO_RANK else RANKS[ranks[0]]
