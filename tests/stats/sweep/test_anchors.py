"""The compiled loops over anchors; `test_sweep` holds their results against plain definitions."""

import numpy as np

from bioclip_probe.stats.sweep import anchors, counting, scoring
from bioclip_probe.stats.sweep.copies import Copies

N, N_LEVELS, N_GROUPS = 12, 3, 4
#: Six tips of two rows each: pairs of tips are clades, and so are all.
FIRST = np.array([[0, 1, 2, 3, 4, 5], [0, 0, 2, 2, 4, 4], [0] * 6])
LAST = np.array([[1, 2, 3, 4, 5, 6], [2, 2, 4, 4, 6, 6], [6] * 6])
TIP = np.repeat(np.arange(6), 2)


def levels_of(tip: np.ndarray) -> np.ndarray:
    """Levels of all pairs of rows at some tips."""
    outside = (tip < FIRST[:, tip][:, :, None]) | (tip >= LAST[:, tip][:, :, None])
    return outside.sum(axis=0).astype(np.uint8)


def made_up(n_orders: int = 0):
    """Bins of all pairs, groups of the jackknife, and empty results."""
    rng = np.random.default_rng(0)
    bins = rng.integers(0, 4, (N, N)).astype(np.uint16)
    groups = counting.JackknifeGroups.of(TIP % N_GROUPS, N_GROUPS)
    counts = np.zeros((2, N_GROUPS, N_LEVELS, 4), dtype=np.int64)
    totals = counting.Totals(*counts, np.zeros((n_orders, N_LEVELS, 4), dtype=np.int64))
    harmonic = np.append(0, np.cumsum(1 / np.arange(1, N + 1)))
    shape = (scoring.N_SCORES, N_LEVELS)
    sums = np.zeros((1 + N_GROUPS + n_orders, *shape))
    return (
        bins,
        groups,
        totals,
        anchors.AnchorScores(harmonic, np.arange(4), Copies.none(N), np.zeros((N, *shape)), sums),
    )


def scores_from(bins: np.ndarray, levels: np.ndarray, anchor: int, kept: np.ndarray, harmonic: np.ndarray):
    """Scores of one anchor from the rows that are kept."""
    histogram, scores = np.zeros((N_LEVELS, 4), dtype=np.int64), np.zeros((scoring.N_SCORES, N_LEVELS))
    for j in np.flatnonzero(kept):
        if j != anchor:
            histogram[levels[anchor, j], bins[anchor, j]] += 1
    scoring.reduce_row(histogram, harmonic, scores)
    return scores


def test_sums_without_a_group_are_of_the_other_anchors_and_the_other_rows():
    bins, groups, totals, out = made_up()
    levels = levels_of(TIP)
    anchors.score_anchors(bins, levels, 0, groups, totals, out)
    for number, left_out in enumerate((-1, *range(N_GROUPS))):
        kept = groups.group != left_out
        expected = [scores_from(bins, levels, a, kept, out.harmonic) for a in np.flatnonzero(kept)]
        np.testing.assert_allclose(out.sums[number], np.sum(expected, axis=0), atol=1e-12)
    np.testing.assert_allclose(out.scores.sum(axis=0), out.sums[0], atol=1e-12)


def test_coarse_bins_change_the_sums_only():
    bins, groups, totals, out = made_up()
    coarse = out._replace(coarse=np.array([0, 0, 1, 1]), scores=out.scores.copy(), sums=out.sums.copy())
    anchors.score_anchors(bins, levels_of(TIP), 0, groups, totals, out)
    anchors.score_anchors(bins, levels_of(TIP), 0, groups, totals, coarse)
    np.testing.assert_array_equal(coarse.scores, out.scores)
    expected = out.sums * 0
    halved = (bins // 2).astype(np.uint16)
    anchors.score_anchors(halved, levels_of(TIP), 0, groups, totals, out._replace(sums=expected))
    np.testing.assert_allclose(coarse.sums, expected, atol=1e-12)


def test_pairs_of_anchors_are_counted_as_those_of_other_rows():
    bins, groups, totals, out = made_up()
    _, _, expected, _ = made_up()
    anchors.score_anchors(bins, levels_of(TIP), 0, groups, totals, out)
    counting.count_pairs(bins, levels_of(TIP), 0, groups, expected)
    np.testing.assert_array_equal(totals.by_group, expected.by_group)
    np.testing.assert_array_equal(totals.within_group, expected.within_group)


def test_some_anchors_are_scored_on_permuted_trees():
    bins, _, totals, out = made_up(n_orders=2)
    orders = np.array([[2, 3, 1, 0, 5, 4], [0, 1, 2, 3, 4, 5]])
    species = anchors.PermutedTips(TIP, orders, FIRST, LAST, np.arange(N) % 3 > 0)
    for start in (0, 5, 10):
        anchors.score_permuted(bins[start : start + 5], start, species, totals, out)
    every = np.ones(N, dtype=bool)
    for order, sums, counts in zip(orders, out.sums[-2:], totals.permuted, strict=True):
        levels = levels_of(order[TIP])
        scored = np.flatnonzero(species.anchors)
        expected = [scores_from(bins, levels, a, every, out.harmonic) for a in scored]
        np.testing.assert_allclose(sums, np.sum(expected, axis=0), atol=1e-12)
        pairs = np.zeros_like(counts)
        for a in scored:
            for j in range(N):
                pairs[levels[a, j], bins[a, j]] += a != j
        np.testing.assert_array_equal(counts, pairs)
