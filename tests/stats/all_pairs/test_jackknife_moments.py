import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.moments import Moments
from tests.support.made_up_vectors import unit_rows
from tests.support.moments import assert_same_moments, grouped_vectors


@pytest.mark.slow
@given(grouped_vectors(), st.data(), st.integers(1, 5))
def test_moments_without_a_jackknife_group_are_those_of_the_other_images(made, data, size):
    vectors, groups, n_groups = made
    jackknife_group = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n_groups, max_size=n_groups)))
    blocks = [(vectors[i : i + size], groups[i : i + size]) for i in range(0, len(groups), size)]
    jackknife_moments = JackknifeMoments.of(blocks, jackknife_group)
    if not np.any(groups >= 0):
        assert not jackknife_moments.by_group
        return
    assert_same_moments(
        jackknife_moments.total.about(np.zeros(vectors.shape[1])), Moments.of(vectors, groups, n_groups)
    )
    for number in range(jackknife_group.max() + 1):
        kept = np.where((groups >= 0) & (jackknife_group[groups] != number), groups, -1)
        expected = Moments.of(vectors, kept, n_groups)
        assert_same_moments(jackknife_moments.without_group(number).about(np.zeros(vectors.shape[1])), expected)


def test_moments_of_few_taxa_can_be_numbered_among_more():
    vectors, jackknife_group = unit_rows(np.random.default_rng(0).standard_normal((4, 3))), np.array([0, 1, 1, 2, 0])
    few = JackknifeMoments.of([(vectors, np.array([0, 1, 0, 1]))], np.array([1, 1]))
    found = few.with_more_taxa(np.array([1, 2]), jackknife_group)
    expected = JackknifeMoments.of([(vectors, np.array([1, 2, 1, 2]))], jackknife_group)
    assert len(found.by_group) == 3 and found.by_group[0].n == found.by_group[2].n == 0
    assert_same_moments(found.total, expected.total)


def test_inputs_are_unchanged_and_moments_are_read_only():
    vectors, groups = unit_rows(np.random.default_rng(0).standard_normal((5, 3))), np.array([0, 1, -1, 0, 1])
    before = vectors.copy(), groups.copy()
    moments = JackknifeMoments.of([(vectors, groups)], np.array([0, 1]))
    assert np.array_equal(vectors, before[0]) and np.array_equal(groups, before[1])
    for made in (moments.total, moments.without_group(0)):
        for array in (made.counts, made.sums, made.norms, made.second, made.third, made.origin):
            assert not array.flags.writeable
