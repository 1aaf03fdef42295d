import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from tests.support.made_up_vectors import vectors_of_tips


@pytest.mark.slow
@given(vectors_of_tips())
def test_clade_sums_add_up_the_tips_of_each_clade(made):
    vectors, tree = made
    aggregator = TreeAggregator(tree)
    found = aggregator.clade_sums(vectors)
    for node in range(len(tree)):
        below = [v for tip, v in zip(tree.tips, vectors, strict=True) if node <= tip < tree.stop[node]]
        np.testing.assert_allclose(found[node], sum(below, np.zeros(vectors.shape[1])), atol=1e-12)


@pytest.mark.slow
@given(vectors_of_tips(), st.integers(1, 3))
def test_sums_of_some_tips_are_those_of_the_others_set_to_zero(made, n_groups):
    vectors, tree = made
    aggregator, k = TreeAggregator(tree), len(tree.tips)
    group = np.arange(k) % n_groups
    by_group = aggregator.inner_sums_by_group(vectors, group, n_groups)
    for number in range(n_groups):
        kept = np.flatnonzero(group == number)
        expected = aggregator.inner_sums(vectors * (group == number)[:, None], np.arange(k)[None])[:, 0]
        np.testing.assert_allclose(by_group[:, number], expected, atol=1e-12)
        np.testing.assert_allclose(aggregator.inner_sums_of_tips(vectors[kept], kept), expected, atol=1e-12)
