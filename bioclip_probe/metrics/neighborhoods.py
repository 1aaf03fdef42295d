"""Questions to neighbours: which of them count, how many agree, and what a memoriser of species would reach.

The chance level above species rank is exact. Under the species null, whole species are permuted over the tips of the
tree and images stay with their species. A neighbour of the own species then always agrees. A neighbour of another
species agrees with probability q = Σ_t K_t (K_t − 1)/(K (K − 1)), where K_t of the K species are of taxon t. An image
is scored only if it can be right: if a candidate is of its taxon. Where no candidate is of its own species that depends
on the permutation, and the probability, given that the image is scored, is q/P with

    P = Σ_t K_t/K · (1 − C(K − K_t, E)/C(K − 1, E)),

where E is the number of other species that have a candidate. If photographers exclude no whole species, E = K − 1 and P
is the share of species whose taxon has another species. For other child taxa the same holds with child taxa in place of
species.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import gammaln

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import permutation_p
from bioclip_probe.stats.sweep.neighbor_lists import NeighborLists, matching_weight

#: Labels of units that are permuted at once, at most.
LABELS_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class Question:
    """A question to the neighbours of images: which of them count, and when they agree.

    Attributes
    ----------
    lists : NeighborLists
        Of the images with a name at the rank.
    k : int
        Number of nearest images.
    level : int
        Neighbours that meet the image at this level or below agree with it: the level of the rank.
    least : int
        Neighbours meet the image at this level or above: 0 for all, 1 for those of other species, the level of the rank
        for those of other child taxa.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> from bioclip_probe.metrics.shared import SharedResults
    >>> from bioclip_probe.stats.sweep.cells import level_of
    >>> shared = SharedResults(*corvids())
    >>> question = Question(shared.neighbors("genus"), 1, level_of("genus"), 1)
    >>> question.scores()[:2].round(6).tolist()  # a magpie is nearest to the other magpie; the raven cannot be right
    [1.0, 0.5]
    """

    lists: NeighborLists
    k: int
    level: int
    least: int = 0

    @cached_property
    def unit(self) -> np.ndarray:
        """The unit of each cell that the null permutes: its species, or its child taxon."""
        return self.lists.taxa(max(self.least - 1, 0))

    @cached_property
    def taxon(self) -> np.ndarray:
        """The taxon of each cell."""
        return self.lists.taxa(self.level)

    @cached_property
    def taxon_of_unit(self) -> np.ndarray:
        """The taxon of each unit."""
        return self.taxon[np.unique(self.unit, return_index=True)[1]]

    @cached_property
    def weights(self) -> np.ndarray:
        """The number of images of each cell that can be right: of all, and without each group, shape (G + 1, c)."""
        return np.where(self._same > 0, self.lists.kept_without_each, 0)

    def scored(self, left_out: int = -1) -> np.ndarray:
        """Return the number of images of each cell that can be right.

        Parameters
        ----------
        left_out : int
            Jackknife group that is left out; -1 for none.

        Returns
        -------
        ndarray, shape (c,), int64
        """
        return self.weights[left_out + 1]

    @cached_property
    def all_scores(self) -> np.ndarray:
        """The `scores` of all images, and without each jackknife group, shape (G + 1, 4)."""
        lists, weights, same = self.lists, self.weights, self._same
        candidates, shares = lists.candidates_up_to, lists.shares_up_to(self.k, self.least)
        every = candidates[-1] - (candidates[self.least - 1] if self.least else 0)
        every = np.maximum(every, 1)
        free = 1 - shares[0] if self.level else np.ones(same.shape)
        chance = 1 - free * (1 - self._agreement()) if self.level else same / every
        reachable = np.minimum(same / np.minimum(every, self.k), 1)
        total = weights.sum(axis=1)
        several = [len(np.unique(self.taxon[kept > 0])) > 1 for kept in lists.kept_without_each]
        scores = np.full((len(total), 4), np.nan)
        for column, values in enumerate((shares[self.level], chance, reachable, free)):
            sums = np.einsum("gc,gc->g", values, weights.astype(np.float64))
            np.divide(sums, total, out=scores[:, column], where=(total > 0) & several)
        return scores

    def scores(self, left_out: int = -1) -> np.ndarray:
        """Return the purity, its chance level, the highest purity possible, and the share of free neighbours.

        Free are the neighbours of which the null permutes the taxon: those of other species, or all at species rank.

        Parameters
        ----------
        left_out : int
            Jackknife group that is left out; -1 for none.

        Returns
        -------
        ndarray, shape (4,)
            NaN where no image can be right or fewer than two taxa are left.
        """
        return self.all_scores[left_out + 1]

    def free(self) -> np.ndarray:
        """Return the share of neighbours of each cell of which the null permutes the taxon, shape (c,)."""
        return 1 - self.lists.shares_up_to(self.k, self.least)[0, 0] if self.level else np.ones(len(self.taxon))

    @property
    def _same(self) -> np.ndarray:
        """The number of candidates of each cell that agree with it, shape (G + 1, c)."""
        candidates = self.lists.candidates_up_to
        return candidates[self.level] - (candidates[self.least - 1] if self.least else 0)

    def _agreement(self) -> np.ndarray:
        """Return the probability that a free neighbour of each cell agrees, given that the cell can be right.

        It depends on neither k nor the neighbours, so that the lists keep it.
        """
        key = ("agreement", self.level, max(self.least - 1, 0))
        if key not in self.lists.memo:
            kept = self.lists.kept_without_each
            agrees, can_be_right = np.zeros((len(kept), 1)), np.zeros(kept.shape)
            for number, (of_group, excluded) in enumerate(zip(kept, self._excluded_units(), strict=True)):
                units = np.unique(self.unit[of_group > 0])
                sizes = np.bincount(self.taxon_of_unit[units])
                agrees[number] = agreement_chance(sizes)
                n_others = len(units) - 1 - excluded
                can_be_right[number] = chance_to_be_right(sizes, n_others) if len(units) else 0.0
            self.lists.memo[key] = agrees, can_be_right
        agrees, can_be_right = self.lists.memo[key]
        if not self.least:
            can_be_right = np.where(self.lists.candidates_up_to[0] > 0, 1.0, can_be_right)
        return np.divide(agrees, can_be_right, out=np.zeros(can_be_right.shape), where=can_be_right > 0)

    def _excluded_units(self) -> np.ndarray:
        """Return how many other units have all their images by the photographer of each cell, shape (G + 1, c).

        With all images, and without each group. The level does not matter, so that the lists keep it.
        """
        key = ("excluded units", max(self.least - 1, 0))
        if key not in self.lists.memo:
            self.lists.memo[key] = np.array([self._excluded_among(kept) for kept in self.lists.kept_without_each])
        return np.asarray(self.lists.memo[key])

    def _excluded_among(self, kept: np.ndarray) -> np.ndarray:
        """Return `_excluded_units` among so many images of each cell, shape (c,)."""
        group, excluded = self.lists.cells.group, np.zeros(len(kept), dtype=np.int64)
        cells = np.flatnonzero((group >= 0) & (kept > 0))
        if not len(cells):
            return excluded
        n_units, images = int(self.unit.max()) + 1, np.bincount(self.unit, weights=kept)
        photographer = np.unique(group[cells], return_inverse=True)[1]
        pairs, pair = np.unique(photographer * n_units + self.unit[cells], return_inverse=True)
        photographer_of_pair, unit_of_pair = np.divmod(pairs, n_units)
        whole = np.bincount(pair, weights=kept[cells]) == images[unit_of_pair]
        n_whole = np.bincount(photographer_of_pair, weights=whole).astype(np.int64)
        excluded[cells] = n_whole[photographer] - whole[pair]
        return excluded

    def p_value(self, rng: np.random.Generator, n_permutations: int) -> float:
        """Return the p-value of the purity among other units, by permuting the taxa of whole units.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_permutations : int

        Returns
        -------
        float
            One-sided: the share of permutations in which as many neighbours agree, (b + 1)/(m + 1). The statistic is
            the sum over all images, in which an image that cannot be right counts 0.

        Raises
        ------
        ValueError
            If neighbours of the own species count.
        """
        if not self.least:
            raise ValueError("there is no p-value where neighbours of the own species count")
        links = self.lists.links(self.k, self.least)
        at_once = max(1, LABELS_AT_ONCE // max(len(self.taxon_of_unit), 1))
        null = []
        for start in range(0, n_permutations, at_once):
            labels = np.tile(self.taxon_of_unit, (min(at_once, n_permutations - start), 1))
            null.append(matching_weight(links, rng.permuted(labels, axis=1, out=labels)))
        observed = matching_weight(links, self.taxon_of_unit[None])[0]
        return permutation_p(observed / links[2].sum(), np.concatenate(null) / links[2].sum())


def agreement_chance(sizes: np.ndarray) -> float:
    """Return the probability that two different units drawn at random are of one taxon.

    Parameters
    ----------
    sizes : ndarray of int
        Number of units of each taxon.

    Returns
    -------
    float
        q = Σ_t K_t (K_t − 1)/(K (K − 1)).

    Examples
    --------
    >>> agreement_chance(np.array([2, 2]))
    0.3333333333333333
    """
    n = int(sizes.sum())
    return float(np.sum(sizes * (sizes - 1)) / (n * (n - 1))) if n > 1 else 0.0


def chance_to_be_right(sizes: np.ndarray, n_candidates: np.ndarray) -> np.ndarray:
    """Return the probability that one of some other units is of the taxon of a unit, all drawn at random.

    Parameters
    ----------
    sizes : ndarray of int
        Number of units of each taxon.
    n_candidates : ndarray of int
        Number of other units that are drawn; less than the number of all units.

    Returns
    -------
    ndarray, float64
        P in the docstring of this module.

    Examples
    --------
    >>> chance_to_be_right(np.array([2, 2, 1]), np.array([4, 0])).tolist()
    [0.8, 0.0]
    """
    sizes = sizes[sizes > 0]
    n = int(sizes.sum())
    drawn, position = np.unique(n_candidates, return_inverse=True)
    left = n - sizes - drawn[:, None]
    ways = gammaln(n - sizes + 1) - gammaln(np.maximum(left, 0) + 1) - gammaln(n) + gammaln(n - drawn)[:, None]
    none = np.where(left >= 0, np.exp(ways), 0.0)
    return np.clip(1 - none @ sizes / n, 0, 1)[position]


def with_exact_ends(
    estimate: Estimate,
    deleted: np.ndarray,
    ends: np.ndarray,
    jackknife: Jackknife,
    settings: MeasureSettings,
    bounds: tuple[float, float],
) -> Estimate:
    """Return an estimate with its interval, which is wide enough where the number is at an end of its range.

    Where the number is as low or as high as it can be whichever group is left out, the jackknife sees only how the
    range varies. The interval then also holds that of Clopper and Pearson for a share of 0 or 1 of the units, on the
    scale of the range.

    Parameters
    ----------
    estimate : Estimate
        With its value, its counts and its own note.
    deleted : ndarray, shape (G,)
        The number without each group of `jackknife`.
    ends : ndarray, shape (G + 1, 2)
        The range of the number, with all images and without each group: how low and how high it can be.
    jackknife : Jackknife
    settings : MeasureSettings
        `level` is used.
    bounds : (float, float)
        The range of the number for any images.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> jackknife, ends = Jackknife("species", 20, np.arange(20)), np.array([[0, 0.4]] * 21)
    >>> estimate = with_exact_ends(Estimate(0.4), np.full(20, 0.4), ends, jackknife, MeasureSettings(), (0, 1))
    >>> round(estimate.ci_low, 2), round(estimate.ci_high, 2)
    (0.33, 0.4)
    """
    low, width = ends[:, 0], ends[:, 1] - ends[:, 0]
    values = np.append(estimate.value, deleted)
    share = np.divide(values - low, width, out=np.full(len(values), np.nan), where=width > 0)
    exact = with_interval(replace(estimate, value=float(share[0])), share[1:], jackknife, settings, (0.0, 1.0))
    estimate = with_interval(estimate, deleted, jackknife, settings, bounds)
    if not exact.ci_method.startswith("Clopper"):
        return estimate
    lowest, highest = float(low[0] + width[0] * exact.ci_low), float(low[0] + width[0] * exact.ci_high)
    lowest, highest = np.fmin(estimate.ci_low, lowest), np.fmax(estimate.ci_high, highest)
    return replace(estimate, ci_low=float(lowest), ci_high=float(highest), ci_method=exact.ci_method)
