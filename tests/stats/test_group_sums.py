import numpy as np
import pytest

from bioclip_probe.stats import group_sums as module
from bioclip_probe.stats.group_sums import group_sums
from tests.support.taxa import rng


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sums_are_those_of_the_rows_in_any_number_of_threads(monkeypatch, dtype):
    rows, counts = rng().standard_normal((400, 7)).astype(dtype), rng(1).integers(0, 5, 90)
    starts = np.concatenate([[0], np.cumsum(counts)])
    order, origin = rng(2).permutation(400)[: starts[-1]], rng(3).standard_normal(7)
    sums, squares = group_sums(rows, order, starts, origin)
    for group in range(90):
        x = rows[order[starts[group] : starts[group + 1]]].astype(float) - origin
        np.testing.assert_allclose(sums[group], x.sum(axis=0), atol=1e-13)
        np.testing.assert_allclose(squares[group], np.square(x).sum(), atol=1e-13)
    monkeypatch.setattr(module, "GROUPS", 8)
    monkeypatch.setattr(module, "n_threads", lambda work: 3)
    again = group_sums(rows, order, starts, origin)
    assert np.array_equal(again[0], sums) and np.array_equal(again[1], squares)
    assert not group_sums(rows, order, starts)[0][counts == 0].any()
