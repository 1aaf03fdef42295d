import numpy as np
import pytest

from bioclip_probe.stats.sweep import counting
from bioclip_probe.stats.sweep.points import Points, Space

BINNING = counting.Binning(np.array([0, 0, 1, 1, 2]), np.float32(2.0))  # cells 0, 1/2, 1, 3/2 and 2


def made_up(n: int = 12, n_levels: int = 3, n_groups: int = 4):
    """Bins and levels of all pairs, jackknife groups of which the last is empty, and empty totals."""
    rng = np.random.default_rng(0)
    bins = rng.integers(0, 3, (n, n)).astype(np.uint16)
    levels = rng.integers(0, n_levels, (n, n)).astype(np.uint8)
    groups = counting.JackknifeGroups.of(np.arange(n) % (n_groups - 1), n_groups)
    counts = np.zeros((3, n_groups, n_levels, 3), dtype=np.int64)
    return bins, levels, groups, counting.Totals(*counts)


@pytest.mark.parametrize(("value", "expected"), [(-1.0, 0), (0.2, 0), (0.7, 0), (0.8, 1), (1.7, 1), (1.8, 2), (9.0, 2)])
def test_distances_belong_to_the_bin_of_the_nearest_cell_or_of_the_end(value, expected):
    assert counting.bin_of(np.float32(value), BINNING.bins, BINNING.scale) == expected


def test_a_block_of_distances_has_the_bins_of_its_distances():
    distances = np.random.default_rng(0).uniform(-0.1, 2.5, (3, 5)).astype(np.float32)
    bins = np.zeros((3, 5), dtype=np.uint16)
    for row, own in zip(distances, bins, strict=True):
        counting.fill_bins(row, BINNING.bins, BINNING.scale, own)
    assert bins.tolist() == [[counting.bin_of(c, BINNING.bins, BINNING.scale) for c in row] for row in distances]


def test_every_ordered_pair_is_counted_by_group_level_and_bin():
    bins, levels, groups, totals = made_up()
    for start in range(0, 12, 5):
        rows = slice(start, start + 5)
        counting.count_pairs(bins[rows], levels[rows], start, groups, totals)
    expected = np.zeros((2, *totals.by_group.shape), dtype=np.int64)
    for a in range(12):
        for b in range(12):
            if a != b:
                place = groups.group[a], levels[a, b], bins[a, b]
                expected[0][place] += 1
                expected[1][place] += groups.group[a] == groups.group[b]
    np.testing.assert_array_equal(totals.by_group, expected[0])
    np.testing.assert_array_equal(totals.within_group, expected[1])


@pytest.mark.parametrize("weights", [np.ones(6), np.linspace(0.5, 2, 6)])
def test_distances_of_a_space_follow_from_products(weights):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((6, 3)).astype(np.float32)
    vectors = points * weights[:, None]
    space = Space((vectors**2).sum(axis=1).astype(np.float32) / 2, weights.astype(np.float32))
    found = np.zeros(6, dtype=np.float32)
    for row in range(6):
        counting.fill_distances((points @ points.T)[row], row, space, found)
        np.testing.assert_allclose(found, ((vectors - vectors[row]) ** 2).sum(axis=1) / 2, atol=1e-5)


def test_cells_are_counted_for_other_rows_only():
    points = Points.of(np.random.default_rng(0).standard_normal((9, 2)).astype(np.float32), np.arange(9))
    rows, scale, counts = np.array([1, 4]), np.float32(8 / points.bound), np.zeros(8, dtype=np.int64)
    counting.count_cells(points.products(rows), rows, points.space, scale, counts)
    cells = np.clip(points.distances(rows) * scale + 0.5, 0, 7).astype(int)
    cells[np.arange(2), rows] = -1
    assert counts.tolist() == [int((cells == cell).sum()) for cell in range(8)]


def test_members_of_jackknife_groups_are_slices_of_sorted_rows():
    groups = counting.JackknifeGroups.of(np.array([2, 0, 2, 1]), 4)
    members = [groups.members[groups.starts[g] : groups.starts[g + 1]].tolist() for g in range(4)]
    assert members == [[1], [3], [0, 2], []]
