"""Scores of anchors in the sweep over pairs: with all rows, without each jackknife group, on permuted trees.

One look at the distances of an anchor gives all of them. The counts of other rows by jackknife group, level and bin
give the counts without each group by subtraction. The counts by tip and bin give those on a tree over whose tips whole
species are permuted. The functions are compiled by numba and release the interpreter's lock.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.counting import JackknifeGroups, Totals
from bioclip_probe.stats.sweep.scoring import reduce_row


class PermutedTips(NamedTuple):
    """The tips of a tree whose tips are equally deep, with species permuted over them.

    Attributes
    ----------
    tip : ndarray, shape (n,), int64
        The tip position of each row, ascending.
    orders : ndarray, shape (P, k), int64
        The position to which each permutation moves each tip.
    first, last : ndarray, shape (L, k), int64
        Clade l of tip t is the slice of tips from ``first[l, t]`` to ``last[l, t]``.
    anchors : ndarray, shape (n,), bool
        The rows that are scored as anchors on the permuted trees.

    Examples
    --------
    >>> ends = np.array([[0, 1], [0, 0]]), np.array([[1, 2], [2, 2]])
    >>> PermutedTips(np.array([0, 1]), np.array([[1, 0]]), *ends, np.ones(2, dtype=bool)).orders.shape
    (1, 2)
    """

    tip: np.ndarray
    orders: np.ndarray
    first: np.ndarray
    last: np.ndarray
    anchors: np.ndarray


class AnchorScores(NamedTuple):
    """The inputs of the scores of anchors, and the arrays to which the scores of a block of rows are written.

    Attributes
    ----------
    harmonic : ndarray, shape (n + 1,), float64
        Harmonic numbers 0, 1, 1 + 1/2, …
    coarse : ndarray, shape (B,), int64
        The coarse bin of each bin. Scores without a group, and on permuted trees, use coarse bins.
    scores : ndarray, shape (b, N_SCORES, L), float64
        Scores of each row of the block as anchor, see `scoring`; of shape (0, …) if anchors are not scored.
    sums : ndarray, shape (1 + G + P, N_SCORES, L), float64
        Sums of scores over anchors, all from coarse bins: of all rows, without each jackknife group, on each permuted
        tree.

    Examples
    --------
    >>> AnchorScores(np.zeros(4), np.arange(3), np.zeros((0, 12, 2)), np.zeros((1, 12, 2))).scores.shape
    (0, 12, 2)
    """

    harmonic: np.ndarray
    coarse: np.ndarray
    scores: np.ndarray
    sums: np.ndarray


@njit(cache=True, nogil=True)
def score_anchors(bins: np.ndarray, levels: np.ndarray, start: int, groups: JackknifeGroups, out: AnchorScores) -> None:
    """Score each row of a block as anchor, with all rows and without each group of the jackknife.

    Parameters
    ----------
    bins, levels, start, groups
        As for `count_pairs`.
    out : AnchorScores
        Filled with the scores, which are added to its sums. An anchor adds nothing to the sums without its own group.

    Examples
    --------
    >>> bins, levels = np.array([[0, 1], [1, 0]], np.uint16), np.array([[0, 1], [1, 0]], np.uint8)
    >>> out = AnchorScores(np.array([0, 1, 1.5]), np.arange(2), np.zeros((2, 12, 2)), np.zeros((2, 12, 2)))
    >>> score_anchors(bins, levels, 0, JackknifeGroups.of(np.zeros(2, int), 1), out)
    >>> out.sums[:, -1].tolist()  # rows at each level: of two anchors, and of none without the only group
    [[0.0, 2.0], [0.0, 0.0]]
    """
    n_levels, n_bins, n_groups = out.scores.shape[2], len(out.coarse), len(groups.starts) - 1
    n_coarse = int(out.coarse[-1]) + 1
    fine = np.zeros((n_levels, n_bins), dtype=np.int32)
    every, kept = np.zeros((2, n_levels, n_coarse), dtype=np.int32)
    by_group = np.zeros((n_groups, n_levels, n_coarse), dtype=np.int32)
    scores = np.zeros(out.scores.shape[1:])
    for a in range(len(bins)):
        own, g = start + a, groups.group[start + a]
        fine[:] = 0
        by_group[:] = 0
        for j in range(bins.shape[1]):
            fine[levels[a, j], bins[a, j]] += 1
            by_group[groups.group[j], levels[a, j], out.coarse[bins[a, j]]] += 1
        fine[levels[a, own], bins[a, own]] -= 1
        by_group[g, levels[a, own], out.coarse[bins[a, own]]] -= 1
        reduce_row(fine, out.harmonic, out.scores[a])
        every[:] = 0
        for left_out in range(n_groups):
            every += by_group[left_out]
        reduce_row(every, out.harmonic, scores)
        out.sums[0] += scores
        for left_out in range(n_groups):
            if left_out != g:
                kept[:] = every - by_group[left_out]
                reduce_row(kept, out.harmonic, scores)
                out.sums[1 + left_out] += scores


@njit(cache=True, nogil=True)
def score_permuted(bins: np.ndarray, start: int, species: PermutedTips, totals: Totals, out: AnchorScores) -> None:
    """Score some rows of a block as anchors on trees over whose tips species are permuted, with all of their rows.

    Parameters
    ----------
    bins, start
        As for `count_pairs`.
    species : PermutedTips
    totals : Totals
        The pairs are added to its `permuted`.
    out : AnchorScores
        The scores are added to the last rows of its sums.

    Examples
    --------
    >>> bins = np.array([[0, 1], [1, 0]], np.uint16)
    >>> ends = np.array([[0, 1], [0, 0]]), np.array([[1, 2], [2, 2]])
    >>> species = PermutedTips(np.arange(2), np.array([[1, 0]]), *ends, np.ones(2, dtype=bool))
    >>> totals = Totals(*np.zeros((3, 1, 2, 2), dtype=int))
    >>> out = AnchorScores(np.array([0, 1, 1.5]), np.arange(2), np.zeros((2, 12, 2)), np.zeros((2, 12, 2)))
    >>> score_permuted(bins, 0, species, totals, out)
    >>> totals.permuted.tolist()
    [[[0, 0], [0, 2]]]
    """
    n_orders, n_tips = species.orders.shape
    n_levels, n_coarse = totals.permuted.shape[1:]
    counts = np.zeros((n_orders, n_levels, n_coarse), dtype=np.int32)
    level_of = np.zeros((n_orders, n_tips), dtype=np.uint8)
    scores = np.zeros(out.sums.shape[1:])
    levels = np.zeros(n_orders, dtype=np.uint8)
    for a in range(len(bins)):
        own = start + a
        if not species.anchors[own]:
            continue
        for p in range(n_orders):
            _fill_levels_of_tips(species.orders[p, species.tip[own]], species.first, species.last, level_of[p])
        counts[:] = 0
        for j in range(bins.shape[1]):
            if j == 0 or species.tip[j] != species.tip[j - 1]:
                for p in range(n_orders):
                    levels[p] = level_of[p, species.orders[p, species.tip[j]]]
            if j != own:
                place = out.coarse[bins[a, j]]
                for p in range(n_orders):
                    counts[p, levels[p], place] += 1
        totals.permuted[:] += counts
        for p in range(n_orders):
            reduce_row(counts[p], out.harmonic, scores)
            out.sums[len(out.sums) - n_orders + p] += scores


@njit(cache=True, nogil=True)
def _fill_levels_of_tips(tip: int, first: np.ndarray, last: np.ndarray, levels: np.ndarray) -> None:
    """Write the level of each tip from one of them."""
    left = right = tip
    for level in range(len(first)):
        levels[first[level, tip] : left] = level
        levels[right : last[level, tip]] = level
        left, right = first[level, tip], last[level, tip]
