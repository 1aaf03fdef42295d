"""Further results of a sweep: without each group of the jackknife, and with species permuted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree.tree import read_only


@dataclass(frozen=True, eq=False)
class Replicates:
    """The groups of rows that are left out in turn, and the permutations of species over the tips of the tree.

    Attributes
    ----------
    group : ndarray, shape (n,), int64
        The jackknife group of each row, from 0. That of a row at no tip is of no account.
    n_groups : int
        Number of groups; some may have no row.
    orders : ndarray, shape (P, k), int64
        The tip position to which each permutation moves the images of each of the k tips.
    anchors : ndarray, shape (n,), bool
        The rows that are scored as anchors on the permuted trees.

    Examples
    --------
    >>> Replicates.none(3).n_groups
    1
    """

    group: np.ndarray
    n_groups: int
    orders: np.ndarray
    anchors: np.ndarray

    def __post_init__(self) -> None:
        for key in ("group", "orders", "anchors"):
            object.__setattr__(self, key, read_only(getattr(self, key)))

    @classmethod
    def none(cls, n: int) -> Replicates:
        """Return one group of all rows, and no permutation.

        Parameters
        ----------
        n : int
            Number of rows.

        Returns
        -------
        Replicates
        """
        return cls.jackknife(np.zeros(n, dtype=np.int64), 1)

    @classmethod
    def jackknife(cls, group: np.ndarray, n_groups: int) -> Replicates:
        """Return groups of the jackknife, and no permutation.

        Parameters
        ----------
        group : ndarray, shape (n,), int64
            The group of each row.
        n_groups : int
            Number of groups.

        Returns
        -------
        Replicates
        """
        return cls(group, n_groups, np.zeros((0, 0), dtype=np.int64), np.zeros(len(group), dtype=bool))

    def with_permutations(self, rows: Rows, rng: np.random.Generator, n: int, n_anchors: int) -> Replicates:
        """Return the same groups with random permutations of the tips.

        Parameters
        ----------
        rows : Rows
            The rows that are swept.
        rng : numpy.random.Generator
        n : int
            Number of permutations.
        n_anchors : int
            Number of rows, drawn at random, that are scored as anchors on the permuted trees; with fewer rows all are.

        Returns
        -------
        Replicates
        """
        k = len(rows.tree.tips)
        orders = np.array([rng.permutation(k) for _ in range(n)], dtype=np.int64).reshape(n, k)
        at_tip = np.flatnonzero(rows.tips >= 0)
        anchors = np.zeros(len(rows.tips), dtype=bool)
        anchors[rng.choice(at_tip, min(n_anchors, len(at_tip)), replace=False)] = True
        return Replicates(self.group, self.n_groups, orders, anchors)
