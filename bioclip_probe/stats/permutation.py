"""Labels of images permuted: over single images, or over whole species with their images staying together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PermutedLabels:
    """Labels whose units are permuted as wholes, the same permutations for every metric and every encoder.

    With species as units this is the species null: what a number reaches if the model recognises species and knows no
    tree. With each image as its own unit it is the images null.

    Attributes
    ----------
    labels : ndarray, shape (n,), int64
        The label of each image; -1 for none. It is constant within each unit.
    unit : ndarray, shape (n,), int64
        The unit of each image, numbered from 0 among the images with a label; -1 for the others.
    orders : ndarray, shape (P, u), int64
        Permutations of the u units.

    Examples
    --------
    >>> labels, species = np.array([0, 0, 1, 2]), np.array([5, 5, 6, 7])
    >>> permuted = PermutedLabels.of(labels, species, 3, np.random.default_rng(0))
    >>> [bool(first == second) for first, second, *_ in permuted.without()]
    [True, True, True]
    """

    labels: np.ndarray
    unit: np.ndarray
    orders: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, units: np.ndarray, n_permutations: int, rng: np.random.Generator) -> PermutedLabels:
        """Draw permutations of the units that have a label.

        Parameters
        ----------
        labels : ndarray, shape (n,), int64
            -1 for none.
        units : ndarray, shape (n,), int64
            Nodes of the species in preorder, so that relatives are neighbours; or the number of each image.
        n_permutations : int
        rng : numpy.random.Generator

        Returns
        -------
        PermutedLabels
        """
        named = labels >= 0
        unit = np.full(len(labels), -1, dtype=np.int64)
        names, unit[named] = np.unique(units[named], return_inverse=True)
        orders = np.array([rng.permutation(len(names)) for _ in range(n_permutations)], dtype=np.int64)
        return cls(labels, unit, orders.reshape(n_permutations, len(names)))

    def without(self, kept: np.ndarray | None = None) -> np.ndarray:
        """Return the labels with the units of some images permuted among themselves.

        Each label keeps its number of units. Left-out units are taken out of each permutation and the others keep
        their order in it, so that leaving out a few units changes a permutation little.

        Parameters
        ----------
        kept : ndarray, shape (n,), bool, optional
            Images of whole units; by default all.

        Returns
        -------
        ndarray, shape (P, n), int64
            -1 for images that are not kept or have no label.
        """
        chosen = self.unit >= 0 if kept is None else kept & (self.unit >= 0)
        of_unit = np.full(self.orders.shape[1], -1, dtype=np.int64)
        of_unit[self.unit[chosen]] = self.labels[chosen]
        present = np.flatnonzero(of_unit >= 0)
        places = np.argsort(np.argsort(self.orders[:, present], axis=1), axis=1)
        labels = np.full((len(self.orders), len(present) + 1), -1, dtype=np.int64)  # the last one is for no unit
        labels[:, :-1] = of_unit[present][places]
        number = np.full(len(of_unit) + 1, -1)
        number[present] = np.arange(len(present))
        return np.take(labels, np.where(chosen, number[self.unit], -1), axis=1)
