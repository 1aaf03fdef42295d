"""The delete-group jackknife: which units stand for each image, and which group of units is left out with it.

One set of groups serves every number of a study at a rank, and every encoder. Differences between numbers of two
encoders are therefore paired: both sides leave out the same species.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.defaults import N_GROUPS
from bioclip_probe.stats.resampling import jackknife_groups
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree.tree import read_only


@dataclass(frozen=True, eq=False)
class Jackknife:
    """The groups of units that are left out in turn.

    Attributes
    ----------
    rank : str
        Rank of the units, e.g. ``species``. Units are nearly independent of each other.
    n_units : int
        Number of units.
    group : ndarray, shape (n,), int64
        Group of each image, from 0; -1 for an image that belongs to no unit. All images of a unit are in one group.
    dated : bool
        True on a tree with branch lengths, on which few units are less independent than in a taxonomy.

    Examples
    --------
    >>> species = np.array([4, 4, 7, 9])
    >>> jackknife = Jackknife.of("species", species, np.random.default_rng(0))
    >>> jackknife.n_units, jackknife.n_groups
    (3, 3)
    >>> jackknife.without_each(lambda kept: species[kept].max()).max()
    np.float64(9.0)
    """

    rank: str
    n_units: int
    group: np.ndarray
    dated: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "group", read_only(np.asarray(self.group, dtype=np.int64)))

    @classmethod
    def of(
        cls, rank: str, units: np.ndarray, rng: np.random.Generator, n_groups: int = N_GROUPS, dated: bool = False
    ) -> Jackknife:
        """Divide units into random groups of equal size.

        Parameters
        ----------
        rank : str
            Rank of the units.
        units : ndarray, shape (n,), int64
            The unit of each image; -1 for none.
        rng : numpy.random.Generator
        n_groups : int
            Number of groups; with fewer units than this, each unit is a group.
        dated : bool
            True on a tree with branch lengths.

        Returns
        -------
        Jackknife
        """
        has_unit = units >= 0
        _, unit = np.unique(units[has_unit], return_inverse=True)
        n_units = int(unit.max(initial=-1)) + 1
        group = np.full(len(units), -1, dtype=np.int64)
        group[has_unit] = jackknife_groups(n_units, rng, n_groups)[unit]
        return cls(rank, n_units, group, dated)

    @cached_property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.group.max(initial=-1)) + 1

    def of_tips(self, rows: Rows) -> np.ndarray:
        """Return the group of each tip.

        Parameters
        ----------
        rows : Rows
            Rows of the same images. All images of a tip are in one group.

        Returns
        -------
        ndarray, shape (k,), int64
        """
        return rows.per_tip(self.group)

    def take(self, rows: np.ndarray) -> Jackknife:
        """Return the groups of some images only; the numbers of the groups stay.

        Parameters
        ----------
        rows : ndarray
            Row numbers, or one bool for each image.

        Returns
        -------
        Jackknife
            `n_units` is still that of all images.
        """
        return Jackknife(self.rank, self.n_units, self.group[rows], self.dated)

    def without_each(self, statistic: Callable[[np.ndarray], float | np.ndarray]) -> np.ndarray:
        """Return a statistic without each group in turn.

        Parameters
        ----------
        statistic : callable
            Takes the images that are kept, shape (n,), bool, and returns a number or an array of numbers.

        Returns
        -------
        ndarray, shape (G,) or (G, …), float64
        """
        kept = self.group >= 0
        values = [statistic(kept & (self.group != number)) for number in range(self.n_groups)]
        return np.asarray(values, dtype=np.float64)
