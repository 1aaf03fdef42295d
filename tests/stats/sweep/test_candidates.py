import numpy as np
import pytest

from bioclip_probe.stats.sweep.candidates import candidate_limits, gather_candidates


@pytest.mark.parametrize("slack", [0.0, 0.1])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_candidates_are_all_rows_within_the_limit_of_the_kth_nearest(k, slack):
    rng = np.random.default_rng(0)
    tile, start, groups = rng.random((4, 9)).astype(np.float32), 2, rng.integers(-1, 3, 9)
    limit, count = candidate_limits(tile, start, groups, k, np.float32(slack))
    first = np.concatenate([[0], np.cumsum(count)])
    neighbour = np.empty(first[-1], dtype=np.int64)
    gather_candidates(tile, start, groups, limit, first, neighbour)
    for a in range(4):
        own = start + a
        allowed = (np.arange(9) != own) & ((groups != groups[own]) | (groups[own] < 0))
        nearest = np.sort(tile[a, allowed])
        expected = nearest[k - 1] + np.float32(slack) if len(nearest) >= k else np.inf
        assert limit[a] == pytest.approx(expected)
        found = neighbour[first[a] : first[a + 1]]
        assert found.tolist() == np.flatnonzero(allowed & (tile[a] <= limit[a])).tolist()
