"""Sums over pairs of images by the parts of the tips they are in: all that leaving out parts asks of a correlation.

Every sum of the linear pass is bilinear in the moments of two sets of images, so one P × P matrix for each of the six
sums holds the correlation, its values without each part, and how much parts interact. With
B(g, h) = (n_g Q_h + n_h Q_g)/2 - s_g·s_h the sum of c over the pairs of an image of g and one of h, and g_e what edge e
cuts off of g, Σ t c over the same pairs is Σ_e ℓ_e [B(g_e, h) + B(g, h_e) - 2 B(g_e, h_e)].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.all_pairs.moments import JackknifeMoments, pearson
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.all_pairs.tree_sums import depths_below_first_split
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.tree.tree import Tree, read_only

#: Numbers held at once for the sums of parts below each inner node: 64 MiB.
MOST_NUMBERS = 2**23


@dataclass(frozen=True, eq=False)
class JackknifeSums:
    """Σ1, Σt, Σc, Σt², Σc², Σtc over ordered pairs of an image of one part and an image of another, or the same.

    Attributes
    ----------
    between : ndarray, shape (P, P, 6), float64
        Symmetric; an image with itself is no pair.
    noise : tuple of float
        Variances of t and of c below these are rounding.
    """

    between: np.ndarray
    noise: tuple[float, float]

    @classmethod
    def of(cls, tree: Tree, split: JackknifeMoments) -> JackknifeSums:
        """Of images at the tips of a tree; O(nodes·d·P + d²P²)."""
        parts = split.by_group
        n, q, fourths = (np.array([getattr(part, key) for part in parts]) for key in ("n", "squares", "fourths"))
        s, third = (np.stack([of(part) for part in parts]) for of in (lambda p: p.sums.sum(axis=0), lambda p: p.third))
        second = np.stack([part.second.ravel() for part in parts])
        cross = third @ s.T
        cc = _twice(n, fourths) / 4 + np.outer(q, q) / 2 + second @ second.T - cross - cross.T
        with matched_threads(len(tree) * s.size * len(parts)):
            t, tt, tc = _along(tree, split, n, q, s)
        between = np.stack([np.outer(n, n) - np.diag(n), t, _distances(n, q, s), tt, cc, tc], axis=2)
        highest = float(depths_below_first_split(tree).max())
        return cls(read_only(between), (1e-14 * highest**2, 1e-12 * float(q.sum() / n.sum()) ** 2))

    def correlation(self) -> float:
        """Over all pairs of images."""
        return float(self._pearson(self._total))

    def without_each_group(self) -> np.ndarray:
        """The correlation without each part, shape (P,)."""
        others = ~np.eye(len(self.between), dtype=bool)
        return self._pearson(np.einsum("pg,ghs,ph->ps", others, self.between, others, optimize=True))

    @cached_property
    def _total(self) -> np.ndarray:
        return self.between.sum(axis=(0, 1))

    def _pearson(self, ordered: np.ndarray) -> np.ndarray:
        n, t, c, tt, cc, tc = ordered.T / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            flat = ~(tt - t * t / n > self.noise[0] * n) | ~(cc - c * c / n > self.noise[1] * n)
        return np.where(flat, np.nan, pearson(n, t, c, tt, cc, tc))

    def influence(self) -> np.ndarray:
        """What the pairs of each two parts add to the correlation, to first order, shape (P, P); they sum to 0."""
        n, t, c, tt, cc, tc = np.moveaxis(self.between, 2, 0)
        mean_n, *means = self._total
        mean_t, mean_c, mean_tt, mean_cc, _ = np.array(means) / mean_n
        var_t, var_c = mean_tt - mean_t**2, mean_cc - mean_c**2
        covariance = tc - mean_t * c - mean_c * t + mean_t * mean_c * n
        in_t, in_c = tt - 2 * mean_t * t + mean_t**2 * n, cc - 2 * mean_c * c + mean_c**2 * n
        spread = self.correlation() / 2 * (in_t / var_t + in_c / var_c)
        return (covariance / np.sqrt(var_t * var_c) - spread) / mean_n


def interaction_variance(influence: np.ndarray) -> float:
    """The share of the jackknife's variance that it counts twice: what pairs of parts add beyond the parts themselves.

    The jackknife takes a statistic for a sum over parts. What is left of pairs of parts when the parts' own shares are
    taken out, of variance σ², adds 2P(P - 1)σ² to the statistic's variance but twice that to the jackknife's (Efron &
    Stein 1981): the excess is returned. It matters where no first-order share is there, e.g. without any signal.

    Parameters
    ----------
    influence : ndarray, shape (P, P)
        Symmetric, P ≥ 4.
    """
    n_parts = len(influence)
    apart = influence - np.diag(np.diag(influence))
    mean = apart.sum() / (n_parts * (n_parts - 1))
    share = (apart.sum(axis=1) - (n_parts - 1) * mean) / (n_parts - 2)
    left = apart - mean - share[:, None] - share
    np.fill_diagonal(left, 0.0)
    return 2 * n_parts * (n_parts - 1) * float(np.sum(left**2)) / (n_parts * (n_parts - 3))


def _twice(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x_g y_h + x_h y_g."""
    product = np.outer(x, y)
    return product + product.T


def _distances(n: np.ndarray, q: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Σ c over the pairs of each two parts."""
    return _twice(n, q) / 2 - s @ s.T


def _along(tree: Tree, split: JackknifeMoments, n: np.ndarray, q: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, ...]:
    """Σ t, Σ t² and Σ t c over the pairs of each two parts, shape (P, P) each."""
    part, n_parts, aggregator = split.jackknife_group, len(split.by_group), TreeAggregator(tree)
    counts, norms, sums = split.total.counts, split.total.norms, split.total.sums
    at = depths_below_first_split(tree)
    depth, inner, length = at[tree.tips], aggregator.nodes[len(part) :], at - at[np.maximum(tree.parent, 0)]

    def of_tips(values: np.ndarray) -> np.ndarray:
        """Pairs of images at one tip are of one part."""
        return np.diag(np.bincount(part, weights=values, minlength=n_parts))

    below = aggregator.inner_sums_by_group(
        np.stack([counts, counts * depth, counts * depth**2, norms], axis=1), part, n_parts
    )
    n_e, a_e, aa_e, q_e = np.moveaxis(below, 2, 0)  # below each inner node, (nodes, P) each
    pairs = (counts**2, 2 * counts**2 * depth, 4 * counts**2 * depth**2)

    def where_they_meet(factor: np.ndarray, power: int) -> np.ndarray:
        """Σ (a_i + a_j)^power over the pairs at each node, times its factor; 0 where that is a tip."""
        change = factor - np.concatenate([[0.0], factor[tree.parent[1:]]])
        here = change[inner, None]
        if power == 0:
            at_inner = (here * n_e).T @ n_e
        elif power == 1:
            at_inner = (here * n_e).T @ a_e
            at_inner = at_inner + at_inner.T
        else:
            at_inner = (here * n_e).T @ aa_e
            at_inner = at_inner + at_inner.T + 2 * (here * a_e).T @ a_e
        return at_inner + of_tips(change[tree.tips] * pairs[power])

    inside = np.where(tree.stop > np.arange(len(tree)) + 1, 1.0, 0.0)
    twice = 2 * at * inside
    t = where_they_meet(inside, 1) - where_they_meet(twice, 0)
    tt = where_they_meet(inside, 2) - 2 * where_they_meet(twice, 1) + where_they_meet(twice**2, 0)
    by_depth = [np.bincount(part, weights=values * depth, minlength=n_parts) for values in (counts, norms)]
    sums_by_depth = np.zeros((n_parts, sums.shape[1]))
    np.add.at(sums_by_depth, part, sums * depth[:, None])
    whole = (np.outer(by_depth[0], q) + np.outer(by_depth[1], n)) / 2 - sums_by_depth @ s.T
    own = counts * norms - np.einsum("ij,ij->i", sums, sums)
    cut = (length[inner, None] * n_e).T @ q_e
    cut = (
        (cut + cut.T) / 2 - _products(aggregator, sums, part, n_parts, length[inner]) + of_tips(length[tree.tips] * own)
    )
    return t, tt, whole + whole.T - 2 * cut


def _products(
    aggregator: TreeAggregator, sums: np.ndarray, part: np.ndarray, n_parts: int, length: np.ndarray
) -> np.ndarray:
    """Σ_e ℓ_e s_ge·s_he over the edges above inner nodes, shape (P, P), some dimensions at a time."""
    total = np.zeros((n_parts, n_parts))
    step = max(1, MOST_NUMBERS // max(len(length) * n_parts, 1))
    for start in range(0, sums.shape[1], step):
        below = (
            aggregator.inner_sums_by_group(sums[:, start : start + step], part, n_parts)
            * np.sqrt(length)[:, None, None]
        )
        flat = below.transpose(1, 0, 2).reshape(n_parts, -1)
        total += flat @ flat.T
    return total
