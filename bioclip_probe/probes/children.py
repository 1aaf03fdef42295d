"""Deals of child taxa to folds: which children of each taxon a probe learns from, and which it never sees.

One probe answers both questions of a fold. It is asked about other images of the children that it learnt from, and
about children that it never saw. Every taxon is asked about in every fold, so the answers of a probe without any signal
are right for 1/taxa of the images, averaged over taxa, in both questions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.probes.splits import number_groups

N_FOLDS = 5
#: Test images of children that are learnt from, and of children that are held out.
SEEN_CHILD, UNSEEN_CHILD = "seen", "unseen"


def hold_out_children(
    labels: np.ndarray,
    children: np.ndarray,
    rng: np.random.Generator,
    n_folds: int = N_FOLDS,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return folds that ask about each taxon by children that the probe has seen and by children that it has not.

    Parameters
    ----------
    labels : ndarray, shape (n,), int64
        Taxon of each image, −1 for none.
    children : ndarray, shape (n,), int64
        Taxon of each image at the next lower rank, −1 for none.
    rng : numpy.random.Generator
        Deals the children. Another generator gives another deal.
    n_folds : int
        At least 4, so that every child is learnt from in two folds.
    groups : ndarray, shape (n,), int64, optional
        Observation or photographer of each image: no image is learnt from whose group is tested. −1 belongs to no
        group.

    Returns
    -------
    ndarray, shape (n_folds, n), of str
        ``unseen`` for the images of children that are held out; ``seen`` for test images of the other children;
        ``train`` and ``val`` for the images that are learnt from; empty for an image that is left out.

    Raises
    ------
    ValueError
        If there are fewer than 4 folds.

    Notes
    -----
    Taxa with one child are left out: they cannot be asked about by another child. The children of each taxon are dealt
    to as many parts as there are folds, or to one part each where there are fewer: in random order, the largest first,
    each to the part with the fewest images. Each fold holds out one part of every taxon, and takes the next part for
    val. With two children there is no other part, and val is a quarter of the images that are learnt from, at least one
    where there are two. The images of a child are tested as ``seen`` in turn, each in one of the folds that learn from
    the child, as long as another image of the child is left to learn from; a child with one image is tested as
    ``unseen`` only. So all taxa are asked about in every fold, and nearly the same images in both ways.

    Examples
    --------
    >>> genus, species = np.zeros(8, dtype=int), np.arange(8) // 2
    >>> folds = hold_out_children(genus, species, np.random.default_rng(0))
    >>> np.sum(folds == "seen", axis=0).tolist()  # each image is tested once while its species is learnt from
    [1, 1, 1, 1, 1, 1, 1, 1]
    """
    if n_folds < 4:
        raise ValueError(f"expected at least 4 folds, got {n_folds}")
    folds = np.full((n_folds, len(labels)), "", dtype="<U6")
    rows = np.flatnonzero((labels >= 0) & (children >= 0))
    pairs = np.unique(np.stack([labels[rows], children[rows]]), axis=1)
    taxa, n_children = np.unique(pairs[0], return_counts=True)
    rows = rows[np.isin(labels[rows], taxa[n_children > 1])]
    if len(rows):
        dealt = _Deal.of(labels[rows], children[rows], number_groups(groups, rows), n_folds, rng)
        for fold in range(n_folds):
            folds[fold, rows] = dealt.roles(fold)
    return folds


@dataclass(frozen=True, eq=False)
class _Deal:
    """Images of taxa with two children or more, and the fold in which each is tested.

    Attributes
    ----------
    taxon, child, group : ndarray, shape (m,), int64
        Numbered from 0; children of different taxa have different numbers.
    held_out, next_held_out : ndarray, shape (F, children), bool
        True where a child is held out in a fold, and where it is val because it is held out in the next.
    seen_fold : ndarray, shape (m,), int64
        The fold in which the image is tested while its child is learnt from; −1 for none.
    cell : ndarray, shape (m,), int64
        Number of the group within its child, ascending by child and random within it.
    """

    taxon: np.ndarray
    child: np.ndarray
    group: np.ndarray
    held_out: np.ndarray
    next_held_out: np.ndarray
    seen_fold: np.ndarray
    cell: np.ndarray

    @classmethod
    def of(
        cls, labels: np.ndarray, children: np.ndarray, group: np.ndarray, n_folds: int, rng: np.random.Generator
    ) -> _Deal:
        """Deal the children to parts, and the images of each child to the folds that learn from it."""
        pairs, child = np.unique(np.stack([labels, children]), axis=1, return_inverse=True)
        child = child.ravel()
        _, taxon_of_child, n_children = np.unique(pairs[0], return_inverse=True, return_counts=True)
        n_parts = np.minimum(n_children, n_folds)[taxon_of_child]
        part = _deal_to_parts(np.bincount(child), taxon_of_child, n_parts, rng)
        turn = (np.arange(n_folds)[:, None] + rng.integers(n_folds, size=len(n_children))[taxon_of_child]) % n_parts
        held_out, after = turn == part, (turn + 1) % n_parts == part
        cells, cell = np.unique(np.stack([child, group]), axis=1, return_inverse=True)
        shuffled = rng.permutation(cells.shape[1])
        shuffled = shuffled[np.argsort(cells[0][shuffled], kind="stable")]
        number, place = np.argsort(shuffled), np.empty(len(shuffled), dtype=np.int64)
        place[shuffled] = _place_in_run(cells[0][shuffled])
        learns = np.argsort(held_out, axis=0, kind="stable")  # the folds that learn from a child come first
        place += rng.integers(n_folds, size=(pairs.shape[1],))[cells[0]]
        tested_in = learns[place % np.sum(~held_out, axis=0)[cells[0]], cells[0]]
        tested_in[np.bincount(cells[0])[cells[0]] < 2] = -1
        cell = cell.ravel()
        return cls(taxon_of_child[child], child, group, held_out, after & (n_parts > 2), tested_in[cell], number[cell])

    def roles(self, fold: int) -> np.ndarray:
        """Return what each image is in a fold, shape (m,), of str."""
        role = np.where(self.next_held_out[fold, self.child], "val", "train").astype("<U6")
        role[self.seen_fold == fold] = SEEN_CHILD
        role[self.held_out[fold, self.child]] = UNSEEN_CHILD
        unseen = role == UNSEEN_CHILD
        learnt = (role == "train") | (role == "val")
        role[learnt & np.isin(self.group, self.group[unseen])] = ""
        learnt &= role != ""
        role[(role == SEEN_CHILD) & np.isin(self.group, self.group[learnt])] = "train"
        self._take_val_of_single_parts(role, fold)
        learnt = (role == "train") | (role == "val")
        role[(role == SEEN_CHILD) & ~np.isin(self.child, self.child[learnt])] = ""
        role[~np.isin(self.taxon, self.taxon[learnt])] = ""
        return role

    def _take_val_of_single_parts(self, role: np.ndarray, fold: int) -> None:
        """Turn every fourth group of train images into val in taxa without children for val."""
        has_val = np.isin(self.taxon, self.taxon[self.next_held_out[fold, self.child]])
        rows = np.flatnonzero((role == "train") & ~has_val)
        cells, cell = np.unique(np.stack([self.taxon[rows], self.cell[rows]]), axis=1, return_inverse=True)
        place = _place_in_run(cells[0])
        n_cells = np.searchsorted(cells[0], cells[0], side="right") - np.searchsorted(cells[0], cells[0])
        is_val = (place % 4 == np.minimum(n_cells, 4) - 1) & (n_cells > 1)
        role[rows[is_val[cell.ravel()]]] = "val"


def _place_in_run(numbers: np.ndarray) -> np.ndarray:
    """Return the place, from 0, of each of some ascending numbers among those equal to it."""
    return np.arange(len(numbers)) - np.searchsorted(numbers, numbers)


def _deal_to_parts(size: np.ndarray, taxon: np.ndarray, n_parts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the part of each child: the largest child first, each to the part of its taxon with the fewest images."""
    part = np.zeros(len(size), dtype=np.int64)
    images: dict[int, list[int]] = {}
    order = rng.permutation(len(size))
    for child in order[np.argsort(-size[order], kind="stable")].tolist():
        own = images.setdefault(int(taxon[child]), [0] * int(n_parts[child]))
        part[child] = own.index(min(own))
        own[part[child]] += int(size[child])
    return part
