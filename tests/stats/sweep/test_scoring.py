import math
import os
import subprocess
import sys
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
        assert scores[scoring.TRIPLETS, level] == definitions.triplets(others, step)[1]
        for first, candidates in ((scoring.AP, others), (scoring.AP_OTHER, definitions.other_species(others))):
            ap, r_precision, scored = scores[first : first + 3, level]
            assert scored == any(s <= step for s, _ in candidates)
            if scored:
                assert ap == pytest.approx(definitions.average_precision(candidates, step))
                assert r_precision == pytest.approx(definitions.r_precision(candidates, step))
            else:
                assert ap == r_precision == 0
    expected = definitions.hierarchical_ap(others, steps)
    assert scores[scoring.SCORED_HIERARCHICAL, 0] == math.isfinite(expected)
    assert scores[scoring.HIERARCHICAL_AP, 0] == pytest.approx(expected if math.isfinite(expected) else 0)


#: Scores an anchor without other rows. Where loops are not compiled, a place outside an array raises an error.
NO_OTHERS = """
import numpy as np
from bioclip_probe.stats.sweep import scoring
scores = np.full((scoring.N_SCORES, 2), np.nan)
scoring.reduce_row(np.zeros((2, 4), dtype=np.int32), np.zeros(1), scores)
print(np.abs(scores).max())
"""


def test_an_anchor_without_other_rows_scores_zero_and_nothing_outside_an_array_is_read():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", NO_OTHERS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.stdout == "0.0\n"


def test_the_score_of_sizes_is_the_mean_over_all_orders():
    scores = np.zeros((scoring.N_SCORES, 3))
    scoring.score_sizes(np.array([[2, 1, 2]]), harmonic(5), scores)
    levels = [0, 0, 1, 2, 2]
    orders = [
        scores_of(np.array([[order[place] == level for place in range(5)] for level in range(3)]).astype(int))
        for order in set(permutations(levels))
    ]
    expected = np.mean(orders, axis=0)
    expected[scoring.TIED] = scores[scoring.TIED]  # in an order without ties there is none
    np.testing.assert_allclose(scores, expected, atol=1e-12)


def test_scores_of_sizes_are_added():
    sums = np.ones((scoring.N_SCORES, 2))
    scoring.score_sizes(np.array([[1, 3], [0, 4]]), harmonic(4), sums)
    assert sums[scoring.R_PRECISION].tolist() == [1.25, 3.0] and sums[scoring.SCORED].tolist() == [2.0, 3.0]
