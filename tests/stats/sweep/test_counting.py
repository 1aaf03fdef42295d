import numpy as np
import pytest

from bioclip_probe.stats.sweep import counting
from bioclip_probe.stats.sweep.scoring import N_SCORES

BINNING = counting.Binning(np.array([0, 0, 1, 1, 2]), np.float32(2.0))  # cells 0, 1/2, 1, 3/2 and 2


def made_up(n: int = 12, n_levels: int = 3, n_groups: int = 4):
    """Distances and levels of all pairs, jackknife groups, and empty totals."""
    rng = np.random.default_rng(0)
    distances = rng.uniform(-0.1, 2.5, (n, n)).astype(np.float32)
    levels = rng.integers(0, n_levels, (n, n)).astype(np.uint8)
    groups = counting.JackknifeGroups.of(np.arange(n) % n_groups)
    counts = np.zeros((2, n_groups, n_levels, 3), dtype=np.int64)
    harmonic = np.append(0, np.cumsum(1 / np.arange(1, n + 1)))
    return distances, levels, groups, counting.Totals(counts[0], counts[1], harmonic, np.zeros((n, N_SCORES, n_levels)))


@pytest.mark.parametrize(("value", "expected"), [(-1.0, 0), (0.2, 0), (0.7, 0), (0.8, 1), (1.7, 1), (1.8, 2), (9.0, 2)])
def test_distances_belong_to_the_bin_of_the_nearest_cell_or_of_the_end(value, expected):
    assert counting.bin_of(np.float32(value), BINNING.bins, BINNING.scale) == expected


def test_a_tally_counts_every_ordered_pair_by_group_level_and_bin():
    distances, levels, groups, totals = made_up()
    for start in range(0, 12, 5):
        rows = slice(start, start + 5)
        counting.tally(distances[rows], levels[rows], start, BINNING, groups, totals)
    expected = np.zeros((2, *totals.by_group.shape), dtype=np.int64)
    for a in range(12):
        for b in range(12):
            if a != b:
                place = groups.group[a], levels[a, b], counting.bin_of(distances[a, b], BINNING.bins, BINNING.scale)
                expected[0][place] += 1
                expected[1][place] += groups.group[a] == groups.group[b]
    np.testing.assert_array_equal(totals.by_group, expected[0])
    np.testing.assert_array_equal(totals.within_group, expected[1])


def test_histograms_from_elsewhere_give_the_same_totals_and_scores():
    distances, levels, groups, totals = made_up()
    _, _, _, others = made_up()
    counting.tally(distances, levels, 0, BINNING, groups, totals)
    histograms = np.zeros((12, 3, 3), dtype=np.int32)
    for row in range(12):
        counting.count_row(distances[row], levels[row], row, BINNING.bins, BINNING.scale, histograms[row])
    counting.tally_histograms(histograms, 0, groups, others)
    np.testing.assert_array_equal(others.by_group, totals.by_group)
    np.testing.assert_array_equal(others.scores, totals.scores)


def test_members_of_jackknife_groups_are_slices_of_sorted_rows():
    groups = counting.JackknifeGroups.of(np.array([2, 0, 2, 1]))
    members = [groups.members[groups.starts[g] : groups.starts[g + 1]].tolist() for g in range(3)]
    assert members == [[1], [3], [0, 2]]
