"""Splits of images into train, val and test."""

from __future__ import annotations

import math

import numpy as np

SPLITS = ("train", "val", "test")


def split_by_image(
    labels: np.ndarray,
    rng: np.random.Generator,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Train, val or test for each image, with every taxon in all three.

    Images of one species fall on both sides: what is learnt from such a split is to recognise taxa already seen.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    rng : numpy.random.Generator
    fractions : tuple of three floats
        Shares of train, val and test, each above 0, summing to 1.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: images of one group stay together. −1 belongs to no group.

    Returns
    -------
    ndarray, shape (n,), of str
        ``train``, ``val``, ``test``, or empty for an image left out: one without a name, or of a taxon that cannot be
        in all three parts (fewer than three images, or groups that do not allow it). Count them by ``split == ""``.

    Raises
    ------
    ValueError
        If the fractions are not as described.

    Notes
    -----
    Images (or groups, the largest first) are drawn in random order. Each goes to a part that has none of its taxon
    yet, or else to the one that, half an image added, holds the smallest share of what it should; of equals train
    comes first, then val. A taxon with three images thus has one in each, with five 3, 1 and 1, with ten 6, 2 and 2,
    and with many the fractions hold to within one image.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or not math.isclose(sum(fractions), 1, abs_tol=1e-9):
        raise ValueError(f"expected three positive fractions that sum to 1, got {fractions}")
    taxa, size = np.unique(labels[labels >= 0], return_counts=True)
    large = np.flatnonzero(np.isin(labels, taxa[size >= 3]))
    split = np.full(len(labels), "", dtype="<U5")
    if not len(large):
        return split
    _, taxon = np.unique(labels[large], return_inverse=True)
    part = _assign(taxon, _together(large, groups), fractions, rng)
    held = np.zeros((taxon.max() + 1, 3), dtype=bool)
    held[taxon, part] = True
    whole = held.all(axis=1)[taxon]
    split[large[whole]] = np.array(SPLITS)[part[whole]]
    return split


def _together(rows, groups):
    """A number for each row, shared by those that must stay together."""
    if groups is None:
        return np.arange(len(rows))
    alone = groups[rows] < 0
    return np.unique(np.where(alone, groups.max() + 1 + np.arange(len(rows)), groups[rows]), return_inverse=True)[1]


def _assign(taxon, group, fractions, rng):
    """The part, 0 to 2, of each image."""
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    order = rng.permutation(len(members))
    order = order[np.argsort([-len(members[g]) for g in order], kind="stable")]
    wanted = np.bincount(taxon)[:, None] * np.array(fractions)
    # Plain lists: most groups are single images, for which arrays cost more than they save.
    wanted, held = wanted.tolist(), np.zeros_like(wanted).tolist()
    part = np.empty(len(taxon), dtype=np.int64)
    for g in order:
        taxa = taxon[members[g]].tolist()
        fill = [sum((held[t][s] + 0.5) / wanted[t][s] if held[t][s] else 0 for t in taxa) for s in range(3)]
        chosen = fill.index(min(fill))
        part[members[g]] = chosen
        for t in taxa:
            held[t][chosen] += 1
    return part
