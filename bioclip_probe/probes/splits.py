"""Splits of images into train, val and test.

One split serves all ranks. A test image is tested at each of them, so that predictions at two ranks can be compared,
and no probe has learnt from the image at another rank.
"""

from __future__ import annotations

import math

import numpy as np

from bioclip_probe.probes.inputs import SUBSETS

N_FOLDS = 5


def split_by_image(
    labels: np.ndarray,
    rng: np.random.Generator,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Assign each image to train, val or test, so that every taxon of every rank is in all three.

    Images of one species are in all subsets, so a probe of such a split recognises taxa that it has seen.

    Parameters
    ----------
    labels : ndarray, shape (R, n), int64
        Taxon of each image at each of R ranks, −1 for none.
    rng : numpy.random.Generator
    fractions : tuple of three floats
        Shares of train, val and test, each above 0, summing to 1.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer of each image: the images of one group stay together. −1 belongs to no group.

    Returns
    -------
    ndarray, shape (R, n), of str
        ``train``, ``val``, ``test``, or empty for an image that is left out at a rank: it has no label there, or its
        taxon is not in all three subsets (it has fewer than three images, or its groups do not allow it). An image that
        is in a subset at several ranks is in the same subset at all of them.

    Raises
    ------
    ValueError
        If the fractions are not as described.

    Notes
    -----
    Images (or groups, the largest first) are drawn in random order. For each subset, add half an image to the number
    that the subset holds of one of the image's taxa, divide by the number that it should hold, and sum over ranks; a
    subset without the taxon counts 0. The image goes to the subset with the smallest sum; ties go to train, then val.
    The lowest rank, whose taxa are small, decides where it can, and higher ranks decide its ties: a species with five
    images has 3, 1 and 1, a species with ten has 6, 2 and 2, and large taxa have the fractions to within a few images.

    Examples
    --------
    >>> (split,) = split_by_image(np.zeros((1, 5), dtype=int), np.random.default_rng(0))
    >>> sorted(split.tolist())
    ['test', 'train', 'train', 'train', 'val']
    """
    if len(fractions) != 3 or min(fractions) <= 0 or not math.isclose(sum(fractions), 1, abs_tol=1e-9):
        raise ValueError(f"expected three positive fractions that sum to 1, got {fractions}")
    labels = np.asarray(labels)
    split = np.full(labels.shape, "", dtype="<U5")
    labelled = np.flatnonzero((labels >= 0).any(axis=0))
    if not len(labelled):
        return split
    subset = _assign_subsets(_number_taxa(labels[:, labelled]), _number_groups(groups, labelled), fractions, rng)
    for rank, own in enumerate(labels):
        rows = np.flatnonzero(own[labelled] >= 0)
        _, taxon = np.unique(own[labelled][rows], return_inverse=True)
        in_subset = np.zeros((taxon.max(initial=-1) + 1, 3), dtype=bool)
        in_subset[taxon, subset[rows]] = True
        complete = rows[in_subset.sum(axis=1)[taxon] == len(SUBSETS)]
        split[rank, labelled[complete]] = np.array(SUBSETS)[subset[complete]]
    return split


def hold_out_children(
    labels: np.ndarray,
    children: np.ndarray,
    rng: np.random.Generator,
    folds: int = N_FOLDS,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return splits that test each taxon on child taxa that the probe has not seen.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    children : ndarray, shape (n,), int64
        Taxon of each image at the next lower rank, −1 for none.
    rng : numpy.random.Generator
    folds : int
        At least 3. The children of each taxon are dealt to the folds in random order, the largest first. Each goes to
        the fold with the fewest images of the taxon; ties go to the fold with the fewest images of all taxa.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer of each image: a probe learns from no image whose group is tested. −1 belongs to no
        group.

    Returns
    -------
    ndarray, shape (folds, n), of str
        In split f the children of fold f are the test images, those of the next fold val, the others train. Images
        without a label at either rank, and images of taxa with one child, are empty: they cannot be tested on another
        child. Every other image is tested in exactly one split, by a probe that has seen other children of its taxon in
        train or val.

    Raises
    ------
    ValueError
        If there are fewer than 3 folds.

    Examples
    --------
    >>> genus, species = np.zeros(3, dtype=int), np.arange(3)
    >>> splits = hold_out_children(genus, species, np.random.default_rng(0), folds=3)
    >>> np.sum(splits == "test", axis=0).tolist()
    [1, 1, 1]
    """
    if folds < 3:
        raise ValueError(f"expected at least 3 folds (train, val, test), got {folds}")
    split = np.full((folds, len(labels)), "", dtype="<U5")
    rows = np.flatnonzero((labels >= 0) & (children >= 0))
    fold_of_image = _deal_children(labels[rows], children[rows], folds, rng)
    rows, fold_of_image = rows[fold_of_image >= 0], fold_of_image[fold_of_image >= 0]
    group = _number_groups(groups, rows)
    for fold in range(folds):
        subset = np.where(fold_of_image == fold, "test", np.where(fold_of_image == (fold + 1) % folds, "val", "train"))
        shares_group = np.isin(group, group[subset == "test"]) & (subset != "test")
        split[fold, rows] = np.where(shares_group, "", subset)
    return split


def _deal_children(labels: np.ndarray, children: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of the child of each image; −1 for the images of taxa with one child."""
    pairs, child, size = np.unique(np.stack([labels, children]), axis=1, return_inverse=True, return_counts=True)
    _, taxon, n_children = np.unique(pairs[0], return_inverse=True, return_counts=True)
    fold_of_child = np.full(len(size), -1)
    of_taxon, of_all = np.zeros((len(n_children), folds)), np.zeros(folds)  # images in each fold
    order = rng.permutation(len(size))
    for c in order[np.argsort(-size[order], kind="stable")].tolist():
        own = of_taxon[taxon[c]]
        fold = min((own[f], of_all[f], f) for f in range(folds))[-1]
        fold_of_child[c] = fold
        own[fold] += size[c]
        of_all[fold] += size[c]
    fold_of_child[n_children[taxon] < 2] = -1
    return fold_of_child[child.ravel()]


def leave_one_out(labels: np.ndarray, rng: np.random.Generator, groups: np.ndarray | None = None) -> np.ndarray:
    """Return one split for each image, in which it alone is tested; for small collections.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    rng : numpy.random.Generator
        Draws the val images, a quarter of the images to learn from, spread over the taxa.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer of each image: the other images of the tested image's group are left out. −1 belongs
        to no group.

    Returns
    -------
    ndarray, shape (m, n), of str
        One split for each of the m images whose taxon has other images to learn from, in their order. Images without a
        label, and images of taxa with one image (or one group), are empty in all splits.

    Examples
    --------
    >>> leave_one_out(np.array([0, 0, 1]), np.random.default_rng(0)).tolist()
    [['test', 'train', ''], ['train', 'test', '']]
    """
    rows = np.flatnonzero(labels >= 0)
    group = _number_groups(groups, rows)
    _, taxon = np.unique(labels[rows], return_inverse=True)
    taxon_of_group = np.unique(np.stack([taxon, group]), axis=1)[0]
    kept = np.bincount(taxon_of_group, minlength=taxon.max(initial=-1) + 1)[taxon] > 1
    rows, group = rows[kept], group[kept]
    # Every fourth image in the order of the taxa: images of a small taxon are in train rather than in val.
    order = rng.permutation(len(rows))
    order = order[np.argsort(labels[rows][order], kind="stable")]
    val = np.zeros(len(rows), dtype=bool)
    val[order[3::4]] = True
    splits = np.full((len(rows), len(labels)), "", dtype="<U5")
    for tested in range(len(rows)):
        splits[tested, rows] = np.where(group == group[tested], "", np.where(val, "val", "train"))
        splits[tested, rows[tested]] = "test"
    return splits


def shuffle_children(labels: np.ndarray, children: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the labels of the control task: each child taxon gets the taxon of another, drawn without replacement.

    A probe can name these taxa only by memorising which children belong to them.

    Parameters
    ----------
    labels, children : ndarray, shape (n,), int64
        Taxon of each image, and its taxon at the next lower rank; −1 for none.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n,), int64
        Every taxon has as many children as before. −1 where an image has no label at either rank.

    References
    ----------
    Hewitt & Liang 2019, EMNLP, section 2.1 (control tasks).

    Examples
    --------
    >>> genus, species = np.array([0, 0, 1, 1]), np.array([5, 6, 7, 8])
    >>> sorted(shuffle_children(genus, species, np.random.default_rng(0)).tolist())
    [0, 0, 1, 1]
    """
    shuffled = np.full(len(labels), -1, dtype=np.int64)
    rows = np.flatnonzero((labels >= 0) & (children >= 0))
    pairs, child = np.unique(np.stack([labels[rows], children[rows]]), axis=1, return_inverse=True)
    shuffled[rows] = rng.permutation(pairs[0])[child.ravel()]
    return shuffled


def limit_shots(split: np.ndarray, labels: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Return the same split with a limited number of train images of each taxon; the others are left out.

    Parameters
    ----------
    split : ndarray, shape (n,), of str
    labels : ndarray, shape (n,), int64
    shots : int
        Train images of each taxon, drawn at random. A taxon with fewer keeps all of them.
    rng : numpy.random.Generator
        A generator in the same state draws nested sets: the images of few shots are among those of more.

    Returns
    -------
    ndarray, shape (n,), of str

    Examples
    --------
    >>> split = np.array(["train", "train", "test"])
    >>> np.sum(limit_shots(split, np.zeros(3, dtype=int), 1, np.random.default_rng(0)) == "train")
    np.int64(1)
    """
    limited = np.array(split)
    train = rng.permutation(np.flatnonzero(split == "train"))
    train = train[np.argsort(labels[train], kind="stable")]
    position = np.arange(len(train)) - np.searchsorted(labels[train], labels[train])  # among the images of the taxon
    limited[train[position >= shots]] = ""
    return limited


def _number_groups(groups: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """Return the group of each row, numbered from 0; a row of group −1 is a group of its own, and all are without."""
    if groups is None:
        return np.arange(len(rows))
    own = groups[rows]
    return np.unique(np.where(own < 0, own.max(initial=-1) + 1 + np.arange(len(rows)), own), return_inverse=True)[1]


def _number_taxa(labels: np.ndarray) -> np.ndarray:
    """Return labels (R, n) numbered from 0, each taxon of each rank with a number of its own; −1 stays."""
    numbered, first = np.full(labels.shape, -1), 0
    for rank, own in enumerate(labels):
        taxa, taxon = np.unique(own[own >= 0], return_inverse=True)
        numbered[rank, own >= 0] = first + taxon
        first += len(taxa)
    return numbered


def _assign_subsets(
    taxa: np.ndarray, group: np.ndarray, fractions: tuple[float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """Return the subset of each image, 0 to 2; `taxa` (R, n) are numbered from 0."""
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    order = rng.permutation(len(members))
    order = order[np.argsort([-len(members[g]) for g in order], kind="stable")]
    target = (np.bincount(taxa[taxa >= 0])[:, None] * np.array(fractions)).tolist()
    # Plain lists: most groups are single images, for which arrays cost more than they save.
    taxa_of_image = [[t for t in own if t >= 0] for own in taxa.T.tolist()]
    count = [[0, 0, 0] for _ in target]
    subset = np.empty(taxa.shape[1], dtype=np.int64)
    for g in order:
        own = [t for image in members[g] for t in taxa_of_image[image]]
        fill = [sum((count[t][s] + 0.5) / target[t][s] if count[t][s] else 0 for t in own) for s in range(3)]
        chosen = fill.index(min(fill))
        subset[members[g]] = chosen
        for t in own:
            count[t][chosen] += 1
    return subset
