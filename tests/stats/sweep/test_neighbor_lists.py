import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.stats.sweep.cells import N_LEVELS, level_of
from bioclip_probe.stats.sweep.neighbor_lists import matching_weight
from bioclip_probe.stats.sweep.search import neighbor_lists
from bioclip_probe.tree import Placement, taxonomy
from tests.definitions import nearest as definition
from tests.support.made_up_vectors import random_taxonomy
from tests.support.strategies import lineage_tables, placements
from tests.support.taxa import made_up


def meeting_level(placement, a, b):
    """The level at which two images meet, from the ancestors of their nodes."""
    if placement.node[a] == placement.node[b]:
        return 0
    above = []
    for node in (placement.node[a], placement.node[b]):
        path = [node]
        while placement.tree.parent[path[-1]] >= 0:
            path.append(placement.tree.parent[path[-1]])
        above.append(path)
    lowest = next(node for node in above[0] if node in above[1])
    return N_LEVELS - 2 - placement.tree.rank[lowest] if lowest else N_LEVELS - 1


@st.composite
def cases(draw):
    """Few places for many images anywhere in a taxonomy, photographers, species in jackknife groups, a mask."""
    placement = draw(placements(taxonomy(draw(lineage_tables(max_rows=8))).tree, max_images=14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = len(placement), draw(st.integers(1, 4))
    places = rng.standard_normal((draw(st.integers(1, 8)), d)).astype(np.float32)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    vectors = places[rng.integers(0, len(places), n)]
    groups = rng.integers(-1, draw(st.integers(1, 6)), n) if draw(st.booleans()) else None
    left_out = rng.integers(0, draw(st.integers(1, 4)), len(placement.tree))[placement.node]
    among = rng.random(n) < draw(st.sampled_from([0.5, 1.0]))
    return vectors, placement, left_out, draw(st.integers(1, 4)), groups, among


def per_row(lists, by_cell, n):
    values = np.zeros((n, *by_cell.shape[1:]))
    values[lists.rows] = by_cell[lists.cell]
    return values


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(cases(), st.integers(0, N_LEVELS - 1))
def test_neighbours_without_each_group_are_those_of_a_new_search(case, least):
    vectors, placement, left_out, k, groups, among = case
    lists, n = neighbor_lists(*case), len(placement)
    rows = np.flatnonzero(among & (placement.node >= 0))
    np.testing.assert_array_equal(lists.rows, rows)
    for group in range(-1, lists.n_groups):
        kept = [row for row in rows if left_out[row] != group]
        shares, candidates = np.zeros((2, n, N_LEVELS))
        for row in kept:
            others = definition.candidates_of(row, kept, groups)
            level = {other: meeting_level(placement, row, other) for other in others}
            np.add.at(candidates[row], list(level.values()), 1)
            near = definition.expected_neighbors(vectors, row, [o for o in others if level[o] >= least], k)
            for other, share in near.items():
                shares[row, level[other]] += share
        np.testing.assert_allclose(per_row(lists, lists.shares(k, least, group), n), shares, atol=1e-12)
        found = per_row(lists, lists.candidates(group), n)
        np.testing.assert_array_equal(found[kept], candidates[kept])
        occurrences = definition.occurrences(vectors, k, kept, groups)
        found = per_row(lists, lists.occurrences(k, group), n)
        np.testing.assert_allclose(found[kept], [occurrences[row] for row in kept], atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(cases())
def test_links_are_neighbours_between_taxa(case):
    vectors, placement, _, k, groups, _ = case
    lists = neighbor_lists(*case)
    for least in (1, 3):
        taxon = per_row(lists, lists.taxa(least - 1), len(placement)).astype(int)
        expected = {}
        for row in lists.rows:
            others = definition.candidates_of(row, lists.rows, groups, taxon)
            for other, share in definition.expected_neighbors(vectors, row, others, k).items():
                link = taxon[row], taxon[other]
                expected[link] = expected.get(link, 0) + share
        left, right, weight = lists.links(k, least)
        assert dict(zip(zip(left, right, strict=True), weight, strict=True)) == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(cases(), st.randoms())
def test_the_order_of_images_is_irrelevant(case, random):
    vectors, placement, left_out, k, groups, among = case
    order = np.arange(len(placement))
    random.shuffle(order)
    lists = neighbor_lists(*case)
    other = neighbor_lists(
        vectors[order],
        placement.take(order),
        left_out[order],
        k,
        None if groups is None else groups[order],
        among[order],
    )
    one, shuffled = (per_row(each, each.shares(k), len(order)) for each in (lists, other))
    np.testing.assert_allclose(shuffled, one[order], atol=1e-12)


def test_meeting_levels_are_those_of_all_pairs_of_species():
    _, placement = made_up(25, 60)
    placement = placement.take(np.arange(50))
    vectors, groups = np.random.default_rng(0).standard_normal((50, 3)), placement.node % 4
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lists = neighbor_lists(vectors, placement, groups, k=1)
    for left_out in (-1, 0, 3):
        kept = np.flatnonzero(groups != left_out)
        _, first = np.unique(placement.node[kept], return_index=True)
        species = kept[first]
        levels = [meeting_level(placement, a, b) for a in species for b in species if a != b]
        expected = np.bincount(levels, minlength=N_LEVELS) / len(levels)
        np.testing.assert_allclose(lists.meeting_levels(left_out), expected)


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-5])
def test_vectors_that_nearly_coincide_have_the_neighbours_of_float64(spread):
    rng = np.random.default_rng(1)
    placement = random_taxonomy(20, 90, rng)
    vectors = rng.standard_normal(24) + spread * rng.standard_normal((90, 24))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    lists = neighbor_lists(vectors, placement, placement.node % 5, k=3)
    expected = np.zeros((90, N_LEVELS))
    for row in range(90):
        for other in definition.nearest(vectors, row, 3):
            expected[row, meeting_level(placement, row, other)] += 1 / 3
    np.testing.assert_allclose(per_row(lists, lists.shares(3), 90), expected, atol=1e-12)


def test_many_images_of_a_species_in_one_group_need_longer_lists():
    """The nearest species of an image has 200 images; without them, the next nearest are found all the same."""
    rng = np.random.default_rng(2)
    _, placement = made_up(12, 12)
    node = np.repeat(placement.node, 200)
    centres = rng.standard_normal((12, 8))
    vectors = np.repeat(centres, 200, axis=0) + 0.1 * rng.standard_normal((2400, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    species = np.repeat(np.arange(12), 200)
    lists = neighbor_lists(vectors, Placement(placement.tree, node), species, k=10)
    for left_out in (3, 7):
        kept = np.flatnonzero(species != left_out)
        alone = neighbor_lists(vectors[kept], Placement(placement.tree, node[kept]), species[kept], k=10)
        for least in (0, 1):
            found = per_row(lists, lists.shares(10, least, left_out), 2400)[kept]
            np.testing.assert_allclose(found, per_row(alone, alone.shares(10, least), len(kept)), atol=1e-12)


def test_constant_vectors_need_one_entry_for_each_pair_of_species():
    _, placement = made_up(30, 600)
    lists = neighbor_lists(np.tile(np.eye(1, 4, dtype=np.float32), (600, 1)), placement, placement.node % 5, k=10)
    assert len(lists.cells.size) == 30 and len(lists.entries.neighbor) <= 30**2
    candidates = lists.candidates()
    np.testing.assert_allclose(lists.shares(1), candidates / candidates.sum(axis=1, keepdims=True))


def test_links_of_one_label_are_added_up():
    rng = np.random.default_rng(0)
    left, right, weight = rng.integers(0, 9, 40), rng.integers(0, 9, 40), rng.random(40)
    labels = rng.integers(0, 3, (25, 9))
    expected = [weight[row[left] == row[right]].sum() for row in labels]
    np.testing.assert_allclose(matching_weight((left, right, weight), labels), expected)


def test_wrong_inputs_are_named():
    vectors, placement = made_up(12, 30)
    lists = neighbor_lists(vectors, placement, placement.node, k=2)
    with pytest.raises(ValueError, match="suffice for 1 to 2"):
        lists.shares(3)
    vectors[4, 0] = np.nan
    with pytest.raises(DataError, match="1 are not, in rows 4"):
        neighbor_lists(vectors, placement, placement.node, k=2)


def test_no_image_is_no_list():
    vectors, placement = made_up(12, 30)
    lists = neighbor_lists(vectors, placement, placement.node, k=2, among=np.zeros(30, dtype=bool))
    assert lists.shares(2).shape == (0, N_LEVELS) and lists.n_groups == 0


def test_levels_are_ranks_below_the_common_ancestor():
    assert [level_of(rank) for rank in ("species", "genus", "kingdom")] == [0, 1, 6]
