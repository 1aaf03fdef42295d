import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from bioclip_probe.stats.nearest_centers import Points
from bioclip_probe.stats.pair_distances import PairDistances
from bioclip_probe.stats.starting_centers import starting_centers
from bioclip_probe.stats.vicinities import Vicinities


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def greedy_probabilities(points: np.ndarray, k: int) -> dict[tuple[int, ...], float]:
    """Return the probability of each sequence of points under greedy k-means++, from all possible draws."""
    distance = ((points[:, None].astype(float) - points) ** 2).sum(axis=2)
    trials, found = 2 + int(np.log(k)), {}

    def grow(chosen, nearest, probability):
        if len(chosen) == k:
            found[chosen] = found.get(chosen, 0) + probability
            return
        share, left = nearest / nearest.sum(), np.minimum(nearest, distance).sum(axis=1)
        for candidates in itertools.product(np.flatnonzero(share), repeat=trials):
            best = min(candidates, key=lambda point: left[point])
            grow(
                (*chosen, int(best)),
                np.minimum(nearest, distance[best]),
                probability * np.prod(share[list(candidates)]),
            )

    for first in range(len(points)):
        grow((first,), distance[first], 1 / len(points))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("centers_per_draw", "listed"), [(4, False), (0.1, False), (0.1, True)])
def test_centres_drawn_ahead_have_the_distribution_of_those_drawn_one_by_one(centers_per_draw, listed):
    """Three of six points: with 0.1, candidates for both further centres are drawn at once, and some rejected."""
    points = rng(3).standard_normal((6, 2)).astype(np.float32)
    draw, times = rng(5), 4000
    lists = Vicinities.of(Points(points), mean_size=6) if listed else None
    drawn = [
        tuple(starting_centers(Points(points), 3, draw, lists, centers_per_draw).rows.tolist()) for _ in range(times)
    ]
    expected = greedy_probabilities(points, 3)
    assert set(drawn) <= set(expected) and sum(expected.values()) == pytest.approx(1)
    likely = [chosen for chosen, probability in expected.items() if probability * times >= 5]
    observed = np.array([drawn.count(chosen) for chosen in likely])
    wanted = np.array([expected[chosen] * times for chosen in likely])
    rest = [times - observed.sum(), times - wanted.sum()]
    assert chisquare([*observed, rest[0]], [*wanted, rest[1]]).pvalue > 0.001


def scattered(n: int, n_species: int = 30, d: int = 12) -> Points:
    draw = rng()
    means = draw.standard_normal((n_species, d))[draw.integers(0, n_species, n)]
    return Points((means + 0.5 * draw.standard_normal((n, d))).astype(np.float32))


def test_no_image_is_chosen_twice_and_each_image_has_the_nearest_centre():
    points = scattered(300)
    for k in (1, 2, 40, 299):
        start = starting_centers(points, k, rng())
        assert len(np.unique(start.rows)) == k and start.rows.min() >= 0
        centres = points.rows[start.rows].astype(float)
        squares = ((points.rows[:, None].astype(float) - centres) ** 2).sum(axis=2)
        assert np.array_equal(start.cluster, squares.argmin(axis=1))


@given(st.integers(0, 2**32 - 1), st.integers(2, 120), st.integers(2, 40), st.booleans())
def test_vicinities_distances_and_devices_change_no_centre(seed, n, mean_size, repeated):
    draw = np.random.default_rng(seed)
    rows = draw.integers(-1, 2, (n, 2)) if repeated else draw.standard_normal((n, 3))
    k = int(draw.integers(1, n))
    points, on_torch = Points(rows.astype(np.float32)), Points(rows.astype(np.float32), "cpu:0")
    start = starting_centers(points, k, np.random.default_rng(seed))
    of_pairs = starting_centers(points, k, np.random.default_rng(seed), PairDistances.of(points))
    assert np.array_equal(of_pairs.rows, start.rows) and np.array_equal(of_pairs.cluster, start.cluster)
    for others in (points, on_torch):
        listed = starting_centers(others, k, np.random.default_rng(seed), Vicinities.of(others, mean_size))
        assert np.array_equal(listed.rows, start.rows) and np.array_equal(listed.cluster, start.cluster)


def test_equal_images_are_chosen_only_where_there_are_no_others():
    points = Points(np.repeat(np.eye(3, dtype=np.float32), 5, axis=0))
    rows = starting_centers(points, 5, rng()).rows
    assert len(np.unique(rows[:3] // 5)) == 3
