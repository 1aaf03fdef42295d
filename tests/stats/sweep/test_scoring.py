import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.sweep import scoring
from tests.definitions import retrieval as definitions


@st.composite
def histograms(draw) -> np.ndarray:
    """Counts of up to 6 rows by level and bin."""
    n_levels, n_bins = draw(st.integers(2, 3)), draw(st.integers(1, 4))
    counts = np.zeros((n_levels, n_bins), dtype=np.int64)
    for level, place in draw(st.lists(st.tuples(st.integers(0, n_levels - 1), st.integers(0, n_bins - 1)), max_size=6)):
        counts[level, place] += 1
    return counts


def harmonic(n: int) -> np.ndarray:
    return np.append(0, np.cumsum(1 / np.arange(1, n + 1)))


def scores_of(histogram: np.ndarray) -> np.ndarray:
    scores = np.full((scoring.N_SCORES, len(histogram)), np.nan)
    scoring.reduce_row(histogram, harmonic(int(histogram.sum())), scores)
    return scores


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(histograms())
def test_scores_agree_with_their_definitions(histogram):
    n_levels = len(histogram)
    others = [(float(level), float(b)) for (level, b), n in np.ndenumerate(histogram) for _ in range(n)]
    scores = scores_of(histogram)
    steps = [float(level) for level in range(n_levels)]
    for level, step in enumerate(steps):
        assert scores[scoring.SIZE, level] == histogram[level].sum()
        assert scores[scoring.RIGHT, level] == pytest.approx(definitions.triplets(others, step)[0])
        if any(s <= step for s, _ in others):
            assert scores[scoring.AP, level] == pytest.approx(definitions.average_precision(others, step))
            assert scores[scoring.R_PRECISION, level] == pytest.approx(definitions.r_precision(others, step))
    expected = definitions.hierarchical_ap(others, steps)
    assert scores[scoring.HIERARCHICAL_AP, 0] == pytest.approx(expected, nan_ok=True)


def test_the_chance_level_is_the_mean_over_all_orders():
    sizes = np.array([[2, 1, 2]])
    scores = np.zeros((1, scoring.N_SCORES, 3))
    scoring.score_sizes(sizes, harmonic(5), scores)
    levels = [0, 0, 1, 2, 2]
    orders = [
        scores_of(np.array([[order[place] == level for place in range(5)] for level in range(3)]).astype(int))
        for order in set(permutations(levels))
    ]
    np.testing.assert_allclose(scores[0, scoring.AP], np.mean(orders, axis=0)[scoring.AP])
    np.testing.assert_allclose(scores[0, scoring.R_PRECISION], np.mean(orders, axis=0)[scoring.R_PRECISION])
    assert math.isclose(scores[0, scoring.HIERARCHICAL_AP, 0], np.mean(orders, axis=0)[scoring.HIERARCHICAL_AP, 0])
