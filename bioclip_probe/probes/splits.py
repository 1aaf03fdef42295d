"""Who is learnt from and who is asked: splits of images into train, val and test.

A split is made once for all ranks. An image to be tested is tested at each of them, so that answers at two ranks can be
held against each other, and no probe has seen it at another rank.
"""

from __future__ import annotations

import math

import numpy as np

from bioclip_probe.errors import DataError, some

SPLITS = ("train", "val", "test")
FOLDS = 5


def split_by_image(
    labels: np.ndarray,
    rng: np.random.Generator,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Train, val or test for each image, with every taxon of every rank in all three.

    Images of one species fall on both sides: what is learnt from such a split is to recognise taxa already seen.

    Parameters
    ----------
    labels : ndarray, shape (R, n), int64
        Taxon of each image at each of R ranks, −1 for none.
    rng : numpy.random.Generator
    fractions : tuple of three floats
        Shares of train, val and test, each above 0, summing to 1.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: images of one group stay together. −1 belongs to no group.

    Returns
    -------
    ndarray, shape (R, n), of str
        ``train``, ``val``, ``test``, or empty for an image left out at that rank: one without a name there, or of a
        taxon that is not in all three parts (fewer than three images, or groups that do not allow it). At all ranks at
        which an image is in a part, it is the same part.

    Raises
    ------
    ValueError
        If the fractions are not as described.

    Notes
    -----
    Images (or groups, the largest first) are drawn in random order. Each goes to the part that, half an image added,
    holds the smallest share of what it should hold of the image's taxa, summed over ranks, where a part that has none
    of a taxon yet holds nothing; of equals train comes first, then val. So the lowest rank, whose taxa are small,
    decides where it can, and the higher ones where it is even: a species with five images has 3, 1 and 1, with ten
    6, 2 and 2, and large taxa have the fractions to within a few images.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or not math.isclose(sum(fractions), 1, abs_tol=1e-9):
        raise ValueError(f"expected three positive fractions that sum to 1, got {fractions}")
    labels = np.asarray(labels)
    split = np.full(labels.shape, "", dtype="<U5")
    named = np.flatnonzero((labels >= 0).any(axis=0))
    if not len(named):
        return split
    part = _assign(_numbered(labels[:, named]), together(groups, named), fractions, rng)
    for rank, own in enumerate(labels):
        rows = np.flatnonzero(own[named] >= 0)
        _, taxon = np.unique(own[named][rows], return_inverse=True)
        held = np.zeros((taxon.max(initial=-1) + 1, 3), dtype=bool)
        held[taxon, part[rows]] = True
        whole = rows[held.all(axis=1)[taxon]]
        split[rank, named[whole]] = np.array(SPLITS)[part[whole]]
    return split


def hold_out_children(
    labels: np.ndarray,
    children: np.ndarray,
    rng: np.random.Generator,
    folds: int = FOLDS,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Splits that test each taxon on child taxa that the probe never saw.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    children : ndarray, shape (n,), int64
        The taxon of each image at the next rank down, −1 for none.
    rng : numpy.random.Generator
    folds : int
        At least 3. The children of each taxon are dealt to them in random order, the largest first to whichever fold
        has the fewest images of the taxon, of equals the one with the fewest of all.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: no image of a group that is tested is learnt from. −1 belongs to no group.

    Returns
    -------
    ndarray, shape (folds, n), of str
        In split f the children of fold f are tested, those of the next fold are val, the others train. Empty for
        images without a name at either rank and of taxa with one child: they cannot be tested on another. Every other
        image is tested in just one split, by a probe that has met other children of its taxon in train or val.

    Raises
    ------
    ValueError
        If there are fewer than 3 folds.
    """
    if folds < 3:
        raise ValueError(f"expected at least 3 folds (train, val, test), got {folds}")
    split = np.full((folds, len(labels)), "", dtype="<U5")
    rows = np.flatnonzero((labels >= 0) & (children >= 0))
    pairs, child, size = np.unique(
        np.stack([labels[rows], children[rows]]), axis=1, return_inverse=True, return_counts=True
    )
    child = child.ravel()
    _, taxon, n_children = np.unique(pairs[0], return_inverse=True, return_counts=True)
    fold = np.full(len(size), -1)
    held, total = np.zeros((len(n_children), folds)), np.zeros(folds)
    order = rng.permutation(len(size))
    for c in order[np.argsort(-size[order], kind="stable")]:
        own = held[taxon[c]]
        fold[c] = min(range(folds), key=lambda f: (own[f], total[f], f))
        own[fold[c]] += size[c]
        total[fold[c]] += size[c]
    fold[n_children[taxon] < 2] = -1
    of_image = fold[child]
    rows, of_image = rows[of_image >= 0], of_image[of_image >= 0]
    group = together(groups, rows)
    for f in range(folds):
        part = np.where(of_image == f, "test", np.where(of_image == (f + 1) % folds, "val", "train"))
        met = np.isin(group, group[part == "test"]) & (part != "test")
        split[f, rows] = np.where(met, "", part)
    return split


def leave_one_out(labels: np.ndarray, rng: np.random.Generator, groups: np.ndarray | None = None) -> np.ndarray:
    """As many splits as images, each of which tests one of them: for small collections.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    rng : numpy.random.Generator
        Draws the val images, a quarter of those that are learnt from, spread over the taxa.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer: images of the group of the one tested are left out. −1 belongs to no group.

    Returns
    -------
    ndarray, shape (m, n), of str
        One split for each of the m images whose taxon has others to learn from, in their order. Empty for images
        without a name and of taxa with one image (or one group).
    """
    rows = np.flatnonzero(labels >= 0)
    group = together(groups, rows)
    _, taxon = np.unique(labels[rows], return_inverse=True)
    kinds = np.unique(np.stack([taxon, group]), axis=1)[0]
    kept = np.bincount(kinds, minlength=taxon.max(initial=-1) + 1)[taxon] > 1
    rows, group = rows[kept], group[kept]
    # A quarter of the images, spread over the taxa as they come: a small taxon is in train rather than in val.
    order = rng.permutation(len(rows))
    order = order[np.argsort(labels[rows][order], kind="stable")]
    val = np.zeros(len(rows), dtype=bool)
    val[order[3::4]] = True
    splits = np.full((len(rows), len(labels)), "", dtype="<U5")
    for one in range(len(rows)):
        part = np.where(val, "val", "train")
        splits[one, rows] = np.where(group == group[one], "", part)
        splits[one, rows[one]] = "test"
    return splits


def shuffle_children(labels: np.ndarray, children: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The control task: each child taxon gets the taxon of another, drawn without replacement.

    A probe that names these well has learnt the children by heart and added them up.

    Parameters
    ----------
    labels, children : ndarray, shape (n,), int64
        Taxon of each image, and its taxon at the next rank down; −1 for none.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n,), int64
        Every taxon has as many children as before. −1 where an image has no name at either rank.

    References
    ----------
    Hewitt & Liang 2019, EMNLP, section 2.1 (control tasks).
    """
    shuffled = np.full(len(labels), -1, dtype=np.int64)
    rows = np.flatnonzero((labels >= 0) & (children >= 0))
    pairs, child = np.unique(np.stack([labels[rows], children[rows]]), axis=1, return_inverse=True)
    shuffled[rows] = rng.permutation(pairs[0])[child.ravel()]
    return shuffled


def thin(split: np.ndarray, labels: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """The same split with at most so many train images of each taxon, drawn at random; the others are left out.

    Parameters
    ----------
    split : ndarray, shape (n,), of str
    labels : ndarray, shape (n,), int64
    shots : int
        A taxon with fewer train images keeps all of them. What is drawn for fewer shots is part of what the same
        generator draws for more.
    rng : numpy.random.Generator
    """
    thinned = np.array(split)
    train = rng.permutation(np.flatnonzero(split == "train"))
    train = train[np.argsort(labels[train], kind="stable")]
    place = np.arange(len(train)) - np.searchsorted(labels[train], labels[train])
    thinned[train[place >= shots]] = ""
    return thinned


def named_parts(vectors: np.ndarray, labels: np.ndarray, split: np.ndarray) -> np.ndarray:
    """The split without images that have no name, shape (R, n), once vectors and split are as probes take them."""
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise DataError(f"embeddings must be finite; not so in row {some(broken)}")
    strange = sorted(set(np.unique(split).tolist()) - {*SPLITS, ""})
    if strange:
        raise ValueError(f"expected a split of {', '.join(SPLITS)} or empty, got {some(strange)}")
    return np.where(labels >= 0, split, "")


def unlearnable(labels: np.ndarray, split: np.ndarray, parts: tuple[str, ...] = SPLITS) -> str:
    """Why nothing can be learnt at one rank; empty if it can."""
    empty = [name for name in parts if not (split == name).any()]
    if empty:
        return f"no image in {' and '.join(empty)}"
    return "only one taxon to learn" if len(np.unique(labels[split == "train"])) < 2 else ""


def alike(split: np.ndarray) -> list[list[int]]:
    """Ranks put together whose images are in the same parts; `split` (R, n)."""
    ranks = {}
    for rank, own in enumerate(split):
        ranks.setdefault(own.tobytes(), []).append(rank)
    return list(ranks.values())


def together(groups: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """A number for each of some rows, from 0, shared by those of one group; `groups` of −1, or none, stand alone."""
    if groups is None:
        return np.arange(len(rows))
    own = groups[rows]
    return np.unique(np.where(own < 0, own.max(initial=-1) + 1 + np.arange(len(rows)), own), return_inverse=True)[1]


def _numbered(labels):
    """Taxa of all ranks by one numbering from 0, shape (R, n); −1 stays."""
    numbered, first = np.full(labels.shape, -1), 0
    for rank, own in enumerate(labels):
        taxa, taxon = np.unique(own[own >= 0], return_inverse=True)
        numbered[rank, own >= 0] = first + taxon
        first += len(taxa)
    return numbered


def _assign(taxa, group, fractions, rng):
    """The part, 0 to 2, of each image; `taxa` (R, n) numbered from 0."""
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    order = rng.permutation(len(members))
    order = order[np.argsort([-len(members[g]) for g in order], kind="stable")]
    wanted = np.bincount(taxa[taxa >= 0])[:, None] * np.array(fractions)
    # Plain lists: most groups are single images, for which arrays cost more than they save.
    of_image = [[t for t in own if t >= 0] for own in taxa.T.tolist()]
    wanted, held = wanted.tolist(), np.zeros_like(wanted).tolist()
    part = np.empty(taxa.shape[1], dtype=np.int64)
    for g in order:
        own = [t for image in members[g] for t in of_image[image]]
        fill = [sum((held[t][s] + 0.5) / wanted[t][s] if held[t][s] else 0 for t in own) for s in range(3)]
        chosen = fill.index(min(fill))
        part[members[g]] = chosen
        for t in own:
            held[t][chosen] += 1
    return part
