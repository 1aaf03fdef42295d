"""Scores of anchors in the sweep over pairs: with all rows, without each jackknife group, on permuted trees.

One look at the distances of an anchor gives all of them. The counts of other rows by jackknife group, level and bin
give the counts without each group by subtraction. The counts by tip and bin give those on a tree over whose tips whole
species are permuted. The functions are compiled by numba and release the interpreter's lock.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.copies import Copies
from bioclip_probe.stats.sweep.counting import (
    Binning,
    JackknifeGroups,
    LevelTable,
    Totals,
    count_pairs,
    count_within_groups,
    fill_bins,
    fill_distances,
    fill_levels,
    fill_levels_from_clades,
)
from bioclip_probe.stats.sweep.points import Space
from bioclip_probe.stats.sweep.scoring import reduce_row
from bioclip_probe.stats.table_loops import add_table, clear_table, fill_difference


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
    copies : Copies
        An anchor is scored without its own copies, but its pairs with them are counted.
    scores : ndarray, shape (b, N_SCORES, L), float64
        Scores of each row of the block as anchor, see `scoring`; of shape (0, …) if anchors are not scored.
    sums : ndarray, shape (1 + G + P, N_SCORES, L), float64
        Sums of scores over anchors, all from coarse bins: of all rows, without each jackknife group, on each permuted
        tree.

    Examples
    --------
    >>> AnchorScores(np.zeros(4), np.arange(3), Copies.none(3), np.zeros((0, 12, 2)), np.zeros((1, 12, 2))).scores.shape
    (0, 12, 2)
    """

    harmonic: np.ndarray
    coarse: np.ndarray
    copies: Copies
    scores: np.ndarray
    sums: np.ndarray


@njit(cache=True, nogil=True)
def score_anchors(
    bins: np.ndarray, levels: np.ndarray, start: int, groups: JackknifeGroups, totals: Totals, out: AnchorScores
) -> None:
    """Count the pairs of a block of rows as `count_pairs` does, and score each row as anchor.

    Anchors are scored with all rows, and without each group of the jackknife.

    Parameters
    ----------
    bins, levels, start, groups, totals
        As for `count_pairs`.
    out : AnchorScores
        Filled with the scores, which are added to its sums. An anchor adds nothing to the sums without its own group.

    Examples
    --------
    >>> bins, levels = np.array([[0, 1], [1, 0]], np.uint16), np.array([[0, 1], [1, 0]], np.uint8)
    >>> totals = Totals(*np.zeros((2, 1, 2, 2), dtype=int), np.zeros((0, 2, 2), dtype=int))
    >>> arrays = np.zeros((2, 12, 2)), np.zeros((2, 12, 2))
    >>> out = AnchorScores(np.array([0, 1, 1.5]), np.arange(2), Copies.none(2), *arrays)
    >>> score_anchors(bins, levels, 0, JackknifeGroups.of(np.zeros(2, int), 1), totals, out)
    >>> out.sums[:, -1].tolist()  # rows at each level: of two anchors, and of none without the only group
    [[0.0, 2.0], [0.0, 0.0]]
    """
    n_levels, n_bins, n_groups = out.scores.shape[2], len(out.coarse), len(groups.starts) - 1
    n_coarse = int(out.coarse[-1]) + 1
    fine = np.empty((n_levels, n_bins), dtype=np.int32)
    every, kept = np.empty((n_levels, n_coarse), dtype=np.int32), np.empty((n_levels, n_coarse), dtype=np.int32)
    by_group = np.empty((n_groups, n_levels, n_coarse), dtype=np.int32)
    scores = np.zeros(out.scores.shape[1:])
    for a in range(len(bins)):
        own, g = start + a, groups.group[start + a]
        clear_table(fine)
        for group in range(n_groups):
            clear_table(by_group[group])
        for j in range(bins.shape[1]):
            fine[levels[a, j], bins[a, j]] += 1
            by_group[groups.group[j], levels[a, j], out.coarse[bins[a, j]]] += 1
        fine[levels[a, own], bins[a, own]] -= 1
        by_group[g, levels[a, own], out.coarse[bins[a, own]]] -= 1
        add_table(totals.by_group[g], fine)
        for j in out.copies.members[out.copies.first[own] : out.copies.last[own]]:
            if j != own:
                fine[levels[a, j], bins[a, j]] -= 1
                by_group[groups.group[j], levels[a, j], out.coarse[bins[a, j]]] -= 1
        reduce_row(fine, out.harmonic, out.scores[a])
        clear_table(every)
        for left_out in range(n_groups):
            add_table(every, by_group[left_out])
        reduce_row(every, out.harmonic, scores)
        add_table(out.sums[0], scores)
        for left_out in range(n_groups):
            if left_out != g:
                fill_difference(every, by_group[left_out], kept)
                reduce_row(kept, out.harmonic, scores)
                add_table(out.sums[1 + left_out], scores)
    count_within_groups(bins, levels, start, groups, totals)


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
    >>> arrays = np.zeros((2, 12, 2)), np.zeros((2, 12, 2))
    >>> out = AnchorScores(np.array([0, 1, 1.5]), np.arange(2), Copies.none(2), *arrays)
    >>> score_permuted(bins, 0, species, totals, out)
    >>> totals.permuted.tolist()
    [[[0, 0], [0, 2]]]
    """
    n_orders, n_tips = species.orders.shape
    n_levels, n_coarse = totals.permuted.shape[1:]
    counts = np.empty((n_levels, n_coarse), dtype=np.int32)
    place = np.empty(bins.shape[1], dtype=np.uint8)
    level_of, level = np.empty(n_tips, dtype=np.uint8), np.empty(n_tips, dtype=np.uint8)
    scores = np.zeros(out.sums.shape[1:])
    for a in range(len(bins)):
        own = start + a
        if not species.anchors[own]:
            continue
        for j in range(bins.shape[1]):
            place[j] = out.coarse[bins[a, j]]
        for p in range(n_orders):
            _fill_levels_of_tips(species.orders[p, species.tip[own]], species.first, species.last, level_of)
            for tip in range(n_tips):
                level[tip] = level_of[species.orders[p, tip]]
            clear_table(counts)
            for j in range(bins.shape[1]):
                counts[level[species.tip[j]], place[j]] += 1
            counts[0, place[own]] -= 1
            add_table(totals.permuted[p], counts)
            for j in out.copies.members[out.copies.first[own] : out.copies.last[own]]:
                if j != own:
                    counts[level[species.tip[j]], place[j]] -= 1
            reduce_row(counts, out.harmonic, scores)
            add_table(out.sums[len(out.sums) - n_orders + p], scores)


@njit(cache=True, nogil=True)
def _fill_levels_of_tips(tip: int, first: np.ndarray, last: np.ndarray, levels: np.ndarray) -> None:
    """Write the level of each tip from one of them."""
    levels[tip] = 0
    left = right = tip
    for level in range(len(first)):
        for other in range(first[level, tip], left):
            levels[other] = level
        for other in range(right, last[level, tip]):
            levels[other] = level
        left, right = first[level, tip], last[level, tip]


class PairInputs(NamedTuple):
    """Everything that `compare_rows` needs beside the products.

    Attributes
    ----------
    space : Space
    binning : Binning
    levels : LevelTable
    groups : JackknifeGroups
    species : PermutedTips

    Examples
    --------
    >>> PairInputs._fields
    ('space', 'binning', 'levels', 'groups', 'species')
    """

    space: Space
    binning: Binning
    levels: LevelTable
    groups: JackknifeGroups
    species: PermutedTips


@njit(cache=True, nogil=True)
def compare_rows(
    products: np.ndarray, start: int, inputs: PairInputs, totals: Totals, out: AnchorScores, anchors: bool
) -> None:
    """Compare a block of rows with all rows, one row after the other, so that its bins stay in the cache.

    Parameters
    ----------
    products : ndarray, shape (b, n), float32
        From ``points.products``, of the rows from `start` on.
    start : int
    inputs : PairInputs
    totals : Totals
        The pairs are added to it.
    out : AnchorScores
        Filled with the scores of the rows; not used if `anchors` is False.
    anchors : bool
        Score the rows as anchors.
    """
    n = products.shape[1]
    distances = np.empty(n, dtype=np.float32)
    bins, levels = np.empty((1, n), dtype=np.uint16), np.empty((1, n), dtype=np.uint8)
    for a in range(len(products)):
        row = start + a
        fill_distances(products[a], row, inputs.space, distances)
        fill_bins(distances, inputs.binning.bins, inputs.binning.scale, bins[0])
        table = inputs.levels
        if len(table.first):
            fill_levels_from_clades(row, table.first, table.last, levels)
        else:
            fill_levels(row, table.between, table.depth, table.bins, table.scale, levels)
        if anchors:
            of_row = AnchorScores(out.harmonic, out.coarse, out.copies, out.scores[a : a + 1], out.sums)
            score_anchors(bins, levels, row, inputs.groups, totals, of_row)
            score_permuted(bins, row, inputs.species, totals, of_row)
        else:
            count_pairs(bins, levels, row, inputs.groups, totals)
