"""A matrix of distances between taxa in the place of a tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioclip_probe.errors import TreeError, some
from bioclip_probe.tree.matching import NO_RULES, NameRules
from bioclip_probe.tree.placing import place_on
from bioclip_probe.tree.tree import NO_RANK, Placement, Tree, read_only

#: Entries (i, j) and (j, i) may differ by this share of the largest distance: tables are rounded.
SAME = 1e-6


@dataclass(frozen=True, eq=False)
class DistanceMatrix:
    """The distances between k taxa.

    Attributes
    ----------
    names : sequence of str
        The names of the taxa, each once.
    distance : ndarray, shape (k, k), float64
        Symmetric, at least 0, with zero diagonal. An entry may be missing (NaN) where its mirror image is given.
    unit : str
        Unit of the distances.

    Raises
    ------
    TreeError
        If it is no such matrix; the message names the entries.

    Examples
    --------
    >>> matrix = DistanceMatrix(["a", "b"], np.array([[0.0, np.nan], [2.0, 0.0]]))
    >>> matrix.distance.tolist(), matrix.star
    ([[0.0, 2.0], [2.0, 0.0]], Tree(2 tips, 3 nodes, unit='unknown'))
    >>> DistanceMatrix(["a", "b"], np.array([[0.0, 1.0], [2.0, 0.0]]))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.TreeError: a distance matrix is symmetric; 1 pairs have two distances: a and b (1, 2)
    """

    names: Sequence[str]
    distance: np.ndarray
    unit: str = "unknown"

    def __post_init__(self) -> None:
        names, distance = [str(name) for name in self.names], np.array(self.distance, dtype=np.float64)
        k = len(names)
        if distance.shape != (k, k):
            raise TreeError(
                f"a distance matrix has a row and a column for each name; got {distance.shape} and {k} names"
            )
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise TreeError(f"a distance matrix has each name once; {len(repeated)} are repeated: {some(repeated)}")
        distance = np.where(np.isnan(distance), distance.T, distance)
        np.fill_diagonal(distance, np.where(np.isnan(np.diag(distance)), 0.0, np.diag(distance)))

        if (wrong := ~np.isfinite(distance) | (distance < 0)).any():
            n, shown = _pairs(wrong, names, distance)
            raise TreeError(f"distances must be finite and at least 0; those of {n} pairs are not: {shown}")
        tolerance = SAME * float(distance.max(initial=0.0))
        if (wrong := np.abs(distance - distance.T) > tolerance).any():
            n, shown = _pairs(wrong, names, distance)
            raise TreeError(f"a distance matrix is symmetric; {n} pairs have two distances: {shown}")
        if (own := np.diag(distance) > tolerance).any():
            shown = some(np.array(names, dtype=object)[own])
            raise TreeError(f"the distance of a taxon from itself is 0; of {int(own.sum())} it is not: {shown}")
        distance = (distance + distance.T) / 2
        np.fill_diagonal(distance, 0.0)
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "distance", read_only(distance))

    @property
    def star(self) -> Tree:
        """A tree of the names alone: tips below one root. Its branches mean nothing."""
        k = len(self.names)
        names = np.array(["", *self.names], dtype=object)
        length = np.array([0.0, *[1.0] * k])
        return Tree(np.array([-1, *[0] * k]), length, names, np.full(k + 1, NO_RANK), self.unit)


def _pairs(wrong: np.ndarray, names: Sequence[str], distance: np.ndarray) -> tuple[int, str]:
    """Return the number of pairs with a wrong entry, and the first of them with both distances."""
    places = np.argwhere(np.triu(wrong | wrong.T)).tolist()
    shown = (f"{names[i]} and {names[j]} ({distance[i, j]:g}, {distance[j, i]:g})" for i, j in places)
    return len(places), some(shown, 3)


@dataclass(frozen=True, eq=False)
class MatrixPlacement(Placement):
    """The taxon of each of n images in a distance matrix.

    Attributes
    ----------
    tree : Tree
        A star whose tips are the taxa. Its branches mean nothing, so that numbers about trees are not defined here.
    node : ndarray, shape (n,), int64
        As in `Placement`.
    distance : ndarray, shape (k, k), float64
        The distances of the taxa, in the order of ``tree.tips``.

    Examples
    --------
    >>> matrix = DistanceMatrix(["a", "b"], np.array([[0.0, 2.0], [2.0, 0.0]]))
    >>> placement = MatrixPlacement(matrix.star, np.array([1, 2, 2]), matrix.distance)
    >>> placement.take(np.array([2])).distance.tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """

    distance: np.ndarray

    def take(self, rows: np.ndarray) -> MatrixPlacement:
        """Return the placement of some of the images.

        Parameters
        ----------
        rows : ndarray
            Row numbers, in any order, or a mask.

        Returns
        -------
        MatrixPlacement
            In the order of `rows`.
        """
        return MatrixPlacement(self.tree, self.node[rows], self.distance)


def place_on_matrix(
    matrix: DistanceMatrix, taxa: pd.DataFrame | pd.Series, rules: NameRules = NO_RULES
) -> tuple[MatrixPlacement, pd.DataFrame]:
    """Place images on the taxa of a distance matrix by their names.

    Parameters
    ----------
    matrix : DistanceMatrix
    taxa : DataFrame or Series of str, n rows
        As for `place_on`.
    rules : NameRules

    Returns
    -------
    placement : MatrixPlacement
        With the matched taxa only.
    matches : DataFrame
        See `match_taxa`.

    Raises
    ------
    TreeError
        If fewer than three taxa match.

    Examples
    --------
    >>> names = ["Pica pica", "Sitta europaea", "Corvus corax"]
    >>> matrix = DistanceMatrix(names, np.array([[0.0, 3, 1], [3, 0, 2], [1, 2, 0]]))
    >>> placement, _ = place_on_matrix(matrix, pd.Series(["Corvus corax", *names]))
    >>> placement.node.tolist(), placement.distance[0].tolist()
    ([3, 1, 2, 3], [0.0, 3.0, 1.0])
    """
    placement, matches = place_on(matrix.star, taxa, rules)
    of_name = {name: place for place, name in enumerate(matrix.names)}
    kept = np.array([of_name[name] for name in placement.tree.name[placement.tree.tips]])
    return MatrixPlacement(placement.tree, placement.node, matrix.distance[np.ix_(kept, kept)]), matches
