import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from bioclip_probe.stats.sweep import histograms
from tests.definitions import hierarchy as definitions


@st.composite
def tables(draw) -> np.ndarray:
    n_levels, n_bins = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    size = n_levels * n_bins
    return np.array(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), float).reshape(n_levels, n_bins)


def expanded(counts):
    """Return level and bin of every pair."""
    return np.array([place for place, count in np.ndenumerate(counts) for _ in range(int(count))]).reshape(-1, 2)


@settings(max_examples=100, deadline=None)
@given(tables())
def test_rank_correlations_agree_with_scipy(counts):
    levels, bins = expanded(counts).T
    if len(np.unique(levels)) < 2 or len(np.unique(bins)) < 2:
        assert math.isnan(histograms.kendall_tau_b(counts))
        assert not counts.any() or math.isnan(histograms.spearman(counts))
        return
    assert histograms.kendall_tau_b(counts) == pytest.approx(kendalltau(levels, bins)[0], abs=1e-12)
    assert histograms.spearman(counts) == pytest.approx(spearmanr(levels, bins)[0], abs=1e-12)


def test_counts_of_billions_do_not_overflow():
    counts = np.array([[4e9, 1e9], [1e9, 4e9]])
    assert histograms.kendall_tau_b(counts) == pytest.approx(0.6)
    assert histograms.spearman(counts) == pytest.approx(0.6)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8).filter(any))
def test_mid_ranks_are_mean_ranks(counts):
    values = [place for place, count in enumerate(counts) for _ in range(count)]
    found, middle = histograms.mid_ranks(np.array(counts)), (len(values) + 1) / 2
    for place, count in enumerate(counts):
        if count:
            assert found[place] == definitions.mean_rank(values, place) - middle


def test_auc_skips_levels_without_pairs_and_halves_ties():
    auc, error = histograms.neighboring_auc(np.array([[1.0, 1, 0], [0, 0, 0], [0, 2, 2]]))
    assert auc[0] == pytest.approx((4 + 1 + 2) / 8) and error[0] == pytest.approx(1 / 8)
    assert np.isnan(auc[1:]).all()


def test_quantiles_lie_in_their_bin():
    edges = np.array([0.0, 1, 2, 4])
    found = histograms.quantiles(np.array([[2.0, 0, 2], [0, 0, 0]]), edges, (0.25, 0.5, 0.75, 1.0))
    np.testing.assert_allclose(found[0], [0.5, 1, 3, 4])
    assert np.isnan(found[1]).all()


def test_pairs_with_a_row_in_the_group_are_left_out():
    # Ordered pairs by group of the first row: 2 are within the first group, 4 within the second.
    pairs = np.array([[[3]], [[5]]])
    joint = histograms.JointHistogram(np.array([1.0]), np.array([0.0, 1]), pairs, np.array([[[2]], [[4]]]), False)
    assert joint.counts.tolist() == [[4.0]]
    assert joint.leave_one_out(lambda left: left.sum()).tolist() == [2.0, 1.0]
