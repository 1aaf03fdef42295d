"""The text side: whether the names of taxa follow the tree of life, and whether images of a taxon lie near its name.

An embedding of names is separate from an embedding of images: a model may order names and not pictures, or pictures and
not names. These numbers therefore have metrics of their own, and never enter those of the image side. Names of text
type ``taxonomic`` contain the names of the taxa above, so that their embeddings may follow the tree by spelling alone;
measure ``scientific`` names too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from bioclip_probe.metrics.hierarchy import estimate_cophenetic_correlation
from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.units import taxon_jackknife
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import Rows, finite_rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, Tree

#: For each rank, from kingdom to species: taxa, shape (K,), int64, nodes of a taxonomy in ascending order, and the unit
#: vectors of their names, shape (K, d).
Names = Sequence[tuple[np.ndarray, np.ndarray]]
SPECIES = RANKS[-1]
DECIMALS = 12  # distances are rounded, so that equal names lie equally far in whatever order products are summed


@dataclass(frozen=True, eq=False)
class NamedCentroids:
    """The taxa of one rank that have both a name and images.

    Attributes
    ----------
    points : ndarray, shape (k, d)
        The centroid of the images of each taxon, a unit vector; NaN where images cancel out.
    texts : ndarray, shape (K, d)
        The names of all K named taxa of the rank.
    taxa : ndarray, shape (K,), int64
        The taxon of each name, a node of the taxonomy.
    own : ndarray, shape (k,), int64
        The row of `texts` that is the name of each taxon.
    placement : Placement
        The k centroids at the tips of a taxonomy.
    counts : dict from str to int
        Images and taxa that enter, and images that are left out because their taxon has no name.
    reason_undefined : str
        Why images and names cannot be compared; empty if they can.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_names
    >>> corvid_names().centroids["genus"].own.tolist()
    [0, 1]
    """

    points: np.ndarray
    texts: np.ndarray
    taxa: np.ndarray
    own: np.ndarray
    placement: Placement
    counts: dict[str, Any]
    reason_undefined: str


@dataclass(frozen=True, eq=False)
class TextEmbeddings:
    """The embedded names of taxa, and the images of the same model beside them.

    Attributes
    ----------
    names : sequence of (taxa, vectors)
        For each rank, from kingdom to species: the named taxa, shape (K,), int64, nodes of the taxonomy in ascending
        order, and the unit vectors of their names, shape (K, d).
    placement : Placement
        The images in the taxonomy.
    root : ndarray, shape (d,), optional
        The vector of the prompt of all life, ``Eukarya``. Give it with names of text type ``taxonomic``, each of which
        contains the name of the taxon above.
    images : SharedResults, optional
        The images of the same model.
    settings : MeasureSettings

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_names
    >>> names = corvid_names()
    >>> [len(taxa) for taxa, _ in names.names][-2:]
    [2, 3]
    """

    subject: ClassVar[str] = "text"
    has_ranks: ClassVar[bool] = True

    names: Names
    placement: Placement
    root: np.ndarray | None = None
    images: SharedResults | None = None
    settings: MeasureSettings = field(default_factory=MeasureSettings)

    @property
    def tree(self) -> Tree:
        """The taxonomy."""
        return self.placement.tree

    @cached_property
    def centroids(self) -> dict[str, NamedCentroids]:
        """The taxa of each rank that have both a name and images; empty without images."""
        if self.images is None:
            return {}
        vectors = finite_rows(self.images.vectors)
        return {rank: self._centroids(rank, vectors) for rank in RANKS}

    def _centroids(self, rank: str, vectors: np.ndarray) -> NamedCentroids:
        """Return the taxa of one rank that have both a name and images."""
        taxa, texts = self.names[RANKS.index(rank)]
        labels = self.placement.at(rank)
        named = np.isin(labels, taxa)
        of_taxa = centroids(vectors[named], Placement(self.tree, self.placement.node[named]).coarsen(rank))
        own = np.full(len(of_taxa.counts), -1)
        own[of_taxa.groups] = np.searchsorted(taxa, labels[named])
        n_images = int(named.sum())
        counts = {"n_images": n_images, "n_taxa": len(own), "n_excluded": len(labels) - n_images}
        lost = int(np.isnan(of_taxa.directions).any(axis=1).sum())
        reason = f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""
        if not len(own) or len(taxa) < 2:
            reason = f"needs at least 2 names and images of one of them, found {len(taxa)} and {n_images} images"
        at_tips = Placement(of_taxa.tree, of_taxa.tree.tips)
        return NamedCentroids(of_taxa.directions, texts, taxa, own, at_tips, counts, reason)


def text_cophenetic_correlation(
    texts: TextEmbeddings, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return CPCC of names: the correlation of tree distance and distance of the names, over all pairs of taxa.

    Parameters
    ----------
    texts : TextEmbeddings
    placement : Placement, optional
        Every metric takes one; here it is that of the texts.
    settings : MeasureSettings, optional
        As for `hierarchy.cophenetic_correlation`; by default the settings of the texts.

    Returns
    -------
    list of Measurement
        One for each rank, in [-1, 1], higher is better; see `hierarchy.cophenetic_correlation`, with each taxon at its
        name.

    Raises
    ------
    DataError
        If a vector is not finite.

    References
    ----------
    Sokal & Rohlf 1962, Taxon 11, 33; Mantel 1967, Cancer Research 27, 209.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_names
    >>> round(text_cophenetic_correlation(corvid_names())[-1].value, 2)
    0.69
    """
    settings = settings or texts.settings
    metric, measurements = "text_cophenetic_correlation", []
    for rank, (taxa, vectors) in zip(RANKS, texts.names, strict=True):
        tree, new = texts.tree.coarsen(rank)
        rows = Rows.taxa(vectors, Placement(tree, new[taxa]))
        rng = random_stream(settings.seed, metric, rank)
        jackknife = taxon_jackknife(Placement(texts.tree, taxa), rank, settings)
        estimate = estimate_cophenetic_correlation(rows, jackknife, rng, settings)
        measurements.append(Measurement(metric, rank, replace(estimate, n_images=0)))
    return measurements


def text_radial_tau(
    texts: TextEmbeddings, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how consistently names lie farther from the prompt of all life, from the kingdom down to the species.

    Parameters
    ----------
    texts : TextEmbeddings
        With a `root`.
    placement : Placement, optional
        Every metric takes one; here it is that of the texts.
    settings : MeasureSettings, optional
        `n_groups`, `resample`, `level` and `seed` are used; by default the settings of the texts.

    Returns
    -------
    list of Measurement
        One, at species, see `estimate_radial_tau`; none without a `root`.

    Raises
    ------
    DataError
        If a vector is not finite.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_names
    >>> text_radial_tau(corvid_names())[0].value
    0.0
    """
    if texts.root is None:
        return []
    settings = settings or texts.settings
    estimate = estimate_radial_tau(texts.names, texts.tree, texts.root, settings)
    return [Measurement("text_radial_tau", SPECIES, estimate)]


def estimate_radial_tau(names: Names, tree: Tree, root: np.ndarray, settings: MeasureSettings) -> Estimate:
    """Return Kendall's tau-b of rank and distance of the names of a species from a root, averaged over species.

    Parameters
    ----------
    names : sequence of (taxa, vectors)
        For each rank, see `TextEmbeddings`.
    tree : Tree
        A taxonomy.
    root : ndarray, shape (d,)
        The vector of the prompt of all life.
    settings : MeasureSettings
        `n_groups`, `resample`, `level` and `seed` are used.

    Returns
    -------
    Estimate
        In [-1, 1], higher is more in order; chance is 0, where the names of a species lie in random order. The interval
        leaves out one group of species after the other. A species is left out,
        and counted in the note, if fewer than two of its ranks have names or if all of them lie equally far.

    Raises
    ------
    DataError
        If a vector is not finite.

    References
    ----------
    Sastry et al. 2025, ICCV, arXiv 2506.21476, Table 1; Kendall 1945, Biometrika 33, 239 (tau-b).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_names
    >>> names = corvid_names()
    >>> estimate_radial_tau(names.names, names.tree, names.root, MeasureSettings()).n_taxa
    2
    """
    species = names[-1][0]
    distance = np.full((len(RANKS), len(tree)), np.nan)
    for r, (taxa, vectors) in enumerate(names):
        cosine = finite_rows(vectors).astype(np.float64) @ root.astype(np.float64)
        distance[r, taxa] = np.round(1 - cosine, DECIMALS)
    lineage = np.stack([tree.ancestor_at(rank)[species] for rank in RANKS])
    by_rank = np.where(lineage >= 0, np.take_along_axis(distance, np.maximum(lineage, 0), axis=1), np.nan)
    ordered, n_pairs, tied = np.zeros((3, len(species)))
    for upper in range(len(RANKS)):
        for lower in range(upper + 1, len(RANKS)):
            step = by_rank[lower] - by_rank[upper]
            ordered += np.sign(np.nan_to_num(step))
            n_pairs += ~np.isnan(step)
            tied += step == 0
    kept = n_pairs > tied
    if not kept.any():
        return Estimate.undefined("no species has names at two ranks that differ in distance", n_taxa=len(species))
    tau = ordered[kept] / np.sqrt(n_pairs[kept] * (n_pairs[kept] - tied[kept]))
    note = f"{np.sum(~kept)} species have no two ranks to order" if not kept.all() else ""
    estimate = Estimate(float(tau.mean()), chance=0.0, n_taxa=len(tau), note=note)
    jackknife = taxon_jackknife(Placement(tree, species), SPECIES, settings).take(kept)
    deleted = jackknife.without_each(lambda left: tau[left].mean() if left.any() else np.nan)
    return with_interval(estimate, deleted, jackknife, settings, (-1.0, 1.0))
