"""Separation of the taxa of a rank, by silhouette, and the images of a rank with their taxa.

An image without a name at the rank (label -1) is left out and is counted in ``n_excluded``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bioclip_probe.errors import DataError, some
from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.silhouettes import mean_silhouettes
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement


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
        One for each rank, in [-1, 1]; higher is better separated. Above species rank, chance is the mean over
        ``n_null_permutations`` permutations of whole species over the tips of the tree: what a memoriser of species
        without any tree reaches. At species rank there is none: random labels give a value at or a little below 0. The
        interval leaves out groups of species, as images and from the sums of the taxa, and computes the number again.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    See `mean_silhouettes`: exact, O(n · species · d) time once for all ranks.

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
    images = {rank: LabelledImages.at(shared, rank) for rank in RANKS}
    permuted = {rank: shared.permuted_labels(rank) for rank in RANKS[:-1]}
    estimates = estimate_silhouettes(shared.vectors, images, permuted, shared.jackknife(), shared.settings)
    return [Measurement("silhouette", rank, estimate) for rank, estimate in estimates.items()]


def estimate_silhouettes(
    vectors: np.ndarray,
    images: Mapping[str, LabelledImages],
    permuted: Mapping[str, np.ndarray],
    jackknife: Jackknife,
    settings: MeasureSettings,
) -> dict[str, Estimate]:
    """Return `silhouette` at some ranks.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit rows.
    images : mapping from rank to LabelledImages
        The same images with their taxa at each rank. Images of one species are of one taxon.
    permuted : mapping from rank to ndarray, shape (P, n)
        Labels with whole species permuted over the tips, from ``shared.permuted_labels``; a rank without them has no
        chance level.
    jackknife : Jackknife
        Of the same images.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    dict from rank to Estimate

    Raises
    ------
    DataError
        If a vector is not finite.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> images = {"genus": LabelledImages.at(shared, "genus")}
    >>> estimates = estimate_silhouettes(shared.vectors, images, {}, shared.jackknife(), shared.settings)
    >>> round(estimates["genus"].value, 2)
    0.43
    """
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; {len(broken)} are not, in rows {some(broken)}")
    species = next(iter(images.values())).species
    rows = np.flatnonzero(species >= 0)
    _, first, of_row = np.unique(species[rows], return_index=True, return_inverse=True)
    first = rows[first]
    without = [np.where(jackknife.group[first] == group, -1, 0) for group in range(jackknife.n_groups)]
    labels = {rank: [at_rank.labels[first]] for rank, at_rank in images.items() if not at_rank.reason_undefined()}
    for rank, (own,) in list(labels.items()):
        left = [np.where(out < 0, -1, own) for out in without]
        labels[rank] = [own, *left, *permuted.get(rank, np.zeros((0, len(species)), dtype=np.int64))[:, first]]
    stacked = np.concatenate([np.array(each) for each in labels.values()]) if labels else np.zeros((0, len(first)), int)
    means, start = mean_silhouettes(vectors[rows], of_row, stacked), 0
    estimates = {}
    for rank, at_rank in images.items():
        if rank not in labels:
            estimates[rank] = at_rank.undefined(at_rank.reason_undefined())
            continue
        of_rank = means[start : start + len(labels[rank])]
        start += len(labels[rank])
        estimates[rank] = _silhouette(of_rank, at_rank, jackknife, settings)
    return estimates


def _silhouette(means: np.ndarray, images: LabelledImages, jackknife: Jackknife, settings: MeasureSettings) -> Estimate:
    """Return the estimate from the mean silhouette of all images, without each group, and of each permutation."""
    null = means[1 + jackknife.n_groups :]
    n_images = int(images.named.sum())
    estimate = Estimate(float(means[0]), n_images=n_images, n_taxa=images.n_taxa, n_excluded=images.n_excluded)
    if len(null):
        estimate = replace(estimate, chance=float(null.mean()), null="species")
    deleted = means[1 : 1 + jackknife.n_groups]
    return with_interval(estimate, deleted, jackknife.take(images.named), settings, (-1.0, 1.0))
