import numpy as np
import pytest
from scipy.spatial.distance import cdist

from bioclip_probe.stats import pair_distances as module
from bioclip_probe.stats.nearest_centers import Points
from bioclip_probe.stats.pair_distances import PairDistances


@pytest.mark.parametrize("block", [7, 512])
def test_distances_are_those_of_each_pair_in_any_order(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    rows = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    pairs, expected = PairDistances.of(Points(rows)), cdist(rows, rows) ** 2
    assert pairs.from_images(np.arange(40)) == pytest.approx(expected, abs=1e-4)
    chosen = np.array([3, 30, 11])
    assert pairs.take(chosen).from_images(np.array([2, 0])) == pytest.approx(
        expected[np.ix_([11, 3], chosen)], abs=1e-4
    )


def test_an_image_is_at_no_distance_from_itself():
    rows = 100 + np.random.default_rng(1).standard_normal((30, 3)).astype(np.float32)
    assert not np.diagonal(PairDistances.of(Points(rows)).table).any()
