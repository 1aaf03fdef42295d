import numpy as np
import pytest

from bioclip_probe.stats.nearest_centers import Points
from bioclip_probe.stats.vicinities import Vicinities


def points_of(n: int, d: int = 5, device: str = "cpu") -> Points:
    return Points(np.random.default_rng(n).standard_normal((n, d), dtype=np.float32), device)


def pairs(points: Points, mean_size: int) -> np.ndarray:
    """Return whether each image (column) is in the vicinity of each (row), where rounding does not decide."""
    vicinities = Vicinities.of(points, mean_size)
    squares = ((points.rows[:, None].astype(float) - points.rows) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    image = np.repeat(np.arange(len(points)), np.diff(vicinities.start))
    np.testing.assert_allclose(vicinities.distance, squares[vicinities.row, image], atol=1e-5)
    listed = np.zeros(squares.shape, dtype=bool)
    listed[vicinities.row, image] = True
    assert listed.sum() == len(image)  # no pair twice
    reach = vicinities.reach[:, None]
    expected = squares < reach
    return np.where(abs(squares - reach) < 1e-5, expected, listed)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
@pytest.mark.parametrize("tiles", [(512, 4096, 2**28), (70, 90, 50_000)])
def test_vicinities_hold_all_images_nearer_than_the_reach(device, tiles, monkeypatch):
    for name, size in zip(("TILE_ROWS", "TILE_COLUMNS", "DEVICE_TILE"), tiles, strict=True):
        monkeypatch.setattr(f"bioclip_probe.stats.vicinities.{name}", size)
    points = points_of(700, device=device)
    squares = ((points.rows[:, None].astype(float) - points.rows) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    listed = pairs(points, mean_size=60)
    assert np.array_equal(listed, squares < Vicinities.of(points, 60).reach[:, None])
    assert 30 < listed.sum(axis=1).mean() < 120


def test_equal_images_have_no_vicinity_and_none_is_none():
    alike = Vicinities.of(Points(np.ones((50, 3), dtype=np.float32)), mean_size=10)
    assert not len(alike.row) and not alike.reach.any()
    assert (Vicinities.none(3).reach < 0).all() and Vicinities.none(3).start.tolist() == [0, 0, 0, 0]


def test_some_images_in_another_order():
    points = points_of(300)
    whole, rows = Vicinities.of(points, 40), np.random.default_rng(1).permutation(300)[:200]
    part = whole.take(rows)
    assert np.array_equal(part.reach, whole.reach[rows])
    near = np.zeros((300, 300), dtype=np.float32)
    near[np.repeat(np.arange(300), np.diff(whole.start)), whole.row] = whole.distance
    again = np.zeros((200, 200), dtype=np.float32)
    again[np.repeat(np.arange(200), np.diff(part.start)), part.row] = part.distance
    assert np.array_equal(again, near[np.ix_(rows, rows)])
