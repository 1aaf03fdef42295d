"""Separation of the taxa of one rank, by nearest neighbours and by silhouette.

Each number comes with its chance level; `scores.adjusted` corrects for it. An image without a name at the rank
(label -1) is left out, as a scored image and as a neighbour, and is counted in ``n_excluded``. Intervals resample
species and keep every image's score as it is: neighbours and sums of taxa are not computed again in a replicate, since
a species drawn twice would then be its own perfect neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.scores import adjusted, mean_score
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import K_NEIGHBORS, SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

ROUNDING = 1e-6  # a cosine distance below this is zero but for the rounding of float32 vectors
#: Images whose silhouettes are computed at once.
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with their taxon at one rank.

    Attributes
    ----------
    labels : ndarray, shape (n,), int64
        Taxon at the rank, -1 for none.
    species : ndarray, shape (n,), int64
        The species of each image, which intervals resample.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer; images of one group are no neighbours of each other. -1 is no group.

    Examples
    --------
    >>> LabelledImages(np.array([0, 0, 1, -1]), np.arange(4)).n_taxa
    2
    """

    labels: np.ndarray
    species: np.ndarray
    groups: np.ndarray | None = None

    @classmethod
    def at(cls, shared: SharedResults, rank: str) -> LabelledImages:
        """Return the images of an embedding with their taxa at a rank.

        Parameters
        ----------
        shared : SharedResults
        rank : str

        Returns
        -------
        LabelledImages
        """
        return cls(shared.placement.at(rank), shared.placement.node, shared.groups)

    @property
    def named(self) -> np.ndarray:
        """True for images with a name at the rank, shape (n,)."""
        return self.labels >= 0

    @property
    def n_taxa(self) -> int:
        """The number of taxa."""
        return len(np.unique(self.labels[self.named]))

    @property
    def n_excluded(self) -> int:
        """The number of images without a name."""
        return int((~self.named).sum())

    def undefined(self, reason: str) -> Estimate:
        """Return the estimate of a number that does not exist for these images.

        Parameters
        ----------
        reason : str

        Returns
        -------
        Estimate
        """
        return Estimate.undefined(reason, int(self.named.sum()), self.n_taxa, self.n_excluded)

    def reason_undefined(self) -> str:
        """Return why the taxa cannot be told apart; empty if they can.

        Returns
        -------
        str
        """
        if self.n_taxa < 2:
            return "only one taxon" if self.n_taxa else "no image has a name at this rank"
        return "every taxon has a single image" if self.n_taxa == self.named.sum() else ""


def knn_purity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the mean share of an image's k nearest neighbours that are of its own taxon, at each rank.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``knn_purity_1``, ``_5`` and ``_10`` in [0, 1], higher is better, and ``<name>_adjusted``, corrected for chance,
        see `adjusted`. An image without any other candidate of its taxon can never be right: it is not scored, stays a
        candidate for the others, and counts in ``n_excluded``. ``n_taxa`` counts the taxa scored. An image with fewer
        than k candidates is scored on those it has. Chance is the mean over scored images of the share of their
        candidates that are of their taxon; without groups or single images that is Σ n_t(n_t - 1)/(n(n - 1)), the exact
        mean over permutations of the labels. The note gives the highest value that can be reached where taxa have k
        images or fewer.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.value for row in knn_purity(vectors, placement) if (row.metric, row.rank) == ("knn_purity_1", "genus")]
    [1.0]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rows = []
    for rank in RANKS:
        images = LabelledImages.at(shared, rank)
        for k in K_NEIGHBORS:
            name = f"knn_purity_{k}"
            rng = shared.stream(name, rank)
            purity = estimate_knn_purity(shared.neighbors(rank), images, k, rng, shared.settings)
            rows += [Measurement(name, rank, purity), Measurement(f"{name}_adjusted", rank, adjusted(purity))]
    return rows


def estimate_knn_purity(
    neighbors: np.ndarray, images: LabelledImages, k: int, rng: np.random.Generator, settings: MeasureSettings
) -> Estimate:
    """Return `knn_purity` at one rank.

    Parameters
    ----------
    neighbors : ndarray, shape (n, ≥ k), int64
        From `nearest_neighbors` with ``among=labels >= 0`` and the same groups. One sweep serves every rank at which
        the same images have a name.
    images : LabelledImages
    k : int
        Neighbours counted.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If the neighbours were found among other rows or with other groups, or are fewer than `k`.

    Examples
    --------
    >>> images = LabelledImages(np.array([0, 0, 1]), np.arange(3))
    >>> neighbors = np.array([[1], [0], [0]])
    >>> estimate_knn_purity(neighbors, images, 1, np.random.default_rng(0), MeasureSettings()).value
    1.0
    """
    labels = images.labels
    if images.n_taxa < 2:
        return images.undefined(images.reason_undefined())
    same, candidates = _candidates(labels, images.groups)
    anchors = np.flatnonzero(same > 0)
    if not len(anchors):
        return images.undefined("every taxon has a single image")
    near = _checked_neighbors(neighbors, k, anchors, images)
    present = near >= 0
    share = ((labels[near] == labels[anchors, None]) & present).sum(axis=1) / present.sum(axis=1)
    reachable = float(np.mean(np.minimum(same[anchors] / present.sum(axis=1), 1)))
    return mean_score(
        share,
        images.species[anchors],
        rng,
        settings,
        chance=float(np.mean(same[anchors] / candidates[anchors])),
        n_taxa=len(np.unique(labels[anchors])),
        n_excluded=len(labels) - len(anchors),
        note=f"at most {reachable:.3f} can be reached: some taxa have few images" if reachable < 1 - 1e-12 else "",
    )


def _candidates(labels: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of candidates of its own taxon, and of all, of each image; 0 where it has no name."""
    named = labels >= 0
    group = np.arange(len(labels))
    if groups is not None:
        group = np.where(groups >= 0, groups, groups.max(initial=0) + 1 + group)
    _, taxon, in_taxon = np.unique(labels[named], return_inverse=True, return_counts=True)
    _, own, in_group = np.unique(group[named], return_inverse=True, return_counts=True)
    _, both, in_both = np.unique(taxon * len(in_group) + own, return_inverse=True, return_counts=True)
    same, candidates = np.zeros(len(labels), dtype=np.int64), np.zeros(len(labels), dtype=np.int64)
    same[named] = in_taxon[taxon] - in_both[both]
    candidates[named] = named.sum() - in_group[own]
    return same, candidates


def _checked_neighbors(neighbors: np.ndarray, k: int, anchors: np.ndarray, images: LabelledImages) -> np.ndarray:
    """Return the first k neighbours of the anchors; raise an error if they were found for other labels or groups."""
    if k < 1 or neighbors.shape[1] < k:
        raise ValueError(f"expected at least k = {k} ≥ 1 neighbours per image, got {neighbors.shape[1]}")
    near = neighbors[anchors, :k]
    present = near >= 0
    unnamed = present & (images.labels[near] < 0)
    if unnamed.any() or not present.any(axis=1).all():
        raise ValueError("neighbours were not found among the images with a name: pass among=labels >= 0")
    if images.groups is not None:
        own = images.groups[anchors, None]
        if (present & (own >= 0) & (images.groups[near] == own)).any():
            raise ValueError("neighbours hold members of the same group: pass the same groups")
    return near


def silhouette(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the mean silhouette of the taxa in cosine distance, at each rank.

    An image's silhouette is (b - a)/max(a, b), with a its mean distance to the other images of its taxon and b the
    least mean distance to another taxon; 0 if its taxon has no other image, or if both are 0.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One for each rank, in [-1, 1]; higher is better separated. There is no chance level: random labels give a value
        at or a little below 0, which depends on the data.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    With unit rows the mean cosine distance of u to the taxon with sum s_g is 1 - u·s_g/n_g, so that no pair of images
    is ever formed: O(n·taxa·d) time and O(block·taxa) memory, exact. In the interval the sums stay as they are.

    References
    ----------
    Rousseeuw, P. J. (1987). J. Comput. Appl. Math. 20, 53–65.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [round(row.value, 2) for row in silhouette(vectors, placement) if row.rank == "genus"]
    [0.43]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name, rows = "silhouette", []
    for rank in RANKS:
        images = LabelledImages.at(shared, rank)
        estimate = estimate_silhouette(shared.vectors, images, shared.stream(name, rank), shared.settings)
        rows.append(Measurement(name, rank, estimate))
    return rows


def estimate_silhouette(
    vectors: np.ndarray,
    images: LabelledImages,
    rng: np.random.Generator,
    settings: MeasureSettings,
    block: int = BLOCK,
) -> Estimate:
    """Return `silhouette` at one rank.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float32
        Unit rows.
    images : LabelledImages
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.
    block : int
        Rows compared with all taxa at once.

    Returns
    -------
    Estimate

    Raises
    ------
    DataError
        If the vector of an image with a name is not finite.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> images = LabelledImages(placement.at("genus"), placement.node)
    >>> round(estimate_silhouette(vectors, images, np.random.default_rng(0), MeasureSettings()).value, 2)
    0.43
    """
    if reason := images.reason_undefined():
        return images.undefined(reason)
    named = images.named
    _, taxon, size = np.unique(images.labels[named], return_inverse=True, return_counts=True)
    rows = vectors[named]
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; not so in row {some(np.flatnonzero(named)[broken])}")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    sums = np.add.reduceat(rows[np.argsort(taxon, kind="stable")], starts, axis=0, dtype=np.float64)
    scores = np.empty(len(rows))
    for start in range(0, len(rows), block):
        of_block = slice(start, start + block)
        scores[of_block] = _silhouettes(rows[of_block].astype(np.float64), taxon[of_block], sums, size)
    species = images.species[named]
    return mean_score(scores, species, rng, settings, n_taxa=images.n_taxa, n_excluded=images.n_excluded)


def _silhouettes(rows: np.ndarray, taxon: np.ndarray, sums: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the silhouettes of some rows, from the sum and the size of each taxon."""
    each = np.arange(len(rows))
    products = rows @ sums.T
    others = size[taxon] - 1
    within = 1 - (products[each, taxon] - np.sum(rows * rows, axis=1)) / np.maximum(others, 1)
    between = 1 - products / size
    between[each, taxon] = np.inf
    between = between.min(axis=1)
    within, between = (np.where(distance < ROUNDING, 0.0, distance) for distance in (within, between))
    larger = np.maximum(within, between)
    scored = (others > 0) & (larger > 0)
    return np.divide(between - within, larger, out=np.zeros(len(rows)), where=scored)
