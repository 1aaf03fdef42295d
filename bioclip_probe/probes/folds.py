"""Folds of few-shot probes: the support images that a probe learns from, and the queries that it is tested on.

`paper_folds` draws them as BioCLIP's authors drew them, so that their numbers can be reproduced. In `independent_folds`
no fold depends on another, and a query shares no observation with the support.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from bioclip_probe.errors import DataError, some

N_FOLDS = 5


def paper_folds(labels: np.ndarray, shots: Sequence[int], n_folds: int = N_FOLDS) -> dict[int, np.ndarray]:
    """Draw support and queries exactly as BioCLIP's authors drew them.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none, in the order in which their run read the images.
    shots : sequence of int
        Support images of each taxon, in the order in which their run took them: 1, 5.
    n_folds : int

    Returns
    -------
    dict of int to ndarray, shape (n_folds, n), of str
        For each of `shots` and each fold ``train`` for the support, ``test`` for the queries.

    Raises
    ------
    DataError
        If a taxon has fewer images than support: their run stops there.
    ValueError
        If there are no shots, or shots or folds are below 1.

    Notes
    -----
    The taxa are visited in the order of their first image. Python's generator, seeded with the number of the fold,
    shuffles the list of images of each taxon in place. The first images are the support and the others the queries; a
    taxon may have no queries. A fold starts from the order that the previous fold left, and the second of `shots` from
    the order that the first left. So a fold depends on those drawn before it, and is the same on every machine.

    References
    ----------
    Imageomics/bioclip, src/evaluation/few_shot.py, ``split`` and the loop over ``kshot_list``.

    Examples
    --------
    >>> paper_folds(np.array([0, 0, 1, 1]), shots=[1], n_folds=1)[1].tolist()
    [['train', 'test', 'train', 'test']]
    """
    _check(shots, n_folds)
    members: dict[int, list[int]] = {}
    for image in np.flatnonzero(labels >= 0).tolist():
        members.setdefault(int(labels[image]), []).append(image)
    too_few = sorted(taxon for taxon, images in members.items() if len(images) < max(shots))
    if too_few:
        raise DataError(
            f"the published few-shot run needs {max(shots)} images of every taxon; "
            f"taxa with fewer: {some(too_few)}; ask for corrected folds, which leave them out"
        )
    folds_of_shots = {}
    for k in shots:
        folds = np.full((n_folds, len(labels)), "", dtype="<U5")
        for fold in range(n_folds):
            stream = random.Random(fold)
            for images in members.values():
                stream.shuffle(images)
                folds[fold, images[:k]] = "train"
                folds[fold, images[k:]] = "test"
        folds_of_shots[k] = folds
    return folds_of_shots


def independent_folds(
    labels: np.ndarray,
    shots: int,
    rng: np.random.Generator,
    n_folds: int = N_FOLDS,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Draw support and queries independently in each fold.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    shots : int
        Support images of each taxon.
    rng : numpy.random.Generator
    n_folds : int
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer of each image: an image whose group is in the support of a fold is no query there.
        −1 belongs to no group.

    Returns
    -------
    ndarray, shape (n_folds, n), of str
        ``train`` for the support, ``test`` for the queries. Empty for images without a label, for taxa with no image
        beyond the support (`simpleshot` names them in its note), and for images that share a group with the support.

    Raises
    ------
    ValueError
        If shots or folds are below 1.

    Examples
    --------
    >>> folds = independent_folds(np.array([0, 0, 0, 1]), shots=1, rng=np.random.default_rng(0), n_folds=1)
    >>> sorted(folds[0].tolist())
    ['', 'test', 'test', 'train']
    """
    _check([shots], n_folds)
    folds = np.full((n_folds, len(labels)), "", dtype="<U5")
    rows = np.flatnonzero(labels >= 0)
    _, taxon, size = np.unique(labels[rows], return_inverse=True, return_counts=True)
    rows = rows[size[taxon] > shots]
    for split in folds:
        order = rng.permutation(rows)
        order = order[np.argsort(labels[order], kind="stable")]
        position = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])  # among those of the taxon
        split[order] = np.where(position < shots, "train", "test")
        if groups is not None:
            in_support = groups[split == "train"]
            split[(split == "test") & np.isin(groups, in_support[in_support >= 0])] = ""
    return folds


def _check(shots: Sequence[int], n_folds: int) -> None:
    """Raise an error if shots or folds are below 1."""
    if not len(shots) or min(shots) < 1 or n_folds < 1:
        raise ValueError(f"expected at least 1 image a taxon and 1 fold, got {list(shots)} and {n_folds}")
