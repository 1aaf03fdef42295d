"""The quadratic pass over pairs of images, in all spaces of one encoder at once: each part when first needed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bioclip_probe.metrics.measurement import random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.stats.sweep.search import NeighborSearch, search_spaces
from bioclip_probe.stats.sweep.sweep import Sweep, SweepWorkers, sweep_spaces
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, Tree

#: Numbers of nearest neighbours for which metrics of neighbours are given.
K_NEIGHBORS = (1, 5, 10)
#: Prefix of the names of metrics of neighbours.
OF_NEIGHBORS = ("knn_purity", "neighbour_lca_depth", "mistake_severity", "hubness")


@dataclass(eq=False)
class ImagePass:
    """Sweeps over the pairs of images of one encoder, and their nearest images, in each of its spaces.

    The spaces are looked at together: whoever asks first for a result in one space has it computed in all.

    Attributes
    ----------
    spaces : sequence of ndarray, shape (n, d)
        Unit vectors of the n images in each space, e.g. raw and centred.
    placement : Placement
        The images in a taxonomy.
    jackknife : Jackknife
        The groups of species that intervals leave out.
    settings : MeasureSettings
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer; images of one group are no neighbours of each other. -1 is no group.
    executor : Executor, optional
        Its workers compare pairs of images for sweeps.
    copies : ndarray, shape (n,), int64, optional
        Number of the picture that several images show; the scores of an image leave its copies out. -1 is no copy.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> from bioclip_probe.metrics.shared import SharedResults
    >>> vectors, placement = corvids()
    >>> raw, opposite = SharedResults.of_spaces([vectors, -vectors], placement)
    >>> raw.image_pass is opposite.image_pass, raw.image_sweep.joint.counts.sum()
    (True, np.float64(3.0))
    """

    spaces: Sequence[np.ndarray]
    placement: Placement
    jackknife: Jackknife
    settings: MeasureSettings
    groups: np.ndarray | None = None
    executor: Executor | None = None
    copies: np.ndarray | None = None
    _neighbors: dict[bytes, list[NeighborLists]] = field(default_factory=dict, repr=False)
    _among_named: dict[str, list[Sweep]] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> list[Rows]:
        """The images at the tips of their species in each space, with their sums over all pairs."""
        of_species = self.placement.coarsen(RANKS[-1])
        return [Rows.images(vectors, of_species) for vectors in self.spaces]

    @cached_property
    def sweeps(self) -> list[Sweep]:
        """The sweep over all pairs of images of species in each space, with the scores of all anchors.

        If metrics of neighbours are wanted too, the same products give the nearest images.
        """
        named = self.placement.at(RANKS[-1]) >= 0
        wanted = not self.settings.metrics or any(name.startswith(OF_NEIGHBORS) for name in self.settings.metrics)
        if not wanted or named.tobytes() in self._neighbors or not np.array_equal(named, self.rows[0].tips >= 0):
            return self.sweeps_of(self.rows)[0]
        sweeps, self._neighbors[named.tobytes()] = self.sweeps_of(self.rows, self._search(named))
        return sweeps

    def sweeps_of(
        self, rows: Sequence[Rows], search: NeighborSearch | None = None
    ) -> tuple[list[Sweep], list[NeighborLists]]:
        """Return the sweeps over all pairs of rows in each space.

        Parameters
        ----------
        rows : sequence of Rows
            The images at the tips of a tree whose tips are species, one for each space.
        search : NeighborSearch, optional
            A search among these rows, in the first space.

        Returns
        -------
        sweeps : list of Sweep
            With the scores of all anchors, of all images, without each group of the jackknife of species, and with
            whole species permuted over the tips, the same for every encoder, of up to ``n_null_anchors`` anchors.
        lists : list of NeighborLists
            Empty without a search.
        """
        settings, rng = self.settings, random_stream(self.settings.seed, "species null", RANKS[-1])
        replicates = Replicates.jackknife(self.jackknife.group, self.jackknife.n_groups)
        replicates = replicates.with_permutations(rows[0], rng, settings.n_null_permutations, settings.n_null_anchors)
        workers = SweepWorkers(self.executor, settings.device)
        return sweep_spaces(rows, replicates, anchors=True, search=search, workers=workers, copies=self.copies)

    def sweeps_among_named(self, rank: str) -> list[Sweep]:
        """Return the sweeps over the images with a name at a rank, in the tree of its taxa and their species.

        Parameters
        ----------
        rank : str

        Returns
        -------
        list of Sweep
            One for each space.
        """
        if rank not in self._among_named:
            placement = _species_in_taxa(self.placement, rank)
            rows = [Rows.images(vectors, placement) for vectors in self.spaces]
            self._among_named[rank] = self.sweeps_of(rows)[0]
        return self._among_named[rank]

    def neighbors(self, named: np.ndarray) -> list[NeighborLists]:
        """Return the nearest images of some images in each space.

        Parameters
        ----------
        named : ndarray, shape (n,), bool
            The images that have neighbours and are neighbours.

        Returns
        -------
        list of NeighborLists
            They suffice for ten neighbours, without each group of the jackknife too.
        """
        if named.tobytes() not in self._neighbors:
            self._neighbors[named.tobytes()] = search_spaces(self._search(named), self.spaces, self.settings.device)
        return self._neighbors[named.tobytes()]

    def _search(self, named: np.ndarray) -> NeighborSearch:
        """Return the search among some images in the first space."""
        k = max(K_NEIGHBORS)
        return NeighborSearch.of(self.spaces[0], self.placement, self.jackknife.group, k, self.groups, named)


def _species_in_taxa(placement: Placement, rank: str) -> Placement:
    """Return the images with a name at a rank in the tree of its taxa and their species, with distances in ranks.

    An image without a species is at a tip with those of the same deepest name.
    """
    below = len(RANKS) - 1 - RANKS.index(rank)
    labels, tips = placement.at(rank), np.full(len(placement), -1)
    named = labels >= 0
    pairs, tip = np.unique(np.stack([labels[named], placement.node[named]]), axis=1, return_inverse=True)
    parent, length = [-1], [0.0]
    node = np.zeros(pairs.shape[1], dtype=np.int64)
    for number, taxon in enumerate(pairs[0]):
        if number == 0 or taxon != pairs[0, number - 1]:
            above = len(parent)
            parent.append(0)
            length.append((len(RANKS) - below) / 2)
        node[number] = len(parent)
        parent.append(above)
        length.append(below / 2)
    names = np.array([f"{number}" for number in range(len(parent))], dtype=object)
    tips[named] = node[tip.ravel()]
    return Placement(Tree(np.array(parent), np.array(length), names, np.full(len(parent), -1), "rank"), tips)
