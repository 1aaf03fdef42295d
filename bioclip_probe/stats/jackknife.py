"""The delete-group jackknife: which units stand for each image, and which group of units is left out with it.

One set of groups serves every number of a study at a rank, and every encoder. Differences between numbers of two
encoders are therefore paired: both sides leave out the same species.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
    unit : ndarray, shape (n,), int64
        Unit of each image; -1 for none. By default each group is a unit.
    n_groups : int
        Number of groups. Some of them may have no image here; by default the last one has.
    widening : float
        Factor by which a statistic without each group lies farther from the mean over groups, for a source of variation
        that leaving out units does not show; 1 for none. See `cross_validation_widening`.

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
    unit: np.ndarray = None  # type: ignore[assignment]
    n_groups: int = 0
    widening: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "group", read_only(np.asarray(self.group, dtype=np.int64)))
        unit = self.group if self.unit is None else self.unit
        object.__setattr__(self, "unit", read_only(np.asarray(unit, dtype=np.int64)))
        object.__setattr__(self, "n_groups", self.n_groups or int(self.group.max(initial=-1)) + 1)

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
        unit, group = np.full((2, len(units)), -1, dtype=np.int64)
        _, unit[has_unit] = np.unique(units[has_unit], return_inverse=True)
        n_units = int(unit.max(initial=-1)) + 1
        group[has_unit] = jackknife_groups(n_units, rng, n_groups)[unit[has_unit]]
        return cls(rank, n_units, group, dated, unit)

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

    def units_of_tips(self, rows: Rows) -> np.ndarray:
        """Return the unit of each tip, numbered from 0 among the units that have a tip.

        Parameters
        ----------
        rows : Rows
            Rows of the same images. All images of a tip are in one unit.

        Returns
        -------
        ndarray, shape (k,), int64
        """
        return np.unique(rows.per_tip(self.unit), return_inverse=True)[1]

    def padded(self, value: float, deleted: np.ndarray) -> np.ndarray:
        """Return a number without each group, where the last groups hold none of the rows that it is about.

        Parameters
        ----------
        value : float
            The number with all groups, which leaving out nothing gives again.
        deleted : ndarray, shape (at most G,)
            The number without each of the first groups.

        Returns
        -------
        ndarray, shape (G,)
        """
        return np.concatenate([deleted, np.full(self.n_groups - len(deleted), value)])

    def take(self, rows: np.ndarray) -> Jackknife:
        """Return the groups of some images only; the groups keep their numbers, and those without an image stay.

        Parameters
        ----------
        rows : ndarray
            Row numbers, or one bool for each image.

        Returns
        -------
        Jackknife
            `n_units` counts the units of these images.
        """
        unit = self.unit[rows]
        n_units = len(np.unique(unit[unit >= 0]))
        return replace(self, n_units=n_units, group=self.group[rows], unit=unit)

    def without_each(self, statistic: Callable[[np.ndarray], float | np.ndarray]) -> np.ndarray:
        """Return a statistic without each group in turn.

        Parameters
        ----------
        statistic : callable
            Takes the images that are kept, shape (n,), bool, and returns a number or an array of numbers.

        Returns
        -------
        ndarray, shape (G,) or (G, …), float64
            Farther apart by `widening`.
        """
        kept = self.group >= 0
        values = [statistic(kept & (self.group != number)) for number in range(self.n_groups)]
        deleted = np.asarray(values, dtype=np.float64)
        if self.widening == 1.0 or not len(deleted):
            return deleted
        mean = deleted.mean(axis=0)
        return mean + self.widening * (deleted - mean)


def cross_validation_widening(n_folds: int) -> float:
    """Return how much wider an interval of a cross-validated score is than that of its test units alone.

    Other species would give other test units, and the probes would have learnt from other images too. Leaving out
    tested units shows the first only. Over K folds, the variance is larger by the factor 1 + K/(K - 1).

    Parameters
    ----------
    n_folds : int
        K, at least 2.

    Returns
    -------
    float
        The root of that factor.

    References
    ----------
    Nadeau & Bengio 2003, Machine Learning 52, 239.

    Examples
    --------
    >>> cross_validation_widening(5)
    1.5
    """
    return float(np.sqrt(1 + n_folds / (n_folds - 1)))
