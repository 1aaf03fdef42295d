import numpy as np
import pytest

from bioclip_probe.stats.sweep import blocks
from bioclip_probe.stats.sweep.cores import on_all_cores
from bioclip_probe.stats.sweep.points import Points


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_are_compared_in_order_and_once(threads):
    points = Points.of(np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32), np.arange(50))
    found = list(blocks.over_blocks(points, range(7, 50, 9), lambda start, products: (start, products.copy()), threads))
    assert [start for start, _ in found] == list(range(7, 50, 9))
    about_mean = points.data[:, :4]
    np.testing.assert_allclose(np.concatenate([part for _, part in found]), (about_mean @ about_mean.T)[7:], atol=1e-5)


def test_threads_are_few_where_products_would_fill_memory(monkeypatch):
    points = Points.of(np.ones((300, 2), dtype=np.float32), np.arange(300))
    monkeypatch.setattr(blocks, "n_threads", lambda work: 16)
    assert blocks.threads_of(points, 256) == 16
    monkeypatch.setattr(blocks, "MOST_BYTES", 3 * 4 * 256 * 300)
    assert blocks.threads_of(points, 256) == 3
    monkeypatch.setattr(blocks, "MOST_BYTES", 1)
    assert blocks.threads_of(points, 256) == 1


def test_little_work_is_done_by_the_calling_thread():
    assert on_all_cores(lambda number: number * 2, range(5), work=1) == [0, 2, 4, 6, 8]
    assert on_all_cores(lambda number: number * 2, range(5)) == [0, 2, 4, 6, 8]
