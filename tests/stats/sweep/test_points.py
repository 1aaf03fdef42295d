import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.sweep.points import NARROWEST, Points, SpacesOfPoints, distance_bound
from tests.support.made_up_vectors import unit_rows, vectors_of_tips


def bound(vectors: np.ndarray) -> float:
    return distance_bound(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1) / 2)


@settings(max_examples=40)
@given(vectors_of_tips(), st.sampled_from((1.0, 1e-2, 1e-4)))
def test_no_pair_is_farther_apart_than_the_distance_bound(made, scale):
    vectors, _ = made
    close = unit_rows(vectors[0] + scale * vectors) if (vectors @ vectors[0] > -1 + 1e-9).all() else vectors
    largest = ((close[:, None] - close) ** 2).sum(axis=2).max() / 2
    assert largest * (1 - 1e-12) <= bound(close) <= max(8 * largest * (1 + 1e-9), 2 * NARROWEST)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_distances_keep_their_digits_and_tiles_cover_all_rows(scale):
    vectors = unit_rows(np.eye(8)[0] + scale * np.random.default_rng(0).standard_normal((30, 8))).astype(np.float32)
    order = np.random.default_rng(1).permutation(30)
    points = Points.of(vectors, order)
    wide = vectors[order].astype(float)
    expected = ((wide[:, None] - wide) ** 2).sum(axis=2) / 2
    np.testing.assert_allclose(points.distances(np.arange(30)), expected, atol=1e-6 * points.bound)
    tiles = [(start, tile.copy()) for start, tile in points.tiles(7)]
    assert [start for start, _ in tiles] == [0, 7, 14, 21, 28]
    np.testing.assert_allclose(np.concatenate([tile for _, tile in tiles]), expected, atol=1e-6 * points.bound)


def test_candidates_hold_the_nearest_rows_of_other_groups():
    vectors = unit_rows(np.random.default_rng(0).standard_normal((40, 5))).astype(np.float32)
    groups = np.random.default_rng(1).integers(-1, 8, 40)
    points, k = Points.of(vectors, np.arange(40)), 4
    wide = vectors.astype(float)
    distances = ((wide[:, None] - wide) ** 2).sum(axis=2)
    for start, tile in points.tiles(16):
        anchor, neighbour = points.candidates(start, tile, groups, k)
        assert np.all(anchor[1:] >= anchor[:-1])
        for row in range(start, start + len(tile)):
            others = (np.arange(40) != row) & ((groups != groups[row]) | (groups[row] < 0))
            nearest = np.flatnonzero(others)[np.argsort(distances[row, others])[:k]]
            found = neighbour[anchor == row]
            assert set(nearest) <= set(found) and others[found].all()


@pytest.mark.parametrize("spread", [1.0, 1e-2])
def test_centred_distances_follow_from_the_products_of_raw_points(spread):
    """Points near the mean are no less exact than others."""
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.uniform(-3, 1, (60, 1)))
    vectors = unit_rows(np.eye(9)[0] * 5 + spread * sizes * rng.standard_normal((60, 9))).astype(np.float32)
    centred = unit_rows(vectors - vectors.mean(axis=0, dtype=np.float64)).astype(np.float32)
    order = rng.permutation(60)[:50]
    products = SpacesOfPoints.of([vectors, centred], order)
    p = products.points.products(slice(0, 50))
    for space, own in zip(products.spaces, (vectors, centred), strict=True):
        wide = own[order].astype(float)
        expected = ((wide[:, None] - wide) ** 2).sum(axis=2) / 2
        found = space.half[:, None] + space.half - space.weight[:, None] * space.weight * p
        np.testing.assert_allclose(found, expected, atol=2e-6 * max(expected.max(), 1e-3))


def test_other_vectors_than_centred_ones_do_not_share_products():
    vectors = unit_rows(np.random.default_rng(0).standard_normal((30, 4)) + 1).astype(np.float32)
    assert SpacesOfPoints.of([vectors, -vectors], np.arange(30)) is None
    assert len(SpacesOfPoints.of([vectors], np.arange(30)).spaces) == 1
