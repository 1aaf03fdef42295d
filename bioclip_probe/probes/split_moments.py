"""The moments of the images that a closed-form probe learns from, at every rank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from bioclip_probe.probes.inputs import image_weights
from bioclip_probe.probes.learning import DEFAULT_CHUNKS
from bioclip_probe.stats.all_pairs.moments import Moments, approximate_mean

ROUNDING = 1e-6  # embeddings with a standard deviation below this are equal but for the rounding of float32

#: The moments of some images by taxon, and the taxa.
Subset = tuple[Moments, np.ndarray]


def moments_of_splits(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, refit: bool
) -> Iterator[tuple[Subset, Subset]]:
    """Yield the moments of train and of the images of the final fit at each rank, from one pass over the images.

    The groups of the pass are the images that have the same taxon at every rank.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    labels : ndarray, shape (R, n), int64
    split : ndarray, shape (n,), of str
        ``train``, ``val``, ``test`` or empty, the same at all ranks.
    refit : bool
        The final fit is on train and val; otherwise on train.

    Yields
    ------
    train, final : tuple of (Moments, ndarray)
        Moments by taxon, and the taxa.

    Examples
    --------
    >>> split = np.array(["train", "train", "val"])
    >>> (((train, taxa), (final, _)),) = moments_of_splits(np.eye(3), np.array([[3, 7, 7]]), split, refit=True)
    >>> taxa.tolist(), train.counts.tolist(), final.counts.tolist()
    ([3, 7], [1.0, 1.0], [1.0, 2.0])
    """
    learnt = np.flatnonzero((split == "train") | (split == "val"))
    taxa_of_groups, group_of_learnt = np.unique(labels[:, learnt], axis=1, return_inverse=True)
    group = np.full(len(split), -1)
    group[learnt] = group_of_learnt.ravel()
    origin = approximate_mean(vectors[learnt[:: max(1, len(learnt) // 1024)]])
    train, val = (
        Moments.of(vectors, np.where(split == subset, group, -1), taxa_of_groups.shape[1], origin=origin)
        for subset in ("train", "val")
    )
    final = train + val if refit else train
    for taxa in taxa_of_groups:
        yield _at_rank(train, taxa), _at_rank(final, taxa)


def balanced_moments_of_splits(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, refit: bool
) -> Iterator[tuple[Subset, Subset]]:
    """Yield what `moments_of_splits` yields, weighted so that every taxon of the rank weighs the same.

    Parameters
    ----------
    vectors, labels, split, refit
        As for `moments_of_splits`.

    Yields
    ------
    train, final : tuple of (Moments, ndarray)

    Examples
    --------
    >>> split = np.array(["train"] * 4)
    >>> (((train, taxa), _),) = balanced_moments_of_splits(np.eye(4), np.array([[3, 7, 7, 7]]), split, refit=True)
    >>> train.counts.round(6).tolist()
    [2.0, 2.0]
    """
    train = np.flatnonzero(split == "train")
    learnt = np.flatnonzero((split == "train") | ((split == "val") & refit))
    origin = approximate_mean(vectors[learnt[:: max(1, len(learnt) // 1024)]])
    for own in labels:
        yield _weighted_moments(vectors, own, train, origin), _weighted_moments(vectors, own, learnt, origin)


def _weighted_moments(vectors: np.ndarray, labels: np.ndarray, rows: np.ndarray, origin: np.ndarray) -> Subset:
    """Return the moments of some images, weighted so that every taxon weighs the same, and the taxa."""
    d, root = vectors.shape[1], np.sqrt(image_weights(labels[rows], balanced=True))
    taxa, taxon = np.unique(labels[rows], return_inverse=True)
    sums, second, norms = np.zeros((len(taxa), d)), np.zeros((d, d)), np.zeros(len(taxa))
    for chunk in DEFAULT_CHUNKS.of(np.arange(len(rows))):
        x = (vectors[rows[chunk]] - origin) * root[chunk, None]
        cells = (root[chunk], (taxon[chunk], np.arange(len(chunk))))
        sums += csr_array(cells, shape=(len(taxa), len(chunk))) @ x
        norms += np.bincount(taxon[chunk], weights=np.einsum("ij,ij->i", x, x), minlength=len(taxa))
        second += x.T @ x
    counts = np.bincount(taxon, weights=root**2, minlength=len(taxa))
    return Moments(counts, sums, norms, second, np.zeros(d), 0.0, origin), taxa


def _at_rank(moments: Moments, taxa_of_groups: np.ndarray) -> Subset:
    """Return the moments of the taxa of a rank that have images, and those taxa."""
    taxa, taxon = np.unique(taxa_of_groups[moments.counts > 0], return_inverse=True)
    taxon_of_group = np.zeros(len(taxa_of_groups), dtype=np.int64)  # groups without images add nothing to taxon 0
    taxon_of_group[moments.counts > 0] = taxon
    return moments.coarsen(taxon_of_group, len(taxa)), taxa


def spread(moments: Moments) -> float:
    """Return the root mean square distance of images from their mean.

    Parameters
    ----------
    moments : Moments

    Returns
    -------
    float
        Infinite if the images coincide, so that weights that are scaled by it are 0.

    Examples
    --------
    >>> spread(Moments.of(np.array([[1.0], [3.0]]), np.array([0, 0]), 1))
    1.0
    """
    total = moments.sums.sum(axis=0)
    unit = float(np.sqrt(max(moments.squares - total @ total / moments.n, 0) / moments.n))
    return unit if unit >= ROUNDING else np.inf
