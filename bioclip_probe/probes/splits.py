"""Splits of images into train, val and test.

One split serves all ranks. A test image is tested at each of them, so that predictions at two ranks can be compared,
and no probe has learnt from the image at another rank.
"""

from __future__ import annotations

import math

import numpy as np

from bioclip_probe.probes.inputs import SUBSETS

#: Names that datasets give to their subsets, in lower case.
SPELLINGS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


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
    subset = _assign_subsets(_number_taxa(labels[:, labelled]), number_groups(groups, labelled), fractions, rng)
    for rank, own in enumerate(labels):
        rows = np.flatnonzero(own[labelled] >= 0)
        _, taxon = np.unique(own[labelled][rows], return_inverse=True)
        in_subset = np.zeros((taxon.max(initial=-1) + 1, 3), dtype=bool)
        in_subset[taxon, subset[rows]] = True
        complete = rows[in_subset.sum(axis=1)[taxon] == len(SUBSETS)]
        split[rank, labelled[complete]] = np.array(SUBSETS)[subset[complete]]
    return split


def split_as_given(
    labels: np.ndarray,
    given: np.ndarray,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
    copies: np.ndarray | None = None,
) -> np.ndarray:
    """Return the split that a dataset comes with, for each rank.

    Parameters
    ----------
    labels : ndarray, shape (R, n), int64
        Taxon of each image at each of R ranks, −1 for none.
    given : ndarray, shape (n,), of str
        The dataset's own words, see `given_subsets`.
    rng : numpy.random.Generator
        Draws the val images where the dataset has none: a fifth of its train images, spread over the taxa.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer of each image: images of one group are not divided between train and val. −1 belongs
        to no group. The test images stay as they are given.
    copies : ndarray, shape (n,), int64, optional
        Number of the picture that several images show; −1 for an image without a copy. An image to learn from whose
        copy is a test image is left out.

    Returns
    -------
    ndarray, shape (R, n), of str
        ``train``, ``val``, ``test``, or empty for an image that is left out at a rank: it has no label or no subset
        there, a test image is its copy, or its taxon has no image to learn from or none to test.

    Examples
    --------
    >>> given = np.array(["Training", "Training", "Testing", "Testing"])
    >>> (split,) = split_as_given(np.array([[3, 3, 3, 7]]), given, np.random.default_rng(0))
    >>> split[2:].tolist()  # nothing can be learnt about taxon 7
    ['test', '']
    """
    subset = given_subsets(given)
    if copies is not None and len(copies):
        subset[copies_of_tested(subset, copies)] = ""
    train = np.flatnonzero((subset == "train") & (labels >= 0).any(axis=0))
    if len(train) and not (subset == "val").any():
        # Drawn as train, val and train, the val images are spread over the taxa as those of `split_by_image`.
        drawn = _assign_subsets(_number_taxa(labels[:, train]), number_groups(groups, train), (0.6, 0.2, 0.2), rng)
        subset[train[drawn == 1]] = "val"
    split = np.where(labels >= 0, subset, "")
    for own, own_split in zip(labels, split, strict=True):
        learnt, tested = (own[np.isin(own_split, names)] for names in (("train", "val"), ("test",)))
        own_split[~np.isin(own, np.intersect1d(learnt, tested))] = ""
    return split


def copies_of_tested(subset: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Return True for each image to learn from whose copy is a test image.

    Parameters
    ----------
    subset : ndarray, shape (n,), of str
        ``train``, ``val``, ``test`` or empty.
    copies : ndarray, shape (n,), int64
        Number of the picture that several images show; −1 for an image without a copy.

    Returns
    -------
    ndarray, shape (n,), bool

    Examples
    --------
    >>> copies_of_tested(np.array(["train", "test", "train"]), np.array([0, 0, -1])).tolist()
    [True, False, False]
    """
    tested = copies[(subset == "test") & (copies >= 0)]
    return np.isin(subset, ("train", "val")) & np.isin(copies, tested)


def given_subsets(given: np.ndarray) -> np.ndarray:
    """Return ``train``, ``val`` or ``test`` for each of a dataset's own words for them.

    Parameters
    ----------
    given : ndarray, shape (n,), of str
        For instance ``Training``, ``validation`` or ``test``; letter case does not matter. Where a dataset has train
        and val and no test images, as iNaturalist's competitions have, its val images are the test images.

    Returns
    -------
    ndarray, shape (n,), of str
        Empty for any other word; empty throughout if there are no train or no test images.

    Examples
    --------
    >>> given_subsets(np.array(["Training", "validation", "extra"])).tolist()
    ['train', 'test', '']
    >>> given_subsets(np.array(["seen", "unseen"])).tolist()
    ['', '']
    """
    words, which = np.unique(given, return_inverse=True)
    subset = np.array([SPELLINGS.get(word.strip().lower(), "") for word in words.tolist()], dtype="<U5")[which]
    if not (subset == "test").any():
        subset[subset == "val"] = "test"
    has_both = (subset == "train").any() and (subset == "test").any()
    return subset if has_both else np.full(len(subset), "", dtype="<U5")


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
    group = number_groups(groups, rows)
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


def number_groups(groups: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """Return the group of each row as a number.

    Parameters
    ----------
    groups : ndarray, shape (n,), int64, optional
        −1 belongs to no group. Without it every image is a group of its own.
    rows : ndarray, shape (m,), int64
        Row numbers.

    Returns
    -------
    ndarray, shape (m,), int64
        From 0. A row of group −1 is a group of its own.

    Examples
    --------
    >>> number_groups(np.array([7, -1, 7, -1]), np.arange(4)).tolist()
    [0, 1, 0, 2]
    """
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
