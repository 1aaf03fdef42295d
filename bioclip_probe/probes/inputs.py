"""Checks of the inputs that all probes share, and the sharing of work between ranks of the same split."""

from __future__ import annotations

import numpy as np

from bioclip_probe.errors import DataError, some

#: The subsets of a split, in the order in which they are numbered.
SUBSETS = ("train", "val", "test")


def check_split(vectors: np.ndarray, labels: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Return the split without the images that have no label, or raise an error if an input is malformed.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        Embeddings.
    labels : ndarray, shape (R, n), int64
        Taxon of each image at each of R ranks, −1 for none.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test``, or empty for an image that is left out.

    Returns
    -------
    ndarray, shape (R, n), of str
        The split, empty where an image has no label.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the split holds another word.

    Examples
    --------
    >>> check_split(np.eye(2), np.array([[3, -1]]), np.array([["train", "test"]])).tolist()
    [['train', '']]
    """
    not_finite = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(not_finite):
        raise DataError(f"embeddings must be finite; not finite: row {some(not_finite)}")
    unknown = sorted(set(np.unique(split).tolist()) - {*SUBSETS, ""})
    if unknown:
        raise ValueError(f"expected a split of {', '.join(SUBSETS)} or empty, got {some(unknown)}")
    return np.where(labels >= 0, split, "")


def learning_obstacle(labels: np.ndarray, split: np.ndarray, subsets: tuple[str, ...] = SUBSETS) -> str:
    """Return the reason why a probe cannot learn at one rank, or an empty string if it can.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
    split : ndarray, shape (n,), of str
    subsets : tuple of str
        Subsets that must have images.

    Returns
    -------
    str

    Examples
    --------
    >>> learning_obstacle(np.array([0, 0, 0]), np.array(["train", "val", "test"]))
    'only one taxon to learn'
    """
    empty = [name for name in subsets if not (split == name).any()]
    if empty:
        return f"no image in {' and '.join(empty)}"
    return "only one taxon to learn" if len(np.unique(labels[split == "train"])) < 2 else ""


def ranks_with_equal_splits(split: np.ndarray) -> list[list[int]]:
    """Return the ranks in groups: at the ranks of one group every image is in the same subset.

    Parameters
    ----------
    split : ndarray, shape (R, n), of str

    Returns
    -------
    list of list of int
        Every rank once, in the order of first occurrence.

    Examples
    --------
    >>> ranks_with_equal_splits(np.array([["train", "test"], ["test", "train"], ["train", "test"]]))
    [[0, 2], [1]]
    """
    ranks: dict[bytes, list[int]] = {}
    for rank, own_split in enumerate(split):
        ranks.setdefault(own_split.tobytes(), []).append(rank)
    return list(ranks.values())


def image_weights(labels: np.ndarray, balanced: bool) -> np.ndarray:
    """Return the weight of each image: 1, or the same total for every taxon.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        The taxon of each image, all known.
    balanced : bool
        Give every taxon the same total weight, n/taxa.

    Returns
    -------
    ndarray, shape (n,), float64
        Their mean is 1.

    Examples
    --------
    >>> image_weights(np.array([3, 3, 3, 7]), balanced=True).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    if not balanced or not len(labels):
        return np.ones(len(labels))
    _, taxon, count = np.unique(labels, return_inverse=True, return_counts=True)
    return (len(labels) / (len(count) * count))[taxon]


def val_accuracy(right: np.ndarray, labels: np.ndarray, balanced: bool) -> float:
    """Return the share of val images that are named correctly; with balanced taxa the mean of the shares of taxa.

    Parameters
    ----------
    right : ndarray, shape (n,), bool
        True where the taxon of the image is named.
    labels : ndarray, shape (n,), int64
        The taxon of each image; n ≥ 1.
    balanced : bool

    Returns
    -------
    float
        In [0, 1], rounded to 12 digits, so that equal accuracies tie.

    Examples
    --------
    >>> val_accuracy(np.array([True, True, True, False]), np.array([3, 3, 3, 7]), balanced=True)
    0.5
    """
    return round(float(np.mean(image_weights(labels, balanced) * right)), 12)
