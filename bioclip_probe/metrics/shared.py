"""Intermediate results that several metrics of one embedding share, each computed once, when first needed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.image_pass import ImagePass
from bioclip_probe.metrics.measurement import random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.units import taxon_jackknife, unit_jackknife
from bioclip_probe.stats.all_pairs.clades import NodeSums
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.centroids import Centroids, centroids
from bioclip_probe.stats.embeddings import check_vectors
from bioclip_probe.stats.evolution import Evolution
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.kmeans import Clusters, Images
from bioclip_probe.stats.rows import ResamplingUnits, Rows
from bioclip_probe.stats.sampled_dendrograms import SampledDendrograms
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.stats.sweep.sweep import Sweep, SweepWorkers, sweep
from bioclip_probe.stats.sweep.ties import with_tied_heights
from bioclip_probe.tables import RANKS
from bioclip_probe.torch_device import resolve_device
from bioclip_probe.tree.tree import Placement


@dataclass(eq=False)
class SharedResults:
    """One embedding in one tree, and what its metrics share: centroids, sums, the sweep, neighbours, clusters.

    Attributes
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        The n images in a taxonomy, or on a phylogeny.
    settings : MeasureSettings
    ranks : tuple of str
        Ranks to measure at. On a phylogeny it is ``species`` only.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer of each image; images of one group are no neighbours of each other. -1 is no group.
    units : ResamplingUnits, optional
        What intervals on a phylogeny leave out, by default species: a phylogeny has no ranks of its own. In a taxonomy
        the taxa of ``settings.resample`` are left out.
    executor : Executor, optional
        Its workers compare all pairs of images and of species; this process does by default.
    copies : ndarray, shape (n,), int64, optional
        Number of the picture that several images show; -1 for an image without a copy. Retrieval leaves the copies of
        an image out, and where `groups` do not count, copies are still no neighbours of each other.

    Raises
    ------
    DataError
        If the vectors are not an (n, d) array of finite numbers with rows of length 1.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from bioclip_probe.tree import taxonomy
    >>> placement = taxonomy(pd.DataFrame({"genus": ["Pica", "Corvus"], "species": ["Pica pica", "Corvus corax"]}))
    >>> shared = SharedResults(np.eye(2, dtype=np.float32), placement)
    >>> shared.taxa("species").counts["n_taxa"]
    2
    """

    subject: ClassVar[str] = "embeddings"

    vectors: np.ndarray
    placement: Placement
    settings: MeasureSettings = field(default_factory=MeasureSettings)
    ranks: tuple[str, ...] = RANKS
    groups: np.ndarray | None = None
    units: ResamplingUnits | None = None
    executor: Executor | None = None
    copies: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.vectors = check_vectors(self.vectors, len(self.placement))
        self.settings = replace(self.settings, device=resolve_device(self.settings.device))
        if not self.has_ranks:
            self.ranks = RANKS[-1:]
        self._jackknives: dict[str, Jackknife] = {}
        self._taxa: dict[str, Rows] = {}
        self._space = 0
        self._clusters: dict[str, Clusters] = {}

    @classmethod
    def of(
        cls, embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
    ) -> SharedResults:
        """Return `embeddings` itself if it holds shared results already, else begin with an array of vectors.

        Parameters
        ----------
        embeddings : ndarray, shape (n, d), or SharedResults
        placement : Placement
        settings : MeasureSettings, optional
            They are used with an array only; shared results keep their own.

        Returns
        -------
        SharedResults

        Raises
        ------
        DataError
            If the shared results are about another placement, or the vectors are not unit vectors.
        """
        if not isinstance(embeddings, SharedResults):
            return cls(embeddings, placement, settings or MeasureSettings())
        if embeddings.placement is not placement:
            raise DataError("the shared results are about another placement; make new ones for it")
        return embeddings

    @classmethod
    def of_spaces(
        cls,
        spaces: Sequence[np.ndarray],
        placement: Placement,
        settings: MeasureSettings | None = None,
        groups: np.ndarray | None = None,
        executor: Executor | None = None,
        copies: np.ndarray | None = None,
    ) -> list[SharedResults]:
        """Return one embedding in several spaces, whose pairs of images are compared together.

        Parameters
        ----------
        spaces : sequence of ndarray, shape (n, d)
            Unit vectors in each space: raw, then centred.
        placement, settings, groups, executor, copies
            As the attributes.

        Returns
        -------
        list of SharedResults
            One for each space. Its numbers are those of a `SharedResults` of its own, to rounding.
        """
        settings = settings or MeasureSettings()
        members = [
            cls(vectors, placement, settings, groups=groups, executor=executor, copies=copies) for vectors in spaces
        ]
        for number, member in enumerate(members):
            member._space, member._jackknives = number, members[0]._jackknives
            if member.has_ranks and number:
                member.image_pass = members[0].image_pass
        if members and members[0].has_ranks:
            members[0].image_pass.spaces = [member.vectors for member in members]
        return members

    @property
    def has_ranks(self) -> bool:
        """True in a taxonomy; a phylogeny has no ranks."""
        return self.placement.tree.unit == "rank"

    def stream(self, name: str, rank: str = RANKS[-1]) -> np.random.Generator:
        """Return the random stream of one number, see `random_stream`.

        Parameters
        ----------
        name : str
            Name of the number.
        rank : str

        Returns
        -------
        numpy.random.Generator
        """
        return random_stream(self.settings.seed, name, rank)

    def jackknife(self, rank: str = RANKS[-1]) -> Jackknife:
        """Return the groups of units that the intervals of numbers at a rank leave out.

        The units are the taxa of the rank or of ``settings.resample``, whichever is higher. Every metric, every
        encoder and every rank with the same units has the same groups, so that differences are paired.

        Parameters
        ----------
        rank : str
            ``species`` for numbers about images and species; the rank of the taxa for numbers whose pairs are taxa of a
            higher rank.

        Returns
        -------
        Jackknife
        """
        rank = min(rank, self.settings.resample, key=RANKS.index) if self.has_ranks else RANKS[-1]
        if rank not in self._jackknives:
            if self.has_ranks:
                self._jackknives[rank] = taxon_jackknife(self.placement, rank, self.settings)
            else:
                name, labels = (self.units.name, self.units.labels) if self.units else (rank, self.placement.node)
                self._jackknives[rank] = unit_jackknife(name, labels, self.placement, self.settings)
        return self._jackknives[rank]

    def permuted_labels(self, rank: str) -> np.ndarray:
        """Return the taxa of the images at a rank with whole species permuted over the tips: the species null.

        Parameters
        ----------
        rank : str

        Returns
        -------
        ndarray, shape (n_null_permutations, n), int64
            The images of a species stay together, and each taxon keeps its number of species. -1 for an image without a
            name at the rank. Every metric and every encoder has the same permutations.
        """
        labels, node = self.placement.at(rank), self.placement.node
        named = labels >= 0
        permuted = np.full((self.settings.n_null_permutations, len(labels)), -1, dtype=np.int64)
        _, first, unit = np.unique(node[named], return_index=True, return_inverse=True)
        of_unit, rng = labels[named][first], self.stream("species null", rank)
        for row in permuted:
            row[named] = rng.permutation(of_unit)[unit]
        return permuted

    @cached_property
    def species(self) -> Placement:
        """The images in the tree whose tips are species."""
        return self.placement.coarsen("species") if self.has_ranks else self.placement

    @cached_property
    def species_centroids(self) -> Centroids:
        """The centroids of the species, with the number and the scatter of their images."""
        return centroids(self.vectors, self.species)

    @cached_property
    def evolution(self) -> Evolution:
        """Brownian motion along the tree, fitted to the means of the species."""
        jackknife = self.jackknife()
        group = jackknife.of_tips(self.taxa(RANKS[-1]))
        return Evolution.of(self.vectors, self.species_centroids, group, jackknife.n_groups)

    def taxa(self, rank: str) -> Rows:
        """Return the centroids of the taxa of a rank as unit vectors, with their sums over all pairs.

        Parameters
        ----------
        rank : str

        Returns
        -------
        Rows
        """
        if rank not in self._taxa:
            is_species = rank == RANKS[-1]
            of_rank = self.species_centroids if is_species else centroids(self.vectors, self.placement.coarsen(rank))
            self._taxa[rank] = Rows.of_centroids(of_rank)
        return self._taxa[rank]

    @cached_property
    def species_node_sums(self) -> list[NodeSums]:
        """Sums over pairs of species by common ancestor: of all species, then without each group of the jackknife."""
        taxa, jackknife = self.taxa("species"), self.jackknife()
        return taxa.node_sums(jackknife.of_tips(taxa), jackknife.n_groups)

    @cached_property
    def images(self) -> Rows:
        """The images at the tips of their species, with their sums over all pairs."""
        by_group = self.image_moments.by_group
        return replace(self._images, moments=self.image_moments.total if by_group else None)

    @cached_property
    def image_moments(self) -> JackknifeMoments:
        """The moments of the images by jackknife group."""
        return JackknifeMoments.of([(self.vectors, self._images.tips)], self.jackknife().of_tips(self._images))

    @cached_property
    def _images(self) -> Rows:
        return self.image_pass.rows[self._space] if self.has_ranks else Rows.images(self.vectors, self.species)

    @cached_property
    def image_pass(self) -> ImagePass:
        """The comparison of all pairs of images in a taxonomy, in all spaces of the encoder at once."""
        jackknife = self.jackknife()
        return ImagePass(
            [self.vectors], self.placement, jackknife, self.settings, self.groups, self.executor, self.copies
        )

    @property
    def image_sweep(self) -> Sweep:
        """The sweep over all pairs of images of species in a taxonomy, with the scores of all anchors."""
        return self.image_pass.sweeps[self._space]

    def sweep_among_named(self, rank: str) -> Sweep:
        """Return the sweep over the images with a name at a rank, in the tree of its taxa and their species.

        Parameters
        ----------
        rank : str

        Returns
        -------
        Sweep
        """
        return self.image_pass.sweeps_among_named(rank)[self._space]

    @cached_property
    def species_sweep(self) -> Sweep:
        """The sweep over all pairs of species centroids; tree distances tie that differ by rounding only."""
        taxa, jackknife = self.taxa(RANKS[-1]), self.jackknife()
        left_out = Replicates.jackknife(jackknife.of_tips(taxa), jackknife.n_groups)
        if not self.has_ranks:
            taxa = Rows(with_tied_heights(taxa.tree), taxa.vectors, taxa.tips, taxa.groups)
        return sweep(taxa, left_out, workers=SweepWorkers(self.executor, self.settings.device))

    def neighbors(self, *ranks: str) -> NeighborLists:
        """Return the nearest images of each image among those with a name at some ranks.

        One search serves all ranks at which the same images have a name.

        Parameters
        ----------
        *ranks : str

        Returns
        -------
        NeighborLists
            They suffice for ten neighbours, without each group of the `jackknife` too.
        """
        named = np.all([self.placement.at(rank) >= 0 for rank in ranks], axis=0)
        return self.image_pass.neighbors(named)[self._space]

    @cached_property
    def dendrograms(self) -> SampledDendrograms:
        """The dendrogram of the species, and those of halves of them unless there are too many species."""
        taxa, settings = self.taxa("species"), self.settings
        n_halves = settings.n_half_samples if len(taxa.vectors) <= settings.max_dendrogram_species else 0
        return SampledDendrograms.of(taxa, self.jackknife(), n_halves, self.stream("half samples"))

    @cached_property
    def clustered_images(self) -> Images:
        """The images as k-means clusters them at every rank."""
        return Images(self.vectors, self.settings.device, len(np.unique(self.placement.node)))

    def clusters(self, rank: str) -> Clusters:
        """Return k-means clusters, as many as the rank has taxa, without each group of the `jackknife` too.

        Parameters
        ----------
        rank : str

        Returns
        -------
        Clusters
            With more than `max_recluster` images times taxa, of all images only.
        """
        if rank not in self._clusters:
            labels, rng = self.placement.at(rank), self.stream("kmeans", rank)
            size = np.sum(labels >= 0) * len(np.unique(labels[labels >= 0]))
            groups = self.jackknife() if size <= self.settings.max_recluster else None
            group, n_groups = (groups.group, groups.n_groups) if groups else (None, None)
            self._clusters[rank] = Clusters.of(self.clustered_images, labels, rng, group, n_groups)
        return self._clusters[rank]
